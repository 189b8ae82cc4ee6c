//! What a tenant allows, which it changes itself (O1).

use lethe_proto::v1::{ErrorReason, Jurisdiction, LawfulBasis, Purpose, PurposeBasis, Tenant, UpdatePolicyRequest};
use lethe_tests::{Faces, Refused, Vault};
use prost_types::FieldMask;
use tonic::Code;

use crate::disclosure::{entries, said};

pub(crate) fn change(tenant: Tenant, paths: &[&str]) -> UpdatePolicyRequest {
    UpdatePolicyRequest {
        tenant: Some(tenant),
        purpose: Purpose::Administration.into(),
        request_id: String::new(),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_policy_counts_from_its_answer_on_and_after_a_crash() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let face = Faces::seeded(351).person(0).selfie();
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    let basis =
        |purpose: Purpose, basis: LawfulBasis| PurposeBasis { purpose: purpose.into(), lawful_basis: basis.into() };
    let purposes = vec![
        basis(Purpose::Authentication, LawfulBasis::ExplicitConsent),
        basis(Purpose::FraudPrevention, LawfulBasis::LegalObligation),
    ];
    let wanted = Tenant { name: bank.name(), purposes: purposes.clone(), ..Tenant::default() };
    let changed = bank.admin().ask(change(wanted.clone(), &["purposes"])).await.unwrap();
    assert_eq!((changed.policy_version, &changed.purposes), (2, &purposes));
    // The same again is no change.
    let again = bank.admin().ask(change(wanted, &["purposes"])).await.unwrap();
    assert_eq!(again, changed);

    for crashed in [false, true] {
        if crashed {
            vault.crash().await;
        }
        let refusal = bank.analyst().search(&face).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::PurposeNotAllowed);
        let refusal = bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.refused();
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::ConsentMissing);
        // The gallery and the people are what they were.
        let fraud =
            lethe_proto::v1::SearchRequest { purpose: Purpose::FraudPrevention.into(), ..bank.analyst().query(&face) };
        assert_eq!(bank.analyst().ask(fraud).await.unwrap().matches.len(), 1);
    }
    let law = Tenant { name: bank.name(), jurisdiction: Jurisdiction::Kazakhstan.into(), ..Tenant::default() };
    let changed = bank.admin().ask(change(law, &["jurisdiction"])).await.unwrap();
    assert_eq!((changed.policy_version, changed.jurisdiction()), (3, Jurisdiction::Kazakhstan));
    assert_eq!(changed.purposes, purposes, "what is not in the mask stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_decision_records_the_policy_that_judged() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let rival = vault.tenant("rival").await;
    let face = Faces::seeded(352).person(0).selfie();
    bank.enroller().enroll("ada", &face).await.unwrap();
    let law = Tenant { name: bank.name(), jurisdiction: Jurisdiction::Illinois.into(), ..Tenant::default() };
    bank.admin().ask(change(law, &["jurisdiction"])).await.unwrap();
    // Judged of a person; judged at the gate; and not judged by one's own policy.
    bank.analyst().verify("ada", &face).await.refused();
    bank.auditor().search(&face).await.refused();
    let foreign = lethe_proto::v1::SearchRequest { parent: rival.name(), ..bank.analyst().query(&face) };
    bank.analyst().ask(foreign).await.refused();
    bank.authenticator().verify("nobody", &face).await.unwrap();
    let said: Vec<_> = entries(&bank).await.iter().map(said).collect();
    let of = |operation: &str, reason: Option<&str>| {
        let found = said
            .iter()
            .rev()
            .find(|entry| entry["operation"] == operation && reason.is_none_or(|reason| entry["reason"] == reason));
        found.unwrap_or_else(|| panic!("{operation}: {said:?}"))["policy"].clone()
    };
    assert_eq!(of("enrollment.enroll", None), 1);
    assert_eq!(of("tenant.update_policy", None), 1);
    assert_eq!(of("authentication.verify", Some("WRITTEN_CONSENT_REQUIRED")), 2);
    assert_eq!(of("identification.search", Some("ROLE_REQUIRED")), 2);
    assert_eq!(of("authentication.verify", Some("SUBJECT_NOT_FOUND")), 2);
    assert!(of("identification.search", Some("TENANT_MISMATCH")).is_null(), "the other's version is the other's");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_policy_is_refused_by_field() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let named = || Tenant { name: bank.name(), ..Tenant::default() };
    let twice = {
        let entry = PurposeBasis { purpose: Purpose::Authentication.into(), lawful_basis: 1 };
        Tenant { purposes: vec![entry, entry], ..named() }
    };
    let cases = [
        ("update_mask", change(named(), &[])),
        ("update_mask", change(named(), &["create_time"])),
        ("tenant.purposes[1].purpose", change(twice, &["purposes"])),
        ("tenant.jurisdiction", change(Tenant { jurisdiction: 99, ..named() }, &["jurisdiction"])),
        ("tenant", UpdatePolicyRequest { tenant: None, ..change(named(), &["purposes"]) }),
    ];
    for (field, request) in cases {
        let refusal = bank.admin().ask(request).await.refused();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        refusal.assert_field(field);
    }
}
