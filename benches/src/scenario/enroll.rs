//! Templates in: a stream of them, and one durable write.

use std::cell::Cell;
use std::time::Instant;

use tempfile::TempDir;

use super::Bench;
use crate::Error;
use crate::load;
use crate::measure::{Better, Measure, alternate};
use crate::peers::{Rows, SealedRow};
use crate::vault::Vault;

/// Rows of one synced batch of the peer.
const BATCH: u64 = 1000;
/// Single writes of one run.
const WRITES: u64 = 200;

const IMPORT: Measure =
    Measure { scenario: "enroll", metric: "import", unit: "templates/s", peer: "raw_rocksdb", better: Better::Higher };
const DURABLE: Measure = Measure {
    scenario: "enroll",
    metric: "durable_p50",
    unit: "ms",
    peer: "raw_rocksdb_synced",
    better: Better::Lower,
};

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    import(bench).await?;
    durable(bench).await
}

/// A new vault takes all templates in one stream; a new RocksDB takes as many rows of that size, sealed
/// beforehand, in synced batches.
async fn import(bench: &mut Bench<'_>) -> Result<(), Error> {
    let (settings, n) = (bench.settings, bench.n);
    let mut embeddings = vec![0.0; n as usize * settings.dimension];
    bench.population.fill_parallel(0, 0, settings.threads, &mut embeddings);
    let ours = async || {
        let vault = Vault::found(&settings.scratch, settings.dimension, settings.sketch_bits).await?;
        let embeddings = embeddings.clone();
        let start = Instant::now();
        vault.client().import(0, embeddings).await?;
        Ok(n as f64 / start.elapsed().as_secs_f64())
    };
    let peer = async || {
        let folder = folder(bench)?;
        let rows = Rows::open(folder.path())?;
        let mut batch = sealed(&rows, bench.row_bytes(), BATCH.min(n))?;
        let start = Instant::now();
        for first in (0..n).step_by(BATCH as usize) {
            batch.truncate((n - first).min(BATCH) as usize);
            for (row, number) in batch.iter_mut().zip(first..) {
                row.number = number;
            }
            rows.put(&batch, true)?;
        }
        Ok(n as f64 / start.elapsed().as_secs_f64())
    };
    let pairs = alternate(settings.runs, ours, peer).await?;
    bench.put(IMPORT, &pairs)
}

/// One enrolment after another into a gallery of n, against one synced put after another into n rows.
async fn durable(bench: &mut Bench<'_>) -> Result<(), Error> {
    let settings = bench.settings;
    let vault = Vault::of(&settings.scratch, &bench.population, bench.settings.sketch_bits, bench.n).await?;
    let folder = folder(bench)?;
    let rows = Rows::filled(folder.path(), bench.n, bench.row_bytes())?;
    let next = Cell::new(bench.n);
    let ours = async || {
        let first = next.get();
        let mut people = vec![0.0; WRITES as usize * settings.dimension];
        bench.population.fill(first, 0, &mut people);
        let call = async |number: u64| {
            let vector = &people[number as usize * settings.dimension..][..settings.dimension];
            vault.client().enroll(first + number, vector).await
        };
        Ok(load::one_by_one(WRITES, call).await?.quantile_ms(0.5))
    };
    let peer = async || {
        let first = next.replace(next.get() + WRITES);
        let mut batch = sealed(&rows, bench.row_bytes(), WRITES)?;
        for (row, number) in batch.iter_mut().zip(first..) {
            row.number = number;
        }
        let call = |number: u64| rows.put(&batch[number as usize..][..1], true);
        Ok(load::one_by_one_blocking(WRITES, call)?.quantile_ms(0.5))
    };
    let pairs = alternate(settings.runs, ours, peer).await?;
    bench.put(DURABLE, &pairs)
}

fn folder(bench: &Bench<'_>) -> Result<TempDir, Error> {
    let scratch = &bench.settings.scratch;
    TempDir::new_in(scratch).map_err(Error::io(scratch.display().to_string()))
}

fn sealed(rows: &Rows, bytes: usize, count: u64) -> Result<Vec<SealedRow>, Error> {
    (0..count).map(|number| rows.seal(number, &vec![number as u8; bytes])).collect()
}
