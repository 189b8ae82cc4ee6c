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
/// Subjects remembered; beyond it those whose wait is over are dropped.
const REMEMBERED: usize = 100_000;

/// Counts failed 1:1 attempts on each subject and makes callers wait, so that nobody can climb a band's
/// edge by trying.
///
/// It lives in RAM alone, keyed by a digest under a random key of this process, and an unknown subject is
/// counted like a known one: the wait tells nothing.
pub struct Attempts {
    hasher: RandomState,
    failures: Mutex<HashMap<u64, Failures>>,
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
        Self { hasher: RandomState::new(), failures: Mutex::new(HashMap::new()) }
    }
}

impl Attempts {
    /// How long a caller has to wait before it may try again; `None` where it may now.
    pub fn wait(&self, tenant: u64, gallery: GalleryId, subject: &SubjectId, now: Instant) -> Option<Duration> {
        let failures = *self.failures.lock().get(&self.key(tenant, gallery, subject))?;
        failures.ready_at().checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// Records how an attempt ended.
    pub fn record(&self, tenant: u64, gallery: GalleryId, subject: &SubjectId, matched: bool, now: Instant) {
        let key = self.key(tenant, gallery, subject);
        let mut all = self.failures.lock();
        if matched {
            all.remove(&key);
            return;
        }
        if all.len() >= REMEMBERED {
            all.retain(|_, failures| failures.ready_at() + LONGEST_WAIT > now);
        }
        let failures = all.entry(key).or_insert(Failures { count: 0, last: now });
        // A quarter of an hour without a failure is forgiven.
        if now.saturating_duration_since(failures.ready_at()) > LONGEST_WAIT {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
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
        for _ in 0..FREE {
            assert_eq!(attempts.wait(1, 0, &subject, start), None);
            attempts.record(1, 0, &subject, false, start);
        }
        assert_eq!(attempts.wait(1, 0, &subject, start), None);
        attempts.record(1, 0, &subject, false, start);
        assert_eq!(attempts.wait(1, 0, &subject, start), Some(FIRST_WAIT));
        attempts.record(1, 0, &subject, false, start);
        assert_eq!(attempts.wait(1, 0, &subject, start), Some(FIRST_WAIT * 2));
        assert_eq!(attempts.wait(2, 0, &subject, start), None, "another tenant's subject of that name");
        for _ in 0..100 {
            attempts.record(1, 0, &subject, false, start);
        }
        assert_eq!(attempts.wait(1, 0, &subject, start), Some(LONGEST_WAIT));
        attempts.record(1, 0, &subject, true, start);
        assert_eq!(attempts.wait(1, 0, &subject, start), None);
    }
}
