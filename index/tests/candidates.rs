//! A search returns exactly the templates that reach the scan's cut and the estimate's: none is lost to packing,
//! padding, steps or sums of few bits, and none is added.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{Kind, around, at, combine, gallery, naive_estimate, rng, unit};
use lethe_index::{Candidates, Error, Gallery, Query};

const DIMS: [usize; 6] = [64, 128, 256, 512, 1024, 4096];
const SIZES: [u64; 9] = [0, 1, 63, 64, 65, 511, 512, 513, 1030];

struct Population {
    kind: Kind,
    centre: Option<Vec<f32>>,
    templates: Vec<Vec<f32>>,
    gallery: Gallery<u64>,
}

/// `size` templates, a fifth of them near the first few so that every threshold has some above it.
fn population(seed: u64, dim: usize, size: u64, kind: Kind) -> Population {
    let mut rng = rng(seed);
    let centre = kind.centre(&mut rng, dim, 0.9);
    let mut templates: Vec<Vec<f32>> = Vec::new();
    for i in 0..size {
        let base = match &centre {
            None => unit(&mut rng, dim),
            Some(centre) => around(&mut rng, centre, 0.4),
        };
        let template = if i % 5 == 4 {
            let near = &templates[i as usize % 3];
            let weight = 0.2 + 0.7 * (i % 7) as f64 / 7.0;
            common::normalised(&combine(weight, near, 1.0 - weight, &base))
        } else {
            base
        };
        templates.push(template);
    }
    let gallery = kind.gallery(dim, centre.as_deref(), 2);
    for (key, template) in templates.iter().enumerate() {
        let sketch = gallery.quantizer().sketch(template).unwrap();
        gallery.insert(key as u64, &sketch).unwrap();
    }
    Population { kind, centre, templates, gallery }
}

impl Population {
    /// The answer by its definition, a pair at a time.
    fn expected(&self, query: &Query) -> BTreeMap<u64, u32> {
        let quantizer = self.gallery.quantizer();
        (0u64..)
            .zip(&self.templates)
            .filter_map(|(key, template)| {
                let sketch = quantizer.sketch(template).unwrap();
                let estimate = quantizer.candidate(query, &sketch).unwrap()?;
                Some((key, estimate.to_bits()))
            })
            .collect()
    }
}

fn found(candidates: &Candidates<u64>) -> BTreeMap<u64, u32> {
    let map: BTreeMap<u64, u32> = candidates.items.iter().map(|c| (c.key, c.estimate.to_bits())).collect();
    assert_eq!(map.len(), candidates.items.len(), "a key twice");
    map
}

fn check(population: &Population, thresholds: &[f32]) -> usize {
    let mut rng = rng(99);
    let dim = population.gallery.quantizer().dim();
    let mut total = 0;
    let mut vectors: Vec<Vec<f32>> = population.templates.iter().take(2).cloned().collect();
    vectors.push(match &population.centre {
        None => unit(&mut rng, dim),
        Some(centre) => around(&mut rng, centre, 0.4),
    });
    for vector in &vectors {
        let probe = Arc::new(population.gallery.quantizer().probe(vector).unwrap());
        for &threshold in thresholds {
            let mut margins = Vec::new();
            for miss in [0.5, 1e-1, 1e-4] {
                let query = Query::new(Arc::clone(&probe), at(threshold, miss));
                let answer = population.gallery.candidates(&query, &|| false).unwrap();
                let expected = population.expected(&query);
                assert_eq!(found(&answer), expected, "{dim} {threshold} {miss}");
                assert_eq!(answer.scanned, population.templates.len());
                assert_eq!((answer.threshold, answer.miss), (threshold, miss));
                assert!((answer.cut - (threshold - answer.margin)).abs() < 1e-6);
                margins.push(answer.margin);
                total += expected.len();
            }
            // The surer, the wider.
            assert!(margins.is_sorted(), "{margins:?}");
        }
    }
    total
}

#[test]
fn every_template_at_or_above_its_cut_is_found_and_no_other() {
    for dim in DIMS {
        for size in SIZES {
            for kind in [Kind::Signs, Kind::TwoBits] {
                let population = population(dim as u64 + size, dim, size, kind);
                let total = check(&population, &[-1.0, -0.1, 0.0, 0.15, 0.4, 0.8, 1.0]);
                assert_eq!(total == 0, size == 0);
            }
        }
    }
}

