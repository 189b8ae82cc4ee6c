//! Adding entries: of a subject's template, or of a mask.

use std::sync::Arc;

use lethe_crypto::log::entry::EntryDraft;
use lethe_crypto::secret::SlotKey;
use lethe_crypto::tree::SlotRef;
use lethe_crypto::wiping;
use lethe_domain::{
    Dossier, Embedding, Invalid, Label, LawfulBasis, ModelId, Reason, RequestId, SubjectId, TemplateId, Timestamp,
    Watchlist, WatchlistEntry, WatchlistEntryId, WatchlistId,
};
use lethe_policy::operation::AddWatchlistEntry;
use lethe_policy::{Authorized, Cleared, Denial, past_its_time, watchlist as rules};

use super::{Filed, book};
use crate::attestation::{self, Believed, Repeatable};
use crate::audit;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::idempotency::{Fingerprint, recall, remember, request_tag};
use crate::records::ListedRecord;
use crate::silo::{Model, Silo, SiloRef};
use crate::store::{Change, Key, StoreError, WatchlistNumber};
use crate::subject::{baseless, unknown};
use crate::templates::{self, Capture, Found};
use crate::vault::Vault;

/// An applicant id of so many bytes is looked for within what an entry is filed under; a shorter one must not be all of it.
const TELLING: usize = 4;

/// Most entries that a tenant has.
const MOST: usize = 10_000;

/// What an entry is made from.
pub enum Source {
    /// A template of a subject.
    Template(SubjectId, TemplateId),
    /// A capture of nobody's face.
    Capture(Capture),
}

/// What an entry is to say.
pub struct Wanted {
    /// The list.
    pub list: WatchlistId,
    /// What it is made from.
    pub source: Source,
    /// What it rests on.
    pub basis: LawfulBasis,
    /// The client's reference of the confirmation.
    pub reference: Label,
    /// When it was confirmed.
    pub confirmed_at: Timestamp,
    /// From when on it is not compared.
    pub expires_at: Timestamp,
    /// A repeat gives the first answer.
    pub request: RequestId,
}

impl Wanted {
    /// Digest of what a request is about, and of nothing that it says of a face.
    fn fingerprint(&self, of: &[u8]) -> String {
        Fingerprint::of("watchlist.add_entry")
            .with(self.list.as_str().as_bytes())
            .with(of)
            .with(&[self.basis.number()])
            .with(self.reference.as_str().as_bytes())
            .with(&self.confirmed_at.millis().to_be_bytes())
            .with(&self.expires_at.millis().to_be_bytes())
            .finish()
    }

    fn entry(&self, call: &Authorized<AddWatchlistEntry>, model: ModelId, now: Timestamp) -> WatchlistEntry {
        WatchlistEntry {
            model,
            basis: self.basis,
            reference: self.reference.clone(),
            confirmed_at: self.confirmed_at,
            expires_at: self.expires_at,
            added_at: now,
            added_by: call.credential(),
            contest: None,
            upheld: None,
        }
    }

    fn check(&self, list: &Watchlist, source: rules::Source, now: Timestamp) -> Result<()> {
        let (confirmed, expires) = (self.confirmed_at, self.expires_at);
        Ok(rules::check(list.kind, source, self.basis, confirmed, expires, now)?)
    }
}

/// Adds an entry. The answer means synced.
///
/// # Errors
/// `WatchlistNotFound`; `WatchlistEntryContested` while one of the person is; `FieldOutOfRange` for a reference or a list that has the
/// applicant id in it; what [`lethe_policy::watchlist`] refuses, and, of a template, what is refused of all processing; `WatchlistLimited`;
/// `WatchlistEntryNotFound` for a repeat whose entry was removed since.
pub async fn add(vault: &Arc<Vault>, call: Authorized<AddWatchlistEntry>, mut wanted: Wanted) -> Result<Filed> {
    let silo = vault.silo(&call)?;
    let added = match &mut wanted.source {
        Source::Template(subject, template) => {
            let (subject, template) = (subject.clone(), *template);
            let added = of_template(vault, &call, &silo, &wanted, &subject, template).await;
            baseless::follow_up(vault, &silo, &subject, added).await
        }
        Source::Capture(capture) => {
            let repeatable = Repeatable { request: wanted.request, of: wanted.list.as_str() };
            let believed = attestation::believe(vault, &silo, &call, capture, Some(repeatable)).await?;
            // A minor's face is on no list, also where it is said to be a mask's (O40).
            let person = Dossier { age: believed.age().unwrap_or_default(), ..Dossier::default() };
            vault.noting_denials(silo.tree, &call, rules::age_allows(&person).map_err(Error::Denied)).await?;
            let model = silo.model(&capture.model, "capture.model")?;
            let dimension = model.profile.dimension();
            let embedding = capture.take_embedding(believed.attested(), "capture.embedding", dimension)?;
            of_capture(vault, &call, &silo, &wanted, (&model, embedding), &believed).await
        }
    };
    vault.noting_misses(silo.tree, &call, added).await
}

