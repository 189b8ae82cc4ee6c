//! What is told of an attestation that is missing or bad, for each thing that a capture is used for.

use std::collections::HashMap;

use lethe_attestation::Claims;
use lethe_domain::{CaptureKind as Kind, Liveness, ModelId, PadLevel, Quality, TenantId, Timestamp};
use lethe_proto::ERROR_DOMAIN;
use lethe_proto::v1::add_watchlist_entry_request::Source;
use lethe_proto::v1::{self, Capture, CaptureKind, DecisionBand, ErrorReason, Purpose, WatchlistKind};
use lethe_tests::{Answer, Camera, Faces, Refusal, Refused, Tenant, Vault, capture};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What a capture is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Enroll,
    BatchEnroll,
    Replace,
    Verify,
    VerifyNobody,
    Search,
    AddEntry,
}

const USES: [Use; 7] =
    [Use::Enroll, Use::BatchEnroll, Use::Replace, Use::Verify, Use::VerifyNobody, Use::Search, Use::AddEntry];

/// A bank with a camera, somebody who is enrolled, and a list of masks.
struct Scene {
    bank: Tenant,
    camera: Camera,
    face: Vec<f32>,
    // The server ends with it.
    vault: Vault,
}

impl Scene {
    async fn of(change: impl FnOnce(&mut v1::Tenant)) -> Self {
        let vault = Vault::fresh().await;
        let bank = vault.tenant("bank").attested().with(change).await;
        let camera = Camera::of(&bank, "camera-1").await;
        let face = Faces::seeded(901).person(0).selfie();
        let mut enrolment = bank.enroller().enrolment("ada", &face);
        enrolment.template = enrolment.template.map(|seen| camera.sees(seen));
        bank.enroller().ask(enrolment).await.unwrap();
        bank.analyst().keep_watchlist("masks", WatchlistKind::KnownSpoof).await.unwrap();
        Self { bank, camera, face, vault }
    }

    /// What the camera sees, unsigned.
    fn seen(&self) -> Capture {
        capture(&self.face)
    }

    async fn used(&self, usage: Use, seen: Capture) -> Answer<()> {
        let (enroller, analyst) = (self.bank.enroller(), self.bank.analyst());
        match usage {
            Use::Enroll => {
                let request = v1::EnrollRequest { template: Some(seen), ..enroller.enrolment("ada", &self.face) };
                enroller.ask(request).await.map(drop)
            }
            Use::BatchEnroll => {
                let item = v1::BatchEnrollRequest { template: Some(seen), ..enroller.item("bea", &self.face) };
                let answers = enroller.enroll_all(vec![item]).await?;
                match answers.into_iter().next().unwrap().result.unwrap() {
                    v1::batch_enroll_response::Result::Enrolled(_) => Ok(()),
                    v1::batch_enroll_response::Result::Error(error) => Err(refusal(error)),
                }
            }
            Use::Replace => {
                let there = enroller.templates("ada").await?.swap_remove(0).name;
                let replacement = enroller.replacement(&there, &self.face);
                let request = v1::ReplaceTemplateRequest { template: Some(seen), no_wait: true, ..replacement };
                enroller.ask(request).await.map(drop)
            }
            Use::Verify | Use::VerifyNobody => {
                let whom = if usage == Use::Verify { "ada" } else { "nobody" };
                let caller = self.bank.authenticator();
                let request = v1::VerifyRequest { probe: Some(seen), ..caller.verification(whom, &self.face) };
                let band = caller.ask(request).await?.band();
                let expected = if usage == Use::Verify { DecisionBand::Match } else { DecisionBand::NoMatch };
                assert_eq!(band, expected);
                Ok(())
            }
            Use::Search => {
                let request = v1::SearchRequest { probe: Some(seen), ..analyst.query(&self.face) };
                analyst.ask(request).await.map(drop)
            }
            Use::AddEntry => {
                let mut request = analyst.listing_of_mask("masks", &self.face);
                request.source = Some(Source::Capture(seen));
                analyst.ask(request).await.map(drop)
            }
        }
    }
}

