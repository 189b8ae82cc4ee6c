use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::{Lease, SlotRef};
use lethe_crypto::wiping;
use lethe_domain::{Embedding, Reason, RequestId, SubjectId, TemplateFacts, TemplateId};
use lethe_policy::Authorized;
use lethe_policy::operation::Enroll;

use super::make_room;
use crate::attestation::{self, Believed, Repeatable};
use crate::audit;
use crate::dossiers;
use crate::erasure::{Request, Task};
use crate::error::{Error, Result};
use crate::idempotency::{Fingerprint, recall, remember, request_tag};
use crate::records::TemplateRecord;
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, StoreError, TemplateAt};
use crate::subject::baseless;
use crate::templates::{self, Capture};
use crate::vault::Vault;

/// A template to add to a subject, which is created with its first.
pub struct Enrolment {
    /// The applicant id.
    pub subject: SubjectId,
    /// The template.
    pub capture: Capture,
    /// A repeat gives the first answer.
    pub request: Option<RequestId>,
}

/// What was enrolled.
pub struct Enrolled {
    /// The template.
    pub facts: TemplateFacts,
    /// Components of its embedding.
    pub dimension: usize,
    /// The change's place in the tenant's log, counting from 1: a search with this or a higher sequence has seen it.
    pub sequence: u64,
}

/// Adds a template. The answer means synced.
pub async fn enroll(vault: &Vault, call: &Authorized<Enroll>, mut enrolment: Enrolment) -> Result<Enrolled> {
    let silo = vault.silo(call)?;
    let repeatable = enrolment.request.map(|id| Repeatable { request: id, of: enrolment.subject.as_str() });
    let believed = attestation::believe(vault, &silo, call, &enrolment.capture, repeatable).await?;
    let enrolled = add(vault, call, &silo, &mut enrolment, &believed).await;
    let enrolled = believed.spent_by(vault, enrolled).await;
    baseless::follow_up_aged(vault, &silo, &enrolment.subject, believed.age_now(), enrolled).await
}

async fn add(
    vault: &Vault,
    call: &Authorized<Enroll>,
    silo: &SiloRef,
    enrolment: &mut Enrolment,
    believed: &Believed,
) -> Result<Enrolled> {
    let now = vault.clock.now();
    let capture = &mut enrolment.capture;
    let model = silo.model(&capture.model, "template.model")?;
    let fingerprint = fingerprint("enrollment.enroll", enrolment.subject.as_str());
    let dimension = model.profile.dimension();

    let _alone = silo.lock_subject(&enrolment.subject).await;
    let known = silo.subject(&enrolment.subject);
    // Before anything is done with the capture (O16).
    let cleared = dossiers::clear_aged(vault, silo, call, known, believed.age(), now).await?;
    let embedding = capture.take_embedding(believed.attested(), "template.embedding", dimension)?;
    if let (Some(subject), Some(request)) = (known, enrolment.request)
        && let Some(record) = recall_template(vault, silo, subject, request, &fingerprint)?
    {
        expect_same(&record, capture, &embedding)?;
        let owner = vault.keys.slot(silo.tree, subject)?.ok_or_else(erased)?;
        believed.repeat(vault, silo, call, audit::about(audit::done_to(call, &cleared, now)?, &owner)).await?;
        return Ok(Enrolled { facts: record.facts, dimension, sequence: silo.sequence() });
    }
    believed.first(vault, silo, call).await?;

    if let Some(subject) = known {
        make_room(vault, silo, &model, subject, None)?;
    }
    let mut change = Change::new();
    let (subject, leases) = slots(vault, silo, known).await?;
    let at = TemplateAt { subject, thing: leases[leases.len() - 1].slot() };
    change.own(leases);
    let aged = dossiers::age(vault, silo, subject, believed.age(), now, &mut change).await?;
    // Slots may be waited for; from here on it is a moment, and whoever withdraws meanwhile is answered when it is over.
    let _answering = silo.rights().answering().await;
    let cleared = dossiers::clear_aged(vault, silo, call, known, believed.age(), now).await?;
    believed.still(vault, silo, call).await?;
    let facts = wiping::after_ciphers(|| {
        let mut keys = vault.keys.opener();
        if known.is_none() {
            dossiers::put_subject(&mut keys, silo, subject, &enrolment.subject, now, &mut change)?;
        }
        let template = templates::template(capture, embedding, now);
        let facts = templates::put(&cleared, &mut keys, silo, &model, at, template, &mut change)?;
        let owner = keys.slot(silo.tree, subject)?.ok_or_else(erased)?;
        if let Some(request) = enrolment.request {
            let key = Key::SubjectRequest { tree: silo.tree, subject, tag: request_tag(&owner, request) };
            remember(&mut keys, &mut change, key, fingerprint, facts.id.to_string())?;
        }
        believed.spend(&mut change);
        let entry = believed.tell(audit::done_to(call, &cleared, now)?)?;
        change.log(silo.tree, audit::about(entry, &owner));
        aged.tell(silo, &owner, now, &mut change)?;
        Ok::<_, Error>(facts)
    })?;
    if !aged.slots().is_empty() {
        let (receipt, slots) = (aged.receipt(vault, silo)?, aged.slots().to_vec());
        let request = Request { tree: silo.tree, task: Task::Erase(Scope::Template), slots, receipt, now };
        vault.eraser.accept(request, change).await?;
        // What was committed has been followed.
        return Ok(Enrolled { facts, dimension, sequence: silo.sequence() });
    }
    let committed = vault.store.commit(change).await?;
    // Its one entry is leaf n of the log; with it the log has n + 1 entries.
    let sequence = committed.leaves.first().map_or_else(|| silo.sequence(), |leaf| leaf + 1);
    Ok(Enrolled { facts, dimension, sequence })
}

