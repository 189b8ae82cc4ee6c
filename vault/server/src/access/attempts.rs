use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use lethe_domain::SubjectId;
use parking_lot::Mutex;

use super::generations::Generations;
use crate::store::keys::GalleryId;

/// Failed attempts that are free.
const FREE: u32 = 10;
/// The first wait; doubled with each further failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Scores that callers are told of one subject within [`SCORES_PER`]. A score is a projection of the template, and as
/// many as it has dimensions, 512 say, give it away: that takes hours now, and leaves a trail in the log. No analyst
/// looks at one person so often.
const SCORES: u32 = 100;
/// The time that [`SCORES`] are for.
const SCORES_PER: Duration = Duration::from_secs(60 * 60);
/// Subjects of one tenant remembered in one generation, of two: this bounds the memory.
const REMEMBERED: usize = 50_000;

/// Counts 1:1 attempts on each subject of one tenant and makes callers wait, so that nobody can climb a band's edge by
/// trying, or have a template read out score by score.
///
/// It lives in RAM alone, keyed by a digest under a random key of this process, and an unknown subject is counted like
/// a known one: the wait tells nothing. Each tenant has its own: no other's traffic makes it forget.
pub struct Attempts {
    hasher: RandomState,
    failures: Mutex<Generations<Failures>>,
    scores: Mutex<Generations<Scores>>,
}

/// An attempt that has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// How long.
    pub retry_after: Duration,
    /// Whether it is the first in this wait: the one that is logged, so that refusals cannot fill a log.
    pub first: bool,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    /// Whether an attempt was refused since.
    refused: bool,
}

impl Failures {
    /// From the last of the free ones on there is a wait after each.
    fn wait(self) -> Duration {
        match (self.count + 1).saturating_sub(FREE) {
            0 => Duration::ZERO,
            n => FIRST_WAIT.saturating_mul(1_u32.checked_shl(n - 1).unwrap_or(u32::MAX)).min(LONGEST_WAIT),
        }
    }

    fn ready_at(self) -> Instant {
        self.last + self.wait()
    }

    /// A quarter of an hour without a failure is forgiven.
    fn is_forgiven(self, now: Instant) -> bool {
        now.saturating_duration_since(self.ready_at()) > LONGEST_WAIT
    }

    fn weight(self, now: Instant) -> Option<u32> {
        (!self.wait().is_zero() && !self.is_forgiven(now)).then_some(self.count)
    }
}

#[derive(Clone, Copy)]
struct Scores {
    told: u32,
    since: Instant,
    refused: bool,
}

impl Scores {
    fn is_over(self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= SCORES_PER
    }

    fn weight(self, now: Instant) -> Option<u32> {
        (self.told >= SCORES / 2 && !self.is_over(now)).then_some(self.told)
    }
}

impl Default for Attempts {
    fn default() -> Self {
        let failures = Mutex::new(Generations::new(REMEMBERED));
        let scores = Mutex::new(Generations::new(REMEMBERED));
        Self { hasher: RandomState::new(), failures, scores }
    }
}

impl Attempts {
    /// Begins an attempt. It counts as failed until [`Self::matched`] says otherwise, so that attempts made side by
    /// side count, too.
    ///
    /// # Errors
    /// How long to wait, where too many failed.
    pub fn begin(&self, gallery: GalleryId, subject: &SubjectId, now: Instant) -> Result<(), Refused> {
        let key = self.key(gallery, subject);
        let mut all = self.failures.lock();
        let mut failures = all.take(key).unwrap_or(Failures { count: 0, last: now, refused: false });
        // Attempts side by side take their times before the lock: one that has nothing to wait for is let in, even if
        // another's time is a little later.
        let waits = !failures.wait().is_zero();
        if waits && let Some(wait) = failures.ready_at().checked_duration_since(now).filter(|wait| !wait.is_zero()) {
            let refused = Refused { retry_after: wait, first: !failures.refused };
            failures.refused = true;
            all.put(key, failures, |other| other.weight(now));
            return Err(refused);
        }
        let before = if failures.is_forgiven(now) { 0 } else { failures.count };
        failures = Failures { count: before.saturating_add(1).min(u32::MAX - 1), last: now, refused: false };
        all.put(key, failures, |other| other.weight(now));
        Ok(())
    }

