//! Public keys of capture and document services.

use lethe_domain::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::json::{decode, encode};
use crate::Corrupt;

const WHAT: &str = "signing key record";

/// A public key of a capture or document service, Ed25519.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKeyRecord {
    /// The name that attestations know it by.
    pub kid: String,
    /// Its point, 32 bytes, hexadecimal.
    #[serde(with = "hex")]
    pub point: [u8; 32],
    /// Milliseconds since the Unix epoch.
    created_at: i64,
    /// Milliseconds since the Unix epoch; absent of one that is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
}

impl SigningKeyRecord {
    /// What is recorded of a key.
    pub fn new(kid: &str, point: [u8; 32], created_at: Timestamp, revoked_at: Option<Timestamp>) -> Self {
        let (created_at, revoked_at) = (created_at.millis(), revoked_at.map(Timestamp::millis));
        Self { kid: kid.to_owned(), point, created_at, revoked_at }
    }

    /// When it was registered.
    pub const fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.created_at)
    }

    /// When it was revoked, if it was.
    pub fn revoked_at(&self) -> Option<Timestamp> {
        self.revoked_at.map(Timestamp::from_millis)
    }

    /// The plaintext of a row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(&self) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        encode(WHAT, self)
    }

    /// Reads a plaintext back.
    ///
    /// # Errors
    /// `Corrupt` for what is no key.
    pub fn read(bytes: &[u8]) -> Result<Self, Corrupt> {
        decode(WHAT, bytes)
    }
}
