//! Streams of enrolments that go wrong: an item, some items, the stream.

use lethe_proto::v1::batch_enroll_response::Result as Item;
use lethe_proto::v1::{self, ErrorReason, Purpose};
use lethe_tests::{Faces, Refused, capture};
use prost::Message as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::scene::{Scene, Verdict, invalid};

const PATH: &str = "/lethe.v1.EnrollmentService/BatchEnroll";

/// An item that fails does not touch the others, and whoever reads the answers knows which is which.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_item_is_refused_alone() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    let _shop = scene.vault.tenant("shop").await;
    let face = scene.face();
    let item = |name: &str, spoil: fn(&mut v1::BatchEnrollRequest)| {
        let mut item = bank.enroller().item(name, &face);
        spoil(&mut item);
        item
    };
    let items = vec![
        item("good-1", |_| {}),
        item("other-tenant", |item| item.parent = "tenants/shop".to_owned()),
        item("no-parent", |item| item.parent.clear()),
        item("other-purpose", |item| item.purpose = Purpose::FraudPrevention.into()),
        item("no-purpose", |item| item.purpose = 0),
        item("no-template", |item| item.template = None),
        item("good-2", |_| {}),
        item("zero", |item| item.template.as_mut().unwrap().embedding.fill(0.0)),
        item("bad-subject", |item| item.subject_id = "a b".to_owned()),
        item("bad-request", |item| item.request_id = "x".to_owned()),
        item("good-3", |_| {}),
    ];
    let answers = bank.enroller().enroll_all(items).await.unwrap();
    assert_eq!(answers.len(), 11, "an answer for each item");
    let mut verdict = Verdict::default();
    let mut enrolled = Vec::new();
    for answer in &answers {
        let expected = match answer.item_id.as_str() {
            "other-tenant" | "no-parent" => invalid(ErrorReason::FieldOutOfRange, "parent"),
            "other-purpose" | "no-purpose" => invalid(ErrorReason::FieldOutOfRange, "purpose"),
            "no-template" => invalid(ErrorReason::FieldMissing, "template"),
            "zero" => invalid(ErrorReason::EmbeddingZeroNorm, "template.embedding"),
            "bad-subject" => invalid(ErrorReason::SubjectIdMalformed, "subject_id"),
            "bad-request" => invalid(ErrorReason::RequestIdMalformed, "request_id"),
            good => {
                assert!(matches!(answer.result, Some(Item::Enrolled(_))), "{answer:?}");
                enrolled.push(good.to_owned());
                continue;
            }
        };
        verdict.on_item(&answer.item_id, answer, &expected);
    }
    verdict.reached(8);
    enrolled.sort();
    assert_eq!(enrolled, ["good-1", "good-2", "good-3"]);
    for subject in enrolled {
        bank.privacy_officer().erase(&subject).await.unwrap();
    }
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_id_too_long_is_refused() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    let mut item = bank.enroller().item("nobody", &scene.face());
    item.item_id = "i".repeat(65);
    let answers = bank.enroller().enroll_all(vec![item]).await.unwrap();
    let mut verdict = Verdict::default();
    verdict.on_item("65 bytes", &answers[0], &invalid(ErrorReason::FieldOutOfRange, "item_id"));
    verdict.reached(1);
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_repeated_within_a_stream_stores_once() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    let first = bank.enroller().item("bob", &scene.face());
    let same = v1::BatchEnrollRequest { item_id: "same".to_owned(), ..first.clone() };
    let mut other = v1::BatchEnrollRequest { item_id: "other".to_owned(), ..first.clone() };
    other.template = Some(capture(&scene.ada.selfie()));
    // Whichever of them comes first counts; so they go in one after the other.
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(first).await.unwrap();
    let mut answers = bank.enroller().batch(ReceiverStream::new(receiver)).await.unwrap();
    let Some(Item::Enrolled(stored)) = answers.message().await.unwrap().unwrap().result else { panic!("refused") };
    sender.send(same).await.unwrap();
    let Some(Item::Enrolled(again)) = answers.message().await.unwrap().unwrap().result else { panic!("refused") };
    assert_eq!(again.template, stored.template);
    sender.send(other).await.unwrap();
    let Some(Item::Error(refused)) = answers.message().await.unwrap().unwrap().result else { panic!("enrolled") };
    assert_eq!((refused.code, refused.reason()), (Code::AlreadyExists.into(), ErrorReason::RequestIdReused));
    drop(sender);
    assert!(answers.message().await.unwrap().is_none(), "the stream ends when all are answered");
    assert_eq!(bank.enroller().templates("bob").await.unwrap().len(), 1);
    bank.privacy_officer().erase("bob").await.unwrap();
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_begins_badly_is_refused_as_a_whole() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    let good = bank.enroller().item("nobody", &scene.face());
    let bad = v1::BatchEnrollRequest { parent: "bank".to_owned(), ..good.clone() };
    let refusal = bank.enroller().enroll_all(vec![bad, good.clone()]).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::NameMalformed).assert_field("parent");
    let other = v1::BatchEnrollRequest { parent: "tenants/shop".to_owned(), ..good.clone() };
    let refusal = bank.enroller().enroll_all(vec![other, good]).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    assert!(bank.enroller().enroll_all(Vec::new()).await.unwrap().is_empty(), "an empty stream has no answers");
    scene.is_unchanged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_a_message_that_is_none_ends_there() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    let (bob, carol) = (bank.enroller().item("bob", &scene.face()), bank.enroller().item("carol", &scene.face()));
    let around = |none: Vec<u8>| vec![bob.encode_to_vec(), none, carol.encode_to_vec()];
    let malformed = bank.enroller().ask_raw_all(PATH, around(vec![0x0a, 0xff])).await;
    malformed.refused().assert_is(Code::InvalidArgument, ErrorReason::MessageMalformed);
    let large = bank.enroller().ask_raw_all(PATH, around(vec![0; (4 << 20) + 1])).await;
    large.refused().assert_is(Code::ResourceExhausted, ErrorReason::MessageTooLarge);
    came_before_and_after(&scene, bob).await;
}