async fn of_template(
    vault: &Arc<Vault>,
    call: &Authorized<AddWatchlistEntry>,
    silo: &SiloRef,
    wanted: &Wanted,
    subject: &SubjectId,
    template: TemplateId,
) -> Result<Filed> {
    let now = vault.clock.now();
    let _administering = silo.lock_administration().await;
    let _alone = silo.lock_subject(subject).await;
    nameless(wanted, subject)?;
    let (number, list) = book::expect_list(vault, silo, &wanted.list)?;
    let slot = silo.subject(subject).ok_or_else(unknown)?;
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let cleared = clear(vault, call, silo, slot, &owner, now).await?;
    let fingerprint = wanted.fingerprint(template.as_bytes());
    let remembered = Key::SubjectRequest { tree: silo.tree, subject: slot, tag: request_tag(&owner, wanted.request) };
    if let Some(answer) = recall::<String>(&vault.store, &vault.keys, &remembered, &fingerprint)? {
        let known = again(vault, silo, number, &list, &answer)?;
        vault.record(silo.tree, audit::about(audit::done_to(call, &cleared, now)?, &owner)).await?;
        return Ok(known.filed);
    }
    let found = template_of(vault, silo, slot, template)?;
    let provided_at = found.record.facts.enrolled_at;
    let dossier = dossiers::of(vault, silo, slot)?;
    wanted.check(&list, rules::Source::template(&silo.policy(), &dossier, provided_at), now)?;
    make_room(vault, silo).await?;
    let mut listed = Vec::new();
    for (number, id) in book::listed(vault, silo, slot)? {
        let Some((key, _)) = book::place(vault, silo, number, id)? else { continue };
        // Of one that cannot be read nobody knows: it can be removed.
        let record = book::reread(vault, &key).inspect_err(|fault| {
            tracing::error!(%fault, list = number, entry = %id, "an entry of a watch list cannot be read");
        })?;
        if record.is_some_and(|record| record.entry.contest.is_some()) {
            return Err(contested());
        }
        listed.push((number, id));
    }
    if listed.len() >= ListedRecord::MOST {
        return Err(book::limited(format!(
            "{} entries are made from one subject's templates at most",
            ListedRecord::MOST
        )));
    }

    let leases = vault.keys.allocate(silo.tree, 1).await?;
    let own = leases[0].slot();
    let mut change = Change::new();
    change.own(leases);
    // Slots may be waited for; from here on it is a moment, and whoever withdraws meanwhile is answered when it is over.
    let answering = silo.rights().answering().await;
    let cleared = clear(vault, call, silo, slot, &owner, now).await?;
    let kept = if cleared.keeps(provided_at) { Ok(()) } else { Err(past_its_time()) };
    refusing(vault, call, silo, &owner, now, kept).await?;
    let id = WatchlistEntryId::random();
    let entry = wanted.entry(call, found.record.facts.model.clone(), now);
    let key = Key::WatchlistEntry { tree: silo.tree, list: number, entry: id, slot: own };
    book::put(vault, key, &entry, &found.record.embedding, &mut change)?;
    listed.push((number, id));
    let mut keys = vault.keys.opener();
    let key = Key::Listed { tree: silo.tree, subject: slot };
    let sealed = keys.seal(&key, "", &ListedRecord::seal_as(&listed)?)?;
    change.put(key, sealed);
    remember(&mut keys, &mut change, remembered, fingerprint, id.to_string())?;
    drop(keys);
    let logged = audit::about(audit::done_to(call, &cleared, now)?, &owner);
    change.log(silo.tree, told(logged, wanted, id, None)?);
    let sequence = vault.store.commit(change).await?.sequence;
    // Nobody's right waits for a mirror.
    drop(answering);
    vault.store.mirrored_if_soon(sequence).await;
    Ok(Filed { list, id, entry })
}

async fn of_capture(
    vault: &Arc<Vault>,
    call: &Authorized<AddWatchlistEntry>,
    silo: &SiloRef,
    wanted: &Wanted,
    (model, embedding): (&Model, Embedding),
    believed: &Believed,
) -> Result<Filed> {
    let now = vault.clock.now();
    let _administering = silo.lock_administration().await;
    let (number, list) = book::expect_list(vault, silo, &wanted.list)?;
    let fingerprint = wanted.fingerprint(model.profile.model().to_string().as_bytes());
    let tag = request_tag(&vault.keys.own(silo.tree)?, wanted.request);
    let remembered = Key::TenantRequest { tree: silo.tree, tag };
    if let Some(answer) = recall::<String>(&vault.store, &vault.keys, &remembered, &fingerprint)? {
        let known = again(vault, silo, number, &list, &answer)?;
        if known.embedding.components() != embedding.components() {
            return Err(Error::RequestIdReused);
        }
        believed.repeat(vault, silo, call, audit::done(call, now)?).await?;
        return Ok(known.filed);
    }
    believed.first(vault, silo, call).await?;
    wanted.check(&list, rules::Source::Capture, now)?;
    make_room(vault, silo).await?;
    let leases = vault.keys.allocate(silo.tree, 1).await?;
    let own = leases[0].slot();
    let mut change = Change::new();
    change.own(leases);
    let answering = silo.rights().answering().await;
    believed.still(vault, silo, call).await?;
    let id = WatchlistEntryId::random();
    let entry = wanted.entry(call, model.profile.model().clone(), now);
    let key = Key::WatchlistEntry { tree: silo.tree, list: number, entry: id, slot: own };
    book::put(vault, key, &entry, &embedding, &mut change)?;
    remember(&mut vault.keys.opener(), &mut change, remembered, fingerprint, id.to_string())?;
    believed.spend(&mut change);
    change.log(silo.tree, told(audit::done(call, now)?, wanted, id, believed.kid())?);
    let sequence = vault.store.commit(change).await?.sequence;
    // Nobody's right waits for a mirror.
    drop(answering);
    vault.store.mirrored_if_soon(sequence).await;
    Ok(Filed { list, id, entry })
}

