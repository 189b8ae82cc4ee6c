use std::time::Duration;

use lethe_domain::Timestamp;

/// How far a clock may be put right without anybody asking whether it is.
const TOLERANCE: i64 = 300_000;
/// The longest standstill after which a start believes its clock: 30 days.
const STANDSTILL: i64 = 30 * 86_400_000;
/// Settings of the clock that are remembered.
const REMEMBERED: usize = 8;

/// What of the clock is believed: nothing that it says is destroyed early because it jumped ahead.
///
/// While the process runs, time passes as the machine's other clock says, which never jumps. A clock that is set back is
/// believed, and so is one that is set forward again to where it was. One that is set ahead is not: time goes on from before.
/// At a start there is only the time that the last sweep believed; after a longer standstill somebody has to say that the clock is
/// right.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    /// Time of day less time elapsed, of each setting that was believed.
    settings: Vec<i64>,
    /// What was believed last before this start; `None` if nobody knows.
    last: Option<Timestamp>,
    /// What the clock said then, if that was not believed.
    disbelieved: Option<Timestamp>,
    /// Until when somebody said that the clock is right.
    right_until: Option<Timestamp>,
}

/// What the clock is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Believed {
    /// It is this time.
    Now(Timestamp),
    /// It is this time; the clock jumped ahead.
    Slower(Timestamp),
    /// Nobody knows: the vault stood still for too long to tell from a clock that is wrong.
    Unknown,
}

impl Trust {
    pub(crate) const fn new(last: Option<Timestamp>, right_until: Option<Timestamp>) -> Self {
        Self { settings: Vec::new(), last, disbelieved: None, right_until }
    }

    /// The same, where the clock said something else when that was believed: it does not get right by a start.
    pub(crate) fn disbelieving(self, said: Option<Timestamp>) -> Self {
        Self { disbelieved: said, ..self }
    }