#[test]
fn around_a_centre_each_template_is_held_to_its_own_cut() {
    for dim in DIMS {
        for size in SIZES {
            let population = population(dim as u64 * 3 + size, dim, size, Kind::Centred);
            let total = check(&population, &[-1.0, 0.5, 0.8, 0.85, 0.9, 0.95, 1.0]);
            assert_eq!(total == 0, size == 0);
        }
    }
}

#[test]
fn a_gallery_of_many_segments_is_searched_whole() {
    // 4096 templates a segment at 4096 dimensions: three segments, the last one partly filled.
    let population = population(5, 4096, 10_007, Kind::Signs);
    assert!(check(&population, &[0.0, 0.3]) > 30_000);
    let population = self::population(7, 4096, 5_007, Kind::TwoBits);
    assert!(check(&population, &[0.0, 0.3]) > 15_000);
    let population = self::population(6, 64, 10_007, Kind::Centred);
    assert!(check(&population, &[0.84]) > 1000);
}

#[test]
fn estimates_are_those_of_the_definition() {
    for dim in DIMS {
        for kind in Kind::ALL {
            let population = population(dim as u64 + 7, dim, 200, kind);
            let quantizer = population.gallery.quantizer();
            let vector = &population.templates[0];
            let query = Query::new(quantizer.probe(vector).unwrap(), at(-1.0, 1e-6));
            let answer = population.gallery.candidates(&query, &|| false).unwrap();
            for candidate in &answer.items {
                let template = &population.templates[candidate.key as usize];
                let naive = naive_estimate(population.kind, vector, template, population.centre.as_deref());
                assert!((f64::from(candidate.estimate) - naive).abs() < 4e-5, "{dim} {kind:?}");
            }
            assert_eq!(answer.items.len(), 200);
        }
    }
}

/// Vectors whose steps are as large as can be: were a sum to wrap, the
/// template that agrees in every sign would be the one to vanish.
#[test]
fn no_sum_is_too_large() {
    for dim in DIMS {
        let even = vec![1.0 / (dim as f32).sqrt(); dim];
        let mut steep: Vec<f32> = (0..dim).map(|i| 1.0 / (1.0 + i as f32)).collect();
        steep.iter_mut().step_by(2).for_each(|x| *x = -*x);
        for vector in [even, common::normalised(&steep)] {
            let gallery = gallery(dim, 1);
            let quantizer = gallery.quantizer();
            gallery.insert(1, &quantizer.sketch(&vector).unwrap()).unwrap();
            let opposite: Vec<f32> = vector.iter().map(|x| -x).collect();
            gallery.insert(2, &quantizer.sketch(&opposite).unwrap()).unwrap();
            let probe = Arc::new(quantizer.probe(&vector).unwrap());
            let all = Query::new(Arc::clone(&probe), at(-1.0, 1e-6));
            let top = quantizer.candidate(&all, &quantizer.sketch(&vector).unwrap()).unwrap().unwrap();
            let query = Query::new(probe, at(top.min(1.0) - 1e-3, 0.5));
            let answer = gallery.candidates(&query, &|| false).unwrap();
            let keys: Vec<u64> = answer.items.iter().map(|c| c.key).collect();
            assert_eq!(keys, [1], "{dim}");
        }
    }
}

#[test]
fn a_batch_answers_as_its_probes_alone() {
    for kind in Kind::ALL {
        let population = population(8, 128, 3000, kind);
        let quantizer = population.gallery.quantizer();
        let point = at(if kind == Kind::Centred { 0.88 } else { 0.3 }, 1e-3);
        for count in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 25] {
            let vectors = &population.templates[..count];
            let query = |v: &Vec<f32>| Query::new(quantizer.probe(v).unwrap(), point);
            let queries: Vec<Query> = vectors.iter().map(query).collect();
            let answers = population.gallery.candidates_batch(&queries, &|| false).unwrap();
            assert_eq!(answers.len(), count);
            for (query, answer) in queries.iter().zip(&answers) {
                let alone = population.gallery.candidates(query, &|| false).unwrap();
                assert_eq!(answer, &alone);
                assert!(!answer.items.is_empty());
                assert_eq!(answer.scanned, 3000);
            }
        }
    }
}

