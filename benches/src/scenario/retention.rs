//! Who ends, of everybody: what keeping time for each person costs (O17).

use std::time::Instant;

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{Bench, DOSSIER, SUBJECT, sealed};
use crate::Error;
use crate::measure::{Better, Measure, alternate};
use crate::peers::Rows;
use crate::vault::Vault;

const JUDGE_ALL: Measure =
    Measure { scenario: "retention", metric: "judge_all", unit: "s", peer: "read_and_open", better: Better::Lower };
/// Callers that record what is known of people, so that their changes share syncs.
const CALLERS: u64 = 64;

/// Ours previews who ends within a day, page by page. The peer opens a RocksDB with a base record and a dossier for each person, and
/// reads and opens them in order, on one thread, as one caller's pages come one after the other.
pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    let (settings, n) = (bench.settings, bench.n);
    let vault = Vault::of(&settings.scratch, &bench.population, settings.sketch_bits, n).await?;
    record_all(&vault, n).await?;
    let folder = TempDir::new_in(&settings.scratch).map_err(Error::io(settings.scratch.display().to_string()))?;
    let rows = Rows::open(folder.path())?;
    rows.fill(0..n, sealed(SUBJECT))?;
    rows.fill(n..2 * n, sealed(DOSSIER))?;
    rows.settle()?;

    let ours = async || {
        let start = Instant::now();
        match vault.client().count_ending().await? {
            0 => Ok(start.elapsed().as_secs_f64()),
            ending => Err(Error::invalid(format!("{ending} end within a day, and nobody should"))),
        }
    };
    let peer = async || {
        let start = Instant::now();
        let count = rows.read_and_open(2 * n, 1)?;
        if count == 2 * n {
            Ok(start.elapsed().as_secs_f64())
        } else {
            Err(Error::invalid(format!("{count} rows of {}", 2 * n)))
        }
    };
    let pairs = alternate(settings.runs, ours, peer).await?;
    bench.put(JUDGE_ALL, &pairs)
}

/// Records something of everybody.
async fn record_all(vault: &Vault, n: u64) -> Result<(), Error> {
    let mut recording = JoinSet::new();
    for first in 0..CALLERS {
        let client = vault.client_shared();
        recording.spawn(async move {
            for identity in (first..n).step_by(CALLERS as usize) {
                client.record_adult(identity).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(caller) = recording.join_next().await {
        caller.map_err(|error| Error::invalid(error.to_string()))??;
    }
    Ok(())
}
