//! What the fuzz targets need of this crate and nobody else may have: what is on a medium, read and written again. With the
//! feature `fuzzing` alone, which needs nothing native.

use lethe_crypto::secret::RootKey;
use lethe_crypto::{Error, Result};

use crate::formats::claim::Entry;
use crate::formats::nv::{HEADER, Header, Held};
use crate::formats::refusals::Memory;
use crate::formats::register::{Document, Register};

/// A claim in a PKCS#11 token.
///
/// # Errors
/// If it is none.
pub fn token_claim(bytes: &[u8]) -> Result<Vec<u8>> {
    Ok(Entry::decode(bytes)?.encode())
}

/// The claim in a TPM.
///
/// # Errors
/// If it is none.
pub fn nv_claim(bytes: &[u8]) -> Result<Vec<u8>> {
    Ok(Held::decode(bytes)?.encode())
}

/// A root in a TPM, without its key.
///
/// # Errors
/// If it is none.
pub fn nv_header(bytes: &[u8]) -> Result<Vec<u8>> {
    let header = Header::decode(bytes)?;
    let root = header.encode(&RootKey::from_medium(&[9; RootKey::LENGTH])?);
    Ok(root[..usize::from(HEADER)].to_vec())
}

/// The register of a transit store.
///
/// # Errors
/// If it is none.
pub fn register(text: &[u8]) -> Result<Vec<u8>> {
    let wrong = |fault: serde_json::Error| Error::Corrupt { what: "register of roots", why: fault.to_string() };
    let document: Document = serde_json::from_slice(text).map_err(wrong)?;
    serde_json::to_vec(&Register::decode(&document)?.encode()).map_err(wrong)
}

/// What is remembered of refused PINs; `None` if it cannot be read.
#[must_use]
pub fn refusals(text: &str) -> Option<String> {
    Some(Memory::decode(text)?.encode())
}
