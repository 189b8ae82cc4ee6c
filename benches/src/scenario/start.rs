//! From starting the process until the whole gallery answers.

use std::cell::RefCell;
use std::time::Instant;

use tempfile::TempDir;

use super::Bench;
use crate::Error;
use crate::measure::{Better, Measure, alternate};
use crate::peers::Rows;
use crate::vault::Vault;

const LOAD: Measure =
    Measure { scenario: "start", metric: "load", unit: "s", peer: "read_and_open", better: Better::Lower };

/// The peer opens a RocksDB with as many rows as large as a stored template, reads them all in order and
/// opens each with one AES-256-GCM key, on one thread.
pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    let scratch = &bench.settings.scratch;
    let vault = Vault::of(scratch, &bench.population, bench.n).await?;
    let folder = TempDir::new_in(scratch).map_err(Error::io(scratch.display().to_string()))?;
    Rows::filled(folder.path(), bench.n, bench.row_bytes())?;

    let vault = RefCell::new(Some(vault));
    let ours = async || {
        let running = vault.take().ok_or_else(|| Error::invalid("the vault is gone"))?;
        let restarted = running.restart().await?;
        let took = restarted.child().started_in();
        vault.replace(Some(restarted));
        Ok(took.as_secs_f64())
    };
    let peer = async || {
        let start = Instant::now();
        let count = Rows::open(folder.path())?.read_and_open()?;
        if count == bench.n {
            Ok(start.elapsed().as_secs_f64())
        } else {
            Err(Error::invalid(format!("{count} rows of {}", bench.n)))
        }
    };
    let pairs = alternate(bench.settings.runs, ours, peer).await?;
    bench.put(LOAD, &pairs)
}
