use lethe_domain::{Country, Label, Safeguard, SafeguardKind, Transfer};
use serde::{Deserialize, Serialize};

use super::dossier::known;

/// Where something goes, and what makes that lawful.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferRecord {
    country: String,
    /// By number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    safeguard: Option<u8>,
    /// Of the safeguard; there with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contract: Option<String>,
}

impl TransferRecord {
    pub(super) fn of(transfer: &Transfer) -> Self {
        let safeguard = transfer.safeguard.as_ref();
        Self {
            country: transfer.destination.to_string(),
            safeguard: safeguard.map(|safeguard| safeguard.kind.number()),
            reference: safeguard.map(|safeguard| safeguard.reference.to_string()),
            contract: transfer.contract.as_ref().map(ToString::to_string),
        }
    }

    pub(super) fn parse(&self) -> Option<Transfer> {
        let label = |text: &str| Label::parse("label", text).ok();
        let safeguard = match (self.safeguard, &self.reference) {
            (None, None) => None,
            (Some(number), Some(reference)) => {
                Some(Safeguard { kind: SafeguardKind::from_number(number)?, reference: label(reference)? })
            }
            (Some(_), None) | (None, Some(_)) => return None,
        };
        Some(Transfer {
            destination: Country::parse("country", &self.country).ok()?,
            safeguard,
            contract: known(self.contract.as_deref(), label)?,
        })
    }
}
