use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{Occasion, Purpose, Reason, ReceiptId, RequestId, SubjectId, TemplateFacts, TemplateId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{DeleteTemplate, Kind, ReplaceTemplate};
use tokio::time::Instant;

use super::enroll::{expect_same, fingerprint};
use super::make_room;
use crate::attestation::{self, Believed, Repeatable};
use crate::audit;
use crate::dossiers;
use crate::erasure::{Erasure, Request, Task, receipt_of, wait};
use crate::error::{Error, Result};
use crate::idempotency::{Fingerprint, recall, remember, request_tag};
use crate::notification;
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, StoreError, TemplateAt};
use crate::subject::baseless;
use crate::templates::{self, Capture, Found};
use crate::vault::Vault;

/// The template that is to go.
pub struct Target {
    /// Whose it is.
    pub subject: SubjectId,
    /// Which.
    pub template: TemplateId,
    /// A repeat gives the first answer; the receipt's id derives from it.
    pub request: RequestId,
    /// Until when to wait for `SHREDDED`; `None` not to wait.
    pub until: Option<Instant>,
}

impl Target {
    fn receipt(&self, vault: &Vault, silo: &Silo, operation: &str) -> Result<ReceiptId> {
        let what = Fingerprint::of(operation).with(self.subject.as_str().as_bytes()).with(self.template.as_bytes());
        receipt_of(&vault.keys, silo.tree, self.request, what)
    }
}

/// A replacement: the new template, and the old one's erasure.
pub struct Replaced {
    /// The new template.
    pub facts: TemplateFacts,
    /// Components of its embedding.
    pub dimension: usize,
    /// The old version's erasure.
    pub erasure: Erasure,
    /// The tenant's sequence after the change: a search with this or a higher one has seen it.
    pub sequence: u64,
}

/// Replaces a template by a new version, in one step, and shreds the old one (O24).
pub async fn replace_template(
    vault: &Vault,
    call: Authorized<ReplaceTemplate>,
    target: Target,
    capture: Capture,
) -> Result<Replaced> {
    let silo = vault.silo(&call)?;
    let subject = target.subject.clone();
    let of = format!("{}/{}", subject.as_str(), target.template);
    let repeatable = Repeatable { request: target.request, of: &of };
    let believed = attestation::believe(vault, &silo, &call, &capture, Some(repeatable)).await?;
    let replaced = replace(vault, &call, &silo, target, capture, &believed).await;
    let replaced = believed.spent_by(vault, replaced).await;
    let replaced = baseless::follow_up_aged(vault, &silo, &subject, believed.age_now(), replaced).await;
    vault.noting_misses(silo.tree, &call, replaced).await
}

async fn replace(
    vault: &Vault,
    call: &Authorized<ReplaceTemplate>,
    silo: &SiloRef,
    target: Target,
    mut capture: Capture,
    believed: &Believed,
) -> Result<Replaced> {
    let now = vault.clock.now();
    let model = silo.model(&capture.model, "template.model")?;
    let fingerprint = fingerprint("enrollment.replace_template", &target.template.to_string());
    let receipt = target.receipt(vault, silo, "replace")?;

    let alone = silo.lock_subject(&target.subject).await;
    let subject = subject_of(silo, &target.subject)?;
    // Before anything is done with the capture (O16).
    let cleared = dossiers::clear_aged(vault, silo, call, Some(subject), believed.age(), now).await?;
    let embedding = capture.take_embedding(believed.attested(), "template.embedding", model.profile.dimension())?;
    let owner = vault.keys.slot(silo.tree, subject)?.ok_or_else(no_subject)?;
    let remembered = Key::SubjectRequest { tree: silo.tree, subject, tag: request_tag(&owner, target.request) };
    let known = recall::<String>(&vault.store, &vault.keys, &remembered, &fingerprint)?;
    let facts = match known {
        Some(answer) => {
            let id = TemplateId::parse(&answer);
            let id = id.ok_or_else(|| StoreError::corrupt("remembered answer", "template"))?;
            let record = find(vault, silo, subject, id)?.record;
            expect_same(&record, &capture, &embedding)?;
            believed.repeat(vault, silo, call, audit::about(audit::done_to(call, &cleared, now)?, &owner)).await?;
            record.facts
        }
        None => {
            believed.first(vault, silo, call).await?;
            let old = find(vault, silo, subject, target.template)?;
            make_room(vault, silo, &model, subject, Some(old.at))?;
            let leases = vault.keys.allocate(silo.tree, 1).await?;
            let at = TemplateAt { subject, thing: leases[0].slot() };
            let mut change = Change::new();
            change.own(leases);
            let aged = dossiers::age(vault, silo, subject, believed.age(), now, &mut change).await?;
            // Whoever withdraws meanwhile is answered when this is over.
            let _answering = silo.rights().answering().await;
            let cleared = dossiers::clear_aged(vault, silo, call, Some(subject), believed.age(), now).await?;
            believed.still(vault, silo, call).await?;
            let template = templates::template(&capture, embedding, now);
            let facts = templates::put(&cleared, &mut vault.keys.opener(), silo, &model, at, template, &mut change)?;
            remember(&mut vault.keys.opener(), &mut change, remembered, fingerprint, facts.id.to_string())?;
            templates::delete(silo, old.at, old.profile, &mut change);
            if is_asked_for(call) {
                notification::owe(vault, silo, subject, Occasion::Rectified, now, &mut change)?;
            }
            believed.spend(&mut change);
            let entry = believed.tell(audit::done_to(call, &cleared, now)?)?;
            change.log(silo.tree, audit::about(entry, &owner));
            aged.tell(silo, &owner, now, &mut change)?;
            let mut erasure = of_template(silo, old.at, receipt, now);
            erasure.slots.extend_from_slice(aged.slots());
            vault.eraser.accept(erasure, change).await?;
            facts
        }
    };
    // What was committed has been followed.
    let sequence = silo.sequence();
    drop(alone);
    let state = wait(vault, silo.tree, receipt, target.until).await?;
    Ok(Replaced { facts, dimension: model.profile.dimension(), erasure: Erasure { receipt, state }, sequence })
}

