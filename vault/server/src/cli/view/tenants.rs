//! Tenants, who may act for them, their models, and what two persons decide.

use lethe_proto::v1::{
    AttestationPolicy, Automation, Credential, IssuedCredential, ModelProfile, Offboarding, Proposal, PurposeBasis,
    Retention, SigningKey, SigningKeyState, Tenant,
};
use serde_json::{Value, json};

use super::people::disclosure;
use super::{joined, model, receipt, score, time, transfer};
use crate::cli::output::Card;
use crate::cli::values::Coded;

pub(crate) fn tenant(tenant: &Tenant) -> (Value, Card) {
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
        "attestation": tenant.attestation.as_ref().map(attestation),
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
        .maybe("attestation", tenant.attestation.as_ref().map(attested))
        .maybe("automated", Some(automated).filter(|automated| !automated.is_empty()))
        .row("policy", format!("version {}", tenant.policy_version))
        .maybe("created", time(tenant.create_time.as_ref()))
        .maybe("memory", (tenant.memory_bytes > 0).then(|| format!("{} KiB", tenant.memory_bytes.div_euclid(1024))));
    (json, card)
}

fn attestation(said: &AttestationPolicy) -> Value {
    json!({
        "exempt": said.exempt().map(|usage| usage.as_str_name()).collect::<Vec<_>>(),
        "least_level": said.least_level,
        "max_age_s": said.max_age.as_ref().map(|age| age.seconds),
    })
}

fn attested(said: &AttestationPolicy) -> String {
    let exempt =
        joined(said.exempt().map(|usage| usage.as_str_name().trim_start_matches("CAPTURE_USE_").to_lowercase()));
    let exempt = if exempt.is_empty() { "nothing".to_owned() } else { exempt };
    let age = said.max_age.as_ref().map_or(0, |age| age.seconds);
    format!("exempt: {exempt}; level {} or higher, {age} s from capture", said.least_level)
}

/// A public key of a capture or document service.
pub(crate) fn signing_key(key: &SigningKey) -> (Value, Card) {
    let state = match key.state() {
        SigningKeyState::Active => "active",
        SigningKeyState::Revoked => "revoked",
        SigningKeyState::Unspecified => "unspecified",
    };
    let json = json!({
        "name": key.name,
        "jwk": key.jwk,
        "state": key.state().as_str_name(),
        "create_time": time(key.create_time.as_ref()),
        "revoke_time": time(key.revoke_time.as_ref()),
    });
    let card = Card::new(&key.name)
        .row("state", state)
        .maybe("created", time(key.create_time.as_ref()))
        .maybe("revoked", time(key.revoke_time.as_ref()))
        .row("key", &key.jwk);
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

pub(crate) fn credential(credential: &Credential) -> (Value, Card) {
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
pub(crate) fn issued(issued: &IssuedCredential) -> (Value, Card) {
    let (mut json, card) = credential(&issued.credential.clone().unwrap_or_default());
    json["already_shown"] = json!(issued.already_shown);
    let lost = "was shown with the first answer; if it is lost, revoke this one and create another";
    let card = if issued.already_shown { card.row("API key", lost) } else { card };
    (json, card)
}

pub(crate) fn profile(profile: &ModelProfile) -> (Value, Card) {
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

pub(crate) fn proposal(proposal: &Proposal) -> (Value, Card) {
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
