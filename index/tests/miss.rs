//! The miss probability is what a search says it is, measured on pairs exactly at the threshold.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::{Kind, Rotation, around, at, at_cosine, rng, unit};
use lethe_index::{OperatingPoint, Query};

/// Shares of `pairs` pairs at cosine `threshold` that a search loses at each miss probability. One
/// centre, one probe and its templates, but a new rotation for every 16 pairs, around a centre every 64.
fn losses(dim: usize, threshold: f64, kind: Kind, pairs: usize, misses: &[f64]) -> Vec<f64> {
    let mut rng = rng(dim as u64 * 31 + (threshold * 1000.0) as u64);
    let centre = kind.centre(&mut rng, dim, 0.91);
    let direction = |rng: &mut _| match &centre {
        None => unit(rng, dim),
        Some(centre) => around(rng, centre, 0.4),
    };
    let probe = direction(&mut rng);
    let per_probe = if kind == Kind::Centred { 64 } else { 16 };
    let templates: Vec<Vec<f32>> = (0..per_probe).map(|_| at_cosine(&probe, threshold, &direction(&mut rng))).collect();
    let points: Vec<OperatingPoint> = misses.iter().map(|&miss| at(threshold as f32, miss)).collect();
    let mut lost = vec![0usize; misses.len()];
    for _ in 0..pairs / per_probe {
        let rotation = Rotation::new(&mut rng, dim);
        let centre = centre.as_ref().map(|centre| rotation.apply(centre));
        let quantizer = kind.quantizer(dim, centre.as_deref());
        let probe = Arc::new(quantizer.probe(&rotation.apply(&probe)).unwrap());
        let queries: Vec<Query> = points.iter().map(|&point| Query::new(Arc::clone(&probe), point)).collect();
        for template in &templates {
            let sketch = quantizer.sketch(&rotation.apply(template)).unwrap();
            let is_lost = |query| quantizer.candidate(query, &sketch).unwrap().is_none();
            lost.iter_mut().zip(&queries).for_each(|(lost, query)| *lost += usize::from(is_lost(query)));
        }
    }
    lost.iter().map(|&lost| lost as f64 / pairs as f64).collect()
}

/// Not more may be lost than was said, nor much less, which would mean work for nothing: around a centre, where an eighth is asked for,
/// a fiftieth. Four standard deviations of the count are allowed for chance.
fn check(dim: usize, threshold: f64, kind: Kind, pairs: usize, misses: &[f64]) {
    let losses = losses(dim, threshold, kind, pairs, misses);
    for (&miss, &loss) in misses.iter().zip(&losses) {
        println!("d={dim} t={threshold} {kind:?}: {miss:e} wanted, {loss:.3e} measured");
        let chance = 4.0 * (miss / pairs as f64).sqrt();
        let least = if kind == Kind::Centred { 0.02 } else { 0.55 };
        assert!(loss <= miss + chance, "d={dim} t={threshold} miss={miss}: {loss}");
        assert!(loss >= miss * least - chance, "d={dim} t={threshold} miss={miss}: {loss}");
    }
}

const TO_1E3: [f64; 3] = [1e-1, 1e-2, 1e-3];
const TO_1E4: [f64; 4] = [1e-1, 1e-2, 1e-3, 1e-4];

#[test]
fn small_dimensions_miss_as_often_as_said() {
    for dim in [64, 128] {
        for threshold in [0.1, 0.45, 0.8, 0.9, 0.96] {
            check(dim, threshold, Kind::Signs, 200_000, &TO_1E3);
        }
    }
}

#[test]
fn large_dimensions_miss_as_often_as_said() {
    for dim in [256, 1024] {
        for threshold in [0.1, 0.45, 0.8, 0.96] {
            check(dim, threshold, Kind::Signs, 100_000, &TO_1E3);
        }
    }
    check(4096, 0.45, Kind::Signs, 40_000, &TO_1E3);
}

#[test]
fn searches_around_a_centre_miss_as_often_as_said() {
    for dim in [64, 128, 512] {
        for threshold in [0.85, 0.93] {
            check(dim, threshold, Kind::Centred, 160_000, &TO_1E3);
        }
    }
    for dim in [256, 1024] {
        check(dim, 0.93, Kind::Centred, 80_000, &TO_1E3);
    }
    check(4096, 0.93, Kind::Centred, 30_000, &TO_1E3);
}

#[test]
fn one_in_ten_thousand_is_one_in_ten_thousand_over_a_million_pairs() {
    check(512, 0.44, Kind::Signs, 1_000_000, &TO_1E4);
}

#[test]
fn one_in_ten_thousand_of_two_bits_too() {
    check(512, 0.44, Kind::TwoBits, 1_000_000, &TO_1E4);
}

#[test]
fn two_bits_miss_as_often_as_said() {
    for dim in [64, 128, 256] {
        for threshold in [0.1, 0.45, 0.8, 0.9, 0.96] {
            check(dim, threshold, Kind::TwoBits, 100_000, &TO_1E3);
        }
    }
    for threshold in [0.1, 0.45, 0.8, 0.96] {
        check(1024, threshold, Kind::TwoBits, 60_000, &TO_1E3);
    }
    check(4096, 0.45, Kind::TwoBits, 30_000, &TO_1E3);
}

#[test]
fn one_in_ten_thousand_around_a_centre_too() {
    check(128, 0.93, Kind::Centred, 1_000_000, &TO_1E4);
}

/// A tenant's rotation stays the same, and so does what its signs say of one probe: not only on the average over rotations is no
/// more lost than was said. Near 1 hardly any sign disagrees, and the scan's steps are few.
#[test]
fn no_single_probe_misses_oftener_than_said() {
    single_probes(Kind::Signs, &[0.4, 0.8, 0.9, 0.95, 0.965, 0.98, 0.999], 4);
}

