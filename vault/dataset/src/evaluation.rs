//! How well a model tells people apart, by a rule that anyone can repeat.
//!
//! *Genuine* scores: all pairs among the first ten images (file order) of each person. *Impostor*
//! scores: all pairs of the first image of each person. The threshold at a false-match rate (FMR) *f*
//! over *n* impostor scores is the (⌊f·n⌋+1)-th highest of them; accepted is what scores strictly
//! above it, so the empirical FMR never exceeds *f* and ties err towards rejection. The true-accept
//! rate (TAR = 1 − FNMR) is the accepted share of genuine pairs. Terms: ISO/IEC 19795-1.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::{Error, Faces};

/// Images of a person that count for genuine pairs.
pub const IMAGES_PER_PERSON: usize = 10;

/// The false-match rates that published figures are given at.
pub const STANDARD_FMRS: [f64; 4] = [1e-2, 1e-3, 1e-4, 1e-5];

/// First images scored together: two tiles of 512 values fit the L2 cache.
const TILE: usize = 64;

/// Count, mean and standard deviation (of the population, not the sample) of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distribution {
    /// Number of pairs.
    pub count: u64,
    /// Mean score.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
}

/// What a threshold costs and gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// The false-match rate asked for.
    pub fmr: f64,
    /// Accept what scores strictly above this.
    pub threshold: f32,
    /// Share of genuine pairs accepted.
    pub tar: f64,
}

/// The result of [`evaluate`].
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    /// Scores of two images of one person.
    pub genuine: Distribution,
    /// Scores of two people.
    pub impostor: Distribution,
    /// One row a false-match rate, in the order asked.
    pub rows: Vec<OperatingPoint>,
}

impl Accuracy {
    /// The row of a false-match rate that was asked for.
    #[must_use]
    pub fn at(&self, fmr: f64) -> Option<&OperatingPoint> {
        self.rows.iter().find(|row| (row.fmr - fmr).abs() <= f64::EPSILON * fmr.abs())
    }
}

/// Scores all pairs of `faces` with `score` on `threads` threads, and reads thresholds off at `fmrs`.
///
/// Exact, and lean: of the impostor scores only as many as the highest rate needs are kept.
///
/// # Errors
/// [`Error::Evaluation`] if there is no genuine or no impostor pair, if a rate is not in `[0, 1)`, or if
/// `score` gives a NaN.
pub fn evaluate(
    faces: &Faces,
    fmrs: &[f64],
    threads: usize,
    score: impl Fn(&[f32], &[f32]) -> f32 + Sync,
) -> Result<Accuracy, Error> {
    if let Some(bad) = fmrs.iter().find(|fmr| !(0.0..1.0).contains(*fmr)) {
        return Err(Error::Evaluation(format!("a false-match rate lies between 0 and 1, not at {bad}")));
    }
    let genuine = genuine_scores(faces, &score);
    let first: Vec<&[f32]> =
        faces.people().iter().filter_map(|person| person.images.first()).map(|&i| faces.embedding(i)).collect();
    let pairs = first.len() as u64 * (first.len() as u64).saturating_sub(1) / 2;
    if genuine.is_empty() || pairs == 0 {
        return Err(Error::Evaluation(format!(
            "{} people give {} genuine and {pairs} impostor pairs; both are needed",
            first.len(),
            genuine.len()
        )));
    }
    let rank = |fmr: f64| (fmr * pairs as f64).floor() as usize + 1;
    let keep = fmrs.iter().map(|&fmr| rank(fmr)).max().unwrap_or(0);
    let impostor = impostor_scores(&first, keep, threads, &score);

    let mut moments = Moments::default();
    genuine.iter().for_each(|&score| moments.add(score));
    if moments.nan || impostor.moments.nan {
        return Err(Error::Evaluation("the scoring function gave a score that is not a number".into()));
    }
    let impostor_distribution = impostor.moments.distribution();
    let top = impostor.top();
    let rows = fmrs
        .iter()
        .filter_map(|&fmr| {
            let threshold = *top.get(rank(fmr) - 1)?;
            let accepted = genuine.iter().filter(|&&score| score > threshold).count();
            Some(OperatingPoint { fmr, threshold, tar: accepted as f64 / genuine.len() as f64 })
        })
        .collect();
    Ok(Accuracy { genuine: moments.distribution(), impostor: impostor_distribution, rows })
}

