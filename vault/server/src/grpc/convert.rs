//! Messages to domain types and back.

use lethe_domain::{
    Band, CaptureKind, DecisionReason, Invalid, LawfulBasis, ModelId, Purpose, PurposeBasis, Quality, Reason,
    ReceiptId, RequestId, Role, Roles, SubjectId, TemplateFacts, TenantId, Timestamp,
};
use lethe_proto::v1;
use prost_types::Timestamp as ProtoTimestamp;
use zeroize::Zeroize;

use crate::erasure::{Erasure, ErasureState};
use crate::error::Result;
use crate::templates::Capture;

/// `None` where the caller stated none, or one this version does not know.
pub(super) fn purpose(number: i32) -> Option<Purpose> {
    u8::try_from(number).ok().and_then(Purpose::from_number)
}

pub(super) fn request_id(text: &str) -> Result<Option<RequestId>> {
    if text.is_empty() { Ok(None) } else { Ok(Some(RequestId::parse(text)?)) }
}

pub(super) fn required_request_id(text: &str) -> Result<RequestId> {
    if text.is_empty() {
        return Err(Invalid::new("request_id", Reason::FieldMissing, "is needed, as a version 4 UUID").into());
    }
    Ok(RequestId::parse(text)?)
}

/// A SHA-256 digest, as 64 hexadecimal digits.
pub(super) fn sha256(field: &str, text: &str) -> Result<[u8; 32]> {
    if text.is_empty() {
        return Err(Invalid::new(field, Reason::FieldMissing, "is missing").into());
    }
    let digest = hex::decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "is not 64 hexadecimal digits");
    Ok(digest.ok_or_else(refuse)?)
}

pub(super) fn model(field: &str, model: Option<v1::ModelVersion>) -> Result<ModelId> {
    let missing = || Invalid::new(field, Reason::FieldMissing, "is missing");
    let model = model.ok_or_else(missing)?;
    let outer = field.trim_end_matches(".model").trim_end_matches("model");
    ModelId::parse(&model.id, &model.version)
        .map_err(|refusal| if outer.is_empty() { refusal.into() } else { refusal.within(outer).into() })
}

/// A capture. The message's own copy of the embedding becomes the capture's.
pub(super) fn capture(field: &str, capture: Option<v1::Capture>) -> Result<Capture> {
    let missing = |part: &str| Invalid::new(format!("{field}{part}"), Reason::FieldMissing, "is missing");
    let mut capture = capture.ok_or_else(|| missing(""))?;
    let parsed = parse_capture(field, &mut capture, &missing);
    capture.embedding.zeroize();
    parsed
}

fn parse_capture(field: &str, capture: &mut v1::Capture, missing: &dyn Fn(&str) -> Invalid) -> Result<Capture> {
    let model = model(&format!("{field}.model"), capture.model.take())?;
    if capture.kind == 0 {
        return Err(missing(".kind").into());
    }
    let kind = u8::try_from(capture.kind).ok().and_then(CaptureKind::from_number);
    let no_kind = || Invalid::new(format!("{field}.kind"), Reason::FieldOutOfRange, "is no kind of capture");
    let quality = capture.quality.ok_or_else(|| missing(".quality"))?;
    let captured = capture.capture_time.ok_or_else(|| missing(".capture_time"))?;
    let (kind, quality) = (kind.ok_or_else(no_kind)?, Quality::parse(&format!("{field}.quality"), quality)?);
    let captured_at = timestamp(&format!("{field}.capture_time"), captured)?;
    let attestation = Some(std::mem::take(&mut capture.attestation)).filter(|text| !text.is_empty());
    let received = std::mem::take(&mut capture.embedding);
    Ok(Capture::new(model, received, kind, quality, captured_at).attested(attestation))
}

pub(super) fn timestamp(field: &str, time: ProtoTimestamp) -> Result<Timestamp> {
    let millis = time.seconds.checked_mul(1000).and_then(|ms| ms.checked_add(i64::from(time.nanos) / 1_000_000));
    // The years 0001 to 9999, as `google.protobuf.Timestamp` has them.
    let years = (-62_135_596_800..=253_402_300_799).contains(&time.seconds);
    let valid = (years && (0..1_000_000_000).contains(&time.nanos)).then_some(millis).flatten();
    let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "is no timestamp");
    Ok(Timestamp::from_millis(valid.ok_or_else(refuse)?))
}

pub(super) fn to_timestamp(time: Timestamp) -> ProtoTimestamp {
    let millis = time.millis();
    let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
    ProtoTimestamp { seconds: millis.div_euclid(1000), nanos }
}

