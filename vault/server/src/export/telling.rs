//! How archives tell of what people asked, of what was asked about them, and of what others were told about them. Times are RFC 3339, in UTC.

use lethe_domain::{
    Case, CaseDecision, Disclosure, Ground, ModelId, Notification, NotificationId, Question, RefusalReason,
    RightsRequest, RightsRequestId, SubjectId, TenantId, Timestamp, Verification,
};
use serde_json::{Value, json};

use crate::consent::record::text;
use crate::transfer;
use crate::watchlist::Filed;

/// A request of a data subject.
pub(crate) fn asked(id: RightsRequestId, request: &RightsRequest) -> Value {
    let closed = request.closure.map(|closure| {
        json!({
            "outcome": closure.outcome.name(),
            "reason": closure.reason.map(RefusalReason::name),
            "at": text(closure.closed_at),
        })
    });
    json!({
        "id": id.to_string(),
        "kind": request.kind.name(),
        "jurisdiction": request.jurisdiction.name(),
        "requester": request.requester.name(),
        "verification": request.verification.map(Verification::name),
        "received_at": text(request.received_at),
        "opened_at": text(request.opened_at),
        "due_at": text(request.due_at),
        "extended": request.extension.map(|extension| extension.reason.name()),
        "closed": closed,
    })
}

/// A disclosure about a data subject, proposed or made.
pub(crate) fn told(disclosure: &Disclosure) -> Value {
    let (consent, order) = match &disclosure.ground {
        Ground::Consent(consent) => (Some(consent.to_string()), None),
        Ground::Order(order) => (None, Some(order.as_str())),
        Ground::Request => (None, None),
    };
    json!({
        "id": disclosure.id.to_string(),
        "recipient": disclosure.recipient.as_str(),
        "consent": consent,
        "legal_order": order,
        "told": disclosure.scope.iter().map(|told| told.name()).collect::<Vec<_>>(),
        "transfer": transfer::told(&disclosure.transfer),
        "proposed_at": text(disclosure.proposed_at),
        "recorded_at": disclosure.recorded_at.map(text),
    })
}

/// A case about a data subject, as the subject is told of it: nothing of the second person of a pair, and not by whom it was decided.
pub(crate) fn reviewed(case: &Case) -> Value {
    review(case, None, |_| None)
}

/// The same, as the controller has it.
pub(crate) fn reviewed_by(case: &Case) -> Value {
    let other = if let Question::Duplicate { other, .. } = &case.question { other.as_ref() } else { None };
    review(case, other, |decision| Some(decision.by.to_string()))
}

fn review(case: &Case, other: Option<&SubjectId>, by: impl Fn(&CaseDecision) -> Option<String>) -> Value {
    let (model, seen) = (case.model(), case.seen());
    let request = if let Question::Contested { request } = &case.question { request.as_ref() } else { None };
    let decisions = case.decisions.iter().map(|decision| {
        let mut told = json!({
            "step": decision.step.name(),
            "reason": decision.reason.name(),
            "at": text(decision.at),
        });
        if let Some(by) = by(decision) {
            told["by"] = by.into();
        }
        told
    });
    let mut told = json!({
        "id": case.id.to_string(),
        "kind": case.kind().name(),
        "state": case.state().name(),
        "model": model.map(ModelId::id),
        "model_version": model.map(ModelId::version),
        "band": seen.map(|seen| seen.band.name()),
        "score": seen.map(|seen| seen.score),
        "policy_version": seen.map(|seen| seen.policy_version),
        "request": request.map(ToString::to_string),
        "attempts": case.attempts,
        "opened_at": text(case.opened_at),
        "last_seen_at": text(case.last_seen_at),
        "decisions": decisions.collect::<Vec<_>>(),
    });
    if let Some(other) = other {
        told["other_subject"] = other.as_str().into();
    }
    told
}

/// An entry of a watch list.
pub(crate) fn watched(tenant: &TenantId, filed: &Filed, now: Timestamp) -> Value {
    let entry = &filed.entry;
    json!({
        "name": format!("tenants/{tenant}/watchlists/{}/entries/{}", filed.list.id, filed.id),
        "kind": filed.list.kind.name(),
        "model": entry.model.id(),
        "model_version": entry.model.version(),
        "lawful_basis": entry.basis.name(),
        "reference": entry.reference.as_str(),
        "confirmed_at": text(entry.confirmed_at),
        "expires_at": text(entry.expires_at),
        "added_at": text(entry.added_at),
        "state": entry.state(now).name(),
        "contested_at": entry.contest.map(|contest| text(contest.at)),
        "upheld_at": entry.upheld.map(|upheld| text(upheld.at)),
    })
}

/// Somebody who has to be told what became of a data subject's data.
pub(crate) fn owed(id: NotificationId, notification: &Notification) -> Value {
    json!({
        "id": id.to_string(),
        "recipient": notification.recipient.as_str(),
        "occasion": notification.occasion.name(),
        "disclosures": notification.disclosures.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "arisen_at": text(notification.arisen_at),
        "outcome": notification.closed.map(|(outcome, _)| outcome.name()),
        "closed_at": notification.closed.map(|(_, at)| text(at)),
    })
}