fn erased() -> Error {
    Error::NotFound(Reason::SubjectNotFound, "erased meanwhile".to_owned())
}

/// The subject's slot, new if need be, and leases on all that is new; the template's is the last.
async fn slots(vault: &Vault, silo: &Silo, known: Option<SlotRef>) -> Result<(SlotRef, Vec<Lease>)> {
    let leases = vault.keys.allocate(silo.tree, if known.is_some() { 1 } else { 2 }).await?;
    Ok((known.unwrap_or_else(|| leases[0].slot()), leases))
}

fn recall_template(
    vault: &Vault,
    silo: &Silo,
    subject: SlotRef,
    request: RequestId,
    fingerprint: &str,
) -> Result<Option<TemplateRecord>> {
    let Some(owner) = vault.keys.slot(silo.tree, subject)? else { return Ok(None) };
    let key = Key::SubjectRequest { tree: silo.tree, subject, tag: request_tag(&owner, request) };
    let Some(answer) = recall::<String>(&vault.store, &vault.keys, &key, fingerprint)? else { return Ok(None) };
    let id = TemplateId::parse(&answer).ok_or_else(|| StoreError::corrupt("remembered answer", "template"))?;
    let found = templates::of_subject(&vault.store, &vault.keys, silo, subject, None)?;
    let found = found.into_iter().find(|found| found.record.facts.id == id);
    let gone = || Error::NotFound(Reason::TemplateNotFound, "the request's template was deleted since".to_owned());
    Ok(Some(found.ok_or_else(gone)?.record))
}

/// Digest of what a request is about, and of nothing that it says of a face: it is sealed under the subject's key alone, and
/// would outlive the template (rule 6). What was said is held against the template itself: see [`expect_same`].
pub(super) fn fingerprint(operation: &str, of: &str) -> String {
    Fingerprint::of(operation).with(of.as_bytes()).finish()
}

/// A repeat says what the first request said: it made this template.
///
/// # Errors
/// `RequestIdReused` if it says something else.
pub(super) fn expect_same(record: &TemplateRecord, capture: &Capture, embedding: &Embedding) -> Result<()> {
    let facts = &record.facts;
    let said = (&facts.model, facts.kind, facts.quality, facts.captured_at);
    let same = said == (&capture.model, capture.kind, capture.quality, capture.captured_at)
        && record.embedding.components() == embedding.components();
    if same { Ok(()) } else { Err(Error::RequestIdReused) }
}
