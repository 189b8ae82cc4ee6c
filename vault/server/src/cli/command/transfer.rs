//! Where something goes, and what makes that lawful: options of what may cross a border.

use clap::Args;
use lethe_proto::v1::{Safeguard, Transfer};

use crate::cli::values;

/// Where something goes, and what makes that lawful.
#[derive(Debug, Args)]
pub(crate) struct Way {
    /// The country of who receives it: a code of ISO 3166-1, such as DE. Beyond a border it needs a safeguard.
    #[arg(long, value_name = "CODE")]
    country: Option<String>,

    /// What makes it lawful to send it across a border.
    #[arg(long, value_parser = values::safeguard(), requires = "country", requires = "safeguard_reference")]
    safeguard: Option<Safeguard>,

    /// Your reference of the safeguard's document: 1 to 64 of [A-Za-z0-9._~-], and nothing that names a person.
    #[arg(long, value_name = "REFERENCE", requires = "safeguard")]
    safeguard_reference: Option<String>,

    /// Your reference of the contract with who receives it, which the law of Kazakhstan asks for, too.
    #[arg(long, value_name = "REFERENCE", requires = "country")]
    contract_reference: Option<String>,
}

impl Way {
    /// What was said; `None` where no country was.
    pub(crate) fn transfer(self) -> Option<Transfer> {
        let Self { country, safeguard, safeguard_reference, contract_reference } = self;
        country.map(|country| Transfer {
            country,
            safeguard: safeguard.map_or(0, Into::into),
            safeguard_reference: safeguard_reference.unwrap_or_default(),
            contract_reference: contract_reference.unwrap_or_default(),
        })
    }
}
