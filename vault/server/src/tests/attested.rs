//! What services sign about captures, and whom it touches, looked at from inside (O6, O15, O40).

use lethe_attestation::Signer;
use lethe_domain::{AgeBand, Consent, Giver, ModelId, Purpose, Reason, RequestId, Role, SubjectId, TenantId};
use lethe_policy::operation::{CreateSigningKey, Enroll, RecordConsent, UpdateSubject, Verify};

use super::{Open, agreed};
use crate::attestation;
use crate::authentication::verify;
use crate::consent;
use crate::enrollment::{Enrolled, Enrolment, enroll};
use crate::error::{Error, Result};
use crate::store::RowKind;
use crate::subject::{self, Description};
use crate::templates::Capture;

fn face(number: usize) -> Vec<f32> {
    (0..64).map(|i| if i == number { 1.0 } else { 0.0 }).collect()
}

fn id(subject: &str) -> SubjectId {
    SubjectId::parse(subject).unwrap()
}

/// A tenant whose captures a camera signs.
struct Scene {
    open: Open,
    bank: TenantId,
    model: ModelId,
    camera: Signer,
}

impl Scene {
    async fn set() -> Self {
        let open = Open::fresh().await;
        let bank = open.tenant_for("bank", &[Purpose::Authentication, Purpose::FraudPrevention]).await;
        let model = open.model(&bank, "model", 64, None).await;
        let camera = open.camera(&bank).await;
        Self { open, bank, model, camera }
    }

    fn capture(&self, number: usize, age: Option<AgeBand>) -> Capture {
        self.open.signed(&self.bank, &self.camera, &self.model, &face(number), age)
    }

    async fn enroll(&self, subject: &str, capture: Capture, request: RequestId) -> Result<Enrolled> {
        let call = self.open.may::<Enroll>(&self.bank, Role::Enroller, Purpose::Authentication).await;
        enroll(&self.open.vault, &call, Enrolment { subject: id(subject), capture, request: Some(request) }).await
    }

    async fn records(&self, subject: &str, age: AgeBand) {
        let call = self.open.may::<UpdateSubject>(&self.bank, Role::Enroller, Purpose::Administration).await;
        let said = Description { age: Some(age), ..Description::default() };
        subject::update(&self.open.vault, call, &id(subject), said).await.map(drop).unwrap();
    }

    async fn a_guardian_agrees(&self, subject: &str) {
        let call = self.open.may::<RecordConsent>(&self.bank, Role::Enroller, Purpose::Administration).await;
        let consent = Consent { giver: Giver::Guardian, ..agreed() };
        consent::record(&self.open.vault, call, &id(subject), consent, RequestId::random()).await.map(drop).unwrap();
    }

    fn is_there(&self, subject: &str) -> bool {
        self.open.silo(&self.bank).subject(&id(subject)).is_some()
    }

    fn count(&self, kind: RowKind) -> usize {
        let mut count = 0;
        let scanned = self.open.vault.store.scan(kind, &crate::store::Key::prefix(kind), |_, _| {
            count += 1;
            Ok::<_, Error>(())
        });
        scanned.unwrap();
        count
    }
}

fn reason<T>(refused: Result<T>) -> Reason {
    match refused {
        Err(Error::Denied(denial)) => denial.reason,
        Err(other) => panic!("refused otherwise: {other}"),
        Ok(_) => panic!("it was let pass"),
    }
}

/// The very same call may be repeated with what was signed for it, and no other: not of somebody else under its id.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_for_one_call_is_good_for_no_other_under_its_id() {
    let scene = Scene::set().await;
    let request = RequestId::random();
    scene.enroll("bea", scene.capture(2, None), RequestId::random()).await.unwrap();
    let (first, again, stolen) = {
        let signed = scene.capture(1, None);
        let text = signed.attestation.clone();
        let same = || scene.open.resigned(&signed, &face(1), text.clone());
        (same(), same(), same())
    };
    let enrolled = scene.enroll("ada", first, request).await.unwrap();
    let repeated = scene.enroll("ada", again, request).await.unwrap();
    assert_eq!(enrolled.facts.id, repeated.facts.id);
    assert_eq!(reason(scene.enroll("bea", stolen, request).await), Reason::AttestationReplayed);
    assert!(scene.is_there("bea"));
    scene.open.vault.close().await;
}

