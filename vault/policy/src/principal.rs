use lethe_domain::{CredentialId, Roles, TenantId, Timestamp};

/// Whose a credential is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The vault itself: operators.
    Vault,
    /// One tenant.
    Tenant(TenantId),
}

/// Who calls: a credential whose secret has been checked.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The credential.
    pub credential: CredentialId,
    /// Whose it is.
    pub owner: Owner,
    /// What it may do.
    pub roles: Roles,
    /// When it ends, if it does.
    pub expires: Option<Timestamp>,
}
