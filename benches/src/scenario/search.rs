//! 1:N: latency over the wire, the scan alone, what is found, what it costs in memory, and how it holds
//! under writes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use lethe_index::{Gallery, OperatingPoint, Pool, Quantizer, Query};
use rayon::prelude::*;
use tempfile::TempDir;

use super::Bench;
use crate::Error;
use crate::client::{THRESHOLD, search_request, subject};
use crate::measure::{Better, Measure, Pairs, alternate, alternate_several, median};
use crate::peers::{Faiss, Kind, Memory, Qdrant};
use crate::vault::Vault;
use crate::{fixtures, host, load};

/// Probes of one run: half are people of the gallery in another capture, half strangers.
const PROBES: u64 = 64;
/// Probes of a run of load, used in turn.
const PROBES_OF_LOAD: u64 = 1024;
/// Callers who search at once.
const CALLERS: usize = 16;
/// Matches asked of FAISS, which takes no threshold here; more than there ever are.
const NEIGHBOURS: usize = 100;
/// People enrolled a second while searches are measured under writes, and as many who are erased.
const WRITES: f64 = 500.0;
/// The most probes that answers are held against the exact ones with, where the gallery is large enough.
const PROBES_OF_RECALL: u64 = 10_000;
/// How far from the threshold, either way, the mates of these probes are.
const AROUND: f64 = 0.03;
/// Vectors that FAISS is asked for at once: it then multiplies matrices, in blocks of its own.
const BLOCK: usize = 1024;

const fn measure(metric: &'static str, unit: &'static str, peer: &'static str, better: Better) -> Measure {
    Measure { scenario: "search", metric, unit, peer, better }
}

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    scan(bench).await?;
    // From here on the vault is one that was started, not one that imported.
    let vault = vault_of(bench, bench.n).await?;
    growth(bench, &vault).await?;
    if fits(bench) {
        for kind in bench.settings.faiss.clone() {
            latency(bench, &vault, kind).await?;
        }
        if let Some(python) = bench.settings.qdrant.clone() {
            qdrant(bench, &vault, &python).await?;
        }
        recall(bench, &vault).await?;
    } else {
        eprintln!("{} vectors are more than this machine's memory holds: FAISS is not asked.", bench.n);
    }
    let vault = memory(bench, vault).await?;
    together(bench, &vault).await?;
    under_writes(bench, &vault).await
}

/// A vault of so many people that was started, not one that imported.
async fn vault_of(bench: &Bench<'_>, people: u64) -> Result<Vault, Error> {
    let Bench { settings, population, .. } = bench;
    let bits = settings.sketch_bits;
    let Some(kept) = &settings.keep else {
        return Vault::of(&settings.scratch, population, bits, people).await?.restart().await;
    };
    let name = format!("{people}-of-{}-values-{bits}-bits-seed-{}", settings.dimension, settings.seed);
    Vault::kept(&kept.join(name), population, bits, people).await
}

/// Whether all vectors fit into memory beside the vault, which has only a few bits of each.
fn fits(bench: &Bench<'_>) -> bool {
    let vectors = bench.n * bench.settings.dimension as u64 * size_of::<f32>() as u64;
    vectors < (host::Host::here().memory_gib << 30) * 2 / 3
}

/// One search after another in this gallery, against one of a tenth of its size: ten times as long would be linear.
async fn growth(bench: &mut Bench<'_>, vault: &Vault) -> Result<(), Error> {
    let settings = bench.settings;
    let tenth = vault_of(bench, bench.n / 10).await?;
    let next = [Cell::new(4_000_000), Cell::new(4_000_000)];
    let ours = async || p50(bench, vault, &next[0]).await;
    let peer = async || Ok::<_, Error>(10.0 * p50(bench, &tenth, &next[1]).await?);
    let pairs = alternate(settings.runs, ours, peer).await?;
    bench.put(measure("grpc_p50", "ms", "ten_times_a_tenth", Better::Lower), &pairs)
}

