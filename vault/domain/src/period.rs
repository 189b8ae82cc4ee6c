use std::fmt;

use time::{Date, Duration, Month, OffsetDateTime, Time};

use crate::{Invalid, Reason, Timestamp};

/// How long something lasts by the calendar: whole months and days, such as `P3Y`, `P18M`, `P90D`, `P1Y6M` (ISO 8601, without
/// hours). Laws count so; a year is no number of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    months: u32,
    days: u32,
}

impl Period {
    /// The longest, in months: a century.
    const MOST_MONTHS: u32 = 1200;
    /// The longest, in days: a century.
    const MOST_DAYS: u32 = 36_525;

    /// No time at all.
    pub const ZERO: Self = Self { months: 0, days: 0 };

    /// So many months.
    pub const fn months(months: u32) -> Self {
        Self { months, days: 0 }
    }

    /// So many days.
    pub const fn days(days: u32) -> Self {
        Self { months: 0, days }
    }

    /// Parses `PnYnMnWnD`, each part at most once and in this order; `field` is what a refusal names.
    ///
    /// # Errors
    /// Anything else, and more than a century.
    pub fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "must be a period such as P3Y, P18M or P90D");
        let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or_else(refuse)?;
        let (mut months, mut days) = (0_u64, 0_u64);
        let units = [('Y', 12, 0), ('M', 1, 0), ('W', 0, 7), ('D', 0, 1)];
        let mut next = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, unit) = rest.split_at(digits);
            // Five digits are beyond a century in every unit, and beyond no integer.
            let number: u64 = if digits <= 5 { number.parse().map_err(|_| refuse())? } else { return Err(refuse()) };
            let unit_of = unit.chars().next().ok_or_else(refuse)?;
            let found = units[next..].iter().position(|(name, ..)| *name == unit_of).ok_or_else(refuse)?;
            let (_, in_months, in_days) = units[next + found];
            months += number * in_months;
            days += number * in_days;
            next += found + 1;
            rest = &unit[1..];
        }
        let period = Self {
            months: u32::try_from(months).map_err(|_| refuse())?,
            days: u32::try_from(days).map_err(|_| refuse())?,
        };
        if period.months > Self::MOST_MONTHS || period.days > Self::MOST_DAYS {
            return Err(Invalid::new(field, Reason::FieldOutOfRange, "must be a century at most"));
        }
        Ok(period)
    }

    /// The moment at which it is over, if it begins at `start`: the same time of day, UTC, so many months and then days on. Where
    /// the month has no such day, the end of its last.
    pub fn after(self, start: Timestamp) -> Timestamp {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(start.millis()) * 1_000_000);
        let over = moment
            .ok()
            .and_then(|moment| add_months(moment, self.months)?.checked_add(Duration::days(self.days.into())));
        // A clock so far off means nothing; what never comes is never early.
        over.map_or(Timestamp::MAX, |over| {
            Timestamp::from_millis(i64::try_from(over.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
        })
    }
}

fn add_months(moment: OffsetDateTime, months: u32) -> Option<OffsetDateTime> {
    let date = moment.date();
    let count = i64::from(date.year()) * 12 + i64::from(u8::from(date.month())) - 1 + i64::from(months);
    let year = i32::try_from(count.div_euclid(12)).ok()?;
    let month = Month::try_from(u8::try_from(count.rem_euclid(12) + 1).ok()?).ok()?;
    let last = month.length(year);
    if date.day() <= last {
        return Some(moment.replace_date(Date::from_calendar_date(year, month, date.day()).ok()?));
    }
    let end = Date::from_calendar_date(year, month, last).ok()?.next_day()?;
    Some(moment.replace_date(end).replace_time(Time::MIDNIGHT))
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (years, months) = (self.months / 12, self.months % 12);
        f.write_str("P")?;
        for (number, unit) in [(years, 'Y'), (months, 'M'), (self.days, 'D')] {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        if *self == Self::ZERO { f.write_str("0D") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn at(moment: OffsetDateTime) -> Timestamp {
        Timestamp::from_millis(i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap())
    }

    fn period(text: &str) -> Period {
        Period::parse("x", text).unwrap()
    }

    #[test]
    fn periods_follow_the_calendar() {
        let cases = [
            ("P3Y", datetime!(2024-02-29 12:30:00.25 UTC), datetime!(2027-03-01 0:00 UTC)),
            ("P4Y", datetime!(2024-02-29 12:30 UTC), datetime!(2028-02-29 12:30 UTC)),
            ("P1M", datetime!(2026-01-31 0:00 UTC), datetime!(2026-03-01 0:00 UTC)),
            ("P1M", datetime!(2028-01-31 0:00 UTC), datetime!(2028-03-01 0:00 UTC)),
            ("P13M", datetime!(2026-12-31 23:59:59 UTC), datetime!(2028-01-31 23:59:59 UTC)),
            ("P90D", datetime!(2027-12-31 0:00 UTC), datetime!(2028-03-30 0:00 UTC)),
            ("P1Y1D", datetime!(2027-02-28 0:00 UTC), datetime!(2028-02-29 0:00 UTC)),
            ("P2W", datetime!(2028-02-20 0:00 UTC), datetime!(2028-03-05 0:00 UTC)),
            ("P0D", datetime!(1969-12-31 23:59:59.999 UTC), datetime!(1969-12-31 23:59:59.999 UTC)),
        ];
        for (text, start, over) in cases {
            assert_eq!(period(text).after(at(start)), at(over), "{text} after {start}");
        }
        assert_eq!(period("P100Y").after(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for bad in [
            "", "P", "3Y", "P3", "PY", "P1D1Y", "P1M1M", "P-1D", "P1.5Y", "PT1H", "P101Y", "P36526D", "P999999D",
            "p1y", "P1Y ",
        ] {
            assert!(Period::parse("x", bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(months in 0u32..=1200, days in 0u32..=36_525) {
            let said = Period { months, days };
            prop_assert_eq!(period(&said.to_string()), said);
        }

        #[test]
        fn a_later_start_is_never_over_sooner(months in 0u32..=1200, days in 0u32..=36_525, a in 0i64..4_000_000_000_000, more in 0i64..200_000_000_000) {
            let said = Period { months, days };
            prop_assert!(said.after(Timestamp::from_millis(a)) <= said.after(Timestamp::from_millis(a + more)));
        }

        #[test]
        fn nothing_panics(months in 0u32..=1200, days in 0u32..=36_525, start: i64) {
            let start = Timestamp::from_millis(start);
            let over = Period { months, days }.after(start);
            prop_assert!(over >= start);
        }
    }
}
