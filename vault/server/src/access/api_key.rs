use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lethe_crypto::wiping;
use lethe_domain::CredentialId;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a key's secret.
const SECRET: usize = 32;

/// An API key: `lethe_<credential id, 32 hex digits>_<secret, 43 base64url characters>`.
///
/// The secret is 256 random bits. Only its digest is stored; the text is shown once. `Debug` shows the
/// credential's id alone.
pub struct ApiKey {
    credential: CredentialId,
    /// 32 bytes, on the heap: moving the key leaves no copy.
    secret: Zeroizing<Vec<u8>>,
}

impl ApiKey {
    /// Draws a new key.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    #[allow(clippy::expect_used, reason = "without randomness there is no safe way on")]
    pub fn generate() -> Self {
        let mut secret = Zeroizing::new(vec![0; SECRET]);
        SystemRandom::new().fill(secret.as_mut_slice()).expect("the operating system gives randomness");
        Self { credential: CredentialId::random(), secret }
    }

    /// Parses a key; `None` for anything that is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (credential, secret) = text.strip_prefix("lethe_")?.split_at_checked(32)?;
        let credential = CredentialId::parse(credential)?;
        let encoded = secret.strip_prefix('_')?;
        // One byte more than there may be, so that what is too long is seen to be.
        let mut secret = Zeroizing::new(vec![0; SECRET + 1]);
        let length = wiping::after_hashing(|| URL_SAFE_NO_PAD.decode_slice(encoded, secret.as_mut_slice())).ok()?;
        if length != SECRET {
            return None;
        }
        secret.truncate(SECRET);
        Some(Self { credential, secret })
    }

    /// The credential it belongs to.
    pub const fn credential(&self) -> CredentialId {
        self.credential
    }

    /// What is stored of it.
    pub fn digest(&self) -> SecretDigest {
        wiping::after_hashing(|| SecretDigest(Sha256::digest(self.secret.as_slice()).into()))
    }

    /// The text that is shown once.
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut encoded = Zeroizing::new(String::with_capacity(44));
        wiping::after_hashing(|| URL_SAFE_NO_PAD.encode_string(self.secret.as_slice(), &mut encoded));
        Zeroizing::new(format!("lethe_{}_{}", self.credential, *encoded))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.credential)
    }
}

/// SHA-256 of a key's secret. With 256 bits of entropy behind it, a slow hash would add nothing.
#[derive(Clone)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `key` is the one; in constant time.
    pub fn admits(&self, key: &ApiKey) -> bool {
        self.0.ct_eq(&key.digest().0).into()
    }
}

impl Drop for SecretDigest {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_text_and_admits_only_itself() {
        let key = ApiKey::generate();
        let text = key.reveal();
        let back = ApiKey::parse(&text).unwrap();
        assert_eq!(back.credential(), key.credential());
        assert!(key.digest().admits(&back));
        assert!(!key.digest().admits(&ApiKey::generate()));
        assert!(!format!("{key:?}").contains(&text[39..]));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let text = ApiKey::generate().reveal();
        let shorter = &text[..text.len() - 1];
        let longer = format!("{}A", *text);
        let other = text.replacen("lethe", "lether", 1);
        for bad in ["", "lethe_", shorter, &longer, &other, "Bearer x", "lethe_é"] {
            assert!(ApiKey::parse(bad).is_none(), "{bad}");
        }
    }
}
