//! Who is in the gallery twice?

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use lethe_proto::v1::batch_enroll_response::Result as Item;
use lethe_proto::v1::{self, DecisionBand, ErrorReason};
use lethe_tests::{Face, Faces, MATCH, REVIEW, Refused as _, Tenant, Vault, cosine};
use tonic::Code;

/// People of the gallery: a sweep of them has several answers.
const PEOPLE: u64 = 2300;

/// Who was enrolled, in the order of enrolment; some of them twice, under two names.
struct Gallery {
    faces: Vec<(String, Face)>,
}

impl Gallery {
    async fn enrolled_in(bank: &Tenant) -> Self {
        let faces = Faces::seeded(31);
        let mut all: Vec<(String, Face)> =
            (0..PEOPLE).map(|at| (format!("p-{at}"), faces.person(at).selfie())).collect();
        // Next to each other, and as far from each other as can be; by another picture, and by the same.
        for (at, place) in [(0, 1), (1, 2000), (700, 701), (900, 2200), (2000, 10)] {
            all.insert(place, (format!("again-{at}"), faces.person(at).capture(u32::from(at % 200 != 0))));
        }
        let enroller = bank.enroller();
        // In the order of their slots: so what is compared when does not depend on chance.
        for chunk in all.chunks(100) {
            let items = chunk.iter().map(|(name, face)| enroller.item(name, face)).collect();
            for answer in enroller.enroll_all(items).await.unwrap() {
                assert!(matches!(answer.result, Some(Item::Enrolled(_))), "{answer:?}");
            }
        }
        // A second picture of one's own is no duplicate.
        enroller.enroll("p-5", &faces.person(5).selfie()).await.unwrap();
        Self { faces: all }
    }

    /// Every pair at or above the review threshold, compared one by one.
    fn pairs(&self) -> BTreeMap<BTreeSet<String>, f32> {
        let mut pairs = BTreeMap::new();
        for (at, (one, face)) in self.faces.iter().enumerate() {
            for (other, another) in &self.faces[..at] {
                let score = cosine(face, another);
                assert!((score - REVIEW).abs() > 1e-5, "rounding decides of {one} and {other}");
                if score >= REVIEW {
                    pairs.insert([one, other].map(|name| format!("tenants/bank/subjects/{name}")).into(), score);
                }
            }
        }
        pairs
    }
}

/// What pairs say, and that each is said once.
#[derive(Default)]
struct Found(BTreeMap<BTreeSet<String>, f32>);

impl Found {
    fn take(&mut self, answer: &v1::SweepDuplicatesResponse) {
        assert!(answer.pairs.is_sorted_by(|one, next| one.score >= next.score));
        for pair in &answer.pairs {
            let names: BTreeSet<String> = [pair.subject.clone(), pair.other_subject.clone()].into();
            assert_eq!(names.len(), 2, "one's own pictures are no pair");
            assert!(pair.template.starts_with(&format!("{}/templates/", pair.subject)), "{pair:?}");
            assert!(pair.other_template.starts_with(&format!("{}/templates/", pair.other_subject)), "{pair:?}");
            let band = if pair.score >= MATCH { DecisionBand::Match } else { DecisionBand::Review };
            assert_eq!(pair.band(), band);
            // Whoever has two pictures is in two pairs with the same other.
            let known = self.0.insert(names.clone(), pair.score);
            assert!(known.is_none() || names.iter().any(|name| name.ends_with("/p-5")), "{names:?} twice");
        }
    }

    fn assert_are(&self, expected: &BTreeMap<BTreeSet<String>, f32>) {
        assert!(expected.len() >= 5, "there is something to be found");
        assert_eq!(self.0.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (found, expected) in self.0.values().zip(expected.values()) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_finds_everyone_who_is_there_twice_and_goes_on_where_it_ended() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let gallery = Gallery::enrolled_in(&bank).await;
    let (expected, size) = (gallery.pairs(), gallery.faces.len() as i64 + 1);

    let mut whole = Found::default();
    let answers: Vec<_> = bank.analyst().sweep("").await.unwrap().try_collect().await.unwrap();
    assert!(answers.len() >= 3, "{} answers", answers.len());
    for (at, answer) in answers.iter().enumerate() {
        let last = at + 1 == answers.len();
        assert_eq!((answer.complete, answer.next_page_token.is_empty(), answer.gallery_size), (last, last, size));
        assert!((answer.threshold, answer.miss_probability) == (REVIEW, 1e-4) && answer.policy_version == 1);
        whole.take(answer);
    }
    let last = answers.last().unwrap();
    assert!(last.compared == size && last.candidates >= expected.len() as i64, "{last:?}");
    whole.assert_are(&expected);

    // Hung up after each answer, with a server that starts anew in between.
    let (mut parts, mut token) = (Found::default(), String::new());
    for (at, answered) in answers.iter().enumerate() {
        let mut sweep = next_sweep(&bank, &token).await;
        let answer = sweep.message().await.unwrap().unwrap();
        parts.take(&answer);
        assert_eq!((&answer.next_page_token, answer.complete), (&answered.next_page_token, answered.complete));
        if !answer.complete {
            token = answer.next_page_token;
        }
        drop(sweep);
        if at == 0 {
            vault.restart().await;
        }
    }
    parts.assert_are(&expected);

    // A place is one in this sweep alone.
    let another =
        v1::SweepDuplicatesRequest { page_token: token, threshold: Some(0.5), ..bank.analyst().sweep_request() };
    let refused = bank.analyst().sweep_as(another).await.refused();
    refused.assert_is(Code::InvalidArgument, ErrorReason::PageTokenMalformed);
}

/// The one before has been hung up, and its place becomes free when the server has noticed.
async fn next_sweep(bank: &Tenant, token: &str) -> tonic::Streaming<v1::SweepDuplicatesResponse> {
    loop {
        match bank.analyst().sweep(token).await {
            Ok(sweep) => return sweep,
            Err(refused) => {
                refused.assert_is(Code::ResourceExhausted, ErrorReason::Overloaded);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_is_refused_where_it_cannot_be_judged() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let analyst = bank.analyst();
    let request = analyst.sweep_request();
    for (refused, reason) in [
        (
            v1::SweepDuplicatesRequest { threshold: Some(REVIEW - 0.01), ..request.clone() },
            ErrorReason::FieldOutOfRange,
        ),
        (v1::SweepDuplicatesRequest { threshold: Some(f32::NAN), ..request.clone() }, ErrorReason::FieldOutOfRange),
        (v1::SweepDuplicatesRequest { miss_probability: Some(0.2), ..request.clone() }, ErrorReason::FieldOutOfRange),
        (v1::SweepDuplicatesRequest { model: None, ..request.clone() }, ErrorReason::FieldMissing),
        (v1::SweepDuplicatesRequest { page_token: "x".to_owned(), ..request.clone() }, ErrorReason::PageTokenMalformed),
    ] {
        let told = analyst.sweep_as(refused).await.refused();
        told.assert_is(Code::InvalidArgument, reason);
    }
    // Nobody is in a gallery of nobody.
    let answers: Vec<_> = analyst.sweep("").await.unwrap().try_collect().await.unwrap();
    assert!(answers.len() == 1 && answers[0].complete && answers[0].pairs.is_empty(), "{answers:?}");
}
