//! The keys of signed notes.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use super::NoteError;
use crate::error::Result;
use crate::log::text::Origin;
use crate::random::{Random as _, System};

/// The signature type of Ed25519 in key ids and in the text form of keys.
const ED25519_TYPE: u8 = 0x01;

/// The secret of a log's key: an Ed25519 seed of 32 bytes (RFC 8032, section 5.1.5).
///
/// It is stored sealed like any record; whoever has it can sign a forked log.
pub struct Seed(Box<[u8; 32]>);

impl Seed {
    /// A fresh seed.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn generate() -> Result<Self> {
        let mut seed = Self(Box::new([0; 32]));
        System.fill(seed.0.as_mut_slice())?;
        Ok(seed)
    }

    /// The seed that was stored.
    ///
    /// # Errors
    /// If there are not exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> std::result::Result<Self, NoteError> {
        let mut seed = Self(Box::new([0; 32]));
        if bytes.len() != seed.0.len() {
            return Err(NoteError::Key("an Ed25519 seed has 32 bytes"));
        }
        seed.0.copy_from_slice(bytes);
        Ok(seed)
    }

    /// The secret bytes, in order to seal them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Seed {}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// A log's name and the key with which it signs.
///
/// `ring` keeps the expanded key in memory that it does not wipe; the key protects the log against a
/// fork, not a person, and lives as long as the process.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl SigningKey {
    /// The key of log `name` with this seed.
    pub fn from_seed(name: Origin, seed: &Seed) -> std::result::Result<Self, NoteError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| NoteError::Key("not an Ed25519 seed"))?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| NoteError::Key("an Ed25519 key has 32 bytes"))?;
        Ok(Self { pair, verifier: VerifierKey::new(name, public) })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    pub(super) fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// A log's name and the key that verifies its checkpoints.
///
/// Its text form is `<name>+<key id, 8 hex digits>+<base64 of 0x01 ‖ public key>`, as used by other
/// implementations of signed notes; the id is `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[..4]`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: Origin,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifierKey {
    fn new(name: Origin, public: [u8; 32]) -> Self {
        let hash = Sha256::new()
            .chain_update(name.as_str())
            .chain_update([b'\n', ED25519_TYPE])
            .chain_update(public)
            .finalize();
        Self { name, id: [hash[0], hash[1], hash[2], hash[3]], public }
    }

    /// The name of the key, which is also the origin of its log.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The Ed25519 public key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.public
    }

    /// By which notes name the key: two keys of one log never have the same.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    pub(super) fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> std::result::Result<(), NoteError> {
        UnparsedPublicKey::new(&ED25519, self.public)
            .verify(message, signature)
            .map_err(|_| NoteError::WrongSignature(self.name.to_string()))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519_TYPE], self.public.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> std::result::Result<Self, NoteError> {
        // A name has no plus sign, base64 may.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("a key has a name, an id and a public key"));
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::Key("the public key is base64"))?;
        let public = match key.split_first() {
            Some((&ED25519_TYPE, public)) => {
                public.try_into().map_err(|_| NoteError::Key("an Ed25519 key has 32 bytes"))?
            }
            Some(_) | None => return Err(NoteError::Key("the key is not an Ed25519 key")),
        };
        let key = Self::new(name.parse()?, public);
        if hex::encode(key.id) == id { Ok(key) } else { Err(NoteError::Key("the id does not belong to the key")) }
    }
}
