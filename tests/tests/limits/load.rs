//! Too much at once: load is shed, with a word on when to come back.

use std::time::Duration;

use futures::TryStreamExt as _;
use lethe_proto::v1::batch_enroll_response::Result as Item;
use lethe_proto::v1::{self, ErrorReason};
use lethe_tests::{Faces, Refused, Vault};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

/// A stream that is open is a call at work: it holds its place until it ends.
#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_a_tenant_may_have_are_shed() {
    let vault = Vault::setup().set("limits.concurrency", 1).start().await;
    let (bank, shop) = (vault.tenant("bank").await, vault.tenant("shop").await);
    let people = Faces::seeded(91).strangers(2);
    let (items, receiver) = tokio::sync::mpsc::channel(1);
    items.send(bank.enroller().item("ada", &people[0].selfie())).await.unwrap();
    let mut answers = bank.enroller().batch(ReceiverStream::new(receiver)).await.unwrap();
    answers.message().await.unwrap().unwrap();

    let enrolment = bank.enroller().enrolment("bob", &people[1].selfie());
    let refusal = bank.enroller().ask(enrolment.clone()).await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::Overloaded);
    assert!(refusal.retry_after().is_some_and(|delay| !delay.is_zero()), "{refusal:?}");
    let refusal = bank.analyst().search(&people[0].again()).await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::Overloaded);
    let refusal = bank.privacy_officer().erase("ada").await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::Overloaded);
    // Another tenant's places are its own.
    shop.enroller().enroll("carol", &people[1].selfie()).await.unwrap();
    // The stream goes on.
    items.send(bank.enroller().item("ada", &people[0].again())).await.unwrap();
    answers.message().await.unwrap().unwrap();

    // When it ends, the place is free; the very request that was refused is answered, once.
    drop(items);
    assert!(answers.message().await.unwrap().is_none());
    drop(answers);
    let answer = loop {
        match bank.enroller().ask(enrolment.clone()).await {
            Ok(answer) => break answer,
            Err(refusal) => {
                refusal.assert_is(Code::ResourceExhausted, ErrorReason::Overloaded);
                tokio::time::sleep(refusal.retry_after().unwrap()).await;
            }
        }
    };
    assert!(answer.template.is_some());
    assert_eq!(bank.enroller().templates("bob").await.unwrap().len(), 1);
}

/// Everything that many callers ask at once is answered or shed, nothing is lost and nothing done twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_answered_or_shed_and_nothing_else() {
    let vault = Vault::setup().set("limits.concurrency", 4).start().await;
    let bank = vault.tenant("bank").await;
    let faces = Faces::seeded(92);
    let calls = (0..64_u64).map(|at| {
        let (enroller, face) = (bank.enroller(), faces.person(at).selfie());
        tokio::spawn(async move {
            let subject = format!("person-{at}");
            let request = enroller.enrolment(&subject, &face);
            let mut shed = 0;
            loop {
                match enroller.ask(request.clone()).await {
                    Ok(_) => return (subject, shed),
                    Err(refusal) => {
                        refusal.assert_is(Code::ResourceExhausted, ErrorReason::Overloaded);
                        shed += 1;
                        tokio::time::sleep(refusal.retry_after().unwrap()).await;
                    }
                }
            }
        })
    });
    let answered = futures::future::join_all(calls).await;
    let answered: Vec<_> = answered.into_iter().map(Result::unwrap).collect();
    assert!(answered.iter().any(|(_, shed)| *shed > 0), "64 calls at once found four places");
    for (subject, _) in answered {
        assert_eq!(bank.enroller().templates(&subject).await.unwrap().len(), 1, "{subject}");
    }
    let gallery = bank.analyst().search(&faces.person(0).selfie()).await.unwrap().completeness.unwrap();
    assert_eq!(gallery.gallery_size, 64);
}

/// A stream whose first item never comes waits no longer than a call may take.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_is_ended() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    allow(&vault, 100).await;
    let refusal = bank.enroller().batch(tokio_stream::pending()).await.refused();
    refusal.assert_is(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded);
    // Whoever asks for something is answered, though a disk may take longer than this.
    let enrolment = bank.enroller().enrolment("ada", &Faces::seeded(93).person(0).selfie());
    while let Err(refusal) = bank.enroller().ask(enrolment.clone()).await {
        refusal.assert_is(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded);
    }
    allow(&vault, 600_000).await;
    assert_eq!(bank.enroller().templates("ada").await.unwrap().len(), 1);
}

