//! Rotating what wraps a tenant's keys, or the vault's (rule 8).

use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_domain::{Reason, RequestId, TenantId};
use lethe_policy::Authorized;
use lethe_policy::operation::RotateKeys;
use tokio::time::Instant;

use crate::audit;
use crate::erasure::{self, Erasure, Request, Task, receipt_of};
use crate::error::{Error, Result};
use crate::idempotency::Fingerprint;
use crate::store::Change;
use crate::vault::Vault;

/// Replaces, while everything goes on, the keys that wrap a tenant's keys, or the vault's: the next epoch re-keys the head
/// page of the tree and all above it, and the root of the epoch before is destroyed. Slots keep their values.
///
/// A repeat of the request gives the same receipt and rotates nothing.
pub async fn rotate(
    vault: &Vault,
    call: Authorized<RotateKeys>,
    tenant: Option<&TenantId>,
    request: RequestId,
    until: Option<Instant>,
) -> Result<Erasure> {
    let now = vault.clock.now();
    // The vault has no name that a tenant could have: those are not empty.
    let what = Fingerprint::of("rotate").with(tenant.map_or("", TenantId::as_str).as_bytes());
    let receipt = receipt_of(&vault.keys, TreeId::VAULT, request, what)?;
    let alone = vault.administration.lock().await;
    if vault.eraser.state(TreeId::VAULT, receipt)?.is_none() {
        let mut change = Change::new();
        let slot = match tenant {
            None => SlotRef::default(),
            Some(id) => {
                let unknown = || Error::NotFound(Reason::TenantNotFound, "there is no such tenant".to_owned());
                let silo = vault.silos.find(id).ok_or_else(unknown)?;
                change.log(silo.tree, audit::done(&call, now)?);
                silo.tree.as_tenant().ok_or_else(unknown)?
            }
        };
        change.log(TreeId::VAULT, audit::done(&call, now)?);
        let request = Request { tree: TreeId::VAULT, task: Task::Rotate, slots: vec![slot], receipt, now };
        vault.eraser.accept(request, change).await?;
    } else {
        vault.note(TreeId::VAULT, &call).await?;
    }
    drop(alone);
    Ok(Erasure { receipt, state: erasure::wait(vault, TreeId::VAULT, receipt, until).await? })
}
