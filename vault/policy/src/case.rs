//! What may become of a case (O11). Pure functions; nothing that is judged of a person depends on a case (O37).

use lethe_domain::{Case, CaseDecision, CaseReason, CaseState, CaseStep, Period, Reason, Timestamp};

use crate::approval::Party;
use crate::gate::Denial;

/// How long a decided case is kept, from when it was opened, where the client sets no time of its own.
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

/// Decides whether `who` may answer a case, of which `earlier` are those who did before and are on record. `None`: the same was said
/// by the same one before, and nothing is to be written.
///
/// Of a case that was escalated, or is contested, somebody else decides than decided before: another credential, that no credential
/// of those made, and that made none of those.
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
    if case.decisions.iter().any(|decision| is_a_word(decision) && decision.by == by) {
        return deny(Reason::ReviewerNotIndependent, "who decided on it before does not decide on it again");
    }
    if earlier.iter().any(|one| one.made(who) || who.made(one)) {
        let message = "one of two credentials that decide on it made the other, so one person may have both";
        return deny(Reason::ReviewerNotIndependent, message);
    }
    has_room(case)?;
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

/// Whether a case need not be kept any more: it is decided, and so long ago opened as the client keeps data. What keeps its person
/// keeps it, too, which is for the caller to see.
pub fn is_over(case: &Case, keep: Option<Period>, now: Timestamp) -> bool {
    case.state().is_decided() && keep.unwrap_or(KEPT).after(case.opened_at) <= now
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

/// Whether a step is a reviewer's: who contests for a person decides nothing.
const fn is_a_word(decision: &CaseDecision) -> bool {
    match decision.step {
        CaseStep::Confirmed | CaseStep::Distinct | CaseStep::Escalated => true,
        CaseStep::Contested => false,
    }
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
