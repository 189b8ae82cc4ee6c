//! From starting the process until the whole gallery answers.

use std::cell::RefCell;
use std::time::Instant;

use tempfile::TempDir;

use super::{Bench, SUBJECT, sealed};
use crate::Error;
use crate::client::search_request;
use crate::measure::{Better, Measure, alternate};
use crate::peers::Rows;
use crate::vault::Vault;

const LOAD: Measure =
    Measure { scenario: "start", metric: "load", unit: "s", peer: "read_and_open", better: Better::Lower };

/// Ours ends with the answer to a first search, over all of the gallery. The peer opens a RocksDB with the rows that
/// a start reads, a sketch and a base record for each person, as large as the vault's; reads them all in order and
/// opens each with one AES-256-GCM key, on as many threads. Both read from a warm page cache.
pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    let (settings, n) = (bench.settings, bench.n);
    let vault = Vault::of(&settings.scratch, &bench.population, bench.settings.sketch_bits, n).await?;
    let folder = TempDir::new_in(&settings.scratch).map_err(Error::io(settings.scratch.display().to_string()))?;
    let rows = Rows::open(folder.path())?;
    rows.fill(0..n, bench.sketch_row_bytes())?;
    rows.fill(n..2 * n, sealed(SUBJECT))?;
    rows.settle()?;
    drop(rows);

    let probe = search_request(&bench.population.person(0).capture(1));
    let vault = RefCell::new(Some(vault));
    let ours = async || {
        let running = vault.take().ok_or_else(|| Error::invalid("the vault is gone"))?;
        let restarted = running.restart().await?;
        let covered = restarted.client().search(probe.clone()).await?.completeness.map(|report| report.searched);
        let took = restarted.child().age();
        if covered != i64::try_from(n).ok() {
            return Err(Error::invalid(format!("a search right after the start covered {covered:?} of {n}")));
        }
        vault.replace(Some(restarted));
        Ok(took.as_secs_f64())
    };
    let peer = async || {
        let start = Instant::now();
        let count = Rows::open(folder.path())?.read_and_open(2 * n, settings.threads)?;
        if count == 2 * n {
            Ok(start.elapsed().as_secs_f64())
        } else {
            Err(Error::invalid(format!("{count} rows of {}", 2 * n)))
        }
    };
    let pairs = alternate(settings.runs, ours, peer).await?;
    bench.put(LOAD, &pairs)
}
