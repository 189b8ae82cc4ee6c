//! The evaluation rule: against a naive reading of it, at its edges, and on real faces where there are some.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::path::PathBuf;

use common::cosine;
use lethe_dataset::evaluation::{STANDARD_FMRS, evaluate};
use lethe_dataset::npy::{MatrixWriter, write_labels};
use lethe_dataset::{Captures, Error, Faces, Model, Population, Source, SyntheticFaces};
use proptest::prelude::*;
use tempfile::tempdir;

/// The rule word by word: every score in memory, sorted.
fn naive(faces: &Faces, fmr: f64) -> (f32, f64) {
    let mut impostor = Vec::new();
    let mut genuine = Vec::new();
    for a in 0..faces.images() {
        for b in 0..a {
            let earlier = |image: usize| (0..image).filter(|&i| faces.subject(i) == faces.subject(image)).count();
            let score = cosine(faces.embedding(b), faces.embedding(a));
            if faces.subject(a) == faces.subject(b) {
                if earlier(a) < 10 && earlier(b) < 10 {
                    genuine.push(score);
                }
            } else if earlier(a) == 0 && earlier(b) == 0 {
                impostor.push(score);
            }
        }
    }
    impostor.sort_by(|a, b| b.total_cmp(a));
    let threshold = impostor[(fmr * impostor.len() as f64).floor() as usize];
    let accepted = genuine.iter().filter(|&&score| score > threshold).count();
    (threshold, accepted as f64 / genuine.len() as f64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn selection_agrees_with_sorting_everything(
        seed: u64,
        subjects in prop::collection::vec(0_i64..40, 60..220),
        fmrs in prop::collection::vec(0.0..0.99, 1..4),
        threads in 1_usize..4,
    ) {
        let population = Population::new(Model::unfitted_128(), seed);
        let values = subjects.iter().enumerate()
            .flat_map(|(image, &subject)| population.person(subject.cast_unsigned()).capture(image as u32))
            .collect();
        let faces = Faces::new("mixed", 128, values, subjects).unwrap();
        let accuracy = evaluate(&faces, &fmrs, threads, cosine).unwrap();
        prop_assert_eq!(accuracy.rows.len(), fmrs.len());
        for (row, &fmr) in accuracy.rows.iter().zip(&fmrs) {
            prop_assert_eq!((row.threshold, row.tar), naive(&faces, fmr));
        }
    }
}

#[test]
fn ties_are_rejected() {
    // Five people on one point: every impostor score is the same, so nothing lies strictly above it.
    let faces = Faces::new("same", 2, [1.0, 0.0].repeat(6), vec![0, 1, 2, 3, 4, 4]).unwrap();
    let accuracy = evaluate(&faces, &[0.0, 0.5], 2, cosine).unwrap();
    for row in &accuracy.rows {
        assert_eq!((row.threshold, row.tar), (1.0, 0.0));
    }
    assert_eq!((accuracy.impostor.count, accuracy.genuine.count), (10, 1));
    assert_eq!((accuracy.impostor.mean, accuracy.impostor.sd), (1.0, 0.0));
}

#[test]
fn only_the_first_ten_images_count() {
    let population = Population::new(Model::unfitted_128(), 9);
    let faces = SyntheticFaces::new(population, 3, Captures::Fixed(14)).faces().unwrap();
    assert_eq!(evaluate(&faces, &[0.1], 1, cosine).unwrap().genuine.count, 3 * 45);
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let refused = |faces: &Faces, fmr: f64, score: fn(&[f32], &[f32]) -> f32| {
        matches!(evaluate(faces, &[fmr], 2, score), Err(Error::Evaluation(_)))
    };
    let one = Faces::new("one", 2, vec![1.0, 0.0, 0.0, 1.0], vec![5, 5]).unwrap();
    let strangers = Faces::new("strangers", 2, vec![1.0, 0.0, 0.0, 1.0], vec![5, 6]).unwrap();
    let three = Faces::new("three", 2, vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0], vec![5, 6, 6]).unwrap();
    assert!(refused(&one, 0.1, cosine), "no impostor pair");
    assert!(refused(&strangers, 0.1, cosine), "no genuine pair");
    assert!(refused(&three, 1.0, cosine) && refused(&three, -0.1, cosine) && refused(&three, f64::NAN, cosine));
    assert!(refused(&three, 0.1, |_, _| f32::NAN));
    assert!(evaluate(&three, &[0.1], 2, cosine).is_ok());
}

