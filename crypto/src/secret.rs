//! Secrets as types. Each lives in one heap allocation, is filled in place, is wiped when dropped,
//! and has neither `Clone`, nor `Serialize`, nor a `Debug` that tells anything.
//!
//! The allocation matters: moving a plain array copies it and leaves the old bytes on the stack.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::Result;
use crate::kdf::{self, Label};
use crate::random::Random;

/// Declares a secret of a fixed length in bytes.
macro_rules! secret {
    ($(#[$doc:meta])* $name:ident[$length:expr]) => {
        $(#[$doc])*
        pub struct $name(Box<[u8; $length]>);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// Lets `fill` write the secret where it will live. An error wipes what was written.
            #[allow(dead_code, reason = "not every secret is made in every way")]
            pub(crate) fn fill_with<E>(
                fill: impl FnOnce(&mut [u8; $length]) -> std::result::Result<(), E>,
            ) -> std::result::Result<Self, E> {
                let mut secret = Self(Box::new([0; $length]));
                fill(&mut secret.0)?;
                Ok(secret)
            }

            /// Draws the secret at random.
            #[allow(dead_code, reason = "not every secret is made in every way")]
            pub(crate) fn random(random: &impl Random) -> Result<Self> {
                Self::fill_with(|bytes| random.fill(bytes))
            }

            /// The bytes, for the few lines of this crate that hand them to a cipher or a hash.
            #[allow(dead_code, reason = "not every secret is read in every way")]
            pub(crate) fn expose(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }

        impl ZeroizeOnDrop for $name {}

        impl ConstantTimeEq for $name {
            fn ct_eq(&self, other: &Self) -> subtle::Choice {
                self.0.as_slice().ct_eq(other.0.as_slice())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

secret! {
    /// Root of the vault tree: the key of its head page. The only thing a root ever wraps, drawn anew
    /// in every epoch.
    VaultKey[32]
}

secret! {
    /// Key of one page of a key tree: what its entries are derived from while it is unwritten, and
    /// what it is sealed under once it is.
    PageKey[32]
}

secret! {
    /// Key of one slot: S of a subject, T of a thing, or a tenant's own. Records are sealed under it
    /// and die with it.
    SlotKey[32]
}

secret! {
    /// Encryption key and key commitment of one sealed message, 32 bytes each.
    RecordKey[64]
}

secret! {
    /// `K_audit(S)`: links and unseals a subject's log entries, for whoever has S (rule 7).
    AuditKey[32]
}

secret! {
    /// Seed of a tenant's keyed transform.
    TransformSeed[32]
}

secret! {
    /// What a store that must hold its roots in its own file keeps: 32 random bytes.
    RootKey[32]
}

secret! {
    /// 32 random bytes that a file root store is additionally sealed under, from outside its file
    /// (a systemd credential, a sealed secret); or what is derived of a [`RootPassphrase`].
    RootCredential[32]
}

/// Words that a file root store is additionally sealed under, from outside its file.
pub struct RootPassphrase(Zeroizing<Box<[u8]>>);

impl RootPassphrase {
    /// The shortest that a new store is made with, in characters. What people make up is guessed sooner than that many
    /// say, and Argon2 makes a guess dear, not impossible.
    pub const SHORTEST: usize = 16;

    /// The longest, in bytes.
    pub const LONGEST: usize = 1024;

    /// Takes a passphrase byte by byte, as it stands in a line of text; the line's end does not count.
    ///
    /// # Errors
    /// Why these bytes are none.
    pub fn from_line(line: &[u8]) -> std::result::Result<Self, &'static str> {
        let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
        if line.is_empty() {
            return Err("is empty");
        }
        if line.len() > Self::LONGEST {
            return Err("is longer than 1024 bytes");
        }
        match std::str::from_utf8(line) {
            Ok(text) if !text.chars().any(char::is_control) => Ok(Self(Zeroizing::new(line.into()))),
            // Such as a credential of random bytes, which would work until somebody types it.
            Ok(_) | Err(_) => Err("is not one line of text"),
        }
    }

    /// Is it long enough for a new store?
    pub(crate) fn is_long_enough(&self) -> bool {
        std::str::from_utf8(&self.0).is_ok_and(|text| text.chars().count() >= Self::SHORTEST)
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RootPassphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootPassphrase(..)")
    }
}

impl PageKey {
    pub(crate) fn of_vault(key: &VaultKey) -> Self {
        copy(key.expose(), Self)
    }

    pub(crate) fn duplicate(&self) -> Self {
        copy(self.expose(), Self)
    }
}

impl VaultKey {
    pub(crate) fn of_page(key: &PageKey) -> Self {
        copy(key.expose(), Self)
    }
}

impl RootKey {
    pub(crate) fn duplicate(&self) -> Self {
        copy(self.expose(), Self)
    }
}

impl SlotKey {
    /// A slot key from bytes the caller draws or derives: for programs that read the format with
    /// keys they already hold. Keys of a vault come from [`crate::tree::View`].
    pub fn from_fn(fill: impl FnOnce(&mut [u8; 32])) -> Self {
        let mut key = Self(Box::new([0; 32]));
        fill(&mut key.0);
        key
    }
}

impl RootCredential {
    pub(crate) fn duplicate(&self) -> Self {
        copy(self.expose(), Self)
    }

    /// Reads a credential: exactly 32 bytes, random, not a passphrase.
    ///
    /// # Errors
    /// `Err(length)` if there are not exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> std::result::Result<Self, usize> {
        Self::fill_with(|secret| {
            if bytes.len() != secret.len() {
                return Err(bytes.len());
            }
            secret.copy_from_slice(bytes);
            Ok(())
        })
    }
}

impl AuditKey {
    /// `K_audit(S)`, from the slot key of a subject.
    #[must_use]
    pub fn derive(subject: &SlotKey) -> Self {
        let mut key = Self(Box::new([0; 32]));
        kdf::expand(subject.expose(), Label::AUDIT, &[], key.0.as_mut_slice());
        key
    }
}

impl TransformSeed {
    /// The seed of a tenant's transform, from the tenant's own slot (slot 0 of its tree). Raising
    /// `renewal` gives an unlinkable new transform (ISO/IEC 24745: renewability).
    #[must_use]
    pub fn derive(tenant: &SlotKey, renewal: u32) -> Self {
        let mut seed = Self(Box::new([0; 32]));
        kdf::expand(tenant.expose(), Label::TRANSFORM_SEED, &[&renewal.to_be_bytes()], seed.0.as_mut_slice());
        seed
    }
}

/// A key in another role, copied from heap to heap.
fn copy<T>(from: &[u8; 32], make: impl FnOnce(Box<[u8; 32]>) -> T) -> T {
    let mut bytes = Box::new([0; 32]);
    bytes.copy_from_slice(from);
    make(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::System;

    #[test]
    fn debug_tells_nothing() {
        let key = SlotKey::from_fn(|bytes| bytes.fill(0xab));
        assert_eq!(format!("{key:?}"), "SlotKey(..)");
    }

    #[test]
    fn equality_compares_all_bytes() {
        let a = SlotKey::from_fn(|bytes| bytes.fill(1));
        let b = SlotKey::from_fn(|bytes| {
            bytes.fill(1);
            bytes[31] = 2;
        });
        assert!(bool::from(a.ct_eq(&a)));
        assert!(!bool::from(a.ct_eq(&b)));
    }

    #[test]
    fn random_keys_differ() {
        let a = PageKey::random(&System).unwrap();
        let b = PageKey::random(&System).unwrap();
        assert!(!bool::from(a.ct_eq(&b)));
    }

    #[test]
    fn audit_keys_and_transform_seeds_are_separate() {
        let slot = SlotKey::from_fn(|bytes| bytes.fill(7));
        let audit = AuditKey::derive(&slot);
        let first = TransformSeed::derive(&slot, 0);
        let second = TransformSeed::derive(&slot, 1);
        assert_ne!(audit.expose(), slot.expose());
        assert_ne!(audit.expose(), first.expose());
        assert_ne!(first.expose(), second.expose());
    }

    #[test]
    fn credential_must_have_its_length() {
        assert!(RootCredential::from_slice(&[1; 32]).is_ok());
        assert!(matches!(RootCredential::from_slice(&[1; 31]), Err(31)));
    }

    #[test]
    fn a_passphrase_is_one_line_and_its_end_does_not_count() {
        let taken = |line: &[u8]| RootPassphrase::from_line(line).map(|taken| taken.expose().to_vec());
        for line in ["sechs Wörter", "sechs Wörter\n", "sechs Wörter\r\n"] {
            assert_eq!(taken(line.as_bytes()).unwrap(), "sechs Wörter".as_bytes());
        }
        assert_eq!(taken(b" spaces count ").unwrap(), b" spaces count ");
        assert_eq!(taken(&[b'x'; 1024]).unwrap().len(), 1024);
        for (line, why) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"\r\n", "empty"),
            (&[b'x'; 1025], "longer"),
            (b"two\nlines", "one line"),
            (b"ends twice\n\n", "one line"),
            (b"a\0b", "one line"),
            (&[0xff; 32], "one line"),
        ] {
            assert!(taken(line).unwrap_err().contains(why), "{line:?}");
        }
    }

    #[test]
    fn a_passphrase_is_measured_in_characters_and_shown_nowhere() {
        for (text, enough) in [("fünfzehn Zeich!", false), ("sechzehn Zeichen", true), ("ööööööööööööööö", false)]
        {
            let passphrase = RootPassphrase::from_line(text.as_bytes()).unwrap();
            assert_eq!(passphrase.is_long_enough(), enough, "{text}");
            assert_eq!(format!("{passphrase:?}"), "RootPassphrase(..)");
        }
    }
}
