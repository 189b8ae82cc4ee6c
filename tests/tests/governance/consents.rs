//! What rests on consent is done with it, and stops with it.

use lethe_proto::v1::{ConsentGiver, ConsentManner, ConsentState, DecisionBand, ErasureState, ErrorReason, Purpose};
use lethe_tests::{Faces, Refused, Vault, now, request_id};
use prost_types::Timestamp;
use tonic::Code;

const BOTH: [Purpose; 2] = [Purpose::Authentication, Purpose::DuplicateDetection];

/// A time some seconds away.
fn in_seconds(seconds: i64) -> Timestamp {
    let now = now();
    Timestamp { seconds: now.seconds + seconds, ..now }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_enrolled_or_compared_without_the_consent_that_the_purpose_rests_on() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").asking_consent_for(&[Purpose::Authentication]).await;
    let face = Faces::seeded(301).person(0).selfie();
    let refusal = bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ConsentMissing);
    assert_eq!(refusal.metadata()["obligation"], "O2");
    // Consent to something else is none.
    bank.enroller().consents_to("ada", Purpose::FraudPrevention).await.unwrap();
    bank.enroller()
        .enroll_for(Purpose::Authentication, "ada", &face)
        .await
        .refused()
        .assert_is(Code::FailedPrecondition, ErrorReason::ConsentMissing);

    // It comes before the first template, and makes the subject.
    let consent = bank.enroller().consents_to("ada", Purpose::Authentication).await.unwrap();
    assert_eq!(consent.state(), ConsentState::Valid);
    let subject = bank.privacy_officer().subject("ada").await.unwrap();
    assert!(subject.template_counts.is_empty());
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::Match);

    vault.crash().await;
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::Match);
    let answer = bank.privacy_officer().ask(bank.privacy_officer().withdrawal(&consent.name)).await.unwrap();
    assert_eq!(answer.consent.unwrap().state(), ConsentState::Withdrawn);
    // Another purpose does not rest on consent: the templates stay for it.
    assert_eq!(answer.erasure, None);
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::NoMatch);
    let refusal = bank.analyst().verify("ada", &face).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ConsentWithdrawn);
    assert_eq!(refusal.metadata()["obligation"], "O23");
    bank.enroller()
        .enroll_for(Purpose::Authentication, "ada", &face)
        .await
        .refused()
        .assert_is(Code::FailedPrecondition, ErrorReason::ConsentWithdrawn);
    assert!(bank.analyst().finds("ada", &face).await);

    vault.restart().await;
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::NoMatch);
    // Given again, it holds again; and both are on record.
    bank.enroller().consents_to("ada", Purpose::Authentication).await.unwrap();
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::Match);
    let officer = bank.privacy_officer();
    let (parent, purpose) = (officer.subject_name("ada"), Purpose::DataSubjectRequest.into());
    let listed = officer.ask(lethe_proto::v1::ListConsentsRequest { parent, purpose }).await.unwrap().consents;
    let states: Vec<_> = listed.iter().map(|consent| (consent.for_purpose(), consent.state())).collect();
    let (valid, withdrawn) = (ConsentState::Valid, ConsentState::Withdrawn);
    let expected = [(Purpose::FraudPrevention, valid), (BOTH[0], withdrawn), (BOTH[0], valid)];
    assert_eq!(states, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_for_a_time_ends_by_itself() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").asking_consent_for(&[Purpose::Authentication]).await;
    let face = Faces::seeded(302).person(0).selfie();
    let given = bank.enroller().consent(Purpose::Authentication, ConsentManner::Spoken, ConsentGiver::Subject);
    let until = in_seconds(3);
    let consent = lethe_proto::v1::Consent { expire_time: Some(until), ..given };
    bank.enroller().record("ada", consent).await.unwrap();
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    while now().seconds <= until.seconds {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let refusal = bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ConsentExpired);
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::NoMatch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_leaves_no_basis_erases_for_good() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").declaring(&BOTH).asking_consent_for(&BOTH).await;
    let face = Faces::seeded(303).person(0).selfie();
    let officer = bank.privacy_officer();
    let mut consents = Vec::new();
    for purpose in BOTH {
        consents.push(bank.enroller().consents_to("ada", purpose).await.unwrap().name);
    }
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    let kept = officer.ask(officer.withdrawal(&consents[0])).await.unwrap();
    assert_eq!(kept.erasure, None, "one purpose still has its consent");

    let request = officer.withdrawal(&consents[1]);
    let gone = officer.ask(request.clone()).await.unwrap();
    let erasure = gone.erasure.unwrap();
    assert_eq!(erasure.state(), ErasureState::Shredded);
    officer.subject("ada").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    let purpose = Purpose::DataSubjectRequest.into();
    let receipt = officer.ask(lethe_proto::v1::GetReceiptRequest { name: erasure.receipt.clone(), purpose }).await;
    assert!(!receipt.unwrap().document.is_empty());
    // A repeat finds the receipt although nobody knows the subject.
    let again = officer.ask(request).await.unwrap();
    assert_eq!((again.consent, again.erasure.unwrap().receipt), (None, erasure.receipt));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_records_one_consent_and_withdraws_it_once() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let request = lethe_proto::v1::RecordConsentRequest {
        parent: officer.subject_name("ada"),
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        consent: Some(officer.consent(Purpose::Authentication, ConsentManner::Written, ConsentGiver::Subject)),
    };
    let first = officer.ask(request.clone()).await.unwrap();
    assert_eq!(officer.ask(request.clone()).await.unwrap(), first);
    let mut other = request.clone();
    other.consent.as_mut().unwrap().notice_version = "notice-2".to_owned();
    officer.ask(other).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
    let withdrawn = officer.ask(officer.withdrawal(&first.name)).await.unwrap().consent.unwrap();
    let again = officer.ask(officer.withdrawal(&first.name)).await.unwrap().consent.unwrap();
    assert_eq!(again.withdraw_time, withdrawn.withdraw_time);
    // Recorded again under the same request it stays withdrawn.
    assert_eq!(officer.ask(request).await.unwrap().state(), ConsentState::Withdrawn);
    let (parent, purpose) = (officer.subject_name("ada"), Purpose::DataSubjectRequest.into());
    let listed = officer.ask(lethe_proto::v1::ListConsentsRequest { parent, purpose }).await.unwrap();
    assert_eq!(listed.consents.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_consent_is_refused_by_field_and_makes_nobody() {
    use lethe_proto::v1::Consent;
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let good = officer.consent(Purpose::Authentication, ConsentManner::Written, ConsentGiver::Subject);
    let past = Some(Timestamp { seconds: 1, nanos: 0 });
    let cases = [
        ("consent.for_purpose", Consent { for_purpose: Purpose::Audit.into(), ..good.clone() }),
        ("consent.for_purpose", Consent { for_purpose: 99, ..good.clone() }),
        ("consent.notice_version", Consent { notice_version: String::new(), ..good.clone() }),
        ("consent.notice_version", Consent { notice_version: "ann@example.org".to_owned(), ..good.clone() }),
        ("consent.notice_sha256", Consent { notice_sha256: vec![1; 31], ..good.clone() }),
        ("consent.manner", Consent { manner: 0, ..good.clone() }),
        ("consent.giver", Consent { giver: 9, ..good.clone() }),
        ("consent.give_time", Consent { give_time: None, ..good.clone() }),
        ("consent.give_time", Consent { give_time: Some(in_seconds(3600)), ..good.clone() }),
        ("consent.expire_time", Consent { expire_time: past, ..good.clone() }),
        ("consent.recipients", Consent { recipients: vec!["The Bank".to_owned()], ..good.clone() }),
        ("consent.recipients", Consent { recipients: vec!["bank-2".to_owned(); 2], ..good.clone() }),
        ("consent.recipients", Consent { for_purpose: Purpose::KycSharing.into(), ..good.clone() }),
        ("consent.recipients", Consent { recipients: (0..17).map(|n| format!("bank-{n}")).collect(), ..good.clone() }),
        ("consent.countries", Consent { countries: vec!["EU".to_owned()], ..good.clone() }),
        ("consent.countries", Consent { countries: vec!["KZ".to_owned(), "kz".to_owned()], ..good.clone() }),
        ("consent.countries", Consent { countries: vec!["KZ".to_owned(); 2], ..good.clone() }),
    ];
    for (field, consent) in cases {
        let refusal = officer.record("ada", consent).await.refused();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        refusal.assert_field(field);
    }
    officer.subject("ada").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    let nothing = format!("{}/consents/{}", officer.subject_name("ada"), "0".repeat(32));
    let refusal = officer.ask(officer.withdrawal(&nothing)).await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    officer.record("ada", good).await.unwrap();
    let refusal = officer.ask(officer.withdrawal(&nothing)).await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::ConsentNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_consents_are_kept_as_may_be_and_those_that_are_over_make_room() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let mut names = Vec::new();
    for _ in 0..64 {
        names.push(officer.consents_to("ada", Purpose::Authentication).await.unwrap().name);
    }
    let refusal = officer.consents_to("ada", Purpose::Authentication).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::RecordsLimited);
    officer.ask(officer.withdrawal(&names[0])).await.unwrap();
    // The last withdrawal stays on record: by it an old consent that comes late is known.
    let refusal = officer.consents_to("ada", Purpose::Authentication).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::RecordsLimited);
    officer.ask(officer.withdrawal(&names[1])).await.unwrap();
    officer.consents_to("ada", Purpose::FraudPrevention).await.unwrap();
    let (parent, purpose) = (officer.subject_name("ada"), Purpose::DataSubjectRequest.into());
    let listed = officer.ask(lethe_proto::v1::ListConsentsRequest { parent, purpose }).await.unwrap().consents;
    assert_eq!((listed.len(), &listed[0].name), (64, &names[1]));
}

/// A client that tries again an hour later does not bring a consent back that was withdrawn meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_is_recorded_late_does_not_undo_a_withdrawal() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let old = officer.consent(Purpose::Authentication, ConsentManner::Electronic, ConsentGiver::Subject);
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let consent = officer.consents_to("ada", Purpose::Authentication).await.unwrap();
    officer.ask(officer.withdrawal(&consent.name)).await.unwrap();
    let refusal = officer.record("ada", old.clone()).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ConsentWithdrawn);
    // To another purpose it is another consent.
    let other = lethe_proto::v1::Consent { for_purpose: Purpose::FraudPrevention.into(), ..old };
    officer.record("ada", other).await.unwrap();
}
