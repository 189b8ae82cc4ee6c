//! What occurred among the cases, and what has to.

use std::collections::{HashMap, HashSet};

use lethe_domain::{AgeBand, Dossier, Purpose, Reason, TenantPolicy, Timestamp};
use lethe_policy::{Cause, End, Keeper, Operation};

use crate::comparison::{alone, baseless, decided, ended, keeper, kept, person_ended};
use crate::dimensions::{NOW, around_the_ends, around_the_ends_of_a_template};
use crate::oracle::{Kept, keeping};

/// Every way in which a denial can come about, but for what ended: the reason, and the obligation that decided.
pub(crate) const DENIALS: [(Reason, &str); 15] = [
    (Reason::PurposeNotAllowed, "O1"),
    (Reason::WrittenConsentRequired, "O16"),
    (Reason::ConsentWithdrawn, "O16"),
    (Reason::ConsentExpired, "O16"),
    (Reason::LegalHold, "O42"),
    (Reason::SubjectRestricted, "O22"),
    (Reason::MinorWithoutGuardian, "O15"),
    (Reason::ConsentMissing, "O15"),
    (Reason::ConsentWithdrawn, "O15"),
    (Reason::ConsentExpired, "O15"),
    (Reason::AgeUnknown, "O15"),
    (Reason::PurposeObjected, "O39"),
    (Reason::ConsentMissing, "O2"),
    (Reason::ConsentExpired, "O2"),
    (Reason::ConsentWithdrawn, "O23"),
];

/// The denials, of what is processed, for what ended.
pub(crate) const ENDED: [(Reason, &str); 3] =
    [(Reason::ErasureDeferred, "O21"), (Reason::SubjectDeceased, "O28"), (Reason::RetentionExpired, "O17")];

/// The denial for what a law has no place for.
pub(crate) const FORBIDDEN: [(Reason, &str); 1] = [(Reason::JurisdictionForbids, "O3")];

/// Every denial of what destroys.
pub(crate) const INDESTRUCTIBLE: [(Reason, &str); 4] = [
    (Reason::LegalHold, "O42"),
    (Reason::SubjectRestricted, "O22"),
    (Reason::ErasureDeferred, "O21"),
    (Reason::StatutoryMinimum, "O17"),
];

/// The denials that can come with the duty to erase.
pub(crate) const DUTIES: [(Reason, &str); 7] = [
    (Reason::WrittenConsentRequired, "O16"),
    (Reason::ConsentWithdrawn, "O16"),
    (Reason::ConsentExpired, "O16"),
    (Reason::MinorWithoutGuardian, "O15"),
    (Reason::ConsentMissing, "O15"),
    (Reason::ConsentWithdrawn, "O15"),
    (Reason::ConsentExpired, "O15"),
];

