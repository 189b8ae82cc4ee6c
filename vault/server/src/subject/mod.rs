//! What is held about a subject, its rights, and erasing it.

pub(crate) mod amend;
pub(crate) mod baseless;
pub mod export;
mod rights;

use std::collections::BTreeMap;

use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{Dossier, ModelId, Reason, RequestId, RightsRequestId, SubjectId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{EraseSubject, GetSubject};
use tokio::time::Instant;

use crate::audit;
use crate::dossiers;
use crate::erasure::{self, Erasure, Request, Task, receipt_of};
use crate::error::{Error, Result};
use crate::evidence;
use crate::idempotency::Fingerprint;
use crate::records::SubjectRecord;
use crate::request;
use crate::silo::Silo;
use crate::store::{Change, Key, RowKind, StoreError};
use crate::templates;
use crate::vault::Vault;

pub use rights::{Recorded, lift_objection, lift_restriction, object, restrict, update};

/// What is held about a subject, without embeddings.
pub struct SubjectFacts {
    /// When it was first enrolled.
    pub created_at: Timestamp,
    /// How many templates of each model.
    pub templates: BTreeMap<ModelId, usize>,
    /// What is known of it beside templates.
    pub dossier: Dossier,
}

/// Reads what is held about a subject.
pub async fn get(vault: &Vault, call: Authorized<GetSubject>, subject: &SubjectId) -> Result<SubjectFacts> {
    let silo = vault.silo(&call)?;
    let facts = held(vault, &call, &silo, subject).await;
    vault.noting_misses(silo.tree, &call, facts).await
}

async fn held(vault: &Vault, call: &Authorized<GetSubject>, silo: &Silo, subject: &SubjectId) -> Result<SubjectFacts> {
    let slot = silo.subject(subject).ok_or_else(unknown)?;
    let key = Key::Subject { tree: silo.tree, subject: slot };
    let sealed = vault.store.get(&key)?.ok_or_else(unknown)?;
    let opened = vault.keys.open(&key, "", &sealed)?.ok_or_else(unknown)?;
    let record = SubjectRecord::decode(&opened)?;
    let mut counts = BTreeMap::new();
    for (_, profile) in templates::places(&vault.store, silo, slot)? {
        let model = silo.model_numbered(profile);
        let model = model.ok_or_else(|| StoreError::corrupt("template row", "its model has no profile"))?;
        *counts.entry(model.profile.model().clone()).or_default() += 1;
    }
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    vault.record(silo.tree, audit::about(audit::done(call, Timestamp::now())?, &owner)).await?;
    let dossier = dossiers::of(vault, silo, slot)?;
    Ok(SubjectFacts { created_at: record.created_at, templates: counts, dossier })
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
    let erased = forget(vault, &call, &silo, subject, request, fulfils, until).await;
    let erased = vault.noting_misses(silo.tree, &call, erased).await?;
    // Answers that name it, and were judged before, are given by now.
    silo.rights().settled().await;
    Ok(erased)
}

async fn forget(
    vault: &Vault,
    call: &Authorized<EraseSubject>,
    silo: &Silo,
    subject: &SubjectId,
    request: RequestId,
    fulfils: Option<RightsRequestId>,
    until: Option<Instant>,
) -> Result<Erasure> {
    let now = Timestamp::now();
    let what = Fingerprint::of("erase").with(subject.as_str().as_bytes());
    let receipt = receipt_of(&vault.keys, silo.tree, request, what)?;
    // Nobody else answers the request meanwhile.
    let answering = match fulfils {
        Some(_) => Some(silo.lock_administration().await),
        None => None,
    };
    let alone = silo.lock_subject(subject).await;
    if vault.eraser.state(silo.tree, receipt)?.is_none() {
        let slot = silo.subject(subject).ok_or_else(unknown)?;
        dossiers::clear(vault, silo, call, Some(slot), now).await?;
        let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
        let mut change = Change::new();
        let mut entry = audit::about(audit::done(call, now)?, &owner);
        if let Some(id) = fulfils {
            let closed = request::fulfil(vault, silo, slot, id, now)?;
            request::put(vault, silo, id, &closed, &mut change)?;
            entry = audit::naming(entry, "REQUEST_CLOSED", "request", &id.to_string())?;
        }
        let _kept = silo.keep_evidence().await;
        evidence::outlive(vault, silo, &dossiers::of(vault, silo, slot)?, now, &mut change).await?;
        let slots = everything(vault, silo, slot, &mut change)?;
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

/// Removes every row of a subject, and gives the slots whose keys go with them (O18).
fn everything(vault: &Vault, silo: &Silo, slot: SlotRef, change: &mut Change) -> Result<Vec<SlotRef>> {
    let mut slots = vec![slot];
    change.delete(Key::Subject { tree: silo.tree, subject: slot });
    dossiers::delete(vault, silo, slot, change)?;
    for (at, profile) in templates::places(&vault.store, silo, slot)? {
        // Redrawing S would do; with T gone too, a flaw in either is not enough.
        slots.push(at.thing);
        templates::delete(silo, at, profile, change);
    }
    vault.store.few(RowKind::SubjectRequest, &Key::prefix_of_requests(silo.tree, slot), |key, _| {
        change.delete(key);
        Ok::<_, Error>(())
    })?;
    Ok(slots)
}

pub(crate) fn unknown() -> Error {
    Error::NotFound(Reason::SubjectNotFound, "there is no such subject".to_owned())
}
