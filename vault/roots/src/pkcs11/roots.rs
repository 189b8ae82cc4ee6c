//! Roots: made, used once, and destroyed, in the token.

use cryptoki::error::{Error as P11Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::types::Ulong;
use lethe_crypto::root::{Claim, RootId};
use lethe_crypto::secret::VaultKey;
use lethe_crypto::{Error as CryptoError, Result};
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::objects::{Session, corrupt, failed};
use crate::Error;

/// First byte of a wrapped key.
const VERSION: u8 = 1;
/// Bytes of a nonce.
const NONCE: usize = 12;
/// Bits of a tag.
const TAG_BITS: u64 = 128;
/// Zeros in front of the vault key: what commits the blob to its root.
const COMMITMENT: usize = 32;
/// Bytes of a wrapped key: version ‖ nonce ‖ zeros and vault key, encrypted ‖ tag.
const WRAPPED: usize = 1 + NONCE + COMMITMENT + VaultKey::LENGTH + 16;

impl Session {
    pub(super) fn create(&self, claim: &Claim) -> Result<RootId> {
        self.expect(claim)?;
        let root = RootId::random()?;
        let key = self.generate(root)?;
        step!("root-pkcs11-generated");
        // Another may have claimed meanwhile: a root that it does not know of is not left to it.
        let kept = self.check_kept_in(key).and_then(|()| self.expect(claim));
        if let Err(error) = kept {
            self.remove(key)?;
            return Err(error);
        }
        Ok(root)
    }

    pub(super) fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        self.expect(claim)?;
        let handle = self.key(root)?;
        let mark = mark(root);
        if !self.data(&mark)?.is_empty() || !self.may_encrypt(handle)? {
            return Err(CryptoError::AlreadyWrapped(root));
        }
        // Durable before the blob exists outside: a crash loses the root, never wraps twice with it.
        self.put(&mark, &[VERSION])?;
        if self.data(&mark)?.len() != 1 {
            return Err(CryptoError::AlreadyWrapped(root));
        }
        step!("root-pkcs11-marked");
        let wrapped = self.encrypt(handle, key, context)?;
        step!("root-pkcs11-wrapped");
        // The mark forbids it already; where the token allows, so does the key itself.
        if let Err(error) = self.session.update_attributes(handle, &[Attribute::Encrypt(false)]) {
            tracing::debug!(%error, "the token does not take the right to encrypt from a key");
        }
        Ok(wrapped)
    }

    fn encrypt(&self, root: ObjectHandle, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        let failed = failed("wrapping");
        let mut nonce = [0; NONCE];
        SystemRandom::new().fill(&mut nonce).map_err(|_| CryptoError::Random)?;
        let mut plaintext = Zeroizing::new([0; COMMITMENT + VaultKey::LENGTH]);
        plaintext[COMMITMENT..].copy_from_slice(key.to_root_store());

        let mut used = nonce;
        let parameters = GcmParams::new(&mut used, context, Ulong::from(TAG_BITS)).map_err(&failed)?;
        let sealed = self.session.encrypt(&Mechanism::AesGcm(parameters), root, plaintext.as_slice());
        let sealed = sealed.map_err(&failed)?;
        let mut wrapped = vec![VERSION];
        // Some tokens draw the nonce themselves, and write it where ours was.
        wrapped.extend_from_slice(&used);
        wrapped.extend_from_slice(&sealed);
        if wrapped.len() != WRAPPED {
            return Err(Error::UnsuitableToken("give AES-GCM ciphertexts with their tag at the end").during("wrapping"));
        }
        Ok(wrapped)
    }

    pub(super) fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        let handle = self.key(root)?;
        if wrapped.len() != WRAPPED || wrapped[0] != VERSION {
            return Err(corrupt("wrapped vault key", "not of a PKCS#11 root, or of an unknown version"));
        }
        let (nonce, sealed) = wrapped[1..].split_at(NONCE);
        let mut nonce = nonce.to_vec();
        let parameters = GcmParams::new(&mut nonce, context, Ulong::from(TAG_BITS)).map_err(failed("unwrapping"))?;
        let plaintext = match self.session.decrypt(&Mechanism::AesGcm(parameters), handle, sealed) {
            Ok(plaintext) => Zeroizing::new(plaintext),
            Err(error) => return Err(self.why_not_decrypted(root, error)),
        };
        let Some((commitment, key)) = plaintext.split_at_checked(COMMITMENT) else {
            return Err(CryptoError::NotAuthentic);
        };
        if !bool::from(commitment.ct_eq(&[0; COMMITMENT])) {
            return Err(CryptoError::NotAuthentic);
        }
        VaultKey::from_root_store(key)
    }

    /// Tokens say in many ways that a tag is wrong, and in the most general ones, too. So those are taken at
    /// their word only if the session is well and the root still there.
    fn why_not_decrypted(&self, root: RootId, error: P11Error) -> CryptoError {
        let forged = matches!(
            error,
            P11Error::Pkcs11(
                RvError::EncryptedDataInvalid
                    | RvError::EncryptedDataLenRange
                    | RvError::DataInvalid
                    | RvError::SignatureInvalid
                    | RvError::GeneralError
                    | RvError::FunctionFailed,
                _
            )
        );
        if forged && self.session.get_session_info().is_ok() && self.key(root).is_ok() {
            CryptoError::NotAuthentic
        } else {
            failed("unwrapping")(error)
        }
    }

    /// Destroys a root; `was_absent` stays as it is if none was there.
    pub(super) fn destroy(&self, claim: &Claim, root: RootId, was_absent: &mut bool) -> Result<()> {
        self.expect(claim)?;
        for (_, key) in self.keys(Some(root))? {
            *was_absent = false;
            step!("root-pkcs11-before-removal");
            self.remove(key)?;
            step!("root-pkcs11-removed");
        }
        if !self.keys(Some(root))?.is_empty() {
            return Err(CryptoError::RootsRemain(1));
        }
        // Who cannot see the claim any more has not seen that the root is gone, either.
        self.expect(claim)?;
        // Only now: a root without its mark could wrap again.
        for mark in self.data(&mark(root))? {
            self.remove(mark)?;
        }
        Ok(())
    }

    pub(super) fn epochs(&self) -> Result<Vec<RootId>> {
        let mut roots: Vec<_> = self.keys(None)?.into_iter().map(|(root, _)| root).collect();
        roots.sort_unstable();
        roots.dedup();
        Ok(roots)
    }

    fn key(&self, root: RootId) -> Result<ObjectHandle> {
        match self.keys(Some(root))?.as_slice() {
            [] => Err(CryptoError::NoSuchRoot(root)),
            [(_, key)] => Ok(*key),
            _ => Err(Error::Tampered { root, what: "there more than once" }.during("finding a root")),
        }
    }
}

/// Label of the mark that a root has wrapped.
fn mark(root: RootId) -> String {
    format!("wrapped {root}")
}
