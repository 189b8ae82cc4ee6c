//! Each policy that a client can ask for.

use std::collections::HashMap;

use lethe_domain::{Environment, Jurisdiction, LawfulBasis, Period, Purpose, Reason, Retention, TenantPolicy};
use lethe_policy::check;

use crate::dimensions::*;
use crate::oracle::contradictions::Caps;

fn periods(texts: &[&str]) -> Vec<Option<Period>> {
    std::iter::once(None).chain(texts.iter().map(|text| Some(period(text)))).collect()
}

/// Every law and environment, with and without development, and periods at, before and beyond each cap.
#[test]
fn the_engine_and_the_oracle_agree_on_every_contradiction() {
    use Purpose::{Authentication, ServiceDevelopment};
    let keeps = periods(&[
        "P0D",
        "P1D",
        "P1M",
        "P18M",
        "P23M28D",
        "P23M30D",
        "P23M31D",
        "P730D",
        "P731D",
        "P2Y",
        "P2Y1D",
        "P2Y11M28D",
        "P2Y11M30D",
        "P35M31D",
        "P1095D",
        "P1096D",
        "P36M",
        "P3Y",
        "P3Y1D",
        "P37M",
        "P1826D",
        "P1827D",
        "P5Y",
        "P5Y1D",
        "P100Y",
    ]);
    let after_ends =
        periods(&["P0D", "P1D", "P11M28D", "P11M30D", "P364D", "P365D", "P366D", "P1Y", "P1Y1D", "P13M", "P100Y"]);
    let minima = periods(&["P0D", "P5Y", "P100Y"]);
    let declared = [
        client(&[]),
        client(&[(Authentication, LawfulBasis::Contract)]),
        client(&[(ServiceDevelopment, LawfulBasis::ExplicitConsent)]),
        client(&[(Authentication, LawfulBasis::ExplicitConsent), (ServiceDevelopment, LawfulBasis::Contract)]),
    ];
    let mut caps = Caps::default();
    let mut found: HashMap<Option<String>, usize> = HashMap::new();
    let mut cases = 0;
    for policy in &declared {
        for jurisdiction in Jurisdiction::ALL {
            for environment in Environment::ALL {
                for &keep in &keeps {
                    for &after_end in &after_ends {
                        for &minimum in &minima {
                            for vendor_purposes in [false, true] {
                                let retention =
                                    Retention { keep, after_end, minimum, vendor_purposes, limitation: None };
                                let policy = TenantPolicy { jurisdiction, environment, retention, ..policy.clone() };
                                let field = contradiction(&mut caps, &policy);
                                *found.entry(field).or_default() += 1;
                                cases += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    for field in ["tenant.purposes", "tenant.retention.keep", "tenant.retention.after_end"] {
        assert!(found.get(&Some(field.to_owned())).is_some_and(|&times| times > 100), "{found:?}");
    }
    assert!(found.get(&None).is_some_and(|&times| times > 1000) && found.len() == 4, "{found:?}");
    assert!(cases > 100_000, "{cases} cases are too few");
}

/// The field that the engine refuses, which has to be one of those that the oracle does; no field where it has none.
fn contradiction(caps: &mut Caps, policy: &TenantPolicy) -> Option<String> {
    let oracle = caps.contradictions(policy);
    match check(policy) {
        Ok(()) => {
            assert!(oracle.is_empty(), "the oracle refuses {oracle:?}\n{policy:#?}");
            None
        }
        Err(refused) => {
            assert_eq!(refused.reason, Reason::PolicyContradiction);
            assert!(!refused.message.is_empty());
            assert!(oracle.contains(&refused.field.as_str()), "{refused:?}\noracle: {oracle:?}\n{policy:#?}");
            Some(refused.field)
        }
    }
}
