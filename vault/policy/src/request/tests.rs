use proptest::prelude::*;
use time::macros::datetime;

use super::*;

fn at(moment: OffsetDateTime) -> Timestamp {
    Timestamp::from_millis((moment.unix_timestamp_nanos() / 1_000_000) as i64)
}

fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(at.millis())
}

fn asked(kind: RequestKind, jurisdiction: Jurisdiction, received: Timestamp) -> RightsRequest {
    open(kind, jurisdiction, Requester::Subject, Some(Verification::Account), received, received)
}

#[test]
fn each_jurisdiction_finds_its_own_line() {
    for jurisdiction in Jurisdiction::ALL {
        assert_eq!(Terms::of(jurisdiction).jurisdiction, jurisdiction);
    }
}

#[test]
fn a_month_ends_at_the_months_end() {
    for (received, months, expected) in [
        (datetime!(2026-01-31 10:00 UTC), 1, datetime!(2026-02-28 10:00 UTC)),
        (datetime!(2028-01-31 10:00 UTC), 1, datetime!(2028-02-29 10:00 UTC)),
        (datetime!(2028-01-30 10:00 UTC), 1, datetime!(2028-02-29 10:00 UTC)),
        (datetime!(2100-01-29 10:00 UTC), 1, datetime!(2100-02-28 10:00 UTC)),
        (datetime!(2026-03-31 10:00 UTC), 1, datetime!(2026-04-30 10:00 UTC)),
        (datetime!(2026-12-31 23:59:59.999 UTC), 1, datetime!(2027-01-31 23:59:59.999 UTC)),
        (datetime!(2026-11-30 00:00 UTC), 3, datetime!(2027-02-28 00:00 UTC)),
        (datetime!(2027-11-30 00:00 UTC), 3, datetime!(2028-02-29 00:00 UTC)),
        (datetime!(2026-07-15 12:34 UTC), 3, datetime!(2026-10-15 12:34 UTC)),
        (datetime!(2028-02-29 12:00 UTC), -12, datetime!(2027-02-28 12:00 UTC)),
        (datetime!(1969-12-31 12:00 UTC), 2, datetime!(1970-02-28 12:00 UTC)),
    ] {
        assert_eq!(moment(months_after(at(received), months)), expected, "{received} and {months} months");
    }
    // Where there is no calendar it is due at once.
    assert_eq!(months_after(Timestamp::from_millis(i64::MAX), 1).millis(), i64::MAX);
    let last = at(datetime!(9999-12-31 0:00 UTC));
    assert_eq!(months_after(last, 1), last);
}

#[test]
fn deadlines_are_those_of_the_law_that_counts() {
    let received = at(datetime!(2026-01-31 10:00 UTC));
    for kind in RequestKind::ALL.iter().copied().filter(|kind| *kind != RequestKind::Complaint) {
        for (jurisdiction, first, in_all) in [
            (Jurisdiction::EuropeanUnion, datetime!(2026-02-28 10:00 UTC), datetime!(2026-04-30 10:00 UTC)),
            (Jurisdiction::UnitedKingdom, datetime!(2026-02-28 10:00 UTC), datetime!(2026-04-30 10:00 UTC)),
            (Jurisdiction::California, datetime!(2026-03-17 10:00 UTC), datetime!(2026-05-01 10:00 UTC)),
            (Jurisdiction::Texas, datetime!(2026-03-17 10:00 UTC), datetime!(2026-05-01 10:00 UTC)),
            (Jurisdiction::Other, datetime!(2026-02-28 10:00 UTC), datetime!(2026-04-30 10:00 UTC)),
        ] {
            assert_eq!(moment(due(kind, jurisdiction, received)), first, "{kind:?} {jurisdiction:?}");
            let extended = due_extended(kind, jurisdiction, received).map(moment);
            assert_eq!(extended, Some(in_all), "{kind:?} {jurisdiction:?}");
        }
    }
    for jurisdiction in Jurisdiction::ALL {
        assert_eq!(moment(due(RequestKind::Complaint, jurisdiction, received)), datetime!(2026-03-17 10:00 UTC));
        assert_eq!(due_extended(RequestKind::Complaint, jurisdiction, received), None);
    }
}

