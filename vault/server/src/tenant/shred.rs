//! Shredding a tenant: one slot of the vault tree, whatever the tenant's size (rule 8; O27).

use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::log::entry::{EntryDraft, Event, OtherEvent, Scope};
use lethe_crypto::log::json::Value;
use lethe_crypto::tree::TreeId;
use lethe_domain::{Proposal, ProposalId, Reason, ReceiptId, RequestId, TenantId};
use lethe_policy::Authorized;
use lethe_policy::operation::ShredTenant;
use tokio::time::Instant;

use super::leaving;
use crate::audit;
use crate::erasure::{self, Erasure, Request, Task, receipt_of};
use crate::error::{Error, Result};
use crate::hold;
use crate::idempotency::Fingerprint;
use crate::records::{ShreddedRecord, encode};
use crate::silo::SiloRef;
use crate::store::{Change, Key, LogEnd, StoreError};
use crate::vault::Vault;

/// How long calls that are under way may keep a silo in memory that is gone for everybody else.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// Shreds a tenant, as two persons decided in `proposal` and after its data were handed over, unless they waived that: every
/// row of it but its log goes in one change with the intent, and its one key with the next epoch.
///
/// From the moment it is accepted every credential of the tenant is refused, nothing of it is found, and whatever a call
/// that was under way would still write to it is refused, too. Its name is never given again. A repeat of the request
/// gives the same receipt, which is the vault's.
pub async fn shred(
    vault: &Vault,
    call: Authorized<ShredTenant>,
    id: &TenantId,
    proposal: Option<ProposalId>,
    request: RequestId,
    until: Option<Instant>,
) -> Result<Erasure> {
    let now = vault.clock.now();
    let what = Fingerprint::of("shred").with(id.as_str().as_bytes());
    let receipt = receipt_of(&vault.keys, TreeId::VAULT, request, what)?;
    let looked = match vault.silos.find(id) {
        Some(silo) => leaving::look_ahead(vault, &silo, proposal).await?,
        None => None,
    };
    let alone = vault.administration.lock().await;
    let mut gone = None;
    if vault.eraser.state(TreeId::VAULT, receipt)?.is_none() {
        let silo = vault.silos.find(id).ok_or_else(unknown)?;
        let tenant = silo.tree.as_tenant().ok_or_else(unknown)?;
        // Nobody is put under a hold meanwhile.
        let holding = silo.lock_administration().await;
        if hold::has_any(vault, &silo)? {
            let message = "somebody of the tenant is under a litigation hold (O42)".to_owned();
            return Err(Error::Precondition(Reason::LegalHold, message));
        }
        let left = leaving::agreed(vault, &silo, proposal, looked, now).await;
        let agreed = vault.noting_denials(TreeId::VAULT, &call, left).await?;
        let used = agreed.used(now);
        let mut change = Change::new();
        change.drop_tenant(silo.tree);
        let key = Key::Shredded { tenant };
        let record = encode("record of a shredded tenant", &ShreddedRecord::new(id, receipt, now))?;
        let sealed = vault.keys.seal(&key, "", &record)?;
        change.put(key, sealed);
        // In both logs: the operator's act, and the end of the tenant's own history.
        change.log(silo.tree, audit::done(&call, now)?);
        let entry = audit::done(&call, now)?;
        change.close_log(silo.tree, move |end| closed(entry, receipt, &used, &end));
        let slots = vec![tenant];
        let request = Request { tree: TreeId::VAULT, task: Task::Erase(Scope::Tenant), slots, receipt, now };
        vault.eraser.accept(request, change).await?;
        drop(holding);
        gone = Some(silo);
    } else {
        vault.note(TreeId::VAULT, &call).await?;
    }
    drop(alone);
    if let Some(silo) = gone {
        // Answers that name somebody of it are given by then.
        silo.rights().settled().await;
        tokio::spawn(forget(silo));
    }
    Ok(Erasure { receipt, state: erasure::wait(vault, TreeId::VAULT, receipt, until).await? })
}

/// The entry of the vault's log that holds the tenant's to what it was: its own key, which signed it, goes.
fn closed(entry: EntryDraft, receipt: ReceiptId, agreed: &Proposal, end: &LogEnd) -> Result<EntryDraft, StoreError> {
    let text = |name: &str, value: String| (name.to_owned(), Value::String(value));
    let fields = vec![
        text("receipt", receipt.to_string()),
        text("proposal", agreed.id.to_string()),
        text("log", end.origin.to_string()),
        ("size".to_owned(), Value::Number(end.size)),
        text("root", end.root.to_string()),
    ];
    let kind = "TENANT_CLOSED".parse().map_err(|_| StoreError::corrupt("log token", "TENANT_CLOSED"))?;
    Ok(entry.event(Event::Other(OtherEvent::new(kind, fields)?)))
}

/// Lets go of the silo: its galleries are wiped as their memory is freed, which takes a while if they are large, so
/// not on a thread that others wait for.
async fn forget(silo: SiloRef) {
    let until = Instant::now() + LAST_CALLS;
    while Arc::strong_count(&silo) > 1 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Where a call still has it, that call frees it.
    drop(tokio::task::spawn_blocking(move || drop(silo)).await);
}

fn unknown() -> Error {
    Error::NotFound(Reason::TenantNotFound, "there is no such tenant".to_owned())
}
