//! Questions about a person that people answer.

use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    Band, Case, CaseDecision, CaseId, CaseKind, CaseReason, CaseStep, CredentialId, ModelId, Question, RightsRequestId,
    Seen, Timestamp,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::dossier::{known, padded};
use super::json::decode;
use crate::Corrupt;

const CASE: &str = "case record";

/// A case, as its row has it: the other one of a pair is named by slot alone, so that with that one's base row goes who it was.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCase {
    /// The case; read back, it names nobody else.
    pub case: Case,
    /// The slot of the other one, of a pair.
    pub other: Option<SlotRef>,
}

/// What is written of a case.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseRecord {
    kind: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other: Option<(u64, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<SeenRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    attempts: u32,
    opened_at: i64,
    last_seen_at: i64,
    decisions: Vec<DecisionRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeenRecord {
    model: String,
    version: String,
    band: u8,
    score: f32,
    policy_version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionRecord {
    by: String,
    at: i64,
    step: u8,
    reason: u8,
}

impl StoredCase {
    /// The plaintext of a row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let case = &self.case;
        let request = if let Question::Contested { request } = case.question { request } else { None };
        let record = CaseRecord {
            kind: case.kind().number(),
            other: self.other.map(|slot| (slot.slot, slot.generation)),
            seen: case.model().zip(case.seen()).map(|(model, seen)| SeenRecord::of(model, seen)),
            request: request.map(|request| request.to_string()),
            attempts: case.attempts,
            opened_at: case.opened_at.millis(),
            last_seen_at: case.last_seen_at.millis(),
            decisions: case.decisions.iter().map(DecisionRecord::of).collect(),
        };
        padded(CASE, &record)
    }

    /// Reads a plaintext back; its id is in the row's key.
    ///
    /// # Errors
    /// `Corrupt` for what is no case.
    pub fn read(id: CaseId, bytes: &[u8]) -> Result<Self, Corrupt> {
        let record: CaseRecord = decode(CASE, bytes)?;
        record.parse(id).ok_or_else(|| Corrupt::new(CASE, "fields"))
    }
}

impl CaseRecord {
    fn parse(&self, id: CaseId) -> Option<StoredCase> {
        let other = self.other.map(|(slot, generation)| SlotRef { slot, generation });
        let seen = known(self.seen.as_ref(), SeenRecord::parse)?;
        let request = known(self.request.as_deref(), RightsRequestId::parse)?;
        let question = match (CaseKind::from_number(self.kind)?, other, seen, request) {
            (CaseKind::VerificationUnclear, None, Some((model, seen)), None) => Question::Unclear { model, seen },
            (CaseKind::PossibleDuplicate, Some(_), Some((model, seen)), None) => {
                Question::Duplicate { other: None, model, seen }
            }
            (CaseKind::DecisionContested, None, None, request) => Question::Contested { request },
            _ => return None,
        };
        let decisions = self.decisions.iter().map(DecisionRecord::parse).collect::<Option<Vec<_>>>()?;
        let case = Case {
            id,
            question,
            attempts: self.attempts,
            opened_at: Timestamp::from_millis(self.opened_at),
            last_seen_at: Timestamp::from_millis(self.last_seen_at),
            decisions,
        };
        Some(StoredCase { case, other })
    }
}

impl SeenRecord {
    fn of(model: &ModelId, seen: Seen) -> Self {
        Self {
            model: model.id().to_owned(),
            version: model.version().to_owned(),
            band: seen.band.number(),
            score: seen.score,
            policy_version: seen.policy_version,
        }
    }

    fn parse(&self) -> Option<(ModelId, Seen)> {
        let model = ModelId::parse(&self.model, &self.version).ok()?;
        let seen = Seen {
            band: Band::from_number(self.band)?,
            // A number that is too large for an `f32` is read as infinity.
            score: Some(self.score).filter(|score| score.is_finite())?,
            policy_version: self.policy_version,
        };
        Some((model, seen))
    }
}

impl DecisionRecord {
    fn of(decision: &CaseDecision) -> Self {
        Self {
            by: decision.by.to_string(),
            at: decision.at.millis(),
            step: decision.step.number(),
            reason: decision.reason.number(),
        }
    }

    fn parse(&self) -> Option<CaseDecision> {
        Some(CaseDecision {
            by: CredentialId::parse(&self.by)?,
            at: Timestamp::from_millis(self.at),
            step: CaseStep::from_number(self.step)?,
            reason: CaseReason::from_number(self.reason)?,
        })
    }
}
