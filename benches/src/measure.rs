//! A B A B: neighbouring runs, medians, spread.

use std::future::Future;

use crate::Error;
use crate::record::Record;

/// Fewer pairs of runs than this make no figure.
pub const LEAST_RUNS: u32 = 5;

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Latency, bytes: less is better.
    Lower,
    /// Throughput, recall: more is better.
    Higher,
}

/// What a ratio is about.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// As in [`Record::scenario`].
    pub scenario: &'static str,
    /// As in [`Record::metric`].
    pub metric: &'static str,
    /// As in [`Record::unit`].
    pub unit: &'static str,
    /// As in [`Record::peer`].
    pub peer: &'static str,
    /// Which way is good.
    pub better: Better,
}

/// Values of neighbouring runs.
#[derive(Debug, Clone, Default)]
pub struct Pairs {
    ours: Vec<f64>,
    peers: Vec<f64>,
}

impl Pairs {
    /// Adds one pair.
    pub fn push(&mut self, ours: f64, peer: f64) {
        self.ours.push(ours);
        self.peers.push(peer);
    }

    /// Our values, in the order of the runs.
    #[must_use]
    pub fn ours(&self) -> &[f64] {
        &self.ours
    }

    /// Our values against another's peers: of runs that were not neighbours, so of use only where they are far apart.
    #[must_use]
    pub fn against(&self, others: &Self, of: impl Fn(f64) -> f64) -> Self {
        let peer = median(&others.peers);
        Self { ours: self.ours.clone(), peers: vec![of(peer); self.ours.len()] }
    }

    /// The record of these pairs.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a value is no positive number: a ratio of nothing is not a result.
    pub fn record(&self, measure: Measure, n: u64) -> Result<Record, Error> {
        let ratios: Vec<f64> = self
            .ours
            .iter()
            .zip(&self.peers)
            .map(|(ours, peer)| match measure.better {
                Better::Lower => peer / ours,
                Better::Higher => ours / peer,
            })
            .collect();
        if ratios.is_empty() || !ratios.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0) {
            return Err(Error::invalid(format!(
                "{} {}: {:?} against {:?} gives no ratio",
                measure.scenario, measure.metric, self.ours, self.peers
            )));
        }
        let ratio = median(&ratios);
        let largest = ratios.iter().copied().fold(f64::MIN, f64::max);
        let smallest = ratios.iter().copied().fold(f64::MAX, f64::min);
        Ok(Record {
            scenario: measure.scenario.into(),
            metric: measure.metric.into(),
            value: median(&self.ours),
            unit: measure.unit.into(),
            peer: measure.peer.into(),
            peer_value: median(&self.peers),
            ratio,
            n,
            runs: ratios.len() as u32,
            spread: (largest - smallest) / ratio,
        })
    }
}

/// Runs one pair to warm up, then `runs` pairs that count, ours and the peer's in turn.
///
/// # Errors
/// The first that either gives; [`Error::Invalid`] for fewer than [`LEAST_RUNS`].
pub async fn alternate<A, B>(
    runs: u32,
    mut ours: impl FnMut() -> A,
    mut peer: impl FnMut() -> B,
) -> Result<Pairs, Error>
where
    A: Future<Output = Result<f64, Error>>,
    B: Future<Output = Result<f64, Error>>,
{
    let (ours, peer) = (|| one(ours()), || one(peer()));
    let [pairs] = alternate_several(runs, ours, peer).await?;
    Ok(pairs)
}

async fn one(run: impl Future<Output = Result<f64, Error>>) -> Result<[f64; 1], Error> {
    run.await.map(|value| [value])
}

