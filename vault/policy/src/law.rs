use lethe_domain::Jurisdiction;

/// What a jurisdiction asks for beyond the purposes and bases that a client declares: data, one line a jurisdiction.
///
/// Distilled from the obligations; no legal advice. What is not here (caps on keeping, transfers abroad) is not enforced.
#[derive(Debug, Clone, Copy)]
pub struct Law {
    /// The jurisdiction.
    pub jurisdiction: Jurisdiction,
    /// Its full name.
    pub title: &'static str,
    /// Whether a written consent comes before any processing at all (O16).
    pub written_consent_first: bool,
    /// Where that is written.
    pub source: &'static str,
}

/// The table, in the order of [`Jurisdiction`].
#[rustfmt::skip]
const LAWS: [Law; 8] = [
    law(Jurisdiction::EuropeanUnion, "European Union and EEA", false, "GDPR (EU) 2016/679"),
    law(Jurisdiction::UnitedKingdom, "United Kingdom",         false, "UK GDPR, Data Protection Act 2018"),
    law(Jurisdiction::Illinois,      "Illinois",               true,  "BIPA, 740 ILCS 14/15(b)"),
    law(Jurisdiction::Texas,         "Texas",                  true,  "CUBI, Bus. & Com. Code § 503.001(b)"),
    law(Jurisdiction::Washington,    "Washington",             true,  "RCW 19.375.020"),
    law(Jurisdiction::California,    "California",             false, "CCPA, Civ. Code § 1798.100 ff."),
    law(Jurisdiction::Kazakhstan,    "Kazakhstan",             false, "Law No. 94-V of 21 May 2013"),
    law(Jurisdiction::Other,         "anywhere else",          false, "none known to the vault"),
];

const fn law(
    jurisdiction: Jurisdiction,
    title: &'static str,
    written_consent_first: bool,
    source: &'static str,
) -> Law {
    Law { jurisdiction, title, written_consent_first, source }
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
