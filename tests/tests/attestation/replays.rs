//! An attestation is used once: by one call of several, across crashes, and for one request only.

use std::time::Duration;

use lethe_proto::v1::batch_enroll_response::Result as Said;
use lethe_proto::v1::{self, Capture, ErrorReason, Purpose};
use lethe_tests::{Camera, Faces, Refused, Tenant, Vault, capture};
use tonic::Code;

async fn bank(vault: &Vault) -> (Tenant, Camera) {
    let bank = vault.tenant("bank").attested().await;
    let camera = Camera::of(&bank, "camera-1").await;
    (bank, camera)
}

fn enrolment(bank: &Tenant, subject: &str, seen: &Capture) -> v1::EnrollRequest {
    v1::EnrollRequest { template: Some(seen.clone()), ..bank.enroller().enrolment(subject, &seen.embedding) }
}

fn verification(bank: &Tenant, subject: &str, seen: &Capture) -> v1::VerifyRequest {
    v1::VerifyRequest { probe: Some(seen.clone()), ..bank.authenticator().verification(subject, &seen.embedding) }
}

fn search(bank: &Tenant, seen: &Capture) -> v1::SearchRequest {
    v1::SearchRequest { probe: Some(seen.clone()), ..bank.analyst().query(&seen.embedding) }
}

