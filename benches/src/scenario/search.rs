//! 1:N: latency over the wire, the scan alone, what is found, what it costs in memory, and how it holds
//! under writes.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lethe_index::{Gallery, OperatingPoint, Pool, Quantizer};

use super::Bench;
use crate::Error;
use crate::client::{THRESHOLD, search_request};
use crate::measure::{Better, Measure, alternate};
use crate::peers::{Faiss, Kind, Memory};
use crate::vault::Vault;
use crate::{fixtures, host, load};

/// Probes of one run: half are people of the gallery in another capture, half strangers.
const PROBES: u64 = 32;
/// Matches asked of FAISS, which takes no threshold here; more than there ever are.
const NEIGHBOURS: usize = 100;
/// Templates enrolled per second while searches are measured under writes.
const WRITES: f64 = 100.0;
/// Bytes of a sketch, per dimension: one bit.
const BITS: usize = 8;
/// Bandwidth is measured over a buffer that no cache holds.
const MEMORY: usize = 512 << 20;

const fn measure(metric: &'static str, unit: &'static str, peer: &'static str, better: Better) -> Measure {
    Measure { scenario: "search", metric, unit, peer, better }
}

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    scan(bench).await?;
    let empty = Vault::found(&bench.settings.scratch, bench.settings.dimension).await?;
    let before = host::resident(empty.child().process())?;
    let vault = empty;
    vault.enroll(&bench.population, 0..bench.n).await?;
    // From here on the resident set is that of a vault that was started, not of one that imported.
    let vault = vault.restart().await?;
    for kind in bench.settings.faiss.clone() {
        latency(bench, &vault, kind).await?;
    }
    recall(bench, &vault).await?;
    memory(bench, &vault, before).await?;
    under_writes(bench, &vault).await
}

/// The scan over sketches inside one process, against reading as much memory.
async fn scan(bench: &mut Bench<'_>) -> Result<(), Error> {
    let Bench { settings, population, n, .. } = bench;
    let rotation = fixtures::rotation(settings.dimension)?;

    let quantizer = Arc::new(Quantizer::new(rotation.padded_dimension(), None)?);
    let gallery: Gallery<u64> = Gallery::new(quantizer.clone(), Pool::new(Some(settings.threads))?);
    for (first, batch) in population.batches(0..*n, 0, 4096) {
        for (row, vector) in batch.chunks_exact(settings.dimension).enumerate() {
            gallery.insert(first + row as u64, &quantizer.sketch(&rotation.rotate(vector)?)?)?;
        }
    }
    let at = OperatingPoint::new(THRESHOLD, lethe_index::DEFAULT_MISS)?;
    let probes: Result<Vec<_>, Error> =
        (0..PROBES).map(|i| Ok(quantizer.probe(&rotation.rotate(&population.person(*n + i).capture(0))?)?)).collect();
    let (probes, memory) = (probes?, Memory::new(MEMORY));
    let bytes = *n as f64 * (rotation.padded_dimension() / BITS) as f64;

    let ours = async || {
        let start = Instant::now();
        for probe in &probes {
            let found = gallery.candidates(probe, at, &|| false)?;
            if found.scanned as u64 != *n {
                return Err(Error::invalid(format!("scanned {} of {n}", found.scanned)));
            }
        }
        Ok(bytes * PROBES as f64 / start.elapsed().as_secs_f64() / 1e9)
    };
    let pairs = alternate(settings.runs, ours, async || Ok(memory.read(settings.threads) / 1e9)).await?;
    bench.put(measure("scan", "GB/s", "memory_bandwidth", Better::Higher), &pairs)
}

/// The vector that a run's probe `number` is.
fn probe(bench: &Bench<'_>, number: u64) -> Vec<f32> {
    if number.is_multiple_of(2) {
        bench.population.person(bench.person(number / 2)).capture(1)
    } else {
        bench.population.person((1 << 40) + number).capture(0)
    }
}

