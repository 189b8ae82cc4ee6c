//! What callers can learn from answers that they get.

use lethe_proto::v1::{ErrorReason, Role};
use lethe_tests::{Faces, ROLES, Refused, Vault};
use tonic::Code;

/// To who only authenticates, an unknown subject, an erased one, one without templates and a non-match are the
/// same answer, byte by byte.
#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_cannot_tell_who_is_enrolled() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(71).strangers(2);
    for subject in ["enrolled", "erased", "emptied"] {
        bank.enroller().enroll(subject, &people[0].selfie()).await.unwrap();
    }
    bank.privacy_officer().erase("erased").await.unwrap();
    let template = bank.enroller().templates("emptied").await.unwrap()[0].name.clone();
    bank.enroller().delete(&template).await.unwrap();

    let path = "/lethe.v1.AuthenticationService/Verify";
    let mut answers = Vec::new();
    for subject in ["enrolled", "erased", "emptied", "never-heard-of"] {
        let request = bank.authenticator().verification(subject, &people[1].selfie());
        let answer = bank.authenticator().ask_raw(path, prost::Message::encode_to_vec(&request)).await.unwrap();
        answers.push((subject, answer));
    }
    for (subject, answer) in &answers {
        assert_eq!(*answer, answers[0].1, "{subject}");
    }
    // Who sees scores is told.
    for subject in ["erased", "never-heard-of"] {
        let refusal = bank.analyst().verify(subject, &people[1].selfie()).await.refused();
        refusal.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    }
    let compared = bank.analyst().verify("enrolled", &people[1].selfie()).await.unwrap();
    assert!(compared.score.is_some());
    let nothing = bank.analyst().verify("emptied", &people[1].selfie()).await.unwrap();
    assert_eq!((nothing.band(), nothing.score), (compared.band(), None));
}

/// A tenant never learns whether another exists.
#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_and_no_tenant_look_alike() {
    let vault = Vault::fresh().await;
    let (bank, _shop) = (vault.tenant("bank").await, vault.tenant("shop").await);
    let everyone = bank.with_roles(&ROLES).await;
    let face = Faces::seeded(72).person(0).selfie();
    let mut told = Vec::new();
    for tenant in ["shop", "not-there"] {
        let refusal = everyone.on(tenant).enroll("ada", &face).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
        let status = refusal.status();
        told.push((status.message().to_owned(), status.details().to_vec()));
        let log = format!("tenants/{tenant}/log");
        let refusal = everyone.checkpoint(&log).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    }
    assert_eq!(told[0], told[1]);
    // The operator is told: tenants are the operator's business.
    let refusal = vault.operator().checkpoint("tenants/not-there/log").await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::TenantNotFound);
}

/// A revoked credential is refused from the answer of its revocation on, in streams that are open, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_credential_is_refused_at_once() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let faces = Faces::seeded(73);
    let issued = bank.issue(&[Role::Enroller], None).await;
    let caller = bank.with_key(Some(&issued.api_key));
    let (items, receiver) = tokio::sync::mpsc::channel(1);
    items.send(caller.item("before", &faces.person(0).selfie())).await.unwrap();
    let mut answers = caller.batch(tokio_stream::wrappers::ReceiverStream::new(receiver)).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().item_id, "before");

    bank.revoke(&issued.credential.unwrap().name).await;
    let refusal = caller.enroll("after", &faces.person(1).selfie()).await.refused();
    refusal.assert_is(Code::Unauthenticated, ErrorReason::CredentialInvalid);
    items.send(caller.item("after", &faces.person(1).selfie())).await.unwrap();
    drop(items);
    // The item is refused, or the stream is.
    if let Ok(Some(answer)) = answers.message().await {
        let Some(lethe_proto::v1::batch_enroll_response::Result::Error(error)) = answer.result else {
            panic!("an item was enrolled with a revoked credential")
        };
        assert_eq!(error.reason(), ErrorReason::CredentialInvalid);
    }
    bank.privacy_officer().subject("after").await.refused();
    bank.privacy_officer().subject("before").await.unwrap();
}
