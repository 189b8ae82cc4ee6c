//! Erasing somebody whom nothing allows to keep any more, though nobody asked for it (O15, O23).

use std::collections::BTreeSet;
use std::sync::Arc;

use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{AgeBand, Dossier, Occasion, ReceiptId, SubjectId};
use lethe_policy::{Cause, is_child_alone, judged_age};

use super::everything;
use crate::audit;
use crate::dossiers;
use crate::erasure::{Request, Task};
use crate::error::{Error, Result};
use crate::evidence;
use crate::notification;
use crate::retention::receipt_of_end;
use crate::silo::{Silo, SiloRef};
use crate::store::Change;
use crate::templates;
use crate::vault::Vault;

/// What the log calls it: nobody asked.
const OPERATION: &str = "vault.erase_baseless";

/// Why somebody is erased unasked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Because {
    /// What the log calls it.
    pub(crate) operation: &'static str,
    /// Why the data ended, if they did.
    pub(crate) cause: Option<Cause>,
    /// The version of the policy that judged.
    pub(crate) policy_version: u32,
}

/// Accepts the erasure of a subject that nothing allows to keep, with what else is in the change. The caller has the subject's
/// lock. Without a receipt of its own it gets one that can be told before: see [`receipt_of_end`].
pub(crate) async fn erase(
    vault: &Vault,
    silo: &Silo,
    slot: SlotRef,
    dossier: &Dossier,
    receipt: Option<ReceiptId>,
    change: Change,
    policy_version: u32,
) -> Result<ReceiptId> {
    let because = Because { operation: OPERATION, cause: None, policy_version };
    erase_because(vault, silo, slot, dossier, receipt, change, because).await
}

/// The same, for another reason.
pub(crate) async fn erase_because(
    vault: &Vault,
    silo: &Silo,
    slot: SlotRef,
    dossier: &Dossier,
    receipt: Option<ReceiptId>,
    mut change: Change,
    because: Because,
) -> Result<ReceiptId> {
    let now = vault.clock.now();
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(super::unknown)?;
    // Somebody may have been told the receipt of an erasure that was put off.
    let told = receipt.or_else(|| dossier.deferral.as_ref().map(|deferral| deferral.receipt));
    let receipt = told.unwrap_or_else(|| receipt_of_end(&owner));
    let _kept = (silo.lock_entries().await, silo.keep_evidence().await);
    evidence::outlive(vault, silo, dossier, now, &mut change).await?;
    notification::owe(vault, silo, slot, Occasion::Erased, now, &mut change)?;
    let slots = everything(vault, silo, slot, dossier, &mut change)?;
    let mut entry = audit::judged_by(audit::by_the_vault(because.operation, now)?, Some(because.policy_version));
    if let Some(cause) = because.cause {
        entry = audit::naming(entry, "RETENTION_ENDED", "cause", cause.name())?;
    }
    change.log(silo.tree, audit::about(entry, &owner));
    let request = Request { tree: silo.tree, task: Task::Erase(Scope::Subject), slots, receipt, now };
    vault.eraser.accept(request, change).await?;
    Ok(receipt)
}

/// Does what comes with a refusal: erases a minor whom the call should not have found (O15).
pub(crate) async fn follow_up<T>(vault: &Vault, silo: &Silo, subject: &SubjectId, outcome: Result<T>) -> Result<T> {
    follow_up_aged(vault, silo, subject, None, outcome).await
}

/// The same for a call by which somebody attests how old the person is: whoever is stated to be of age is refused, and not erased for
/// a face that may be another's.
pub(crate) async fn follow_up_aged<T>(
    vault: &Vault,
    silo: &Silo,
    subject: &SubjectId,
    age: Option<AgeBand>,
    outcome: Result<T>,
) -> Result<T> {
    if let Err(Error::Denied(denial)) = &outcome
        && denial.duty.is_some()
    {
        erase_child(vault, silo, subject, age).await?;
    }
    outcome
}

/// The same for a call that must not take longer for it, nor tell.
pub(crate) fn follow_up_later(vault: &Arc<Vault>, silo: &SiloRef, subject: &SubjectId) {
    let (vault, silo, subject) = (Arc::clone(vault), Arc::clone(silo), subject.clone());
    tokio::spawn(async move {
        if let Err(error) = erase_child(&vault, &silo, &subject, None).await {
            tracing::error!(%error, "a minor whom nobody consented for could not be erased; the next call tries again");
        }
    });
}

/// The same of some whom a search or a sweep came upon: one after the other, by one task a tenant, however many searches come upon
/// them.
pub(crate) fn follow_up_all_later(vault: &Arc<Vault>, silo: &SiloRef, alone: BTreeSet<SlotRef>) {
    let nobody_is_at_it = {
        let mut waiting = silo.alone.lock();
        let was_empty = waiting.is_empty();
        waiting.extend(alone);
        was_empty && !waiting.is_empty()
    };
    if nobody_is_at_it {
        let (vault, silo) = (Arc::clone(vault), Arc::clone(silo));
        tokio::spawn(async move { erase_alone(&vault, &silo).await });
    }
}

/// Erases those who wait for it, until nobody does, or the vault closes; a sweep of retention finds who is left.
async fn erase_alone(vault: &Vault, silo: &Silo) {
    let mut next = silo.alone.lock().first().copied();
    while let Some(slot) = next {
        if vault.silos.is_closing() || silo.rights().is_over() {
            silo.alone.lock().clear();
            return;
        }
        let erased = async {
            let Some(base) = dossiers::base(vault, silo, slot)? else { return Ok(()) };
            erase_child(vault, silo, &base.id, None).await
        };
        if let Err(error) = erased.await {
            tracing::error!(%error, "a minor whom nobody consented for could not be erased; the next sweep tries again");
        }
        // Whoever comes upon others from here on finds nobody at it, if nobody waits.
        let mut waiting = silo.alone.lock();
        waiting.remove(&slot);
        next = waiting.first().copied();
    }
}

async fn erase_child(vault: &Vault, silo: &Silo, subject: &SubjectId, age: Option<AgeBand>) -> Result<()> {
    let alone = silo.lock_subject(subject).await;
    // Judged anew, now that nobody else changes it.
    let Some(slot) = silo.subject(subject) else { return Ok(()) };
    let mut dossier = dossiers::of(vault, silo, slot)?;
    dossier.age = judged_age(dossier.age, age.filter(|_| dossier.age != AgeBand::Adult));
    let policy = silo.policy();
    let alone_anyhow = vault.sweeps.bounds(&vault.clock).into_iter().all(|now| is_child_alone(&policy, &dossier, now));
    if alone_anyhow && !templates::places(&vault.store, silo, slot)?.is_empty() {
        erase(vault, silo, slot, &dossier, None, Change::new(), policy.version).await?;
        drop(alone);
        silo.rights().settled().await;
    }
    Ok(())
}
