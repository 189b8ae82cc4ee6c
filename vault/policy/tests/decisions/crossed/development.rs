//! Developing the service: under each law, in each environment, for whoever agreed to it or did not.

use lethe_domain::{
    AgeBand, Consent, Dossier, Environment, Giver, Jurisdiction, LawfulBasis, Manner, PostMortem, Purpose, TenantPolicy,
};
use lethe_policy::Operation;

use crate::dimensions::*;
use crate::oracle::Kept;
use crate::tally::{DENIALS, DUTIES, ENDED, FINDINGS, FORBIDDEN, Findings, Tally};

const DEVELOPING: [Operation; 3] = [Operation::Enroll, Operation::Search, Operation::SweepDuplicates];

/// Tenants of each law and environment that declare the purpose, or not, alone or beside another.
fn developers() -> Vec<TenantPolicy> {
    use LawfulBasis::{Contract, ExplicitConsent, LegitimateInterests};
    use Purpose::{Authentication, ServiceDevelopment};
    let declared = [
        client(&[]),
        client(&[(Authentication, ExplicitConsent)]),
        client(&[(ServiceDevelopment, ExplicitConsent)]),
        client(&[(ServiceDevelopment, LegitimateInterests)]),
        client(&[(Authentication, ExplicitConsent), (ServiceDevelopment, ExplicitConsent)]),
        client(&[(Authentication, ExplicitConsent), (ServiceDevelopment, LegitimateInterests)]),
        client(&[(ServiceDevelopment, ExplicitConsent), (Authentication, Contract)]),
    ];
    let mut all = Vec::new();
    for policy in declared {
        for jurisdiction in Jurisdiction::ALL {
            for environment in Environment::ALL {
                let alone_from_16 = all.len() % 3 == 0;
                let age_required = all.len() % 5 < 2;
                all.push(TenantPolicy { jurisdiction, environment, alone_from_16, age_required, ..policy.clone() });
            }
        }
    }
    all
}

/// Each consent to it and to another purpose, and one to each, which ended in different ways.
fn agreements() -> Vec<Vec<Consent>> {
    let mut lists = vec![vec![]];
    lists.extend(each_consent(Purpose::ServiceDevelopment, LATELY).into_iter().map(|consent| vec![consent]));
    for giver in Giver::ALL {
        for (this, other) in [
            (Stands::Valid, Stands::Withdrawn),
            (Stands::Withdrawn, Stands::Valid),
            (Stands::Withdrawn, Stands::Withdrawn),
            (Stands::Expired, Stands::Withdrawn),
        ] {
            lists.push(vec![
                consent(Purpose::ServiceDevelopment, Manner::Written, giver, this, LATELY),
                consent(Purpose::Authentication, Manner::Written, giver, other, LATELY),
            ]);
        }
    }
    lists.into_iter().map(recorded).collect()
}

fn circumstances() -> Vec<Dossier> {
    let mut all = KEPT.map(|kept| kept_by(kept, Dossier::default())).to_vec();
    all.extend([
        Dossier { objections: vec![an_objection(Purpose::ServiceDevelopment)], ..Dossier::default() },
        Dossier { purpose_ended_at: Some(NOW), ..Dossier::default() },
        Dossier { purpose_ended_at: Some(from_now(1)), ..Dossier::default() },
        Dossier { deferral: Some(put_off(LATELY, A_DAY)), ..Dossier::default() },
        Dossier { died_at: Some(LATELY), post_mortem: Some(PostMortem::Erase), ..Dossier::default() },
    ]);
    all
}

fn for_every_participant(mut visit: impl FnMut(&Dossier)) {
    for consents in agreements() {
        for circumstance in circumstances() {
            for jurisdiction in laws() {
                for age in AgeBand::ALL {
                    visit(&Dossier { jurisdiction, age, consents: consents.clone(), ..circumstance.clone() });
                }
            }
        }
    }
}

#[test]
fn the_engine_and_the_oracle_agree_on_who_may_take_part_in_development() {
    let policies = developers();
    let mut tally = Tally::default();
    let mut dice = Dice(8);
    let mut planned = 0;
    for_every_participant(|person| {
        for policy in &policies {
            tally.judge(dice.one_of(&DEVELOPING), Purpose::ServiceDevelopment, policy, person);
        }
        planned += policies.len();
    });
    tally.met(100, DENIALS.into_iter().chain(ENDED).chain(FORBIDDEN), &DUTIES);
    assert_eq!(tally.cases, planned);
    assert!(planned > 1_000_000, "{planned} cases are too few");
}

#[test]
fn the_engine_and_the_oracle_agree_on_whom_development_keeps() {
    let policies = developers();
    let mut findings = Findings::default();
    let mut planned = 0;
    for_every_participant(|person| {
        for policy in &policies {
            findings.find(policy, person);
        }
        planned += policies.len();
    });
    let found: Vec<_> = FINDINGS.into_iter().filter(|&found| found != Err(Kept::ByStatute)).collect();
    findings.met(&found);
    assert_eq!(findings.cases, planned);
}
