use std::fmt;

use crate::{Invalid, Reason, personal};

/// A client's own name of something that is not a person: a notice's version, a case. 1 to 64 of `A-Z a-z 0-9 . _ ~ -`.
///
/// No free text, and nothing shaped like a personal identifier (O5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label(String);

impl Label {
    /// The longest label, in characters.
    pub const MAX: usize = 64;

    /// Parses a label; `field` is what a refusal names.
    pub fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        let refuse = |reason, message: String| Err(Invalid::new(field, reason, message));
        if text.is_empty() {
            return refuse(Reason::FieldMissing, "is empty".to_owned());
        }
        let well_formed =
            text.len() <= Self::MAX && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b));
        if !well_formed {
            let message = format!("must be 1 to {} of A-Z a-z 0-9 . _ ~ -", Self::MAX);
            return refuse(Reason::FieldOutOfRange, message);
        }
        if let Some(what) = personal::shape_of(text) {
            return refuse(Reason::FieldOutOfRange, format!("has the shape of {what}; use an opaque reference"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_opaque_references() {
        for good in ["v1", "privacy-2026-03", "case_2026.17~b", &"a".repeat(64)] {
            assert_eq!(Label::parse("x", good).unwrap().as_str(), good);
        }
        for bad in ["", "two words", "ann@example.org", "+44 20 7946 0000", "1234567890", "näme", &"a".repeat(65)] {
            assert!(Label::parse("x", bad).is_err(), "{bad}");
        }
    }
}