/// Searches answered a second for callers who ask at once and so share passes, against one caller at a time.
async fn together(bench: &mut Bench<'_>, vault: &Vault) -> Result<(), Error> {
    let probes: Arc<Vec<Vec<f32>>> = Arc::new((0..PROBES_OF_LOAD).map(|number| probe(bench, number)).collect());
    let client = vault.client_shared();
    let (warm_up, lasts) = (bench.settings.duration / 5, bench.settings.duration);
    let searches = async |callers: usize| {
        let (client, probes) = (client.clone(), Arc::clone(&probes));
        let search = move |number: u64| {
            let (client, request) = (client.clone(), search_request(&probes[(number % PROBES_OF_LOAD) as usize]));
            async move { client.search(request).await.map(|_| ()) }
        };
        load::as_many_as_go(callers, warm_up, lasts, search).await
    };
    let pairs = alternate(bench.settings.runs, async || searches(CALLERS).await, async || searches(1).await).await?;
    bench.put(measure("searches", "searches/s", "one_at_a_time", Better::Higher), &pairs)
}

/// The scan over sketches inside one process, against reading as much memory as often.
async fn scan(bench: &mut Bench<'_>) -> Result<(), Error> {
    let gallery = gallery(bench)?;
    let Bench { settings, population, n, .. } = bench;
    let (rotation, quantizer) = (fixtures::rotation(settings.dimension)?, gallery.quantizer());
    let at = OperatingPoint::new(THRESHOLD, lethe_index::DEFAULT_MISS)?;
    let query = |i: u64| {
        let rotated = rotation.rotate(&population.person(*n + i).capture(0))?;
        Ok::<_, Error>(Query::new(quantizer.probe(&rotated)?, at))
    };
    let queries = (0..PROBES).map(query).collect::<Result<Vec<_>, _>>()?;
    let bytes = *n as usize * (rotation.padded_dimension() / 8);
    let memory = Memory::new(bytes);

    let ours = async || {
        let start = Instant::now();
        for query in &queries {
            let found = gallery.candidates(query, &|| false)?;
            if found.scanned as u64 != *n {
                return Err(Error::invalid(format!("scanned {} of {n}", found.scanned)));
            }
        }
        Ok(bytes as f64 * PROBES as f64 / start.elapsed().as_secs_f64() / 1e9)
    };
    let peer = async || Ok(memory.read(settings.threads, PROBES) / 1e9);
    let pairs = alternate(settings.runs, ours, peer).await?;
    bench.put(measure("scan", "GB/s", "memory_bandwidth", Better::Higher), &pairs)
}

/// The vector that probe `number` is.
fn probe(bench: &Bench<'_>, number: u64) -> Vec<f32> {
    if number.is_multiple_of(2) {
        bench.population.person(bench.person(number / 2)).capture(1)
    } else {
        bench.population.person((1 << 40) + number).capture(0)
    }
}

/// Probes that no earlier run has asked for, so that only the page cache is warm: `next` counts them.
fn fresh(bench: &Bench<'_>, next: &Cell<u64>) -> Vec<Vec<f32>> {
    let first = next.replace(next.get() + PROBES);
    (first..first + PROBES).map(|number| probe(bench, number)).collect()
}

/// Milliseconds of one search after another, over gRPC: the median of a run.
async fn p50(bench: &Bench<'_>, vault: &Vault, next: &Cell<u64>) -> Result<f64, Error> {
    let probes = fresh(bench, next);
    let call = async |number: u64| vault.client().search(search_request(&probes[number as usize])).await.map(|_| ());
    Ok(load::one_by_one(PROBES, call).await?.quantile_ms(0.5))
}

/// One search after another, over gRPC, against FAISS inside this process, asked for the same faces.
async fn latency(bench: &mut Bench<'_>, vault: &Vault, kind: Kind) -> Result<(), Error> {
    let settings = bench.settings;
    let batches = bench.population.batches(0..bench.n, 0, 4096).map(|(_, batch)| batch);
    let (start, before) = (Instant::now(), host::resident(std::process::id())?);
    let mut faiss = Faiss::build(kind, settings.dimension, bench.n, settings.threads, batches)?;
    if kind == Kind::Hnsw {
        let (took, grown) = (start.elapsed().as_secs_f64(), host::resident(std::process::id())? - before);
        built(bench, kind.name(), took, grown)?;
        let probes = fresh(bench, &Cell::new(3_000_000));
        faiss.tune(&probes, &exact(bench, &probes), NEIGHBOURS)?;
    }
    let faiss = RefCell::new(faiss);
    let (of_ours, of_peer) = (Cell::new(0), Cell::new(0));
    let ours = async || p50(bench, vault, &of_ours).await;
    let peer = async || {
        let probes = fresh(bench, &of_peer);
        let faiss: &mut Faiss = &mut faiss.borrow_mut();
        let call = |number: u64| {
            let found = faiss.search(&probes[number as usize], NEIGHBOURS)?;
            if found.is_empty() { Err(Error::invalid("FAISS found nothing")) } else { Ok(()) }
        };
        Ok(load::one_by_one_blocking(PROBES, call)?.quantile_ms(0.5))
    };
    let pairs = alternate(settings.runs, ours, peer).await?;
    bench.put(measure("grpc_p50", "ms", kind.name(), Better::Lower), &pairs)
}

