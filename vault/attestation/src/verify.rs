//! Whether a key signed an attestation, and what it says.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use thiserror::Error;

use crate::claims::{Claims, Written};
use crate::key::{KeyId, VerifyingKey};
use crate::{TYPE, jose};

/// The longest attestation, in bytes. One with every claim has some 700.
pub const LONGEST: usize = 4096;

/// Why something is no attestation of a key. It never repeats what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is too long.
    #[error("is longer than 4096 bytes")]
    Length,
    /// It is no compact JSON Web Signature, or its claims are no JSON object with all that an attestation has.
    #[error("is no compact JSON Web Signature with an attestation's claims")]
    Form,
    /// It is signed for something else.
    #[error("is of another type: `typ` must be lethe-attestation+jwt")]
    Type,
    /// It is signed by an algorithm that is not used here.
    #[error("is not signed by EdDSA")]
    Algorithm,
    /// It does not say which key signed it.
    #[error("has no `kid` of a key")]
    KeyId,
    /// The key did not sign it.
    #[error("was not signed by the key that it names")]
    Signature,
    /// A claim is not what it must be.
    #[error("has a claim `{0}` that is none")]
    Claim(&'static str),
}

/// Which key an attestation says signed it, before anybody verified that.
///
/// # Errors
/// If it is too long, malformed, of another type or algorithm, or names no key.
pub fn key_id(text: &str) -> Result<KeyId, Refused> {
    if text.len() > LONGEST {
        return Err(Refused::Length);
    }
    let header = decode_header(text).map_err(|_| Refused::Form)?;
    if header.alg != Algorithm::EdDSA {
        return Err(Refused::Algorithm);
    }
    if header.typ.as_deref() != Some(TYPE) {
        return Err(Refused::Type);
    }
    header.kid.as_deref().and_then(|id| KeyId::parse(id).ok()).ok_or(Refused::KeyId)
}

/// What an attestation says, whoever signed it: for who hands it on, and has no key to verify it with. Nothing that is refused or
/// allowed may rest on it.
///
/// # Errors
/// As [`verify`], but for the signature.
pub fn read_unverified(text: &str) -> Result<Claims, Refused> {
    key_id(text)?;
    jose::install();
    let decoded = jsonwebtoken::dangerous::insecure_decode::<Written>(text).map_err(|_| Refused::Form)?;
    decoded.claims.read()
}

/// What an attestation says, if this key signed it. Whether it is fresh, and about what, is not looked at.
///
/// # Errors
/// If it is too long, malformed, not of this key, or has a claim that is none.
pub fn verify(text: &str, key: &VerifyingKey) -> Result<Claims, Refused> {
    if key_id(text)? != *key.id() {
        return Err(Refused::Signature);
    }
    jose::install();
    let mut wanted = Validation::new(Algorithm::EdDSA);
    // Audience and times are weighed by who knows which vault this is, and what time it is.
    wanted.validate_aud = false;
    wanted.validate_exp = false;
    let decoded = decode::<Written>(text, &key.decoding(), &wanted);
    #[allow(clippy::wildcard_enum_match_arm, reason = "the rest are faults of the form")]
    let decoded = decoded.map_err(|fault| match fault.kind() {
        ErrorKind::InvalidSignature => Refused::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Refused::Algorithm,
        _ => Refused::Form,
    })?;
    decoded.claims.read()
}
