//! Load: calls one after another, as many as go, or on a schedule.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Error;

/// Beyond the range of [`Latencies`].
const NEVER: Duration = Duration::MAX;

/// Latencies of calls.
#[derive(Debug, Clone)]
pub struct Latencies {
    histogram: Histogram<u64>,
    shed: u64,
}

impl Latencies {
    /// None yet; three significant digits up to a minute.
    ///
    /// # Errors
    /// Never for these bounds.
    pub fn new() -> Result<Self, Error> {
        let histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3);
        Ok(Self { histogram: histogram.map_err(|error| Error::invalid(error.to_string()))?, shed: 0 })
    }

    /// Adds one.
    pub fn add(&mut self, latency: Duration) {
        self.shed += u64::from(latency == NEVER);
        self.histogram.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The latency that a share of calls stays within, in milliseconds; 0.5 is the median.
    #[must_use]
    pub fn quantile_ms(&self, share: f64) -> f64 {
        self.histogram.value_at_quantile(share) as f64 / 1e6
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// How many of them a server shed.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.shed
    }
}

/// Makes `count` calls, each when the one before has answered.
///
/// # Errors
/// The first that a call gives.
pub async fn one_by_one<F>(count: u64, mut call: impl FnMut(u64) -> F) -> Result<Latencies, Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let mut latencies = Latencies::new()?;
    for number in 0..count {
        let start = Instant::now();
        call(number).await?;
        latencies.add(start.elapsed());
    }
    Ok(latencies)
}

/// The same for calls that block, on a thread of their own, as a server's are: the load generator's main thread has
/// computed much, and a busy scheduler lets such a thread wait for a whole tick after each call.
///
/// # Errors
/// The first that a call gives.
pub fn one_by_one_blocking(
    count: u64,
    mut call: impl FnMut(u64) -> Result<(), Error> + Send,
) -> Result<Latencies, Error> {
    let calls = move || {
        let mut latencies = Latencies::new()?;
        for number in 0..count {
            let start = Instant::now();
            call(number)?;
            latencies.add(start.elapsed());
        }
        Ok(latencies)
    };
    let joined = std::thread::scope(|scope| scope.spawn(calls).join());
    joined.map_err(|_| Error::invalid("a caller panicked"))?
}

/// Keeps `callers` calls in flight for `warm_up` and then `duration`, and returns calls answered per second of
/// the latter.
///
/// # Errors
/// The first that a call gives.
pub async fn as_many_as_go<C, F>(callers: usize, warm_up: Duration, duration: Duration, call: C) -> Result<f64, Error>
where
    C: Fn(u64) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let call = Arc::new(call);
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now() + warm_up;
    let end = begin + duration;
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (call, next) = (call.clone(), next.clone());
        tasks.spawn(async move {
            let mut answered = 0_u64;
            loop {
                call(next.fetch_add(1, Ordering::Relaxed)).await?;
                let now = Instant::now();
                if now >= end {
                    return Ok(answered);
                }
                answered += u64::from(now >= begin);
            }
        });
    }
    let answered = collect(tasks).await?.into_iter().sum::<u64>();
    if answered == 0 {
        // The machine stood still for all of it; then each caller had one answer in the time that was really taken.
        return Ok(callers as f64 / begin.elapsed().as_secs_f64());
    }
    Ok(answered as f64 / duration.as_secs_f64())
}

