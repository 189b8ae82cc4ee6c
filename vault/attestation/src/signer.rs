//! The private key of a service that signs: for services written in Rust, for trying things out, and for tests.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::claims::{Claims, Written};
use crate::key::{KeyFault, KeyId, VerifyingKey, bytes, object};
use crate::verify::{Refused, verify};
use crate::{TYPE, jose};

/// A private key. Overwritten when dropped; `Debug` shows its name alone.
pub struct Signer {
    public: VerifyingKey,
    seed: Zeroizing<[u8; 32]>,
    key: EncodingKey,
}

impl Signer {
    /// A fresh key.
    ///
    /// # Errors
    /// If the name is none.
    ///
    /// # Panics
    /// If the system has no randomness.
    #[allow(clippy::expect_used, reason = "without randomness nothing here is safe")]
    pub fn generate(id: &str) -> Result<Self, KeyFault> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(seed.as_mut_slice()).expect("the system gives random bytes");
        Self::of(KeyId::parse(id)?, seed)
    }

    /// Reads a private JSON Web Key (RFC 8037, section 2).
    ///
    /// # Errors
    /// If it is none, or its halves do not belong together.
    pub fn from_jwk(text: &str) -> Result<Self, KeyFault> {
        let mut members = object(text)?;
        let seed = bytes(&members, "d");
        // The parsed copy goes, too.
        if let Some(Value::String(secret)) = members.remove("d") {
            drop(Zeroizing::new(secret));
        }
        let public = VerifyingKey::of_members(&members)?;
        let signer = Self::of(public.id().clone(), seed.ok_or(KeyFault::Seed)?)?;
        if signer.public == public { Ok(signer) } else { Err(KeyFault::Seed) }
    }

    fn of(id: KeyId, seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyFault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| KeyFault::Seed)?;
        let point = pair.public_key().as_ref().try_into().map_err(|_| KeyFault::Point)?;
        Ok(Self { public: VerifyingKey::new(id, point)?, key: EncodingKey::from_ed_der(seed.as_slice()), seed })
    }

    /// The public half, which verifies.
    pub const fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// As a private JSON Web Key, to be kept where only the service reads it.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.seed.as_slice()));
        let public = self.public.to_jwk();
        // Put together here, so that no JSON value keeps a copy.
        Zeroizing::new(format!("{},\"d\":\"{}\"}}", public.trim_end_matches('}'), secret.as_str()))
    }

    /// Signs.
    ///
    /// # Errors
    /// If they are claims that nobody would believe.
    pub fn sign(&self, claims: &Claims) -> Result<String, Refused> {
        jose::install();
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(self.public.id().to_string()),
            ..Header::new(Algorithm::EdDSA)
        };
        let signed = encode(&header, &Written::of(claims), &self.key).map_err(|_| Refused::Form)?;
        // What nobody would believe is not signed.
        verify(&signed, &self.public).map(|_| signed)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("id", self.public.id()).finish_non_exhaustive()
    }
}
