//! When a person's data have to go (O17, O21, O28), and what keeps them (O17, O22, O42): pure functions, by the calendar.

use lethe_domain::{Deferral, Dossier, Period, PostMortem, Purpose, TenantPolicy, Timestamp};

use crate::law::Law;

/// The cap for data that the service is improved with, from provision (O17).
pub(crate) const IMPROVEMENT: Period = Period::months(24);
/// The cap where the vendor of the service sets the purposes itself, from provision (O17).
pub(crate) const VENDOR: Period = Period::months(60);

/// Why something ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The client's own period from provision (O17).
    Period,
    /// The cap of the person's law, from provision (O17).
    Law,
    /// The cap for the vendor's own purposes (O17).
    Vendor,
    /// The cap for what the service is improved with (O17).
    Improvement,
    /// The purpose was satisfied (O17).
    PurposeSatisfied,
    /// The contract was over (O17).
    ContractOver,
    /// An erasure that was asked for had been put off (O21).
    Deferred,
    /// The person died, and wanted it so (O28).
    Death,
    /// The person is a minor whom nobody consents for who may (O15).
    MinorAlone,
    /// The person withdrew a consent, and nothing else allows to keep it (O23).
    Withdrawn,
}

impl Cause {
    /// Every cause there is.
    pub const ALL: [Self; 10] = [
        Self::Period,
        Self::Law,
        Self::Vendor,
        Self::Improvement,
        Self::PurposeSatisfied,
        Self::ContractOver,
        Self::Deferred,
        Self::Death,
        Self::MinorAlone,
        Self::Withdrawn,
    ];

    /// The cause's name in the log and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Law => "law",
            Self::Vendor => "vendor_purposes",
            Self::Improvement => "improvement_data",
            Self::PurposeSatisfied => "purpose_satisfied",
            Self::ContractOver => "contract_over",
            Self::Deferred => "deferred_erasure",
            Self::Death => "death",
            Self::MinorAlone => "minor_alone",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// When something ends, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// From this moment on it is not processed, and erased unless something keeps it.
    pub at: Timestamp,
    /// Of several causes for one moment, the first.
    pub cause: Cause,
}

/// How long templates of a person may be kept from the moment they were provided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([Option<(Period, Cause)>; 4]);

impl Limits {
    /// Of a person.
    pub fn of(policy: &TenantPolicy, person: &Dossier) -> Self {
        let law = law_of(policy, person);
        let improves = policy.basis(Purpose::ServiceDevelopment).is_some();
        Self([
            policy.retention.keep.map(|keep| (keep, Cause::Period)),
            law.cap_from_provision.map(|cap| (cap, Cause::Law)),
            policy.retention.vendor_purposes.then_some((VENDOR, Cause::Vendor)),
            improves.then_some((IMPROVEMENT, Cause::Improvement)),
        ])
    }

    /// When a template ends that was provided at some moment; `None` if it has no end of its own.
    pub fn end(&self, provided_at: Timestamp) -> Option<End> {
        self.0.iter().flatten().map(|&(period, cause)| End { at: period.after(provided_at), cause }).min()
    }

    /// Whether a template that was provided at some moment may still be processed.
    pub fn keep(&self, provided_at: Timestamp, now: Timestamp) -> bool {
        self.end(provided_at).is_none_or(|end| end.at > now)
    }

    /// Whether nothing ends by its age.
    pub fn are_none(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// When all of a person ends, whatever the age of its templates; `None` if nothing says so.
pub fn end_of_person(policy: &TenantPolicy, person: &Dossier) -> Option<End> {
    let grace = policy.retention.after_end.unwrap_or(Period::ZERO);
    let after_purpose = |ended: Timestamp| {
        let cap = law_of(policy, person).cap_after_purpose.map_or(Timestamp::MAX, |cap| cap.after(ended));
        End { at: grace.after(ended).min(cap), cause: Cause::PurposeSatisfied }
    };
    let ends = [
        person.purpose_ended_at.map(after_purpose),
        person.contract_ended_at.map(|ended| End { at: grace.after(ended), cause: Cause::ContractOver }),
        person.deferral.map(|deferral| End {
            at: deferral.until.min(Deferral::MOST.after(deferral.requested_at)),
            cause: Cause::Deferred,
        }),
        end_by_death(person),
    ];
    ends.into_iter().flatten().min()
}

fn end_by_death(person: &Dossier) -> Option<End> {
    let died_at = person.died_at?;
    let at = match person.post_mortem.as_ref()? {
        PostMortem::Erase => died_at,
        PostMortem::Keep(period) => period.after(died_at),
        PostMortem::HandOver(_) => return None,
    };
    Some(End { at, cause: Cause::Death })
}

/// What keeps a person's data though their time is over, as storage only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// A litigation hold (O42).
    Hold,
    /// A restriction that is a right of the person (O22).
    Restriction,
    /// A statute (O17): until then, or until the contract is over and its time with it.
    Statute(Option<Timestamp>),
}

impl Keeper {
    /// The keeper's name in archives.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Restriction => "restriction",
            Self::Statute(_) => "statute",
        }
    }
}

