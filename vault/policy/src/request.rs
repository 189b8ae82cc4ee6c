//! Requests of data subjects: until when each must be answered, and what may become of it (O26). Pure functions.
//!
//! Nothing here is an input of [`judge`](crate::judge): exercising a right changes no answer (O37).

use lethe_domain::{
    Closure, Extension, ExtensionReason, Jurisdiction, Period, RefusalReason, RequestKind, RequestOutcome,
    RequestState, Requester, RightsRequest, Timestamp, Verification,
};
use time::{Date, Duration, Month, OffsetDateTime};

const DAY: i64 = 86_400_000;

/// How long before it is due a request is due soon, in days.
pub const SOON_DAYS: i64 = 7;

/// Days within which a complaint is answered, wherever it comes from.
const COMPLAINT: Span = Span::Days(45);

/// Over how many months requests are counted, and looked back for.
const YEAR: i32 = 12;

/// A span of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// To the same day of a later month, or the month's last where it has no such day.
    Months(u8),
    /// So many days.
    Days(u16),
}

/// What a jurisdiction gives to whoever answers: data, one line a jurisdiction. All spans count from the receipt.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The jurisdiction.
    pub jurisdiction: Jurisdiction,
    /// Until when a request is answered; and until when the requester is told that it takes longer.
    pub answer: Span,
    /// Until when, with an extension.
    pub in_all: Span,
    /// How many requests for portability a person may make in twelve months; `None`: the law names no number.
    pub portability_a_year: Option<usize>,
    /// Where that is written.
    pub source: &'static str,
}

/// The table, in the order of [`Jurisdiction`]. Where no law is known that names a time, the GDPR's counts.
#[rustfmt::skip]
const TERMS: [Terms; 8] = [
    terms(Jurisdiction::EuropeanUnion, Span::Months(1), Span::Months(3), None,    "GDPR Art. 12(3)"),
    terms(Jurisdiction::UnitedKingdom, Span::Months(1), Span::Months(3), None,    "UK GDPR Art. 12(3)"),
    terms(Jurisdiction::Illinois,      Span::Months(1), Span::Months(3), None,    "BIPA names no time: as GDPR"),
    terms(Jurisdiction::Texas,         Span::Days(45),  Span::Days(90),  None,    "TDPSA, Bus. & Com. Code § 541.052"),
    terms(Jurisdiction::Washington,    Span::Days(45),  Span::Days(90),  None,    "MHMDA, RCW 19.373.040"),
    terms(Jurisdiction::California,    Span::Days(45),  Span::Days(90),  Some(2), "CCPA, Civ. Code § 1798.130(a)(2), (b)"),
    terms(Jurisdiction::Kazakhstan,    Span::Months(1), Span::Months(3), None,    "as GDPR; shorter times of Law No. 94-V are the client's to keep"),
    terms(Jurisdiction::Other,         Span::Months(1), Span::Months(3), None,    "none known to the vault: as GDPR"),
];

const fn terms(
    jurisdiction: Jurisdiction,
    answer: Span,
    in_all: Span,
    portability_a_year: Option<usize>,
    source: &'static str,
) -> Terms {
    Terms { jurisdiction, answer, in_all, portability_a_year, source }
}

impl Terms {
    /// The terms of a jurisdiction.
    pub const fn of(jurisdiction: Jurisdiction) -> &'static Self {
        &TERMS[jurisdiction as usize - 1]
    }

    /// All lines.
    pub const fn table() -> &'static [Self] {
        &TERMS
    }
}

impl Span {
    /// The same time of day, a span later.
    pub fn after(self, start: Timestamp) -> Timestamp {
        match self {
            Self::Months(months) => months_after(start, months.into()),
            Self::Days(days) => Timestamp::from_millis(start.millis().saturating_add(i64::from(days) * DAY)),
        }
    }
}

