//! Whoever may only verify cannot tell who is protected, and why: it looks like a stranger's face.

use lethe_proto::v1::{AgeBand, ErrorReason, Jurisdiction, Purpose, RestrictionGround};
use lethe_tests::{Faces, Refused, Vault};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_cannot_tell_who_is_protected_from_a_stranger() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").asking_consent_for(&[Purpose::Authentication]).await;
    let people = Faces::seeded(361).strangers(2);
    let (officer, face) = (bank.privacy_officer(), people[0].selfie());
    let subjects = ["enrolled", "restricted", "held", "objecting", "abroad", "withdrawn", "child"];
    for subject in subjects {
        let consent = bank.enroller().consents_to(subject, Purpose::Authentication).await.unwrap();
        bank.enroller().enroll(subject, &face).await.unwrap();
        match subject {
            "restricted" => drop(officer.restrict(subject, RestrictionGround::Other).await.unwrap()),
            "held" => drop(officer.hold(subject).await.unwrap()),
            "objecting" => drop(officer.object(subject, Purpose::Authentication).await.unwrap()),
            "abroad" => {
                drop(bank.enroller().describe(subject, Jurisdiction::Illinois, AgeBand::Adult).await.unwrap());
            }
            "withdrawn" => drop(officer.ask(officer.withdrawal(&consent.name)).await.unwrap()),
            // Kept by the restriction, and not to be processed.
            "child" => {
                officer.restrict(subject, RestrictionGround::NeededForClaim).await.unwrap();
                bank.enroller().describe(subject, Jurisdiction::Other, AgeBand::Under16).await.unwrap();
            }
            _ => {}
        }
    }
    let path = "/lethe.v1.AuthenticationService/Verify";
    let mut answers = Vec::new();
    for subject in ["restricted", "held", "objecting", "abroad", "withdrawn", "child", "never-heard-of"] {
        // With the very face that was enrolled.
        let request = bank.authenticator().verification(subject, &face);
        let answer = bank.authenticator().ask_raw(path, prost::Message::encode_to_vec(&request)).await.unwrap();
        answers.push((subject, answer));
    }
    let stranger = bank.authenticator().verification("enrolled", &people[1].selfie());
    let stranger = bank.authenticator().ask_raw(path, prost::Message::encode_to_vec(&stranger)).await.unwrap();
    for (subject, answer) in &answers {
        assert_eq!(*answer, stranger, "{subject}");
    }
    // Who sees scores is told the reason.
    for (subject, reason) in [
        ("restricted", ErrorReason::SubjectRestricted),
        ("held", ErrorReason::LegalHold),
        ("objecting", ErrorReason::PurposeObjected),
        ("abroad", ErrorReason::WrittenConsentRequired),
        ("withdrawn", ErrorReason::ConsentWithdrawn),
        ("child", ErrorReason::SubjectRestricted),
    ] {
        bank.analyst().verify(subject, &face).await.refused().assert_is(Code::FailedPrecondition, reason);
    }
}

/// Each refusal is in the tenant's log, with its reason.
#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_for_a_person_is_in_the_log() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let face = Faces::seeded(362).person(0).selfie();
    bank.enroller().enroll("ada", &face).await.unwrap();
    bank.privacy_officer().restrict("ada", RestrictionGround::Other).await.unwrap();
    let before = bank.auditor().checkpoint(&bank.log()).await.unwrap().tree_size;
    bank.enroller().enroll("ada", &face).await.refused();
    bank.authenticator().verify("ada", &face).await.unwrap();
    bank.analyst().verify("ada", &face).await.refused();
    let now = bank.auditor().checkpoint(&bank.log()).await.unwrap().tree_size;
    let mut told = Vec::new();
    for leaf in before..now {
        let entry = bank.auditor().proof(&bank.log(), leaf, now).await.unwrap().entry;
        let entry: serde_json::Value = serde_json::from_slice(&entry).unwrap();
        if entry["outcome"] == "denied" {
            assert!(entry["pseudonym"].is_string(), "{entry}");
            told.push((entry["operation"].clone(), entry["reason"].clone()));
        }
    }
    let restricted = serde_json::json!("SUBJECT_RESTRICTED");
    let expected = ["enrollment.enroll", "authentication.verify", "authentication.verify"];
    assert_eq!(told, expected.map(|operation| (serde_json::json!(operation), restricted.clone())));
}
