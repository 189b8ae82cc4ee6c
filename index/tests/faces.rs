//! The index against the exact oracle on faces: generated ones always, real ones where `LETHE_REAL_DATA`
//! names a folder with `edgeface_xs_512.npy`, `dlib_128.npy` and `subject.npy`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use common::{Kind, Rotation, at, rng};
use lethe_dataset::{Captures, Faces, Model, Population, SyntheticFaces};
use lethe_index::exact::ExactIndex;
use lethe_index::{Gallery, Probe, Query};

const MISS: f64 = 1e-4;

/// A set of faces as a gallery, and in the oracle.
struct Enrolled {
    rotated: Vec<Vec<f32>>,
    plain: Vec<Vec<f32>>,
    gallery: Gallery<u64>,
    exact: ExactIndex<u64>,
}

/// What a search of every face among all of them came to.
#[derive(Debug, Default)]
struct Tally {
    /// Pairs that the oracle finds at or above the threshold, a face with itself left out.
    matches: usize,
    /// Those of them that are not among the candidates.
    lost: usize,
    /// Candidates that are below the threshold, as a share of all pairs.
    idle: f64,
}

impl Enrolled {
    fn new(faces: &Faces, kind: Kind) -> Self {
        let dim = faces.dimension();
        assert!(dim.is_power_of_two(), "no padding in this test");
        let rotation = Rotation::new(&mut rng(7), dim);
        let plain: Vec<Vec<f32>> = (0..faces.images()).map(|i| faces.embedding(i).to_vec()).collect();
        let rotated: Vec<Vec<f32>> = plain.iter().map(|v| common::normalised(&rotation.apply(v))).collect();
        let centre = (kind == Kind::Centred).then(|| {
            (0..dim)
                .map(|j| {
                    let sum: f64 = rotated.iter().map(|v| f64::from(v[j])).sum();
                    (sum / rotated.len() as f64) as f32
                })
                .collect::<Vec<f32>>()
        });
        let gallery = kind.gallery(dim, centre.as_deref(), 2);
        let mut exact = ExactIndex::new(dim);
        for (key, (plain, rotated)) in (0u64..).zip(plain.iter().zip(&rotated)) {
            gallery.insert(key, &gallery.quantizer().sketch(rotated).unwrap()).unwrap();
            exact.insert(key, plain).unwrap();
        }
        Self { rotated, plain, gallery, exact }
    }

    /// A tally at each threshold, lowest first; the oracle is asked once.
    fn tallies<const N: usize>(&self, thresholds: [f32; N]) -> [Tally; N] {
        let quantizer = self.gallery.quantizer();
        let probe = |v| Arc::new(quantizer.probe(v).unwrap());
        let probes: Vec<Arc<Probe>> = self.rotated.iter().map(|v| probe(v)).collect();
        let truth: Vec<Vec<(u64, f32)>> = (0u64..)
            .zip(&self.plain)
            .map(|(own, v)| {
                let mut matches = self.exact.at_or_above(v, thresholds[0]).unwrap();
                matches.retain(|&(key, _)| key != own);
                matches
            })
            .collect();
        thresholds.map(|threshold| {
            let query = |probe: &Arc<Probe>| Query::new(Arc::clone(probe), at(threshold, MISS));
            let queries: Vec<Query> = probes.iter().map(query).collect();
            let answers = self.gallery.candidates_batch(&queries, &|| false).unwrap();
            let (mut matches, mut lost, mut candidates) = (0, 0, 0);
            for (own, (answer, truth)) in (0u64..).zip(answers.iter().zip(&truth)) {
                assert_eq!(answer.scanned, self.plain.len());
                let found: HashSet<u64> = answer.items.iter().map(|c| c.key).collect();
                assert!(found.contains(&own), "a face is always a candidate for itself");
                let here = || truth.iter().filter(|&&(_, score)| score >= threshold);
                matches += here().count();
                lost += here().filter(|(key, _)| !found.contains(key)).count();
                candidates += found.len() - 1;
            }
            let idle = (candidates - (matches - lost)) as f64 / (self.plain.len() as f64).powi(2);
            let tally = Tally { matches, lost, idle };
            println!("threshold {threshold}: {tally:?}");
            tally
        })
    }
}

/// Most matches lie well above the threshold, so the share lost must be below the miss probability; four
/// standard deviations are allowed for chance.
fn none_too_many_lost(tally: &Tally) {
    let expected = tally.matches as f64 * MISS;
    assert!(tally.lost as f64 <= expected + 4.0 * expected.sqrt(), "{tally:?}");
}

#[test]
fn generated_faces_are_found() {
    let population = Population::new(Model::edgeface_xs_512(), 11);
    let faces = SyntheticFaces::new(population, 1500, Captures::Fixed(2)).faces().unwrap();
    let tallies = Enrolled::new(&faces, Kind::Signs).tallies([0.386, 0.438]);
    for (tally, idle) in tallies.iter().zip([2e-3, 4e-4]) {
        assert!(tally.matches > 2500);
        none_too_many_lost(tally);
        assert!(tally.idle < idle, "{tally:?}");
    }
    // With magnitudes the margin is half as wide, and few are above the threshold less that.
    let of_two_bits = Enrolled::new(&faces, Kind::TwoBits).tallies([0.386, 0.438]);
    for (tally, of_signs) in of_two_bits.iter().zip(&tallies) {
        assert_eq!(tally.matches, of_signs.matches);
        none_too_many_lost(tally);
        assert!(tally.idle < of_signs.idle / 5.0, "{tally:?}");
    }
}

fn real(model: &str) -> Option<Faces> {
    let Some(folder) = std::env::var_os("LETHE_REAL_DATA").map(PathBuf::from) else {
        println!("skipped: LETHE_REAL_DATA names no folder with real embeddings");
        return None;
    };
    Some(Faces::open(folder, model).unwrap())
}

#[test]
fn real_faces_are_found() {
    let Some(faces) = real("edgeface_xs_512") else { return };
    let tallies = Enrolled::new(&faces, Kind::Signs).tallies([0.384, 0.453, 0.50]);
    for (tally, idle) in tallies.iter().zip([3e-3, 5e-4, 5e-4]) {
        assert!(tally.matches > 300_000);
        none_too_many_lost(tally);
        assert!(tally.idle < idle, "{tally:?}");
    }
    let of_two_bits = Enrolled::new(&faces, Kind::TwoBits).tallies([0.384, 0.453, 0.50]);
    for ((tally, of_signs), share) in of_two_bits.iter().zip(&tallies).zip([0.2, 0.6, 0.9]) {
        none_too_many_lost(tally);
        assert!(tally.idle < of_signs.idle * share, "{tally:?}");
    }
}

/// dlib's vectors share a large mean. Around the origin a 128-bit sketch leaves a tenth of the gallery to
/// re-rank; around the mean it leaves less than a hundredth.
#[test]
fn real_faces_of_a_model_with_a_common_mean_need_its_centre() {
    let Some(faces) = real("dlib_128") else { return };
    let [around_origin] = Enrolled::new(&faces, Kind::Signs).tallies([0.954]);
    let [around_centre] = Enrolled::new(&faces, Kind::Centred).tallies([0.954]);
    none_too_many_lost(&around_origin);
    none_too_many_lost(&around_centre);
    assert_eq!(around_origin.matches, around_centre.matches);
    assert!(around_centre.idle < 0.01);
    assert!(around_origin.idle > 10.0 * around_centre.idle);
}
