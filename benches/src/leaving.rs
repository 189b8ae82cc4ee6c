//! People who leave a gallery, and what their leaving takes.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Error;
use crate::client::Client;
use crate::host;
use crate::load::Latencies;
use crate::scenario::scattered;
use crate::vault::Vault;

/// Receipts that are read at once.
const READERS: usize = 64;
/// By then the audit of a read is on the disk and in the mirror.
const CALM: Duration = Duration::from_millis(500);

/// A gallery that people leave, each once.
pub(crate) struct Leaving<'a> {
    pub(crate) vault: &'a Vault,
    /// Of so many.
    pub(crate) people: u64,
    /// The first that is still there.
    pub(crate) next: &'a Cell<u64>,
}

/// What a run of erasures took.
pub(crate) struct Erased {
    /// Of one, in milliseconds, the median.
    pub(crate) latency: f64,
    /// What one has the vault send to storage.
    pub(crate) bytes: f64,
    pub(crate) per_second: f64,
    pub(crate) receipts: Vec<String>,
}

impl Leaving<'_> {
    /// The next ones who go.
    fn draw(&self, many: u64) -> Vec<u64> {
        let first = self.next.replace(self.next.get() + many);
        (first..first + many).map(|number| scattered(number, self.people)).collect()
    }

    /// Has as many callers as that erase so many people each, one after another.
    pub(crate) async fn at_once(&self, callers: u64, each: u64) -> Result<Erased, Error> {
        let (people, process) = (self.draw(callers * each), self.vault.child().process());
        let (before, start) = (host::bytes_written(process)?, Instant::now());
        let mut erasing = JoinSet::new();
        for part in people.chunks(each as usize) {
            let (client, part) = (self.vault.client_shared(), part.to_vec());
            erasing.spawn(async move { erase(&client, &part).await });
        }
        let (mut latencies, mut receipts) = (Latencies::new()?, Vec::with_capacity(people.len()));
        while let Some(caller) = erasing.join_next().await {
            for (latency, receipt) in caller.map_err(|error| Error::invalid(error.to_string()))?? {
                latencies.add(latency);
                receipts.push(receipt);
            }
        }
        let (took, many) = (start.elapsed().as_secs_f64(), people.len() as f64);
        let written = (host::bytes_written(process)? - before) as f64;
        let latency = latencies.quantile_ms(0.5);
        Ok(Erased { latency, bytes: written / many, per_second: many / took, receipts })
    }

    /// How many erasures an epoch had, by what their receipts say. Each receipt is signed anew: this is not timed.
    pub(crate) async fn share_of_epochs(&self, receipts: Vec<String>) -> Result<f64, Error> {
        let many = receipts.len();
        let mut reading = JoinSet::new();
        let mut epochs = BTreeSet::new();
        for receipt in receipts {
            let client = self.vault.client_shared();
            reading.spawn(async move { client.epoch_left(receipt).await });
            while reading.len() >= READERS
                && let Some(epoch) = reading.join_next().await
            {
                epochs.insert(epoch.map_err(|error| Error::invalid(error.to_string()))??);
            }
        }
        while let Some(epoch) = reading.join_next().await {
            epochs.insert(epoch.map_err(|error| Error::invalid(error.to_string()))??);
        }
        // Reading is logged, and synced a little later: that must not count as written by who is erased next.
        tokio::time::sleep(CALM).await;
        Ok(many as f64 / epochs.len() as f64)
    }
}

async fn erase(client: &Arc<Client>, people: &[u64]) -> Result<Vec<(Duration, String)>, Error> {
    let mut erased = Vec::with_capacity(people.len());
    for &person in people {
        let start = Instant::now();
        let receipt = client.erase(person).await?;
        erased.push((start.elapsed(), receipt));
    }
    Ok(erased)
}

/// Waits until compaction of what was imported is over.
pub(crate) async fn settle(process: u32) -> Result<(), Error> {
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
