//! Minors (O15): with a guardian's consent, or their own where the law lets them give it; found without, erased.

use lethe_proto::v1::{AgeBand, ConsentGiver, ConsentManner, DecisionBand, ErrorReason, Jurisdiction, Purpose};
use lethe_tests::{Faces, Refused, Tenant, Vault};
use tonic::Code;

const HERE: Jurisdiction = Jurisdiction::EuropeanUnion;

async fn agrees(bank: &Tenant, subject: &str, giver: ConsentGiver) {
    let consent = bank.enroller().consent(Purpose::Authentication, ConsentManner::Electronic, giver);
    bank.enroller().record(subject, consent).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_is_enrolled_with_a_guardians_consent_and_not_with_its_own() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let face = Faces::seeded(341).person(0).selfie();
    for age in [AgeBand::Under16, AgeBand::MinorFrom16] {
        let subject = age.as_str_name().to_lowercase();
        bank.enroller().describe(&subject, HERE, age).await.unwrap();
        agrees(&bank, &subject, ConsentGiver::Subject).await;
        let refusal = bank.enroller().enroll_for(Purpose::Authentication, &subject, &face).await.refused();
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::MinorWithoutGuardian);
        assert_eq!(refusal.metadata()["obligation"], "O15");
        // There is nothing biometric to erase: the child is known of still.
        assert_eq!(bank.privacy_officer().subject(&subject).await.unwrap().age_band(), age);
        agrees(&bank, &subject, ConsentGiver::Guardian).await;
        bank.enroller().enroll_for(Purpose::Authentication, &subject, &face).await.unwrap();
        assert_eq!(bank.authenticator().verify(&subject, &face).await.unwrap().band(), DecisionBand::Match);
    }
    // Where the law lets them, those from 16 on consent for themselves; they must, whatever the tenant's basis.
    let change = lethe_proto::v1::UpdatePolicyRequest {
        tenant: Some(lethe_proto::v1::Tenant {
            name: bank.name(),
            minors_consent_alone_from_16: true,
            ..Default::default()
        }),
        purpose: Purpose::Administration.into(),
        request_id: String::new(),
        update_mask: Some(prost_types::FieldMask { paths: vec!["minors_consent_alone_from_16".to_owned()] }),
    };
    bank.admin().ask(change).await.unwrap();
    bank.enroller().describe("seventeen", HERE, AgeBand::MinorFrom16).await.unwrap();
    let refusal = bank.enroller().enroll_for(Purpose::Authentication, "seventeen", &face).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ConsentMissing);
    assert_eq!(refusal.metadata()["obligation"], "O15");
    agrees(&bank, "seventeen", ConsentGiver::Subject).await;
    bank.enroller().enroll_for(Purpose::Authentication, "seventeen", &face).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_found_without_a_guardians_consent_is_erased_without_delay() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let (officer, face) = (bank.privacy_officer(), Faces::seeded(342).person(0).selfie());
    // Somebody turns out to be a child.
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    let told = bank.enroller().describe("ada", HERE, AgeBand::Under16).await.unwrap();
    assert!(!told.erasure_receipt.is_empty());
    officer.subject("ada").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    assert!(bank.analyst().found(&face).await.is_empty());

    // A guardian withdraws.
    bank.enroller().describe("bea", HERE, AgeBand::Under16).await.unwrap();
    let consent = officer.consent(Purpose::Authentication, ConsentManner::Written, ConsentGiver::Guardian);
    let consent = officer.record("bea", consent).await.unwrap();
    bank.enroller().enroll_for(Purpose::Authentication, "bea", &face).await.unwrap();
    let withdrawn = officer.ask(officer.withdrawal(&consent.name)).await.unwrap();
    assert!(withdrawn.erasure.is_some());
    officer.subject("bea").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);

    // What was kept for her is not, once it need not be.
    bank.enroller().enroll_for(Purpose::Authentication, "dot", &face).await.unwrap();
    officer.restrict("dot", lethe_proto::v1::RestrictionGround::Other).await.unwrap();
    bank.enroller().describe("dot", HERE, AgeBand::Under16).await.unwrap();
    assert_eq!(officer.subject("dot").await.unwrap().template_counts[0].count, 1);
    let lifted = officer.lift_restriction("dot").await.unwrap();
    assert!(!lifted.erasure_receipt.is_empty());
    officer.subject("dot").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);

    // A guardian's consent ends; the next enrolment finds the child.
    let until = prost_types::Timestamp { seconds: lethe_tests::now().seconds + 3, nanos: 0 };
    bank.enroller().describe("cas", HERE, AgeBand::Under16).await.unwrap();
    let consent = officer.consent(Purpose::Authentication, ConsentManner::Written, ConsentGiver::Guardian);
    let consent = lethe_proto::v1::Consent { expire_time: Some(until), ..consent };
    officer.record("cas", consent).await.unwrap();
    bank.enroller().enroll_for(Purpose::Authentication, "cas", &face).await.unwrap();
    while lethe_tests::now().seconds <= until.seconds {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let refusal = bank.enroller().enroll_for(Purpose::Authentication, "cas", &face).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::ConsentExpired);
    officer.subject("cas").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    assert!(bank.analyst().found(&face).await.is_empty());

    // So does the next login, and says nothing.
    let until = prost_types::Timestamp { seconds: lethe_tests::now().seconds + 3, nanos: 0 };
    bank.enroller().describe("eve", HERE, AgeBand::Under16).await.unwrap();
    let consent = officer.consent(Purpose::Authentication, ConsentManner::Written, ConsentGiver::Guardian);
    let consent = lethe_proto::v1::Consent { expire_time: Some(until), ..consent };
    officer.record("eve", consent).await.unwrap();
    bank.enroller().enroll_for(Purpose::Authentication, "eve", &face).await.unwrap();
    while lethe_tests::now().seconds <= until.seconds {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(bank.authenticator().verify("eve", &face).await.unwrap().band(), DecisionBand::NoMatch);
    while officer.subject("eve").await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    // And a search or a sweep that comes upon children, and names none.
    let until = prost_types::Timestamp { seconds: lethe_tests::now().seconds + 4, nanos: 0 };
    let consent = officer.consent(Purpose::DuplicateDetection, ConsentManner::Written, ConsentGiver::Guardian);
    let consent = lethe_proto::v1::Consent { expire_time: Some(until), ..consent };
    let other = Faces::seeded(342).person(1).selfie();
    for (child, face) in [("fay", &face), ("gil", &other), ("hal", &other)] {
        bank.enroller().describe(child, HERE, AgeBand::Under16).await.unwrap();
        officer.record(child, consent.clone()).await.unwrap();
        bank.enroller().enroll_for(Purpose::DuplicateDetection, child, face).await.unwrap();
    }
    assert_eq!(bank.analyst().found(&face).await, ["fay"]);
    while lethe_tests::now().seconds <= until.seconds {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(bank.analyst().found(&face).await.is_empty());
    while officer.subject("fay").await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(officer.subject("gil").await.is_ok(), "nobody came upon this one");
    let mut steps = bank.analyst().sweep("").await.unwrap();
    while let Some(step) = steps.message().await.unwrap() {
        assert!(step.pairs.is_empty());
    }
    while officer.subject("gil").await.is_ok() || officer.subject("hal").await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }

    // Who says that the face is a child's whom nobody consented for has the child erased before the answer.
    bank.enroller().enroll_for(Purpose::Authentication, "ivy", &other).await.unwrap();
    officer.restrict("ivy", lethe_proto::v1::RestrictionGround::ClientReason).await.unwrap();
    let told = bank.enroller().describe("ivy", HERE, AgeBand::Under16).await.unwrap();
    assert!(!told.erasure_receipt.is_empty(), "the client's own reason keeps no child");
}

