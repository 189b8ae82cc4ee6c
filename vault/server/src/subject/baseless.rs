//! Erasing somebody whom nothing allows to keep any more, though nobody asked for it (O15, O23).

use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{Dossier, ReceiptId, RequestId, SubjectId, Timestamp};
use lethe_policy::is_baseless;

use super::everything;
use crate::audit;
use crate::dossiers;
use crate::erasure::{Request, Task, receipt_of};
use crate::error::{Error, Result};
use crate::idempotency::Fingerprint;
use crate::silo::Silo;
use crate::store::Change;
use crate::templates;
use crate::vault::Vault;

/// What the log calls it: nobody asked.
const OPERATION: &str = "vault.erase_baseless";

/// Whether a subject has templates, and no basis for them. Who has none is only known of, and may be about to be enrolled.
pub(crate) fn is_due(vault: &Vault, silo: &Silo, dossier: &Dossier, slot: SlotRef, now: Timestamp) -> Result<bool> {
    Ok(is_baseless(&silo.policy(), dossier, now) && !templates::places(&vault.store, silo, slot)?.is_empty())
}

/// Accepts the erasure of a subject, with what else is in the change. The caller has the subject's lock.
pub(crate) async fn erase(
    vault: &Vault,
    silo: &Silo,
    slot: SlotRef,
    receipt: ReceiptId,
    mut change: Change,
) -> Result<()> {
    let now = Timestamp::now();
    let Some(owner) = vault.keys.slot(silo.tree, slot)? else { return Ok(()) };
    let slots = everything(vault, silo, slot, &mut change)?;
    change.log(silo.tree, audit::about(audit::by_the_vault(OPERATION, now)?, &owner));
    let request = Request { tree: silo.tree, task: Task::Erase(Scope::Subject), slots, receipt, now };
    vault.eraser.accept(request, change).await?;
    Ok(())
}

/// Erases a subject if that is due. The caller has the subject's lock.
pub(crate) async fn erase_if(vault: &Vault, silo: &Silo, dossier: &Dossier, slot: SlotRef) -> Result<()> {
    if !is_due(vault, silo, dossier, slot, Timestamp::now())? {
        return Ok(());
    }
    // Nobody asked, so nobody knows the receipt; the log has it all the same.
    let receipt = receipt_of(&vault.keys, silo.tree, RequestId::random(), Fingerprint::of(OPERATION))?;
    erase(vault, silo, slot, receipt, Change::new()).await
}

/// Does what comes with a refusal: erases somebody whom the call should not have found (O15).
pub(crate) async fn follow_up<T>(vault: &Vault, silo: &Silo, subject: &SubjectId, outcome: Result<T>) -> Result<T> {
    if let Err(Error::Denied(denial)) = &outcome
        && denial.duty.is_some()
    {
        let _alone = silo.lock_subject(subject).await;
        // Judged anew, now that nobody else changes it.
        if let Some(slot) = silo.subject(subject) {
            let dossier = dossiers::of(vault, silo, slot)?;
            erase_if(vault, silo, &dossier, slot).await?;
        }
    }
    outcome
}
