//! Moments and periods, and what ends at them.

use lethe_domain::{Deferral, DeferralReason, Dossier, Label, Period, PostMortem, ReceiptId, TenantPolicy, Timestamp};
use lethe_policy::End;

use crate::oracle::calendar::moment;
use crate::oracle::keeping::{ends_of_person, ends_of_template, keeper};

pub(crate) const A_DAY: i64 = 24 * 60 * 60 * 1000;
pub(crate) const NOON: i64 = A_DAY / 2;
pub(crate) const LAST_OF_A_DAY: i64 = A_DAY - 1;

pub(crate) fn period(text: &str) -> Period {
    Period::parse("period", text).unwrap()
}

pub(crate) fn by(moment: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(moment.millis() + millis)
}

/// When templates were provided: on days that other months and years do not have, and beside them.
pub(crate) fn provisions() -> Vec<Timestamp> {
    vec![
        moment(2024, 2, 28, LAST_OF_A_DAY),
        moment(2024, 2, 29, 0),
        moment(2024, 2, 29, NOON),
        moment(2024, 2, 29, LAST_OF_A_DAY),
        moment(2024, 3, 1, 0),
        moment(2025, 2, 28, NOON),
        moment(2025, 8, 31, NOON),
        moment(2025, 12, 31, LAST_OF_A_DAY),
        moment(2026, 1, 1, 0),
        moment(2026, 1, 29, NOON),
        moment(2026, 1, 31, NOON),
        moment(1969, 12, 31, LAST_OF_A_DAY),
        moment(2096, 2, 29, NOON),
    ]
}

/// Each of these moments, the millisecond before it and the one after.
pub(crate) fn around(moments: impl IntoIterator<Item = Timestamp>) -> Vec<Timestamp> {
    let mut all: Vec<_> = moments.into_iter().flat_map(|at| [by(at, -1), at, by(at, 1)]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Around everything that ends for a person, whether or not something else ends before it.
pub(crate) fn around_the_ends(policy: &TenantPolicy, person: &Dossier) -> Vec<Timestamp> {
    let free = Dossier { holds: vec![], restriction: None, ..person.clone() };
    let statute = match keeper(policy, &free, Timestamp::from_millis(i64::MIN)) {
        Some(lethe_policy::Keeper::Statute(end)) => end,
        _ => None,
    };
    let known = [person.purpose_ended_at, person.contract_ended_at, person.died_at, statute];
    let ends = moments(&ends_of_person(policy, person));
    around(ends.into_iter().chain(known.into_iter().flatten()))
}

/// Around everything that ends a template, whether or not something else ends it before.
pub(crate) fn around_the_ends_of_a_template(
    policy: &TenantPolicy,
    person: &Dossier,
    provided_at: Timestamp,
) -> Vec<Timestamp> {
    let mut all = moments(&ends_of_template(policy, person, provided_at));
    all.push(provided_at);
    around(all)
}

fn moments(ends: &[End]) -> Vec<Timestamp> {
    ends.iter().map(|end| end.at).collect()
}

/// An erasure that was asked for then, and is put off until so much later.
pub(crate) fn put_off(requested_at: Timestamp, millis: i64) -> Deferral {
    let receipt = ReceiptId::from_bytes([5; 16]);
    Deferral { reason: DeferralReason::LegalProcess, requested_at, until: by(requested_at, millis), receipt }
}

/// What people want done when they are dead.
pub(crate) fn wishes() -> Vec<Option<PostMortem>> {
    vec![
        None,
        Some(PostMortem::Erase),
        Some(PostMortem::Keep(Period::ZERO)),
        Some(PostMortem::Keep(period("P1Y"))),
        Some(PostMortem::HandOver(Label::parse("trustee", "trustee-a").unwrap())),
    ]
}
