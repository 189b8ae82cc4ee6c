//! What may become of a case (O11). Pure functions; nothing that is judged of a person depends on a case (O37).

use lethe_domain::{Case, CaseDecision, CaseKind, CaseReason, CaseState, CaseStep, Period, Reason, Timestamp};

use crate::approval::Party;
use crate::gate::Denial;

/// How long a case is kept, from the last that happened in it, where the client sets no time of its own.
pub const KEPT: Period = Period::months(24);

/// What a reviewer may say of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The same person; or, what was decided automatically is right.
    Confirmed,
    /// Somebody else; or, what was decided automatically is wrong.
    Distinct,
    /// Another reviewer shall say.
    Escalate,
}

impl Answer {
    /// The step that the answer is.
    pub const fn step(self) -> CaseStep {
        match self {
            Self::Confirmed => CaseStep::Confirmed,
            Self::Distinct => CaseStep::Distinct,
            Self::Escalate => CaseStep::Escalated,
        }
    }
}

/// Decides whether `who` may answer a case, of which `earlier` are those who took a step before and are on record. `None`: the same
/// was said by the same one before, and nothing is to be written.
///
/// Of a case that was escalated, or is contested, somebody else decides than took a step in it before: another credential, made
/// before all those steps, of another login, that none of those made, and that made none of those. Whoever is not on record any more
/// is held against it by id and time alone.
///
/// # Errors
/// The reason, with the obligation that asks for another human.
pub fn decide(
    case: &Case,
    answer: Answer,
    reason: CaseReason,
    who: &Party,
    earlier: &[Party],
    now: Timestamp,
) -> Result<Option<CaseDecision>, Denial> {
    let by = who.principal.credential;
    let decision = CaseDecision { by, at: now, step: answer.step(), reason };
    if case.decisions.last().is_some_and(|last| is_same(last, &decision)) {
        return Ok(None);
    }
    if case.state().is_decided() {
        return deny(Reason::CaseClosed, "somebody decided on the case already");
    }
    is_independent(case, who, earlier)?;
    // What ends it has room always.
    if answer == Answer::Escalate {
        has_room(case)?;
    }
    Ok(Some(decision))
}

/// Decides whether a case that was decided is opened again, for a person who contests it. `None`: it is contested already.
///
/// # Errors
/// The reason.
pub fn contest(case: &Case, who: &Party, now: Timestamp) -> Result<Option<CaseDecision>, Denial> {
    match case.state() {
        CaseState::Contested => Ok(None),
        CaseState::Open | CaseState::Escalated => {
            deny(Reason::CaseUndecided, "nobody decided on the case yet, so there is nothing to contest")
        }
        CaseState::Confirmed | CaseState::Distinct => {
            has_room(case)?;
            let (by, step) = (who.principal.credential, CaseStep::Contested);
            Ok(Some(CaseDecision { by, at: now, step, reason: CaseReason::PersonContests }))
        }
    }
}

/// Whether a case need not be kept any more: as long as the client keeps data it has been decided, so that there was time to contest
/// it, or, where the vault asked by itself, nothing has happened in it. Who contests something is waited for. What keeps its
/// person keeps it, too, which is for the caller to see.
pub fn is_over(case: &Case, keep: Option<Period>, now: Timestamp) -> bool {
    let is_asked_by_itself = case.kind() == CaseKind::VerificationUnclear;
    let ends = match case.state() {
        CaseState::Confirmed | CaseState::Distinct => true,
        CaseState::Open | CaseState::Escalated => is_asked_by_itself,
        CaseState::Contested => false,
    };
    let last_step = case.decisions.iter().map(|decision| decision.at).max();
    let last_seen = case.opened_at.max(case.last_seen_at);
    let last = last_step.map_or(last_seen, |step| step.max(last_seen));
    ends && keep.unwrap_or(KEPT).after(last) <= now
}

/// Which of somebody's cases gives way to another: the decided one that was opened first, where there are as many as may be.
pub fn gives_way<'a>(cases: impl ExactSizeIterator<Item = &'a Case>) -> Option<&'a Case> {
    let is_full = cases.len() >= Case::MOST;
    let decided = cases.filter(|case| case.state().is_decided());
    decided.min_by_key(|case| (case.opened_at, case.id)).filter(|_| is_full)
}

fn is_same(one: &CaseDecision, other: &CaseDecision) -> bool {
    (one.by, one.step, one.reason) == (other.by, other.step, other.reason)
}

/// Whether `who` may be taken for another human than those who took a step in a case before.
fn is_independent(case: &Case, who: &Party, earlier: &[Party]) -> Result<(), Denial> {
    let dependent = |message: &str| deny(Reason::ReviewerNotIndependent, message);
    if case.decisions.iter().any(|step| step.by == who.id()) {
        return dependent("who took a step in it before does not decide on it again");
    }
    if case.decisions.iter().any(|step| who.created_at >= step.at) {
        return dependent("the credential was made after a step in the case, so who took that may have it");
    }
    if earlier.iter().any(|one| one.made(who) || who.made(one)) {
        return dependent("one of two credentials of the case made the other, so one person may have both");
    }
    if who.login.is_some() && earlier.iter().any(|one| one.login == who.login) {
        return dependent("the same login took a step in it before");
    }
    Ok(())
}

fn has_room(case: &Case) -> Result<(), Denial> {
    if case.decisions.len() < Case::MOST_STEPS {
        return Ok(());
    }
    deny(Reason::RecordsLimited, format!("there are {} steps in the case already", Case::MOST_STEPS))
}

fn deny<T>(reason: Reason, message: impl Into<String>) -> Result<T, Denial> {
    Err(Denial { reason, obligation: "O11", message: message.into(), duty: None })
}

#[cfg(test)]
mod tests;
