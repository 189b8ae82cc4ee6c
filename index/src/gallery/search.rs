use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use rayon::prelude::*;

use super::Gallery;
use super::segment::Segment;
use crate::planes::Cut;
use crate::{Error, OperatingPoint, Probe};

/// Asked between segments, a millisecond apart or some, on the scan threads: true gives the
/// search up. `&|| false` never does.
pub type Stop<'a> = dyn Fn() -> bool + Sync + 'a;

/// What a search found, and what is needed to say how complete it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidates<K> {
    /// Every template whose estimate reaches its cut, and no other; in no order.
    pub items: Vec<Candidate<K>>,
    /// Templates compared: all that the gallery held when the search passed.
    pub scanned: usize,
    /// The threshold asked for, a cosine.
    pub threshold: f32,
    /// How far below the threshold an estimate may lie. Around a centre each template is held to a
    /// margin of its own; this is then that of a template as far from the centre as the probe.
    pub margin: f32,
    /// Threshold less margin.
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

/// Probes that pass over a segment together: so many that the memory is read seldom, and so few that a writer does not wait.
const TOGETHER: usize = 16;

/// Segments for each thread that a sweep passes over before others have their turn: some milliseconds of work.
const TURN: usize = 2;

/// Candidates that a sweep keeps for the probes that it compares together, and for one segment more for each thread.
const MOST: usize = 1 << 20;

type Segments<K> = [Arc<RwLock<Segment<K>>>];

impl<K: Copy + Ord + Hash + Send + Sync> Gallery<K> {
    /// Finds every template that may be at or above the threshold.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another quantizer's probe, [`Error::Stopped`] if `stop` said so: a search
    /// over part of a gallery has no answer.
    pub fn candidates(&self, probe: &Probe, at: OperatingPoint, stop: &Stop<'_>) -> Result<Candidates<K>, Error> {
        let found = self.search(std::slice::from_ref(probe), at, stop)?;
        found.into_iter().next().ok_or(Error::Stopped)
    }

    /// The same for many probes, in their order: the memory is read once for sixteen of them.
    ///
    /// # Errors
    /// As [`candidates`](Self::candidates).
    pub fn candidates_batch(
        &self,
        probes: &[Probe],
        at: OperatingPoint,
        stop: &Stop<'_>,
    ) -> Result<Vec<Candidates<K>>, Error> {
        self.search(probes, at, stop)
    }

