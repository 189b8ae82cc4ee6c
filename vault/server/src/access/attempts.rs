use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::time::{Duration, Instant};

use lethe_domain::SubjectId;
use parking_lot::Mutex;

use crate::store::keys::GalleryId;

/// Failed attempts that are free.
const FREE: u32 = 10;
/// The first wait; doubled with each further failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Subjects remembered in one generation; there are two, so this bounds the memory.
const REMEMBERED: usize = 100_000;

/// Counts failed 1:1 attempts on each subject and makes callers wait, so that nobody can climb a band's
/// edge by trying.
///
/// It lives in RAM alone, keyed by a digest under a random key of this process, and an unknown subject is
/// counted like a known one: the wait tells nothing.
pub struct Attempts {
    hasher: RandomState,
    failures: Mutex<Generations>,
}

/// What was touched lately, and what was touched before that: when the young are too many, they become the old,
/// and the old are forgotten.
#[derive(Default)]
struct Generations {
    young: HashMap<u64, Failures>,
    old: HashMap<u64, Failures>,
}

impl Generations {
    fn take(&mut self, key: u64) -> Option<Failures> {
        self.young.remove(&key).or_else(|| self.old.remove(&key))
    }

    fn put(&mut self, key: u64, failures: Failures) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, failures);
    }
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn wait(self) -> Duration {
        let doublings = self.count.saturating_sub(FREE);
        match doublings {
            0 => Duration::ZERO,
            n => FIRST_WAIT.saturating_mul(1_u32.checked_shl(n - 1).unwrap_or(u32::MAX)).min(LONGEST_WAIT),
        }
    }

    fn ready_at(self) -> Instant {
        self.last + self.wait()
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self { hasher: RandomState::new(), failures: Mutex::default() }
    }
}

impl Attempts {
    /// Begins an attempt. It counts as failed until [`Self::matched`] says otherwise, so that attempts made side by
    /// side count, too.
    ///
    /// # Errors
    /// How long to wait, where too many failed.
    pub fn begin(&self, tenant: u64, gallery: GalleryId, subject: &SubjectId, now: Instant) -> Result<(), Duration> {
        let key = self.key(tenant, gallery, subject);
        let mut all = self.failures.lock();
        let mut failures = all.take(key).unwrap_or(Failures { count: 0, last: now });
        // Attempts side by side take their times before the lock: one that has nothing to wait for is let in, even if
        // another's time is a little later.
        let waits = !failures.wait().is_zero();
        if waits && let Some(wait) = failures.ready_at().checked_duration_since(now).filter(|wait| !wait.is_zero()) {
            all.put(key, failures);
            return Err(wait);
        }
        // A quarter of an hour without a failure is forgiven.
        if now.saturating_duration_since(failures.ready_at()) > LONGEST_WAIT {
            failures.count = 0;
        }
        failures = Failures { count: failures.count.saturating_add(1), last: now };
        all.put(key, failures);
        Ok(())
    }

    /// An attempt matched: what failed before is forgiven.
    pub fn matched(&self, tenant: u64, gallery: GalleryId, subject: &SubjectId) {
        self.failures.lock().take(self.key(tenant, gallery, subject));
    }

    fn key(&self, tenant: u64, gallery: GalleryId, subject: &SubjectId) -> u64 {
        self.hasher.hash_one((tenant, gallery, subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_free_then_wait_doubles_then_a_match_clears() {
        let attempts = Attempts::default();
        let subject = SubjectId::parse("someone").unwrap();
        let start = Instant::now();
        for _ in 0..=FREE {
            assert_eq!(attempts.begin(1, 0, &subject, start), Ok(()));
        }
        assert_eq!(attempts.begin(1, 0, &subject, start), Err(FIRST_WAIT));
        assert_eq!(attempts.begin(1, 0, &subject, start + FIRST_WAIT), Ok(()));
        assert_eq!(attempts.begin(1, 0, &subject, start + FIRST_WAIT), Err(FIRST_WAIT * 2));
        assert_eq!(attempts.begin(2, 0, &subject, start), Ok(()), "another tenant's subject of that name");
        let mut now = start;
        for _ in 0..100 {
            now += LONGEST_WAIT;
            assert_eq!(attempts.begin(1, 0, &subject, now), Ok(()));
        }
        assert_eq!(attempts.begin(1, 0, &subject, now), Err(LONGEST_WAIT));
        attempts.matched(1, 0, &subject);
        assert_eq!(attempts.begin(1, 0, &subject, now), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for number in 0..3 * REMEMBERED {
            let subject = SubjectId::parse(&format!("s{number}")).unwrap();
            assert_eq!(attempts.begin(1, 0, &subject, now), Ok(()));
        }
        let all = attempts.failures.lock();
        assert!(all.young.len() + all.old.len() <= 2 * REMEMBERED);
    }
}