#[test]
fn no_single_probe_misses_oftener_of_two_bits_either() {
    single_probes(Kind::TwoBits, &[0.4, 0.8, 0.95, 0.98, 0.99, 0.999], 4);
}

#[test]
fn no_single_probe_misses_oftener_around_a_centre_either() {
    single_probes(Kind::Centred, &[0.85, 0.93, 0.954, 0.97, 0.985], 10);
}

fn single_probes(kind: Kind, thresholds: &[f64], seeds: u64) {
    for (dim, pairs) in [(64, 60_000), (128, 40_000), (512, 20_000)] {
        for &threshold in thresholds {
            for seed in 0..seeds {
                let mut rng = rng(seed * 1000 + dim as u64);
                let centre = kind.centre(&mut rng, dim, 0.91);
                let direction = |rng: &mut _| match &centre {
                    None => unit(rng, dim),
                    Some(centre) => around(rng, centre, 0.4),
                };
                let quantizer = kind.quantizer(dim, centre.as_deref());
                let vector = direction(&mut rng);
                let probe = Arc::new(quantizer.probe(&vector).unwrap());
                let misses = [1e-1, 3e-2, 1e-2, 1e-3];
                let queries = misses.map(|miss| Query::new(Arc::clone(&probe), at(threshold as f32, miss)));
                let mut lost = [0usize; 4];
                for _ in 0..pairs {
                    let template = at_cosine(&vector, threshold, &direction(&mut rng));
                    let sketch = quantizer.sketch(&template).unwrap();
                    let is_lost = |query| quantizer.candidate(query, &sketch).unwrap().is_none();
                    lost.iter_mut().zip(&queries).for_each(|(lost, query)| *lost += usize::from(is_lost(query)));
                }
                for (miss, lost) in misses.into_iter().zip(lost) {
                    let (loss, chance) = (lost as f64 / pairs as f64, 4.0 * (miss / pairs as f64).sqrt());
                    println!("d={dim} t={threshold} {kind:?} seed={seed}: {miss:e} allowed, {loss:.3e} measured");
                    assert!(loss <= miss + chance, "d={dim} t={threshold} seed={seed} miss={miss}: {loss}");
                }
            }
        }
    }
}

/// Levels may add up to less though the cosine is higher: what is above the threshold is not lost for that, up to the probe itself.
#[test]
fn what_is_above_the_threshold_is_missed_less() {
    for (dim, pairs) in [(64, 20_000), (512, 4_000)] {
        for (threshold, above) in [(-1.0, -0.99), (-1.0, -0.5), (0.44, 0.5), (0.8, 0.9), (0.99, 0.999), (0.99, 0.9999)]
        {
            for seed in 0..6 {
                let mut rng = rng(seed * 77 + dim as u64);
                let quantizer = Kind::TwoBits.quantizer(dim, None);
                let vector = unit(&mut rng, dim);
                let query = Query::new(quantizer.probe(&vector).unwrap(), at(threshold as f32, 1e-2));
                let is_lost = |template: &[f32]| {
                    quantizer.candidate(&query, &quantizer.sketch(template).unwrap()).unwrap().is_none()
                };
                assert!(!is_lost(&vector), "the probe itself");
                let templates = (0..pairs).map(|_| at_cosine(&vector, above, &unit(&mut rng, dim)));
                let lost = templates.filter(|template| is_lost(template)).count() as f64 / f64::from(pairs);
                let chance = 4.0 * (1e-2 / f64::from(pairs)).sqrt();
                assert!(lost <= 1e-2 + chance, "d={dim} t={threshold} at {above} seed={seed}: {lost}");
            }
        }
    }
}

/// Of some probes the levels add up to little, so that what is nearly the same lies to both sides of what the probe itself has.
#[test]
fn what_is_nearly_the_probe_is_not_lost() {
    const DIM: usize = 64;
    const PAIRS: u32 = 10_000;
    let mut rng = rng(5);
    let own = |vector: &[f32]| {
        let level = |x: &f32| if x.abs() * (DIM as f32).sqrt() < 0.9816 { 0.4528 } else { 1.510 };
        vector.iter().map(|x| x.abs() * level(x)).sum::<f32>()
    };
    let mut probes: Vec<Vec<f32>> = (0..3000).map(|_| unit(&mut rng, DIM)).collect();
    probes.sort_by(|one, other| own(one).total_cmp(&own(other)));
    let quantizer = Kind::TwoBits.quantizer(DIM, None);
    for vector in &probes[..6] {
        let probe = Arc::new(quantizer.probe(vector).unwrap());
        for threshold in [0.9, 0.97, 0.98, 0.9999] {
            let misses = [1e-1, 5e-2, 1e-2];
            let queries = misses.map(|miss| Query::new(Arc::clone(&probe), at(threshold as f32, miss)));
            for alike in [0.9, 0.97, 0.98, 0.99, 0.999, 0.9999, 0.99999] {
                if alike < threshold {
                    continue;
                }
                let mut lost = [0; 3];
                for _ in 0..PAIRS {
                    let sketch = quantizer.sketch(&at_cosine(vector, alike, &unit(&mut rng, DIM))).unwrap();
                    let is_lost = |query| quantizer.candidate(query, &sketch).unwrap().is_none();
                    lost.iter_mut().zip(&queries).for_each(|(lost, query)| *lost += u32::from(is_lost(query)));
                }
                for (miss, lost) in misses.into_iter().zip(lost) {
                    let (loss, chance) = (f64::from(lost) / f64::from(PAIRS), 4.0 * (miss / f64::from(PAIRS)).sqrt());
                    assert!(loss <= miss + chance, "t={threshold} at {alike} miss={miss}: {loss}");
                }
            }
        }
    }
}
