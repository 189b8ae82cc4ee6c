use std::ops::Deref;

use lethe_policy::Principal;

use super::Proven;

/// Who calls, and what has to be looked at again while the call lasts.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who calls.
    pub principal: Principal,
    /// The login that shows it, where it is one.
    pub login: Option<LoggedIn>,
}

/// A login that shows a credential.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// What its token said.
    pub proven: Proven,
    /// Whether the connection's certificate is the credential's.
    pub is_certified: bool,
}

impl From<Principal> for Session {
    /// Who calls with an API key.
    fn from(principal: Principal) -> Self {
        Self { principal, login: None }
    }
}

impl Deref for Session {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}