/// Judges the call for the subject, as all processing of it, and whether a watch list takes it at all; a refusal is logged, about
/// the subject.
async fn clear(
    vault: &Vault,
    call: &Authorized<AddWatchlistEntry>,
    silo: &Silo,
    slot: SlotRef,
    owner: &SlotKey,
    now: Timestamp,
) -> Result<Cleared> {
    let (policy, dossier) = (silo.policy(), dossiers::of(vault, silo, slot)?);
    let allowed = match rules::law_allows(&policy, &dossier) {
        Ok(()) => {
            let cleared = dossiers::clear(vault, silo, call, Some(slot), now).await?;
            rules::age_allows(&dossier).map(|()| cleared)
        }
        Err(denial) => Err(denial),
    };
    refusing(vault, call, silo, owner, now, allowed).await
}

/// Gives what was judged; a refusal is logged, about the subject.
async fn refusing<T>(
    vault: &Vault,
    call: &Authorized<AddWatchlistEntry>,
    silo: &Silo,
    owner: &SlotKey,
    now: Timestamp,
    judged: std::result::Result<T, Denial>,
) -> Result<T> {
    if let Err(denial) = &judged {
        let entry = audit::judged_by(audit::refused(call, denial.reason, now)?, Some(silo.policy().version));
        vault.record(silo.tree, audit::about(entry, owner)).await?;
    }
    Ok(judged?)
}

/// An entry must lead to nobody, and what it is filed under outlives the person: it does not have the applicant id in it (O40).
fn nameless(wanted: &Wanted, subject: &SubjectId) -> Result<()> {
    let id = subject.as_str().to_lowercase();
    // An id of a letter or two is in every word.
    let tells = |text: &str| {
        let text = text.to_lowercase();
        text == id || id.len() >= TELLING && text.contains(&id)
    };
    for (field, text) in [("reference", wanted.reference.as_str()), ("parent", wanted.list.as_str())] {
        if tells(text) {
            let message = "has the applicant id of the person in it, which the entry outlives";
            return Err(Invalid::new(field, Reason::FieldOutOfRange, message).into());
        }
    }
    Ok(())
}

fn contested() -> Error {
    let message =
        "an entry that was made from the person's templates is contested; none is added until that is decided";
    Error::Precondition(Reason::WatchlistEntryContested, message.to_owned())
}

/// The entry that a request made before.
fn again(vault: &Vault, silo: &Silo, number: WatchlistNumber, list: &Watchlist, answer: &str) -> Result<book::Found> {
    let id = WatchlistEntryId::parse(answer);
    let id = id.ok_or_else(|| StoreError::corrupt("remembered answer", "entry of a watch list"))?;
    book::find(vault, silo, number, list, id)?.ok_or_else(book::missing)
}

fn template_of(vault: &Vault, silo: &Silo, slot: SlotRef, id: TemplateId) -> Result<Found> {
    let found = wiping::after_ciphers(|| templates::of_subject(&vault.store, &vault.keys, silo, slot, None))?;
    let found = found.into_iter().find(|found| found.record.facts.id == id);
    found.ok_or_else(|| Error::NotFound(Reason::TemplateNotFound, "the subject has no such template".to_owned()))
}

/// Refuses one entry more than a tenant may have.
async fn make_room(vault: &Arc<Vault>, silo: &SiloRef) -> Result<()> {
    let (reader, tree) = (Arc::clone(vault), silo.tree);
    let counted = tokio::task::spawn_blocking(move || book::count(&reader, tree, MOST)).await;
    if counted.map_err(|_| Error::TaskLost)?? < MOST {
        return Ok(());
    }
    Err(book::limited(format!("a tenant has {MOST} entries of watch lists at most")))
}

/// The entry of what was added, with the key whose word was taken for it, if any was.
fn told(entry: EntryDraft, wanted: &Wanted, id: WatchlistEntryId, kid: Option<&str>) -> Result<EntryDraft> {
    let id = id.to_string();
    let mut fields = vec![("watchlist", wanted.list.as_str()), ("entry", id.as_str()), ("basis", wanted.basis.name())];
    fields.extend(kid.map(|kid| ("kid", kid)));
    audit::telling(entry, "WATCHLIST_ENTRY_ADDED", &fields)
}
