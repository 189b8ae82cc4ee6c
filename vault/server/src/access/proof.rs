use lethe_domain::Login;

use super::{ApiKey, SecretDigest};
use crate::records::CredentialProof;

/// What shows that a call is a credential's: one of the two.
#[derive(Debug, Clone)]
pub enum Proof {
    /// An API key, by what its secret must hash to.
    Key(SecretDigest),
    /// A login at an identity provider.
    Login(Login),
}

impl Proof {
    /// Whether `key` shows it.
    pub fn admits(&self, key: &ApiKey) -> bool {
        match self {
            Self::Key(digest) => digest.admits(key),
            Self::Login(_) => false,
        }
    }

    /// The login, where it is one.
    pub const fn login(&self) -> Option<&Login> {
        match self {
            Self::Key(_) => None,
            Self::Login(login) => Some(login),
        }
    }

    /// What is stored of it.
    pub fn stored(&self) -> CredentialProof {
        match self {
            Self::Key(digest) => CredentialProof::Secret(*digest.as_bytes()),
            Self::Login(login) => CredentialProof::Login(login.clone()),
        }
    }
}

impl From<CredentialProof> for Proof {
    fn from(stored: CredentialProof) -> Self {
        match stored {
            CredentialProof::Secret(digest) => Self::Key(SecretDigest::from_bytes(digest)),
            CredentialProof::Login(login) => Self::Login(login),
        }
    }
}
