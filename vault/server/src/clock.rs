//! What time it is: one clock for all that judges and records.

use std::time::Duration;

use lethe_domain::Timestamp;
use rustix::time::{ClockId, clock_gettime};

#[cfg(test)]
pub(crate) use set::Hands;

/// The vault's clock.
#[derive(Debug, Clone, Default)]
pub(crate) enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that a test sets.
    #[cfg(test)]
    Set(std::sync::Arc<Hands>),
}

impl Clock {
    /// The time of day. It may be wrong, and jump.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            #[cfg(test)]
            Self::Set(hands) => hands.now(),
        }
    }

    /// How long the machine has been on, asleep or awake: it never jumps.
    pub(crate) fn elapsed(&self) -> Duration {
        match self {
            Self::System => {
                let since = clock_gettime(ClockId::Boottime);
                let (seconds, nanos) = (u64::try_from(since.tv_sec), u32::try_from(since.tv_nsec));
                Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
            }
            #[cfg(test)]
            Self::Set(hands) => hands.elapsed(),
        }
    }
}

#[cfg(test)]
mod set {
    use parking_lot::Mutex;

    use super::*;

    /// The hands of a clock that a test sets.
    #[derive(Debug)]
    pub(crate) struct Hands(Mutex<(i64, u64)>);

    impl Hands {
        /// A clock that shows a time.
        pub(crate) fn showing(at: Timestamp) -> std::sync::Arc<Self> {
            std::sync::Arc::new(Self(Mutex::new((at.millis(), 0))))
        }

        /// Time passes.
        pub(crate) fn pass(&self, time: Duration) {
            let (mut hands, millis) = (self.0.lock(), u64::try_from(time.as_millis()).unwrap());
            hands.0 += i64::try_from(millis).unwrap();
            hands.1 += millis;
        }

        /// Somebody sets the clock: no time passes.
        pub(crate) fn jump(&self, to: Timestamp) {
            self.0.lock().0 = to.millis();
        }

        pub(super) fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.lock().0)
        }

        pub(super) fn elapsed(&self) -> Duration {
            Duration::from_millis(self.0.lock().1)
        }
    }
}
