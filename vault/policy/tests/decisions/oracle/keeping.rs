//! How long a template and a person are kept, and what keeps them longer.

use lethe_domain::{Dossier, Jurisdiction, Period, PostMortem, Purpose, TenantPolicy, Timestamp};
use lethe_policy::{Cause, End, Keeper};

use super::calendar::later;
use super::known::{declared_basis, is_blocked_for_the_person, is_held, law};

// O17, O21: the caps.

pub(crate) const ILLINOIS: Period = Period::months(36);
pub(crate) const TEXAS: Period = Period::months(12);
pub(crate) const VENDOR: Period = Period::months(60);
pub(crate) const IMPROVEMENT: Period = Period::months(24);
const DEFERRED: Period = Period::days(90);

/// Everything that ends a template that was provided then, by its age.
pub(crate) fn ends_of_template(policy: &TenantPolicy, person: &Dossier, provided_at: Timestamp) -> Vec<End> {
    let mut ends = Vec::new();
    if let Some(keep) = policy.retention.keep {
        ends.push(End { at: later(provided_at, keep), cause: Cause::Period });
    }
    if law(policy, person) == Jurisdiction::Illinois {
        ends.push(End { at: later(provided_at, ILLINOIS), cause: Cause::Law });
    }
    if policy.retention.vendor_purposes {
        ends.push(End { at: later(provided_at, VENDOR), cause: Cause::Vendor });
    }
    if declared_basis(policy, Purpose::ServiceDevelopment).is_some() {
        ends.push(End { at: later(provided_at, IMPROVEMENT), cause: Cause::Improvement });
    }
    ends
}

/// Everything that ends a person, whatever the age of its templates.
pub(crate) fn ends_of_person(policy: &TenantPolicy, person: &Dossier) -> Vec<End> {
    let mut ends = Vec::new();
    // What the client keeps after an end is its own period. That there can be one, the cap of Texas says.
    let after = |ended_at| policy.retention.after_end.map_or(ended_at, |grace| later(ended_at, grace));
    if let Some(ended_at) = person.purpose_ended_at {
        let mut at = after(ended_at);
        if law(policy, person) == Jurisdiction::Texas {
            at = at.min(later(ended_at, TEXAS));
        }
        ends.push(End { at, cause: Cause::PurposeSatisfied });
    }
    if let Some(ended_at) = person.contract_ended_at {
        ends.push(End { at: after(ended_at), cause: Cause::ContractOver });
    }
    // O21: ninety days from the request on, and not renewable.
    if let Some(deferral) = person.deferral {
        let most = later(deferral.requested_at, DEFERRED);
        ends.push(End { at: deferral.until.min(most), cause: Cause::Deferred });
    }
    // O28: the instructions are honoured. Who left none gave none.
    if let (Some(died_at), Some(wish)) = (person.died_at, &person.post_mortem) {
        match wish {
            PostMortem::Erase => ends.push(End { at: died_at, cause: Cause::Death }),
            PostMortem::Keep(period) => ends.push(End { at: later(died_at, *period), cause: Cause::Death }),
            PostMortem::HandOver(_) => {}
        }
    }
    ends
}

/// Of several ends the earliest counts; of some at the same moment, the first in the order of the rules.
pub(crate) fn earliest(ends: &[End]) -> Option<End> {
    let mut first: Option<End> = None;
    for &end in ends {
        if first.is_none_or(|first| end.at < first.at) {
            first = Some(end);
        }
    }
    first
}

/// O17: erasure falls due at the very moment.
pub(crate) fn is_over(ends: &[End], now: Timestamp) -> bool {
    ends.iter().any(|end| end.at.millis() <= now.millis())
}

/// What keeps a person whose time is over.
pub(crate) fn keeper(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Option<Keeper> {
    if is_held(person) {
        return Some(Keeper::Hold);
    }
    if is_blocked_for_the_person(person) {
        return Some(Keeper::Restriction);
    }
    is_kept_by_statute(policy, person, now).then(|| Keeper::Statute(end_of_statute(policy, person)))
}

/// O17: a statutory minimum counts from the end of the relationship. While it lasts, there is no end to that.
pub(crate) fn is_kept_by_statute(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    policy.retention.minimum.is_some()
        && match end_of_statute(policy, person) {
            None => true,
            Some(end) => now.millis() < end.millis(),
        }
}

fn end_of_statute(policy: &TenantPolicy, person: &Dossier) -> Option<Timestamp> {
    Some(later(person.contract_ended_at?, policy.retention.minimum?))
}