/// Makes calls on a schedule, `rate` per second for `warm_up` and then `duration`, whether or not earlier
/// ones have answered, and counts each latency of the latter from its *scheduled* time: a stall delays
/// everything behind it and shows. A call that the server sheds because it is overloaded counts as never
/// answered, the worst latency there is.
///
/// The schedule is kept by a thread of its own, since the runtime's timer ticks only once a
/// millisecond, which would be the figure.
///
/// # Errors
/// The first that a call gives.
pub async fn on_schedule<C, F>(rate: f64, warm_up: Duration, duration: Duration, call: C) -> Result<Latencies, Error>
where
    C: Fn(u64) -> F,
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    if !(rate.is_finite() && rate > 0.0) {
        return Err(Error::invalid(format!("{rate} calls a second is no schedule")));
    }
    let begin = Instant::now();
    let end = warm_up + duration;
    let (sender, mut due) = mpsc::channel(4096);
    let clock = std::thread::spawn(move || {
        for number in 0_u64.. {
            let at = Duration::from_secs_f64(number as f64 / rate);
            if at >= end {
                return;
            }
            #[allow(clippy::disallowed_methods, reason = "a thread of its own, and the event is time")]
            std::thread::sleep(at.saturating_sub(begin.elapsed()));
            if sender.blocking_send((number, at)).is_err() {
                return;
            }
        }
    });

    let mut tasks = JoinSet::new();
    while let Some((number, at)) = due.recv().await {
        let call = call(number);
        tasks.spawn(async move {
            match call.await {
                Ok(()) => Ok((at, begin.elapsed().saturating_sub(at))),
                Err(error) if error.is_shed() => Ok((at, NEVER)),
                Err(error) => Err(error),
            }
        });
    }
    clock.join().map_err(|_| Error::invalid("the clock thread panicked"))?;
    let mut latencies = Latencies::new()?;
    for (at, latency) in collect(tasks).await? {
        if at >= warm_up {
            latencies.add(latency);
        }
    }
    Ok(latencies)
}

async fn collect<T: 'static>(mut tasks: JoinSet<Result<T, Error>>) -> Result<Vec<T>, Error> {
    let mut results = Vec::new();
    while let Some(task) = tasks.join_next().await {
        results.push(task.map_err(|error| Error::invalid(format!("a caller died: {error}")))??);
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_call_is_made_and_counted_once() {
        let latencies = one_by_one(20, async |_| Ok(())).await.unwrap();
        assert_eq!(latencies.count(), 20);
        assert_eq!(one_by_one_blocking(20, |_| Ok(())).unwrap().count(), 20);
        assert!(one_by_one_blocking(3, |i| if i == 1 { Err(Error::invalid("no")) } else { Ok(()) }).is_err());
        assert!(one_by_one(3, async |i| if i == 1 { Err(Error::invalid("no")) } else { Ok(()) }).await.is_err());
    }

    #[tokio::test]
    async fn the_schedule_is_kept_whether_or_not_calls_answer() {
        // All calls answer only when the last has been made: an open loop gets there, a closed one never would.
        let made = Arc::new(tokio::sync::Semaphore::new(0));
        let latencies = on_schedule(200.0, Duration::from_millis(50), Duration::from_millis(200), |number| {
            let made = made.clone();
            if number == 49 {
                made.add_permits(50);
            }
            async move {
                made.acquire().await.map_err(|_| Error::invalid("closed"))?.forget();
                Ok(())
            }
        });
        let latencies = latencies.await.unwrap();
        assert_eq!(latencies.count(), 40, "the ten of the warm-up are not counted");
        assert!(latencies.quantile_ms(1.0) >= 190.0, "latency counts from the scheduled time");
    }

    #[tokio::test]
    async fn shed_calls_are_the_worst_latency() {
        let shed = |number| async move {
            if number % 2 == 0 { Ok(()) } else { Err(tonic::Status::resource_exhausted("later").into()) }
        };
        let latencies = on_schedule(500.0, Duration::ZERO, Duration::from_millis(40), shed).await.unwrap();
        assert_eq!((latencies.count(), latencies.shed()), (20, 10));
        assert!(latencies.quantile_ms(0.6) > 59_000.0 && latencies.quantile_ms(0.4) < 59_000.0);
    }

    #[tokio::test]
    async fn a_failure_ends_the_load() {
        let second = Duration::from_millis(20);
        let failing = |_| async { Err::<(), _>(Error::invalid("no")) };
        assert!(as_many_as_go(3, second, second, failing).await.is_err());
        assert!(on_schedule(100.0, second, second, failing).await.is_err());
        assert!(on_schedule(0.0, second, second, failing).await.is_err());
    }

    #[tokio::test]
    async fn throughput_counts_what_was_answered() {
        let duration = Duration::from_secs(2);
        let call = |_| async {
            tokio::task::yield_now().await;
            Ok(())
        };
        assert!(as_many_as_go(4, Duration::ZERO, duration, call).await.unwrap() > 0.0);
    }
}
