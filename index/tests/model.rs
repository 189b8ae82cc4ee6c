//! Insertions and removals against a naive map.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;

use common::{Kind, around, at, gallery, rng, unit};
use lethe_index::{Error, Query, Sketch};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    InsertAll(Vec<u64>),
    Remove(u64),
    RemoveMany(u64),
    Check,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u64..400).prop_map(Step::Insert),
        1 => prop::collection::vec(0u64..400, 0..20).prop_map(Step::InsertAll),
        3 => (0u64..400).prop_map(Step::Remove),
        1 => (2u64..5).prop_map(Step::RemoveMany),
        1 => Just(Step::Check),
    ];
    prop::collection::vec(step, 1..300)
}

fn run(steps: &[Step], dim: usize, kind: Kind, start: u64, seed: u64) {
    let mut rng = rng(seed);
    let centre = kind.centre(&mut rng, dim, 0.8);
    let gallery = kind.gallery(dim, centre.as_deref(), 2);
    let mut model: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let make = |rng: &mut _| match &centre {
        None => unit(rng, dim),
        Some(centre) => around(rng, centre, 0.5),
    };
    let check = |model: &BTreeMap<u64, Vec<u8>>, probe: &[f32]| {
        assert_eq!((gallery.len(), gallery.is_empty()), (model.len(), model.is_empty()));
        let query = Query::new(gallery.quantizer().probe(probe).unwrap(), at(-1.0, 1e-9));
        let all = gallery.candidates(&query, &|| false).unwrap();
        assert_eq!(all.scanned, model.len());
        let mut keys: Vec<u64> = all.items.iter().map(|c| c.key).collect();
        keys.sort_unstable();
        assert_eq!(keys, model.keys().copied().collect::<Vec<_>>());
        for (key, bits) in model {
            let sketch = gallery.sketch(key).unwrap();
            // An offset comes back within rounding only.
            let exact = 4 + if kind == Kind::TwoBits { dim / 4 } else { dim / 8 };
            assert_eq!(sketch.to_bytes()[..exact], bits[..exact]);
        }
    };
    let bulk = (1000..1000 + start).map(Step::Insert).collect::<Vec<_>>();
    for step in bulk.iter().chain(steps) {
        match step {
            Step::Insert(key) => {
                let sketch = gallery.quantizer().sketch(&make(&mut rng)).unwrap();
                let outcome = gallery.insert(*key, &sketch);
                if model.contains_key(key) {
                    assert!(matches!(outcome, Err(Error::Duplicate)));
                } else {
                    outcome.unwrap();
                    model.insert(*key, sketch.to_bytes().to_vec());
                }
                assert!(gallery.contains(key));
            }
            Step::InsertAll(keys) => {
                let sketch = |key: &u64| (*key, gallery.quantizer().sketch(&make(&mut rng)).unwrap());
                let sketches: Vec<(u64, Sketch)> = keys.iter().map(sketch).collect();
                let outcome = gallery.insert_all(sketches.iter().map(|(key, sketch)| (*key, sketch)));
                let mut refused = Vec::new();
                for (key, sketch) in &sketches {
                    if model.contains_key(key) {
                        refused.push(*key);
                    } else {
                        model.insert(*key, sketch.to_bytes().to_vec());
                    }
                }
                assert!(outcome.iter().all(|(_, error)| matches!(error, Error::Duplicate)));
                let mut told: Vec<u64> = outcome.iter().map(|(key, _)| *key).collect();
                told.sort_unstable();
                refused.sort_unstable();
                assert_eq!(told, refused);
            }
            Step::Remove(key) => {
                assert_eq!(gallery.remove(key), model.remove(key).is_some());
                assert!(!gallery.contains(key) && gallery.sketch(key).is_none());
            }
            Step::RemoveMany(every) => {
                let keys: Vec<u64> = model.keys().filter(|k| *k % every == 0).copied().collect();
                for key in keys {
                    assert!(gallery.remove(&key));
                    model.remove(&key);
                }
            }
            Step::Check => check(&model, &make(&mut rng)),
        }
    }
    check(&model, &make(&mut rng));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_small_gallery_is_a_map(steps in steps(), kind in prop::sample::select(&Kind::ALL[..]), seed: u64) {
        run(&steps, 64, kind, 0, seed);
    }
}

/// Two segments: removals from the full one make room there. Each case fills the first one, so there are fewer of them,
/// in a soak too.
#[test]
fn a_gallery_of_segments_is_a_map() {
    let usual = ProptestConfig::default();
    let mut runner = TestRunner::new(ProptestConfig { cases: usual.cases.div_ceil(64), ..usual });
    let all = (steps(), prop::sample::select(&Kind::ALL[..]), any::<u64>());
    let ran = runner.run(&all, |(steps, kind, seed)| {
        run(&steps, 4096, kind, 4500, seed);
        Ok(())
    });
    ran.unwrap();
}

#[test]
fn room_is_used_again() {
    let gallery = gallery(4096, 1);
    let mut rng = rng(3);
    let sketch = gallery.quantizer().sketch(&unit(&mut rng, 4096)).unwrap();
    (0..9000).for_each(|key| gallery.insert(key, &sketch).unwrap());
    let full = gallery.bytes();
    assert!(full >= 9000 * 512);
    for round in 1..4 {
        (0..9000).for_each(|i| assert!(gallery.remove(&((round - 1) * 9000 + i))));
        assert!(gallery.is_empty());
        (0..9000).for_each(|i| gallery.insert(round * 9000 + i, &sketch).unwrap());
        // The directory's own table may differ a little; the segments must not multiply.
        assert!(gallery.bytes() < full + full / 10, "{} > {full}", gallery.bytes());
    }
}
