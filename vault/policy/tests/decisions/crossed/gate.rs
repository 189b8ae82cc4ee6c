//! Each call at the gate of each node.

use std::collections::HashMap;

use lethe_domain::{
    CredentialId, Environment, LawfulBasis, Purpose, PurposeBasis, Reason, Region, Role, Roles, TenantId, TenantPolicy,
};
use lethe_policy::operation::{self as op, Kind};
use lethe_policy::{Owner, Principal, SecondFactor, Site, Target};

use crate::comparison::{Answer, let_in};
use crate::dimensions::*;

fn region(name: &str) -> Region {
    Region::parse("region", name).unwrap()
}

/// Nodes that are nowhere in particular, in a region, and in another of nearly the same name.
fn sites() -> [Site; 3] {
    [None, Some("eu-central"), Some("eu-central-1")].map(|name| Site { region: name.map(region) })
}

/// Tenants of both environments and no, one or another region, with every purpose, one, and none.
fn tenants_of_regions() -> Vec<TenantPolicy> {
    let basis = LawfulBasis::LegitimateInterests;
    let mut all = Vec::new();
    for environment in Environment::ALL {
        for name in [None, Some("eu-central"), Some("us-east")] {
            for purposes in [
                Purpose::ALL.to_vec(),
                vec![Purpose::ServiceDevelopment],
                vec![Purpose::LegalClaims, Purpose::FraudPrevention],
                vec![],
            ] {
                let purposes = purposes.into_iter().map(|purpose| PurposeBasis { purpose, basis }).collect();
                all.push(TenantPolicy { environment, region: name.map(region), ..TenantPolicy::of(purposes) });
            }
        }
    }
    all
}

/// Everything that a call can be answered with.
const ANSWERS: [Answer; 10] = [
    Ok(()),
    Err((Reason::CredentialExpired, "O31")),
    Err((Reason::TenantMismatch, "O4")),
    Err((Reason::RegionMismatch, "O32")),
    Err((Reason::RoleRequired, "O31")),
    Err((Reason::PurposeUnspecified, "O2")),
    Err((Reason::PurposeNotAllowed, "O2")),
    Err((Reason::TenantNotFound, "O1")),
    Err((Reason::EnvironmentMismatch, "O3")),
    Err((Reason::PurposeNotAllowed, "O1")),
];

#[derive(Default)]
struct Calls {
    cases: usize,
    answers: HashMap<Answer, usize>,
}

impl Calls {
    /// Whoever can call with whatever is tried.
    fn call<O: Kind>(&mut self) {
        let its = TenantId::parse("tenant-a").unwrap();
        let anothers = TenantId::parse("tenant-b").unwrap();
        let policies = tenants_of_regions();
        let mut targets = vec![Target::Vault, Target::Tenant(&its, None)];
        targets.extend(policies.iter().map(|policy| Target::Tenant(&its, Some(policy))));
        let purposes: Vec<_> = std::iter::once(None).chain(Purpose::ALL.map(Some)).collect();
        let mut sets: Vec<_> = Role::ALL.map(Roles::only).to_vec();
        sets.push(Roles::default());
        sets.push(Role::ALL.into_iter().collect());
        for owner in [Owner::Vault, Owner::Tenant(its.clone()), Owner::Tenant(anothers)] {
            for &roles in &sets {
                for expires in [None, Some(NOW), Some(from_now(1)), Some(from_now(-1))] {
                    let credential = CredentialId::from_bytes([6; 16]);
                    let principal =
                        Principal { credential, owner: owner.clone(), roles, expires, factor: SecondFactor::NotAsked };
                    for site in &sites() {
                        for &target in &targets {
                            for &purpose in &purposes {
                                let answer = let_in::<O>(site, &principal, target, purpose, NOW);
                                *self.answers.entry(answer).or_default() += 1;
                                self.cases += 1;
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_engine_and_the_oracle_agree_on_every_call() {
    let mut calls = Calls::default();
    calls.call::<op::CreateTenant>();
    calls.call::<op::GetTenant>();
    calls.call::<op::UpdateTenantPolicy>();
    calls.call::<op::ShredTenant>();
    calls.call::<op::CreateBackup>();
    calls.call::<op::GetReceipt>();
    calls.call::<op::GetVaultReceipt>();
    calls.call::<op::GetCheckpoint>();
    calls.call::<op::Enroll>();
    calls.call::<op::ReplaceTemplate>();
    calls.call::<op::DeleteTemplate>();
    calls.call::<op::Verify>();
    calls.call::<op::Search>();
    calls.call::<op::SweepDuplicates>();
    calls.call::<op::GetSubject>();
    calls.call::<op::EraseSubject>();
    calls.call::<op::RecordConsent>();
    calls.call::<op::PlaceHold>();
    calls.call::<op::ListHolds>();
    for answer in ANSWERS {
        assert!(calls.answers.get(&answer).is_some_and(|&times| times > 100), "{answer:?}: {:?}", calls.answers);
    }
    assert_eq!(calls.answers.len(), ANSWERS.len(), "{:?}", calls.answers);
    assert!(calls.cases > 2_000_000, "{} cases are too few", calls.cases);
}