#[test]
fn more_time_is_taken_once_and_within_the_first() {
    let received = at(datetime!(2026-01-31 10:00 UTC));
    let request = asked(RequestKind::Access, Jurisdiction::EuropeanUnion, received);
    let on_time = request.due_at;
    let late = Timestamp::from_millis(on_time.millis() + 1);
    assert_eq!(extend(&request, ExtensionReason::Number, late), Err(Objected::TooLate));
    let extended = extend(&request, ExtensionReason::Complexity, on_time).unwrap();
    assert_eq!(moment(extended.due_at), datetime!(2026-04-30 10:00 UTC));
    assert_eq!(extended.extension, Some(Extension { reason: ExtensionReason::Complexity, noticed_at: on_time }));
    assert_eq!(extended.state(), RequestState::Extended);
    assert_eq!(extend(&extended, ExtensionReason::Number, on_time), Err(Objected::ExtendedBefore));
    let complaint = asked(RequestKind::Complaint, Jurisdiction::EuropeanUnion, received);
    assert_eq!(extend(&complaint, ExtensionReason::Number, received), Err(Objected::NoMoreTime));
    let closed = close(&extended, RequestOutcome::Fulfilled, None, None, late).unwrap();
    assert_eq!(extend(&closed, ExtensionReason::Number, on_time), Err(Objected::Closed));
}

/// Every kind, outcome, reason or none, verified at the beginning, at the end, or never.
#[test]
fn a_request_is_closed_for_whom_is_verified_and_refused_with_a_reason() {
    let now = at(datetime!(2026-05-05 0:00 UTC));
    let reasons = || RefusalReason::ALL.iter().copied().map(Some).chain([None]);
    for kind in RequestKind::ALL.iter().copied() {
        for outcome in RequestOutcome::ALL.iter().copied() {
            for reason in reasons() {
                for (first, then) in [(false, false), (true, false), (false, true), (true, true)] {
                    let verified = |is: bool, how| is.then_some(how);
                    let request = RightsRequest {
                        verification: verified(first, Verification::Account),
                        ..asked(kind, Jurisdiction::EuropeanUnion, now)
                    };
                    let closed = close(&request, outcome, reason, verified(then, Verification::Face), now);
                    let expected = if outcome == RequestOutcome::Fulfilled && reason.is_some() {
                        Err(Objected::ReasonGiven)
                    } else if outcome != RequestOutcome::Fulfilled && reason.is_none() {
                        Err(Objected::ReasonMissing)
                    } else if outcome != RequestOutcome::Refused && !first && !then && kind != RequestKind::Complaint {
                        Err(Objected::Unverified)
                    } else {
                        Ok(Some(Closure { outcome, reason, closed_at: now }))
                    };
                    assert_eq!(
                        closed.clone().map(|closed| closed.closure),
                        expected,
                        "{kind:?} {outcome:?} {reason:?}"
                    );
                    if let Ok(closed) = closed {
                        let how = if then { verified(then, Verification::Face) } else { request.verification };
                        assert_eq!((closed.verification, closed.state()), (how, RequestState::Closed));
                        assert_eq!(close(&closed, outcome, reason, None, now), Err(Objected::Closed));
                    }
                }
            }
        }
    }
}

#[test]
fn a_third_request_for_portability_in_twelve_months_is_one_too_many_in_california_alone() {
    let now = at(datetime!(2026-06-15 0:00 UTC));
    let portability = |moment| (RequestKind::Portability, at(moment));
    let [old, first, second] =
        [datetime!(2025-06-15 0:00 UTC), datetime!(2025-06-15 0:00:01 UTC), datetime!(2026-06-14 0:00 UTC)]
            .map(portability);
    let exhausted = |kind, jurisdiction, earlier: &[_]| is_exhausted(kind, jurisdiction, now, earlier.iter().copied());
    for jurisdiction in Jurisdiction::ALL {
        let is_california = jurisdiction == Jurisdiction::California;
        assert_eq!(exhausted(RequestKind::Portability, jurisdiction, &[first, second]), is_california);
        assert!(!exhausted(RequestKind::Access, jurisdiction, &[first, second]));
        assert!(!exhausted(RequestKind::Portability, jurisdiction, &[old, second]));
        assert!(!exhausted(RequestKind::Portability, jurisdiction, &[second]));
        assert!(!exhausted(RequestKind::Portability, jurisdiction, &[(RequestKind::Access, second.1), second]));
    }
}

