//! Every template against every other one of its gallery.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Instant;

use super::Bench;
use crate::Error;
use crate::client::{THRESHOLD, subject};
use crate::measure::{Better, Measure, Pairs, alternate};
use crate::peers::{Faiss, Kind};
use crate::vault::Vault;

/// Neighbours asked of FAISS, which takes no threshold here: itself, and more than there are above the threshold.
const NEIGHBOURS: usize = 32;
/// Vectors that FAISS is asked for at once: it then multiplies matrices, in blocks of its own.
const BLOCK: usize = 4096;

const PAIRS: Measure =
    Measure { scenario: "sweep", metric: "pairs", unit: "pairs/s", peer: "faiss_knn", better: Better::Higher };
const RECALL: Measure =
    Measure { scenario: "sweep", metric: "recall", unit: "share", peer: "faiss_knn", better: Better::Higher };

/// Two people, the one with the lower number first.
type Found = BTreeSet<(u64, u64)>;

/// Ours is a sweep over gRPC, from the call to the last answer: every template is read and opened, and every pair that may be
/// one is scored exactly, with the other template read and opened as well. The peer is FAISS's exact search inside this
/// process, by matrix multiplication on all threads, with all vectors in memory in clear.
pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    let (settings, n) = (bench.settings, bench.n);
    let vault = Vault::of(&settings.scratch, &bench.population, bench.settings.sketch_bits, n).await?.restart().await?;
    let batches = bench.population.batches(0..n, 0, BLOCK).map(|(_, batch)| batch);
    let faiss = RefCell::new(Faiss::build(Kind::Flat, settings.dimension, n, settings.threads, batches)?);
    let (found, wanted) = (RefCell::new(Found::new()), RefCell::new(Found::new()));
    let pairs = n as f64 * (n - 1) as f64 / 2.0;

    let ours = async || {
        let start = Instant::now();
        let named = vault.client().sweep(THRESHOLD).await?;
        let took = start.elapsed().as_secs_f64();
        *found.borrow_mut() = numbered(&named, n)?;
        Ok(pairs / took)
    };
    let peer = async || {
        let mut all = Found::new();
        let mut took = 0.0;
        for (first, batch) in bench.population.batches(0..n, 0, BLOCK) {
            let start = Instant::now();
            let nearest = faiss.borrow_mut().nearest(&batch, NEIGHBOURS)?;
            took += start.elapsed().as_secs_f64();
            for (person, near) in (first..).zip(nearest) {
                let near = near.into_iter().filter(|(other, score)| *other != person && *score >= THRESHOLD);
                let others: Vec<u64> = near.map(|(other, _)| other).collect();
                if others.len() + 1 >= NEIGHBOURS {
                    return Err(Error::invalid(format!("{NEIGHBOURS} neighbours are too few")));
                }
                all.extend(others.into_iter().map(|other| (person.min(other), person.max(other))));
            }
        }
        *wanted.borrow_mut() = all;
        Ok(pairs / took)
    };
    let rates = alternate(settings.runs, ours, peer).await?;
    bench.put(PAIRS, &rates)?;

    let (found, wanted) = (found.into_inner(), wanted.into_inner());
    // Rounding decides of some pair or other.
    let strangers = found.difference(&wanted).count();
    if strangers > 1 + wanted.len() / 1000 {
        return Err(Error::invalid(format!("a sweep found {strangers} pairs that FAISS does not")));
    }
    let mut recall = Pairs::default();
    for _ in 0..settings.runs {
        recall.push(found.intersection(&wanted).count() as f64 / wanted.len().max(1) as f64, 1.0);
    }
    bench.put(RECALL, &recall)
}

/// People by their numbers.
fn numbered(named: &[(String, String)], n: u64) -> Result<Found, Error> {
    let numbers: std::collections::HashMap<String, u64> = (0..n).map(|number| (subject(number), number)).collect();
    let number = |name: &String| {
        numbers.get(name).copied().ok_or_else(|| Error::invalid(format!("a sweep found {name}, whom nobody enrolled")))
    };
    named
        .iter()
        .map(|(one, other)| {
            let (one, other) = (number(one)?, number(other)?);
            Ok((one.min(other), one.max(other)))
        })
        .collect()
}