/// From here on calls may take so long, and streams be idle.
async fn allow(vault: &Vault, deadline_ms: u64) {
    vault.stop().await;
    vault.reconfigure(|setup| setup.set("limits.deadline_ms", deadline_ms));
    vault.start().await;
}

/// A stream that begins well and then sends nothing loses its place to who has something to ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_idle_is_ended_and_its_place_given_back() {
    let vault = Vault::setup().set("limits.concurrency", 1).start().await;
    let bank = vault.tenant("bank").await;
    let ada = Faces::seeded(93).person(0);
    allow(&vault, 3_000).await;
    let item = bank.enroller().item("ada", &ada.selfie());
    // Again, where a disk took longer for the first item than a stream may be idle.
    let (items, mut answers) = loop {
        let (items, receiver) = tokio::sync::mpsc::channel(1);
        items.send(item.clone()).await.unwrap();
        let refusal = match bank.enroller().batch(ReceiverStream::new(receiver)).await {
            Err(refusal) => refusal,
            Ok(mut answers) => match answers.message().await {
                Err(status) => status.into(),
                Ok(answer) => {
                    assert!(matches!(answer.unwrap().result, Some(Item::Enrolled(_))));
                    break (items, answers);
                }
            },
        };
        let slow = [Some(ErrorReason::DeadlineExceeded), Some(ErrorReason::Overloaded)];
        assert!(slow.contains(&refusal.reason()), "{refusal:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let ended = lethe_tests::Refusal::from(answers.message().await.unwrap_err());
    ended.assert_is(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded);
    // The client still holds its half of the stream.
    assert_eq!(bank.analyst().found(&ada.again()).await, ["ada"]);
    drop(items);
}

/// A stream whose answers nobody takes is ended, too, and says so: it must not look as if all was answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_answers_nobody_takes_is_ended() {
    let vault = Vault::setup().set("limits.concurrency", 1).set("limits.batch_in_flight", 8).start().await;
    let bank = vault.tenant("bank").await;
    allow(&vault, 3_000).await;
    let face = Faces::seeded(93).person(0).selfie();
    // More than the windows of a stream hold: each is refused, in an answer that names it.
    let items: Vec<_> = (0..400)
        .map(|_| v1::BatchEnrollRequest { item_id: "i".repeat(64 << 10), ..bank.enroller().item("nobody", &face) })
        .collect();
    let number = items.len();
    let mut answers = bank.enroller().batch(tokio_stream::iter(items)).await.unwrap();
    // Its place is free again before an answer was taken.
    let mut subject = bank.privacy_officer().subject("nobody").await.refused();
    while subject.reason() == Some(ErrorReason::Overloaded) {
        tokio::time::sleep(subject.retry_after().unwrap()).await;
        subject = bank.privacy_officer().subject("nobody").await.refused();
    }
    subject.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    let mut answered = 0;
    let ended = loop {
        match answers.message().await {
            Ok(Some(_)) => answered += 1,
            Ok(None) => panic!("the stream ended well, with {answered} answers"),
            Err(status) => break lethe_tests::Refusal::from(status),
        }
    };
    ended.assert_is(Code::DeadlineExceeded, ErrorReason::DeadlineExceeded);
    assert!(answered < number);
}

/// A stop lets what is at work end: a stream that was sent is answered to its last item, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_what_is_at_work_and_loses_nothing() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let faces = Faces::seeded(94);
    let items: Vec<_> =
        (0..300).map(|at| bank.enroller().item(&format!("person-{at}"), &faces.person(at).selfie())).collect();
    let mut answers = bank.enroller().batch(tokio_stream::iter(items)).await.unwrap();
    let mut answered = Vec::new();
    answered.extend(answers.message().await.unwrap());
    let (rest, ()) = tokio::join!(answers.try_collect::<Vec<_>>(), vault.stop());
    answered.extend(rest.unwrap());
    assert_eq!(answered.len(), 300);
    vault.start().await;
    for answer in answered {
        assert!(matches!(answer.result, Some(Item::Enrolled(_))), "{answer:?}");
        assert_eq!(bank.enroller().templates(&answer.item_id).await.unwrap().len(), 1);
    }
}
