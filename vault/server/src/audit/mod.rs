//! The log: what every operation leaves, and how it is proved.
//!
//! Entries go into the same batch as what they record (O31). A subject appears in one only as a pseudonym
//! that dies with its key, and details about it are sealed under that key (O29; rule 7).

mod breach;
mod entries;
mod proof;
mod receipt;
mod scan;
mod succession;
mod usage;

use lethe_crypto::log::entry::{Entry, EntryDraft, Event, OtherEvent, Outcome};
use lethe_crypto::log::json::Value;
use lethe_crypto::log::text::Token;
use lethe_crypto::secret::{AuditKey, SlotKey};
use lethe_domain::{CredentialId, Reason, Timestamp};
use lethe_policy::operation::Kind;
use lethe_policy::{Authorized, Cleared, Denial, Operation, Principal};

use crate::error::Result;
use crate::store::StoreError;

pub use breach::{BreachReport, Inquiry, report, report_all};
pub use entries::{EntryPage, Filter, Follows, Lists, Logged, Span, Tail, list, list_of_subject};
pub(crate) use proof::create_log;
pub use proof::{LogProof, SignedCheckpoint, checkpoint, log_of, prove, prove_growth};
pub use receipt::{Reads, ReceiptState, get_receipt};
pub(crate) use scan::has;
pub use scan::{Looking, Window};
pub use succession::{Rotates, list_successions, propose_rotation};
pub(crate) use succession::{rotation_digest, succeed_key, successions_within, verifier_key};
pub use usage::{Count, Period, Spans, count, count_all};

/// A word of the log's vocabulary.
pub(crate) fn token(text: &str) -> Result<Token> {
    text.parse().map_err(|_| StoreError::corrupt("log token", text).into())
}

/// The entry of an operation that was allowed, and is done or, as a search may be, at work.
pub(crate) fn done<O: Kind>(call: &Authorized<O>, now: Timestamp) -> Result<EntryDraft> {
    let rule = call.operation().rule();
    let mut entry = EntryDraft::new(time(now), token(rule.name)?, Outcome::Allowed)
        .credential(token(&call.credential().to_string())?)
        .purpose(token(call.purpose().name())?);
    if let Some(basis) = call.basis() {
        entry = entry.basis(token(basis.name())?);
    }
    Ok(judged_by(entry, call.policy_version()))
}

/// The same of what was judged for a person: by the policy that judged, which may be a later one than the gate's.
pub(crate) fn done_to<O: Kind>(call: &Authorized<O>, cleared: &Cleared, now: Timestamp) -> Result<EntryDraft> {
    Ok(judged_by(done(call, now)?, Some(cleared.policy_version())))
}

/// The entry of an operation that the gate let pass and a limit refused.
pub(crate) fn refused<O: Kind>(call: &Authorized<O>, reason: Reason, now: Timestamp) -> Result<EntryDraft> {
    let rule = call.operation().rule();
    let entry = EntryDraft::new(time(now), token(rule.name)?, Outcome::Denied)
        .credential(token(&call.credential().to_string())?)
        .purpose(token(call.purpose().name())?)
        .reason(token(reason.code())?);
    Ok(judged_by(entry, call.policy_version()))
}

/// Whether an entry says that somebody was let do a thing.
pub(crate) fn was_allowed(entry: &Entry) -> bool {
    entry.outcome == Outcome::Allowed
}

/// The entry of an operation that was refused at the gate.
pub(crate) fn denied(
    principal: &Principal,
    operation: Operation,
    denial: &Denial,
    policy: Option<u32>,
    now: Timestamp,
) -> Result<EntryDraft> {
    let entry = EntryDraft::new(time(now), token(operation.rule().name)?, Outcome::Denied)
        .credential(token(&principal.credential.to_string())?)
        .reason(token(denial.reason.code())?);
    Ok(judged_by(entry, policy))
}

/// The entry, with the version of the tenant's policy that judged, if one did (O1).
pub(crate) fn judged_by(entry: EntryDraft, policy: Option<u32>) -> EntryDraft {
    match policy {
        Some(version) => entry.policy(version.into()),
        None => entry,
    }
}

/// The entry of something the vault does by itself.
pub(crate) fn by_the_vault(operation: &str, now: Timestamp) -> Result<EntryDraft> {
    Ok(EntryDraft::new(time(now), token(operation)?, Outcome::Allowed))
}

/// Names a subject in an entry, for whoever has its key.
pub(crate) fn about(entry: EntryDraft, subject: &SlotKey) -> EntryDraft {
    entry.subject(AuditKey::derive(subject))
}

/// Names what an entry created or revoked.
pub(crate) fn concerning(entry: EntryDraft, kind: &str, id: CredentialId) -> Result<EntryDraft> {
    naming(entry, kind, "credential", &id.to_string())
}

/// Adds an event of one field.
pub(crate) fn naming(entry: EntryDraft, kind: &str, field: &str, value: &str) -> Result<EntryDraft> {
    happened(entry, kind, vec![(field.to_owned(), Value::String(value.to_owned()))])
}

/// Adds an event of some fields.
pub(crate) fn telling(entry: EntryDraft, kind: &str, fields: &[(&str, &str)]) -> Result<EntryDraft> {
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), Value::String((*value).to_owned()));
    happened(entry, kind, fields.iter().map(text).collect())
}

/// Adds an event that is all numbers.
pub(crate) fn counting(entry: EntryDraft, kind: &str, fields: &[(&str, u64)]) -> Result<EntryDraft> {
    happened(entry, kind, fields.iter().map(|(name, count)| ((*name).to_owned(), Value::Number(*count))).collect())
}

fn happened(entry: EntryDraft, kind: &str, fields: Vec<(String, Value)>) -> Result<EntryDraft> {
    Ok(entry.event(Event::Other(OtherEvent::new(token(kind)?, fields).map_err(StoreError::from)?)))
}

fn time(now: Timestamp) -> u64 {
    u64::try_from(now.millis()).unwrap_or(0)
}