/// The same day of the month and time of day so many months later, or earlier, in UTC; the month's last day where it has no
/// such day. What no calendar of four digits has stays as it is: it is due at once.
pub fn months_after(start: Timestamp, months: i32) -> Timestamp {
    let shifted = || {
        let at = OffsetDateTime::UNIX_EPOCH.checked_add(Duration::milliseconds(start.millis()))?;
        let number = at.year() * 12 + i32::from(u8::from(at.month())) - 1 + months;
        let (year, month) = (number.div_euclid(12), number.rem_euclid(12) + 1);
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        let date = Date::from_calendar_date(year, month, at.day().min(month.length(year))).ok()?;
        i64::try_from(at.replace_date(date).unix_timestamp_nanos() / 1_000_000).ok()
    };
    shifted().map_or(start, Timestamp::from_millis)
}

/// When a request has to be answered.
pub fn due(kind: RequestKind, jurisdiction: Jurisdiction, received: Timestamp) -> Timestamp {
    match kind {
        RequestKind::Complaint => COMPLAINT.after(received),
        RequestKind::Access
        | RequestKind::Portability
        | RequestKind::Rectification
        | RequestKind::Erasure
        | RequestKind::Restriction
        | RequestKind::Objection
        | RequestKind::ConsentWithdrawal
        | RequestKind::DecisionContest => Terms::of(jurisdiction).answer.after(received),
    }
}

/// When it has to be answered, with an extension; `None` for what is not extended.
pub fn due_extended(kind: RequestKind, jurisdiction: Jurisdiction, received: Timestamp) -> Option<Timestamp> {
    (kind != RequestKind::Complaint).then(|| Terms::of(jurisdiction).in_all.after(received))
}

/// Records a request.
pub fn open(
    kind: RequestKind,
    jurisdiction: Jurisdiction,
    requester: Requester,
    verification: Option<Verification>,
    received_at: Timestamp,
    now: Timestamp,
) -> RightsRequest {
    RightsRequest {
        kind,
        jurisdiction,
        requester,
        verification,
        received_at,
        opened_at: now,
        due_at: due(kind, jurisdiction, received_at),
        extension: None,
        closure: None,
    }
}

/// Why something may not become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objected {
    /// It is answered.
    Closed,
    /// It was given more time before.
    ExtendedBefore,
    /// What is of its kind is given no more time.
    NoMoreTime,
    /// Its first time is over: the requester would have had to be told by then.
    TooLate,
    /// Nobody verified who asks.
    Unverified,
    /// A refusal, of all or of a part, has a reason.
    ReasonMissing,
    /// What is fulfilled has no reason against it.
    ReasonGiven,
}

/// Takes more time, of which the requester is told at `now`, within the first.
///
/// # Errors
/// Where it is closed, extended, of a kind that is not, or late.
pub fn extend(request: &RightsRequest, reason: ExtensionReason, now: Timestamp) -> Result<RightsRequest, Objected> {
    match request.state() {
        RequestState::Closed => return Err(Objected::Closed),
        RequestState::Extended => return Err(Objected::ExtendedBefore),
        RequestState::Open => {}
    }
    let due_at = due_extended(request.kind, request.jurisdiction, request.received_at).ok_or(Objected::NoMoreTime)?;
    if now > request.due_at {
        return Err(Objected::TooLate);
    }
    Ok(RightsRequest { due_at, extension: Some(Extension { reason, noticed_at: now }), ..request.clone() })
}

/// Answers a request. `verification`, if there is one, replaces what was known of it.
///
/// # Errors
/// Where it is closed; where it is fulfilled, or a part of it, for somebody whom nobody verified, but for a complaint; where a
/// reason is missing, or is one too many.
pub fn close(
    request: &RightsRequest,
    outcome: RequestOutcome,
    reason: Option<RefusalReason>,
    verification: Option<Verification>,
    now: Timestamp,
) -> Result<RightsRequest, Objected> {
    if request.closure.is_some() {
        return Err(Objected::Closed);
    }
    let verification = verification.or(request.verification);
    let (acts, explains) = match outcome {
        RequestOutcome::Fulfilled => (true, false),
        RequestOutcome::Partly => (true, true),
        RequestOutcome::Refused => (false, true),
    };
    match (explains, reason) {
        (true, None) => return Err(Objected::ReasonMissing),
        (false, Some(_)) => return Err(Objected::ReasonGiven),
        (true, Some(_)) | (false, None) => {}
    }
    if acts && verification.is_none() && request.kind != RequestKind::Complaint {
        return Err(Objected::Unverified);
    }
    let closure = Closure { outcome, reason, closed_at: now };
    Ok(RightsRequest { verification, closure: Some(closure), ..request.clone() })
}

