use lethe_domain::{Jurisdiction, Period};

/// What a jurisdiction asks for beyond the purposes and bases that a client declares: data, one line a jurisdiction.
///
/// Distilled from the obligations; no legal advice. What it asks of transfers abroad is in [`crate::Border`].
#[derive(Debug, Clone, Copy)]
pub struct Law {
    /// The jurisdiction.
    pub jurisdiction: Jurisdiction,
    /// Its full name.
    pub title: &'static str,
    /// Whether a written consent comes before any processing at all (O16).
    pub written_consent_first: bool,
    /// Whether anybody's data may serve to develop the service (O3).
    pub service_development: bool,
    /// How long data are kept at most, from provision (O17).
    pub cap_from_provision: Option<Period>,
    /// How long at most after the purpose was satisfied (O17).
    pub cap_after_purpose: Option<Period>,
    /// Where that is written.
    pub source: &'static str,
}

const THREE_YEARS: Option<Period> = Some(Period::months(36));
const ONE_YEAR: Option<Period> = Some(Period::months(12));

/// The table, in the order of [`Jurisdiction`].
#[rustfmt::skip]
const LAWS: [Law; 8] = [
    law(Jurisdiction::EuropeanUnion, "European Union and EEA", false, true,  None,        None,     "GDPR (EU) 2016/679"),
    law(Jurisdiction::UnitedKingdom, "United Kingdom",         false, true,  None,        None,     "UK GDPR, Data Protection Act 2018"),
    law(Jurisdiction::Illinois,      "Illinois",               true,  false, THREE_YEARS, None,     "BIPA, 740 ILCS 14/15(a), (b)"),
    law(Jurisdiction::Texas,         "Texas",                  true,  false, None,        ONE_YEAR, "CUBI, Bus. & Com. Code § 503.001(b), (c)"),
    law(Jurisdiction::Washington,    "Washington",             true,  false, None,        None,     "RCW 19.375.020"),
    law(Jurisdiction::California,    "California",             false, true,  None,        None,     "CCPA, Civ. Code § 1798.100 ff."),
    law(Jurisdiction::Kazakhstan,    "Kazakhstan",             false, true,  None,        None,     "Law No. 94-V of 21 May 2013"),
    law(Jurisdiction::Other,         "anywhere else",          false, true,  None,        None,     "none known to the vault"),
];

const fn law(
    jurisdiction: Jurisdiction,
    title: &'static str,
    written_consent_first: bool,
    service_development: bool,
    cap_from_provision: Option<Period>,
    cap_after_purpose: Option<Period>,
    source: &'static str,
) -> Law {
    Law {
        jurisdiction,
        title,
        written_consent_first,
        service_development,
        cap_from_provision,
        cap_after_purpose,
        source,
    }
}

impl Law {
    /// The law of a jurisdiction.
    pub const fn of(jurisdiction: Jurisdiction) -> &'static Self {
        &LAWS[jurisdiction as usize - 1]
    }

    /// All lines.
    pub const fn table() -> &'static [Self] {
        &LAWS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_jurisdiction_finds_its_own_line() {
        for jurisdiction in Jurisdiction::ALL {
            assert_eq!(Law::of(jurisdiction).jurisdiction, jurisdiction);
        }
    }
}