#[test]
fn a_search_that_is_given_up_has_no_answer() {
    let population = population(9, 4096, 5000, Kind::Signs);
    let probe = population.gallery.quantizer().probe(&population.templates[0]).unwrap();
    let query = Query::new(probe, at(0.3, 1e-4));
    let stopped = population.gallery.candidates(&query, &|| true);
    assert!(matches!(stopped, Err(Error::Stopped)));
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let second = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0;
    let stopped = population.gallery.candidates(&query, &second);
    assert!(matches!(stopped, Err(Error::Stopped)), "after one of two segments");
}

#[test]
fn a_probe_of_another_quantizer_is_refused() {
    let population = population(10, 128, 10, Kind::Signs);
    let mut rng = rng(1);
    let other = lethe_index::Quantizer::new(64, None).unwrap();
    let query = Query::new(other.probe(&unit(&mut rng, 64)).unwrap(), at(0.3, 1e-4));
    let refused = population.gallery.candidates(&query, &|| false);
    assert!(matches!(refused, Err(Error::Mismatch)));
    let sketch = other.sketch(&unit(&mut rng, 64)).unwrap();
    assert!(matches!(population.gallery.insert(11, &sketch), Err(Error::Mismatch)));
}

/// A sweep: each template against those below it, in a gallery where templates have moved into others' places.
#[test]
fn below_a_key_are_those_of_the_whole_that_are_below_it() {
    for (dim, kind) in [(64, Kind::Signs), (128, Kind::TwoBits), (128, Kind::Centred)] {
        let population = population(7, dim, 2600, kind);
        let gallery = &population.gallery;
        // The last ones are put in the places of the first: blocks are in no order of keys any more.
        for key in (0..700).chain(1900..1950) {
            assert!(gallery.remove(&key));
        }
        let at = at(0.3, 1e-3);
        let (keys, queries): (Vec<u64>, Vec<Query>) = (700..1000)
            .chain(2300..2600)
            .map(|key| (key, gallery.quantizer().probe(&population.templates[key as usize]).unwrap()))
            .map(|(key, probe)| (key, Query::new(probe, at)))
            .unzip();
        let (below, mut pairs) = (gallery.candidates_below(&queries, &keys, &|| false).unwrap(), 0);
        for ((query, &key), below) in queries.iter().zip(&keys).zip(below) {
            let mut all = found(&gallery.candidates(query, &|| false).unwrap());
            all.retain(|&other, _| other < key);
            let below: BTreeMap<u64, u32> = below.iter().map(|c| (c.key, c.estimate.to_bits())).collect();
            assert_eq!(below, all, "{key}");
            pairs += below.len();
        }
        assert!(pairs > 1000, "{pairs}");
        assert!(matches!(gallery.candidates_below(&queries, &keys, &|| true), Err(Error::Stopped)));
    }
}

/// What would fill the memory is refused, whatever its size.
#[test]
fn a_sweep_that_lets_everybody_through_is_given_up() {
    let mut rng = rng(11);
    let gallery = gallery(64, 2);
    let vectors: Vec<Vec<f32>> = (0..16).map(|_| unit(&mut rng, 64)).collect();
    let sketches: Vec<_> = vectors.iter().map(|vector| gallery.quantizer().sketch(vector).unwrap()).collect();
    for first in (0..70_000).step_by(16) {
        assert!(gallery.insert_all((first..).zip(&sketches)).is_empty());
    }
    let queries = |at| -> Vec<Query> {
        vectors.iter().map(|vector| Query::new(gallery.quantizer().probe(vector).unwrap(), at)).collect()
    };
    let (low, high) = (queries(at(-1.0, 1e-3)), queries(at(0.9, 1e-3)));
    assert!(matches!(gallery.candidates_below(&low, &[70_000; 16], &|| false), Err(Error::TooMany { .. })));
    // Those who look alike are found, a sixteenth of all for each.
    let found = gallery.candidates_below(&high, &[70_000; 16], &|| false).unwrap();
    assert!(found.iter().all(|found| found.len() >= 70_000 / 16), "{}", found[0].len());
}
