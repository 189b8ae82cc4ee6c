//! Searches while templates come and go.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{at, gallery, rng, unit};
use lethe_index::Query;
use rand::Rng;

/// 4096 dimensions: 4096 templates a segment, so that writers and searches meet in few of them.
const DIM: usize = 4096;
const RESIDENTS: u64 = 6000;
const VISITORS: u64 = 300;

#[test]
fn a_search_sees_every_template_that_stays() {
    let gallery = gallery(DIM, 2);
    let quantizer = gallery.quantizer();
    let mut random = rng(1);
    // Residents keep their place in the answer while visitors, in between them from the start, leave and
    // return: each departure moves some other template.
    let sketches: Vec<_> = (0..64).map(|_| quantizer.sketch(&unit(&mut random, DIM)).unwrap()).collect();
    for key in 0..RESIDENTS {
        gallery.insert(key, &sketches[key as usize % 64]).unwrap();
        if key % 20 == 0 {
            gallery.insert(RESIDENTS + key / 20, &sketches[0]).unwrap();
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2u64 {
            let (gallery, sketches, done) = (&gallery, &sketches, &done);
            scope.spawn(move || {
                let mut random = rng(10 + writer);
                while !done.load(Ordering::Relaxed) {
                    let key = RESIDENTS + random.random_range(0..VISITORS / 2) * 2 + writer;
                    if gallery.remove(&key) {
                        // With somebody who is there already, whom it refuses.
                        let new = &sketches[random.random_range(0..64)];
                        let refused = gallery.insert_all([(key, new), (key % RESIDENTS, new)]);
                        assert_eq!(refused.len(), 1);
                    }
                }
            });
        }
        let searchers: Vec<_> = (0..2)
            .map(|searcher| {
                let gallery = &gallery;
                scope.spawn(move || {
                    let probe = gallery.quantizer().probe(&unit(&mut rng(searcher), DIM)).unwrap();
                    let query = Query::new(probe, at(-1.0, 1e-6));
                    for _ in 0..60 {
                        let all = gallery.candidates(&query, &|| false).unwrap();
                        let keys: Vec<u64> = all.items.iter().map(|c| c.key).collect();
                        let residents: BTreeSet<u64> = keys.iter().copied().filter(|&key| key < RESIDENTS).collect();
                        assert_eq!(residents.len() as u64, RESIDENTS);
                        let seen = keys.iter().filter(|&&key| key < RESIDENTS).count();
                        assert_eq!(seen as u64, RESIDENTS, "a resident twice");
                        assert_eq!(all.scanned, keys.len());
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = searchers.into_iter().map(|s| s.join()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(outcomes.iter().all(Result::is_ok));
    });
    assert_eq!(gallery.len() as u64, RESIDENTS + VISITORS);
}

#[test]
fn one_of_many_inserts_of_a_key_wins() {
    let gallery = gallery(64, 1);
    let sketch = gallery.quantizer().sketch(&unit(&mut rng(2), 64)).unwrap();
    std::thread::scope(|scope| {
        let racers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..2000).filter(|&key| gallery.insert(key, &sketch).is_ok()).count()))
            .collect();
        let wins: usize = racers.into_iter().map(|racer| racer.join().unwrap()).sum();
        assert_eq!(wins, 2000);
    });
    assert_eq!(gallery.len(), 2000);
}
