//! People, and what is known of them.

use lethe_proto::v1::post_mortem::Wish;
use lethe_proto::v1::{Consent, ConsentEvidence, DataEnd, Disclosure, Ending, Hold, Objection, Subject, Template};
use serde_json::{Value, json};

use super::{joined, model, receipt, score, some, time, transfer};
use crate::cli::output::Card;
use crate::cli::values::Coded;

pub(crate) fn template(template: &Template) -> (Value, Card) {
    let json = json!({
        "name": template.name,
        "model": model(template.model.as_ref()),
        "dimension": template.dimension,
        "kind": template.kind().code(),
        "quality": score(template.quality),
        "capture_time": time(template.capture_time.as_ref()),
        "create_time": time(template.create_time.as_ref()),
    });
    let card = Card::new(&template.name)
        .row("model", model(template.model.as_ref()))
        .row("kind", template.kind().words())
        .row("quality", template.quality)
        .maybe("captured", time(template.capture_time.as_ref()))
        .maybe("stored", time(template.create_time.as_ref()));
    (json, card)
}

pub(crate) fn subject(subject: &Subject) -> (Value, Card) {
    let counts: Vec<_> = subject
        .template_counts
        .iter()
        .map(|count| json!({ "model": model(count.model.as_ref()), "count": count.count }))
        .collect();
    let objections: Vec<_> = subject
        .objections
        .iter()
        .map(|objection| {
            json!({
                "for_purpose": objection.for_purpose().code(),
                "since_time": time(objection.since_time.as_ref()),
                "overruling_grounds": objection.overruling_grounds,
            })
        })
        .collect();
    let json = json!({
        "name": subject.name,
        "state": subject.state().code(),
        "create_time": time(subject.create_time.as_ref()),
        "template_counts": counts,
        "jurisdiction": (subject.jurisdiction != 0).then(|| subject.jurisdiction().code()),
        "age_band": (subject.age_band != 0).then(|| subject.age_band().code()),
        "restriction": subject.restriction.as_ref().map(|restriction| {
            json!({ "ground": restriction.ground().code(), "since_time": time(restriction.since_time.as_ref()) })
        }),
        "objections": objections,
        "hold_count": subject.hold_count,
        "erasure_receipt": receipt(&subject.erasure_receipt),
        "purpose_end_time": time(subject.purpose_end_time.as_ref()),
        "contract_end_time": time(subject.contract_end_time.as_ref()),
        "death_time": time(subject.death_time.as_ref()),
        "post_mortem": wish(subject),
        "deferral": subject.deferral.as_ref().map(|deferral| {
            json!({
                "reason": deferral.reason().code(),
                "request_time": time(deferral.request_time.as_ref()),
                "erase_time": time(deferral.erase_time.as_ref()),
            })
        }),
        "end": subject.end.as_ref().map(end),
    });
    let templates = joined(
        subject.template_counts.iter().map(|count| format!("{} of {}", count.count, model(count.model.as_ref()))),
    );
    let templates = if templates.is_empty() { "none".to_owned() } else { templates };
    let card = Card::new(&subject.name)
        .row("state", subject.state().words())
        .maybe("templates", subject.create_time.as_ref().map(|_| templates))
        .maybe("law", (subject.jurisdiction != 0).then(|| subject.jurisdiction().words()))
        .maybe("age", (subject.age_band != 0).then(|| subject.age_band().words()))
        .maybe("restricted", subject.restriction.as_ref().map(|restriction| restriction.ground().words()))
        .maybe("objects to", objected(subject))
        .maybe("holds", (subject.hold_count > 0).then_some(subject.hold_count))
        .maybe("purpose", subject.purpose_end_time.as_ref().map(|at| format!("satisfied on {at}")))
        .maybe("contract", subject.contract_end_time.as_ref().map(|at| format!("over on {at}")))
        .maybe("died", time(subject.death_time.as_ref()))
        .maybe("when dead", wish(subject))
        .maybe("put off", subject.deferral.as_ref().map(|deferral| deferral.reason().words()))
        .maybe("ends", subject.end.as_ref().and_then(ends))
        .maybe("kept by", subject.end.as_ref().and_then(kept))
        .maybe("its receipt", subject.end.as_ref().and_then(|end| end.erase_time.map(|_| end.receipt.clone())))
        .maybe("erased", receipt(&subject.erasure_receipt))
        .maybe("created", time(subject.create_time.as_ref()));
    (json, card)
}

/// What of a subject ends, of a preview.
pub(crate) fn ending(ending: &Ending) -> (Value, Card) {
    let data = ending.end.clone().unwrap_or_default();
    let json = json!({
        "subject": ending.subject,
        "end": end(&data),
        "template_count": ending.template_count,
    });
    let templates = (ending.template_count > 0).then(|| format!("{} before the rest", ending.template_count));
    let card = Card::new(&ending.subject)
        .maybe("ends", ends(&data))
        .maybe("templates", templates)
        .maybe("kept by", kept(&data))
        .maybe("its receipt", data.erase_time.map(|_| data.receipt.clone()));
    (json, card)
}

fn end(end: &DataEnd) -> Value {
    json!({
        "erase_time": time(end.erase_time.as_ref()),
        "cause": (end.cause != 0).then(|| end.cause().code()),
        "keeper": (end.keeper != 0).then(|| end.keeper().code()),
        "keep_time": time(end.keep_time.as_ref()),
        "receipt": end.receipt,
    })
}

