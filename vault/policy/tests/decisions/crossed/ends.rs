//! How long templates and people are kept.

use lethe_domain::{
    AgeBand, Dossier, Environment, Jurisdiction, LawfulBasis, Period, PostMortem, Purpose, PurposeBasis, Retention,
    TenantPolicy,
};
use lethe_policy::Cause;

use crate::dimensions::*;
use crate::oracle::calendar::moment;
use crate::tally::Ends;

fn keeps() -> Vec<Option<Period>> {
    let texts = ["P0D", "P1D", "P1M", "P90D", "P730D", "P18M", "P2Y", "P1Y11M30D", "P3Y", "P1096D", "P5Y", "P100Y"];
    let mut all = vec![None];
    all.extend(texts.map(|text| Some(period(text))));
    all
}

/// Tenants of some laws that keep templates for so long, set purposes themselves or not, and improve the service or not.
fn keepers_of_templates() -> Vec<TenantPolicy> {
    let login = PurposeBasis { purpose: Purpose::Authentication, basis: LawfulBasis::Contract };
    let improvement = PurposeBasis { purpose: Purpose::ServiceDevelopment, basis: LawfulBasis::ExplicitConsent };
    let mut all = Vec::new();
    for jurisdiction in [Jurisdiction::Other, Jurisdiction::Illinois, Jurisdiction::Texas] {
        for keep in keeps() {
            for vendor_purposes in [false, true] {
                for (environment, purposes) in [
                    (Environment::Production, vec![login]),
                    (Environment::Development, vec![login]),
                    (Environment::Production, vec![login, improvement]),
                    (Environment::Development, vec![improvement]),
                ] {
                    let retention = Retention { keep, vendor_purposes, ..Retention::default() };
                    all.push(TenantPolicy { jurisdiction, environment, retention, ..TenantPolicy::of(purposes) });
                }
            }
        }
    }
    all
}

/// Templates of each age, kept by each period under each law, at each moment at which one of its ends comes; who the person
/// is else, and what became of it, changes nothing.
#[test]
fn the_engine_and_the_oracle_agree_on_the_end_of_every_template() {
    let mut tally = Ends::default();
    let mut planned = 0;
    let people = people_at_their_ends();
    let policies = keepers_of_templates();
    for policy in &policies {
        for person in &people {
            for jurisdiction in laws() {
                let person = Dossier { jurisdiction, ..person.clone() };
                for provided_at in provisions() {
                    tally.template(policy, &person, provided_at);
                    planned += 1;
                }
            }
        }
    }
    tally.met(&[Cause::Period, Cause::Law, Cause::Vendor, Cause::Improvement]);
    assert_eq!(tally.cases, planned);
    assert!(tally.moments > 4_000_000, "{} moments are too few", tally.moments);
}

/// People of whom nothing ended, and one thing or another that ends a person whatever the age of its templates.
fn people_at_their_ends() -> Vec<Dossier> {
    let mut all: Vec<_> = KEPT.map(|kept| kept_by(kept, Dossier::default())).to_vec();
    all.push(Dossier { age: AgeBand::Under16, ..Dossier::default() });
    for ended_at in [moment(2024, 2, 29, NOON), NOW] {
        all.extend([
            Dossier { purpose_ended_at: Some(ended_at), ..Dossier::default() },
            Dossier { contract_ended_at: Some(ended_at), ..Dossier::default() },
            Dossier { deferral: Some(put_off(ended_at, NOON)), ..Dossier::default() },
            Dossier { died_at: Some(ended_at), post_mortem: Some(PostMortem::Erase), ..Dossier::default() },
        ]);
    }
    all
}

/// Everything that can end a person and keep it, under each sort of law, at each moment at which something ends.
#[test]
fn the_engine_and_the_oracle_agree_on_the_end_of_every_person() {
    let mut tally = Ends::default();
    let mut planned = 0;
    let policies = keepers_of_people();
    for_every_fate(|person| {
        for jurisdiction in [None, Some(Jurisdiction::Texas)] {
            for kept in KEPT {
                let person = kept_by(kept, Dossier { jurisdiction, ..person.clone() });
                for policy in &policies {
                    tally.person(policy, &person);
                    planned += 1;
                }
            }
        }
    });
    tally.met(&[Cause::PurposeSatisfied, Cause::ContractOver, Cause::Deferred, Cause::Death]);
    tally.met_every_keeper();
    assert_eq!(tally.cases, planned);
    assert!(tally.moments > 5_000_000, "{} moments are too few", tally.moments);
}
