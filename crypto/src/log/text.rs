//! The small texts of which entries and receipts are made, each checked when it is read.

use std::fmt;
use std::str::FromStr;

use crate::error::Result;
use crate::random::{Random, System};
use crate::root::RootId;

/// Why a text is not what its field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct TextError(&'static str);

impl TextError {
    pub(crate) const fn new(expected: &'static str) -> Self {
        Self(expected)
    }
}

/// A stable code: an operation, a purpose, a reason, the id of a credential.
///
/// 1 to 128 of `A-Z a-z 0-9 . _ : / -`. Free text cannot enter a log that is kept for ever, and
/// neither can an e-mail address (O5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(String);

impl FromStr for Token {
    type Err = TextError;

    fn from_str(text: &str) -> std::result::Result<Self, TextError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
        if matches!(text.len(), 1..=128) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError("a code of 1 to 128 letters, digits and . _ : / -"))
        }
    }
}

/// The name of a log and of the key that signs its checkpoints; unique for ever, like
/// `vault.example/3f0c…/log`.
///
/// 1 to 255 of `A-Z a-z 0-9 . _ : / ~ -`: what C2SP `signed-note` allows in a key name, without the
/// letters that look alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl FromStr for Origin {
    type Err = TextError;

    fn from_str(text: &str) -> std::result::Result<Self, TextError> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._:/~-".contains(&b);
        if matches!(text.len(), 1..=255) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError("an origin of 1 to 255 letters, digits and . _ : / ~ -"))
        }
    }
}

macro_rules! string_type {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

string_type!(Token);
string_type!(Origin);

/// A public value of fixed length, written as lower-case hex.
macro_rules! hex_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The value with these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> std::result::Result<Self, TextError> {
                let refused = TextError(concat!(stringify!($len), " bytes in lower-case hex"));
                let mut bytes = [0; $len];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| refused)?;
                // The decoder takes capitals too; a value has one spelling.
                if hex::encode(bytes) == text { Ok(Self(bytes)) } else { Err(refused) }
            }
        }
    };
}

hex_type!(
    /// A SHA-256 hash of the Merkle tree.
    Hash,
    32
);

hex_type!(
    /// The id of an erasure receipt: random, so that only who requested the erasure can tell whose it is.
    ReceiptId,
    16
);

hex_type!(
    /// The random id of an epoch's root, by which the root store and the log name it.
    EpochRoot,
    16
);

hex_type!(
    /// The subject of an entry, to who holds the subject's audit key; noise to everybody else.
    ///
    /// `HMAC-SHA256(K_audit(S), leaf index as u64 BE)`.
    Pseudonym,
    32
);

hex_type!(
    /// Random bytes in every leaf, so that a guessed entry cannot be tested against a proof.
    Blind,
    16
);

impl From<RootId> for EpochRoot {
    fn from(root: RootId) -> Self {
        Self(*root.as_bytes())
    }
}

impl ReceiptId {
    /// A fresh id.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn generate() -> Result<Self> {
        System.public().map(Self)
    }
}

impl Blind {
    pub(crate) fn generate(random: &impl Random) -> Result<Self> {
        random.public().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_hold_codes_and_nothing_else() {
        for good in ["enrollment.enroll", "CONSENT_WITHDRAWN", "a", "key/3:b-2", &"x".repeat(128)] {
            assert_eq!(good.parse::<Token>().unwrap().to_string(), good);
        }
        for bad in ["", "jane@example.com", "two words", "q\"", "b\\", "é", "a\n", "a+b", &"x".repeat(129)] {
            assert!(bad.parse::<Token>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn origins_are_key_names() {
        assert_eq!("vault.example/log~2".parse::<Origin>().unwrap().as_str(), "vault.example/log~2");
        for bad in ["", "a b", "a+b", "a\u{a0}b", "é", "a\n", &"x".repeat(256)] {
            assert!(bad.parse::<Origin>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_have_one_spelling() {
        let id = ReceiptId::from_bytes([0xab; 16]);
        let text = "ab".repeat(16);
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse::<ReceiptId>(), Ok(id));
        for bad in ["AB".repeat(16), "ab".repeat(15), "ab".repeat(17), "zz".repeat(16), String::new()] {
            assert!(bad.parse::<ReceiptId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn fresh_ids_differ() {
        assert_ne!(ReceiptId::generate().unwrap(), ReceiptId::generate().unwrap());
    }
}
