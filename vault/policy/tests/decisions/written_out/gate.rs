//! What the gate of a node lets in.

use lethe_domain::{
    CredentialId, Environment, LawfulBasis, Purpose, Reason, Region, Role, Roles, TenantId, TenantPolicy,
};
use lethe_policy::operation::{EraseSubject, GetCheckpoint, GetTenant, Search};
use lethe_policy::{Owner, Principal, SecondFactor, Site, Target};

use crate::comparison::let_in;
use crate::dimensions::*;

fn tenant_a() -> TenantId {
    TenantId::parse("tenant-a").unwrap()
}

/// Whoever has every role at a tenant.
fn everybody() -> Principal {
    Principal {
        credential: CredentialId::from_bytes([6; 16]),
        owner: Owner::Tenant(tenant_a()),
        roles: Role::ALL.into_iter().collect(),
        expires: None,
        factor: SecondFactor::NotAsked,
    }
}

fn node(region: Option<&str>) -> Site {
    Site { region: region.map(|name| Region::parse("region", name).unwrap()) }
}

#[test]
fn a_node_of_another_region_refuses_everything_that_a_tenant_has() {
    let its = tenant_a();
    let elsewhere = Err((Reason::RegionMismatch, "O32"));
    let declared = client(&[(Purpose::FraudPrevention, LawfulBasis::LegitimateInterests)]);
    let policy = TenantPolicy { region: node(Some("eu-central")).region, ..declared.clone() };
    let operator = Principal { owner: Owner::Vault, roles: Roles::only(Role::Operator), ..everybody() };
    for (region, expected) in [
        (Some("eu-central"), Ok(())),
        (Some("eu-central-1"), elsewhere),
        (Some("us-east"), elsewhere),
        (None, elsewhere),
    ] {
        let (site, target) = (node(region), Target::Tenant(&its, Some(&policy)));
        let fraud = Some(Purpose::FraudPrevention);
        assert_eq!(let_in::<Search>(&site, &everybody(), target, fraud, NOW), expected);
        let request = Some(Purpose::DataSubjectRequest);
        assert_eq!(let_in::<EraseSubject>(&site, &everybody(), target, request, NOW), expected);
        assert_eq!(let_in::<GetTenant>(&site, &operator, target, Some(Purpose::Administration), NOW), expected);

        // Whose data live nowhere in particular are served everywhere.
        let anywhere = Target::Tenant(&its, Some(&declared));
        assert_eq!(let_in::<Search>(&site, &everybody(), anywhere, fraud, NOW), Ok(()));
    }

    // Not where they live is told before who asks is known to be theirs, and nothing else before where they live.
    let (site, target) = (node(Some("us-east")), Target::Tenant(&its, Some(&policy)));
    let stranger = Principal { owner: Owner::Tenant(TenantId::parse("tenant-b").unwrap()), ..everybody() };
    assert_eq!(let_in::<Search>(&site, &stranger, target, None, NOW), Err((Reason::TenantMismatch, "O4")));
    let nobody = Principal { roles: Roles::default(), ..everybody() };
    assert_eq!(let_in::<Search>(&site, &nobody, target, None, NOW), elsewhere);
    let late = Principal { expires: Some(NOW), ..everybody() };
    assert_eq!(let_in::<Search>(&site, &late, target, None, NOW), Err((Reason::CredentialExpired, "O31")));
}

#[test]
fn nothing_in_production_develops_the_service() {
    let its = tenant_a();
    let declared = client(&[(Purpose::ServiceDevelopment, LawfulBasis::ExplicitConsent)]);
    let answer = |policy: &TenantPolicy| {
        let target = Target::Tenant(&its, Some(policy));
        let_in::<Search>(&node(None), &everybody(), target, Some(Purpose::ServiceDevelopment), NOW)
    };
    let mismatch = Err((Reason::EnvironmentMismatch, "O3"));
    assert_eq!(answer(&declared), mismatch);
    assert_eq!(answer(&client(&[])), mismatch);
    assert_eq!(answer(&TenantPolicy { environment: Environment::Development, ..declared }), Ok(()));
    let undeclared = TenantPolicy { environment: Environment::Development, ..client(&[]) };
    assert_eq!(answer(&undeclared), Err((Reason::PurposeNotAllowed, "O1")));
}

/// Receipts are proved from the vault's log.
#[test]
fn a_tenants_credential_may_ask_the_vault_what_both_may_ask() {
    let auditor = Principal { roles: Roles::only(Role::Auditor), ..everybody() };
    let answer = let_in::<GetCheckpoint>(&node(None), &auditor, Target::Vault, Some(Purpose::Audit), NOW);
    assert_eq!(answer, Ok(()));
}
