//! A little of everything that can be known, all of it crossed: which rule comes first.

use lethe_domain::{
    AgeBand, Dossier, Environment, Giver, Jurisdiction, Manner, PostMortem, Purpose, Retention, TenantPolicy,
};

use crate::dimensions::*;
use crate::tally::{DENIALS, DUTIES, ENDED, FORBIDDEN, INDESTRUCTIBLE, Tally};

const AIMS: [Purpose; 3] = [Purpose::Authentication, Purpose::ServiceDevelopment, Purpose::DataSubjectRequest];

fn aiming(purpose: Purpose) -> Vec<TenantPolicy> {
    let mut all = Vec::new();
    for (basis, elsewhere) in [BASES[0], BASES[3], BASES[5], BASES[7]] {
        for jurisdiction in [Jurisdiction::Other, Jurisdiction::Texas] {
            for minimum in [None, Some("P1D")] {
                for (alone_from_16, age_required) in [(false, true), (true, false)] {
                    let retention = Retention {
                        after_end: Some(period("P1D")),
                        minimum: minimum.map(period),
                        ..Retention::default()
                    };
                    all.push(TenantPolicy {
                        jurisdiction,
                        retention,
                        alone_from_16,
                        age_required,
                        environment: Environment::Development,
                        ..declaring(purpose, basis, elsewhere)
                    });
                }
            }
        }
    }
    all
}

/// Every subset of what can happen, and of what can be recorded.
fn for_every_mixture(purpose: Purpose, mut visit: impl FnMut(&Dossier)) {
    let to = consented_purpose(purpose);
    let lists = [
        vec![],
        vec![consent(to, Manner::Written, Giver::Subject, Stands::Valid, LATELY)],
        vec![consent(to, Manner::Electronic, Giver::Guardian, Stands::Expired, LATELY)],
        vec![consent(to, Manner::Written, Giver::Guardian, Stands::Withdrawn, LATELY)],
        vec![
            consent(to, Manner::Electronic, Giver::Subject, Stands::Valid, LONG_AGO),
            consent(to, Manner::Written, Giver::Guardian, Stands::Expired, LATELY),
        ],
    ];
    let a_day_ago = [None, Some(from_now(-A_DAY)), Some(from_now(-A_DAY + 1))];
    for consents in lists.map(recorded) {
        for jurisdiction in [None, Some(Jurisdiction::EuropeanUnion), Some(Jurisdiction::Illinois)] {
            for age in AgeBand::ALL {
                for kept in KEPT {
                    for objections in [vec![], vec![an_objection(purpose)]] {
                        for purpose_ended_at in a_day_ago {
                            for contract_ended_at in a_day_ago {
                                for deferral in [None, Some(put_off(from_now(-1), 1))] {
                                    for died_at in [None, Some(LATELY)] {
                                        let person = Dossier {
                                            jurisdiction,
                                            age,
                                            consents: consents.clone(),
                                            objections: objections.clone(),
                                            purpose_ended_at,
                                            contract_ended_at,
                                            deferral,
                                            died_at,
                                            post_mortem: died_at.map(|_| PostMortem::Erase),
                                            ..Dossier::default()
                                        };
                                        visit(&kept_by(kept, person));
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Which of the operations is judged, chance decides: one that processes and one that destroys.
#[test]
fn the_engine_and_the_oracle_agree_on_every_mixture() {
    let mut dice = Dice(9);
    let (mut processing, mut destroying) = (Tally::default(), Tally::default());
    let mut planned = 0;
    for purpose in AIMS {
        let policies = aiming(purpose);
        for_every_mixture(purpose, |person| {
            for policy in &policies {
                processing.judge(dice.one_of(&PROCESSING), purpose, policy, person);
                destroying.judge(dice.one_of(&DESTROYING), purpose, policy, person);
            }
            planned += policies.len();
        });
    }
    processing.met(100, DENIALS.into_iter().chain(ENDED).chain(FORBIDDEN), &DUTIES);
    destroying.met(1000, INDESTRUCTIBLE, &[]);
    assert_eq!([processing.cases, destroying.cases], [planned; 2]);
    assert!(planned > 1_000_000, "{planned} cases are too few");
}
