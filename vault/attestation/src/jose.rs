//! Signatures of tokens by ring, the one cryptographic provider that the TLS stack has, too: attestations, and logins of people.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, Ed25519KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// The algorithms that verify. None is symmetric: what verifies a token must not be able to make one.
pub const ALGORITHMS: [Algorithm; 4] = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256, Algorithm::PS256];

/// Members of a JSON Web Key that only its owner may have (RFC 7518, section 6).
pub const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

static RING: CryptoProvider =
    CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };

/// Has the library sign and verify by ring. Only the first time in a process does anything.
pub fn install() {
    let (Ok(()) | Err(_)) = RING.install_default();
}

/// A private key of Ed25519, the one algorithm that signs here.
struct Pair(Ed25519KeyPair);

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    if *algorithm != Algorithm::EdDSA || key.family() != algorithm.family() {
        return Err(ErrorKind::UnsupportedAlgorithm.into());
    }
    let pair = Ed25519KeyPair::from_seed_unchecked(key.as_bytes()).map_err(|_| ErrorKind::InvalidKeyFormat)?;
    Ok(Box::new(Pair(pair)))
}

impl Signer<Vec<u8>> for Pair {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for Pair {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

/// A public key that verifies by one algorithm.
struct Ring {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Point(&'static dyn VerificationAlgorithm, Vec<u8>),
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let point = |by| Ok(Key::Point(by, key.try_get_as_bytes()?.to_vec()));
    let rsa = |by| match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            Ok(Key::Rsa(by, RsaPublicKeyComponents { n: n.clone(), e: e.clone() }))
        }
        DecodingKeyKind::SecretOrDer(_) => Err(ErrorKind::InvalidKeyFormat.into()),
    };
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    #[allow(clippy::wildcard_enum_match_arm, reason = "the library may know more of them than are used")]
    let found: Result<Key> = match algorithm {
        Algorithm::EdDSA => point(&ED25519),
        Algorithm::ES256 => point(&ECDSA_P256_SHA256_FIXED),
        Algorithm::RS256 => rsa(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::PS256 => rsa(&RSA_PSS_2048_8192_SHA256),
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    Ok(Box::new(Ring { algorithm: *algorithm, key: found? }))
}

impl Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let verified = match &self.key {
            Key::Point(by, key) => UnparsedPublicKey::new(*by, key).verify(message, signature),
            Key::Rsa(by, key) => key.verify(by, message, signature),
        };
        verified.map_err(|_| Error::new())
    }
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