/// One search after another, over gRPC, against FAISS inside this process.
async fn latency(bench: &mut Bench<'_>, vault: &Vault, kind: Kind) -> Result<(), Error> {
    let settings = bench.settings;
    let batches = bench.population.batches(0..bench.n, 0, 4096).map(|(_, batch)| batch);
    let faiss = Faiss::build(kind, settings.dimension, bench.n, settings.threads, batches)?;
    let faiss = RefCell::new(faiss);
    let probes: Vec<Vec<f32>> = (0..PROBES).map(|number| probe(bench, number)).collect();
    let ours = async || {
        let call =
            async |number: u64| vault.client().search(search_request(&probes[number as usize])).await.map(|_| ());
        Ok(load::one_by_one(PROBES, call).await?.quantile_ms(0.5))
    };
    let peer = async || {
        let call = async |number: u64| {
            let found = faiss.borrow_mut().search(&probes[number as usize], NEIGHBOURS)?;
            if found.is_empty() { Err(Error::invalid("FAISS found nothing")) } else { Ok(()) }
        };
        Ok(load::one_by_one(PROBES, call).await?.quantile_ms(0.5))
    };
    let pairs = alternate(settings.runs, ours, peer).await?;
    bench.put(measure("grpc_p50", "ms", kind.name(), Better::Lower), &pairs)
}

/// Share of the templates at or above the threshold that a search answers with, against all of them.
async fn recall(bench: &mut Bench<'_>, vault: &Vault) -> Result<(), Error> {
    let settings = bench.settings;
    let number = Cell::new(1_000_000);
    let run = async || {
        let first = number.replace(number.get() + PROBES);
        let probes: Vec<Vec<f32>> = (first..first + PROBES).map(|number| probe(bench, number)).collect();
        let mut found = 0;
        for probe in &probes {
            found += vault.client().search(search_request(probe)).await?.matches.len();
        }
        let mut all = 0;
        for (_, batch) in bench.population.batches(0..bench.n, 0, 4096) {
            for template in batch.chunks_exact(settings.dimension) {
                let at_least = |probe: &&Vec<f32>| lethe_index::cosine(template, probe) >= THRESHOLD;
                all += probes.iter().filter(at_least).count();
            }
        }
        Ok(found as f64 / all as f64)
    };
    let pairs = alternate(settings.runs, run, async || Ok(1.0)).await?;
    bench.put(measure("recall", "share", "exact", Better::Higher), &pairs)
}

/// What a template adds to the resident set of a vault that was started with the gallery and has searched.
async fn memory(bench: &mut Bench<'_>, vault: &Vault, before: u64) -> Result<(), Error> {
    let templates = bench.n as f64;
    let ours = async || {
        let now = host::resident(vault.child().process())?;
        Ok(now.saturating_sub(before) as f64 / templates)
    };
    let sketch = (bench.settings.dimension.next_power_of_two() / BITS) as f64;
    let pairs = alternate(bench.settings.runs, ours, async || Ok(sketch)).await?;
    bench.put(measure("rss_per_template", "B", "sketch_bytes", Better::Lower), &pairs)
}

/// Searches on a schedule while templates are enrolled on another, against the same without.
async fn under_writes(bench: &mut Bench<'_>, vault: &Vault) -> Result<(), Error> {
    let settings = bench.settings;
    let probes: Vec<Vec<f32>> = (0..PROBES).map(|number| probe(bench, number)).collect();
    let quiet = load::one_by_one(PROBES, async |number: u64| {
        vault.client().search(search_request(&probes[number as usize])).await.map(|_| ())
    });
    // A third of what one caller alone could ask for.
    let rate = 1000.0 / quiet.await?.quantile_ms(0.5) / 3.0;
    let next = Cell::new(1_u64 << 41);
    let client = vault.client_shared();
    let search = |number: u64| {
        let (client, request) = (client.clone(), search_request(&probes[(number % PROBES) as usize]));
        async move { client.search(request).await.map(|_| ()) }
    };
    let warm_up = settings.duration / 5;
    let ours = async || {
        let first = next.replace(next.get() + (1 << 20));
        let enroll = |number: u64| {
            let (client, vector) = (client.clone(), bench.population.person(first + number).capture(0));
            async move { client.enroll(first + number, &vector).await }
        };
        let writes = load::on_schedule(WRITES, Duration::ZERO, warm_up + settings.duration, enroll);
        let searches = load::on_schedule(rate, warm_up, settings.duration, search);
        let (writes, searches) = tokio::join!(writes, searches);
        writes?;
        Ok(searches?.quantile_ms(0.99))
    };
    let peer = async || Ok(load::on_schedule(rate, warm_up, settings.duration, search).await?.quantile_ms(0.5));
    let pairs = alternate(settings.runs, ours, peer).await?;
    bench.put(measure("p99_under_writes", "ms", "quiet_p50", Better::Lower), &pairs)
}
