use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};

use crate::{Invalid, Reason, personal};

/// A tenant's id: `[a-z][a-z0-9-]{2,62}`. It names a client, not a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(String);

impl TenantId {
    /// Parses a tenant id.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let well_formed = (3..=63).contains(&text.len())
            && text.as_bytes()[0].is_ascii_lowercase()
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            let message = "3 to 63 characters, a-z 0-9 and '-', a letter first";
            Err(Invalid::new("tenant_id", Reason::TenantIdMalformed, message))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An opaque applicant id, given by the client: 1 to 128 of `A-Z a-z 0-9 . _ ~ -`.
///
/// One shaped like an e-mail address, a phone or a national id number is refused (O5). `Debug`
/// shows nothing of it: with the client's own tables it leads to a person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(String);

impl SubjectId {
    /// The longest id, in characters.
    pub const MAX: usize = 128;

    /// Parses an applicant id.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = |reason, message: String| Err(Invalid::new("subject_id", reason, message));
        if text.is_empty() {
            return refuse(Reason::SubjectIdEmpty, "is empty".to_owned());
        }
        if text.len() > Self::MAX {
            let message = format!("is {} bytes long; at most {} are allowed", text.len(), Self::MAX);
            return refuse(Reason::SubjectIdTooLong, message);
        }
        if let Some(what) = personal::shape_of(text) {
            return refuse(Reason::SubjectIdPersonalData, format!("has the shape of {what}; use an opaque id"));
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b)) {
            return refuse(Reason::SubjectIdMalformed, "may have A-Z a-z 0-9 . _ ~ - only".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectId(…)")
    }
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new random id.
            ///
            /// # Panics
            /// When the operating system gives no randomness: nothing in a vault may go on then.
            pub fn random() -> Self {
                Self(random_bytes())
            }

            /// From its bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Parses 32 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                parse_hex(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

random_id!(
    /// One version of one template.
    TemplateId
);
random_id!(
    /// A credential; its secret is elsewhere.
    CredentialId
);
random_id!(
    /// A consent of one person to one purpose.
    ConsentId
);
random_id!(
    /// A litigation hold on one person.
    HoldId
);
random_id!(
    /// A request of a data subject. Only who holds it knows whose it was.
    RightsRequestId
);
random_id!(
    /// What two persons decide together.
    ProposalId
);
random_id!(
    /// A disclosure about one person.
    DisclosureId
);
random_id!(
    /// Somebody who has to be told what became of a person's data; random, and says nothing of the person.
    NotificationId
);
random_id!(
    /// A case about a person; random, or made under the person's key, and says nothing of the person.
    CaseId
);
random_id!(
    /// An entry of a watch list; random, and says nothing of whom it was made of.
    WatchlistEntryId
);
random_id!(
    /// An erasure receipt. Only who asked for the erasure knows whom it is about.
    ReceiptId
);

/// A caller's idempotency key: a version 4 UUID (AIP-155).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// Parses the 36-character form.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = || Invalid::new("request_id", Reason::RequestIdMalformed, "is no version 4 UUID");
        let bytes = text.as_bytes();
        let dashes = [8, 13, 18, 23];
        if bytes.len() != 36 || dashes.iter().any(|&at| bytes[at] != b'-') || !text.is_ascii() {
            return Err(refuse());
        }
        let lower: String = text.chars().filter(|&c| c != '-').map(|c| c.to_ascii_lowercase()).collect();
        let id = parse_hex(&lower).ok_or_else(refuse)?;
        // Version 4, RFC 9562 variant: other versions carry times or names that could lead to a person.
        if id[6] >> 4 == 4 && id[8] >> 6 == 2 { Ok(Self(id)) } else { Err(refuse()) }
    }

    /// A new random request id.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    pub fn random() -> Self {
        let mut id = random_bytes();
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        Self(id)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[allow(clippy::expect_used, reason = "without randomness there is no safe way on")]
fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    let digits = text.as_bytes();
    if digits.len() != 32 || !digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let value = |b: u8| if b.is_ascii_digit() { b - b'0' } else { b - b'a' + 10 };
    Some(std::array::from_fn(|i| value(digits[2 * i]) << 4 | value(digits[2 * i + 1])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn subject_ids_are_refused_by_reason() {
        let reason = |text: &str| SubjectId::parse(text).unwrap_err().reason;
        assert_eq!(reason(""), Reason::SubjectIdEmpty);
        assert_eq!(reason(&"a".repeat(129)), Reason::SubjectIdTooLong);
        assert_eq!(reason("a b"), Reason::SubjectIdMalformed);
        assert_eq!(reason("a/b"), Reason::SubjectIdMalformed);
        assert_eq!(reason("ünique"), Reason::SubjectIdMalformed);
        assert_eq!(reason("ann@example.org"), Reason::SubjectIdPersonalData);
        assert!(SubjectId::parse(&"a".repeat(128)).is_ok());
    }

    #[test]
    fn a_subject_id_never_shows_in_debug() {
        let id = SubjectId::parse("applicant-77").unwrap();
        assert!(!format!("{id:?}").contains("77"));
    }

    #[test]
    fn only_version_4_uuids_are_request_ids() {
        assert!(RequestId::parse("6f1c3f0e-6f7a-4b1e-9a51-1d2e3f405162").is_ok());
        assert!(RequestId::parse("6F1C3F0E-6F7A-4B1E-9A51-1D2E3F405162").is_ok());
        for bad in [
            "",
            "6f1c3f0e6f7a4b1e9a511d2e3f405162",
            "6f1c3f0e-6f7a-1b1e-9a51-1d2e3f405162",
            "6f1c3f0e-6f7a-4b1e-ca51-1d2e3f405162",
        ] {
            assert_eq!(RequestId::parse(bad).unwrap_err().reason, Reason::RequestIdMalformed, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn ids_round_trip(bytes: [u8; 16]) {
            let id = TemplateId::from_bytes(bytes);
            prop_assert_eq!(TemplateId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn request_ids_round_trip(_seed: u8) {
            let id = RequestId::random();
            prop_assert_eq!(RequestId::parse(&id.to_string()).unwrap(), id);
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,200}") {
            let _ = SubjectId::parse(&text);
            let _ = TenantId::parse(&text);
            let _ = RequestId::parse(&text);
            let _ = TemplateId::parse(&text);
        }
    }
}
