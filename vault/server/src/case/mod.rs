//! The review queue: questions about people that people answer (O11).
//!
//! A case is sealed under its person's key and dies with it; the second person of a pair is in it by slot alone. What is
//! unclear the vault asks by itself; what comes of a case is evidence, and nothing that is judged or compared depends on it (O37).

mod book;
mod expiry;
mod pair;
mod unclear;

use std::sync::Arc;

use lethe_crypto::secret::SlotKey;
use lethe_crypto::tag::tag;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    Case, CaseDecision, CaseId, CaseKind, CaseReason, CaseState, Invalid, Question, Reason, RequestId, RequestKind,
    RightsRequestId, SubjectId, Timestamp,
};
use lethe_policy::case::Answer;
use lethe_policy::operation::{ContestCase, CreateContestedCase, DecideCase, GetCase, Kind, ListCases};
use lethe_policy::{Authorized, Denial, Party, case as rules, sees_scores};

use crate::approval::party;
use crate::audit;
use crate::error::{Error, Result};
use crate::records::StoredCase;
use crate::request;
use crate::silo::{Answering, Silo};
use crate::store::Change;
use crate::subject::unknown;
use crate::vault::Vault;

pub use book::Page;
pub(crate) use book::all as of_subject;
pub(crate) use expiry::expire;
pub use pair::{Pair, create as create_pair};
pub(crate) use unclear::{Attempted, PLACES, ask_later};

/// A case, and whom it is about.
pub struct Filed {
    /// Whom.
    pub subject: SubjectId,
    /// The case.
    pub case: Case,
}

/// A case that is told. Until it is given, nobody is told that they are erased, or that their withdrawal has taken effect.
pub struct Told {
    /// The case.
    pub filed: Filed,
    /// Whether the caller sees scores.
    pub scored: bool,
    _answering: Answering,
}

/// Which cases are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only those that stand so.
    pub state: Option<CaseState>,
    /// Only those that ask this.
    pub kind: Option<CaseKind>,
}

impl Filter {
    fn takes(&self, case: &Case) -> bool {
        self.state.is_none_or(|state| case.state() == state) && self.kind.is_none_or(|kind| case.kind() == kind)
    }
}

/// Reads a case.
///
/// # Errors
/// `SubjectNotFound`, `CaseNotFound`.
pub async fn get(vault: &Vault, call: Authorized<GetCase>, subject: &SubjectId, id: CaseId) -> Result<Told> {
    let silo = vault.silo(&call)?;
    let answering = silo.rights().answering().await;
    let read = async {
        let (slot, owner) = whom(vault, &silo, subject)?;
        let found = book::expect(vault, &silo, slot, id)?;
        vault.record(silo.tree, audit::about(audit::done(&call, vault.clock.now())?, &owner)).await?;
        Ok(book::resolved(vault, &silo, found))
    };
    let read = read.await;
    let case = vault.noting_misses(silo.tree, &call, read).await?;
    Ok(told(&call, subject, case, answering))
}

/// Lists cases that are wanted, from a place on: a slot, times [`Case::MOST`], and how many of its cases come before. A page may have
/// fewer than are wanted, or none, and there may be another one all the same.
pub async fn list(
    vault: &Arc<Vault>,
    call: Authorized<ListCases>,
    filter: Filter,
    from: u64,
    size: usize,
) -> Result<Page> {
    let silo = vault.silo(&call)?;
    let (reader, of) = (Arc::clone(vault), Arc::clone(&silo));
    let (found, next) = vault.looking.in_turn(move || book::page(&reader, &of, filter, from, size)).await?;
    // Nobody's right waits for others to read.
    let answering = silo.rights().answering().await;
    let cases = book::still_there(&silo, found);
    vault.note(silo.tree, &call).await?;
    Ok(Page::new(cases, next, sees_scores(call.roles()), answering))
}

/// Opens a case for a person who contests what was decided automatically. Its id derives from the request, so that a repeat finds it.
///
/// # Errors
/// `RequestNotFound` for a request that is not the person's; `RequestIdReused`; `RecordsLimited`.
pub async fn create_contested(
    vault: &Vault,
    call: Authorized<CreateContestedCase>,
    subject: &SubjectId,
    contest: Option<RightsRequestId>,
    request: RequestId,
) -> Result<Told> {
    let silo = vault.silo(&call)?;
    let alone = silo.lock_subject(subject).await;
    let created = open_contested(vault, &silo, &call, subject, contest, request).await;
    let (case, sequence) = vault.noting_misses(silo.tree, &call, created).await?;
    let answering = silo.rights().answering().await;
    drop(alone);
    vault.store.mirrored_if_soon(sequence.unwrap_or(0)).await;
    Ok(told(&call, subject, case, answering))
}

async fn open_contested(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<CreateContestedCase>,
    subject: &SubjectId,
    contest: Option<RightsRequestId>,
    request: RequestId,
) -> Result<(Case, Option<u64>)> {
    let now = vault.clock.now();
    let (slot, owner) = whom(vault, silo, subject)?;
    let id = id_of(&owner, request);
    let cases = book::of(vault, silo, slot)?;
    let question = Question::Contested { request: contest };
    let entry = audit::about(audit::done(call, now)?, &owner);
    if let Some(known) = cases.iter().find(|known| known.case.id == id) {
        if known.case.question != question {
            return Err(Error::RequestIdReused);
        }
        vault.record(silo.tree, entry).await?;
        return Ok((known.case.clone(), None));
    }
    if let Some(contest) = contest {
        expect_contest(vault, silo, slot, contest)?;
    }
    let stored = StoredCase { case: Case::opened(id, question, now), other: None };
    let mut change = Change::new();
    if !book::make_room(vault, silo, slot, &cases, now, &mut change)? {
        return Err(full());
    }
    book::put(vault, silo, slot, &stored, &mut change)?;
    change.log(silo.tree, book::opened(entry, &stored.case)?);
    let sequence = vault.store.commit(change).await?.sequence;
    Ok((stored.case, Some(sequence)))
}

