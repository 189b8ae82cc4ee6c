//! What is owed to people, and what people at the client have to do: requests, notifications, cases, watch lists.

use lethe_proto::v1::{Case, CaseDecision, Notification, RequestStatistics, RightsRequest, Watchlist, WatchlistEntry};
use serde_json::{Value, json};

use super::{model, score, time};
use crate::cli::output::Card;
use crate::cli::values::Coded;

pub(crate) fn request(request: &RightsRequest) -> (Value, Card) {
    fn said<T: Coded>(number: i32, value: T) -> Option<T> {
        (number != 0).then_some(value)
    }
    let verification = said(request.verification, request.verification());
    let extension = said(request.extension_reason, request.extension_reason());
    let outcome = said(request.outcome, request.outcome());
    let refusal = said(request.refusal_reason, request.refusal_reason());
    let json = json!({
        "name": request.name,
        "kind": request.kind().code(),
        "state": request.state().code(),
        "requester": request.requester().code(),
        "verification": verification.map(Coded::code),
        "jurisdiction": request.jurisdiction().code(),
        "receive_time": time(request.receive_time.as_ref()),
        "due_time": time(request.due_time.as_ref()),
        "extension_reason": extension.map(Coded::code),
        "extend_time": time(request.extend_time.as_ref()),
        "outcome": outcome.map(Coded::code),
        "refusal_reason": refusal.map(Coded::code),
        "close_time": time(request.close_time.as_ref()),
    });
    let card = Card::new(&request.name)
        .row("asks for", request.kind().words())
        .row("state", request.state().words())
        .row("requester", request.requester().words())
        .row("verified", verification.map_or_else(|| "not yet".to_owned(), Coded::words))
        .row("law", request.jurisdiction().words())
        .maybe("received", time(request.receive_time.as_ref()))
        .maybe("due", time(request.due_time.as_ref()))
        .maybe("more time for", extension.map(Coded::words))
        .maybe("outcome", outcome.map(Coded::words))
        .maybe("because", refusal.map(Coded::words))
        .maybe("answered", time(request.close_time.as_ref()));
    (json, card)
}

pub(crate) fn request_statistics(statistics: &RequestStatistics) -> (Value, Card) {
    let counts = statistics.counts.iter().map(|count| {
        json!({
            "kind": count.kind().code(),
            "received": count.received,
            "fulfilled": count.fulfilled,
            "partly": count.partly,
            "refused": count.refused,
            "unanswered": count.unanswered,
            "late": count.late,
            "median_days": count.median_days,
        })
    });
    let since = time(statistics.since_time.as_ref());
    let json = json!({ "since_time": since, "counts": counts.collect::<Vec<_>>() });
    let card = Card::new("requests of the last twelve months").maybe("since", since);
    let card = statistics.counts.iter().fold(card, |card, count| {
        let days = count.median_days;
        let words = format!(
            "{} received: {} fulfilled, {} partly, {} refused, {} unanswered; {} late; {days} days, median",
            count.received, count.fulfilled, count.partly, count.refused, count.unanswered, count.late
        );
        card.row(&count.kind().words(), words)
    });
    (json, card)
}

pub(crate) fn notification(notification: &Notification) -> (Value, Card) {
    let outcome = (notification.outcome != 0).then(|| notification.outcome());
    let json = json!({
        "name": notification.name,
        "recipient": notification.recipient,
        "occasion": notification.occasion().code(),
        "disclosures": notification.disclosures,
        "arise_time": time(notification.arise_time.as_ref()),
        "outcome": outcome.map(Coded::code),
        "close_time": time(notification.close_time.as_ref()),
    });
    let card = Card::new(&notification.name)
        .row("tell", &notification.recipient)
        .row("that it is", notification.occasion().words())
        .row("disclosures", notification.disclosures.join(" "))
        .maybe("since", time(notification.arise_time.as_ref()))
        .row("outcome", outcome.map_or_else(|| "none yet".to_owned(), Coded::words))
        .maybe("recorded", time(notification.close_time.as_ref()));
    (json, card)
}