/// The same against Qdrant, which is given the effort that it needs to find what it should. Its time is that of the query inside its
/// process.
async fn qdrant(bench: &mut Bench<'_>, vault: &Vault, python: &Path) -> Result<(), Error> {
    let settings = bench.settings;
    let folder = TempDir::new_in(&settings.scratch).map_err(Error::io(settings.scratch.display().to_string()))?;
    let batches = bench.population.batches(0..bench.n, 0, 4096).map(|(_, batch)| batch);
    let mut peer = Qdrant::build(python, folder.path(), settings.dimension, bench.n, settings.threads, batches)?;
    built(bench, "qdrant", peer.built().seconds, peer.built().resident)?;
    let probes = fresh(bench, &Cell::new(3_000_000));
    peer.tune(&probes, &exact(bench, &probes), NEIGHBOURS as u32)?;

    let peer = RefCell::new(peer);
    let (of_ours, of_peer) = (Cell::new(0), Cell::new(0));
    let ours = async || p50(bench, vault, &of_ours).await;
    let theirs = async || {
        let mut took = Vec::new();
        for probe in fresh(bench, &of_peer) {
            took.push(peer.borrow_mut().search(&probe, NEIGHBOURS as u32)?.1 * 1000.0);
        }
        Ok(median(&took))
    };
    let pairs = alternate(settings.runs, ours, theirs).await?;
    bench.put(measure("grpc_p50", "ms", "qdrant", Better::Lower), &pairs)
}

/// What it takes to index the gallery, and what that takes in memory, against a peer that was built once.
fn built(bench: &mut Bench<'_>, peer: &'static str, seconds: f64, bytes: u64) -> Result<(), Error> {
    let start = Instant::now();
    let gallery = gallery(bench)?;
    let (mut took, mut held) = (Pairs::default(), Pairs::default());
    took.push(start.elapsed().as_secs_f64(), seconds);
    held.push(gallery.bytes() as f64 / bench.n as f64, bytes as f64 / bench.n as f64);
    bench.put(measure("build", "s", peer, Better::Lower), &took)?;
    bench.put(measure("index_per_template", "B", peer, Better::Lower), &held)
}

/// The sketches of all, in this process.
fn gallery(bench: &Bench<'_>) -> Result<Gallery<u64>, Error> {
    let Bench { settings, population, n, .. } = bench;
    let rotation = fixtures::rotation(settings.dimension)?;
    let quantizer = match settings.sketch_bits {
        1 => Quantizer::new(rotation.padded_dimension(), None)?,
        _ => Quantizer::of_two_bits(rotation.padded_dimension())?,
    };
    let quantizer = Arc::new(quantizer);
    let gallery: Gallery<u64> = Gallery::new(quantizer.clone(), Pool::new(Some(settings.threads))?);
    for (first, batch) in population.batches(0..*n, 0, 4096) {
        let sketch = |vector: &[f32]| Ok::<_, Error>(quantizer.sketch(&rotation.rotate(vector)?)?);
        let sketches: Vec<_> = batch.par_chunks_exact(settings.dimension).map(sketch).collect::<Result<_, _>>()?;
        let refused = gallery.insert_all((first..).zip(&sketches));
        if let Some((key, error)) = refused.first() {
            return Err(Error::invalid(format!("{key} is refused: {error}")));
        }
    }
    Ok(gallery)
}

