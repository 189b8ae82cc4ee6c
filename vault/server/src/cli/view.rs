//! Answers of the API, as JSON and as cards for people.

use lethe_proto::v1::post_mortem::Wish;
use lethe_proto::v1::{
    Automation, Backup, BackupState, Case, CaseDecision, Completeness, Consent, ConsentEvidence, Credential, DataEnd,
    Decider, Disclosure, DuplicatePair, Ending, Hold, IssuedCredential, Mirror, ModelProfile, ModelVersion,
    Notification, Objection, Offboarding, Proposal, PurposeBasis, RequestStatistics, Retention, RightsRequest,
    RootStatus, SearchMatch, SearchResponse, Subject, SweepDuplicatesResponse, Template, Tenant, Transfer,
    VerifyResponse, Watchlist, WatchlistEntry, WatchlistMatch,
};
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::exit::printable;
use super::output::Card;
use super::values::Coded;

/// A score in its shortest decimal spelling: JSON's numbers are wider and would show digits that the
/// score does not have.
pub(super) fn score(score: f32) -> Value {
    json!(score.to_string().parse::<f64>().unwrap_or(f64::NAN))
}

fn time(time: Option<&Timestamp>) -> Option<String> {
    time.map(ToString::to_string)
}

fn model(model: Option<&ModelVersion>) -> String {
    model.map_or_else(String::new, |model| format!("{}@{}", model.id, model.version))
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn tenant(tenant: &Tenant) -> (Value, Card) {
    let basis = |entry: &PurposeBasis| {
        let (purpose, basis) = (entry.purpose().code(), entry.lawful_basis().code());
        (purpose, basis)
    };
    let purposes: Vec<_> = tenant
        .purposes
        .iter()
        .map(|entry| {
            let (purpose, basis) = basis(entry);
            json!({ "purpose": purpose, "lawful_basis": basis })
        })
        .collect();
    let json = json!({
        "name": tenant.name,
        "purposes": purposes,
        "jurisdiction": tenant.jurisdiction().code(),
        "minors_consent_alone_from_16": tenant.minors_consent_alone_from_16,
        "age_required": tenant.age_required,
        "policy_version": tenant.policy_version,
        "create_time": time(tenant.create_time.as_ref()),
        "memory_bytes": tenant.memory_bytes,
        "environment": tenant.environment().code(),
        "region": tenant.region,
        "country": receipt(&tenant.country),
        "automation": tenant.automation.iter().map(automation).collect::<Vec<_>>(),
        "retention": tenant.retention.as_ref().map(|retention| {
            json!({
                "keep": retention.keep,
                "after_end": retention.after_end,
                "minimum": retention.minimum,
                "vendor_purposes": retention.vendor_purposes,
                "limitation": retention.limitation,
            })
        }),
    });
    let words = joined(tenant.purposes.iter().map(|entry| {
        let (purpose, basis) = basis(entry);
        format!("{purpose}={basis}").to_lowercase()
    }));
    let automated = joined(tenant.automation.iter().map(|automation| {
        let (purpose, ground) = (automation.purpose().code(), automation.ground().code());
        format!("{} (review: {})", format!("{purpose}={ground}").to_lowercase(), automation.reviewer)
    }));
    let card = Card::new(&tenant.name)
        .row("purposes", words)
        .row("law", tenant.jurisdiction().words())
        .maybe("minors", tenant.minors_consent_alone_from_16.then_some("consent alone from 16 on"))
        .maybe("age", tenant.age_required.then_some("must be known"))
        .row("people", tenant.environment().words())
        .maybe("region", receipt(&tenant.region))
        .maybe("country", receipt(&tenant.country))
        .maybe("kept", tenant.retention.as_ref().map(keeping))
        .maybe("automated", Some(automated).filter(|automated| !automated.is_empty()))
        .row("policy", format!("version {}", tenant.policy_version))
        .maybe("created", time(tenant.create_time.as_ref()))
        .maybe("memory", (tenant.memory_bytes > 0).then(|| format!("{} KiB", tenant.memory_bytes.div_euclid(1024))));
    (json, card)
}

fn automation(automation: &Automation) -> Value {
    json!({
        "purpose": automation.purpose().code(),
        "ground": automation.ground().code(),
        "explanation_version": automation.explanation_version,
        "explanation_sha256": hex::encode(&automation.explanation_sha256),
        "reviewer": automation.reviewer,
    })
}

fn keeping(retention: &Retention) -> String {
    let parts = [
        (!retention.keep.is_empty()).then(|| format!("{} from enrolment", retention.keep)),
        (!retention.after_end.is_empty()).then(|| format!("{} after the end", retention.after_end)),
        (!retention.minimum.is_empty()).then(|| format!("at least {} after the contract", retention.minimum)),
        (!retention.limitation.is_empty()).then(|| format!("{} for claims", retention.limitation)),
        retention.vendor_purposes.then(|| "for the vendor's own purposes".to_owned()),
    ];
    joined(parts.into_iter().flatten())
}

pub(super) fn credential(credential: &Credential) -> (Value, Card) {
    let roles: Vec<_> = credential.roles().map(Coded::code).collect();
    let mut json = json!({
        "name": credential.name,
        "roles": roles,
        "state": credential.state().code(),
        "create_time": time(credential.create_time.as_ref()),
        "expire_time": time(credential.expire_time.as_ref()),
        "revoke_time": time(credential.revoke_time.as_ref()),
    });
    if let Some(login) = &credential.login {
        json["login"] = json!({ "issuer": login.issuer, "subject": login.subject });
    }
    let login = credential.login.as_ref().map(|login| format!("{} at {}", login.subject, login.issuer));
    let card = Card::new(&credential.name)
        .row("roles", roles.join(", ").to_lowercase())
        .maybe("login", login)
        .row("state", credential.state().words())
        .maybe("created", time(credential.create_time.as_ref()))
        .maybe("expires", time(credential.expire_time.as_ref()))
        .maybe("revoked", time(credential.revoke_time.as_ref()));
    (json, card)
}

/// A new credential. The key is in neither form: the caller decides where it goes.
pub(super) fn issued(issued: &IssuedCredential) -> (Value, Card) {
    let (mut json, card) = credential(&issued.credential.clone().unwrap_or_default());
    json["already_shown"] = json!(issued.already_shown);
    let lost = "was shown with the first answer; if it is lost, revoke this one and create another";
    let card = if issued.already_shown { card.row("API key", lost) } else { card };
    (json, card)
}

pub(super) fn profile(profile: &ModelProfile) -> (Value, Card) {
    let thresholds = profile.thresholds.unwrap_or_default();
    let json = json!({
        "name": profile.name,
        "model": model(profile.model.as_ref()),
        "dimension": profile.dimension,
        "sketch_bits": profile.sketch_bits,
        "centred": !profile.centre.is_empty(),
        "thresholds": { "match": score(thresholds.r#match), "review": score(thresholds.review) },
        "miss_probability": profile.miss_probability,
        "policy_version": profile.policy_version,
        "create_time": time(profile.create_time.as_ref()),
        "update_time": time(profile.update_time.as_ref()),
    });
    let centre = if profile.centre.is_empty() { "the origin" } else { "the model's own" };
    let card = Card::new(&profile.name)
        .row("dimension", profile.dimension)
        .row("match from", thresholds.r#match)
        .row("review from", thresholds.review)
        .maybe("miss probability", profile.miss_probability)
        .row("sketched around", centre)
        .maybe("bits a coordinate", profile.sketch_bits)
        .row("policy version", profile.policy_version)
        .maybe("created", time(profile.create_time.as_ref()))
        .maybe("changed", time(profile.update_time.as_ref()));
    (json, card)
}

pub(super) fn template(template: &Template) -> (Value, Card) {
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

pub(super) fn subject(subject: &Subject) -> (Value, Card) {
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
pub(super) fn ending(ending: &Ending) -> (Value, Card) {
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

/// What is said, if anything is: the receipt of an erasure that followed, say.
fn receipt(name: &str) -> Option<&str> {
    (!name.is_empty()).then_some(name)
}

fn some(words: String) -> Option<String> {
    (!words.is_empty()).then_some(words)
}

fn objected(subject: &Subject) -> Option<String> {
    let one = |objection: &Objection| match objection.overruling_grounds.as_str() {
        "" => objection.for_purpose().words(),
        grounds => format!("{} (outweighed: {grounds})", objection.for_purpose().words()),
    };
    (!subject.objections.is_empty()).then(|| joined(subject.objections.iter().map(one)))
}

pub(super) fn consent(consent: &Consent) -> (Value, Card) {
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

pub(super) fn hold(hold: &Hold) -> (Value, Card) {
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

pub(super) fn evidence(evidence: &ConsentEvidence) -> (Value, Card) {
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

pub(super) fn request(request: &RightsRequest) -> (Value, Card) {
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

pub(super) fn watchlist(list: &Watchlist) -> (Value, Card) {
    let json = json!({
        "name": list.name,
        "kind": list.kind().code(),
        "create_time": time(list.create_time.as_ref()),
    });
    let card = Card::new(&list.name).row("of", list.kind().words()).maybe("created", time(list.create_time.as_ref()));
    (json, card)
}

pub(super) fn watchlist_entry(entry: &WatchlistEntry) -> (Value, Card) {
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

/// An entry of a watch list that a search found.
fn watched(found: &WatchlistMatch) -> Value {
    json!({
        "entry": found.entry,
        "kind": found.kind().code(),
        "score": score(found.score),
        "band": found.band().code(),
    })
}

pub(super) fn notification(notification: &Notification) -> (Value, Card) {
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

pub(super) fn case(case: &Case) -> (Value, Card) {
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

pub(super) fn request_statistics(statistics: &RequestStatistics) -> (Value, Card) {
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

/// Where something goes, and what makes that lawful, as JSON and in words.
fn transfer(transfer: Option<&Transfer>) -> (Value, Option<String>) {
    let Some(transfer) = transfer else { return (Value::Null, None) };
    let safeguard = (transfer.safeguard != 0).then(|| transfer.safeguard());
    let json = json!({
        "country": transfer.country,
        "safeguard": safeguard.map(Coded::code),
        "safeguard_reference": receipt(&transfer.safeguard_reference),
        "contract_reference": receipt(&transfer.contract_reference),
    });
    let parts = [
        Some(transfer.country.clone()),
        safeguard.map(|safeguard| format!("{} {}", safeguard.words(), transfer.safeguard_reference)),
        receipt(&transfer.contract_reference).map(|contract| format!("contract {contract}")),
    ];
    (json, Some(joined(parts.into_iter().flatten())))
}

pub(super) fn disclosure(disclosure: &Disclosure) -> (Value, Card) {
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

fn offboarding(leaving: &Offboarding) -> (Value, String, Option<String>) {
    let waived = leaving.archive_recipient.is_empty();
    let (way, in_words) = transfer(leaving.transfer.as_ref());
    let json = json!({
        "handover": if waived { "WAIVED" } else { "ARCHIVE" },
        "archive_recipient": receipt(&leaving.archive_recipient),
        "transfer": way,
        "subjects": leaving.subjects,
        "templates": leaving.templates,
        "handover_time": time(leaving.handover_time.as_ref()),
        "confirm_time": time(leaving.confirm_time.as_ref()),
    });
    let words = match (waived, &leaving.handover_time, &leaving.confirm_time) {
        (true, _, _) => "waived".to_owned(),
        (false, None, _) => format!("to {}, not yet made", leaving.archive_recipient),
        (false, Some(_), None) => format!("to {}, not yet confirmed", leaving.archive_recipient),
        (false, Some(_), Some(_)) => format!("to {}, confirmed", leaving.archive_recipient),
    };
    (json, words, in_words)
}

pub(super) fn proposal(proposal: &Proposal) -> (Value, Card) {
    use lethe_proto::v1::proposal::Content;
    let mut json = json!({
        "name": proposal.name,
        "state": proposal.state().code(),
        "content_sha256": proposal.content_sha256,
        "proposer": proposal.proposer,
        "propose_time": time(proposal.propose_time.as_ref()),
        "expire_time": time(proposal.expire_time.as_ref()),
        "decider": receipt(&proposal.decider),
        "decide_time": time(proposal.decide_time.as_ref()),
        "done_time": time(proposal.done_time.as_ref()),
    });
    let card = Card::new(&proposal.name).row("state", proposal.state().words());
    let card = match &proposal.content {
        Some(Content::Offboarding(leaving)) => {
            let (content, words, way) = offboarding(leaving);
            json["offboarding"] = content;
            card.row("of", "the tenant's end").row("handing over", words).maybe("in", way)
        }
        Some(Content::Disclosure(told)) => {
            json["disclosure"] = disclosure(told).0;
            card.row("of", &told.name)
                .row("to", &told.recipient)
                .maybe("in", transfer(told.transfer.as_ref()).1)
                .row("told", joined(told.scope().map(Coded::words)))
        }
        Some(Content::LogKeyRotation(rotation)) => {
            json["log_key_rotation"] = json!({ "log": rotation.log, "retired_key": rotation.retired_key });
            card.row("of", format!("a new key for {}", rotation.log)).row("retires", &rotation.retired_key)
        }
        None => card.row("of", "a disclosure about somebody who was erased"),
    };
    let card = card
        .row("content", &proposal.content_sha256)
        .row("proposed by", &proposal.proposer)
        .maybe("decided by", receipt(&proposal.decider))
        .maybe("until", time(proposal.expire_time.as_ref()));
    (json, card)
}

pub(super) fn verdict(verdict: &VerifyResponse) -> (Value, Card) {
    let reasons: Vec<_> = verdict.reasons().map(Coded::code).collect();
    let json = json!({
        "band": verdict.band().code(),
        "reasons": reasons,
        "risk": verdict.risk().code(),
        "decider": verdict.decider().code(),
        "score": verdict.score.map(score),
        "policy_version": verdict.policy_version,
    });
    let card = Card::new(verdict.band().words())
        .row("because", joined(verdict.reasons().map(Coded::words)))
        .row("risk", verdict.risk().words())
        .row("decided by", decided(verdict.decider()))
        .maybe("score", verdict.score)
        .row("policy version", verdict.policy_version);
    (json, card)
}

fn decided(decider: Decider) -> &'static str {
    match decider {
        Decider::System => "your system may decide, or a person",
        Decider::Person => "a person",
        Decider::Unspecified => "the server did not say",
    }
}

pub(super) fn backup(backup: &Backup) -> (Value, Card) {
    let fault = |fault: &str| Some(fault.to_owned()).filter(|fault| !fault.is_empty());
    let verification = backup.verification.as_ref().map(|verification| {
        json!({
            "state": verification.state().code(),
            "verify_time": time(verification.verify_time.as_ref()),
            "row_count": verification.row_count,
            "fault": fault(&verification.fault),
        })
    });
    let json = json!({
        "name": backup.name,
        "state": backup.state().code(),
        "create_time": time(backup.create_time.as_ref()),
        "size_bytes": backup.size_bytes,
        "file_count": backup.file_count,
        "fault": fault(&backup.fault),
        "verification": verification,
    });
    let done = backup.state() == BackupState::Done;
    let mut card = Card::new(&backup.name)
        .row("state", backup.state().words())
        .maybe(if done { "made" } else { "begun" }, time(backup.create_time.as_ref()))
        .maybe("size", done.then(|| size(backup.size_bytes, backup.file_count)))
        .maybe("because", fault(&backup.fault));
    if let Some(verification) = &backup.verification {
        let rows = match verification.fault.as_str() {
            "" if verification.row_count > 0 => format!(": {} rows were read", verification.row_count),
            "" => String::new(),
            fault => format!(": {fault}"),
        };
        card = card.row("verification", format!("{}{rows}", verification.state().words()));
    }
    (json, card)
}

fn size(bytes: i64, files: i32) -> String {
    format!("{bytes} bytes in {files} files, shared ones among them")
}

/// A backup in a folder, as no server sees it.
pub(super) fn backup_in_folder(backup: &crate::store::Backup) -> (Value, Card) {
    let name = format!("backups/{}", backup.number);
    let made = Timestamp { seconds: backup.created_at, nanos: 0 };
    let (bytes, files) =
        (i64::try_from(backup.bytes).unwrap_or(i64::MAX), i32::try_from(backup.files).unwrap_or(i32::MAX));
    let json = json!({
        "name": name,
        "state": BackupState::Done.code(),
        "create_time": time(Some(&made)),
        "size_bytes": bytes,
        "file_count": files,
    });
    (json, Card::new(name).maybe("made", time(Some(&made))).row("size", size(bytes, files)))
}

/// The same of one that cannot be restored any more.
pub(super) fn damaged_backup_in_folder(number: u32) -> (Value, Card) {
    let (name, state) = (format!("backups/{number}"), BackupState::Damaged);
    let json = json!({ "name": name, "state": state.code() });
    (json, Card::new(name).row("state", state.words()))
}

pub(super) fn mirror(mirror: &Mirror) -> (Value, Card) {
    let fault = Some(mirror.fault.clone()).filter(|fault| !fault.is_empty());
    let json = json!({
        "name": mirror.name,
        "path": mirror.path,
        "state": mirror.state().code(),
        "fault": fault,
    });
    let card = Card::new(&mirror.name)
        .row("folder", &mirror.path)
        .row("state", mirror.state().words())
        .maybe("because", fault);
    (json, card)
}

pub(super) fn root_status(status: &RootStatus) -> (Value, Card) {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (fault, moving_from) = (some(&status.fault), some(&status.moving_from));
    let [failing, noticed, oldest] =
        [&status.fail_time, &status.fault_time, &status.oldest_pending_time].map(|when| time(when.as_ref()));
    let json = json!({
        "store": status.store,
        "moving_from": moving_from,
        "state": status.state().code(),
        "fail_time": failing,
        "fault": fault,
        "fault_time": noticed,
        "claimed": status.claimed,
        "epoch": status.epoch,
        "pending_count": status.pending_count,
        "oldest_pending_time": oldest,
        "orphan_count": status.orphan_count,
        "medium_statements": status.medium_statements,
    });
    let pending = match &oldest {
        Some(oldest) => format!("{}, the oldest since {oldest}", status.pending_count),
        None => "none".to_owned(),
    };
    let claimed = if status.claimed { "by this vault" } else { "NOT by this vault: it is fenced out" };
    let orphans = match status.orphan_count {
        0 => None,
        count => Some(format!("{count}; the next epoch destroys them")),
    };
    let card = Card::new(format!("root store {}", status.store))
        .row("state", status.state().words())
        .maybe("since", failing)
        .maybe("last fault", fault)
        .maybe("noticed", noticed)
        .maybe("coming from", moving_from)
        .row("claimed", claimed)
        .row("epoch", status.epoch)
        .row("pending", pending)
        .maybe("orphans", orphans)
        .maybe("receipts say", some(&status.medium_statements.join(", ")));
    (json, card)
}

fn found(found: &SearchMatch) -> Value {
    json!({
        "subject": found.subject,
        "template": found.template,
        "score": score(found.score),
        "band": found.band().code(),
        "reasons": found.reasons().map(Coded::code).collect::<Vec<_>>(),
        "risk": found.risk().code(),
    })
}

pub(super) fn search(search: &SearchResponse) -> (Value, Card) {
    let completeness = search.completeness.unwrap_or_default();
    let matches: Vec<_> = search.matches.iter().map(found).collect();
    let json = json!({
        "matches": matches,
        "completeness": {
            "gallery_size": completeness.gallery_size,
            "searched": completeness.searched,
            "candidates": completeness.candidates,
            "re_ranked": completeness.re_ranked,
            "matched": completeness.matched,
            "threshold": score(completeness.threshold),
            "margin": score(completeness.margin),
            "miss_probability": completeness.miss_probability,
            "complete": completeness.complete,
            "sequence": completeness.sequence,
        },
        "policy_version": search.policy_version,
        "risk": search.risk().code(),
        "decider": search.decider().code(),
        "watchlist_matches": search.watchlist_matches.iter().map(watched).collect::<Vec<_>>(),
        "watchlist_compared": search.watchlist_compared,
    });
    let title = match search.matches.len() {
        0 => "nothing found".to_owned(),
        1 => "1 template found".to_owned(),
        count => format!("{count} templates found"),
    };
    let mut card = Card::new(title);
    for found in &search.matches {
        let place = format!("{:<9} {}", found.band().words(), found.subject);
        card = card.row(&format!("{:.4}", found.score), place);
    }
    for found in &search.watchlist_matches {
        let place = format!("{:<9} {} {}", found.band().words(), found.kind().words(), found.entry);
        card = card.row(&format!("{:.4}", found.score), place);
    }
    let compared = (search.watchlist_compared > 0).then(|| search.watchlist_compared.to_string());
    let card = card
        .row("risk", search.risk().words())
        .row("decided by", decided(search.decider()))
        .row("searched", statement(&completeness))
        .maybe("watch lists", compared);
    (json, card)
}

/// A pair of a sweep, as an object and as a line.
pub(super) fn pair(pair: &DuplicatePair) -> (Value, String) {
    let json = json!({
        "subject": pair.subject,
        "template": pair.template,
        "other_subject": pair.other_subject,
        "other_template": pair.other_template,
        "score": score(pair.score),
        "band": pair.band().code(),
        "reasons": pair.reasons().map(Coded::code).collect::<Vec<_>>(),
        "risk": pair.risk().code(),
    });
    let line = format!("{:.4}  {:<9} {}  {}", pair.score, pair.band().words(), pair.subject, pair.other_subject);
    (json, printable(&line))
}

/// What a sweep that came to its end says of itself.
pub(super) fn swept(last: &SweepDuplicatesResponse, pairs: usize) -> (Value, Card) {
    let json = json!({
        "pairs": pairs,
        "compared": last.compared,
        "gallery_size": last.gallery_size,
        "candidates": last.candidates,
        "threshold": score(last.threshold),
        "miss_probability": last.miss_probability,
        "policy_version": last.policy_version,
        "complete": last.complete,
    });
    let title = match pairs {
        // Of a sweep that went on, those who asked before know of theirs.
        0 => "no pair found".to_owned(),
        1 => "1 pair found".to_owned(),
        count => format!("{count} pairs found"),
    };
    let statement = format!(
        "{} templates with all those before them, in a gallery of {}; {} pairs scored exactly; a pair exactly at {} is \
         missed with a probability of at most {:e}",
        last.compared, last.gallery_size, last.candidates, last.threshold, last.miss_probability
    );
    (json, Card::new(title).row("compared", statement))
}

/// What a completeness statement says, in words.
pub(super) fn statement(of: &Completeness) -> String {
    let cut = if of.complete { "" } else { "; the list was cut to the number asked for" };
    format!(
        "{} of {} templates, {} candidates scored exactly, {} at or above {}; a template exactly at \
         the threshold is missed with a probability of at most {:e} (margin {:.3}){cut}",
        of.searched, of.gallery_size, of.re_ranked, of.matched, of.threshold, of.miss_probability, of.margin
    )
}

#[cfg(test)]
mod tests {
    use lethe_proto::v1::{DecisionBand, DecisionReason, RiskLevel, Role};

    use super::*;

    #[test]
    fn scores_keep_their_own_digits() {
        assert_eq!(score(0.71).to_string(), "0.71");
        assert_eq!(score(-1.0).to_string(), "-1.0");
    }

    #[test]
    fn codes_are_those_of_the_api() {
        let answer = VerifyResponse {
            band: DecisionBand::NoMatch.into(),
            reasons: vec![DecisionReason::NoScoreAboveReview.into()],
            policy_version: 3,
            score: None,
            risk: RiskLevel::High.into(),
            decider: Decider::Person.into(),
        };
        let (json, _) = verdict(&answer);
        assert_eq!(json["band"], "NO_MATCH");
        assert_eq!(json["reasons"], json!(["NO_SCORE_ABOVE_REVIEW"]));
        assert_eq!(json["score"], Value::Null);
        assert_eq!((&json["risk"], &json["decider"]), (&json!("HIGH"), &json!("PERSON")));
    }

    #[test]
    fn a_new_key_is_in_neither_form() {
        let answer = IssuedCredential {
            credential: Some(Credential { roles: vec![Role::Auditor.into()], ..Credential::default() }),
            api_key: "s3cret".into(),
            already_shown: false,
        };
        let (json, card) = issued(&answer);
        assert!(!format!("{json} {card:?}").contains("s3cret"));
        assert_eq!(json["roles"], json!(["AUDITOR"]));
    }

    #[test]
    fn a_search_states_how_complete_it_is() {
        let completeness = Completeness {
            gallery_size: 10,
            searched: 10,
            miss_probability: 1e-4,
            complete: true,
            ..Completeness::default()
        };
        let text = statement(&completeness);
        assert!(text.starts_with("10 of 10 templates"), "{text}");
        assert!(text.contains("1e-4"), "{text}");
        assert!(!text.contains("cut"), "{text}");
        assert!(statement(&Completeness { complete: false, ..completeness }).contains("cut"));
    }
}
