use lethe_crypto::log::entry::Scope;
use lethe_domain::{
    Deferral, DeferralReason, Dossier, Invalid, Occasion, Reason, ReceiptId, RequestId, RightsRequestId, SubjectId,
    Timestamp,
};
use lethe_policy::Authorized;
use lethe_policy::operation::EraseSubject;
use tokio::time::Instant;

use super::amend::{Terms, amend};
use super::{everything, unknown};
use crate::audit;
use crate::dossiers;
use crate::erasure::{self, Erasure, Request, Task, receipt_of};
use crate::error::{Error, Result};
use crate::evidence;
use crate::idempotency::Fingerprint;
use crate::notification;
use crate::request;
use crate::silo::Silo;
use crate::store::Change;
use crate::vault::Vault;

/// How far a client's clock may be ahead, in milliseconds.
const TOLERANCE: i64 = 60_000;

/// How an erasure is put off (O21).
#[derive(Debug, Clone, Copy)]
pub struct Deferment {
    /// Why.
    pub reason: DeferralReason,
    /// When the person asked for the erasure.
    pub requested_at: Timestamp,
    /// When it is to be done.
    pub until: Timestamp,
}

/// What became of an erasure that was asked for.
pub enum Erased {
    /// It was accepted: nothing finds the subject.
    Accepted(Erasure),
    /// It was put off: the subject is storage only until then.
    PutOff {
        /// The receipt that it will have.
        receipt: ReceiptId,
        /// When it is done.
        until: Timestamp,
    },
}

/// Erases a subject: everything of it, found by its applicant id (O18), so that nobody can bring it back (O19).
///
/// From the moment it is accepted nothing finds the subject. A repeat of the request gives the same receipt,
/// also when the subject is forgotten.
pub async fn erase(
    vault: &Vault,
    call: Authorized<EraseSubject>,
    subject: &SubjectId,
    request: RequestId,
    fulfils: Option<RightsRequestId>,
    until: Option<Instant>,
) -> Result<Erasure> {
    let silo = vault.silo(&call)?;
    let receipt = receipt_of_request(vault, &silo, subject, request)?;
    let erased = forget(vault, &call, &silo, subject, receipt, fulfils, until).await;
    let erased = vault.noting_misses(silo.tree, &call, erased).await?;
    // Answers that name it, and were judged before, are given by now.
    silo.rights().settled().await;
    Ok(erased)
}

/// Puts an erasure off, once: the subject is storage only until it is done (O21). A repeat gives the same answer, and the
/// erasure when it is done.
///
/// # Errors
/// `ErasureDeferred` where it was put off already; `LegalHold` and `StatutoryMinimum` where everything is kept anyway.
pub async fn put_off(
    vault: &Vault,
    call: Authorized<EraseSubject>,
    subject: &SubjectId,
    request: RequestId,
    deferment: Deferment,
    until: Option<Instant>,
) -> Result<Erased> {
    let silo = vault.silo(&call)?;
    let receipt = receipt_of_request(vault, &silo, subject, request)?;
    if vault.eraser.state(silo.tree, receipt)?.is_some() {
        return erase(vault, call, subject, request, None, until).await.map(Erased::Accepted);
    }
    let put_off = defer(vault, &call, &silo, subject, receipt, deferment).await;
    vault.noting_misses(silo.tree, &call, put_off).await
}

fn receipt_of_request(vault: &Vault, silo: &Silo, subject: &SubjectId, request: RequestId) -> Result<ReceiptId> {
    receipt_of(&vault.keys, silo.tree, request, Fingerprint::of("erase").with(subject.as_str().as_bytes()))
}

async fn defer(
    vault: &Vault,
    call: &Authorized<EraseSubject>,
    silo: &Silo,
    subject: &SubjectId,
    receipt: ReceiptId,
    deferment: Deferment,
) -> Result<Erased> {
    let now = vault.clock.now();
    let Deferment { reason, requested_at, until } = deferment;
    let deferral = Deferral { reason, requested_at, until, receipt };
    let alone = silo.lock_subject(subject).await;
    let slot = silo.subject(subject).ok_or_else(unknown)?;
    // A hold or a statute keeps everything anyway, and longer.
    dossiers::clear(vault, silo, call, Some(slot), now).await?;
    let amended = amend(vault, silo, call, subject, Terms::KNOWN, |dossier, _| set(dossier, deferral, now)).await;
    drop(alone);
    amended?.settle(vault, silo).await;
    Ok(Erased::PutOff { receipt, until })
}

/// Puts off, once: the time that a listed reason gives is not given again.
fn set(dossier: &mut Dossier, deferral: Deferral, now: Timestamp) -> Result<()> {
    if dossier.deferral == Some(deferral) {
        return Ok(());
    }
    if dossier.deferral.is_some() {
        let message = "the erasure was put off already, and can be once; it is done when that is over".to_owned();
        return Err(Error::Precondition(Reason::ErasureDeferred, message));
    }
    let refuse = |field: &str, message: &str| Err(Invalid::new(field, Reason::FieldOutOfRange, message).into());
    if deferral.requested_at.millis() > now.millis().saturating_add(TOLERANCE) {
        return refuse("deferral.request_time", "is in the future");
    }
    if deferral.until <= now {
        return refuse("deferral.erase_time", "is not in the future; erase at once");
    }
    if deferral.until > Deferral::MOST.after(deferral.requested_at) {
        return refuse("deferral.erase_time", "is more than 90 days after the person asked");
    }
    dossier.deferral = Some(deferral);
    Ok(())
}

async fn forget(
    vault: &Vault,
    call: &Authorized<EraseSubject>,
    silo: &Silo,
    subject: &SubjectId,
    receipt: ReceiptId,
    fulfils: Option<RightsRequestId>,
    until: Option<Instant>,
) -> Result<Erasure> {
    let now = vault.clock.now();
    // Nobody else answers the request meanwhile.
    let answering = match fulfils {
        Some(_) => Some(silo.lock_administration().await),
        None => None,
    };
    let alone = silo.lock_subject(subject).await;
    if vault.eraser.state(silo.tree, receipt)?.is_none() {
        let slot = silo.subject(subject).ok_or_else(unknown)?;
        let cleared = dossiers::clear(vault, silo, call, Some(slot), now).await?;
        let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
        let mut change = Change::new();
        let mut entry = audit::about(audit::done_to(call, &cleared, now)?, &owner);
        if let Some(id) = fulfils {
            let closed = request::fulfil(vault, silo, slot, id, now)?;
            request::put(vault, silo, id, &closed, &mut change)?;
            entry = audit::naming(entry, "REQUEST_CLOSED", "request", &id.to_string())?;
        }
        let _kept = (silo.lock_entries().await, silo.keep_evidence().await);
        let dossier = dossiers::of(vault, silo, slot)?;
        evidence::outlive(vault, silo, &dossier, now, &mut change).await?;
        notification::owe(vault, silo, slot, Occasion::Erased, now, &mut change)?;
        let slots = everything(vault, silo, slot, &dossier, &mut change)?;
        change.log(silo.tree, entry);
        let accepted = Request { tree: silo.tree, task: Task::Erase(Scope::Subject), slots, receipt, now };
        vault.eraser.accept(accepted, change).await?;
    } else if silo.subject(subject).is_some() {
        // Enrolled again since: the receipt is about the earlier person's data, not about this.
        return Err(Error::RequestIdReused);
    } else {
        vault.note(silo.tree, call).await?;
    }
    drop((alone, answering));
    Ok(Erasure { receipt, state: erasure::wait(vault, silo.tree, receipt, until).await? })
}