/// What came before is stored, at once or a little later; what came after is not.
async fn came_before_and_after(scene: &Scene, bob: v1::BatchEnrollRequest) {
    let bank = &scene.bank;
    // With the server ends what is still on its way.
    scene.vault.restart().await;
    let again = bank.enroller().enroll_all(vec![bob]).await.unwrap();
    assert!(matches!(again[0].result, Some(Item::Enrolled(_))), "{again:?}");
    let after = bank.privacy_officer().subject("carol").await.refused();
    after.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    bank.privacy_officer().erase("bob").await.unwrap();
    scene.is_unchanged().await;
}

/// A stream whose last frame is cut off: what came whole before it is stored, and the cut is told as such.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_ends_in_the_middle_of_a_frame_is_told_so() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    let frame = |item: &v1::BatchEnrollRequest| {
        let item = item.encode_to_vec();
        let length = u32::try_from(item.len()).unwrap().to_be_bytes();
        [&[0], length.as_slice(), &item].concat()
    };
    let item = |name: &str| bank.enroller().item(name, &scene.face());
    let sent = item("bob");
    let (bob, carol) = (frame(&sent), frame(&item("carol")));
    // Of a head alone the transport says nothing: to it that is an end like any other, and nobody was told of an item.
    for cut in [1, 4, 6, carol.len() / 2, carol.len() - 1] {
        let body = [bob.as_slice(), &carol[..cut]].concat();
        let refusal = bank.enroller().ask_unframed(PATH, body).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::MessageMalformed);
    }
    came_before_and_after(&scene, sent).await;
}

/// A client that goes away in the middle: what was acknowledged stays, also over a crash, and the rest can be
/// sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_short_keeps_what_was_acknowledged() {
    let scene = Scene::set().await;
    let bank = &scene.bank;
    let faces = Faces::seeded(83);
    let items: Vec<_> =
        (0..200).map(|at| bank.enroller().item(&format!("person-{at}"), &faces.person(at).selfie())).collect();
    let (sender, receiver) = tokio::sync::mpsc::channel(200);
    for item in &items {
        sender.send(item.clone()).await.unwrap();
    }
    let mut answers = bank.enroller().batch(ReceiverStream::new(receiver)).await.unwrap();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 40 {
        let answer = answers.message().await.unwrap().unwrap();
        assert!(matches!(answer.result, Some(Item::Enrolled(_))), "{answer:?}");
        acknowledged.push(answer.item_id);
    }
    drop((answers, sender));

    for _ in ["at once", "after a crash"] {
        for subject in &acknowledged {
            assert_eq!(bank.enroller().templates(subject).await.unwrap().len(), 1, "{subject}");
        }
        scene.vault.crash().await;
    }
    // All of them again, under the same request ids: everyone is there, once.
    for answer in bank.enroller().enroll_all(items).await.unwrap() {
        assert!(matches!(answer.result, Some(Item::Enrolled(_))), "{answer:?}");
        assert_eq!(bank.enroller().templates(&answer.item_id).await.unwrap().len(), 1, "{}", answer.item_id);
    }
    let searched = bank.analyst().search(&scene.face()).await.unwrap();
    assert_eq!(searched.completeness.unwrap().gallery_size, 201);
}