/// Everything that can be found out of a person whom a withdrawal might have left without a basis.
pub(crate) const FINDINGS: [Result<(), Kept>; 7] = [
    Ok(()),
    Err(Kept::Held),
    Err(Kept::Restricted),
    Err(Kept::ByStatute),
    Err(Kept::NothingServed),
    Err(Kept::ABasisHolds),
    Err(Kept::NothingWithdrawn),
];

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) cases: usize,
    pub(crate) allowed: usize,
    denials: HashMap<(Reason, &'static str), usize>,
    pub(crate) duties: HashSet<(Reason, &'static str)>,
}

impl Tally {
    pub(crate) fn judge(&mut self, operation: Operation, purpose: Purpose, policy: &TenantPolicy, person: &Dossier) {
        self.judge_at(operation, purpose, policy, person, NOW);
    }

    pub(crate) fn judge_at(
        &mut self,
        operation: Operation,
        purpose: Purpose,
        policy: &TenantPolicy,
        person: &Dossier,
        now: Timestamp,
    ) {
        self.cases += 1;
        match decided(operation, purpose, policy, person, now) {
            Ok(_) => self.allowed += 1,
            Err((reason, obligation, duty)) => {
                *self.denials.entry((reason, obligation)).or_default() += 1;
                if duty.is_some() {
                    self.duties.insert((reason, obligation));
                }
            }
        }
    }

    /// These denials occurred and no others, each so many times at least, these of them with a duty, and permissions.
    pub(crate) fn met(
        &self,
        times: usize,
        denials: impl IntoIterator<Item = (Reason, &'static str)>,
        duties: &[(Reason, &'static str)],
    ) {
        let occurred: HashSet<_> = self.denials.keys().copied().collect();
        let duties: HashSet<_> = duties.iter().copied().collect();
        assert_eq!(occurred, denials.into_iter().collect(), "not every denial occurred, or one that nobody knows of");
        assert_eq!(self.duties, duties, "not every duty arose, or one that nobody knows of");
        for (denial, &occurred) in &self.denials {
            assert!(occurred >= times, "{denial:?} occurred {occurred} times only");
        }
        assert!(self.allowed >= times, "{} were allowed only", self.allowed);
    }
}

/// What was found out of people of which age, who are to be erased though nobody asked for it or are not.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) cases: usize,
    pub(crate) alone: HashSet<(AgeBand, bool)>,
    pub(crate) baseless: HashSet<(AgeBand, Result<(), Kept>)>,
}

impl Findings {
    pub(crate) fn find(&mut self, policy: &TenantPolicy, person: &Dossier) {
        self.find_at(policy, person, NOW);
    }

    pub(crate) fn find_at(&mut self, policy: &TenantPolicy, person: &Dossier, now: Timestamp) {
        self.cases += 1;
        self.alone.insert((person.age, alone(policy, person, now)));
        self.baseless.insert((person.age, baseless(policy, person, now)));
    }

    /// Minors were alone and were not, nobody else was alone, and at every age these things were found and no others.
    pub(crate) fn met(&self, findings: &[Result<(), Kept>]) {
        let minors = [AgeBand::Under16, AgeBand::MinorFrom16].map(|age| (age, true));
        let everybody = AgeBand::ALL.map(|age| (age, false));
        assert_eq!(self.alone, minors.into_iter().chain(everybody).collect());
        let expected = AgeBand::ALL.into_iter().flat_map(|age| findings.iter().map(move |&found| (age, found)));
        assert_eq!(self.baseless, expected.collect());
    }
}

/// What ended templates or people, at which moments, and what kept them.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) cases: usize,
    pub(crate) moments: usize,
    endless: usize,
    causes: HashMap<Cause, Ending>,
    keepers: HashMap<&'static str, usize>,
}

/// How often one cause was the first to come, and how often another came in the same millisecond.
#[derive(Default)]
struct Ending {
    alone: usize,
    together: usize,
}

impl Ends {
    /// A template, around everything that ends it.
    pub(crate) fn template(&mut self, policy: &TenantPolicy, person: &Dossier, provided_at: Timestamp) {
        let end = ended(policy, person, provided_at);
        self.met_end(end, &keeping::ends_of_template(policy, person, provided_at));
        for now in around_the_ends_of_a_template(policy, person, provided_at) {
            let kept = kept(policy, person, provided_at, now);
            assert_eq!(kept, end.is_none_or(|end| now < end.at), "it does not end when it ends");
            self.moments += 1;
        }
    }

    /// A person, around everything that ends it or what keeps it.
    pub(crate) fn person(&mut self, policy: &TenantPolicy, person: &Dossier) {
        let end = person_ended(policy, person);
        self.met_end(end, &keeping::ends_of_person(policy, person));
        for now in around_the_ends(policy, person) {
            let keeper = match keeper(policy, person, now) {
                None => "nothing",
                Some(Keeper::Hold) => "a hold",
                Some(Keeper::Restriction) => "a restriction",
                Some(Keeper::Statute(None)) => "a statute without an end",
                Some(Keeper::Statute(Some(_))) => "a statute",
            };
            *self.keepers.entry(keeper).or_default() += 1;
            self.moments += 1;
        }
    }

    fn met_end(&mut self, end: Option<End>, ends: &[End]) {
        self.cases += 1;
        let Some(end) = end else {
            self.endless += 1;
            return;
        };
        let ending = self.causes.entry(end.cause).or_default();
        if ends.iter().filter(|other| other.at == end.at).count() == 1 {
            ending.alone += 1;
        } else {
            ending.together += 1;
        }
    }

    /// Each of these causes came first, and alone, and no other cause came; some ends came together, and some had none.
    pub(crate) fn met(&self, causes: &[Cause]) {
        let met: HashSet<_> = self.causes.keys().copied().collect();
        assert_eq!(met, causes.iter().copied().collect());
        for (cause, ending) in &self.causes {
            assert!(ending.alone > 0, "{cause:?} never came first");
        }
        assert!(self.causes.values().any(|ending| ending.together > 0), "no two ends ever came together");
        assert!(self.endless > 0, "everything had an end");
    }

    pub(crate) fn met_every_keeper(&self) {
        let kept: HashSet<_> = self.keepers.keys().copied().collect();
        let every = ["nothing", "a hold", "a restriction", "a statute without an end", "a statute"];
        assert_eq!(kept, HashSet::from(every));
    }
}
