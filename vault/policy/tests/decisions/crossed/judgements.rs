//! Decisions about people.

use lethe_domain::{AgeBand, Dossier, Giver, Jurisdiction, Manner, Purpose};
use lethe_policy::Operation;

use crate::dimensions::*;
use crate::tally::{DENIALS, DUTIES, ENDED, FORBIDDEN, INDESTRUCTIBLE, Tally};

/// Each list of consents is crossed with all that can be known of a person and all that a tenant can have declared;
/// which of the operations that process is judged, chance decides.
#[test]
fn the_engine_and_the_oracle_agree_on_every_combination() {
    let jurisdictions = [Jurisdiction::EuropeanUnion, Jurisdiction::Illinois];
    let mut dice = Dice(1);
    let mut tally = Tally::default();
    let mut planned = 0;
    for purpose in PURPOSES {
        let policies = tenants(purpose, &jurisdictions);
        let lists = consent_lists(purpose);
        for consents in &lists {
            let people = for_every_person(purpose, consents, |person| {
                for policy in &policies {
                    tally.judge(dice.one_of(&PROCESSING), purpose, policy, person);
                }
            });
            planned += people * policies.len();
        }
    }
    tally.met(1000, DENIALS, &DUTIES);
    assert_eq!(tally.cases, planned);
    assert!(tally.cases > 5_000_000, "{} cases are too few", tally.cases);
}

/// A template is put right at a person's request, with each list of consents and all that else can be known.
#[test]
fn the_engine_and_the_oracle_agree_on_every_rectification() {
    let purpose = Purpose::DataSubjectRequest;
    let policies = tenants(purpose, &[Jurisdiction::Kazakhstan, Jurisdiction::Texas]);
    let mut tally = Tally::default();
    let mut planned = 0;
    for consents in consent_lists(purpose) {
        let people = for_every_person(purpose, &consents, |person| {
            for policy in &policies {
                tally.judge(Operation::ReplaceTemplate, purpose, policy, person);
            }
        });
        planned += people * policies.len();
    }
    // Nobody has to declare the purpose, and nobody can object to it.
    let denials: Vec<_> =
        DENIALS.into_iter().filter(|&(_, obligation)| obligation != "O1" && obligation != "O39").collect();
    tally.met(1000, denials, &DUTIES);
    assert_eq!(tally.cases, planned);
}

/// Every operation that concerns a person, with few consents and all that else can be known.
#[test]
fn the_engine_and_the_oracle_agree_on_every_operation() {
    let jurisdictions = [Jurisdiction::Other, Jurisdiction::Texas];
    let kinds: [&[Operation]; 4] = [&PROCESSING, &DESTROYING, &LOOKING, &RIGHTS];
    let mut tallies = kinds.map(|_| Tally::default());
    let mut planned = 0;
    for purpose in PURPOSES {
        let policies = tenants(purpose, &jurisdictions);
        let to = consented_purpose(purpose);
        let lists = [
            vec![],
            vec![consent(to, Manner::Written, Giver::Guardian, Stands::Valid, LATELY)],
            vec![consent(to, Manner::Electronic, Giver::Subject, Stands::Withdrawn, LATELY)],
        ];
        for consents in lists {
            let people = for_every_person(purpose, &recorded(consents), |person| {
                for policy in &policies {
                    for (tally, kind) in tallies.iter_mut().zip(kinds) {
                        for &operation in kind {
                            tally.judge(operation, purpose, policy, person);
                        }
                    }
                }
            });
            planned += people * policies.len();
        }
    }
    for (tally, kind) in tallies.iter().zip(kinds) {
        assert_eq!(tally.cases, planned * kind.len());
    }
    let [processing, destroying, looking, rights] = tallies;
    assert!(processing.allowed > 0 && !processing.duties.is_empty());
    destroying.met(1000, INDESTRUCTIBLE[..2].iter().copied(), &[]);
    looking.met(1000, [], &[]);
    rights.met(1000, [], &[]);
}

