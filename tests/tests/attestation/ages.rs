//! How old a service takes somebody to be is judged with what is on record: the younger counts (O15).

use lethe_domain::AgeBand as Attested;
use lethe_proto::v1::{
    self, AgeBand, Capture, ConsentGiver, ConsentManner, DecisionBand, ErrorReason, Jurisdiction, Purpose,
};
use lethe_tests::{Answer, Camera, Faces, Refused, Tenant, Vault, capture};
use tonic::Code;

const HERE: Jurisdiction = Jurisdiction::EuropeanUnion;

async fn bank(vault: &Vault) -> (Tenant, Camera) {
    let bank = vault.tenant("bank").attested().await;
    let camera = Camera::of(&bank, "camera-1").await;
    (bank, camera)
}

fn seen(camera: &Camera, face: &[f32], age: Attested) -> Capture {
    camera.says(capture(face), |claims| claims.age = Some(age))
}

async fn enroll(bank: &Tenant, subject: &str, seen: Capture) -> Answer<v1::EnrollResponse> {
    let face = seen.embedding.clone();
    let enrolment = bank.enroller().enrolment(subject, &face);
    bank.enroller().ask(v1::EnrollRequest { template: Some(seen), ..enrolment }).await
}

async fn verify(bank: &Tenant, subject: &str, seen: Capture) -> Answer<v1::VerifyResponse> {
    let face = seen.embedding.clone();
    let verification = bank.authenticator().verification(subject, &face);
    bank.authenticator().ask(v1::VerifyRequest { probe: Some(seen), ..verification }).await
}

async fn guarded(bank: &Tenant, subject: &str) {
    for purpose in [Purpose::Authentication, Purpose::DuplicateDetection] {
        let consent = bank.enroller().consent(purpose, ConsentManner::Electronic, ConsentGiver::Guardian);
        bank.enroller().record(subject, consent).await.unwrap();
    }
}

async fn age(bank: &Tenant, subject: &str) -> AgeBand {
    bank.privacy_officer().subject(subject).await.unwrap().age_band()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_records_the_age_that_is_attested_unless_a_younger_one_is_known() {
    let vault = Vault::fresh().await;
    let (bank, camera) = bank(&vault).await;
    let face = Faces::seeded(931).person(0).selfie();
    enroll(&bank, "ada", seen(&camera, &face, Attested::Adult)).await.unwrap();
    assert_eq!(age(&bank, "ada").await, AgeBand::Adult);

    // An attested adult is a child still, if that is what was stated.
    bank.enroller().describe("bea", HERE, AgeBand::Under16).await.unwrap();
    let refused = enroll(&bank, "bea", seen(&camera, &face, Attested::Adult)).await.refused();
    refused.assert_is(Code::FailedPrecondition, ErrorReason::MinorWithoutGuardian);
    guarded(&bank, "bea").await;
    enroll(&bank, "bea", seen(&camera, &face, Attested::Adult)).await.unwrap();
    assert_eq!(age(&bank, "bea").await, AgeBand::Under16);

    // A younger one is recorded, with the guardian's consent that it takes.
    guarded(&bank, "cid").await;
    enroll(&bank, "cid", seen(&camera, &face, Attested::MinorFrom16)).await.unwrap();
    assert_eq!(age(&bank, "cid").await, AgeBand::MinorFrom16);
    enroll(&bank, "cid", seen(&camera, &face, Attested::Under16)).await.unwrap();
    assert_eq!(age(&bank, "cid").await, AgeBand::Under16);
    enroll(&bank, "cid", camera.sees(capture(&face))).await.unwrap();
    assert_eq!(age(&bank, "cid").await, AgeBand::Under16);
    vault.crash().await;
    assert_eq!(age(&bank, "cid").await, AgeBand::Under16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_whom_a_camera_finds_is_refused_and_what_is_held_goes_at_once() {
    let vault = Vault::fresh().await;
    let (bank, camera) = bank(&vault).await;
    let face = Faces::seeded(932).person(0).selfie();
    // Nothing is held.
    let refused = enroll(&bank, "ada", seen(&camera, &face, Attested::Under16)).await.refused();
    refused.assert_is(Code::FailedPrecondition, ErrorReason::MinorWithoutGuardian);
    assert_eq!(refused.metadata()["obligation"], "O15");
    // Something is.
    enroll(&bank, "ada", camera.sees(capture(&face))).await.unwrap();
    let refused = enroll(&bank, "ada", seen(&camera, &face, Attested::Under16)).await.refused();
    refused.assert_is(Code::FailedPrecondition, ErrorReason::MinorWithoutGuardian);
    let gone = bank.privacy_officer().subject("ada").await.refused();
    gone.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_judges_by_it_and_has_nobody_erased() {
    let vault = Vault::fresh().await;
    let (bank, camera) = bank(&vault).await;
    let face = Faces::seeded(933).person(0).selfie();
    enroll(&bank, "adult", seen(&camera, &face, Attested::Adult)).await.unwrap();
    enroll(&bank, "unknown", camera.sees(capture(&face))).await.unwrap();
    for subject in ["adult", "unknown"] {
        // To an authenticator it is no match, as of anybody.
        let said = verify(&bank, subject, seen(&camera, &face, Attested::MinorFrom16)).await.unwrap();
        assert_eq!(said.band(), DecisionBand::NoMatch);
    }
    // Whose face it was is the question: both are recognised afterwards, and of the age that was on record.
    for (subject, known) in [("adult", AgeBand::Adult), ("unknown", AgeBand::Unspecified)] {
        assert_eq!(age(&bank, subject).await, known, "{subject}");
        let said = verify(&bank, subject, seen(&camera, &face, Attested::Adult)).await.unwrap();
        assert_eq!(said.band(), DecisionBand::Match, "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_camera_makes_a_minor_is_on_no_watch_list_any_more() {
    let vault = Vault::fresh().await;
    let (bank, camera) = bank(&vault).await;
    let face = Faces::seeded(934).person(0).selfie();
    let analyst = bank.analyst();
    analyst.keep_watchlist("fraud", v1::WatchlistKind::ConfirmedFraud).await.unwrap();
    let enrolled = enroll(&bank, "ada", camera.sees(capture(&face))).await.unwrap().template.unwrap();
    let entry = analyst.ask(analyst.listing_of("fraud", &enrolled.name)).await.unwrap();
    guarded(&bank, "ada").await;
    enroll(&bank, "ada", seen(&camera, &face, Attested::MinorFrom16)).await.unwrap();
    let gone = analyst.entry(&entry.name).await.refused();
    gone.assert_is(Code::NotFound, ErrorReason::WatchlistEntryNotFound);
}