fn genuine_scores(faces: &Faces, score: &impl Fn(&[f32], &[f32]) -> f32) -> Vec<f32> {
    let mut scores = Vec::new();
    for person in faces.people() {
        let images = &person.images[..person.images.len().min(IMAGES_PER_PERSON)];
        for (position, &a) in images.iter().enumerate() {
            scores.extend(images[..position].iter().map(|&b| score(faces.embedding(b), faces.embedding(a))));
        }
    }
    scores
}

/// Deals rows of tiles to threads like cards (tile row *t* has work in proportion to *t*) and merges in
/// thread order, so that the result depends on the number of threads in the last bits of the moments only.
fn impostor_scores(
    first: &[&[f32]],
    keep: usize,
    threads: usize,
    score: &(impl Fn(&[f32], &[f32]) -> f32 + Sync),
) -> Highest {
    let threads = threads.max(1);
    let scan = |thread: usize| {
        let mut highest = Highest::new(keep);
        for (row, a) in first.chunks(TILE).enumerate().skip(thread).step_by(threads) {
            for (column, b) in first.chunks(TILE).enumerate().take(row + 1) {
                for (i, x) in a.iter().enumerate() {
                    let until = if row == column { i } else { b.len() };
                    b[..until].iter().for_each(|y| highest.add(score(y, x)));
                }
            }
        }
        highest
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || scan(thread))).collect();
        let mut highest = scan(0);
        for other in others {
            match other.join() {
                Ok(other) => highest.merge(other),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        highest
    })
}

#[derive(Debug, Default, Clone, Copy)]
struct Moments {
    count: u64,
    sum: f64,
    squares: f64,
    nan: bool,
}

impl Moments {
    fn add(&mut self, score: f32) {
        let score = f64::from(score);
        self.count += 1;
        self.sum += score;
        self.squares += score * score;
        self.nan |= score.is_nan();
    }

    fn distribution(&self) -> Distribution {
        let mean = self.sum / self.count as f64;
        let variance = (self.squares / self.count as f64 - mean * mean).max(0.0);
        Distribution { count: self.count, mean, sd: variance.sqrt() }
    }
}

/// A score with `f32::total_cmp`'s order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ordered(f32);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The `keep` highest scores seen, and the moments of all.
struct Highest {
    keep: usize,
    heap: BinaryHeap<Reverse<Ordered>>,
    /// The lowest kept score once the heap is full: most scores stop here.
    floor: f32,
    moments: Moments,
}

impl Highest {
    fn new(keep: usize) -> Self {
        Self { keep, heap: BinaryHeap::with_capacity(keep + 1), floor: f32::NEG_INFINITY, moments: Moments::default() }
    }

    #[inline]
    fn add(&mut self, score: f32) {
        self.moments.add(score);
        if score > self.floor || self.heap.len() < self.keep {
            self.insert(score);
        }
    }

    fn insert(&mut self, score: f32) {
        self.heap.push(Reverse(Ordered(score)));
        if self.heap.len() > self.keep {
            self.heap.pop();
        }
        if self.heap.len() == self.keep {
            self.floor = self.heap.peek().map_or(f32::INFINITY, |lowest| lowest.0.0);
        }
    }

    fn merge(&mut self, other: Self) {
        self.moments.count += other.moments.count;
        self.moments.sum += other.moments.sum;
        self.moments.squares += other.moments.squares;
        self.moments.nan |= other.moments.nan;
        for Reverse(Ordered(score)) in other.heap {
            if score > self.floor || self.heap.len() < self.keep {
                self.insert(score);
            }
        }
    }

    /// Highest first.
    fn top(self) -> Vec<f32> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse(Ordered(score))| score).collect()
    }
}
