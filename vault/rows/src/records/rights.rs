//! What outlives a person: evidence of consents, requests; and what leads to requests, which does not.

use lethe_domain::{
    Closure, Evidence, Extension, ExtensionReason, Jurisdiction, RefusalReason, RequestKind, RequestOutcome, Requester,
    RightsRequest, RightsRequestId, Timestamp, Verification,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::dossier::{ConsentRecord, known, padded};
use super::json::decode;
use crate::Corrupt;

const EVIDENCE: &str = "evidence record";
const REQUEST: &str = "request record";
const ASKED: &str = "record of requests";

/// The evidence of a consent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRecord {
    consent: ConsentRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_until: Option<i64>,
}

impl EvidenceRecord {
    /// The plaintext of a row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(evidence: &Evidence) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let consent = ConsentRecord::of(&evidence.consent);
        padded(EVIDENCE, &Self { consent, keep_until: evidence.keep_until.map(Timestamp::millis) })
    }

    /// Reads a plaintext back.
    ///
    /// # Errors
    /// `Corrupt` for what is no evidence.
    pub fn read(bytes: &[u8]) -> Result<Evidence, Corrupt> {
        let record: Self = decode(EVIDENCE, bytes)?;
        let consent = record.consent.consent().ok_or_else(|| Corrupt::new(EVIDENCE, "fields"))?;
        Ok(Evidence { consent, keep_until: record.keep_until.map(Timestamp::from_millis) })
    }
}

/// A request of a data subject.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestRecord {
    kind: u8,
    jurisdiction: u8,
    requester: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification: Option<u8>,
    received_at: i64,
    opened_at: i64,
    due_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extension: Option<ExtensionRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closure: Option<ClosureRecord>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtensionRecord {
    reason: u8,
    noticed_at: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosureRecord {
    outcome: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<u8>,
    closed_at: i64,
}

impl RequestRecord {
    /// The plaintext of a row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(request: &RightsRequest) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let extension = request.extension.map(|extension| ExtensionRecord {
            reason: extension.reason.number(),
            noticed_at: extension.noticed_at.millis(),
        });
        let closure = request.closure.map(|closure| ClosureRecord {
            outcome: closure.outcome.number(),
            reason: closure.reason.map(RefusalReason::number),
            closed_at: closure.closed_at.millis(),
        });
        let record = Self {
            kind: request.kind.number(),
            jurisdiction: request.jurisdiction.number(),
            requester: request.requester.number(),
            verification: request.verification.map(Verification::number),
            received_at: request.received_at.millis(),
            opened_at: request.opened_at.millis(),
            due_at: request.due_at.millis(),
            extension,
            closure,
        };
        padded(REQUEST, &record)
    }

    /// Reads a plaintext back.
    ///
    /// # Errors
    /// `Corrupt` for what is no request.
    pub fn read(bytes: &[u8]) -> Result<RightsRequest, Corrupt> {
        let record: Self = decode(REQUEST, bytes)?;
        record.request().ok_or_else(|| Corrupt::new(REQUEST, "fields"))
    }

    fn request(&self) -> Option<RightsRequest> {
        Some(RightsRequest {
            kind: RequestKind::from_number(self.kind)?,
            jurisdiction: Jurisdiction::from_number(self.jurisdiction)?,
            requester: Requester::from_number(self.requester)?,
            verification: known(self.verification, Verification::from_number)?,
            received_at: Timestamp::from_millis(self.received_at),
            opened_at: Timestamp::from_millis(self.opened_at),
            due_at: Timestamp::from_millis(self.due_at),
            extension: known(self.extension, ExtensionRecord::extension)?,
            closure: known(self.closure, ClosureRecord::closure)?,
        })
    }
}

impl ExtensionRecord {
    fn extension(self) -> Option<Extension> {
        let reason = ExtensionReason::from_number(self.reason)?;
        Some(Extension { reason, noticed_at: Timestamp::from_millis(self.noticed_at) })
    }
}

impl ClosureRecord {
    fn closure(self) -> Option<Closure> {
        Some(Closure {
            outcome: RequestOutcome::from_number(self.outcome)?,
            reason: known(self.reason, RefusalReason::from_number)?,
            closed_at: Timestamp::from_millis(self.closed_at),
        })
    }
}

/// Which requests a subject made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedRecord {
    requests: Vec<String>,
}

impl AskedRecord {
    /// Most requests of a subject that lead back to it; of more, the latest do.
    pub const MOST: usize = 64;

    /// The plaintext of a row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(requests: &[RightsRequestId]) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        padded(ASKED, &Self { requests: requests.iter().map(ToString::to_string).collect() })
    }

    /// Reads a plaintext back: ids in the order in which the requests were recorded.
    ///
    /// # Errors
    /// `Corrupt` for what is none.
    pub fn read(bytes: &[u8]) -> Result<Vec<RightsRequestId>, Corrupt> {
        let record: Self = decode(ASKED, bytes)?;
        let ids: Option<_> = record.requests.iter().map(|id| RightsRequestId::parse(id)).collect();
        ids.ok_or_else(|| Corrupt::new(ASKED, "ids"))
    }
}