/// The person's own law counts, whatever the tenant's is, and the tenant's where nobody said.
#[test]
fn the_engine_and_the_oracle_agree_on_every_pair_of_jurisdictions() {
    let mut tally = Tally::default();
    let mut planned = 0;
    for purpose in PURPOSES {
        let policies = tenants(purpose, &Jurisdiction::ALL);
        let mut lists = vec![vec![]];
        lists.extend(each_consent(consented_purpose(purpose), LATELY).into_iter().map(|consent| vec![consent]));
        planned += lists.len() * laws().len() * AgeBand::ALL.len() * policies.len() * PROCESSING.len();
        for consents in lists.into_iter().map(recorded) {
            for jurisdiction in laws() {
                for age in AgeBand::ALL {
                    let person = Dossier { jurisdiction, age, consents: consents.clone(), ..Dossier::default() };
                    for policy in &policies {
                        for operation in PROCESSING {
                            tally.judge(operation, purpose, policy, &person);
                        }
                    }
                }
            }
        }
    }
    assert_eq!(tally.cases, planned);
    assert!(tally.allowed > 0 && !tally.duties.is_empty());
}

/// Any consent beside any other: given before it, after it, and with it.
#[test]
fn the_engine_and_the_oracle_agree_on_every_pair_of_consents() {
    let times = [(LONG_AGO, LATELY), (LATELY, LONG_AGO), (LATELY, LATELY)];
    let jurisdictions = [Jurisdiction::Kazakhstan, Jurisdiction::Illinois];
    let mut dice = Dice(2);
    let mut tally = Tally::default();
    let mut planned = 0;
    for purpose in PURPOSES {
        let to = consented_purpose(purpose);
        let policies = tenants(purpose, &[Jurisdiction::Other]);
        for (first_given, second_given) in times {
            let (firsts, seconds) = (each_consent(to, first_given), each_consent(to, second_given));
            let people = jurisdictions.len() * AgeBand::ALL.len() * KEPT.len();
            planned += firsts.len() * seconds.len() * people * policies.len();
            for first in &firsts {
                for second in &seconds {
                    let consents = recorded(vec![first.clone(), second.clone()]);
                    for jurisdiction in jurisdictions {
                        for age in AgeBand::ALL {
                            for (held, ground) in KEPT {
                                let person = Dossier {
                                    jurisdiction: Some(jurisdiction),
                                    age,
                                    consents: consents.clone(),
                                    restriction: ground.map(a_restriction),
                                    objections: vec![],
                                    holds: if held { vec![a_hold()] } else { vec![] },
                                    ..Dossier::default()
                                };
                                for policy in &policies {
                                    tally.judge(dice.one_of(&PROCESSING), purpose, policy, &person);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(tally.cases, planned);
    assert!(tally.allowed > 0 && !tally.duties.is_empty());
}

/// People and tenants with many consents, holds, objections and purposes, all drawn by chance.
#[test]
fn the_engine_and_the_oracle_agree_on_people_drawn_by_chance() {
    const DRAWN: usize = 500_000;
    let operations = every_operation();
    let mut dice = Dice(3);
    let mut tally = Tally::default();
    for _ in 0..DRAWN {
        let purpose = dice.one_of(&Purpose::ALL);
        let person = drawn_person(&mut dice, purpose);
        let policy = drawn_tenant(&mut dice, purpose);
        let operation = if dice.roll(4) == 0 { dice.one_of(&operations) } else { dice.one_of(&PROCESSING) };
        tally.judge(operation, purpose, &policy, &person);
    }
    let denials = DENIALS.into_iter().chain(ENDED).chain(FORBIDDEN).chain(INDESTRUCTIBLE);
    tally.met(10, denials, &DUTIES);
    assert_eq!(tally.cases, DRAWN);
}