#[test]
fn a_request_presses_in_its_last_week() {
    let due = at(datetime!(2026-06-15 0:00 UTC));
    for (now, expected) in [
        (datetime!(2026-06-07 23:59 UTC), Pressure::None),
        (datetime!(2026-06-08 0:00 UTC), Pressure::Soon),
        (datetime!(2026-06-15 0:00 UTC), Pressure::Soon),
        (datetime!(2026-06-15 0:00:01 UTC), Pressure::Overdue),
    ] {
        assert_eq!(pressure(due, at(now)), expected, "{now}");
    }
}

#[test]
fn requests_are_counted_by_kind_over_twelve_months() {
    let now = at(datetime!(2026-06-15 0:00 UTC));
    let kind = RequestKind::Erasure;
    let request = |received, closed: Option<(RequestOutcome, OffsetDateTime)>| {
        let request = asked(kind, Jurisdiction::California, at(received));
        let closure = closed.map(|(outcome, closed)| Closure { outcome, reason: None, closed_at: at(closed) });
        RightsRequest { closure, ..request }
    };
    use RequestOutcome::{Fulfilled, Partly, Refused};
    let requests = [
        request(datetime!(2025-06-15 0:00 UTC), Some((Fulfilled, datetime!(2025-07-15 0:00 UTC)))),
        request(datetime!(2025-06-16 0:00 UTC), Some((Fulfilled, datetime!(2025-06-18 0:00 UTC)))),
        request(datetime!(2025-08-01 0:00 UTC), Some((Partly, datetime!(2025-08-04 0:01 UTC)))),
        request(datetime!(2025-09-01 0:00 UTC), Some((Refused, datetime!(2025-11-01 0:00 UTC)))),
        request(datetime!(2026-03-01 0:00 UTC), None),
        request(datetime!(2026-06-01 0:00 UTC), None),
        asked(RequestKind::Access, Jurisdiction::California, now),
    ];
    let counted = statistics(kind, &requests, now);
    let expected =
        Statistics { received: 5, fulfilled: 1, partly: 1, refused: 1, open: 2, late: 2, median_days: Some(4.0) };
    assert_eq!(counted, expected);
    assert_eq!(statistics(kind, &requests[1..3], now).median_days, Some(3.0));
    assert_eq!(statistics(RequestKind::Objection, &requests, now), Statistics::default());
}

proptest! {
    /// Against a walk day by day: the due day is the day before the day after, in the month that is meant.
    #[test]
    fn months_are_calendar_months(millis in 0_i64..4_102_444_800_000, months in 1_u8..13) {
        let start = Timestamp::from_millis(millis);
        let (from, to) = (moment(start), moment(Span::Months(months).after(start)));
        prop_assert_eq!(from.time(), to.time());
        let number = |moment: OffsetDateTime| moment.year() * 12 + i32::from(u8::from(moment.month()));
        prop_assert_eq!(number(to), number(from) + i32::from(months));
        let is_last = to.date().next_day().unwrap().month() != to.month();
        prop_assert!(to.day() == from.day() || to.day() < from.day() && is_last);
        let days = (to - from).whole_days();
        prop_assert!((28 * i64::from(months)..=31 * i64::from(months)).contains(&days));
    }

    #[test]
    fn a_later_receipt_is_never_due_earlier(millis in 0_i64..4_102_444_800_000, later in 0_i64..400 * DAY) {
        let (one, other) = (Timestamp::from_millis(millis), Timestamp::from_millis(millis + later));
        for kind in RequestKind::ALL.iter().copied() {
            for jurisdiction in Jurisdiction::ALL {
                let first = due(kind, jurisdiction, one);
                prop_assert!(first <= due(kind, jurisdiction, other));
                prop_assert!(first > one);
                if let Some(extended) = due_extended(kind, jurisdiction, one) {
                    prop_assert!(extended > first);
                    // Ninety days in all, or three months: never more than 92.
                    prop_assert!(extended.millis() - one.millis() <= 92 * DAY);
                }
            }
        }
    }
}
