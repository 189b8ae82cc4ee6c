//! Decisions about people to whom something happened, at each moment at which something ends.

use std::collections::HashSet;

use lethe_domain::{AgeBand, Dossier, Giver, Jurisdiction, LawfulBasis, Manner, Purpose, TenantPolicy};
use lethe_policy::Operation;

use crate::dimensions::*;
use crate::oracle::Kept;
use crate::tally::{DENIALS, DUTIES, ENDED, FINDINGS, Findings, INDESTRUCTIBLE, Tally};

/// People who may be processed but for what happened to them, and people who may not, for each sort of reason.
fn characters() -> Vec<Dossier> {
    let one = |manner, giver, stands| consent(Purpose::Authentication, manner, giver, stands, LONG_AGO);
    let own = |manner, stands| adult(recorded(vec![one(manner, Giver::Subject, stands)]));
    let of_age = |age, person: Dossier| Dossier { age, ..person };
    let in_texas = |person: Dossier| Dossier { jurisdiction: Some(Jurisdiction::Texas), ..person };
    let mut all = vec![
        adult(vec![]),
        Dossier::default(),
        Dossier { objections: vec![an_objection(Purpose::Authentication)], ..own(Manner::Electronic, Stands::Valid) },
        in_illinois(own(Manner::Electronic, Stands::Valid)),
        child(vec![]),
        in_texas(child(vec![])),
        of_age(AgeBand::MinorFrom16, adult(vec![])),
    ];
    for stands in EVERY_STANDING {
        all.extend([
            own(Manner::Electronic, stands),
            in_illinois(own(Manner::Written, stands)),
            in_texas(own(Manner::Written, stands)),
            child(vec![one(Manner::Electronic, Giver::Guardian, stands)]),
            in_texas(child(vec![one(Manner::Written, Giver::Guardian, stands)])),
            of_age(AgeBand::MinorFrom16, own(Manner::Electronic, stands)),
        ]);
    }
    all
}

const ACTS: [(Operation, Purpose); 5] = [
    (Operation::Verify, Purpose::Authentication),
    (Operation::Enroll, Purpose::Authentication),
    (Operation::ReplaceTemplate, Purpose::Authentication),
    (Operation::ReplaceTemplate, Purpose::DataSubjectRequest),
    (Operation::SweepDuplicates, Purpose::FraudPrevention),
];

const DESTRUCTIONS: [(Operation, Purpose); 4] = [
    (Operation::EraseSubject, Purpose::DataSubjectRequest),
    (Operation::EraseSubject, Purpose::Administration),
    (Operation::DeleteTemplate, Purpose::DataSubjectRequest),
    (Operation::DeleteTemplate, Purpose::Authentication),
];

/// Tenants that keep people for so long, some of which want ages known and have another purpose on another basis.
fn tenants_of_fates() -> Vec<TenantPolicy> {
    let sorted = keepers_of_people().into_iter().filter(|policy| policy.jurisdiction != Jurisdiction::Illinois);
    let mut all = Vec::new();
    for (at, mut policy) in sorted.enumerate() {
        policy.age_required = at % 3 == 0;
        policy.alone_from_16 = at % 5 < 2;
        if at % 2 == 0 {
            policy.purposes = client(&[
                (Purpose::FraudPrevention, LawfulBasis::LegalObligation),
                (Purpose::Authentication, LawfulBasis::ExplicitConsent),
            ])
            .purposes;
        }
        all.push(policy);
    }
    all
}

/// At how many tenants each person is judged.
const DRAWN: usize = 16;

/// At which tenants, which of the acts, and around which end, chance decides.
#[test]
fn the_engine_and_the_oracle_agree_on_every_fate() {
    let mut dice = Dice(6);
    let (mut processing, mut destroying, mut others) = (Tally::default(), Tally::default(), Tally::default());
    let mut planned = 0;
    let policies = tenants_of_fates();
    let characters = characters();
    for_every_fate(|fate| {
        for character in &characters {
            for kept in KEPT {
                let person = kept_by(kept, happened(fate, character.clone()));
                for _ in 0..DRAWN {
                    let policy = dice.any_of(&policies);
                    let moments = around_the_ends(policy, &person);
                    let now = if moments.is_empty() { NOW } else { *dice.any_of(&moments) };
                    let (operation, purpose) = dice.one_of(&ACTS);
                    processing.judge_at(operation, purpose, policy, &person, now);
                    let (operation, purpose) = dice.one_of(&DESTRUCTIONS);
                    destroying.judge_at(operation, purpose, policy, &person, now);
                    let operation = if dice.coin() { dice.one_of(&LOOKING) } else { dice.one_of(&RIGHTS) };
                    others.judge_at(operation, Purpose::DataSubjectRequest, policy, &person, now);
                    planned += 1;
                }
            }
        }
    });
    processing.met(10, DENIALS.into_iter().chain(ENDED), &DUTIES);
    destroying.met(1000, INDESTRUCTIBLE, &[]);
    others.met(1000, [], &[]);
    assert_eq!([processing.cases, destroying.cases, others.cases], [planned; 3]);
    assert!(planned > 1_000_000, "{planned} cases are too few");
}

/// Nobody is erased unasked whom a statute keeps, until the millisecond at which it does so no more.
#[test]
fn the_engine_and_the_oracle_agree_on_who_is_to_be_erased_unasked_by_every_fate() {
    let mut dice = Dice(7);
    let mut findings = Findings::default();
    let mut planned = 0;
    let policies = tenants_of_fates();
    let characters = characters();
    for_every_fate(|fate| {
        for character in &characters {
            for kept in KEPT {
                let person = kept_by(kept, happened(fate, character.clone()));
                for _ in 0..DRAWN {
                    let policy = dice.any_of(&policies);
                    let moments = around_the_ends(policy, &person);
                    let now = if moments.is_empty() { NOW } else { *dice.any_of(&moments) };
                    findings.find_at(policy, &person, now);
                    planned += 1;
                }
            }
        }
    });
    assert_eq!(findings.cases, planned);
    let alone: HashSet<_> = [(AgeBand::Under16, true), (AgeBand::MinorFrom16, true)].into();
    assert!(findings.alone.is_superset(&alone));
    let found: HashSet<_> = findings.baseless.iter().map(|&(_, found)| found).collect();
    let every = FINDINGS.into_iter().filter(|&found| found != Err(Kept::NothingServed));
    assert_eq!(found, every.collect());
    assert!(planned > 1_000_000, "{planned} cases are too few");
}
