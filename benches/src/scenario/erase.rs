//! People out: how long, how much is written, how many a second.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::Bench;
use crate::Error;
use crate::host;
use crate::load;
use crate::measure::{Better, Measure, alternate};
use crate::peers::Rows;
use crate::vault::Vault;

/// Templates of the gallery that latencies are compared with.
const SMALLEST: u64 = 1000;
/// Erasures of one run, one after another.
const SINGLE: u64 = 20;
/// Callers that ask for erasures at once, which share epochs, and how many each asks for in one run.
const CROWDS: [Crowd; 3] = [
    Crowd { metric: "per_second_of_1", callers: 1, each: 20 },
    Crowd { metric: "per_second", callers: 100, each: 4 },
    Crowd { metric: "per_second_of_1000", callers: 1000, each: 1 },
];
/// In large galleries so many times as many.
const MOST_ROUNDS: u64 = 8;

#[derive(Clone, Copy)]
struct Crowd {
    metric: &'static str,
    callers: u64,
    each: u64,
}

const fn measure(metric: &'static str, unit: &'static str, peer: &'static str, better: Better) -> Measure {
    Measure { scenario: "erase", metric, unit, peer, better }
}

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    let runs = u64::from(bench.settings.runs) + 1;
    let crowds: u64 = CROWDS.iter().map(|crowd| crowd.callers * crowd.each).sum();
    let rounds = ((bench.n / runs).saturating_sub(SINGLE * 2) / crowds).min(MOST_ROUNDS);
    if rounds == 0 {
        let needed = (SINGLE * 2 + crowds) * runs;
        return Err(Error::invalid(format!("{needed} people are erased, so the size is at least that")));
    }
    let scratch = &bench.settings.scratch;
    let vault = Vault::of(scratch, &bench.population, bench.n).await?;
    let small = Vault::of(scratch, &bench.population, SMALLEST).await?;
    let next = Cell::new(0);
    latency(bench, &vault, &small, &next).await?;
    drop(small);
    bytes_written(bench, &vault, &next).await?;
    for crowd in CROWDS {
        per_second(bench, &vault, &next, Crowd { each: crowd.each * rounds, ..crowd }).await?;
    }
    Ok(())
}

/// To `SHREDDED`, in a large gallery and in a small one.
async fn latency(bench: &mut Bench<'_>, vault: &Vault, small: &Vault, next: &Cell<u64>) -> Result<(), Error> {
    let of_small = Cell::new(0);
    let ours = async || {
        let first = next.replace(next.get() + SINGLE);
        let call = async |number: u64| vault.client().erase(bench.person(first + number)).await;
        Ok(load::one_by_one(SINGLE, call).await?.quantile_ms(0.5))
    };
    let peer = async || {
        let first = of_small.replace(of_small.get() + SINGLE);
        let call = async |number: u64| small.client().erase(first + number).await;
        Ok(load::one_by_one(SINGLE, call).await?.quantile_ms(0.5))
    };
    let pairs = alternate(bench.settings.runs, ours, peer).await?;
    bench.put(measure("latency", "ms", "smallest_gallery", Better::Lower), &pairs)
}

/// What one erasure sends to storage, against sealing the whole gallery anew under another key.
async fn bytes_written(bench: &mut Bench<'_>, vault: &Vault, next: &Cell<u64>) -> Result<(), Error> {
    let process = vault.child().process();
    settle(process).await?;
    let ours = async || {
        let before = host::bytes_written(process)?;
        for _ in 0..SINGLE {
            vault.client().erase(bench.person(next.replace(next.get() + 1))).await?;
        }
        Ok((host::bytes_written(process)? - before) as f64 / SINGLE as f64)
    };
    let gallery = bench.n as f64 * bench.row_bytes() as f64;
    let pairs = alternate(bench.settings.runs, ours, async || Ok(gallery)).await?;
    bench.put(measure("bytes_written", "B", "reencrypt_gallery", Better::Lower), &pairs)
}

/// Waits until compaction of what was imported is over.
async fn settle(process: u32) -> Result<(), Error> {
    let mut quiet = 0;
    let mut written = host::bytes_written(process)?;
    while quiet < 3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = host::bytes_written(process)?;
        quiet = if now == written { quiet + 1 } else { 0 };
        written = now;
    }
    Ok(())
}

/// Many callers at once, against as many that delete rows durably and forget nothing.
async fn per_second(bench: &mut Bench<'_>, vault: &Vault, next: &Cell<u64>, crowd: Crowd) -> Result<(), Error> {
    let Crowd { metric, callers, each } = crowd;
    let many = each * callers;
    let scratch = &bench.settings.scratch;
    let folder = TempDir::new_in(scratch).map_err(Error::io(scratch.display().to_string()))?;
    let rows = Arc::new(Rows::filled(folder.path(), bench.n, bench.row_bytes())?);
    let deleted = Cell::new(0);
    let ours = async || {
        let first = next.replace(next.get() + many);
        let people: Vec<u64> = (first..first + many).map(|number| bench.person(number)).collect();
        let start = Instant::now();
        let mut erasing = JoinSet::new();
        for part in people.chunks(each as usize) {
            let (client, part) = (vault.client_shared(), part.to_vec());
            erasing.spawn(async move {
                for person in part {
                    client.erase(person).await?;
                }
                Ok::<(), Error>(())
            });
        }
        while let Some(caller) = erasing.join_next().await {
            caller.map_err(|error| Error::invalid(error.to_string()))??;
        }
        Ok(many as f64 / start.elapsed().as_secs_f64())
    };
    let peer = async || {
        let first = deleted.replace(deleted.get() + many);
        let start = Instant::now();
        std::thread::scope(|scope| {
            let deleting: Vec<_> = (0..callers)
                .map(|caller| {
                    let rows = &rows;
                    scope.spawn(move || (0..each).try_for_each(|row| rows.delete(first + caller * each + row, true)))
                })
                .collect();
            deleting
                .into_iter()
                .try_for_each(|caller| caller.join().map_err(|_| Error::invalid("a caller panicked"))?)
        })?;
        Ok(many as f64 / start.elapsed().as_secs_f64())
    };
    let pairs = alternate(bench.settings.runs, ours, peer).await?;
    bench.put(measure(metric, "1/s", "naive_delete", Better::Higher), &pairs)
}