/// What keeps a person's data now.
pub fn keeper(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Option<Keeper> {
    if !person.holds.is_empty() {
        return Some(Keeper::Hold);
    }
    if is_kept_by_restriction(person) {
        return Some(Keeper::Restriction);
    }
    kept_by_statute(policy, person, now)
}

/// Whether a restriction keeps a person's data: one that is a right of the person (O22).
pub(crate) fn is_kept_by_restriction(person: &Dossier) -> bool {
    person.restriction.as_ref().is_some_and(|restriction| restriction.ground.keeps())
}

/// Whether a statute keeps a person's data now, and until when (O17).
pub(crate) fn kept_by_statute(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Option<Keeper> {
    let minimum = policy.retention.minimum?;
    match person.contract_ended_at.map(|ended| minimum.after(ended)) {
        Some(until) if until <= now => None,
        until => Some(Keeper::Statute(until)),
    }
}

pub(crate) fn law_of(policy: &TenantPolicy, person: &Dossier) -> &'static Law {
    Law::of(person.jurisdiction.unwrap_or(policy.jurisdiction))
}

#[cfg(test)]
mod tests {
    use lethe_domain::{Jurisdiction, LawfulBasis, PurposeBasis, Retention};

    use super::*;

    const DAY: i64 = 86_400_000;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_millis(day * DAY)
    }

    fn keeping(retention: Retention) -> TenantPolicy {
        TenantPolicy { retention, ..TenantPolicy::of(Vec::new()) }
    }

    #[test]
    fn a_template_ends_at_the_earliest_of_the_period_and_the_caps() {
        let keep = Some(Period::months(120));
        let mut policy = keeping(Retention { keep, ..Retention::default() });
        let nobody = Dossier::default();
        let cause =
            |policy: &TenantPolicy, person: &Dossier| Limits::of(policy, person).end(at(0)).map(|end| end.cause);
        assert_eq!(cause(&policy, &nobody), Some(Cause::Period));
        policy.retention.vendor_purposes = true;
        assert_eq!(cause(&policy, &nobody), Some(Cause::Vendor));
        let illinois = Dossier { jurisdiction: Some(Jurisdiction::Illinois), ..Dossier::default() };
        assert_eq!(cause(&policy, &illinois), Some(Cause::Law));
        policy.purposes =
            vec![PurposeBasis { purpose: Purpose::ServiceDevelopment, basis: LawfulBasis::ExplicitConsent }];
        assert_eq!(cause(&policy, &illinois), Some(Cause::Improvement));
        assert_eq!(cause(&TenantPolicy::of(Vec::new()), &nobody), None);
        assert!(Limits::of(&TenantPolicy::of(Vec::new()), &nobody).are_none());
        let end = Limits::of(&policy, &illinois).end(at(0)).unwrap();
        assert_eq!(end.at, Period::months(24).after(at(0)));
        assert!(Limits::of(&policy, &illinois).keep(at(0), Timestamp::from_millis(end.at.millis() - 1)));
        assert!(!Limits::of(&policy, &illinois).keep(at(0), end.at));
    }

    #[test]
    fn a_person_ends_with_the_purpose_the_contract_a_deferral_or_death() {
        let policy = keeping(Retention { after_end: Some(Period::days(1000)), ..Retention::default() });
        let mut person = Dossier { purpose_ended_at: Some(at(10)), ..Dossier::default() };
        assert_eq!(end_of_person(&policy, &person), Some(End { at: at(1010), cause: Cause::PurposeSatisfied }));
        person.contract_ended_at = Some(at(5));
        assert_eq!(end_of_person(&policy, &person), Some(End { at: at(1005), cause: Cause::ContractOver }));
        person.jurisdiction = Some(Jurisdiction::Texas);
        let capped = End { at: Period::months(12).after(at(10)), cause: Cause::PurposeSatisfied };
        assert_eq!(end_of_person(&policy, &person), Some(capped));
        person.died_at = Some(at(20));
        assert_eq!(end_of_person(&policy, &person), Some(capped), "no instruction");
        person.post_mortem = Some(PostMortem::Keep(Period::days(3)));
        assert_eq!(end_of_person(&policy, &person), Some(End { at: at(23), cause: Cause::Death }));
        person.post_mortem = Some(PostMortem::Erase);
        assert_eq!(end_of_person(&policy, &person), Some(End { at: at(20), cause: Cause::Death }));
        person.died_at = None;
        assert_eq!(end_of_person(&policy, &person), Some(capped), "an instruction is for after the death");
    }

    #[test]
    fn a_statute_keeps_until_its_time_after_the_contract_is_over() {
        let policy = keeping(Retention { minimum: Some(Period::days(100)), ..Retention::default() });
        let mut person = Dossier::default();
        assert_eq!(keeper(&policy, &person, at(1)), Some(Keeper::Statute(None)));
        person.contract_ended_at = Some(at(10));
        assert_eq!(keeper(&policy, &person, at(109)), Some(Keeper::Statute(Some(at(110)))));
        assert_eq!(keeper(&policy, &person, at(110)), None);
    }
}