/// Whether a person has asked as often as the law grants (O25): of what was received in the twelve months up to `received`, each
/// with its kind, what was refused not counted.
pub fn is_exhausted(
    kind: RequestKind,
    jurisdiction: Jurisdiction,
    received: Timestamp,
    earlier: impl IntoIterator<Item = (RequestKind, Timestamp)>,
) -> bool {
    let Some(most) = Terms::of(jurisdiction).portability_a_year.filter(|_| kind == RequestKind::Portability) else {
        return false;
    };
    let since = months_after(received, -YEAR);
    let counts = |&(of, at): &(RequestKind, Timestamp)| of == RequestKind::Portability && at > since && at <= received;
    earlier.into_iter().filter(counts).count() >= most
}

/// Whether a request need not be kept any more: its answer is as old as claims that rest on it can be.
pub fn is_over(request: &RightsRequest, limitation: Period, now: Timestamp) -> bool {
    request.closure.is_some_and(|closure| limitation.after(closure.closed_at) <= now)
}

/// How a request stands at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pressure {
    /// Answered, or with time left.
    None,
    /// To be answered within a week.
    Soon,
    /// Its time is over.
    Overdue,
}

/// How a request that is due at some time, and is not answered, stands.
pub const fn pressure(due: Timestamp, now: Timestamp) -> Pressure {
    let left = due.millis().saturating_sub(now.millis());
    if left < 0 {
        Pressure::Overdue
    } else if left <= SOON_DAYS * DAY {
        Pressure::Soon
    } else {
        Pressure::None
    }
}

/// What became of the requests of one kind, of twelve months (Cal. Code Regs. tit. 11, § 7102).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Received.
    pub received: u32,
    /// Of them, fulfilled.
    pub fulfilled: u32,
    /// Fulfilled in part.
    pub partly: u32,
    /// Refused.
    pub refused: u32,
    /// Not answered yet.
    pub open: u32,
    /// Answered after they were due, or not answered and overdue.
    pub late: u32,
    /// Median of the days from receipt to answer, days begun counted whole; `None` where none is answered.
    pub median_days: Option<f64>,
}

/// Since when requests are counted at `now`: those that were received after it.
pub fn counted_since(now: Timestamp) -> Timestamp {
    months_after(now, -YEAR)
}

/// Counts the requests of one kind that were received in the twelve months up to `now`.
pub fn statistics<'a>(
    kind: RequestKind,
    requests: impl IntoIterator<Item = &'a RightsRequest>,
    now: Timestamp,
) -> Statistics {
    let since = counted_since(now);
    let counts = |request: &&RightsRequest| request.kind == kind && request.received_at > since;
    let (mut counted, mut days) = (Statistics::default(), Vec::new());
    for request in requests.into_iter().filter(counts) {
        counted.received += 1;
        let answered = match request.closure {
            None => {
                counted.open += 1;
                now
            }
            Some(closure) => {
                *match closure.outcome {
                    RequestOutcome::Fulfilled => &mut counted.fulfilled,
                    RequestOutcome::Partly => &mut counted.partly,
                    RequestOutcome::Refused => &mut counted.refused,
                } += 1;
                let took = closure.closed_at.millis().saturating_sub(request.received_at.millis()).max(0);
                days.push(took / DAY + i64::from(took % DAY > 0));
                closure.closed_at
            }
        };
        counted.late += u32::from(answered > request.due_at);
    }
    days.sort_unstable();
    counted.median_days = median(&days);
    counted
}

#[allow(clippy::cast_precision_loss, reason = "days of a year")]
fn median(sorted: &[i64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some((lower + upper) as f64 / 2.0)
}

#[cfg(test)]
mod tests;
