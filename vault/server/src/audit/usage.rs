//! How often what was asked for (O35): counts of the log, with no person and no credential in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use lethe_crypto::log::entry::{Glance, Outcome};
use lethe_crypto::tree::TreeId;
use lethe_domain::{Invalid, Reason, TenantId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{CountUsage, CountVaultUsage};

use super::scan::{Window, survey};
use super::{done, log_of};
use crate::error::Result;
use crate::store::Change;
use crate::vault::Vault;

/// Spans that are counted at once.
const MOST_SPANS: usize = 400;

/// Counts that fit into an answer.
const MOST_COUNTS: usize = 50_000;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// How long the spans are, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Calendar days.
    Day,
    /// Calendar months.
    Month,
}

impl Period {
    /// When the span begins that a moment is in; in milliseconds since 1970.
    fn begin(self, time: i64) -> i64 {
        let day = time.div_euclid(DAY);
        match self {
            Self::Day => day * DAY,
            Self::Month => {
                let (year, month) = month_of(day);
                first_day(year, month) * DAY
            }
        }
    }

    /// When the span after that one begins.
    fn after(self, begin: i64) -> i64 {
        match self {
            Self::Day => begin + DAY,
            // No month has more than 31 days, and none fewer than 28.
            Self::Month => self.begin(begin + 31 * DAY),
        }
    }
}

/// Year and month of a day since 1970-01-01, in the Gregorian calendar: by years that begin with March, so that the day
/// that some years have more is their last.
const fn month_of(day: i64) -> (i64, i64) {
    let since = day + 719_468;
    let era = since.div_euclid(146_097);
    let of_era = since.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month)
}

/// The day since 1970-01-01 that a month begins with.
const fn first_day(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 - 719_468
}

/// How often something was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Whose.
    pub client: TenantId,
    /// When the span begins.
    pub start: Timestamp,
    /// What.
    pub operation: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How often.
    pub count: u64,
}

/// The spans that are counted by.
#[derive(Debug, Clone)]
pub struct Spans {
    /// When each begins, and at last when they are over.
    edges: Arc<Vec<u64>>,
}

impl Spans {
    /// The spans that a time is in.
    ///
    /// # Errors
    /// A time that ends before it begins, lies before 1970, or takes more spans than are counted at once.
    pub fn of(period: Period, start: Timestamp, end: Timestamp) -> Result<Self> {
        let refuse = |field: &str, why: String| Invalid::new(field, Reason::FieldOutOfRange, why);
        if start.millis() < 0 {
            return Err(refuse("start_time", "is before 1970".to_owned()).into());
        }
        if end <= start {
            return Err(refuse("end_time", "is not after start_time".to_owned()).into());
        }
        let mut edges = vec![period.begin(start.millis())];
        let mut last = period.begin(start.millis());
        while last < end.millis() {
            if edges.len() > MOST_SPANS {
                return Err(refuse("end_time", format!("is more than {MOST_SPANS} spans after start_time")).into());
            }
            last = period.after(last);
            edges.push(last);
        }
        Ok(Self { edges: Arc::new(edges.into_iter().map(|edge| u64::try_from(edge).unwrap_or(0)).collect()) })
    }

    fn window(&self) -> Window {
        Window { start: self.edges.first().copied(), end: self.edges.last().copied() }
    }

    /// Which span a moment is in.
    fn span(&self, time: u64) -> Option<usize> {
        let after = self.edges.partition_point(|edge| *edge <= time);
        (after > 0 && after < self.edges.len()).then(|| after - 1)
    }
}

/// Counts a tenant's calls.
pub async fn count(vault: &Arc<Vault>, call: Authorized<CountUsage>, spans: Spans) -> Result<Vec<Count>> {
    let silo = vault.silo(&call)?;
    let _place = vault.looking.survey(silo.tree)?;
    let counts = counts(vault, &silo.id, silo.tree, &spans).await?;
    vault.note(silo.tree, &call).await?;
    Ok(counts)
}

