//! Over the wire, scores are those of the evaluation: the plain cosine of the vectors.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use futures::{StreamExt, TryStreamExt};
use lethe_dataset::evaluation::IMAGES_PER_PERSON;
use lethe_dataset::synthetic::{Model, Population};
use lethe_dataset::{Captures, Faces, SyntheticFaces};
use lethe_proto::v1::batch_enroll_response::Result as Item;
use lethe_proto::v1::{DecisionBand, Purpose};
use lethe_tests::{MATCH, REVIEW, Vault, cosine};

/// Names the folder of real embeddings.
const VARIABLE: &str = "LETHE_REAL_DATA";
/// The model that made them.
const MODEL: &str = "edgeface_xs_512";
/// Pairs asked over the wire.
const PAIRS: usize = 1_000;
/// How far two sums of the same products may lie apart.
const ROUNDING: f32 = 1e-5;

#[tokio::test(flavor = "multi_thread")]
async fn scores_of_real_faces_are_those_of_the_evaluation() {
    let Some(folder) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
        println!("{VARIABLE} names no folder of real embeddings: nothing was tested");
        return;
    };
    agree(&Faces::open(&folder, MODEL).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_of_generated_faces_are_those_of_the_evaluation() {
    let population = Population::new(Model::edgeface_xs_512(), 101);
    agree(&SyntheticFaces::new(population, 700, Captures::Fixed(3)).faces().unwrap()).await;
}

/// A pair of the evaluation: whose first image it is, which is enrolled, and the image that is held against it.
struct Pair {
    person: usize,
    image: usize,
}

/// Half genuine pairs (two of a person's first images), half impostors (the first images of two people), all different,
/// spread over all people. So many of one person that all their scores are told: that is a hundred times an hour.
fn pairs(faces: &Faces) -> Vec<Pair> {
    let people = faces.people();
    let genuine = people.iter().enumerate().flat_map(|(person, of)| {
        of.images.iter().take(IMAGES_PER_PERSON).skip(1).map(move |&image| Pair { person, image })
    });
    let genuine: Vec<_> = genuine.take(PAIRS / 2).collect();
    assert_eq!(genuine.len(), PAIRS / 2, "too few people with several images");
    let impostors = (0..PAIRS / 2).map(|at| {
        let person = at % people.len();
        let other = (person + 1 + at / people.len() + at % 7) % people.len();
        Pair { person, image: people[other].images[0] }
    });
    let all: Vec<_> = genuine.into_iter().chain(impostors).collect();
    assert!(all.iter().skip(PAIRS / 2).all(|pair| faces.subject(pair.image) != people[pair.person].subject));
    all
}

async fn agree(faces: &Faces) {
    // Some people's pictures are in every collection, hundreds of them.
    let vault = Vault::setup().set("limits.templates", 1024).start().await;
    let bank = vault.tenant("bank").with_model(faces.dimension()).await;
    let people = faces.people();
    let subject = |person: usize| format!("person-{person}");

    let items: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(person, of)| bank.enroller().item(&subject(person), faces.embedding(of.images[0])))
        .collect();
    for answer in bank.enroller().enroll_all(items).await.unwrap() {
        assert!(matches!(answer.result, Some(Item::Enrolled(_))), "{answer:?}");
    }

    let pairs = pairs(faces);
    let analyst = bank.analyst();
    let answers = futures::stream::iter(&pairs).map(|pair| {
        let mut request = analyst.verification(&subject(pair.person), faces.embedding(pair.image));
        request.purpose = Purpose::FraudPrevention.into();
        let analyst = &analyst;
        async move { analyst.ask(request).await }
    });
    let answers: Vec<_> = answers.buffered(16).try_collect().await.unwrap();
    let mut bands = [0; 3];
    for (pair, answer) in pairs.iter().zip(&answers) {
        let enrolled = faces.embedding(people[pair.person].images[0]);
        let direct = cosine(enrolled, faces.embedding(pair.image));
        let score = answer.score.unwrap();
        assert!((score - direct).abs() <= ROUNDING, "image {}: {score} over the wire, {direct} directly", pair.image);
        let band = match score {
            score if score >= MATCH => DecisionBand::Match,
            score if score >= REVIEW => DecisionBand::Review,
            _ => DecisionBand::NoMatch,
        };
        assert_eq!(answer.band(), band, "a score of {score}");
        bands[band as usize - 1] += 1;
    }
    let [matches, reviews, others] = bands;
    println!("{} people, {PAIRS} pairs: {matches} match, {reviews} to review, {others} do not", people.len());
    assert!(matches > PAIRS / 4 && others > PAIRS / 4, "both kinds were there to be told apart");
}