/// That a request is one of the person's, and contests a decision.
fn expect_contest(vault: &Vault, silo: &Silo, slot: SlotRef, contest: RightsRequestId) -> Result<()> {
    let asked = request::of_subject(vault, silo, slot)?;
    let known = asked.into_iter().find(|(id, _)| *id == contest);
    let missing = || Error::NotFound(Reason::RequestNotFound, "the subject made no such request".to_owned());
    let (_, known) = known.ok_or_else(missing)?;
    if known.kind != RequestKind::DecisionContest {
        return Err(Invalid::new("request", Reason::FieldOutOfRange, "must be one that contests a decision").into());
    }
    Ok(())
}

/// Answers a case. The same answer of the same one again changes nothing.
///
/// # Errors
/// `CaseNotFound`; `CaseClosed`; `ReviewerNotIndependent` for who decided before on what is escalated or contested, or may be that
/// one.
pub async fn decide(
    vault: &Vault,
    call: Authorized<DecideCase>,
    subject: &SubjectId,
    id: CaseId,
    answer: Answer,
    reason: CaseReason,
) -> Result<Told> {
    take_step(vault, &call, subject, id, "CASE_DECIDED", |case, who, now| {
        let earlier: Vec<_> = case.decisions.iter().filter_map(|decision| party(vault, decision.by)).collect();
        rules::decide(case, answer, reason, who, &earlier, now)
    })
    .await
}

/// Opens a case again that was decided, for the person. One that is contested stays so.
///
/// # Errors
/// `CaseNotFound`; `CaseUndecided`.
pub async fn contest(vault: &Vault, call: Authorized<ContestCase>, subject: &SubjectId, id: CaseId) -> Result<Told> {
    take_step(vault, &call, subject, id, "CASE_CONTESTED", rules::contest).await
}

async fn take_step<O: Kind>(
    vault: &Vault,
    call: &Authorized<O>,
    subject: &SubjectId,
    id: CaseId,
    event: &str,
    step: impl FnOnce(&Case, &Party, Timestamp) -> std::result::Result<Option<CaseDecision>, Denial>,
) -> Result<Told> {
    let silo = vault.silo(call)?;
    let alone = silo.lock_subject(subject).await;
    let taken = async {
        let now = vault.clock.now();
        let gone = || Error::NotFound(Reason::CredentialNotFound, "there is no such credential".to_owned());
        let who = party(vault, call.credential()).ok_or_else(gone)?;
        let (slot, owner) = whom(vault, &silo, subject)?;
        let mut found = book::expect(vault, &silo, slot, id)?;
        let decision = match step(&found.case, &who, now) {
            Ok(decision) => decision,
            Err(denial) => {
                let entry = audit::refused(call, denial.reason, now)?;
                vault.record(silo.tree, audit::about(entry, &owner)).await?;
                return Err(denial.into());
            }
        };
        let entry = audit::about(audit::done(call, now)?, &owner);
        let Some(decision) = decision else {
            vault.record(silo.tree, entry).await?;
            return Ok((found, None));
        };
        found.case.decisions.push(decision);
        let mut change = Change::new();
        book::put(vault, &silo, slot, &found, &mut change)?;
        change.log(silo.tree, book::decided(entry, event, &found.case, &decision)?);
        let sequence = vault.store.commit(change).await?.sequence;
        Ok((found, Some(sequence)))
    };
    let taken = taken.await;
    let (found, sequence) = vault.noting_misses(silo.tree, call, taken).await?;
    let answering = silo.rights().answering().await;
    let case = book::resolved(vault, &silo, found);
    drop(alone);
    if let Some(sequence) = sequence {
        // What somebody answered must not be lost with a disk.
        vault.store.mirrored_if_soon(sequence).await;
    }
    Ok(told(call, subject, case, answering))
}

/// A person's slot, and the key in it.
fn whom(vault: &Vault, silo: &Silo, subject: &SubjectId) -> Result<(SlotRef, SlotKey)> {
    let slot = silo.subject(subject).ok_or_else(unknown)?;
    Ok((slot, vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?))
}

/// The id of a case that somebody opens: nobody without the person's key can make it, or tell what it is of.
fn id_of(owner: &SlotKey, request: RequestId) -> CaseId {
    CaseId::from_bytes(tag(owner, "case", request.as_bytes()))
}

fn told<O: Kind>(call: &Authorized<O>, subject: &SubjectId, case: Case, answering: Answering) -> Told {
    let filed = Filed { subject: subject.clone(), case };
    Told { filed, scored: sees_scores(call.roles()), _answering: answering }
}

/// What a caller is told where as many cases are there as may be, and none can give way.
fn full() -> Error {
    let message = format!("{} cases about the subject are kept already, and none of them may go", Case::MOST);
    // Somebody has to decide first.
    let retry_after = std::time::Duration::from_secs(60 * 60);
    Error::Limited { reason: Reason::RecordsLimited, retry_after, message }
}