    /// A time that has certainly come, if any is known: what was believed before this start.
    pub(crate) const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// What a clock's words are taken for.
    pub(crate) fn believe(&mut self, says: Timestamp, elapsed: Duration) -> Believed {
        let since = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        let setting = says.millis().saturating_sub(since);
        if let Some(known) = self.settings.iter_mut().find(|known| (**known - setting).abs() <= TOLERANCE) {
            // Clocks drift, and are put right bit by bit.
            *known = setting;
            return Believed::Now(says);
        }
        let is_vouched_for = self.right_until.is_some_and(|until| says <= until);
        // A machine that starts in the past, until it asks what time it is, has not started yet.
        let starts = self.last.is_none_or(|last| {
            self.settings.iter().all(|known| known.saturating_add(since) < last.millis().saturating_sub(TOLERANCE))
        });
        let is_wrong_still = self.disbelieved.is_some_and(|said| says >= said);
        let is_near =
            !is_wrong_still && self.last.is_some_and(|last| says.millis() <= last.millis().saturating_add(STANDSTILL));
        let least = self.settings.iter().copied().min();
        let goes_back = least.is_some_and(|least| setting < least);
        if is_vouched_for || goes_back || (starts && is_near) {
            if goes_back {
                // It had been ahead, and so maybe what is known of before.
                self.last = self.last.map(|last| last.min(says));
            }
            if self.settings.len() == REMEMBERED {
                self.settings.remove(0);
            }
            self.settings.push(setting);
            return Believed::Now(says);
        }
        match least {
            Some(least) => Believed::Slower(Timestamp::from_millis(least.saturating_add(since))),
            None => Believed::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000;
    const YEAR: i64 = 366 * DAY;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn after(millis: i64) -> Duration {
        Duration::from_millis(u64::try_from(millis).unwrap())
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_not_believed_and_one_that_comes_back_is() {
        let mut trust = Trust::new(Some(at(0)), None);
        assert_eq!(trust.believe(at(DAY), after(0)), Believed::Now(at(DAY)));
        assert_eq!(trust.believe(at(2 * DAY + 40), after(DAY)), Believed::Now(at(2 * DAY + 40)));
        assert_eq!(trust.believe(at(YEAR), after(2 * DAY)), Believed::Slower(at(3 * DAY + 40)));
        assert_eq!(trust.believe(at(4 * DAY), after(3 * DAY)), Believed::Now(at(4 * DAY)));
        // Back, and forth to where it was.
        assert_eq!(trust.believe(at(0), after(4 * DAY)), Believed::Now(at(0)));
        assert_eq!(trust.believe(at(DAY), after(5 * DAY)), Believed::Now(at(DAY)));
        assert_eq!(trust.believe(at(7 * DAY), after(6 * DAY)), Believed::Now(at(7 * DAY)));
        // To somewhere in between: ahead of the least that was believed.
        assert_eq!(trust.believe(at(6 * DAY), after(7 * DAY)), Believed::Slower(at(3 * DAY)));
    }

    #[test]
    fn after_a_long_standstill_somebody_has_to_say_that_the_clock_is_right() {
        assert_eq!(Trust::new(Some(at(0)), None).believe(at(STANDSTILL), after(9)), Believed::Now(at(STANDSTILL)));
        let mut trust = Trust::new(Some(at(0)), None);
        assert_eq!(trust.believe(at(STANDSTILL + 1), after(9)), Believed::Unknown);
        assert_eq!(trust.believe(at(STANDSTILL + 1), after(19)), Believed::Unknown);
        let mut trust = Trust::new(Some(at(0)), Some(at(YEAR)));
        assert_eq!(trust.believe(at(YEAR), after(9)), Believed::Now(at(YEAR)));
        assert_eq!(Trust::new(Some(at(0)), Some(at(YEAR))).believe(at(YEAR + 1), after(9)), Believed::Unknown);
        assert_eq!(Trust::new(Some(at(YEAR)), None).believe(at(0), after(9)), Believed::Now(at(0)));
        let mut trust = Trust::new(Some(at(0)), None).disbelieving(Some(at(25 * DAY)));
        assert_eq!(trust.believe(at(25 * DAY + 9), after(9)), Believed::Unknown, "it is as wrong as it was");
        assert_eq!(trust.believe(at(DAY), after(9)), Believed::Now(at(DAY)));
        assert_eq!(Trust::new(None, None).believe(at(DAY), after(9)), Believed::Unknown);
        assert_eq!(Trust::new(None, Some(at(YEAR))).believe(at(DAY), after(9)), Believed::Now(at(DAY)));
    }

    #[test]
    fn a_machine_that_starts_in_the_past_is_believed_when_it_has_asked_for_the_time() {
        let mut trust = Trust::new(Some(at(YEAR)), None);
        assert_eq!(trust.believe(at(0), after(9)), Believed::Now(at(0)));
        assert_eq!(trust.believe(at(YEAR + DAY), after(DAY)), Believed::Now(at(YEAR + DAY)));
        assert_eq!(trust.believe(at(YEAR + 5 * DAY), after(2 * DAY)), Believed::Slower(at(2 * DAY - 9)));
        // Nor is it believed then what it would not have been at the start.
        let mut trust = Trust::new(Some(at(YEAR)), None);
        assert_eq!(trust.believe(at(0), after(0)), Believed::Now(at(0)));
        assert_eq!(trust.believe(at(2 * YEAR), after(DAY)), Believed::Slower(at(DAY)));
    }

    proptest! {
        /// The clock is right, but for jumps; whatever is believed is never ahead of the time, and is the time whenever the
        /// clock shows it.
        #[test]
        fn nothing_is_early_and_nothing_late_whose_clock_is_right(jumps in proptest::collection::vec((0..40 * DAY, 0..20 * YEAR, any::<bool>()), 1..40)) {
            let mut trust = Trust::new(Some(at(0)), None);
            let (mut time, mut elapsed) = (DAY, 0);
            prop_assert_eq!(trust.believe(at(time), after(elapsed)), Believed::Now(at(time)));
            for (passed, jump, wrong) in jumps {
                time += passed;
                elapsed += passed;
                let says = if wrong { time + TOLERANCE + 1 + jump } else { time };
                match trust.believe(at(says), after(elapsed)) {
                    Believed::Now(now) => {
                        prop_assert!(!wrong);
                        prop_assert_eq!(now, at(time));
                    }
                    Believed::Slower(now) => prop_assert!(wrong && now == at(time)),
                    Believed::Unknown => prop_assert!(false),
                }
            }
        }
    }
}
