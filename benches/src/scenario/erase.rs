//! People out: how long, how much is written, how many a second; alone, and in company.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use tempfile::TempDir;

use super::Bench;
use crate::Error;
use crate::host;
use crate::leaving::{Leaving, settle};
use crate::measure::{Better, Measure, Pairs, alternate_several};
use crate::peers::Rows;
use crate::vault::Vault;

/// Erasures of one run, one after another.
const SINGLE: u64 = 20;
/// How often the lone ones are measured: against a small gallery, re-encryption and plain deletion.
const COMPARISONS: u64 = 3;
/// Callers that ask for erasures at once, and share epochs.
const CROWDS: [Crowd; 2] = [
    Crowd {
        per_second: "per_second",
        bytes: "bytes_written_of_100",
        per_epoch: "per_epoch_of_100",
        callers: 100,
        each: 4,
        window: None,
    },
    Crowd {
        per_second: "per_second_of_1000",
        bytes: "bytes_written_of_1000",
        per_epoch: "per_epoch_of_1000",
        callers: 1000,
        each: 1,
        // So many do not arrive within the usual 5 ms: the next epoch has to wait for them.
        window: Some(400),
    },
];
/// In large galleries so many times as many.
const MOST_ROUNDS: u64 = 8;
/// Callers that go ahead of a crowd: the vault waits for company once it had some.
const VANGUARD: u64 = 8;

#[derive(Clone, Copy)]
struct Crowd {
    per_second: &'static str,
    bytes: &'static str,
    per_epoch: &'static str,
    callers: u64,
    /// How many each asks for in one run.
    each: u64,
    /// `erasure.window_ms`, if not the default.
    window: Option<u64>,
}

/// What is compared with.
const SMALLEST: &str = "smallest_gallery";
const REENCRYPTED: &str = "reencrypt_gallery";
const DELETED: &str = "naive_delete";

const fn latency(peer: &'static str) -> Measure {
    Measure { scenario: "erase", metric: "latency", unit: "ms", peer, better: Better::Lower }
}

const fn bytes(metric: &'static str, peer: &'static str) -> Measure {
    Measure { scenario: "erase", metric, unit: "B", peer, better: Better::Lower }
}

const fn per_second(metric: &'static str, peer: &'static str) -> Measure {
    Measure { scenario: "erase", metric, unit: "1/s", peer, better: Better::Higher }
}

const fn per_epoch(metric: &'static str) -> Measure {
    Measure { scenario: "erase", metric, unit: "erasures", peer: "callers", better: Better::Higher }
}

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    let runs = u64::from(bench.settings.runs) + 1;
    let crowds: u64 = CROWDS.iter().map(|crowd| crowd.callers * crowd.each).sum();
    let alone = SINGLE * COMPARISONS + VANGUARD * CROWDS.len() as u64;
    let rounds = ((bench.n / runs).saturating_sub(alone) / crowds).min(MOST_ROUNDS);
    if rounds == 0 {
        let needed = (alone + crowds) * runs;
        return Err(Error::invalid(format!("{needed} people are erased, so the size is at least that")));
    }
    let scratch = &bench.settings.scratch;
    let mut vault = Vault::of(scratch, &bench.population, bench.settings.sketch_bits, bench.n).await?;
    let next = Cell::new(0);
    against_a_small_gallery(bench, &Leaving { vault: &vault, people: bench.n, next: &next }).await?;

    let folder = TempDir::new_in(scratch).map_err(Error::io(scratch.display().to_string()))?;
    let rows = RefCell::new(Rows::filled(folder.path(), bench.n, bench.row_bytes())?);
    let gone = Cell::new(0);
    settle(vault.child().process()).await?;
    let reencryption = {
        let leaving = Leaving { vault: &vault, people: bench.n, next: &next };
        let reencryption = against_reencryption(bench, &leaving, &rows).await?;
        against_deletion(bench, &leaving, &rows, &gone, &reencryption).await?;
        reencryption
    };
    for crowd in CROWDS {
        if let Some(window) = crowd.window {
            vault = vault.restart_with_window(window).await?;
        }
        let leaving = Leaving { vault: &vault, people: bench.n, next: &next };
        settle(vault.child().process()).await?;
        let crowd = Crowd { each: crowd.each * rounds, ..crowd };
        in_company(bench, &leaving, &rows, &gone, &reencryption, crowd).await?;
    }
    Ok(())
}

/// To `SHREDDED`, and what one sends to storage: in this gallery, and in the smallest that is measured.
async fn against_a_small_gallery(bench: &mut Bench<'_>, leaving: &Leaving<'_>) -> Result<(), Error> {
    let people = bench.settings.smallest.min(bench.n);
    let small = Vault::of(&bench.settings.scratch, &bench.population, bench.settings.sketch_bits, people).await?;
    let next = Cell::new(0);
    let of_small = Leaving { vault: &small, people, next: &next };
    settle(leaving.vault.child().process()).await?;
    settle(small.child().process()).await?;
    let runs = bench.settings.runs;
    let [latencies, written] = alternate_several(runs, || alone(leaving), || alone(&of_small)).await?;
    bench.put(latency(SMALLEST), &latencies)?;
    bench.put(bytes("bytes_written", SMALLEST), &written)
}

