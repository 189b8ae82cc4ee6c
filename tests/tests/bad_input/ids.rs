//! Applicant ids, request ids and resource names.

use lethe_proto::v1::{self, ErrorReason, Purpose};
use lethe_tests::basis;

use crate::scene::{Scene, Verdict, invalid};

const EMPTY: ErrorReason = ErrorReason::SubjectIdEmpty;
const LONG: ErrorReason = ErrorReason::SubjectIdTooLong;
const MALFORMED: ErrorReason = ErrorReason::SubjectIdMalformed;
const PERSONAL: ErrorReason = ErrorReason::SubjectIdPersonalData;

/// Applicant ids that are none.
fn subject_ids() -> Vec<(String, ErrorReason)> {
    let fixed = [
        ("", EMPTY),
        (" ", MALFORMED),
        ("a b", MALFORMED),
        ("a\nb", MALFORMED),
        ("a\0b", MALFORMED),
        ("naïve", MALFORMED),
        ("人", MALFORMED),
        ("a%2Fb", MALFORMED),
        ("quentin@example.org", PERSONAL),
        ("+44 20 7946 0958", PERSONAL),
        ("020-7946-0958", PERSONAL),
        ("4915112345678", PERSONAL),
        ("123-45-6789", PERSONAL),
        ("QQ123456C", PERSONAL),
        ("12345678Z", PERSONAL),
        ("X1234567L", PERSONAL),
        ("RSSMRA85T10A562S", PERSONAL),
    ];
    let long = ["x".repeat(129), "x".repeat(100_000)].map(|id| (id, LONG));
    fixed.map(|(id, reason)| (id.to_owned(), reason)).into_iter().chain(long).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applicant_id_that_is_none_is_refused_by_name() {
    let scene = Scene::set().await;
    let (bank, face) = (&scene.bank, scene.face());
    let mut verdict = Verdict::default();
    let ids = subject_ids();
    for (id, reason) in &ids {
        let what = |method: &str| format!("{method} of {:?}", id.chars().take(20).collect::<String>());
        let by_field = |field| invalid(*reason, field);
        verdict.on(&what("Enroll"), bank.enroller().enroll(id, &face).await, &by_field("subject_id"));
        let item = bank.enroller().item(id, &face);
        let item = v1::BatchEnrollRequest { item_id: "it".to_owned(), ..item };
        let answers = bank.enroller().enroll_all(vec![item]).await.unwrap();
        verdict.on_item(&what("BatchEnroll"), &answers[0], &by_field("subject_id"));
        verdict.on(&what("Get"), bank.privacy_officer().subject(id).await, &by_field("name"));
        verdict.on(&what("Erase"), bank.privacy_officer().erase(id).await, &by_field("name"));
        verdict.on(&what("Verify"), bank.authenticator().verify(id, &face).await, &by_field("name"));
        verdict.on(&what("ListTemplates"), bank.enroller().templates(id).await, &by_field("parent"));
    }
    // With a slash in it, it is another name altogether.
    let malformed = invalid(ErrorReason::NameMalformed, "name");
    verdict.on("a slash", bank.privacy_officer().subject("a/b").await, &malformed);
    verdict.on("a way up", bank.privacy_officer().subject("../shop/subjects/a").await, &malformed);
    verdict.on("Enroll with a slash", bank.enroller().enroll("a/b", &face).await, &invalid(MALFORMED, "subject_id"));
    verdict.reached(ids.len() * 6 + 3);
    scene.is_unchanged().await;
    assert!(!scene.vault.log().contains("quentin"), "what was refused is not logged either");
}

/// The longest and oddest ids that are allowed.
#[tokio::test(flavor = "multi_thread")]
async fn ids_at_the_edge_are_taken() {
    let scene = Scene::set().await;
    let (bank, face) = (&scene.bank, scene.face());
    for id in ["x".repeat(128), "~".to_owned(), "-._~".to_owned(), "..".to_owned(), "A".to_owned(), "12345".to_owned()]
    {
        bank.enroller().enroll(&id, &face).await.unwrap();
        let subject = bank.privacy_officer().subject(&id).await.unwrap();
        assert_eq!(subject.name, format!("tenants/bank/subjects/{id}"));
        bank.privacy_officer().erase(&id).await.unwrap();
    }
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_another_form_is_refused() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    let (officer, auditor) = (bank.privacy_officer(), bank.auditor());
    let mut verdict = Verdict::default();
    let mut checked = 0;
    let missing = |field| invalid(ErrorReason::FieldMissing, field);
    let malformed = |field| invalid(ErrorReason::NameMalformed, field);
    let purpose = Purpose::Administration.into();

    let tenants = [
        "bank",
        "tenants",
        "tenants/",
        "tenants/bank/",
        "/tenants/bank",
        "Tenants/bank",
        "tenants/B",
        "tenants/bank/x",
        "tenants//",
    ];
    for name in tenants.map(str::to_owned) {
        let request = v1::GetTenantRequest { name: name.clone(), purpose };
        verdict.on(&format!("tenant {name:?}"), bank.admin().ask(request).await, &malformed("name"));
        let mut request = bank.enroller().enrolment("nobody", &scene.face());
        request.parent.clone_from(&name);
        verdict.on(&format!("parent {name:?}"), bank.enroller().ask(request).await, &malformed("parent"));
        checked += 2;
    }
    for name in ["vault", "vault/root", "vault/rootStatus/", "tenants/bank/rootStatus"].map(str::to_owned) {
        let request = v1::GetRootStatusRequest { name: name.clone(), purpose };
        let answer = scene.vault.operator().ask(request).await;
        verdict.on(&format!("root status {name:?}"), answer, &malformed("name"));
        checked += 1;
    }
    let subjects = [
        "tenants/bank",
        "tenants/bank/subjects",
        "tenants/bank/people/ada",
        "subjects/ada",
        "tenants/bank/subjects/ada/",
    ];
    for name in subjects.map(str::to_owned) {
        let purpose = Purpose::DataSubjectRequest.into();
        let answer = officer.ask(v1::GetSubjectRequest { name: name.clone(), purpose }).await;
        verdict.on(&format!("subject {name:?}"), answer, &malformed("name"));
        checked += 1;
    }
    let id = "0".repeat(32);
    let wrong_ids = [id[1..].to_owned(), format!("{id}0"), id.replace('0', "G"), "A".repeat(32), String::new()];
    for wrong in &wrong_ids {
        let template = format!("tenants/bank/subjects/ada/templates/{wrong}");
        verdict.on(&template, bank.enroller().delete(&template).await, &malformed("name"));
        verdict.on(&template, bank.enroller().replace(&template, &scene.face()).await, &malformed("name"));
        let receipt = format!("tenants/bank/receipts/{wrong}");
        verdict.on(&receipt, auditor.receipt(&receipt).await, &malformed("name"));
        let name = format!("tenants/bank/credentials/{wrong}");
        let request = v1::RevokeCredentialRequest { name: name.clone(), purpose, request_id: String::new() };
        verdict.on(&name, bank.admin().ask(request).await, &malformed("name"));
        checked += 4;
    }
    for profile in [
        "tenants/bank/modelProfiles/face",
        "tenants/bank/modelProfiles/face@",
        "tenants/bank/modelProfiles/@1",
        "tenants/bank/modelProfiles/face@1@2",
    ] {
        let request = v1::GetModelProfileRequest { name: profile.to_owned(), purpose };
        verdict.on(profile, bank.admin().ask(request).await, &malformed("name"));
        checked += 1;
    }
    for log in ["log", "vault", "vault/logs", "tenants/bank", "tenants/bank/log/1", "tenants/bank/logs"] {
        verdict.on(log, auditor.checkpoint(log).await, &malformed("log"));
        verdict.on(log, auditor.proof(log, 0, 0).await, &malformed("log"));
        checked += 2;
    }
    // Nothing at all.
    verdict.on(
        "no subject",
        officer.ask(v1::GetSubjectRequest { name: String::new(), purpose }).await,
        &missing("name"),
    );
    verdict.on(
        "no tenant",
        bank.admin().ask(v1::GetTenantRequest { name: String::new(), purpose }).await,
        &missing("name"),
    );
    verdict.on("no log", auditor.checkpoint("").await, &missing("log"));
    verdict.on("no receipt", auditor.receipt("").await, &missing("name"));
    verdict.on("no template", bank.enroller().delete("").await, &missing("name"));
    verdict.reached(checked + 5);
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_that_is_none_is_refused() {
    let scene = Scene::set().await;
    let (bank, face) = (&scene.bank, scene.face());
    let mut verdict = Verdict::default();
    let mut checked = 0;
    let bad = [
        "x",
        "00000000-0000-0000-0000-000000000000",
        "6f1c3f0e-6f7a-1b1e-9a51-1d2e3f405162", // of version 1
        "6f1c3f0e-6f7a-4b1e-7a51-1d2e3f405162", // of another variant
        "6f1c3f0e6f7a4b1e9a511d2e3f405162",
        "{6f1c3f0e-6f7a-4b1e-9a51-1d2e3f405162}",
        "6f1c3f0e-6f7a-4b1e-9a51-1d2e3f40516g",
        "6f1c3f0e-6f7a-4b1e-9a51-1d2e3f4051622",
        "6f1c3f0e-6f7a-4b1e-9a51-1d2e3f4051é",
    ];
    let malformed = invalid(ErrorReason::RequestIdMalformed, "request_id");
    for id in bad.map(str::to_owned) {
        let mut request = bank.enroller().enrolment("nobody", &face);
        request.request_id.clone_from(&id);
        verdict.on(&format!("Enroll {id}"), bank.enroller().ask(request).await, &malformed);
        let mut item = bank.enroller().item("nobody", &face);
        item.request_id.clone_from(&id);
        let answers = bank.enroller().enroll_all(vec![item]).await.unwrap();
        verdict.on_item(&format!("BatchEnroll {id}"), &answers[0], &malformed);
        let mut request = bank.authenticator().verification("ada", &face);
        request.request_id.clone_from(&id);
        verdict.on(&format!("Verify {id}"), bank.authenticator().ask(request).await, &malformed);
        checked += 3;
    }
    let administration = Purpose::Administration.into();
    let credential = Some(v1::Credential { roles: vec![v1::Role::Auditor.into()], ..v1::Credential::default() });
    let tenant = Some(v1::Tenant { purposes: vec![basis(Purpose::Authentication)], ..v1::Tenant::default() });
    // Where the receipt or a secret hangs on it, there must be one.
    let missing = invalid(ErrorReason::FieldMissing, "request_id");
    for (id, expected) in [("", &missing), ("x", &malformed)] {
        let mut erasure = bank.privacy_officer().erasure("ada");
        id.clone_into(&mut erasure.request_id);
        verdict.on("Erase", bank.privacy_officer().ask(erasure).await, expected);
        let mut deletion = bank.enroller().deletion(&scene.template.name);
        id.clone_into(&mut deletion.request_id);
        verdict.on("DeleteTemplate", bank.enroller().ask(deletion).await, expected);
        let mut replacement = bank.enroller().replacement(&scene.template.name, &face);
        id.clone_into(&mut replacement.request_id);
        verdict.on("ReplaceTemplate", bank.enroller().ask(replacement).await, expected);
        let request = v1::CreateCredentialRequest {
            parent: bank.name(),
            purpose: administration,
            request_id: id.to_owned(),
            credential: credential.clone(),
        };
        verdict.on("CreateCredential", bank.admin().ask(request).await, expected);
        let request = v1::CreateTenantRequest {
            purpose: administration,
            request_id: id.to_owned(),
            tenant_id: "another".to_owned(),
            tenant: tenant.clone(),
            administrator_login: None,
        };
        verdict.on("CreateTenant", scene.vault.operator().ask(request).await, expected);
        checked += 5;
    }
    verdict.reached(checked);
    scene.is_unchanged().await;
}