/// Deletes a template; its keys are shredded.
pub async fn delete_template(vault: &Vault, call: Authorized<DeleteTemplate>, target: Target) -> Result<Erasure> {
    let silo = vault.silo(&call)?;
    let deleted = delete(vault, &call, &silo, target).await;
    vault.noting_misses(silo.tree, &call, deleted).await
}

async fn delete(vault: &Vault, call: &Authorized<DeleteTemplate>, silo: &SiloRef, target: Target) -> Result<Erasure> {
    let now = vault.clock.now();
    let receipt = target.receipt(vault, silo, "delete")?;
    let alone = silo.lock_subject(&target.subject).await;
    if vault.eraser.state(silo.tree, receipt)?.is_none() {
        let subject = subject_of(silo, &target.subject)?;
        let cleared = dossiers::clear(vault, silo, call, Some(subject), now).await?;
        let owner = vault.keys.slot(silo.tree, subject)?.ok_or_else(no_subject)?;
        let old = find(vault, silo, subject, target.template)?;
        let mut change = Change::new();
        templates::delete(silo, old.at, old.profile, &mut change);
        if is_asked_for(call) {
            notification::owe(vault, silo, subject, Occasion::ErasedInPart, now, &mut change)?;
        }
        let entry = audit::about(audit::done_to(call, &cleared, now)?, &owner);
        change.log(silo.tree, entry);
        vault.eraser.accept(of_template(silo, old.at, receipt, now), change).await?;
    } else {
        vault.note(silo.tree, call).await?;
    }
    drop(alone);
    Ok(Erasure { receipt, state: wait(vault, silo.tree, receipt, target.until).await? })
}

/// Whether the person wants it: what a client renews or tidies up for purposes of its own rectifies nothing (O41; GDPR Art. 16, 17, 19).
fn is_asked_for<O: Kind>(call: &Authorized<O>) -> bool {
    call.purpose() == Purpose::DataSubjectRequest
}

/// One template's own key goes: nothing else is sealed under it.
fn of_template(silo: &Silo, at: TemplateAt, receipt: ReceiptId, now: Timestamp) -> Request {
    Request { tree: silo.tree, task: Task::Erase(Scope::Template), slots: vec![at.thing], receipt, now }
}

fn subject_of(silo: &SiloRef, id: &SubjectId) -> Result<SlotRef> {
    silo.subject(id).ok_or_else(no_subject)
}

fn no_subject() -> Error {
    Error::NotFound(Reason::SubjectNotFound, "there is no such subject".to_owned())
}

fn find(vault: &Vault, silo: &Silo, subject: SlotRef, id: TemplateId) -> Result<Found> {
    let found = templates::of_subject(&vault.store, &vault.keys, silo, subject, None)?;
    let found = found.into_iter().find(|found| found.record.facts.id == id);
    found.ok_or_else(|| Error::NotFound(Reason::TemplateNotFound, "the subject has no such template".to_owned()))
}