/// A failed item, as a call would have failed.
fn refusal(failed: v1::ItemError) -> Refusal {
    let reason = failed.reason().code();
    let details =
        ErrorDetails::with_error_info(reason, ERROR_DOMAIN, failed.metadata.into_iter().collect::<HashMap<_, _>>());
    Status::with_error_details(Code::from(failed.code), failed.message, details).into()
}

fn millis(time: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_millis(time.millis() + by)
}

/// A camera that says something else than what is sent, and what the refusal names.
type Lie = (&'static str, fn(&mut Claims));

const LIES: [Lie; 7] = [
    ("embedding", |claims| claims.embedding[0] ^= 1),
    ("model", |claims| claims.model = ModelId::parse("face", "2").unwrap()),
    ("kind", |claims| claims.kind = Kind::DocumentPortrait),
    ("quality", |claims| claims.quality = Quality::parse("quality", 0.8).unwrap()),
    ("time of capture", |claims| claims.captured_at = millis(claims.captured_at, -1)),
    ("tenant", |claims| claims.tenant = TenantId::parse("shop").unwrap()),
    ("vault", |claims| claims.audience = "other".to_owned()),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_use_needs_an_attestation_and_takes_one_that_is_good() {
    let scene = Scene::of(|_| ()).await;
    for usage in USES {
        let refused = scene.used(usage, scene.seen()).await.refused();
        refused.assert_is(Code::FailedPrecondition, ErrorReason::AttestationRequired);
        assert_eq!(refused.metadata()["obligation"], "O6", "{usage:?}");
        scene.used(usage, scene.camera.sees(scene.seen())).await.unwrap();
    }
    // What was refused is in the log, about nobody.
    let auditor = scene.bank.auditor();
    let entries = auditor.entries(&scene.bank.log(), v1::EntryFilter::default()).await.unwrap();
    let text: Vec<_> = entries.iter().map(|entry| String::from_utf8_lossy(&entry.entry).into_owned()).collect();
    let refused: Vec<_> = text.iter().filter(|entry| entry.contains("ATTESTATION_REQUIRED")).collect();
    assert_eq!(refused.len(), USES.len());
    assert!(refused.iter().all(|entry| !entry.contains("pseudonym")), "{refused:?}");
    let told = text.iter().filter(|entry| entry.contains("CAPTURE_ATTESTED") && entry.contains("camera-1"));
    // Each that passed, and the one of the scene; the entry of the mask says that it was added.
    assert_eq!(told.count(), USES.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_must_be_of_the_very_capture_and_by_a_key_of_the_tenant() {
    let scene = Scene::of(|_| ()).await;
    let shop = scene.vault.tenant("shop").attested().await;
    let stranger = Camera::stranger(&scene.bank, "camera-1");
    let unknown = Camera::stranger(&scene.bank, "camera-2");
    let other = Camera::of(&shop, "camera-3").await;
    let invalid = |refused: lethe_tests::Refusal| {
        refused.assert_is(Code::FailedPrecondition, ErrorReason::AttestationInvalid);
        refused
    };
    for usage in USES {
        for (what, lie) in LIES {
            let told = invalid(scene.used(usage, scene.camera.says(scene.seen(), lie)).await.refused());
            assert!(told.status().message().contains(what), "{usage:?}, {what}: {told:?}");
        }
        for camera in [&stranger, &unknown] {
            invalid(scene.used(usage, camera.sees(scene.seen())).await.refused());
        }
        let tenant = |claims: &mut Claims| claims.tenant = TenantId::parse("bank").unwrap();
        invalid(scene.used(usage, other.says(scene.seen(), tenant)).await.refused());
        let mut turned = scene.camera.sees(scene.seen());
        turned.embedding.swap(0, 1);
        invalid(scene.used(usage, turned).await.refused());
        for text in ["x", "a.b.c", "..", &"x".repeat(5000)] {
            let seen = Capture { attestation: text.to_owned(), ..scene.seen() };
            let told = invalid(scene.used(usage, seen).await.refused());
            assert!(!told.status().message().contains("a.b.c"), "{told:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_too_long_ago_or_is_yet_to_be_seen_is_refused() {
    let scene = Scene::of(|_| ()).await;
    let seconds = |seen: &Capture, by: i64| {
        let time = seen.capture_time.unwrap();
        Some(prost_types::Timestamp { seconds: time.seconds + by, ..time })
    };
    for usage in USES {
        for by in [-601, 120] {
            // Signed with that time, of a capture that says the same.
            let mut seen = scene.camera.says(scene.seen(), |claims| {
                claims.captured_at = millis(claims.captured_at, by * 1000);
            });
            seen.capture_time = seconds(&seen, by);
            let refused = scene.used(usage, seen).await.refused();
            refused.assert_is(Code::FailedPrecondition, ErrorReason::AttestationExpired);
        }
        let over = scene.camera.says(scene.seen(), |claims| claims.expires_at = millis(claims.captured_at, -2000));
        let refused = scene.used(usage, over).await.refused();
        refused.assert_is(Code::FailedPrecondition, ErrorReason::AttestationExpired);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_compared_who_is_not_alive_and_there_but_a_mask_need_not_be() {
    let policy =
        v1::AttestationPolicy { least_level: v1::PadLevel::PadLevel2.into(), ..v1::AttestationPolicy::default() };
    let scene = Scene::of(|_| ()).await;
    let change = v1::UpdatePolicyRequest {
        tenant: Some(v1::Tenant { name: scene.bank.name(), attestation: Some(policy), ..v1::Tenant::default() }),
        purpose: Purpose::Administration.into(),
        request_id: String::new(),
        update_mask: Some(prost_types::FieldMask { paths: vec!["attestation".to_owned()] }),
    };
    scene.bank.admin().ask(change).await.unwrap();
    let verdicts: [fn(&mut Claims); 3] = [
        |claims| claims.liveness = None,
        |claims| claims.liveness = Some(Liveness { passed: false, level: PadLevel::Level3 }),
        |claims| claims.liveness = Some(Liveness { passed: true, level: PadLevel::Level1 }),
    ];
    for usage in USES {
        for verdict in verdicts {
            let answer = scene.used(usage, scene.camera.says(scene.seen(), verdict)).await;
            if usage == Use::AddEntry {
                answer.unwrap();
            } else {
                let refused = answer.refused();
                refused.assert_is(Code::FailedPrecondition, ErrorReason::LivenessInsufficient);
                assert_eq!(refused.metadata()["obligation"], "O6");
            }
        }
        let enough = |claims: &mut Claims| claims.liveness = Some(Liveness { passed: true, level: PadLevel::Level2 });
        scene.used(usage, scene.camera.says(scene.seen(), enough)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_documents_portrait_is_verified_in_the_check_of_a_document_alone() {
    let scene = Scene::of(|_| ()).await;
    let portrait = || {
        let seen = Capture { kind: CaptureKind::DocumentPortrait.into(), ..scene.seen() };
        scene.camera.says(seen, |claims| claims.liveness = None)
    };
    for usage in [Use::Enroll, Use::BatchEnroll, Use::Search] {
        scene.used(usage, portrait()).await.unwrap();
    }
    let refused = scene.used(Use::Verify, portrait()).await.refused();
    refused.assert_is(Code::FailedPrecondition, ErrorReason::LivenessInsufficient);
    let caller = scene.bank.authenticator();
    let request = v1::VerifyRequest {
        probe: Some(portrait()),
        purpose: Purpose::DocumentCheck.into(),
        ..caller.verification("ada", &scene.face)
    };
    assert_eq!(caller.ask(request).await.unwrap().band(), DecisionBand::Match);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exempt_needs_none_and_is_judged_by_one_that_is_there() {
    let scene = Scene::of(|tenant| tenant.attestation = Some(lethe_tests::exempt())).await;
    for usage in USES {
        scene.used(usage, scene.seen()).await.unwrap();
        let refused = scene.used(usage, Capture { attestation: "x".to_owned(), ..scene.seen() }).await.refused();
        refused.assert_is(Code::FailedPrecondition, ErrorReason::AttestationInvalid);
        let spoof = |claims: &mut Claims| claims.liveness = Some(Liveness { passed: false, level: PadLevel::Level1 });
        let answer = scene.used(usage, scene.camera.says(scene.seen(), spoof)).await;
        if usage != Use::AddEntry {
            answer.refused().assert_is(Code::FailedPrecondition, ErrorReason::LivenessInsufficient);
        }
        scene.used(usage, scene.camera.sees(scene.seen())).await.unwrap();
    }
}