/// One after another: how long each takes, and what it sends to storage.
async fn alone(leaving: &Leaving<'_>) -> Result<[f64; 2], Error> {
    let erased = leaving.at_once(1, SINGLE).await?;
    Ok([erased.latency, erased.bytes])
}

/// Lone erasures against re-encryptions of the gallery.
struct Reencryption {
    ms: Pairs,
    bytes: Pairs,
}

/// The same against sealing every template anew under another key, as whoever has one key for all must.
async fn against_reencryption(
    bench: &mut Bench<'_>,
    leaving: &Leaving<'_>,
    rows: &RefCell<Rows>,
) -> Result<Reencryption, Error> {
    let (n, threads) = (bench.n, bench.settings.threads);
    let peer = async || {
        let (before, start) = (host::bytes_written(std::process::id())?, Instant::now());
        rows.borrow_mut().reencrypt(n, threads)?;
        let (ms, after) = (start.elapsed().as_secs_f64() * 1e3, host::bytes_written(std::process::id())?);
        Ok([ms, (after - before) as f64])
    };
    let [ms, written] = alternate_several(bench.settings.runs, || alone(leaving), peer).await?;
    bench.put(latency(REENCRYPTED), &ms)?;
    bench.put(bytes("bytes_written", REENCRYPTED), &written)?;
    rows.borrow().settle()?;
    Ok(Reencryption { ms, bytes: written })
}

/// The same against deleting a row, durably, which forgets nothing.
async fn against_deletion(
    bench: &mut Bench<'_>,
    leaving: &Leaving<'_>,
    rows: &RefCell<Rows>,
    gone: &Cell<u64>,
    reencryption: &Reencryption,
) -> Result<(), Error> {
    let ours = async || {
        let alone = leaving.at_once(1, SINGLE).await?;
        Ok([alone.latency, alone.bytes, alone.per_second, leaving.share_of_epochs(alone.receipts).await?])
    };
    let peer = async || {
        let deleted = delete(&rows.borrow(), gone, 1, SINGLE)?;
        Ok([1e3 / deleted.per_second, deleted.bytes, deleted.per_second, 1.0])
    };
    let [ms, written, rate, share] = alternate_several(bench.settings.runs, ours, peer).await?;
    bench.put(latency(DELETED), &ms)?;
    bench.put(bytes("bytes_written", DELETED), &written)?;
    bench.put(per_second("per_second_of_1", DELETED), &rate)?;
    bench.put(per_second("per_second_of_1", REENCRYPTED), &rate.against(&reencryption.ms, |ms| 1e3 / ms))?;
    bench.put(per_epoch("per_epoch_of_1"), &share)
}

/// Many callers at once, against as many that delete rows; and against one re-encryption for all that share an epoch.
async fn in_company(
    bench: &mut Bench<'_>,
    leaving: &Leaving<'_>,
    rows: &RefCell<Rows>,
    gone: &Cell<u64>,
    reencryption: &Reencryption,
    crowd: Crowd,
) -> Result<(), Error> {
    let Crowd { callers, each, .. } = crowd;
    let ours = async || {
        leaving.at_once(VANGUARD, 1).await?;
        let erased = leaving.at_once(callers, each).await?;
        Ok([erased.per_second, erased.bytes, leaving.share_of_epochs(erased.receipts).await?])
    };
    let peer = async || {
        let deleted = delete(&rows.borrow(), gone, callers, each)?;
        Ok([deleted.per_second, deleted.bytes, callers as f64])
    };
    let [rate, written, share] = alternate_several(bench.settings.runs, ours, peer).await?;
    bench.put(per_second(crowd.per_second, DELETED), &rate)?;
    bench.put(bytes(crowd.bytes, DELETED), &written)?;
    let for_all = rate.against(&reencryption.ms, |ms| callers as f64 * 1e3 / ms);
    bench.put(per_second(crowd.per_second, REENCRYPTED), &for_all)?;
    let for_all = written.against(&reencryption.bytes, |bytes| bytes / callers as f64);
    bench.put(bytes(crowd.bytes, REENCRYPTED), &for_all)?;
    bench.put(per_epoch(crowd.per_epoch), &share)
}

/// What a run of deletions took.
struct Deleted {
    per_second: f64,
    bytes: f64,
}

/// Deletes rows, synced, from as many threads as there are callers.
fn delete(rows: &Rows, gone: &Cell<u64>, callers: u64, each: u64) -> Result<Deleted, Error> {
    let many = callers * each;
    let first = gone.replace(gone.get() + many);
    let (before, start) = (host::bytes_written(std::process::id())?, Instant::now());
    std::thread::scope(|scope| {
        let deleting: Vec<_> = (0..callers)
            .map(|caller| {
                scope.spawn(move || (0..each).try_for_each(|row| rows.delete(first + caller * each + row, true)))
            })
            .collect();
        deleting.into_iter().try_for_each(|caller| caller.join().map_err(|_| Error::invalid("a caller panicked"))?)
    })?;
    let took = start.elapsed().as_secs_f64();
    let written = (host::bytes_written(std::process::id())? - before) as f64;
    Ok(Deleted { per_second: many as f64 / took, bytes: written / many as f64 })
}
