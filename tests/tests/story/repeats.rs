//! A repeated request gives the first answer; the same id for another request is refused.

use lethe_proto::v1::{self, ErasureState, ErrorReason, Purpose, Role};
use lethe_tests::{Faces, Refused, Vault, basis, capture, request_id};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_enrolment_stores_once() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(31).strangers(2);
    let request = bank.enroller().enrolment("ada", &people[0].selfie());
    let first = bank.enroller().ask(request.clone()).await.unwrap();
    for _ in ["at once", "after a crash"] {
        assert_eq!(bank.enroller().ask(request.clone()).await.unwrap().template, first.template);
        assert_eq!(bank.enroller().templates("ada").await.unwrap().len(), 1);
        vault.crash().await;
    }
    // By a stream, too: it is the same request.
    let mut item = bank.enroller().item("ada", &people[0].selfie());
    item.request_id.clone_from(&request.request_id);
    let answers = bank.enroller().enroll_all(vec![item]).await.unwrap();
    let Some(v1::batch_enroll_response::Result::Enrolled(again)) = &answers[0].result else { panic!("{answers:?}") };
    assert_eq!(again.template, first.template);

    let other = |change: fn(&mut v1::Capture)| {
        let mut request = request.clone();
        change(request.template.as_mut().unwrap());
        request
    };
    let mut face = request.clone();
    face.template = Some(capture(&people[1].selfie()));
    let others = [
        face,
        other(|capture| capture.quality = Some(0.1)),
        other(|capture| capture.kind = v1::CaptureKind::DocumentPortrait.into()),
        other(|capture| capture.capture_time.as_mut().unwrap().seconds += 1),
    ];
    for other in others {
        let refusal = bank.enroller().ask(other).await.refused();
        refusal.assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused).assert_field("request_id");
    }
    assert_eq!(bank.enroller().templates("ada").await.unwrap().len(), 1);
    // Without an id every request is a new one.
    let mut unnamed = request;
    unnamed.request_id.clear();
    bank.enroller().ask(unnamed.clone()).await.unwrap();
    bank.enroller().ask(unnamed).await.unwrap();
    assert_eq!(bank.enroller().templates("ada").await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_replacement_replaces_once() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(32).strangers(3);
    let old = bank.enroller().enroll("ada", &people[0].selfie()).await.unwrap().template.unwrap().name;
    let request = bank.enroller().replacement(&old, &people[1].selfie());
    let first = bank.enroller().ask(request.clone()).await.unwrap();
    for _ in ["at once", "after a crash"] {
        let again = bank.enroller().ask(request.clone()).await.unwrap();
        assert_eq!((&again.template, &again.erasure), (&first.template, &first.erasure));
        assert_eq!(bank.enroller().templates("ada").await.unwrap().len(), 1);
        vault.crash().await;
    }
    let mut other = request.clone();
    other.template = Some(capture(&people[2].selfie()));
    let refusal = bank.enroller().ask(other).await.refused();
    refusal.assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused).assert_field("request_id");
    // The id of a replacement cannot enroll, either.
    let mut enrolment = bank.enroller().enrolment("ada", &people[2].selfie());
    enrolment.request_id = request.request_id;
    bank.enroller().ask(enrolment).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
    assert!(bank.analyst().found(&people[2].again()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_deletion_gives_the_same_receipt() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(33).strangers(2);
    let mut names = Vec::new();
    for person in &people {
        names.push(bank.enroller().enroll("ada", &person.selfie()).await.unwrap().template.unwrap().name);
    }
    let request = bank.enroller().deletion(&names[0]);
    let first = bank.enroller().ask(request.clone()).await.unwrap();
    assert_eq!(bank.enroller().ask(request.clone()).await.unwrap(), first);
    vault.crash().await;
    assert_eq!(bank.enroller().ask(request.clone()).await.unwrap(), first);
    assert_eq!(bank.analyst().found(&people[1].again()).await, ["ada"], "the other template was never meant");
    // For another template the id stands for another deletion: it is carried out or refused, never
    // answered with the receipt of the first.
    let other = v1::DeleteTemplateRequest { name: names[1].clone(), ..request };
    match bank.enroller().ask(other).await {
        Ok(erasure) => {
            assert_ne!(erasure.receipt, first.receipt);
            assert!(bank.analyst().found(&people[1].again()).await.is_empty());
        }
        Err(refusal) => {
            refusal.assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_erasure_gives_the_same_receipt_when_the_subject_is_long_gone() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(34).strangers(2);
    for (at, person) in people.iter().enumerate() {
        bank.enroller().enroll(&format!("person-{at}"), &person.selfie()).await.unwrap();
    }
    let request = bank.privacy_officer().erasure("person-0");
    let first = bank.privacy_officer().ask(request.clone()).await.unwrap();
    assert_eq!(first.state(), ErasureState::Shredded);
    for _ in ["at once", "after a crash"] {
        assert_eq!(bank.privacy_officer().ask(request.clone()).await.unwrap(), first);
        vault.crash().await;
    }
    let fresh = v1::EraseSubjectRequest { request_id: request_id(), ..request.clone() };
    let refusal = bank.privacy_officer().ask(fresh).await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);

    // For another subject the id stands for another erasure: it is carried out or refused, never answered
    // with the receipt of the first while the other stays.
    let name = "tenants/bank/subjects/person-1".to_owned();
    match bank.privacy_officer().ask(v1::EraseSubjectRequest { name, ..request }).await {
        Ok(erasure) => {
            assert_ne!(erasure.receipt, first.receipt);
            assert!(bank.analyst().found(&people[1].again()).await.is_empty());
        }
        Err(refusal) => {
            refusal.assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once() {
    let vault = Vault::fresh().await;
    let request = v1::CreateTenantRequest {
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        tenant_id: "bank".to_owned(),
        tenant: Some(v1::Tenant { purposes: vec![basis(Purpose::Authentication)], ..v1::Tenant::default() }),
        administrator_login: None,
    };
    let first = vault.operator().ask(request.clone()).await.unwrap();
    let issued = first.credential.unwrap();
    assert!(!issued.already_shown && issued.api_key.starts_with("lethe_"));
    let again = vault.operator().ask(request.clone()).await.unwrap();
    assert_eq!(again.tenant, first.tenant);
    let repeated = again.credential.unwrap();
    assert!(repeated.already_shown && repeated.api_key.is_empty());
    assert_eq!(repeated.credential, issued.credential);
    let other = v1::CreateTenantRequest { tenant_id: "shop".to_owned(), ..request.clone() };
    let refusal = vault.operator().ask(other).await.refused();
    refusal.assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
    let taken = v1::CreateTenantRequest { request_id: request_id(), ..request };
    vault.operator().ask(taken).await.refused().assert_is(Code::AlreadyExists, ErrorReason::TenantExists);

    let admin = vault.caller(Some(issued.api_key)).on("bank");
    let request = v1::CreateCredentialRequest {
        parent: "tenants/bank".to_owned(),
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        credential: Some(v1::Credential { roles: vec![Role::Enroller.into()], ..v1::Credential::default() }),
    };
    let first = admin.ask(request.clone()).await.unwrap();
    let again = admin.ask(request.clone()).await.unwrap();
    assert!(!first.already_shown && again.already_shown && again.api_key.is_empty());
    assert_eq!(again.credential, first.credential);
    let mut other = request;
    other.credential.as_mut().unwrap().roles.push(Role::Auditor.into());
    admin.ask(other).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);

    // Revoking again changes nothing.
    let revocation = v1::RevokeCredentialRequest {
        name: first.credential.unwrap().name,
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
    };
    let revoked = admin.ask(revocation.clone()).await.unwrap();
    assert_eq!(revoked.state(), v1::CredentialState::Revoked);
    assert_eq!(admin.ask(revocation).await.unwrap(), revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_registered_once_and_its_policy_version_counts_changes() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").without_model().await;
    let request = v1::CreateModelProfileRequest {
        parent: bank.name(),
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        model_profile: Some(v1::ModelProfile {
            model: Some(v1::ModelVersion { id: "face".to_owned(), version: "1".to_owned() }),
            dimension: 512,
            thresholds: Some(v1::Thresholds { r#match: 0.45, review: 0.35 }),
            ..v1::ModelProfile::default()
        }),
    };
    let first = bank.admin().ask(request.clone()).await.unwrap();
    assert_eq!((first.policy_version, first.miss_probability), (1, Some(1e-4)));
    assert_eq!(first.name, "tenants/bank/modelProfiles/face@1");
    assert_eq!(bank.admin().ask(request.clone()).await.unwrap(), first);
    let mut other = request.clone();
    other.model_profile.as_mut().unwrap().dimension = 128;
    bank.admin().ask(other).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
    let taken = v1::CreateModelProfileRequest { request_id: request_id(), ..request };
    bank.admin().ask(taken).await.refused().assert_is(Code::AlreadyExists, ErrorReason::ModelExists);

    let update = v1::UpdateModelProfileRequest {
        model_profile: Some(v1::ModelProfile {
            name: first.name.clone(),
            thresholds: Some(v1::Thresholds { r#match: 0.5, review: 0.1 }),
            miss_probability: Some(1e-6),
            ..v1::ModelProfile::default()
        }),
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        update_mask: Some(prost_types::FieldMask { paths: vec!["thresholds.match".to_owned()] }),
    };
    let updated = bank.admin().ask(update.clone()).await.unwrap();
    // Only what the mask names was taken.
    assert_eq!(updated.thresholds, Some(v1::Thresholds { r#match: 0.5, review: 0.35 }));
    assert_eq!((updated.policy_version, updated.miss_probability), (2, Some(1e-4)));
    assert_eq!(bank.admin().ask(update.clone()).await.unwrap(), updated, "a repeat changes nothing");
    // Its path with the field unset puts the default back.
    let change = |paths: &[&str], miss| {
        let mut request = v1::UpdateModelProfileRequest { request_id: request_id(), ..update.clone() };
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        request.update_mask = Some(prost_types::FieldMask { paths });
        request.model_profile.as_mut().unwrap().miss_probability = miss;
        request
    };
    let changed = bank.admin().ask(change(&["miss_probability"], Some(1e-6))).await.unwrap();
    assert_eq!((changed.policy_version, changed.miss_probability), (3, Some(1e-6)));
    let default = bank.admin().ask(change(&["miss_probability"], None)).await.unwrap();
    assert_eq!(default.miss_probability, Some(1e-4));
    let mut unmasked = change(&[], None);
    unmasked.update_mask = None;
    let all = bank.admin().ask(unmasked).await.unwrap();
    assert_eq!(all.thresholds, Some(v1::Thresholds { r#match: 0.5, review: 0.1 }), "without a mask, all that is set");
    assert_eq!(all.miss_probability, Some(1e-4), "what is not set stays as it is");
    let refusal = bank.admin().ask(change(&["dimension"], None)).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("update_mask");

    // Answers name the version that judged.
    let ada = Faces::seeded(35).person(0);
    bank.enroller().enroll("ada", &ada.selfie()).await.unwrap();
    let request = v1::GetModelProfileRequest { name: first.name, purpose: Purpose::Administration.into() };
    let current = bank.admin().ask(request).await.unwrap().policy_version;
    assert_eq!(bank.analyst().verify("ada", &ada.again()).await.unwrap().policy_version, current);
    assert_eq!(bank.analyst().search(&ada.again()).await.unwrap().policy_version, current);
}