/// Share of the templates at or above the threshold that a search answers with, against all of them, by name: for probes each of
/// which has a mate around the threshold, where it is hardest. Scores are the exact ones, or there is no figure.
async fn recall(bench: &mut Bench<'_>, vault: &Vault) -> Result<(), Error> {
    let settings = bench.settings;
    let batches = bench.population.batches(0..bench.n, 0, 4096).map(|(_, batch)| batch);
    let mut faiss = Faiss::build(Kind::Flat, settings.dimension, bench.n, settings.threads, batches)?;
    let each = (PROBES_OF_RECALL.min(bench.n / 10) / u64::from(settings.runs)).max(1);
    let mut pairs = Pairs::default();
    for run in 0..u64::from(settings.runs) {
        let probes: Vec<Vec<f32>> = (run * each..(run + 1) * each).map(|number| borderline(bench, number)).collect();
        let (mut found, mut wanted) = (0, 0);
        for probes in probes.chunks(BLOCK) {
            for (probe, near) in probes.iter().zip(faiss.nearest(&probes.concat(), NEIGHBOURS)?) {
                if near.last().is_some_and(|(_, score)| *score >= THRESHOLD) {
                    return Err(Error::invalid(format!("{NEIGHBOURS} neighbours are too few")));
                }
                // Rounding decides of those that are nearest to it.
                let above = near.iter().filter(|(_, score)| *score >= THRESHOLD + 1e-5);
                let above: Vec<String> = above.map(|(person, _)| subject(*person)).collect();
                let scores: BTreeMap<String, f32> =
                    near.into_iter().map(|(person, score)| (subject(person), score)).collect();
                let matches = vault.client().search(search_request(probe)).await?.matches;
                for hit in &matches {
                    let exact = scores.get(&hit.subject).copied();
                    if exact.is_none_or(|exact| (hit.score - exact).abs() >= 1e-5) {
                        let message = format!("{} was found at {}, not {exact:?}", hit.subject, hit.score);
                        return Err(Error::invalid(message));
                    }
                }
                wanted += above.len();
                found += above.iter().filter(|person| matches.iter().any(|hit| hit.subject == **person)).count();
            }
        }
        pairs.push(found as f64 / wanted as f64, 1.0);
    }
    bench.put(measure("recall", "share", "exact", Better::Higher), &pairs)
}

/// A probe whose similarity to somebody of the gallery is around the threshold.
fn borderline(bench: &Bench<'_>, number: u64) -> Vec<f32> {
    let mate = bench.population.person(bench.person(number)).capture(0);
    let stranger = bench.population.person((1 << 42) + number).capture(0);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let length = |a: &[f32]| dot(a, a).sqrt();
    let along = dot(&mate, &stranger) / dot(&mate, &mate);
    let across: Vec<f32> =
        stranger.iter().zip(&mate).map(|(s, m)| (f64::from(*s) - along * f64::from(*m)) as f32).collect();
    // Evenly spread, by the golden ratio.
    let spread = (number as f64 * 0.618_033_988_749_895).fract();
    let cosine = f64::from(THRESHOLD) + AROUND * (2.0 * spread - 1.0);
    let (of_mate, of_other) = (cosine / length(&mate), (1.0 - cosine * cosine).sqrt() / length(&across));
    mate.iter().zip(&across).map(|(m, a)| (of_mate * f64::from(*m) + of_other * f64::from(*a)) as f32).collect()
}

/// For each probe the people of the gallery at or above the threshold: all of them, compared one by one.
fn exact(bench: &Bench<'_>, probes: &[Vec<f32>]) -> Vec<BTreeSet<u64>> {
    let mut all = vec![BTreeSet::new(); probes.len()];
    for (first, batch) in bench.population.batches(0..bench.n, 0, 4096) {
        let rows = batch.par_chunks_exact(bench.settings.dimension).enumerate();
        let hits: Vec<(usize, u64)> = rows
            .flat_map_iter(|(row, template)| {
                let person = first + row as u64;
                let near = move |probe: &Vec<f32>| lethe_index::cosine(template, probe) >= THRESHOLD;
                (0..probes.len()).filter(move |&number| near(&probes[number])).map(move |number| (number, person))
            })
            .collect();
        for (probe, person) in hits {
            all[probe].insert(person);
        }
    }
    all
}