/// A repeat with another attestation gets the first answer, and uses that up as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_that_is_signed_anew_uses_up_what_was_signed() {
    let scene = Scene::set().await;
    let request = RequestId::random();
    let signed = scene.capture(1, None);
    let at = signed.captured_at;
    scene.enroll("ada", signed, request).await.unwrap();
    let anew = scene.open.signed_at(&scene.bank, &scene.camera, &scene.model, &face(1), None, at);
    let text = anew.attestation.clone();
    let elsewhere = scene.open.resigned(&anew, &face(1), text);
    scene.enroll("ada", anew, request).await.unwrap();
    assert_eq!(scene.count(RowKind::Attestation), 2);
    assert_eq!(reason(scene.enroll("bea", elsewhere, RequestId::random()).await), Reason::AttestationReplayed);
    scene.open.vault.close().await;
}

/// Whom a service takes for a minor is not enrolled without a guardian. Who is known to be of age stays, whoever is at the camera; of whom
/// nobody knows, all goes, once for each that is signed.
#[tokio::test(flavor = "multi_thread")]
async fn a_minor_at_the_camera_has_nobody_erased_who_is_of_age() {
    let scene = Scene::set().await;
    for (number, subject) in ["ada", "bea", "cal"].into_iter().enumerate() {
        scene.enroll(subject, scene.capture(number, None), RequestId::random()).await.unwrap();
    }
    scene.records("ada", AgeBand::Adult).await;
    let child = |number| scene.capture(number, Some(AgeBand::Under16));
    assert_eq!(reason(scene.enroll("ada", child(5), RequestId::random()).await), Reason::MinorWithoutGuardian);
    assert!(scene.is_there("ada"));
    let (signed, again) = {
        let signed = child(6);
        let text = signed.attestation.clone();
        let again = scene.open.resigned(&signed, &face(6), text);
        (signed, again)
    };
    assert_eq!(reason(scene.enroll("bea", signed, RequestId::random()).await), Reason::MinorWithoutGuardian);
    assert!(!scene.is_there("bea"));
    assert_eq!(reason(scene.enroll("cal", again, RequestId::random()).await), Reason::AttestationReplayed);
    assert!(scene.is_there("cal"));

    // A login refuses, and has nobody erased who is not on record as a child.
    let call = scene.open.may::<Verify>(&scene.bank, Role::FraudAnalyst, Purpose::FraudPrevention).await;
    let refused = verify(&scene.open.vault, call, &id("cal"), child(2)).await;
    assert_eq!(reason(refused), Reason::MinorWithoutGuardian);
    let call = scene.open.may::<Verify>(&scene.bank, Role::FraudAnalyst, Purpose::FraudPrevention).await;
    verify(&scene.open.vault, call, &id("cal"), scene.capture(2, None)).await.map(drop).unwrap();
    assert!(scene.is_there("cal"));
    scene.open.vault.close().await;
}

/// Who is enrolled as a minor, with a guardian's consent, is recorded as one, and on no watch list any more, in that very change.
#[tokio::test(flavor = "multi_thread")]
async fn whom_an_attestation_makes_a_minor_is_on_no_list_from_that_change_on() {
    let scene = Scene::set().await;
    scene.enroll("ada", scene.capture(1, None), RequestId::random()).await.unwrap();
    scene.open.watched(&scene.bank, &["ada"]).await;
    assert_eq!(scene.count(RowKind::WatchlistEntry), 1);
    scene.a_guardian_agrees("ada").await;
    let (before, silo) = (scene.count(RowKind::LogEntry), scene.open.silo(&scene.bank));
    scene.enroll("ada", scene.capture(1, Some(AgeBand::MinorFrom16)), RequestId::random()).await.unwrap();
    assert_eq!(scene.count(RowKind::WatchlistEntry), 0);
    // Of the enrolment, and of the entries that went with it; the vault's log has the erasure.
    assert!(scene.count(RowKind::LogEntry) >= before + 2);
    let slot = silo.subject(&id("ada")).unwrap();
    assert_eq!(crate::dossiers::of(&scene.open.vault, &silo, slot).unwrap().age, AgeBand::MinorFrom16);
    scene.open.vault.close().await;
}

/// A key under another name, also after it was revoked, is refused: who has its private half would be believed again.
#[tokio::test(flavor = "multi_thread")]
async fn no_key_has_two_names() {
    let scene = Scene::set().await;
    let public = scene.camera.public();
    let other =
        lethe_attestation::VerifyingKey::new(lethe_attestation::KeyId::parse("other").unwrap(), *public.point());
    let call = scene.open.may::<CreateSigningKey>(&scene.bank, Role::TenantAdmin, Purpose::Administration).await;
    let refused = attestation::create_key(&scene.open.vault, call, other.unwrap()).await;
    assert!(matches!(refused, Err(Error::Exists(Reason::SigningKeyExists, _))));
    scene.open.vault.close().await;
}