/// The same where a run gives several values.
///
/// # Errors
/// As [`alternate`].
pub async fn alternate_several<const N: usize, A, B>(
    runs: u32,
    mut ours: impl FnMut() -> A,
    mut peer: impl FnMut() -> B,
) -> Result<[Pairs; N], Error>
where
    A: Future<Output = Result<[f64; N], Error>>,
    B: Future<Output = Result<[f64; N], Error>>,
{
    if runs < LEAST_RUNS {
        return Err(Error::invalid(format!("{runs} runs make no median; at least {LEAST_RUNS}")));
    }
    ours().await?;
    peer().await?;
    let mut pairs: [Pairs; N] = std::array::from_fn(|_| Pairs::default());
    for _ in 0..runs {
        let (a, b) = (ours().await?, peer().await?);
        pairs.iter_mut().zip(a.into_iter().zip(b)).for_each(|(pairs, (a, b))| pairs.push(a, b));
    }
    Ok(pairs)
}

/// The middle value, or the mean of the two middle ones; NaN of nothing.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (None, _) => f64::NAN,
        (Some(&value), 1) => value,
        (Some(&value), _) => values.get(middle - 1).map_or(value, |below| (below + value) / 2.0),
    }
}

/// The exponent k of value ∝ n^k through the points (n, value), by least squares on logarithms: 0 is
/// constant, 1 linear. None for fewer than two sizes.
#[must_use]
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(n, value)| (n.ln(), value.ln())).collect();
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (variance > 1e-9).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const LATENCY: Measure =
        Measure { scenario: "search", metric: "grpc_p50", unit: "ms", peer: "faiss_flat", better: Better::Lower };

    #[tokio::test]
    async fn runs_alternate_and_the_first_pair_is_not_counted() {
        let order = RefCell::new(String::new());
        let ours = async || {
            order.borrow_mut().push('A');
            Ok(2.0)
        };
        let peer = async || {
            order.borrow_mut().push('B');
            Ok(if order.borrow().len() == 2 { 1e9 } else { 10.0 })
        };
        let record = alternate(5, ours, peer).await.unwrap().record(LATENCY, 7).unwrap();
        assert_eq!(*order.borrow(), "ABABABABABAB");
        assert_eq!((record.value, record.peer_value, record.ratio), (2.0, 10.0, 5.0));
        assert_eq!((record.runs, record.n, record.spread), (5, 7, 0.0));
    }

    #[tokio::test]
    async fn of_several_values_each_has_its_pairs() {
        let [first, second] = alternate_several(5, async || Ok([1.0, 2.0]), async || Ok([3.0, 8.0])).await.unwrap();
        assert_eq!(first.record(LATENCY, 1).unwrap().ratio, 3.0);
        assert_eq!(second.record(LATENCY, 1).unwrap().ratio, 4.0);
        assert_eq!(first.against(&second, |peer| peer * 2.0).record(LATENCY, 1).unwrap().ratio, 16.0);
    }

    #[tokio::test]
    async fn a_failed_run_is_not_a_data_point() {
        let fails = async || Err(Error::invalid("down"));
        assert!(alternate(5, fails, async || Ok(1.0)).await.is_err());
        assert!(alternate(4, async || Ok(1.0), async || Ok(1.0)).await.is_err(), "too few runs");
    }

    #[test]
    fn ratio_says_how_well_we_do_whichever_way_is_good() {
        let mut pairs = Pairs::default();
        for (ours, peer) in [(10.0, 30.0), (10.0, 20.0), (10.0, 25.0), (20.0, 60.0), (5.0, 10.0)] {
            pairs.push(ours, peer);
        }
        let latency = pairs.record(LATENCY, 1).unwrap();
        assert_eq!((latency.value, latency.ratio), (10.0, 2.5));
        assert!((latency.spread - 0.4).abs() < 1e-12);
        let throughput = pairs.record(Measure { better: Better::Higher, ..LATENCY }, 1).unwrap();
        assert_eq!(throughput.ratio, 0.4);
        pairs.push(0.0, 1.0);
        assert!(pairs.record(LATENCY, 1).is_err());
    }

    #[test]
    fn medians_and_exponents() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        let growth = |k: f64| exponent(&[1e4, 1e5, 1e6].map(|n: f64| (n, 3.0 * n.powf(k)))).unwrap();
        assert!((growth(1.0) - 1.0).abs() < 1e-9 && growth(0.0).abs() < 1e-9);
        assert_eq!(exponent(&[(10.0, 1.0)]), None);
    }
}