/// What a template adds to the resident set of a process that was just started, and of one that has searched since;
/// what an empty vault needs is not counted.
async fn memory(bench: &mut Bench<'_>, vault: Vault) -> Result<Vault, Error> {
    let next = Cell::new(2_000_000);
    let (mut started, mut searched) = (Pairs::default(), Pairs::default());
    let sketch = bench.sketch_bytes() as f64;
    let mut empty = Vault::found(&bench.settings.scratch, bench.settings.dimension, bench.settings.sketch_bits).await?;
    let mut vault = vault;
    for _ in 0..bench.settings.runs {
        let probes = fresh(bench, &next);
        let after: (u64, u64);
        let before: (u64, u64);
        (vault, after) = resident(vault, &probes).await?;
        (empty, before) = resident(empty, &probes).await?;
        let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / bench.n as f64;
        started.push(each(after.0, before.0), sketch);
        searched.push(each(after.1, before.1), sketch);
    }
    bench.put(measure("rss_per_template_at_start", "B", "sketch_bytes", Better::Lower), &started)?;
    bench.put(measure("rss_per_template", "B", "sketch_bytes", Better::Lower), &searched)?;
    Ok(vault)
}

/// Starts the vault again: its resident set then, and when it has searched.
async fn resident(vault: Vault, probes: &[Vec<f32>]) -> Result<(Vault, (u64, u64)), Error> {
    let vault = vault.restart().await?;
    let started = host::resident(vault.child().process())?;
    for probe in probes {
        vault.client().search(search_request(probe)).await?;
    }
    let searched = host::resident(vault.child().process())?;
    Ok((vault, (started, searched)))
}

/// Searches on a schedule while people are enrolled on another, and erased on a third, against the same without.
async fn under_writes(bench: &mut Bench<'_>, vault: &Vault) -> Result<(), Error> {
    let settings = bench.settings;
    let probes: Vec<Vec<f32>> = (0..PROBES_OF_LOAD).map(|number| probe(bench, number)).collect();
    let quiet = load::one_by_one(PROBES_OF_LOAD, async |number: u64| {
        vault.client().search(search_request(&probes[number as usize])).await.map(|_| ())
    });
    // A third of what one caller alone could ask for.
    let rate = 1000.0 / quiet.await?.quantile_ms(0.5) / 3.0;
    // Nobody whom an earlier run left in a vault that is kept.
    let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let next = Cell::new((1 << 41) + (now << 24));
    let client = vault.client_shared();
    let search = |number: u64| {
        let (client, request) = (client.clone(), search_request(&probes[(number % PROBES_OF_LOAD) as usize]));
        async move { client.search(request).await.map(|_| ()) }
    };
    let warm_up = settings.duration / 5;
    let lasts = warm_up + settings.duration;
    let ours = async || {
        let first = next.replace(next.get() + (1 << 20));
        let enroll = |number: u64| {
            let (client, vector) = (client.clone(), bench.population.person(first + number).capture(0));
            async move { client.enroll(first + number, &vector).await }
        };
        // Who is to be erased has been enrolled before.
        let leaving = (WRITES * lasts.as_secs_f64()).ceil() as u64;
        vault.enroll(&bench.population, first + leaving..first + 2 * leaving).await?;
        let erase = |number: u64| {
            let client = client.clone();
            async move { client.erase(first + leaving + number).await.map(|_| ()) }
        };
        let enrolments = load::on_schedule(WRITES, Duration::ZERO, lasts, enroll);
        let erasures = load::on_schedule(WRITES, Duration::ZERO, lasts, erase);
        let searches = load::on_schedule(rate, warm_up, settings.duration, search);
        let (enrolments, erasures, searches) = tokio::join!(enrolments, erasures, searches);
        let shed = enrolments?.shed() + erasures?.shed();
        if shed > 0 {
            return Err(Error::invalid(format!("{shed} writes were shed: searches had less to hold under")));
        }
        let searches = searches?;
        Ok([searches.quantile_ms(0.5), searches.quantile_ms(0.99)])
    };
    let peer = async || {
        let searches = load::on_schedule(rate, warm_up, settings.duration, search).await?;
        Ok([searches.quantile_ms(0.5), searches.quantile_ms(0.5)])
    };
    let [half, slowest] = alternate_several(settings.runs, ours, peer).await?;
    bench.put(measure("p50_under_writes", "ms", "quiet_p50", Better::Lower), &half)?;
    bench.put(measure("p99_under_writes", "ms", "quiet_p50", Better::Lower), &slowest)
}