/// Counts the calls of every client. It is in the vault's log, and in those that were counted.
pub async fn count_all(vault: &Arc<Vault>, call: Authorized<CountVaultUsage>, spans: Spans) -> Result<Vec<Count>> {
    let _place = vault.looking.survey(TreeId::VAULT)?;
    let mut silos = vault.silos.all();
    silos.sort_by(|one, other| one.id.cmp(&other.id));
    let mut all = Vec::new();
    for silo in &silos {
        all.extend(counts(vault, &silo.id, silo.tree, &spans).await?);
        if all.len() > MOST_COUNTS {
            let why = "is too far after start_time: there would be more counts than an answer may have";
            return Err(Invalid::new("end_time", Reason::FieldOutOfRange, why).into());
        }
    }
    let (now, mut change) = (vault.clock.now(), Change::audit_of_read());
    for tree in silos.iter().map(|silo| silo.tree).chain([TreeId::VAULT]) {
        change.log(tree, done(&call, now)?);
    }
    vault.store.commit(change).await?;
    Ok(all)
}

type Tally = BTreeMap<(usize, String, &'static str), (Outcome, u64)>;

async fn counts(vault: &Vault, client: &TenantId, tree: TreeId, spans: &Spans) -> Result<Vec<Count>> {
    let size = log_of(vault, tree)?.size;
    let entries = spans.window().narrow(&vault.store, tree, size)?;
    let within = spans.clone();
    let add = move |tally: &mut Tally, _, entry: &Glance<'_>| {
        if let Some(span) = within.span(entry.time) {
            let key = (span, entry.operation.to_owned(), entry.outcome.as_str());
            tally.entry(key).or_insert((entry.outcome, 0)).1 += 1;
        }
        Ok(())
    };
    let tally = survey(&vault.store, tree, entries, Tally::new(), add).await?;
    let start = |span: usize| i64::try_from(spans.edges[span]).unwrap_or(i64::MAX);
    let count = |((span, operation, _), (outcome, count)): ((usize, String, &str), (Outcome, u64))| Count {
        client: client.clone(),
        start: Timestamp::from_millis(start(span)),
        operation,
        outcome,
        count,
    };
    Ok(tally.into_iter().map(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(period: Period, start: i64, end: i64) -> Vec<u64> {
        let spans = Spans::of(period, Timestamp::from_millis(start), Timestamp::from_millis(end)).unwrap();
        spans.edges.to_vec()
    }

    #[test]
    fn months_begin_where_the_calendar_says() {
        // Every month of four centuries, counted up from 1970.
        let (mut day, mut year, mut month) = (0, 1970, 1);
        for _ in 0..400 * 12 {
            assert_eq!(first_day(year, month), day, "{year}-{month}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            for of_month in 0..days {
                assert_eq!(month_of(day + of_month), (year, month));
            }
            let begin = day * DAY;
            assert_eq!(Period::Month.begin(begin + days * DAY - 1), begin);
            day += days;
            assert_eq!(Period::Month.after(begin), day * DAY);
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
    }

    #[test]
    fn spans_cover_the_time_and_begin_whole() {
        let day = u64::try_from(DAY).unwrap();
        assert_eq!(edges(Period::Day, 5, 6), [0, day]);
        assert_eq!(edges(Period::Day, 5, DAY), [0, day]);
        assert_eq!(edges(Period::Day, 5, DAY + 1), [0, day, 2 * day]);
        assert_eq!(edges(Period::Month, 31 * DAY, 59 * DAY), [31 * day, 59 * day]);
        let spans = Spans::of(Period::Day, Timestamp::from_millis(DAY), Timestamp::from_millis(3 * DAY)).unwrap();
        let found = [0, day - 1, day, 2 * day - 1, 2 * day, 3 * day - 1, 3 * day].map(|time| spans.span(time));
        assert_eq!(found, [None, None, Some(0), Some(0), Some(1), Some(1), None]);
        for (start, end) in [(-1, 5), (5, 5), (6, 5), (0, 401 * DAY)] {
            assert!(Spans::of(Period::Day, Timestamp::from_millis(start), Timestamp::from_millis(end)).is_err());
        }
        assert_eq!(edges(Period::Day, 0, 400 * DAY).len(), 401);
    }
}
