//! What a server tells of itself, and what it keeps to itself.

use lethe_proto::v1::{ErrorReason, Role};
use lethe_tests::{Faces, Refused, Vault};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

#[tokio::test(flavor = "multi_thread")]
async fn health_is_served_for_the_server_and_for_each_service() {
    let vault = Vault::fresh().await;
    assert_eq!(vault.health("").await, ServingStatus::Serving);
    let mut services: Vec<_> = lethe_proto::methods().iter().map(|method| method.service).collect();
    services.dedup();
    assert_eq!(services.len(), 17);
    for service in services {
        assert_eq!(vault.health(service).await, ServingStatus::Serving, "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_method_is_unimplemented() {
    let vault = Vault::fresh().await;
    for path in ["/lethe.v1.SubjectService/Resurrect", "/lethe.v2.SubjectService/Get", "/nobody"] {
        let refusal = vault.operator().ask_raw(path, Vec::new()).await.refused();
        assert_eq!(refusal.code(), Code::Unimplemented, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_log_holds_no_secret() {
    // As talkative as the vault's own crates can be made.
    let vault = Vault::setup().log("debug,lethe_vault=trace,lethe_crypto=trace,lethe_index=trace").start().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(51).strangers(3);
    let subjects = ["applicant-quentin", "applicant-rosalind", "applicant-septimus"];
    for (subject, person) in subjects.iter().zip(&people) {
        bank.enroller().enroll(subject, &person.selfie()).await.unwrap();
        bank.authenticator().verify(subject, &person.again()).await.unwrap();
    }
    bank.enroller().enroll_all(vec![bank.enroller().item(subjects[0], &people[0].again())]).await.unwrap();
    assert!(bank.analyst().finds(subjects[0], &people[0].again()).await);
    // What goes wrong is what gets logged.
    let mut broken = people[0].selfie();
    broken[7] = f32::NAN;
    bank.enroller().enroll(subjects[0], &broken).await.refused();
    bank.enroller().enroll("quentin@example.org", &people[0].selfie()).await.refused();
    bank.enroller().search(&people[0].selfie()).await.refused();
    let revoked = bank.issue(&[Role::Enroller], None).await;
    bank.revoke(&revoked.credential.unwrap().name).await;
    let refusal = bank.with_key(Some(&revoked.api_key)).enroll(subjects[0], &people[0].selfie()).await.refused();
    refusal.assert_is(Code::Unauthenticated, ErrorReason::CredentialInvalid);
    let template = bank.enroller().templates(subjects[1]).await.unwrap()[0].name.clone();
    bank.enroller().replace(&template, &people[1].again()).await.unwrap();
    bank.privacy_officer().erase(subjects[2]).await.unwrap();
    vault.restart().await;
    assert!(bank.analyst().finds(subjects[0], &people[0].again()).await);
    vault.stop().await;

    let log = vault.log();
    assert!(log.contains("serving"), "there is a log to look into");
    let mut secrets: Vec<String> = subjects.iter().map(|&subject| subject.to_owned()).collect();
    secrets.push("quentin@example.org".to_owned());
    let callers =
        [bank.enroller(), bank.authenticator(), bank.analyst(), bank.privacy_officer(), bank.admin(), vault.operator()];
    let keys = callers.iter().map(|caller| caller.key().unwrap().to_owned()).chain([revoked.api_key]);
    // `lethe_`, the credential's id, which is no secret, `_`, the secret.
    secrets.extend(keys.map(|key| key["lethe_".len() + 33..].to_owned()));
    for face in people.iter().flat_map(|person| [person.selfie(), person.again()]) {
        secrets.extend(face[..16].iter().map(f32::to_string));
        secrets
            .push(face[..2].iter().flat_map(|component| component.to_le_bytes()).map(|b| format!("{b:02x}")).collect());
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "the log holds {secret}");
    }
}