async fn is_replayed_everywhere(bank: &Tenant, seen: &Capture) {
    let replayed = |refused: lethe_tests::Refusal| {
        refused.assert_is(Code::FailedPrecondition, ErrorReason::AttestationReplayed);
    };
    replayed(bank.enroller().ask(enrolment(bank, "ada", seen)).await.refused());
    replayed(bank.enroller().ask(enrolment(bank, "somebody-new", seen)).await.refused());
    replayed(bank.authenticator().ask(verification(bank, "ada", seen)).await.refused());
    replayed(bank.authenticator().ask(verification(bank, "nobody", seen)).await.refused());
    replayed(bank.analyst().ask(search(bank, seen)).await.refused());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_refused_for_any_use_also_after_the_process_was_killed() {
    let vault = Vault::fresh().await;
    let (bank, camera) = bank(&vault).await;
    let face = Faces::seeded(911).person(0).selfie();
    let enrolled = camera.sees(capture(&face));
    bank.enroller().ask(enrolment(&bank, "ada", &enrolled)).await.unwrap();
    let verified = camera.sees(capture(&face));
    bank.authenticator().ask(verification(&bank, "ada", &verified)).await.unwrap();
    // What failed was used, too, and of somebody unknown.
    let stranger = camera.sees(capture(&Faces::seeded(911).person(1).selfie()));
    bank.authenticator().ask(verification(&bank, "ada", &stranger)).await.unwrap();
    let unknown = camera.sees(capture(&face));
    bank.authenticator().ask(verification(&bank, "nobody", &unknown)).await.unwrap();
    let searched = camera.sees(capture(&face));
    bank.analyst().ask(search(&bank, &searched)).await.unwrap();
    // Right after the answer.
    vault.kill().await;
    vault.start().await;
    for seen in [&enrolled, &verified, &stranger, &unknown, &searched] {
        is_replayed_everywhere(&bank, seen).await;
    }
    vault.restart().await;
    for seen in [&enrolled, &verified] {
        is_replayed_everywhere(&bank, seen).await;
    }
    bank.authenticator().ask(verification(&bank, "ada", &camera.sees(capture(&face)))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_calls_at_once_with_one_attestation_one_passes() {
    let vault = Vault::fresh().await;
    let (bank, camera) = bank(&vault).await;
    let face = Faces::seeded(912).person(0).selfie();
    bank.enroller().ask(enrolment(&bank, "ada", &camera.sees(capture(&face)))).await.unwrap();
    for _ in 0..8 {
        let seen = camera.sees(capture(&face));
        let calls = (0..12).map(|number| {
            let (bank, seen) = (bank.clone(), seen.clone());
            tokio::spawn(async move {
                match number % 3 {
                    0 => bank.authenticator().ask(verification(&bank, "ada", &seen)).await.map(drop),
                    1 => bank.analyst().ask(search(&bank, &seen)).await.map(drop),
                    _ => bank.enroller().ask(enrolment(&bank, "bea", &seen)).await.map(drop),
                }
            })
        });
        let mut passed = 0;
        for call in futures::future::join_all(calls).await {
            match call.unwrap() {
                Ok(()) => passed += 1,
                Err(refused) => {
                    refused.assert_is(Code::FailedPrecondition, ErrorReason::AttestationReplayed);
                }
            }
        }
        assert_eq!(passed, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_first_answer_and_no_other_does() {
    let vault = Vault::fresh().await;
    let (bank, camera) = bank(&vault).await;
    let face = Faces::seeded(913).person(0).selfie();
    // Over in a moment.
    let seen = camera.says(capture(&face), |claims| {
        let soon = (claims.captured_at.millis() / 1000 + 3) * 1000;
        claims.expires_at = lethe_domain::Timestamp::from_millis(soon);
    });
    let request = enrolment(&bank, "ada", &seen);
    let first = bank.enroller().ask(request.clone()).await.unwrap();
    let again = bank.enroller().ask(request.clone()).await.unwrap();
    assert_eq!(again.template, first.template);
    // At once, too.
    let calls = (0..4).map(|_| {
        let (enroller, request) = (bank.enroller(), request.clone());
        tokio::spawn(async move { enroller.ask(request).await })
    });
    for call in futures::future::join_all(calls).await {
        assert_eq!(call.unwrap().unwrap().template, first.template);
    }
    vault.crash().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    // The attestation is over: the request was answered before it was.
    assert_eq!(bank.enroller().ask(request.clone()).await.unwrap().template, first.template);
    let other = bank.enroller().ask(enrolment(&bank, "ada", &seen)).await.refused();
    other.assert_is(Code::FailedPrecondition, ErrorReason::AttestationExpired);
    assert_eq!(bank.enroller().templates("ada").await.unwrap().len(), 1);

    // A replacement likewise; once its answer is gone, so is what stood for it.
    let fresh = camera.sees(capture(&face));
    let replacement = bank.enroller().replacement(&first.template.unwrap().name, &face);
    let replacement = v1::ReplaceTemplateRequest { template: Some(fresh), ..replacement };
    let replaced = bank.enroller().ask(replacement.clone()).await.unwrap();
    assert_eq!(bank.enroller().ask(replacement).await.unwrap().template, replaced.template);
    let gone = bank.enroller().ask(request).await.refused();
    assert_eq!(gone.code(), Code::NotFound, "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_a_batch_has_its_own() {
    let vault = Vault::fresh().await;
    let (bank, camera) = bank(&vault).await;
    let enroller = bank.enroller();
    let people = Faces::seeded(914).strangers(4);
    let mut items = Vec::new();
    for (number, person) in people.iter().enumerate() {
        let mut item = enroller.item(&format!("p-{number}"), &person.selfie());
        item.template = item.template.map(|seen| camera.sees(seen));
        items.push(item);
    }
    // One that was seen before, of another, and one of nobody.
    let again =
        v1::BatchEnrollRequest { template: items[0].template.clone(), ..enroller.item("again", &people[0].selfie()) };
    items.extend([again, enroller.item("unattested", &people[1].selfie())]);
    let answers = enroller.enroll_all(items).await.unwrap();
    let mut enrolled = 0;
    for answer in answers {
        let what = answer.item_id.clone();
        match (what.as_str(), answer.result.unwrap()) {
            ("unattested", Said::Error(error)) => assert_eq!(error.reason(), ErrorReason::AttestationRequired),
            // Items are done side by side: either of the two may be the first.
            ("again" | "p-0", Said::Error(error)) => assert_eq!(error.reason(), ErrorReason::AttestationReplayed),
            (_, Said::Error(error)) => panic!("{what}: {error:?}"),
            (_, Said::Enrolled(_)) => enrolled += 1,
        }
    }
    assert_eq!(enrolled, people.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_for_the_persons_sake_is_good_for_another_try() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").asking_consent_for(&[Purpose::DuplicateDetection]).attested().await;
    let camera = Camera::of(&bank, "camera-1").await;
    let seen = camera.sees(capture(&Faces::seeded(915).person(0).selfie()));
    let refused = bank.enroller().ask(enrolment(&bank, "ada", &seen)).await.refused();
    refused.assert_is(Code::FailedPrecondition, ErrorReason::ConsentMissing);
    bank.enroller().consents_to("ada", Purpose::DuplicateDetection).await.unwrap();
    bank.enroller().ask(enrolment(&bank, "ada", &seen)).await.unwrap();
    is_replayed_everywhere(&bank, &seen).await;
}