    /// For each probe the candidates among the templates whose keys are below one: for templates of the gallery itself, each
    /// below its own key, so that every pair is compared once. The more so alike the keys are of sixteen probes, the less of
    /// the gallery is read.
    ///
    /// However many the probes are, the threads are taken for some milliseconds at a time, and searches that came meanwhile go
    /// first. Not for the pool's own threads, which would take no turns.
    ///
    /// # Errors
    /// As [`candidates`](Self::candidates). [`Error::TooMany`] for a threshold that more than a million pairs of sixteen probes may
    /// reach: what they are would not fit into memory.
    ///
    /// # Panics
    /// Unless there is a key for each probe.
    pub fn candidates_below(
        &self,
        probes: &[Probe],
        keys: &[K],
        at: OperatingPoint,
        stop: &Stop<'_>,
    ) -> Result<Vec<Vec<Candidate<K>>>, Error> {
        assert!(probes.len() == keys.len(), "a key for each probe");
        probes.iter().try_for_each(|probe| self.quantizer.check_probe(probe))?;
        let segments = self.segments.read().clone();
        let mut found: Vec<Vec<Candidate<K>>> = probes.iter().map(|_| Vec::new()).collect();
        let chunks = probes.chunks(TOGETHER).zip(keys.chunks(TOGETHER)).zip(found.chunks_mut(TOGETHER));
        for ((probes, keys), found) in chunks {
            let (group, count) = ([Group::new(probes, keys, at)], AtomicUsize::new(0));
            let too_many = || count.load(Ordering::Relaxed) > MOST;
            for segments in segments.chunks(TURN * self.pool.threads()) {
                let parts = self.pool.run(|| scan(segments, &group, at, &count, &|| stop() || too_many()));
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

    fn search(&self, probes: &[Probe], at: OperatingPoint, stop: &Stop<'_>) -> Result<Vec<Candidates<K>>, Error> {
        probes.iter().try_for_each(|probe| self.quantizer.check_probe(probe))?;
        let groups: Vec<Group<'_, K>> = probes.chunks(TOGETHER).map(|probes| Group::new(probes, &[], at)).collect();
        let segments = self.segments.read().clone();
        let parts = self.pool.run(|| scan(&segments, &groups, at, &AtomicUsize::new(0), stop))?;

        let mut answers: Vec<Candidates<K>> =
            groups.iter().flat_map(|group| &group.margins).map(|&margin| Candidates::none(margin, at)).collect();
        for part in parts {
            for (answer, (items, scanned)) in answers.iter_mut().zip(part) {
                answer.items.extend(items);
                answer.scanned += scanned;
            }
        }
        Ok(answers)
    }
}

impl<K> Candidates<K> {
    fn none(margin: f32, at: OperatingPoint) -> Self {
        let threshold = at.threshold();
        Self { items: Vec::new(), scanned: 0, threshold, margin, cut: threshold - margin, miss: at.miss() }
    }
}

/// Probes that pass over a segment together.
struct Group<'a, K> {
    probes: &'a [Probe],
    /// The key below which each is compared; none for all.
    below: &'a [K],
    /// The margin of each, for a template as far from the centre as the probe.
    margins: Vec<f32>,
    coarse: Vec<Cut>,
    /// The exact cut of each; none around a centre, where templates have their own.
    cuts: Vec<Option<f32>>,
}

impl<'a, K: Copy + Ord> Group<'a, K> {
    fn new(probes: &'a [Probe], below: &'a [K], at: OperatingPoint) -> Self {
        let margins: Vec<f64> = probes.iter().map(|probe| probe.margin(probe.radius(), at)).collect();
        let cut = |margin: &f64| (f64::from(at.threshold()) - margin) as f32;
        let coarse = probes.iter().zip(&margins).map(|(probe, margin)| probe.coarse(at, cut(margin))).collect();
        let cuts = probes.iter().zip(&margins).map(|(p, margin)| (!p.has_centre()).then(|| cut(margin))).collect();
        let margins = margins.into_iter().map(|margin| margin as f32).collect();
        Self { probes, below, margins, coarse, cuts }
    }
}

/// One segment's candidates for each probe, and how many templates it compared with it.
type Part<K> = Vec<(Vec<Candidate<K>>, usize)>;

/// Scans segments, and adds the candidates to `count` as they are found.
fn scan<K: Copy + Ord + Send + Sync>(
    segments: &Segments<K>,
    groups: &[Group<'_, K>],
    at: OperatingPoint,
    count: &AtomicUsize,
    stop: &Stop<'_>,
) -> Result<Vec<Part<K>>, Error> {
    segments
        .par_iter()
        .map(|segment| {
            let mut part = Part::new();
            for Group { probes, below, coarse, cuts, .. } in groups {
                if stop() {
                    return Err(Error::Stopped);
                }
                // Locked anew for each group, so that a large batch does not keep writers out.
                let segment = segment.read();
                let mut found: Vec<Vec<Candidate<K>>> = probes.iter().map(|_| Vec::new()).collect();
                segment.scan(probes, coarse, below.iter().max().copied(), |i, key, radius, sum| {
                    if below.get(i).is_some_and(|below| key >= *below) {
                        return;
                    }
                    let estimate = probes[i].estimate(radius, sum);
                    if estimate >= cuts[i].unwrap_or_else(|| probes[i].cut(radius, at)) {
                        found[i].push(Candidate { key, estimate });
                    }
                });
                count.fetch_add(found.iter().map(Vec::len).sum(), Ordering::Relaxed);
                part.extend(found.into_iter().map(|items| (items, segment.len())));
            }
            Ok(part)
        })
        .collect()
}
