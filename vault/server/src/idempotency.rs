//! A repeated request id gives the first answer (AIP-155). Remembered answers are sealed: those about a
//! subject under its key, so that they die with it; the others under the tenant's own.

use lethe_crypto::secret::SlotKey;
use lethe_crypto::tag::tag;
use lethe_domain::RequestId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::keyring::{Keyring, Opener};
use crate::records::{Remembered, decode, encode};
use crate::store::{Change, Key, Store, StoreError};

/// Digest of everything that makes two requests the same one. What it takes in is an applicant id, too, so its buffer is on
/// the heap, which is wiped: moved from hand to hand it would leave copies on the stack.
pub(crate) struct Fingerprint(Box<Sha256>);

impl Fingerprint {
    /// Starts with the operation's name.
    pub(crate) fn of(operation: &str) -> Self {
        Self(Box::new(Sha256::new())).with(operation.as_bytes())
    }

    /// Takes in a field; its length comes first, so that fields cannot flow into each other.
    pub(crate) fn with(mut self, field: &[u8]) -> Self {
        self.0.update((field.len() as u64).to_be_bytes());
        self.0.update(field);
        self
    }

    /// Takes in a vector as it was received.
    pub(crate) fn with_vector(mut self, vector: &[f32]) -> Self {
        self.0.update((vector.len() as u64).to_be_bytes());
        vector.iter().for_each(|component| self.0.update(component.to_le_bytes()));
        self
    }

    /// The digest itself.
    pub(crate) fn digest(mut self) -> [u8; 32] {
        self.0.finalize_reset().into()
    }

    pub(crate) fn finish(mut self) -> String {
        // Where it is, not by value.
        hex::encode(self.0.finalize_reset())
    }
}

/// The row that remembers a request, by a name that only the holder of the key can make.
pub(crate) fn request_tag(key: &SlotKey, request: RequestId) -> [u8; 16] {
    tag(key, "request", request.as_bytes())
}

/// The first answer to a request that was made before.
///
/// # Errors
/// `RequestIdReused` where the id was used for another request.
pub(crate) fn recall<A: DeserializeOwned>(
    store: &Store,
    keys: &Keyring,
    key: &Key,
    fingerprint: &str,
) -> Result<Option<A>> {
    let Some(sealed) = store.get(key)? else { return Ok(None) };
    let opened = keys.open(key, "", &sealed)?;
    let opened = opened.ok_or_else(|| StoreError::corrupt("remembered answer", "its key is gone"))?;
    let remembered: Remembered<A> = decode("remembered answer", &opened)?;
    if remembered.request_sha256 == fingerprint { Ok(Some(remembered.answer)) } else { Err(Error::RequestIdReused) }
}

/// Remembers an answer, in the same change as what it answers.
pub(crate) fn remember<A: Serialize>(
    keys: &mut Opener<'_>,
    change: &mut Change,
    key: Key,
    fingerprint: String,
    answer: A,
) -> Result<()> {
    let record = encode("remembered answer", &Remembered { request_sha256: fingerprint, answer })?;
    let sealed = keys.seal(&key, "", &record)?;
    change.put(key, sealed);
    Ok(())
}
