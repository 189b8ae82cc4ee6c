//! The rows of cases.

use std::ops::ControlFlow;

use lethe_crypto::log::entry::EntryDraft;
use lethe_crypto::secret::SlotKey;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{Case, CaseDecision, CaseId, Question, Reason, Timestamp};
use lethe_policy::case as rules;
use lethe_policy::keeper;
use serde::Serialize;

use super::{Filed, Filter};
use crate::audit;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::records::{StoredCase, encode};
use crate::silo::{Answering, Silo};
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// What the log calls the end of cases.
const EXPIRE: &str = "vault.expire_cases";
/// Most rows that a page reads: then others have their turn.
const STRIDE: usize = 1000;
/// Places in a list of one person's cases.
const PLACES: u64 = Case::MOST as u64;

/// A page of cases.
pub struct Page {
    /// Cases, each with its person.
    pub cases: Vec<Filed>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<u64>,
    /// Whether the caller sees scores.
    pub scored: bool,
    _answering: Answering,
}

impl Page {
    /// Until it is given, nobody is told that they are erased.
    pub(super) fn new(cases: Vec<Filed>, next: Option<u64>, scored: bool, answering: Answering) -> Self {
        Self { cases, next, scored, _answering: answering }
    }
}

/// What the log keeps of a step with a case, sealed under the person's key: of a pair, nothing of the other. In clear the case's id
/// would tie entries to each other, and to whoever kept the case's name, for ever.
#[derive(Serialize)]
struct Details<'a> {
    case: String,
    kind: &'static str,
    model: Option<&'a str>,
    version: Option<&'a str>,
    band: Option<&'static str>,
    score: Option<f32>,
    policy_version: Option<u32>,
    step: Option<&'static str>,
    reason: Option<&'static str>,
}

impl<'a> Details<'a> {
    fn of(case: &'a Case, decision: Option<&CaseDecision>) -> Self {
        let seen = case.seen();
        Self {
            case: case.id.to_string(),
            kind: case.kind().name(),
            model: case.model().map(lethe_domain::ModelId::id),
            version: case.model().map(lethe_domain::ModelId::version),
            band: seen.map(|seen| seen.band.name()),
            score: seen.map(|seen| seen.score),
            policy_version: seen.map(|seen| seen.policy_version),
            step: decision.map(|decision| decision.step.name()),
            reason: decision.map(|decision| decision.reason.name()),
        }
    }
}

/// The entry of a case that is opened.
pub(super) fn opened(entry: EntryDraft, case: &Case) -> Result<EntryDraft> {
    let entry = audit::telling(entry, "CASE_OPENED", &[])?;
    Ok(entry.details(encode("case", &Details::of(case, None))?))
}

/// The entry of a step that is taken.
pub(super) fn decided(entry: EntryDraft, event: &str, case: &Case, decision: &CaseDecision) -> Result<EntryDraft> {
    let entry = audit::telling(entry, event, &[("step", decision.step.name())])?;
    Ok(entry.details(encode("case", &Details::of(case, Some(decision)))?))
}

/// Writes a case.
pub(super) fn put(
    vault: &Vault,
    silo: &Silo,
    subject: SlotRef,
    stored: &StoredCase,
    change: &mut Change,
) -> Result<()> {
    let key = Key::Case { tree: silo.tree, subject, case: stored.case.id };
    let sealed = vault.keys.seal(&key, "", &stored.encode()?)?;
    change.put(key, sealed);
    Ok(())
}

/// Reads a case that must be there.
///
/// # Errors
/// `CaseNotFound`.
pub(super) fn expect(vault: &Vault, silo: &Silo, subject: SlotRef, id: CaseId) -> Result<StoredCase> {
    let missing = || Error::NotFound(Reason::CaseNotFound, "the subject has no such case".to_owned());
    let key = Key::Case { tree: silo.tree, subject, case: id };
    let sealed = vault.store.get(&key)?.ok_or_else(missing)?;
    let opened = vault.keys.open(&key, "", &sealed)?.ok_or_else(missing)?;
    Ok(StoredCase::read(id, &opened)?)
}

