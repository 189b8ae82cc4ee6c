//! AES-256-GCM (NIST SP 800-38D) with a key commitment, the only cipher there is.
//!
//! GCM alone does not commit to its key: one ciphertext can be made to open under two. Each key here
//! is derived together with a 32-byte commitment that is stored in front of the ciphertext and
//! compared, in constant time, before anything is decrypted. Both halves come out of one HKDF call, so
//! the commitment binds the keys, the salt and the info that they were derived from.

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::kdf::{self, Label};
use crate::random::Random;
use crate::secret::RecordKey;
use crate::wiping;

/// Length of the key commitment, bytes.
pub const COMMITMENT: usize = 32;
/// Length of the nonce, bytes.
pub const NONCE: usize = 12;
/// Length of the tag, bytes.
pub const TAG: usize = 16;
/// Length of the salt of a salted message, bytes.
pub const SALT: usize = 32;
/// What sealing under a [`RecordKey`] adds to a plaintext, bytes.
pub const OVERHEAD: usize = COMMITMENT + NONCE + TAG;
/// What a salted message adds to its plaintext, bytes.
pub const SALTED_OVERHEAD: usize = 1 + SALT + OVERHEAD;

/// First byte of a salted message.
const VERSION: u8 = 1;

/// Opens what [`seal_with`] made.
///
/// # Errors
/// [`Error::Corrupt`] if `message` is too short or of another version; [`Error::NotAuthentic`] if keys,
/// label, info, associated data or any byte of the message are not the ones it was sealed with.
pub(crate) fn open(
    keys: &[&[u8; 32]],
    label: Label,
    info: &[&[u8]],
    aad: &[u8],
    message: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let (salt, sealed) = parse(message)?;
    RecordKey::derive(keys, salt, label, info).open(aad, sealed)
}

/// Is this, by its length and version, a message [`seal_with`] could have made?
pub(crate) fn check(message: &[u8]) -> Result<()> {
    parse(message).map(|_| ())
}

/// Seals `plaintext` under keys of 32 bytes each, all of which are needed to open it again.
///
/// Message: version (1) ‖ salt 32 ‖ commitment 32 ‖ nonce 12 ‖ ciphertext ‖ tag 16. The salt is drawn at
/// every call, so no two messages share a cipher key, however many are sealed under `keys`.
///
/// # Errors
/// [`Error::Random`].
pub(crate) fn seal_with(
    random: &impl Random,
    keys: &[&[u8; 32]],
    label: Label,
    info: &[&[u8]],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>> {
    let salt: [u8; SALT] = random.public()?;
    let mut message = Vec::with_capacity(SALTED_OVERHEAD + plaintext.len());
    message.push(VERSION);
    message.extend_from_slice(&salt);
    RecordKey::derive(keys, &salt, label, info).seal_onto(&mut message, random, aad, plaintext)?;
    Ok(message)
}

fn parse(message: &[u8]) -> Result<(&[u8; SALT], &[u8])> {
    let corrupt = |why| Error::corrupt("sealed message", why);
    if message.len() < SALTED_OVERHEAD {
        return Err(corrupt("too short"));
    }
    let (&version, rest) = message.split_first().ok_or_else(|| corrupt("too short"))?;
    if version != VERSION {
        return Err(corrupt("of an unknown version"));
    }
    rest.split_first_chunk().ok_or_else(|| corrupt("too short"))
}

impl RecordKey {
    /// HKDF with a salt: for keys that seal many messages.
    pub(crate) fn derive(keys: &[&[u8; 32]], salt: &[u8; SALT], label: Label, info: &[&[u8]]) -> Self {
        let key: std::result::Result<Self, std::convert::Infallible> = Self::fill_with(|out| {
            kdf::derive(keys, salt, label, info, out);
            Ok(())
        });
        match key {
            Ok(key) => key,
        }
    }

    /// HKDF-Expand: for a random key that seals one message, ever.
    pub(crate) fn expand(key: &[u8; 32], label: Label, info: &[&[u8]]) -> Self {
        let key: std::result::Result<Self, std::convert::Infallible> = Self::fill_with(|out| {
            kdf::expand(key, label, info, out);
            Ok(())
        });
        match key {
            Ok(key) => key,
        }
    }

    /// Appends commitment 32 ‖ nonce 12 ‖ ciphertext ‖ tag 16 to `out`.
    pub(crate) fn seal_onto(
        &self,
        out: &mut Vec<u8>,
        random: &impl Random,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<()> {
        let nonce: [u8; NONCE] = random.public()?;
        // Reserved at once: the plaintext is encrypted where it is copied to, and must not be left
        // behind in a smaller allocation.
        out.reserve_exact(OVERHEAD + plaintext.len());
        out.extend_from_slice(self.commitment());
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let sealed = wiping::after_ciphers(|| {
            self.cipher().encrypt_inout_detached(&Nonce::from(nonce), aad, (&mut out[start..]).into())
        });
        out.extend_from_slice(&sealed.map_err(|_| Error::TooLong)?);
        Ok(())
    }

    /// Opens commitment ‖ nonce ‖ ciphertext ‖ tag.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let short = || Error::corrupt("sealed message", "too short");
        let (commitment, rest) = sealed.split_first_chunk::<COMMITMENT>().ok_or_else(short)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or_else(short)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or_else(short)?;

        // First, and in constant time: under another key nothing is decrypted at all.
        if !bool::from(commitment.as_slice().ct_eq(self.commitment())) {
            return Err(Error::NotAuthentic);
        }
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let opened = wiping::after_ciphers(|| {
            let (nonce, tag) = (Nonce::from(*nonce), Tag::from(*tag));
            self.cipher().decrypt_inout_detached(&nonce, aad, plaintext.as_mut_slice().into(), &tag)
        });
        opened.map_err(|_| Error::NotAuthentic)?;
        Ok(plaintext)
    }

    fn cipher(&self) -> Box<Aes256Gcm> {
        let (key, _) = self.halves();
        // Boxed, so that the round keys are made once and wiped where they are.
        Box::new(Aes256Gcm::new(key.into()))
    }

    fn commitment(&self) -> &[u8] {
        self.halves().1
    }

    fn halves(&self) -> (&[u8; 32], &[u8]) {
        let (key, commitment) = self.expose().split_at(32);
        #[allow(clippy::expect_used, reason = "64 bytes have a first half of 32")]
        (key.try_into().expect("32 bytes"), commitment)
    }
}

#[cfg(test)]
mod tests;
