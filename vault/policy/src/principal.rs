use lethe_domain::{CredentialId, Roles, TenantId, Timestamp};

/// Whose a credential is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The vault itself: operators.
    Vault,
    /// One tenant.
    Tenant(TenantId),
}

/// Who calls: a credential whose secret, or whose login, has been checked.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The credential.
    pub credential: CredentialId,
    /// Whose it is.
    pub owner: Owner,
    /// What it may do.
    pub roles: Roles,
    /// When it ends, if it does; where a login shows it, at the latest with that.
    pub expires: Option<Timestamp>,
    /// What the call shows beside the key, or the login of itself.
    pub factor: SecondFactor,
}

/// What a call shows beside the key, that it is the person whose credential it is: a certificate, or, in place of the key, a
/// login for which the person showed two factors (O31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondFactor {
    /// Nobody asks for it here: the instance is not reached over a network, or its operator said so.
    NotAsked,
    /// It is asked for, and not there, or of another credential.
    Missing,
    /// It is there, and of this credential.
    Shown,
}