pub(super) fn purposes(field: &str, list: &[v1::PurposeBasis]) -> Result<Vec<PurposeBasis>> {
    let mut parsed: Vec<PurposeBasis> = Vec::with_capacity(list.len());
    for (at, entry) in list.iter().enumerate() {
        let refuse = |part: &str, message: &str| {
            Invalid::new(format!("{field}[{at}].{part}"), Reason::FieldOutOfRange, message.to_owned())
        };
        let purpose = purpose(entry.purpose).filter(|purpose| purpose.is_biometric());
        let purpose = purpose.ok_or_else(|| refuse("purpose", "must be a biometric purpose"))?;
        let basis = u8::try_from(entry.lawful_basis).ok().and_then(LawfulBasis::from_number);
        let basis = basis.ok_or_else(|| refuse("lawful_basis", "must be a lawful basis"))?;
        if parsed.iter().any(|known| known.purpose == purpose) {
            return Err(refuse("purpose", "is declared twice").into());
        }
        parsed.push(PurposeBasis { purpose, basis });
    }
    Ok(parsed)
}

pub(super) fn to_purposes(list: &[PurposeBasis]) -> Vec<v1::PurposeBasis> {
    list.iter()
        .map(|entry| v1::PurposeBasis {
            purpose: entry.purpose.number().into(),
            lawful_basis: entry.basis.number().into(),
        })
        .collect()
}

pub(super) fn roles(field: &str, list: &[i32]) -> Result<Roles> {
    let known = |number: &i32| Role::ALL.into_iter().find(|role| *role as i32 == *number);
    let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "has a number that is no role");
    let roles: Option<Roles> = list.iter().map(known).collect();
    let roles = roles.ok_or_else(refuse)?;
    if roles.iter().count() != list.len() {
        return Err(Invalid::new(field, Reason::FieldOutOfRange, "has a role twice").into());
    }
    Ok(roles.for_tenant()?)
}

pub(super) fn to_roles(roles: Roles) -> Vec<i32> {
    roles.iter().map(|role| role as i32).collect()
}

pub(super) fn to_model(model: &ModelId) -> v1::ModelVersion {
    v1::ModelVersion { id: model.id().to_owned(), version: model.version().to_owned() }
}

pub(super) fn to_template(
    tenant: &TenantId,
    subject: &SubjectId,
    facts: &TemplateFacts,
    dimension: usize,
) -> v1::Template {
    v1::Template {
        name: format!("{}/templates/{}", subject_name(tenant, subject), facts.id),
        model: Some(to_model(&facts.model)),
        dimension: i32::try_from(dimension).unwrap_or(i32::MAX),
        kind: facts.kind.number().into(),
        quality: facts.quality.get(),
        capture_time: Some(to_timestamp(facts.captured_at)),
        create_time: Some(to_timestamp(facts.enrolled_at)),
    }
}

pub(super) fn subject_name(tenant: &TenantId, subject: &SubjectId) -> String {
    format!("tenants/{tenant}/subjects/{}", subject.as_str())
}

pub(super) fn to_band(band: Band) -> i32 {
    match band {
        Band::Match => v1::DecisionBand::Match.into(),
        Band::Review => v1::DecisionBand::Review.into(),
        Band::NoMatch => v1::DecisionBand::NoMatch.into(),
    }
}

pub(super) fn to_decision_reason(reason: DecisionReason) -> i32 {
    match reason {
        DecisionReason::ScoreAboveMatch => v1::DecisionReason::ScoreAboveMatch.into(),
        DecisionReason::ScoreBetweenThresholds => v1::DecisionReason::ScoreBetweenThresholds.into(),
        DecisionReason::NoScoreAboveReview => v1::DecisionReason::NoScoreAboveReview.into(),
    }
}

pub(super) fn to_erasure_state(state: ErasureState) -> i32 {
    match state {
        ErasureState::Pending => v1::ErasureState::Pending.into(),
        ErasureState::Shredded => v1::ErasureState::Shredded.into(),
    }
}

pub(super) fn to_receipt_name(tenant: &TenantId, receipt: ReceiptId) -> String {
    format!("tenants/{tenant}/receipts/{receipt}")
}

pub(super) fn to_erasure(tenant: &TenantId, erasure: Erasure) -> v1::Erasure {
    let (receipt, state) = (to_receipt_name(tenant, erasure.receipt), to_erasure_state(erasure.state));
    v1::Erasure { receipt, state, erase_time: None }
}

/// The name of a receipt that is the vault's.
pub(super) fn to_vault_receipt(erasure: &Erasure) -> String {
    format!("vault/receipts/{}", erasure.receipt)
}

pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn sequence(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
