//! Tenants, their credentials and their model profiles; shredding them, and rotating what wraps their keys.

mod create;
mod credentials;
mod leaving;
mod policy;
mod profiles;
mod rotate;
mod shred;

use std::sync::Arc;

use lethe_domain::{Role, TenantId, TenantPolicy, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::GetTenant;

use crate::error::Result;
use crate::silo::{Model, Silo};
use crate::vault::Vault;

pub use create::{Created, create};
pub use credentials::{
    Asked, Issued, Lists, Makes, Revokes, create_credential, list_credentials, new_operator, revoke_credential,
};
pub(crate) use credentials::{NewCredential, put_credential};
pub(crate) use leaving::expect_same_law;
pub use leaving::{Handover, confirm, hand_over, offboard};
pub use policy::{Wished, update_policy};
pub use profiles::{ProfileFacts, create_profile, get_profile, list_profiles, update_profile};
pub use rotate::rotate;
pub use shred::shred;

/// What is known of a tenant.
pub struct TenantFacts {
    /// The tenant.
    pub id: TenantId,
    /// What it allows.
    pub policy: Arc<TenantPolicy>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Bytes of memory that its galleries take now; 0 for who is not told. What they take depends on what other tenants do,
    /// which is for the operator to know (O35).
    pub memory: usize,
}

impl TenantFacts {
    fn of(silo: &Silo) -> Self {
        Self { id: silo.id.clone(), policy: silo.policy(), created_at: silo.created_at, memory: 0 }
    }
}

/// Reads a tenant.
pub async fn get(vault: &Vault, call: Authorized<GetTenant>) -> Result<TenantFacts> {
    let silo = vault.silo(&call)?;
    vault.note(silo.tree, &call).await?;
    let told = call.roles().has(Role::Operator);
    let memory = if told { silo.models().iter().map(Model::bytes).sum() } else { 0 };
    Ok(TenantFacts { memory, ..TenantFacts::of(&silo) })
}

/// `size` of the items from number `from` on, and the number where the next page begins.
pub(crate) fn page<T>(mut all: Vec<T>, from: u64, size: usize) -> (Vec<T>, Option<u64>) {
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(all.len());
    let mut page = all.split_off(from);
    let next = (page.len() > size).then(|| (from + size) as u64);
    page.truncate(size);
    (page, next)
}
