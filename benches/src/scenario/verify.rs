//! 1:1: how many a second, the tail at half of that, and the first after a cold start.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use lethe_proto::v1::{DecisionBand, VerifyRequest};
use tempfile::TempDir;

use super::Bench;
use crate::Error;
use crate::child::Child;
use crate::client::{Client, THRESHOLD, verify_request};
use crate::host;
use crate::load;
use crate::measure::{Better, Measure, alternate, median};
use crate::peers::Rows;
use crate::pin::Halves;
use crate::vault::Vault;

/// Calls in flight when as many go as can.
const CALLERS: usize = 32;
/// Different requests; each is of another person.
const REQUESTS: u64 = 16_384;
/// Verifications of one cold run.
const COLD: u64 = 200;

const fn measure(metric: &'static str, unit: &'static str, peer: &'static str, better: Better) -> Measure {
    Measure { scenario: "verify", metric, unit, peer, better }
}

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<(), Error> {
    let halves = Halves::of_this_process()?;
    let cores = halves.as_ref().map(|halves| halves.server.as_str());
    let vault = Vault::of(&bench.settings.scratch, &bench.population, bench.settings.sketch_bits, bench.n)
        .await?
        .restart_on(cores)
        .await?;
    let server = Child::start(&["child".into(), "echo".into()], cores)?;
    let pinned = halves.as_ref().map(Halves::pin_this_process).transpose()?;
    let echo = Arc::new(Client::connect(server.endpoint(), "none", bench.settings.dimension).await?);

    let requests = Arc::new(requests(bench));
    genuine(vault.login(), &requests).await?;
    let rate = throughput(bench, &vault, &echo, &requests).await?;
    half_load(bench, &vault, &echo, &requests, rate / 2.0).await?;
    drop((echo, server, pinned));
    cold(bench, vault, &requests).await
}

/// Second captures that match their person's first: the others, repeated, would measure how attempts
/// are slowed down after failures, not how fast the vault is.
fn requests(bench: &Bench<'_>) -> Vec<VerifyRequest> {
    (0..REQUESTS.min(bench.n))
        .filter_map(|number| {
            let number = bench.person(number);
            let person = bench.population.person(number);
            let probe = person.capture(1);
            let score = lethe_index::cosine(&person.capture(0), &probe);
            (score >= THRESHOLD).then(|| verify_request(number, &probe))
        })
        .collect()
}

/// A vault that compares nothing would be fast: each of the requests is a match, or it is none.
async fn genuine(client: &Client, requests: &[VerifyRequest]) -> Result<(), Error> {
    for request in requests {
        let band = client.verify(request.clone()).await?.band();
        if band != DecisionBand::Match {
            return Err(Error::invalid(format!("{} gives {band:?}, not a match", request.name)));
        }
    }
    Ok(())
}

async fn throughput(
    bench: &mut Bench<'_>,
    vault: &Vault,
    echo: &Arc<Client>,
    requests: &Arc<Vec<VerifyRequest>>,
) -> Result<f64, Error> {
    let duration = bench.settings.duration;
    let run = |client: Arc<Client>| load::as_many_as_go(CALLERS, duration / 5, duration, calls(client, requests));
    let pairs = alternate(bench.settings.runs, || run(vault.login().clone()), || run(echo.clone())).await?;
    bench.put(measure("throughput", "1/s", "tonic_echo", Better::Higher), &pairs)?;
    Ok(median(pairs.ours()))
}

/// Both are asked as often as half of what the vault can.
async fn half_load(
    bench: &mut Bench<'_>,
    vault: &Vault,
    echo: &Arc<Client>,
    requests: &Arc<Vec<VerifyRequest>>,
    rate: f64,
) -> Result<(), Error> {
    let duration = bench.settings.duration;
    let run = async |client: Arc<Client>| {
        let load = load::on_schedule(rate, duration / 5, duration, calls(client, requests)).await?;
        Ok(load.quantile_ms(0.99))
    };
    let pairs = alternate(bench.settings.runs, || run(vault.login().clone()), || run(echo.clone())).await?;
    bench.put(measure("p99_half_load", "ms", "tonic_echo", Better::Lower), &pairs)
}

fn calls(
    client: Arc<Client>,
    requests: &Arc<Vec<VerifyRequest>>,
) -> impl Fn(u64) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> + Send + Sync + 'static {
    let requests = requests.clone();
    move |number| {
        let (client, requests) = (client.clone(), requests.clone());
        Box::pin(async move {
            let request = requests[number as usize % requests.len()].clone();
            client.verify(request).await.map(|_| ())
        })
    }
}

/// A process just started, and nothing of its files in the page cache.
async fn cold(bench: &mut Bench<'_>, vault: Vault, requests: &[VerifyRequest]) -> Result<(), Error> {
    let scratch = &bench.settings.scratch;
    let folder = TempDir::new_in(scratch).map_err(Error::io(scratch.display().to_string()))?;
    drop(Rows::filled(folder.path(), bench.n, bench.row_bytes())?);
    let count = COLD.min(requests.len() as u64);
    let at = Cell::new(0);
    let vault = RefCell::new(Some(vault));
    let ours = async || {
        let running = vault.take().ok_or_else(|| Error::invalid("the vault is gone"))?;
        let restarted = running.restart().await?;
        host::forget_pages(&restarted.folder())?;
        let call = async |number: u64| {
            let request = requests[(at.get() + number) as usize % requests.len()].clone();
            restarted.login().verify(request).await.map(|_| ())
        };
        let latencies = load::one_by_one(count, call).await?;
        vault.replace(Some(restarted));
        Ok(latencies.quantile_ms(0.5))
    };
    let peer = async || {
        let rows = Rows::open(folder.path())?;
        host::forget_pages(folder.path())?;
        let first = at.replace(at.get() + count);
        let people: Vec<u64> = (first..first + count).map(|number| bench.person(number)).collect();
        let call = |number: u64| rows.get_and_open(people[number as usize]).map(|_| ());
        Ok(load::one_by_one_blocking(count, call)?.quantile_ms(0.5))
    };
    let pairs = alternate(bench.settings.runs, ours, peer).await?;
    bench.put(measure("cold", "ms", "get_and_open", Better::Lower), &pairs)
}