/// Erasing cannot be undone: nobody is erased for want of a consent that may still come.
#[tokio::test(flavor = "multi_thread")]
async fn an_adult_without_a_consent_is_refused_and_never_erased_for_it() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").asking_consent_for(&[Purpose::Authentication, Purpose::DuplicateDetection]).await;
    let (officer, face) = (bank.privacy_officer(), Faces::seeded(344).person(0).selfie());
    let consent = officer.consents_to("ada", Purpose::Authentication).await.unwrap();
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    for law in [HERE, Jurisdiction::Illinois, Jurisdiction::Other] {
        let told = bank.enroller().describe("ada", law, AgeBand::Adult).await.unwrap();
        assert_eq!(told.erasure_receipt, "");
        officer.restrict("ada", lethe_proto::v1::RestrictionGround::Other).await.unwrap();
        assert_eq!(officer.lift_restriction("ada").await.unwrap().erasure_receipt, "");
        let hold = officer.hold("ada").await.unwrap();
        assert_eq!(officer.release(&hold.name).await.unwrap().erasure_receipt, "");
    }
    // Other purposes rest on something else.
    assert_eq!(officer.ask(officer.withdrawal(&consent.name)).await.unwrap().erasure, None);
    assert_eq!(officer.subject("ada").await.unwrap().template_counts[0].count, 1);
    // A guardian does not speak for an adult.
    let guardian = officer.consent(Purpose::Authentication, ConsentManner::Written, ConsentGiver::Guardian);
    officer.record("ada", guardian).await.unwrap();
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::NoMatch);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_of_unknown_age_is_processed_where_the_tenant_asks_for_it() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let face = Faces::seeded(343).person(0).selfie();
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    let change = lethe_proto::v1::UpdatePolicyRequest {
        tenant: Some(lethe_proto::v1::Tenant { name: bank.name(), age_required: true, ..Default::default() }),
        purpose: Purpose::Administration.into(),
        request_id: String::new(),
        update_mask: Some(prost_types::FieldMask { paths: vec!["age_required".to_owned()] }),
    };
    bank.admin().ask(change).await.unwrap();
    let refusal = bank.analyst().verify("ada", &face).await.refused();
    refusal.assert_is(Code::FailedPrecondition, ErrorReason::AgeUnknown);
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::NoMatch);
    // Not an age that nobody told is a reason to erase.
    bank.enroller().describe("ada", HERE, AgeBand::Adult).await.unwrap();
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::Match);
}
