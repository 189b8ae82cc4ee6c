//! Who is to be erased though nobody asked for it.

use lethe_domain::{AgeBand, Consent, Dossier, Jurisdiction, Purpose};

use crate::dimensions::*;
use crate::oracle::Kept;
use crate::tally::{FINDINGS, Findings};

/// Each list of consents, with all that else can be known of a person, at tenants that serve people for many purposes
/// or for none.
#[test]
fn the_engine_and_the_oracle_agree_on_who_is_to_be_erased_unasked() {
    let policies = clients();
    let lists = lists_of_withdrawals();
    let mut findings = Findings::default();
    let mut planned = 0;
    for consents in &lists {
        let people = for_every_person(Purpose::Authentication, consents, |person| {
            for policy in &policies {
                findings.find(policy, person);
            }
        });
        planned += people * policies.len();
    }
    let timeless: Vec<_> = FINDINGS.into_iter().filter(|&found| found != Err(Kept::ByStatute)).collect();
    findings.met(&timeless);
    assert_eq!(findings.cases, planned);
    assert!(findings.cases > 5_000_000, "{} cases are too few", findings.cases);
}

/// Any consent beside any other, the withdrawn ones also where their time is over since.
#[test]
fn the_engine_and_the_oracle_agree_on_who_is_to_be_erased_unasked_with_every_pair_of_consents() {
    let jurisdictions = [Jurisdiction::Kazakhstan, Jurisdiction::Texas];
    let policies = clients();
    let mut single = each_consent(Purpose::Authentication, LATELY);
    let withdrawn: Vec<_> = single.iter().filter(|consent| consent.withdrawn_at.is_some()).cloned().collect();
    single.extend(withdrawn.into_iter().map(|consent| Consent { expires_at: Some(NOW), ..consent }));
    let mut findings = Findings::default();
    for first in &single {
        for second in &single {
            let consents = recorded(vec![first.clone(), second.clone()]);
            for jurisdiction in jurisdictions {
                for age in AgeBand::ALL {
                    let consents = consents.clone();
                    let person = Dossier { jurisdiction: Some(jurisdiction), age, consents, ..Dossier::default() };
                    for policy in &policies {
                        findings.find(policy, &person);
                    }
                }
            }
        }
    }
    let keeps = [Kept::Held, Kept::Restricted, Kept::ByStatute].map(Err);
    let free: Vec<_> = FINDINGS.into_iter().filter(|found| !keeps.contains(found)).collect();
    findings.met(&free);
    let people = jurisdictions.len() * AgeBand::ALL.len();
    assert_eq!(findings.cases, single.len() * single.len() * people * policies.len());
}

/// People with many consents, at tenants that declare few purposes or many.
#[test]
fn the_engine_and_the_oracle_agree_on_who_is_to_be_erased_unasked_of_people_drawn_by_chance() {
    const DRAWN: usize = 300_000;
    let mut dice = Dice(5);
    let mut findings = Findings::default();
    for _ in 0..DRAWN {
        let purpose = dice.one_of(&SERVED);
        let person = drawn_person(&mut dice, purpose);
        let mut policy = drawn_tenant(&mut dice, purpose);
        // The fewer purposes there are, the oftener each of them is lost.
        let few = dice.coin();
        policy.purposes.retain(|declared| !few || !SERVED.contains(&declared.purpose) || declared.purpose == purpose);
        findings.find(&policy, &person);
    }
    findings.met(&FINDINGS);
    assert_eq!(findings.cases, DRAWN);
}

#[test]
fn no_list_of_consents_is_crossed_twice() {
    let mut crossed = PURPOSES.map(consent_lists).to_vec();
    crossed.push(lists_of_withdrawals());
    for lists in crossed {
        for (at, list) in lists.iter().enumerate() {
            assert!(!lists[..at].contains(list), "{list:#?}");
        }
    }
}
