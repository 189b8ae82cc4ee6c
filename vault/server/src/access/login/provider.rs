//! What a token is believed of: by whom it is signed, what it says, and what of that counts.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, decode};
use lethe_domain::{TenantId, Timestamp};
use lethe_policy::Owner;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::jwks::Key;

/// How far the clock of a provider may be ahead of the vault's, or behind it, in seconds.
pub(super) const LEEWAY: i64 = 30;
/// The end of the year 9999, in seconds since the Unix epoch.
const END_OF_TIME: f64 = 253_402_300_799.0;

/// Why a token is not believed. Only who runs the vault is told, and nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disbelief {
    /// It is longer than tokens may be.
    TooLong,
    /// It is no JWS in the compact form, or its header or its claims are not what they must be.
    Malformed,
    /// Its header has extensions; or that, or a claim (`events`), says that it is no token of a login.
    Type,
    /// It is good only for who holds a key beside it (`cnf`), which nobody here asks for.
    Bound,
    /// Somebody else than whom it is about sends it (`act`).
    Delegated,
    /// It is signed by an algorithm that is not used here.
    Algorithm,
    /// Its provider has no key of the name that it says, for this algorithm.
    Key,
    /// The signature is not its provider's.
    Signature,
    /// It is of no provider that is known.
    Issuer,
    /// It is for another, or for others as well.
    Audience,
    /// It is over.
    Expired,
    /// Its time is still to come.
    NotYet,
    /// It is good for longer than tokens may be.
    Lifetime,
}

/// Keys of a provider.
pub(super) type Keys = Arc<[Key]>;

/// An identity provider.
pub(super) struct Provider {
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) keys: Keys,
    pub(super) amr: Vec<String>,
    pub(super) acr: Vec<String>,
    pub(super) tenants: HashSet<TenantId>,
    pub(super) operators: bool,
    /// In seconds.
    pub(super) max_lifetime: i64,
}

/// What a token says (OpenID Connect Core 1.0, section 2; RFC 7519). A claim that is there twice is refused, like one of another
/// type.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Seconds,
    iat: Seconds,
    #[serde(default)]
    nbf: Option<Seconds>,
    #[serde(default)]
    amr: Option<Vec<String>>,
    #[serde(default)]
    acr: Option<String>,
    /// A key that its sender would have to prove (RFC 7800, RFC 8705, RFC 9449).
    #[serde(default, deserialize_with = "is_there")]
    cnf: bool,
    /// Who acts for whom it is about (RFC 8693).
    #[serde(default, deserialize_with = "is_there")]
    act: bool,
    /// What happened: it tells of a logout, or another event of security (RFC 8417).
    #[serde(default, deserialize_with = "is_there")]
    events: bool,
}

/// Of a claim that is there, whatever it says.
fn is_there<'de, D: Deserializer<'de>>(claim: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(claim).map(|_| true)
}

/// What a token says whose it is, before anybody verified that.
#[derive(Deserialize)]
struct Said {
    iss: String,
}

/// The issuer that a token says, by which its provider is found; [`Provider::verify`] holds the token to it.
pub(super) fn said_issuer(token: &str) -> Result<String, Disbelief> {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let said = claims.and_then(|claims| serde_json::from_slice::<Said>(&claims).ok());
    said.map(|said| said.iss).ok_or(Disbelief::Malformed)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }
}

/// Seconds since the Unix epoch, perhaps with a fraction.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Seconds(f64);

impl TryFrom<f64> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        if (0.0..=END_OF_TIME).contains(&seconds) { Ok(Self(seconds)) } else { Err("out of range") }
    }
}

impl Seconds {
    /// The moment, so many seconds later.
    #[allow(clippy::cast_possible_truncation, reason = "it is in range by construction")]
    fn and(self, seconds: i64) -> Timestamp {
        Timestamp::from_millis((self.0 * 1000.0) as i64 + seconds * 1000)
    }
}

