//! Litigation holds (O42): nothing is destroyed, or processed, until the last is released.

use lethe_proto::v1::{
    DecisionBand, ErasureState, ErrorReason, ListHoldsRequest, Purpose, RenewHoldRequest, SubjectState,
};
use lethe_tests::{Faces, Refused, Tenant, Vault};
use prost_types::Timestamp;
use tonic::Code;

async fn listed(bank: &Tenant) -> Vec<String> {
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request =
            ListHoldsRequest { parent: bank.name(), purpose: Purpose::LegalClaims.into(), page_size: 1, page_token };
        let page = bank.privacy_officer().ask(request).await.unwrap();
        names.extend(page.holds.into_iter().map(|hold| hold.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return names;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_who_is_held_is_destroyed_until_the_last_hold_is_released() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let face = Faces::seeded(321).person(0).selfie();
    for subject in ["ada", "bea", "cas"] {
        bank.enroller().enroll_for(Purpose::Authentication, subject, &face).await.unwrap();
    }
    let holds = [officer.hold("ada").await.unwrap().name, officer.hold("ada").await.unwrap().name];
    let other = officer.hold("cas").await.unwrap().name;
    assert_eq!(officer.subject("ada").await.unwrap().hold_count, 2);

    for restarted in [false, true] {
        if restarted {
            vault.crash().await;
        }
        assert_eq!(listed(&bank).await, [&holds[0], &holds[1], &other].map(String::clone));
        let refusal = officer.erase("ada").await.refused();
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::LegalHold);
        assert_eq!(refusal.metadata()["obligation"], "O42");
        let template = bank.enroller().templates("ada").await.unwrap()[0].name.clone();
        for refusal in [
            bank.enroller().delete(&template).await.refused(),
            officer.ask(officer.replacement(&template, &face)).await.refused(),
            bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.refused(),
            bank.analyst().verify("ada", &face).await.refused(),
            vault.operator().shred(&bank).await.refused(),
        ] {
            refusal.assert_is(Code::FailedPrecondition, ErrorReason::LegalHold);
        }
        assert_eq!(bank.analyst().found(&face).await, ["bea"]);
        assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::NoMatch);
    }
    // Others are erased all the same.
    assert_eq!(officer.erase("bea").await.unwrap().state(), ErasureState::Shredded);
    officer.release(&holds[0]).await.unwrap();
    officer.erase("ada").await.refused().assert_is(Code::FailedPrecondition, ErrorReason::LegalHold);
    officer.release(&holds[0]).await.refused().assert_is(Code::NotFound, ErrorReason::HoldNotFound);
    officer.release(&holds[1]).await.unwrap();
    assert_eq!(officer.subject("ada").await.unwrap().state(), SubjectState::Active);
    assert_eq!(bank.authenticator().verify("ada", &face).await.unwrap().band(), DecisionBand::Match);
    assert_eq!(officer.erase("ada").await.unwrap().state(), ErasureState::Shredded);
    vault.operator().shred(&bank).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::LegalHold);
    officer.release(&other).await.unwrap();
    assert!(listed(&bank).await.is_empty());
    assert_eq!(vault.operator().shred(&bank).await.unwrap().state(), ErasureState::Shredded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_stops_what_follows_from_a_withdrawal() {
    let vault = Vault::fresh().await;
    // What nothing is processed for keeps nobody: neither of the two is needed for a hold, either.
    let purposes = [Purpose::Authentication, Purpose::LegalClaims];
    let bank = vault.tenant("bank").declaring(&purposes).asking_consent_for(&[Purpose::Authentication]).await;
    let officer = bank.privacy_officer();
    let face = Faces::seeded(322).person(0).selfie();
    let consent = officer.consents_to("ada", Purpose::Authentication).await.unwrap();
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &face).await.unwrap();
    let hold = officer.hold("ada").await.unwrap();
    let withdrawn = officer.ask(officer.withdrawal(&consent.name)).await.unwrap();
    assert_eq!(withdrawn.erasure, None);
    assert_eq!(officer.subject("ada").await.unwrap().template_counts[0].count, 1);
    // The hold alone kept her.
    let released = officer.release(&hold.name).await.unwrap();
    let purpose = Purpose::DataSubjectRequest.into();
    officer.ask(lethe_proto::v1::GetReceiptRequest { name: released.erasure_receipt, purpose }).await.unwrap();
    officer.subject("ada").await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_places_one_hold_and_what_is_none_is_refused_by_field() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    bank.enroller().enroll_for(Purpose::Authentication, "ada", &Faces::seeded(323).person(0).selfie()).await.unwrap();
    let request = officer.holding("ada");
    let first = officer.ask(request.clone()).await.unwrap();
    assert_eq!(officer.ask(request.clone()).await.unwrap(), first);
    let mut other = request.clone();
    other.hold.as_mut().unwrap().case_reference = "case-2".to_owned();
    officer.ask(other).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
    assert_eq!(listed(&bank).await, [first.name]);

    let with = |change: &dyn Fn(&mut lethe_proto::v1::Hold)| {
        let mut request = officer.holding("ada");
        change(request.hold.as_mut().unwrap());
        request
    };
    let cases = [
        ("hold.case_reference", with(&|hold| hold.case_reference.clear())),
        ("hold.case_reference", with(&|hold| hold.case_reference = "Ann against Bob".to_owned())),
        ("hold.review_time", with(&|hold| hold.review_time = None)),
        ("hold.review_time", with(&|hold| hold.review_time = Some(Timestamp { seconds: 1, nanos: 0 }))),
    ];
    for (field, request) in cases {
        let refusal = officer.ask(request).await.refused();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        refusal.assert_field(field);
    }
    let refusal = officer.hold("nobody").await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_keeps_a_hold_until_the_next() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    bank.enroller().enroll("ada", &Faces::seeded(329).person(0).selfie()).await.unwrap();
    let placing = officer.holding("ada");
    let placed = officer.ask(placing.clone()).await.unwrap();
    assert_eq!(placed.renew_time, None);
    let later = Timestamp { seconds: placed.review_time.unwrap().seconds + 86_400, nanos: 0 };
    let renewal = |review_time| RenewHoldRequest {
        name: placed.name.clone(),
        purpose: Purpose::LegalClaims.into(),
        request_id: String::new(),
        review_time,
    };
    for wrong in [None, Some(Timestamp { seconds: 1, nanos: 0 })] {
        officer.ask(renewal(wrong)).await.refused().assert_field("review_time");
    }
    let renewed = officer.ask(renewal(Some(later))).await.unwrap();
    assert_eq!((renewed.review_time, renewed.place_time), (Some(later), placed.place_time));
    assert!(renewed.renew_time.is_some());
    vault.crash().await;
    assert_eq!(officer.ask(renewal(Some(later))).await.unwrap(), renewed, "a repeat changes nothing");
    assert_eq!(officer.ask(placing).await.unwrap(), renewed, "and places no other");
    officer.erase("ada").await.refused().assert_is(Code::FailedPrecondition, ErrorReason::LegalHold);
    officer.release(&placed.name).await.unwrap();
    officer.ask(renewal(Some(later))).await.refused().assert_is(Code::NotFound, ErrorReason::HoldNotFound);
}
