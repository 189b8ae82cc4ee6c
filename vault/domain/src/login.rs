use std::fmt;

use crate::{Invalid, Reason, personal};

/// A login at an identity provider: who issues its tokens, and whom they call what there. It stands for one person, or for
/// one machine.
///
/// A subject shaped like an e-mail address, a phone or a national id number is refused (O5). `Debug` shows nothing of it: with
/// the provider's own tables it leads to a person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Login {
    issuer: String,
    subject: String,
}

impl Login {
    /// The longest issuer, and the longest subject (OpenID Connect Core 1.0, section 2), in bytes.
    pub const MAX: usize = 255;

    /// Parses both; `field` is what a refusal names, with `.issuer` or `.subject` behind it.
    ///
    /// # Errors
    /// `FieldMissing` or `FieldOutOfRange`, with the reason.
    pub fn parse(field: &str, issuer: &str, subject: &str) -> Result<Self, Invalid> {
        let refuse = |part: &str, reason, message| Err(Invalid::new(format!("{field}.{part}"), reason, message));
        for (part, text) in [("issuer", issuer), ("subject", subject)] {
            if text.is_empty() {
                return refuse(part, Reason::FieldMissing, "is empty".to_owned());
            }
        }
        if let Some(why) = Self::fault_of_issuer(issuer) {
            return refuse("issuer", Reason::FieldOutOfRange, why.to_owned());
        }
        if subject.len() > Self::MAX || !subject.bytes().all(|b| b.is_ascii_graphic()) {
            let why = "must be 1 to 255 printable ASCII characters without spaces";
            return refuse("subject", Reason::FieldOutOfRange, why.to_owned());
        }
        if let Some(what) = personal::shape_of(subject) {
            let why = format!("has the shape of {what}; have the provider send an opaque subject");
            return refuse("subject", Reason::FieldOutOfRange, why);
        }
        Ok(Self { issuer: issuer.to_owned(), subject: subject.to_owned() })
    }

    /// What keeps a text from being an issuer, if anything: an `https` URL, without query and fragment (OpenID Connect Core 1.0,
    /// section 2).
    pub fn fault_of_issuer(text: &str) -> Option<&'static str> {
        let host = text.strip_prefix("https://").unwrap_or_default();
        let is_url = !host.is_empty() && !host.starts_with('/') && text.len() <= Self::MAX;
        let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"?#@\"\\<>".contains(&b));
        if is_url && plain {
            return None;
        }
        Some("must be an https URL of at most 255 printable ASCII characters, without user, query or fragment")
    }

    /// Who issues its tokens, exactly as they say.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whose they are, exactly as they say.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({}, …)", self.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://login.example.org/realms/staff";

    #[test]
    fn logins_are_an_issuer_and_an_opaque_subject() {
        for subject in ["248289761001-x", "00u1a2b3c4D5e6f7", "auth0|5f7c8ec7c33c6c004bbafe82", &"a".repeat(255)] {
            let login = Login::parse("login", ISSUER, subject).unwrap();
            assert_eq!((login.issuer(), login.subject()), (ISSUER, subject));
        }
        let fault = |issuer: &str, subject: &str| {
            let refused = Login::parse("login", issuer, subject).unwrap_err();
            (refused.field, refused.reason)
        };
        let subject = "00u1a2b3c4D5e6f7";
        assert_eq!(fault("", subject), ("login.issuer".to_owned(), Reason::FieldMissing));
        assert_eq!(fault(ISSUER, ""), ("login.subject".to_owned(), Reason::FieldMissing));
        let long = format!("https://{}", "a".repeat(248));
        for issuer in
            ["http://a", "https://", "https:///a", "https://a?b", "https://a#b", "https://u@a", "https://a b", &long]
        {
            assert_eq!(fault(issuer, subject), ("login.issuer".to_owned(), Reason::FieldOutOfRange), "{issuer}");
        }
        for subject in ["ann@example.org", "4915112345678", "two words", "anné", &"a".repeat(256)] {
            assert_eq!(fault(ISSUER, subject), ("login.subject".to_owned(), Reason::FieldOutOfRange), "{subject}");
        }
    }

    #[test]
    fn a_subject_never_shows_in_debug() {
        let login = Login::parse("login", ISSUER, "subject-77x").unwrap();
        assert!(!format!("{login:?}").contains("77"));
    }
}