fn ends(end: &DataEnd) -> Option<String> {
    end.erase_time.map(|at| format!("{at} ({})", end.cause().words()))
}

fn kept(end: &DataEnd) -> Option<String> {
    let keeper = (end.keeper != 0).then(|| end.keeper().words())?;
    Some(end.keep_time.map_or(keeper.clone(), |until| format!("{keeper}, until {until}")))
}

fn wish(subject: &Subject) -> Option<String> {
    subject.post_mortem.as_ref()?.wish.as_ref().map(|wish| match wish {
        Wish::Erase(_) => "erase".to_owned(),
        Wish::Keep(period) => format!("keep:{period}"),
        Wish::HandOver(trustee) => format!("hand_over:{trustee}"),
    })
}

fn objected(subject: &Subject) -> Option<String> {
    let one = |objection: &Objection| match objection.overruling_grounds.as_str() {
        "" => objection.for_purpose().words(),
        grounds => format!("{} (outweighed: {grounds})", objection.for_purpose().words()),
    };
    (!subject.objections.is_empty()).then(|| joined(subject.objections.iter().map(one)))
}

pub(crate) fn consent(consent: &Consent) -> (Value, Card) {
    let json = json!({
        "name": consent.name,
        "for_purpose": consent.for_purpose().code(),
        "state": consent.state().code(),
        "notice_version": consent.notice_version,
        "notice_sha256": hex::encode(&consent.notice_sha256),
        "manner": consent.manner().code(),
        "giver": consent.giver().code(),
        "recipients": consent.recipients,
        "countries": consent.countries,
        "give_time": time(consent.give_time.as_ref()),
        "expire_time": time(consent.expire_time.as_ref()),
        "withdraw_time": time(consent.withdraw_time.as_ref()),
    });
    let card = Card::new(&consent.name)
        .row("to", consent.for_purpose().words())
        .row("state", consent.state().words())
        .row("notice", &consent.notice_version)
        .row("given", format!("{}, by the {}", consent.manner().words(), consent.giver().words()))
        .maybe("recipients", some(consent.recipients.join(", ")))
        .maybe("countries", some(consent.countries.join(", ")))
        .maybe("at", time(consent.give_time.as_ref()))
        .maybe("until", time(consent.expire_time.as_ref()))
        .maybe("withdrawn", time(consent.withdraw_time.as_ref()));
    (json, card)
}

pub(crate) fn hold(hold: &Hold) -> (Value, Card) {
    let json = json!({
        "name": hold.name,
        "case_reference": hold.case_reference,
        "place_time": time(hold.place_time.as_ref()),
        "review_time": time(hold.review_time.as_ref()),
        "renew_time": time(hold.renew_time.as_ref()),
        "erasure_receipt": receipt(&hold.erasure_receipt),
    });
    let card = Card::new(&hold.name)
        .row("case", &hold.case_reference)
        .maybe("placed", time(hold.place_time.as_ref()))
        .maybe("reviewed", time(hold.renew_time.as_ref()))
        .maybe("review by", time(hold.review_time.as_ref()))
        .maybe("erased", receipt(&hold.erasure_receipt));
    (json, card)
}

pub(crate) fn evidence(evidence: &ConsentEvidence) -> (Value, Card) {
    let (mut json, _) = consent(&evidence.consent.clone().unwrap_or_default());
    json["name"] = json!(evidence.name);
    json["keep_until_time"] = json!(time(evidence.keep_until_time.as_ref()));
    let consent = evidence.consent.clone().unwrap_or_default();
    let card = Card::new(&evidence.name)
        .row("to", consent.for_purpose().words())
        .row("state", consent.state().words())
        .row("notice", &consent.notice_version)
        .row("given", format!("{}, by the {}", consent.manner().words(), consent.giver().words()))
        .maybe("at", time(consent.give_time.as_ref()))
        .maybe("until", time(consent.expire_time.as_ref()))
        .maybe("withdrawn", time(consent.withdraw_time.as_ref()))
        .maybe("kept until", time(evidence.keep_until_time.as_ref()));
    (json, card)
}

pub(crate) fn disclosure(disclosure: &Disclosure) -> (Value, Card) {
    use lethe_proto::v1::disclosure::Ground::{Consent, LegalOrderReference};
    let (consent, order) = match &disclosure.ground {
        Some(Consent(consent)) => (Some(consent.as_str()), None),
        Some(LegalOrderReference(order)) => (None, Some(order.as_str())),
        None => (None, None),
    };
    let (way, in_words) = transfer(disclosure.transfer.as_ref());
    let json = json!({
        "name": disclosure.name,
        "recipient": disclosure.recipient,
        "consent": consent,
        "legal_order_reference": order,
        "scope": disclosure.scope().map(Coded::code).collect::<Vec<_>>(),
        "transfer": way,
        "propose_time": time(disclosure.propose_time.as_ref()),
        "record_time": time(disclosure.record_time.as_ref()),
    });
    let card = Card::new(&disclosure.name)
        .row("to", &disclosure.recipient)
        .maybe("in", in_words)
        .maybe("by consent", consent)
        .maybe("by order", order)
        .maybe("by", disclosure.ground.is_none().then_some("the person's own request: an archive"))
        .row("told", joined(disclosure.scope().map(Coded::words)))
        .maybe("recorded", time(disclosure.record_time.as_ref()));
    (json, card)
}