#[test]
fn a_folder_is_opened_and_renormalised() {
    let folder = tempdir().unwrap();
    let write = |rows: &[[f32; 2]], labels: &[i32]| {
        let mut writer = MatrixWriter::create(folder.path().join("tiny.npy"), 2).unwrap();
        rows.iter().for_each(|row| writer.push(row).unwrap());
        writer.finish().unwrap();
        write_labels(folder.path().join("subject.npy"), labels).unwrap();
    };
    write(&[[3.0, 4.0], [0.0, 2.0], [-5.0, 0.0]], &[8, 3, 8]);
    let faces = Faces::open(folder.path(), "tiny").unwrap();
    assert_eq!(faces.embedding(0), [0.6, 0.8]);
    assert_eq!((faces.images(), faces.dimension(), faces.subject(2)), (3, 2, 8));
    let people: Vec<_> = faces.people().iter().map(|person| (person.subject, person.images.clone())).collect();
    assert_eq!(people, [(8, vec![0, 2]), (3, vec![1])]);

    let source = Source::Real(faces);
    assert_eq!((source.people(), source.captures(0), source.captures(2)), (2, 2, 0));
    assert_eq!(source.capture(0, 1), Some(vec![-1.0, 0.0]));
    assert_eq!((source.capture(0, 2), source.capture(7, 0)), (None, None));

    for (rows, labels, reason) in [
        (vec![[3.0, 4.0]], vec![1, 2], "one for each label"),
        (vec![[3.0, 4.0], [0.0, 0.0]], vec![1, 2], "image 1 (tiny) has no direction"),
        (vec![[f32::NAN, 4.0]], vec![1], "image 0"),
        (vec![[f32::INFINITY, 4.0]], vec![1], "image 0"),
    ] {
        write(&rows, &labels);
        let error = Faces::open(folder.path(), "tiny").unwrap_err();
        assert!(matches!(error, Error::Faces { .. }) && error.to_string().contains(reason), "{error}");
    }
}

/// Threshold and TAR at each of [`STANDARD_FMRS`].
type Published = [(f64, f64); 4];

#[test]
fn real_faces_give_the_published_figures() {
    let Some(folder) = std::env::var_os("LETHE_REAL_DATA").map(PathBuf::from) else {
        eprintln!("LETHE_REAL_DATA is not set: no real embeddings to check, only generated ones were");
        return;
    };
    let edgeface: Published = [(0.1879, 0.9977), (0.2550, 0.9953), (0.3184, 0.9894), (0.3772, 0.9754)];
    let dlib: Published = [(0.9069, 0.9840), (0.9255, 0.9314), (0.9405, 0.7795), (0.9540, 0.4882)];
    for (model, genuine, impostor, rows) in [
        ("edgeface_xs_512", (0.6368, 0.1203), (0.0080, 0.0754), edgeface),
        ("dlib_128", (0.9514, 0.0177), (0.8341, 0.0348), dlib),
    ] {
        let faces = Faces::open(&folder, model).unwrap();
        let accuracy = evaluate(&faces, &STANDARD_FMRS, 2, cosine).unwrap();
        eprintln!("{model}: {accuracy:#?}");
        assert_eq!((accuracy.genuine.count, accuracy.impostor.count), (7241, 4_085_511));
        let same = |what: &str, value: f64, published: f64| {
            assert!((value - published).abs() < 1.5e-4, "{model}: {what} is {value}, published {published}");
        };
        same("genuine mean", accuracy.genuine.mean, genuine.0);
        same("genuine sd", accuracy.genuine.sd, genuine.1);
        same("impostor mean", accuracy.impostor.mean, impostor.0);
        same("impostor sd", accuracy.impostor.sd, impostor.1);
        for (row, (threshold, tar)) in accuracy.rows.iter().zip(rows) {
            same("threshold", f64::from(row.threshold), threshold);
            same("true-accept rate", row.tar, tar);
        }
    }
}
