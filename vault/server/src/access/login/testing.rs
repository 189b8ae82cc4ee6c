//! An identity provider for tests: it signs whatever it is told to.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

/// The issuer that the provider of a test is.
pub(crate) const ISSUER: &str = "https://login.example.org";
/// Whom its tokens are about.
pub(crate) const SUBJECT: &str = "00u1a2b3";

/// A key of the provider.
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    /// The key of a seed.
    pub(crate) fn seeded(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    /// The public half, in base64url.
    pub(crate) fn point(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.public_key())
    }

    /// The public half, as the provider publishes it under a name.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "use": "sig", "alg": "EdDSA", "x": self.point() })
    }

    /// A token of these very texts.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let message = message(header, claims);
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A token of the key `k1`.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(r#"{"alg":"EdDSA","kid":"k1","typ":"JWT"}"#, &claims.to_string())
    }
}

/// What a signature of a token is of.
pub(crate) fn message(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// What a good token says, from `now` on, in seconds since the Unix epoch.
pub(crate) fn claims(now: i64) -> Value {
    json!({ "iss": ISSUER, "sub": SUBJECT, "aud": "lethe", "iat": now, "exp": now + 600, "amr": ["pwd", "otp"] })
}

/// The same, with one claim as it is here; null takes it out.
pub(crate) fn with(now: i64, claim: &str, value: Value) -> Value {
    let mut claims = claims(now);
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(claim);
    } else {
        claims[claim] = value;
    }
    claims
}

/// Writes the provider's keys.
pub(crate) fn publish(folder: &Path, keys: &[Value]) {
    std::fs::write(folder.join("jwks.json"), json!({ "keys": keys }).to_string()).unwrap();
}

/// Writes a file of the one provider, which may speak for these; more lines of it are at the end.
pub(crate) fn describe(folder: &Path, tenants: &str, more: &str) -> PathBuf {
    let path = folder.join("providers.toml");
    let text = format!(
        "[[provider]]\nissuer = \"{ISSUER}\"\naudiences = [\"lethe\"]\njwks_file = \"jwks.json\"\ntenants = {tenants}\n\
         second_factor_amr = [\"otp\", \"hwk\"]\nsecond_factor_acr = [\"urn:two\"]\n{more}"
    );
    std::fs::write(&path, text).unwrap();
    path
}
