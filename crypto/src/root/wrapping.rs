//! How a vault key gets in and out of a root store: the wrapping for stores whose medium cannot encrypt
//! itself, and the bytes for those whose medium can.

use zeroize::Zeroize as _;

use super::RootId;
use crate::error::{Error, Result};
use crate::kdf::Label;
use crate::random::System;
use crate::secret::{RecordKey, RootCredential, RootKey, VaultKey};

/// First byte of a wrapped key.
const VERSION: u8 = 1;

impl RootKey {
    /// Draws a root from the operating system's generator.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate() -> Result<Self> {
        Self::random(&System)
    }

    /// A root as its medium gave it back. The caller wipes what it read it into.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if these are not 32 bytes.
    pub fn from_medium(bytes: &[u8]) -> Result<Self> {
        Self::fill_with(|key| fill(key, bytes, "root key"))
    }

    /// The root, to be written to a medium that keeps it and can erase it; it goes nowhere else.
    #[must_use]
    pub fn to_medium(&self) -> &[u8; 32] {
        self.expose()
    }

    /// Wraps a vault key in this process. `store` and `root` name the root, as [`RootKey::unwrap_key`] must.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn wrap_key(&self, store: &[u8; 16], root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        Wrapping { root: self, credential: None, store, id: root }.wrap(key, context)
    }

    /// Opens what [`RootKey::wrap_key`] gave.
    ///
    /// # Errors
    /// [`Error::NotAuthentic`], [`Error::Corrupt`].
    pub fn unwrap_key(&self, store: &[u8; 16], root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        Wrapping { root: self, credential: None, store, id: root }.unwrap(wrapped, context)
    }
}

impl VaultKey {
    /// The key, for a root store whose medium encrypts it; it goes nowhere else.
    #[must_use]
    pub fn to_root_store(&self) -> &[u8; 32] {
        self.expose()
    }

    /// A key that a root store's medium decrypted. The caller wipes what it read it into.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if these are not 32 bytes.
    pub fn from_root_store(bytes: &[u8]) -> Result<Self> {
        Self::fill_with(|key| fill(key, bytes, "wrapped vault key"))
    }
}

fn fill(key: &mut [u8; 32], bytes: &[u8], what: &'static str) -> Result<()> {
    if bytes.len() != key.len() {
        key.zeroize();
        return Err(Error::corrupt(what, "not 32 bytes"));
    }
    key.copy_from_slice(bytes);
    Ok(())
}

/// What seals the one blob of a root: derived from the root, and the credential if there is one.
pub(super) struct Wrapping<'a> {
    pub(super) root: &'a RootKey,
    pub(super) credential: Option<&'a RootCredential>,
    /// Names the store that the root is in.
    pub(super) store: &'a [u8; 16],
    pub(super) id: RootId,
}

impl Wrapping<'_> {
    /// version (1) ‖ commitment 32 ‖ nonce 12 ‖ ciphertext 32 ‖ tag 16.
    pub(super) fn wrap(&self, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        let mut wrapped = vec![VERSION];
        self.key(context).seal_onto(&mut wrapped, &System, context, key.expose())?;
        Ok(wrapped)
    }

    pub(super) fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        let corrupt = |why| Error::corrupt("wrapped vault key", why);
        let (&VERSION, sealed) = wrapped.split_first().ok_or_else(|| corrupt("empty"))? else {
            return Err(corrupt("unknown version"));
        };
        VaultKey::from_root_store(&self.key(context).open(context, sealed)?)
    }

    pub(super) fn key(&self, context: &[u8]) -> RecordKey {
        let mut salt = [0; 32];
        salt[..16].copy_from_slice(self.store);
        salt[16..].copy_from_slice(self.id.as_bytes());
        match self.credential {
            None => RecordKey::derive(&[self.root.expose()], &salt, Label::WRAP, &[context]),
            Some(credential) => {
                RecordKey::derive(&[self.root.expose(), credential.expose()], &salt, Label::WRAP, &[context])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_under_its_root_store_name_and_context_only() {
        let (root, other) = (RootKey::generate().unwrap(), RootKey::generate().unwrap());
        let key = VaultKey::from_root_store(&[7; 32]).unwrap();
        let (store, id) = ([1; 16], RootId::from_bytes([2; 16]));
        let wrapped = root.wrap_key(&store, id, &key, b"context").unwrap();
        assert_eq!(root.unwrap_key(&store, id, &wrapped, b"context").unwrap().to_root_store(), &[7; 32]);

        assert!(matches!(other.unwrap_key(&store, id, &wrapped, b"context"), Err(Error::NotAuthentic)));
        assert!(matches!(root.unwrap_key(&[9; 16], id, &wrapped, b"context"), Err(Error::NotAuthentic)));
        assert!(matches!(root.unwrap_key(&store, id, &wrapped, b"another"), Err(Error::NotAuthentic)));
        let elsewhere = RootId::from_bytes([3; 16]);
        assert!(matches!(root.unwrap_key(&store, elsewhere, &wrapped, b"context"), Err(Error::NotAuthentic)));
    }

    #[test]
    fn what_is_read_must_have_its_length() {
        for length in [0, 31, 33] {
            assert!(matches!(RootKey::from_medium(&vec![0; length]), Err(Error::Corrupt { .. })));
            assert!(matches!(VaultKey::from_root_store(&vec![0; length]), Err(Error::Corrupt { .. })));
        }
        assert_eq!(RootKey::from_medium(&[4; 32]).unwrap().to_medium(), &[4; 32]);
    }
}
