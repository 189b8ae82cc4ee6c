/// Whose law a person's biometrics fall under. What each asks for is data, in `lethe-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Jurisdiction {
    /// The European Union and the EEA: GDPR.
    EuropeanUnion = 1,
    /// The United Kingdom: UK GDPR.
    UnitedKingdom = 2,
    /// Illinois: BIPA (740 ILCS 14).
    Illinois = 3,
    /// Texas: CUBI (Bus. & Com. Code § 503.001).
    Texas = 4,
    /// Washington: RCW 19.375 and the My Health My Data Act.
    Washington = 5,
    /// California: CCPA.
    California = 6,
    /// Kazakhstan: law on personal data and their protection, No. 94-V.
    Kazakhstan = 7,
    /// Anywhere else.
    Other = 8,
}

impl Jurisdiction {
    /// Every jurisdiction there is.
    pub const ALL: [Self; 8] = [
        Self::EuropeanUnion,
        Self::UnitedKingdom,
        Self::Illinois,
        Self::Texas,
        Self::Washington,
        Self::California,
        Self::Kazakhstan,
        Self::Other,
    ];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The jurisdiction stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|jurisdiction| jurisdiction.number() == number)
    }

    /// The jurisdiction's name on the command line and in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EuropeanUnion => "european_union",
            Self::UnitedKingdom => "united_kingdom",
            Self::Illinois => "illinois",
            Self::Texas => "texas",
            Self::Washington => "washington",
            Self::California => "california",
            Self::Kazakhstan => "kazakhstan",
            Self::Other => "other",
        }
    }
}

/// How old a person is, as far as the vault needs to know (O15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum AgeBand {
    /// Nobody said.
    #[default]
    Unknown = 0,
    /// Under 16 years.
    Under16 = 1,
    /// 16 years or more, and a minor in the client's country.
    MinorFrom16 = 2,
    /// Of age in the client's country.
    Adult = 3,
}

impl AgeBand {
    /// Every band there is.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Under16, Self::MinorFrom16, Self::Adult];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The band stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|band| band.number() == number)
    }

    /// The band's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Under16 => "under_16",
            Self::MinorFrom16 => "minor_from_16",
            Self::Adult => "adult",
        }
    }
}
