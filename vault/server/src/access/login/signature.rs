//! Signatures of tokens, verified by ring: the one cryptographic provider that the TLS stack has, too.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// The algorithms that there are. None is symmetric: what verifies a token must not be able to make one.
pub(super) const ALGORITHMS: [Algorithm; 4] = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256, Algorithm::PS256];

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Has the library verify by ring. Only the first time in a process does anything.
pub(super) fn install() {
    let (Ok(()) | Err(_)) = RING.install_default();
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
