//! The generator: what it promises about determinism, and whether its people look like real ones.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use common::cosine;
use lethe_dataset::evaluation::{self, STANDARD_FMRS};
use lethe_dataset::{Captures, Model, Population, SyntheticFaces};
use proptest::prelude::*;

fn models() -> [Model; 3] {
    [Model::unfitted_128(), Model::edgeface_xs_512(), Model::unfitted_1024()]
}

#[test]
fn every_vector_has_unit_length() {
    for model in models() {
        let population = Population::new(model, 5);
        for identity in (0..200).chain([u64::MAX - 1, u64::MAX]) {
            let x = population.person(identity).capture(identity as u32 % 7);
            assert_eq!(x.len(), population.dimension());
            assert!((cosine(&x, &x) - 1.0).abs() < 1e-5, "{}", cosine(&x, &x));
        }
    }
}

#[test]
fn batches_threads_and_single_people_agree_bit_for_bit() {
    for model in models() {
        let population = Population::new(model, 11);
        let d = population.dimension();
        for rows in [1, 3, 31, 32, 33, 101] {
            let mut batch = vec![0.0; rows * d];
            population.fill(40, 2, &mut batch);
            for (row, vector) in batch.chunks_exact(d).enumerate() {
                assert_eq!(population.person(40 + row as u64).capture(2), vector);
            }
            let mut parallel = vec![0.0; rows * d];
            population.fill_parallel(40, 2, 3, &mut parallel);
            assert_eq!(batch, parallel);
        }
        let streamed: Vec<f32> = population.batches(40..141, 2, 17).flat_map(|(_, rows)| rows).collect();
        let mut whole = vec![0.0; 101 * d];
        population.fill(40, 2, &mut whole);
        assert_eq!(streamed, whole);
        let firsts: Vec<u64> = population.batches(40..141, 2, 50).map(|(first, _)| first).collect();
        assert_eq!(firsts, [40, 90, 140]);
    }
}

#[test]
fn the_stream_does_not_change_between_versions() {
    // These numbers are the contract: fixtures and published figures rest on them.
    let population = Population::new(Model::edgeface_xs_512(), 0);
    let heads: Vec<[u32; 2]> = [(0, 0), (0, 1), (1, 0), (999_999, 0)]
        .map(|(identity, session)| {
            let x = population.person(identity).capture(session);
            [x[0].to_bits(), x[511].to_bits()]
        })
        .to_vec();
    assert_eq!(heads, GOLDEN);
}

const GOLDEN: [[u32; 2]; 4] = [
    [1_028_139_520, 3_171_039_507],
    [1_035_745_087, 3_167_852_706],
    [1_013_379_881, 3_176_705_590],
    [3_139_379_828, 1_026_982_449],
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn seeds_identities_and_sessions_are_told_apart(seed: u64, identity: u64, session in 0_u32..1000) {
        let model = Model::unfitted_128();
        let population = Population::new(model.clone(), seed);
        let x = population.person(identity).capture(session);
        prop_assert_eq!(&Population::new(model.clone(), seed).person(identity).capture(session), &x);
        prop_assert_ne!(&population.person(identity).capture(session + 1), &x);
        prop_assert_ne!(&population.person(identity ^ 1).capture(session), &x);
        prop_assert_ne!(&Population::new(model, seed ^ 1).person(identity).capture(session), &x);
    }
}

#[test]
fn people_look_like_the_real_ones_they_were_fitted_to() {
    let population = Population::new(Model::edgeface_xs_512(), 20_260_101);
    let faces = SyntheticFaces::new(population, 5719, Captures::LfwLike).faces().unwrap();
    let accuracy = evaluation::evaluate(&faces, &STANDARD_FMRS, 2, cosine).unwrap();
    eprintln!("{accuracy:#?}");

    let near = |what: &str, value: f64, expected: f64, tolerance: f64| {
        assert!((value - expected).abs() <= tolerance, "{what} is {value}, expected {expected} ± {tolerance}");
    };
    assert!(accuracy.genuine.count > 10_000, "{} genuine pairs", accuracy.genuine.count);
    assert_eq!(accuracy.impostor.count, 5719 * 5718 / 2);
    near("genuine mean", accuracy.genuine.mean, 0.637, 0.005);
    near("genuine sd", accuracy.genuine.sd, 0.117, 0.006);
    near("impostor mean", accuracy.impostor.mean, 0.010, 0.004);
    near("impostor sd", accuracy.impostor.sd, 0.077, 0.002);
    for (fmr, threshold, tar) in [(1e-3, 0.254, 0.995), (1e-4, 0.319, 0.989), (1e-5, 0.386, 0.971)] {
        let row = accuracy.at(fmr).unwrap();
        near("threshold", f64::from(row.threshold), threshold, 0.008);
        near("true-accept rate", row.tar, tar, 0.006);
    }
}

#[test]
fn rank_is_that_of_the_fitted_network() {
    // 400 people of a rank-192 model: Gram–Schmidt finds 192 directions and no more.
    let population = Population::new(Model::edgeface_xs_512(), 1);
    let mut rows = vec![0.0; 400 * 512];
    population.fill(0, 0, &mut rows);
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for row in rows.chunks_exact(512) {
        let mut vector: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        for _ in 0..2 {
            for other in &basis {
                let along: f64 = vector.iter().zip(other).map(|(x, y)| x * y).sum();
                vector.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
            }
        }
        let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > 1e-4 {
            basis.push(vector.into_iter().map(|x| x / length).collect());
        }
    }
    assert_eq!(basis.len(), population.model().rank());
}
