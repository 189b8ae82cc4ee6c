//! The public keys of services that sign.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::jose::SECRET;

/// A key's name, the `kid`: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(String);

impl KeyId {
    /// The longest name.
    pub const MAX: usize = 64;

    /// Parses a name.
    ///
    /// # Errors
    /// If it is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let is_well_formed = (1..=Self::MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if is_well_formed { Ok(Self(text.to_owned())) } else { Err(KeyFault::Id) }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why something is no key of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// It is no JSON object, or has a member of another type.
    #[error("is no JSON Web Key")]
    Form,
    /// It has a member that only its owner may have.
    #[error("has the member `{0}`: it is secret, and its owner alone may have it")]
    Secret(&'static str),
    /// It is of another kind than is used here.
    #[error("is no Ed25519 key for signatures: `kty` must be OKP, `crv` Ed25519, `use` sig, `alg` EdDSA")]
    Kind,
    /// Its name.
    #[error("needs a `kid` of 1 to 64 characters of A-Z a-z 0-9 . _ -")]
    Id,
    /// Its point.
    #[error("has no `x` of 32 bytes in base64url that is a key's")]
    Point,
    /// It is a private key, and its secret is none.
    #[error("has no `d` of 32 bytes in base64url that fits `x`")]
    Seed,
}

/// The points of small order, those whose order divides 8, without the bit that is the sign of x; also as they are written with a
/// coordinate that is not reduced.
const SMALL: [[u8; 32]; 7] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    near_the_end(0xec),
    near_the_end(0xed),
    near_the_end(0xee),
    // The two coordinates of the points of order 8.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// 2^255 − 256 + `last`: just below or above the field's size, 2^255 − 19.
const fn near_the_end(last: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = last;
    bytes[31] = 0x7f;
    bytes
}

/// A public key of a capture or document service: Ed25519 (RFC 8032).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    id: KeyId,
    point: [u8; 32],
}

impl VerifyingKey {
    /// A key of these bytes.
    ///
    /// # Errors
    /// For a point of small order: anybody can sign for it.
    pub fn new(id: KeyId, point: [u8; 32]) -> Result<Self, KeyFault> {
        let mut without_sign = point;
        without_sign[31] &= 0x7f;
        if SMALL.contains(&without_sign) { Err(KeyFault::Point) } else { Ok(Self { id, point }) }
    }

    /// Reads a JSON Web Key (RFC 7517, RFC 8037).
    ///
    /// # Errors
    /// If it is none, is for something else, or has a secret in it.
    pub fn from_jwk(text: &str) -> Result<Self, KeyFault> {
        let members = object(text)?;
        if let Some(member) = SECRET.into_iter().find(|member| members.contains_key(*member)) {
            return Err(KeyFault::Secret(member));
        }
        Self::of_members(&members)
    }

    pub(crate) fn of_members(members: &Map<String, Value>) -> Result<Self, KeyFault> {
        let says = |member: &str, wanted: &str| members.get(member).and_then(Value::as_str) == Some(wanted);
        let allows = |member: &str, wanted: &str| !members.contains_key(member) || says(member, wanted);
        if !(says("kty", "OKP") && says("crv", "Ed25519") && allows("use", "sig") && allows("alg", "EdDSA")) {
            return Err(KeyFault::Kind);
        }
        let id = members.get("kid").and_then(Value::as_str).ok_or(KeyFault::Id)?;
        let point = bytes(members, "x").ok_or(KeyFault::Point)?;
        Self::new(KeyId::parse(id)?, *point)
    }

    /// Its name.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The point, 32 bytes (RFC 8032, section 5.1.5).
    pub const fn point(&self) -> &[u8; 32] {
        &self.point
    }

    /// As a JSON Web Key.
    pub fn to_jwk(&self) -> String {
        let (kid, x) = (self.id.as_str(), URL_SAFE_NO_PAD.encode(self.point));
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x }).to_string()
    }

    pub(crate) fn decoding(&self) -> DecodingKey {
        DecodingKey::from_ed_der(&self.point)
    }
}

pub(crate) fn object(text: &str) -> Result<Map<String, Value>, KeyFault> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(KeyFault::Form),
    }
}

/// The 32 bytes of a member.
pub(crate) fn bytes(members: &Map<String, Value>, member: &str) -> Option<Zeroizing<[u8; 32]>> {
    let text = members.get(member)?.as_str()?;
    // A member may be secret: nothing is decoded to where it would not be wiped. There has to be room for a byte more than fits.
    let mut room = Zeroizing::new([0; 33]);
    let length = URL_SAFE_NO_PAD.decode_slice(text, room.as_mut_slice()).ok()?;
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(room.get(..length).filter(|decoded| decoded.len() == 32)?);
    Some(bytes)
}