/// All cases about a person.
///
/// # Errors
/// One that cannot be read: how many there are, and what is open, is not known then.
pub(super) fn of(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Vec<StoredCase>> {
    let mut found = Vec::new();
    vault.store.few(RowKind::Case, &Key::prefix_of_cases(silo.tree, subject), |key, sealed| {
        if let Key::Case { case, .. } = key
            && let Some(opened) = vault.keys.open(&key, "", sealed)?
        {
            found.push(StoredCase::read(case, &opened)?);
        }
        Ok::<_, Error>(())
    })?;
    Ok(found)
}

/// The same for an archive: told, oldest first.
pub(crate) fn all(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Vec<Case>> {
    let found = of(vault, silo, subject)?.into_iter();
    let mut cases: Vec<_> = found.map(|stored| resolved(vault, silo, stored)).collect();
    cases.sort_by_key(|case| (case.opened_at, case.id));
    Ok(cases)
}

/// A case with the name of the second person of a pair, while that one is there: from the moment at which its erasure is accepted it
/// is not. One that cannot be read is not named either, and holds up nothing of the first one.
pub(super) fn resolved(vault: &Vault, silo: &Silo, stored: StoredCase) -> Case {
    let mut case = stored.case;
    if let (Question::Duplicate { other, .. }, Some(slot)) = (&mut case.question, stored.other) {
        *other = readable(dossiers::base(vault, silo, slot)).flatten().map(|base| base.id);
    }
    case
}

/// Makes room for one more case about a person, if there is or can be any: what a hold, a restriction or a statute keeps does not go.
pub(super) fn make_room(
    vault: &Vault,
    silo: &Silo,
    subject: SlotRef,
    cases: &[StoredCase],
    now: Timestamp,
    change: &mut Change,
) -> Result<bool> {
    if cases.len() < Case::MOST {
        return Ok(true);
    }
    let Some(oldest) = rules::gives_way(cases.iter().map(|stored| &stored.case)) else { return Ok(false) };
    if keeper(&silo.policy(), &dossiers::of(vault, silo, subject)?, now).is_some() {
        return Ok(false);
    }
    let Some(owner) = vault.keys.slot(silo.tree, subject)? else { return Ok(false) };
    change.delete(Key::Case { tree: silo.tree, subject, case: oldest.id });
    change.log(silo.tree, gone(&owner, silo.policy().version, 1, now)?);
    Ok(true)
}

/// The entry of cases about a person that are deleted: nobody asked.
pub(super) fn gone(owner: &SlotKey, policy: u32, count: usize, now: Timestamp) -> Result<EntryDraft> {
    let entry = audit::judged_by(audit::by_the_vault(EXPIRE, now)?, Some(policy));
    let entry = audit::counting(entry, "CASES_EXPIRED", &[("cases", count as u64)])?;
    Ok(audit::about(entry, owner))
}

/// Reads rows in their order from a key on, until it is enough. `None`: the keys are gone.
pub(super) fn each(
    vault: &Vault,
    silo: &Silo,
    start: &[u8],
    mut take: impl FnMut(SlotRef, CaseId, Option<Result<StoredCase>>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut keys = vault.keys.opener();
    let whole = Key::prefix_of_tree(RowKind::Case, silo.tree);
    vault.store.scan_from(RowKind::Case, &whole, start, |key, sealed| {
        let Key::Case { subject, case: id, .. } = key else { return Ok(ControlFlow::Continue(())) };
        let opened = keys.open(&key, "", sealed).transpose();
        take(subject, id, opened.map(|opened| opened.and_then(|opened| Ok(StoredCase::read(id, &opened)?))))
    })
}

/// What can be read; of what cannot, the operator is told, and the others do not wait for it.
pub(super) fn readable<T>(read: Result<T>) -> Option<T> {
    read.inspect_err(|fault| tracing::error!(%fault, "a case, or whom it names, cannot be read")).ok()
}

/// A case that was read, with where its person is, and the second one of a pair.
pub(super) struct Found {
    slot: SlotRef,
    other: Option<SlotRef>,
    filed: Filed,
}

/// A page of cases, from a place on, and where the next one begins; without those that cannot be read.
pub(super) fn page(
    vault: &Vault,
    silo: &Silo,
    filter: Filter,
    from: u64,
    size: usize,
) -> Result<(Vec<Found>, Option<u64>)> {
    let (first, skipped) = (SlotRef::first(from / PLACES), from % PLACES);
    let start = Key::Case { tree: silo.tree, subject: first, case: CaseId::from_bytes([0; 16]) }.encode();
    let (mut found, mut next, mut seen) = (Vec::new(), None, 0);
    let (mut at, mut place) = (first, 0);
    each(vault, silo, &start, |subject, _, stored| {
        if subject != at {
            (at, place) = (subject, 0);
        }
        if subject == first && place < skipped {
            place += 1;
            return Ok(ControlFlow::Continue(()));
        }
        if found.len() == size || seen == STRIDE {
            next = Some(subject.slot.saturating_mul(PLACES).saturating_add(place));
            return Ok(ControlFlow::Break(()));
        }
        (seen, place) = (seen + 1, place + 1);
        let stored = stored.and_then(readable).filter(|stored| filter.takes(&stored.case));
        found.extend(stored.map(|stored| (subject, stored)));
        Ok(ControlFlow::Continue(()))
    })?;
    let mut cases = Vec::with_capacity(found.len());
    let mut whose = None;
    for (slot, stored) in found {
        if whose.as_ref().is_none_or(|(known, _)| *known != slot) {
            whose = readable(dossiers::base(vault, silo, slot)).flatten().map(|base| (slot, base.id));
        }
        // Who is erased meanwhile is not named.
        let Some((_, subject)) = whose.as_ref().filter(|(known, _)| *known == slot) else { continue };
        let (subject, other) = (subject.clone(), stored.other);
        cases.push(Found { slot, other, filed: Filed { subject, case: resolved(vault, silo, stored) } });
    }
    Ok((cases, next))
}

/// What may be told of cases that were read before: whoever is erased since is not named.
pub(super) fn still_there(silo: &Silo, found: Vec<Found>) -> Vec<Filed> {
    let theirs = found.into_iter().filter(|found| silo.subject(&found.filed.subject) == Some(found.slot));
    let named = theirs.map(|Found { other: slot, mut filed, .. }| {
        if let Question::Duplicate { other, .. } = &mut filed.case.question
            && other.as_ref().is_some_and(|other| silo.subject(other) != slot)
        {
            *other = None;
        }
        filed
    });
    named.collect()
}