/// A token that was verified: what it said, and with which key. The token itself is not kept.
#[derive(Clone)]
pub struct Proven {
    claims: Arc<Claims>,
    algorithm: Algorithm,
    key: [u8; 32],
}

impl fmt::Debug for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proven(…)")
    }
}

impl Proven {
    pub(super) fn issuer(&self) -> &str {
        &self.claims.iss
    }

    pub(super) fn subject(&self) -> &str {
        &self.claims.sub
    }
}

/// What of a token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// Until when it is good.
    pub until: Timestamp,
    /// Whether the person showed two factors.
    pub two_factors: bool,
}

impl Provider {
    /// Whether it may say who somebody of these is.
    pub(super) fn speaks_for(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Vault => self.operators,
            Owner::Tenant(tenant) => self.tenants.contains(tenant),
        }
    }

    /// The key of this name, if it is for this algorithm.
    pub(super) fn key(&self, id: &str, algorithm: Algorithm) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id && key.algorithms.contains(&algorithm))
    }

    /// Verifies a token by one of its keys. When it is good is not looked at: see [`Self::weigh`].
    pub(super) fn verify(&self, token: &str, header: &Header, key: &Key) -> Result<Proven, Disbelief> {
        let mut wanted = Validation::new(header.alg);
        wanted.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        wanted.set_issuer(&[&self.issuer]);
        wanted.set_audience(&self.audiences);
        // By the vault's clock, and again while a call lasts.
        wanted.validate_exp = false;
        let decoded = decode::<Claims>(token, &key.key, &wanted);
        #[allow(clippy::wildcard_enum_match_arm, reason = "the rest are faults of the form")]
        let decoded = decoded.map_err(|fault| match fault.kind() {
            ErrorKind::InvalidSignature => Disbelief::Signature,
            ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Disbelief::Algorithm,
            ErrorKind::InvalidIssuer => Disbelief::Issuer,
            ErrorKind::InvalidAudience => Disbelief::Audience,
            _ => Disbelief::Malformed,
        })?;
        let claims = decoded.claims;
        if claims.events {
            return Err(Disbelief::Type);
        }
        if claims.cnf {
            return Err(Disbelief::Bound);
        }
        if claims.act {
            return Err(Disbelief::Delegated);
        }
        Ok(Proven { claims: Arc::new(claims), algorithm: header.alg, key: key.digest })
    }

    /// What of a token counts now, as the provider is known now.
    pub(super) fn weigh(&self, proven: &Proven, now: Timestamp) -> Result<Weight, Disbelief> {
        let Proven { claims, algorithm, key } = proven;
        if claims.iss != self.issuer {
            return Err(Disbelief::Issuer);
        }
        if !self.keys.iter().any(|known| known.digest == *key && known.algorithms.contains(algorithm)) {
            return Err(Disbelief::Key);
        }
        // One that is for somebody else as well could be sent here by them.
        let audience = claims.aud.all();
        if audience.is_empty() || !audience.iter().all(|one| self.audiences.contains(one)) {
            return Err(Disbelief::Audience);
        }
        let until = claims.exp.and(LEEWAY);
        if until <= now {
            return Err(Disbelief::Expired);
        }
        let begins = [Some(claims.iat), claims.nbf].into_iter().flatten();
        if begins.into_iter().any(|begin| begin.and(-LEEWAY) > now) {
            return Err(Disbelief::NotYet);
        }
        if claims.exp.0 <= claims.iat.0 {
            return Err(Disbelief::Malformed);
        }
        if claims.exp.and(0) > claims.iat.and(self.max_lifetime) {
            return Err(Disbelief::Lifetime);
        }
        let by_methods = claims.amr.iter().flatten().any(|method| self.amr.contains(method));
        let by_class = claims.acr.as_ref().is_some_and(|class| self.acr.contains(class));
        Ok(Weight { until, two_factors: by_methods || by_class })
    }
}
