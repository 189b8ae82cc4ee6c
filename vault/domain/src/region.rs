use std::fmt;

use crate::{Invalid, Reason};

/// Where data live, by the operator's own name: 1 to 32 of `a-z 0-9 -`, such as `eu-central` (O32).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region(String);

impl Region {
    /// The longest name, in characters.
    pub const MAX: usize = 32;

    /// Parses a region; `field` is what a refusal names.
    ///
    /// # Errors
    /// Anything that is no region's name.
    pub fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        let well_formed = (1..=Self::MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(field, Reason::FieldOutOfRange, format!("must be 1 to {} of a-z 0-9 -", Self::MAX)))
        }
    }

    /// The region as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a tenant's people are (O3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Environment {
    /// Real people whom a client serves: never material for developing the service.
    #[default]
    Production = 1,
    /// People who take part in development and know it.
    Development = 2,
}

impl Environment {
    /// Every environment there is.
    pub const ALL: [Self; 2] = [Self::Production, Self::Development];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The environment stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|environment| environment.number() == number)
    }

    /// The environment's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
        }
    }
}