pub(crate) fn case(case: &Case) -> (Value, Card) {
    let band = (case.band != 0).then(|| case.band());
    let other = (!case.other_subject.is_empty()).then_some(case.other_subject.as_str());
    let request = (!case.request.is_empty()).then_some(case.request.as_str());
    let json = json!({
        "name": case.name,
        "kind": case.kind().code(),
        "state": case.state().code(),
        "other_subject": other,
        "other_erased": case.other_erased,
        "model": case.model.as_ref().map(|known| model(Some(known))),
        "band": band.map(Coded::code),
        "score": case.score.map(score),
        "policy_version": band.map(|_| case.policy_version),
        "attempts": case.attempts,
        "open_time": time(case.open_time.as_ref()),
        "last_seen_time": time(case.last_seen_time.as_ref()),
        "request": request,
        "decisions": case.decisions.iter().map(case_decision).collect::<Vec<_>>(),
    });
    let steps = case.decisions.iter().map(|decision| {
        let at = time(decision.decide_time.as_ref()).unwrap_or_default();
        format!("{} ({}) {at}", decision.step().words(), decision.reason().words())
    });
    let steps: Vec<_> = steps.collect();
    let card = Card::new(&case.name)
        .row("asks", case.kind().words())
        .row("state", case.state().words())
        .maybe("other", other.or(case.other_erased.then_some("erased")))
        .maybe("model", case.model.as_ref().map(|known| model(Some(known))))
        .maybe("band", band.map(Coded::words))
        .maybe("score", case.score)
        .row("attempts", case.attempts)
        .maybe("opened", time(case.open_time.as_ref()))
        .maybe("last seen", time(case.last_seen_time.as_ref()))
        .maybe("request", request)
        .maybe("steps", (!steps.is_empty()).then(|| steps.join("; ")));
    (json, card)
}

fn case_decision(decision: &CaseDecision) -> Value {
    json!({
        "credential": decision.credential,
        "step": decision.step().code(),
        "reason": decision.reason().code(),
        "decide_time": time(decision.decide_time.as_ref()),
    })
}

pub(crate) fn watchlist(list: &Watchlist) -> (Value, Card) {
    let json = json!({
        "name": list.name,
        "kind": list.kind().code(),
        "create_time": time(list.create_time.as_ref()),
    });
    let card = Card::new(&list.name).row("of", list.kind().words()).maybe("created", time(list.create_time.as_ref()));
    (json, card)
}

pub(crate) fn watchlist_entry(entry: &WatchlistEntry) -> (Value, Card) {
    let json = json!({
        "name": entry.name,
        "kind": entry.kind().code(),
        "model": model(entry.model.as_ref()),
        "basis": entry.basis().code(),
        "reference": entry.reference,
        "confirm_time": time(entry.confirm_time.as_ref()),
        "expire_time": time(entry.expire_time.as_ref()),
        "create_time": time(entry.create_time.as_ref()),
        "state": entry.state().code(),
        "contest_time": time(entry.contest_time.as_ref()),
        "contest_request": entry.contest_request,
        "uphold_time": time(entry.uphold_time.as_ref()),
    });
    let request = (!entry.contest_request.is_empty()).then(|| entry.contest_request.clone());
    let card = Card::new(&entry.name)
        .row("state", entry.state().words())
        .row("of", entry.kind().words())
        .row("model", model(entry.model.as_ref()))
        .row("rests on", entry.basis().words())
        .row("reference", &entry.reference)
        .maybe("confirmed", time(entry.confirm_time.as_ref()))
        .maybe("expires", time(entry.expire_time.as_ref()))
        .maybe("added", time(entry.create_time.as_ref()))
        .maybe("contested", time(entry.contest_time.as_ref()))
        .maybe("by request", request)
        .maybe("upheld", time(entry.uphold_time.as_ref()));
    (json, card)
}
