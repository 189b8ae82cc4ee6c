//! Secrets as types. Each lives in one heap allocation, is filled in place, is wiped when dropped,
//! and has neither `Clone`, nor `Serialize`, nor a `Debug` that tells anything.
//!
//! The allocation matters: moving a plain array copies it and leaves the old bytes on the stack.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

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
    /// (a systemd credential, a sealed secret).
    RootCredential[32]
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
}