    /// An attempt matched: what failed before is forgiven.
    pub fn matched(&self, gallery: GalleryId, subject: &SubjectId) {
        self.failures.lock().take(self.key(gallery, subject));
    }

    /// Begins an attempt whose score is told. A match forgives none: its score says as much as another's.
    ///
    /// # Errors
    /// How long to wait, where too many were told.
    pub fn begin_scored(&self, gallery: GalleryId, subject: &SubjectId, now: Instant) -> Result<(), Refused> {
        let key = self.key(gallery, subject);
        let mut all = self.scores.lock();
        let known = all.take(key).filter(|scores| !scores.is_over(now));
        let mut scores = known.unwrap_or(Scores { told: 0, since: now, refused: false });
        let outcome = if scores.told < SCORES {
            scores.told += 1;
            Ok(())
        } else {
            let retry_after = (scores.since + SCORES_PER).saturating_duration_since(now);
            let first = !std::mem::replace(&mut scores.refused, true);
            Err(Refused { retry_after, first })
        };
        all.put(key, scores, |other| other.weight(now));
        outcome
    }

    fn key(&self, gallery: GalleryId, subject: &SubjectId) -> u64 {
        self.hasher.hash_one((gallery, subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(id: &str) -> SubjectId {
        SubjectId::parse(id).unwrap()
    }

    fn wait(retry_after: Duration, first: bool) -> Result<(), Refused> {
        Err(Refused { retry_after, first })
    }

    #[test]
    fn failures_are_free_then_wait_doubles_then_a_match_clears() {
        let attempts = Attempts::default();
        let subject = subject("someone");
        let start = Instant::now();
        for _ in 0..FREE {
            assert_eq!(attempts.begin(0, &subject, start), Ok(()));
        }
        assert_eq!(attempts.begin(0, &subject, start), wait(FIRST_WAIT, true));
        assert_eq!(attempts.begin(0, &subject, start), wait(FIRST_WAIT, false), "one entry a wait");
        assert_eq!(attempts.begin(0, &subject, start + FIRST_WAIT), Ok(()));
        assert_eq!(attempts.begin(0, &subject, start + FIRST_WAIT), wait(FIRST_WAIT * 2, true));
        let mut now = start;
        for _ in 0..100 {
            now += LONGEST_WAIT;
            assert_eq!(attempts.begin(0, &subject, now), Ok(()));
        }
        assert_eq!(attempts.begin(0, &subject, now), wait(LONGEST_WAIT, true));
        attempts.matched(0, &subject);
        assert_eq!(attempts.begin(0, &subject, now), Ok(()));
    }

    #[test]
    fn scores_of_a_subject_are_told_so_often_an_hour() {
        let attempts = Attempts::default();
        let (ann, bob) = (subject("ann"), subject("bob"));
        let start = Instant::now();
        for _ in 0..SCORES {
            assert_eq!(attempts.begin_scored(0, &ann, start), Ok(()));
        }
        let later = start + SCORES_PER / 4;
        assert_eq!(attempts.begin_scored(0, &ann, later), wait(SCORES_PER * 3 / 4, true));
        attempts.matched(0, &ann);
        assert_eq!(attempts.begin_scored(0, &ann, later), wait(SCORES_PER * 3 / 4, false));
        assert_eq!(attempts.begin_scored(0, &bob, later), Ok(()));
        assert_eq!(attempts.begin(0, &ann, later), Ok(()), "who sees no score is not held up by who does");
        assert_eq!(attempts.begin_scored(0, &ann, start + SCORES_PER), Ok(()));
    }

    #[test]
    fn a_flood_of_others_lets_nobody_off() {
        let attempts = Attempts::default();
        let victim = subject("victim");
        let now = Instant::now();
        while attempts.begin(0, &victim, now).is_ok() {}
        while attempts.begin_scored(0, &victim, now).is_ok() {}
        for number in 0..3 * REMEMBERED {
            let other = subject(&format!("s{number}"));
            assert_eq!(attempts.begin(0, &other, now), Ok(()));
            assert_eq!(attempts.begin_scored(0, &other, now), Ok(()));
        }
        assert!(attempts.begin(0, &victim, now).is_err());
        assert!(attempts.begin_scored(0, &victim, now).is_err());
    }
}
