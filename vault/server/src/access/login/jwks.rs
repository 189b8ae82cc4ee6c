//! The keys that an identity provider signs tokens with, from the JWK set that it publishes (RFC 7517).

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use lethe_attestation::jose::{ALGORITHMS, SECRET};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Most keys of a set.
const MOST: usize = 64;
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key that tokens are verified with.
pub(super) struct Key {
    /// Its name in the set, which tokens say.
    pub(super) id: String,
    /// What it may verify: one algorithm, or, of an RSA key that says none, two.
    pub(super) algorithms: Vec<Algorithm>,
    /// The key.
    pub(super) key: DecodingKey,
    /// SHA-256 of the key itself: another key under the same name is another.
    pub(super) digest: [u8; 32],
}

/// Reads a JWK set. Keys for something else, or of an algorithm that is not used here, are passed over.
///
/// # Errors
/// Says what is wrong: it is no JWK set, holds a secret or private key, has a key of use here that is malformed or has no
/// `kid` of its own, or has keys and none of use here.
pub(super) fn read(text: &str) -> Result<Vec<Key>, String> {
    let set: Value = serde_json::from_str(text).map_err(|fault| format!("is no JSON: line {}", fault.line()))?;
    let listed = set.get("keys").and_then(Value::as_array).ok_or("is no JWK set: it has no array `keys`")?;
    if listed.len() > MOST {
        return Err(format!("has {} keys; at most {MOST} are allowed", listed.len()));
    }
    let mut keys: Vec<Key> = Vec::new();
    for (number, jwk) in (1..).zip(listed) {
        let members = jwk.as_object().ok_or_else(|| format!("key {number} is no object"))?;
        if let Some(key) = key(members).map_err(|why| format!("key {number} {why}"))? {
            if keys.iter().any(|other| other.id == key.id) {
                return Err(format!("key {number} has the `kid` of another"));
            }
            keys.push(key);
        }
    }
    if keys.is_empty() && !listed.is_empty() {
        return Err("has no key of use: they are for signatures by EdDSA (Ed25519), ES256, RS256 or PS256".to_owned());
    }
    Ok(keys)
}

/// A key of a set; `None` of one for something else.
fn key(members: &Map<String, Value>) -> Result<Option<Key>, String> {
    // What can make tokens has no place where they are believed, and the file may be open to others.
    if let Some(member) = SECRET.into_iter().find(|member| members.contains_key(*member)) {
        return Err(format!("has the member `{member}`: it is secret, and its owner alone may have it"));
    }
    let text = |member: &str| match members.get(member) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("has a member `{member}` that is no string")),
    };
    let is_for_signatures = text("use")?.is_none_or(|purpose| purpose == "sig")
        && members.get("key_ops").is_none_or(|uses| {
            uses.as_array().is_some_and(|uses| uses.iter().any(|one| one.as_str() == Some("verify")))
        });
    let family = match (text("kty")?, text("crv")?) {
        (None, _) => return Err("has no `kty`".to_owned()),
        (Some("OKP"), Some("Ed25519")) => AlgorithmFamily::Ed,
        (Some("EC"), Some("P-256")) => AlgorithmFamily::Ec,
        (Some("RSA"), _) => AlgorithmFamily::Rsa,
        (Some(_), _) => return Ok(None),
    };
    let named = text("alg")?;
    let fits = |algorithm: &Algorithm| {
        algorithm.family() == family && named.is_none_or(|name| name == format!("{algorithm:?}"))
    };
    let algorithms: Vec<_> = ALGORITHMS.into_iter().filter(fits).collect();
    if !is_for_signatures || algorithms.is_empty() {
        return Ok(None);
    }
    let id = text("kid")?.filter(|id| !id.is_empty()).ok_or("has no `kid`")?.to_owned();
    let malformed = || "is malformed".to_owned();
    let jwk: Jwk = serde_json::from_value(Value::Object(members.clone())).map_err(|_| malformed())?;
    let key = DecodingKey::from_jwk(&jwk).map_err(|_| malformed())?;
    let key = checked(key)?;
    Ok(Some(Key { id, algorithms, digest: digest(&key), key }))
}

/// The key, if it is as long as one of its kind.
fn checked(key: DecodingKey) -> Result<DecodingKey, String> {
    match (key.family(), key.kind()) {
        (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            // Some providers write a sign bit's zero, which is no part of the number.
            let number = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
            let (n, e) = (number(n), number(e));
            if !MODULUS.contains(&n.len()) {
                return Err("is an RSA key of less than 2048 or more than 8192 bits".to_owned());
            }
            Ok(DecodingKey::from_rsa_raw_components(&n, &e))
        }
        (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(point)) if point.len() == 32 => Ok(key),
        (AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) if point.len() == 65 => Ok(key),
        _ => Err("is not as long as one of its curve".to_owned()),
    }
}

fn digest(key: &DecodingKey) -> [u8; 32] {
    match key.kind() {
        DecodingKeyKind::SecretOrDer(point) => Sha256::digest(point).into(),
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            Sha256::new().chain_update((n.len() as u64).to_be_bytes()).chain_update(n).chain_update(e).finalize().into()
        }
    }
}
