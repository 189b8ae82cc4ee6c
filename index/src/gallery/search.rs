use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use rayon::prelude::*;

use super::Gallery;
use super::segment::Segment;
use crate::{Error, Query};

/// Asked between segments, a millisecond apart or some, on the scan threads: true gives the
/// search up. `&|| false` never does.
pub type Stop<'a> = dyn Fn() -> bool + Sync + 'a;

/// What a search found, and what is needed to say how complete it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidates<K> {
    /// Every template that reaches the scan's cut and the estimate's, and no other; in no order.
    pub items: Vec<Candidate<K>>,
    /// Templates compared: all that the gallery held when the search passed.
    pub scanned: usize,
    /// The threshold asked for, a cosine.
    pub threshold: f32,
    /// How far below the threshold an estimate may lie. Around a centre each template is held to a
    /// margin of its own; this is then that of a template as far from the centre as the probe.
    pub margin: f32,
    /// Threshold less margin: the estimate's cut.
    pub cut: f32,
    /// The probability with which a template whose exact similarity equals the threshold is not among
    /// the items. For templates above the threshold it is smaller.
    pub miss: f64,
}

/// A template worth an exact comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate<K> {
    /// The key it was inserted under.
    pub key: K,
    /// Its estimated cosine to the probe: for ordering, not for deciding. High ones are estimated a little too low.
    pub estimate: f32,
}

/// Queries that pass over a segment together: so many that the memory is read seldom, and so few that a writer does not wait.
const TOGETHER: usize = 16;

/// Segments for each thread that a sweep passes over before others have their turn: some milliseconds of work.
const TURN: usize = 2;

/// Candidates that a sweep keeps for the queries that it compares together, and for one segment more for each thread.
const MOST: usize = 1 << 20;

type Segments<K> = [Arc<RwLock<Segment<K>>>];

impl<K: Copy + Ord + Hash + Send + Sync> Gallery<K> {
    /// Finds every template that may be at or above the threshold.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another quantizer's probe, [`Error::Stopped`] if `stop` said so: a search
    /// over part of a gallery has no answer.
    pub fn candidates(&self, query: &Query, stop: &Stop<'_>) -> Result<Candidates<K>, Error> {
        let found = self.candidates_batch(std::slice::from_ref(query), stop)?;
        found.into_iter().next().ok_or(Error::Stopped)
    }

    /// The same for many queries, in their order: the memory is read once for sixteen of them.
    ///
    /// # Errors
    /// As [`candidates`](Self::candidates).
    pub fn candidates_batch(&self, queries: &[Query], stop: &Stop<'_>) -> Result<Vec<Candidates<K>>, Error> {
        queries.iter().try_for_each(|query| self.quantizer.check_probe(query.probe()))?;
        let groups: Vec<Group<'_, K>> = queries.chunks(TOGETHER).map(|queries| Group { queries, below: &[] }).collect();
        let segments = self.segments.read().clone();
        let parts = self.pool.run(|| scan(&segments, &groups, &AtomicUsize::new(0), stop))?;

        let mut answers: Vec<Candidates<K>> = queries.iter().map(Candidates::none).collect();
        for part in parts {
            for (answer, (items, scanned)) in answers.iter_mut().zip(part) {
                answer.items.extend(items);
                answer.scanned += scanned;
            }
        }
        Ok(answers)
    }

    /// For each query the candidates among the templates whose keys are below one: for templates of the gallery itself, each
    /// below its own key, so that every pair is compared once. The more alike the keys are of sixteen queries, the less of
    /// the gallery is read.
    ///
    /// However many the queries are, the threads are taken for some milliseconds at a time, and searches that came meanwhile go
    /// first. Not for the pool's own threads, which would take no turns.
    ///
    /// # Errors
    /// As [`candidates`](Self::candidates). [`Error::TooMany`] for a threshold that more than a million pairs of sixteen queries may
    /// reach: what they are would not fit into memory.
    ///
    /// # Panics
    /// Unless there is a key for each query.
    pub fn candidates_below(
        &self,
        queries: &[Query],
        keys: &[K],
        stop: &Stop<'_>,
    ) -> Result<Vec<Vec<Candidate<K>>>, Error> {
        assert!(queries.len() == keys.len(), "a key for each query");
        queries.iter().try_for_each(|query| self.quantizer.check_probe(query.probe()))?;
        let segments = self.segments.read().clone();
        let mut found: Vec<Vec<Candidate<K>>> = queries.iter().map(|_| Vec::new()).collect();
        let chunks = queries.chunks(TOGETHER).zip(keys.chunks(TOGETHER)).zip(found.chunks_mut(TOGETHER));
        for ((queries, below), found) in chunks {
            let (group, count) = ([Group { queries, below }], AtomicUsize::new(0));
            let too_many = || count.load(Ordering::Relaxed) > MOST;
            for segments in segments.chunks(TURN * self.pool.threads()) {
                let parts = self.pool.run(|| scan(segments, &group, &count, &|| stop() || too_many()));
                if too_many() {
                    return Err(Error::TooMany { most: MOST });
                }
                for part in parts? {
                    found.iter_mut().zip(part).for_each(|(found, (items, _))| found.extend(items));
                }
            }
        }
        Ok(found)
    }
}

impl<K> Candidates<K> {
    fn none(query: &Query) -> Self {
        let (threshold, miss, margin) = (query.at().threshold(), query.at().miss(), query.margin());
        Self { items: Vec::new(), scanned: 0, threshold, margin, cut: threshold - margin, miss }
    }
}

/// Queries that pass over a segment together.
struct Group<'a, K> {
    queries: &'a [Query],
    /// The key below which each is compared; none for all.
    below: &'a [K],
}

/// One segment's candidates for each query, and how many templates it compared with it.
type Part<K> = Vec<(Vec<Candidate<K>>, usize)>;

/// Scans segments, and adds the candidates to `count` as they are found.
fn scan<K: Copy + Ord + Send + Sync>(
    segments: &Segments<K>,
    groups: &[Group<'_, K>],
    count: &AtomicUsize,
    stop: &Stop<'_>,
) -> Result<Vec<Part<K>>, Error> {
    segments
        .par_iter()
        .map(|segment| {
            let mut part = Part::new();
            for Group { queries, below } in groups {
                if stop() {
                    return Err(Error::Stopped);
                }
                // Locked anew for each group, so that a large batch does not keep writers out.
                let segment = segment.read();
                let mut found: Vec<Vec<Candidate<K>>> = queries.iter().map(|_| Vec::new()).collect();
                segment.scan(queries, below.iter().max().copied(), |i, key, radius, sum| {
                    if below.get(i).is_some_and(|below| key >= *below) {
                        return;
                    }
                    let estimate = queries[i].estimate(radius, sum);
                    found[i].extend(estimate.map(|estimate| Candidate { key, estimate }));
                });
                count.fetch_add(found.iter().map(Vec::len).sum(), Ordering::Relaxed);
                part.extend(found.into_iter().map(|items| (items, segment.len())));
            }
            Ok(part)
        })
        .collect()
}
