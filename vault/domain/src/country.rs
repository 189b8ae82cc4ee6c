use std::fmt;

use crate::{Invalid, Reason};

/// Every country code of ISO 3166-1 alpha-2 that is officially assigned.
const CODES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ \
    BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ \
    DE DJ DK DM DO DZ \
    EC EE EG EH ER ES ET \
    FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY \
    HK HM HN HR HT HU \
    ID IE IL IM IN IO IQ IR IS IT \
    JE JM JO JP \
    KE KG KH KI KM KN KP KR KW KY KZ \
    LA LB LC LI LK LR LS LT LU LV LY \
    MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ \
    NA NC NE NF NG NI NL NO NP NR NU NZ \
    OM \
    PA PE PF PG PH PK PL PM PN PR PS PT PW PY \
    QA \
    RE RO RS RU RW \
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ \
    TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ \
    UA UG UM US UY UZ \
    VA VC VE VG VI VN VU \
    WF WS \
    YE YT \
    ZA ZM ZW";

/// A country, by its code of ISO 3166-1 alpha-2, such as `DE` (O32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

impl Country {
    /// Parses a code; `field` is what a refusal names.
    ///
    /// # Errors
    /// `FieldMissing` for none, `FieldOutOfRange` for one that is not assigned, such as `EU` or `UK`, or not in capitals.
    pub fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(field, Reason::FieldMissing, "is missing; name a country, such as DE"));
        }
        let found = CODES.split_ascii_whitespace().find(|code| *code == text);
        let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "is no country's code of ISO 3166-1, such as DE");
        found.map(Self).ok_or_else(refuse)
    }

    /// The code.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_each_assigned_code_once() {
        let codes: Vec<_> = CODES.split_ascii_whitespace().collect();
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted_by(|a, b| a < b), "out of order, or twice");
        assert!(codes.iter().all(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
    }

    #[test]
    fn countries_are_assigned_codes_in_capitals() {
        for good in ["DE", "GB", "KZ", "US", "AX", "ZW"] {
            assert_eq!(Country::parse("x", good).unwrap().as_str(), good);
        }
        assert_eq!(Country::parse("x", "").unwrap_err().reason, Reason::FieldMissing);
        for bad in ["EU", "UK", "XK", "ZZ", "de", "D", "DEU", "D E", " ", "DE AT"] {
            let refused = Country::parse("x", bad).unwrap_err();
            assert_eq!((refused.field.as_str(), refused.reason), ("x", Reason::FieldOutOfRange), "{bad}");
        }
    }
}
