//! The civil calendar, in UTC: counted out here, so that nothing rests on the one that the vault counts by.

use lethe_domain::{Period, Timestamp};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Days from the first of January of the year 1 to that of 1970.
const DAYS_TO_1970: i64 = 719_162;

/// A day of the proleptic Gregorian calendar; months and days count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
}

/// So much later by the calendar: first the months, then the days. Where the month has no such day, its last day is over.
pub(crate) fn later(start: Timestamp, period: Period) -> Timestamp {
    let (months, days) = spelled(period);
    let (day, time_of_day) = (start.millis().div_euclid(DAY), start.millis().rem_euclid(DAY));
    let from = civil(day + DAYS_TO_1970);
    let count = from.year * 12 + from.month - 1 + months;
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
    let (to, time_of_day) = if from.day <= length(year, month) {
        (Civil { year, month, day: from.day }, time_of_day)
    } else if month == 12 {
        (Civil { year: year + 1, month: 1, day: 1 }, 0)
    } else {
        (Civil { year, month: month + 1, day: 1 }, 0)
    };
    Timestamp::from_millis((number(to) - DAYS_TO_1970 + days) * DAY + time_of_day)
}

/// A moment, by its date and the milliseconds since midnight.
pub(crate) fn moment(year: i64, month: i64, day: i64, time_of_day: i64) -> Timestamp {
    assert!((1..=12).contains(&month) && (1..=length(year, month)).contains(&day) && (0..DAY).contains(&time_of_day));
    Timestamp::from_millis((number(Civil { year, month, day }) - DAYS_TO_1970) * DAY + time_of_day)
}

/// The months and the days of a period, read from how it is written.
pub(crate) fn spelled(period: Period) -> (i64, i64) {
    let text = period.to_string();
    let (mut months, mut days, mut number) = (0, 0, 0);
    for sign in text.strip_prefix('P').unwrap().chars() {
        match sign {
            'Y' => months += 12 * std::mem::take(&mut number),
            'M' => months += std::mem::take(&mut number),
            'D' => days += std::mem::take(&mut number),
            digit => number = number * 10 + i64::from(digit.to_digit(10).unwrap()),
        }
    }
    (months, days)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap(year)),
        _ => 31,
    }
}

/// Days before the year, from the first of January of the year 1 on.
fn before(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

fn number(date: Civil) -> i64 {
    before(date.year) + (1..date.month).map(|month| length(date.year, month)).sum::<i64>() + date.day - 1
}

fn civil(number: i64) -> Civil {
    // A year has fewer days than 366, so that this guess is late by none and early by few.
    let mut year = 1 + number.div_euclid(366);
    while before(year + 1) <= number {
        year += 1;
    }
    let mut day = number - before(year) + 1;
    let mut month = 1;
    while day > length(year, month) {
        day -= length(year, month);
        month += 1;
    }
    Civil { year, month, day }
}

#[test]
fn the_calendar_counts_as_calendars_do() {
    let noon = DAY / 2;
    assert_eq!(moment(1970, 1, 1, 0).millis(), 0);
    assert_eq!(moment(2000, 2, 29, 0).millis(), 951_782_400_000);
    assert_eq!(moment(2027, 1, 15, 28_800_000).millis(), 1_800_000_000_000);
    assert_eq!(moment(1969, 12, 31, DAY - 1).millis(), -1);
    for day in -800_000..800_000 {
        assert_eq!(number(civil(day)), day);
    }
    let cases = [
        // Three years from a leap day: the whole of the last of February is still in them.
        ("P3Y", (2024, 2, 29, noon), (2027, 3, 1, 0)),
        ("P4Y", (2024, 2, 29, noon), (2028, 2, 29, noon)),
        ("P4Y", (2096, 2, 29, noon), (2100, 3, 1, 0)),
        ("P3Y", (2025, 2, 28, noon), (2028, 2, 28, noon)),
        ("P3Y", (2025, 3, 1, 0), (2028, 3, 1, 0)),
        ("P1M", (2026, 1, 31, 0), (2026, 3, 1, 0)),
        ("P1M", (2028, 1, 30, noon), (2028, 3, 1, 0)),
        ("P1M", (2028, 1, 29, noon), (2028, 2, 29, noon)),
        ("P1M", (2026, 10, 31, noon), (2026, 12, 1, 0)),
        ("P2M", (2026, 10, 31, noon), (2026, 12, 31, noon)),
        ("P24M", (2024, 12, 31, DAY - 1), (2026, 12, 31, DAY - 1)),
        ("P1M1D", (2026, 1, 31, noon), (2026, 3, 2, 0)),
        ("P1Y1D", (2027, 2, 28, noon), (2028, 2, 29, noon)),
        ("P90D", (2027, 12, 31, noon), (2028, 3, 30, noon)),
        ("P366D", (2023, 3, 1, noon), (2024, 3, 1, noon)),
        ("P0D", (1969, 12, 31, DAY - 1), (1969, 12, 31, DAY - 1)),
        ("P100Y", (1999, 12, 31, noon), (2099, 12, 31, noon)),
    ];
    for (text, from, to) in cases {
        let at = |(year, month, day, time)| moment(year, month, day, time);
        assert_eq!(later(at(from), Period::parse("x", text).unwrap()), at(to), "{text} from {from:?}");
    }
}
