use crate::codes::codes;
use crate::{Band, CaseId, CredentialId, ModelId, RightsRequestId, SubjectId, Timestamp};

codes! {
    /// What a case asks.
    CaseKind {
        /// Whether the person who was verified is the one enrolled: the score lay between the thresholds.
        VerificationUnclear = 1 "verification_unclear",
        /// Whether two persons on record are one.
        PossibleDuplicate = 2 "possible_duplicate",
        /// Whether what was decided automatically about a person is right: the person contests it.
        DecisionContested = 3 "decision_contested",
    }
}

codes! {
    /// What somebody did with a case.
    CaseStep {
        /// Decided: it is the same person; or, what was decided automatically is right.
        Confirmed = 1 "confirmed",
        /// Decided: it is somebody else; or, what was decided automatically is wrong.
        Distinct = 2 "distinct",
        /// Left it to another reviewer.
        Escalated = 3 "escalated",
        /// Opened it again, for a person who contests it.
        Contested = 4 "contested",
    }
}

codes! {
    /// On what a step with a case rests. There is no text: it would be full of personal data (O5).
    CaseReason {
        /// The reviewer compared the images that the client has.
        ImagesCompared = 1 "images_compared",
        /// The reviewer checked an identity document.
        DocumentChecked = 2 "document_checked",
        /// The person was heard, or seen.
        PersonHeard = 3 "person_heard",
        /// What the client keeps elsewhere shows it.
        ClientRecords = 4 "client_records",
        /// The capture is too poor to tell.
        CapturePoor = 5 "capture_poor",
        /// What there is contradicts itself.
        EvidenceConflicts = 6 "evidence_conflicts",
        /// The reviewer may not, or does not want to, decide on this person.
        ReviewerInvolved = 7 "reviewer_involved",
        /// The person contests it.
        PersonContests = 8 "person_contests",
    }
}

codes! {
    /// How a case stands.
    CaseState {
        /// Nobody decided on it.
        Open = 1 "open",
        /// A reviewer left it to another.
        Escalated = 2 "escalated",
        /// Decided: the same person, or a decision that was right.
        Confirmed = 3 "confirmed",
        /// Decided: somebody else, or a decision that was wrong.
        Distinct = 4 "distinct",
        /// The person contests: another human decides.
        Contested = 5 "contested",
    }
}

impl CaseState {
    /// Whether somebody decided, and nobody contests it.
    pub const fn is_decided(self) -> bool {
        match self {
            Self::Confirmed | Self::Distinct => true,
            Self::Open | Self::Escalated | Self::Contested => false,
        }
    }
}

/// What a comparison said that a case is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The band, by the thresholds of then.
    pub band: Band,
    /// The best exact cosine, −1…1.
    pub score: f32,
    /// The version of the thresholds that judged.
    pub policy_version: u32,
}

/// What a case asks, with what it is asked about.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// [`CaseKind::VerificationUnclear`].
    Unclear {
        /// The model that was verified by.
        model: ModelId,
        /// What the latest attempt said before somebody took a step.
        seen: Seen,
    },
    /// [`CaseKind::PossibleDuplicate`].
    Duplicate {
        /// Who may be the same person; `None` once that one is erased.
        other: Option<SubjectId>,
        /// The model by which the two were compared.
        model: ModelId,
        /// What that said.
        seen: Seen,
    },
    /// [`CaseKind::DecisionContested`].
    Contested {
        /// The person's request, if it is on record.
        request: Option<RightsRequestId>,
    },
}

/// A step that somebody took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseDecision {
    /// By which credential.
    pub by: CredentialId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub step: CaseStep,
    /// On what it rests.
    pub reason: CaseReason,
}

/// A question about one person that a person of the client answers (O11). It is evidence: the client acts on it, and nothing
/// that is judged depends on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Which.
    pub id: CaseId,
    /// What it asks.
    pub question: Question,
    /// How many attempts it stands for: those after the first opened no case of their own.
    pub attempts: u32,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When the latest attempt was.
    pub last_seen_at: Timestamp,
    /// What was done with it, oldest first.
    pub decisions: Vec<CaseDecision>,
}

impl Case {
    /// Most cases about one person that are kept.
    pub const MOST: usize = 64;
    /// Most steps that one case takes.
    pub const MOST_STEPS: usize = 32;

    /// A case that nobody did anything with yet.
    pub const fn opened(id: CaseId, question: Question, now: Timestamp) -> Self {
        Self { id, question, attempts: 1, opened_at: now, last_seen_at: now, decisions: Vec::new() }
    }

    /// What it asks.
    pub const fn kind(&self) -> CaseKind {
        match self.question {
            Question::Unclear { .. } => CaseKind::VerificationUnclear,
            Question::Duplicate { .. } => CaseKind::PossibleDuplicate,
            Question::Contested { .. } => CaseKind::DecisionContested,
        }
    }

    /// How it stands: what the last step says, and from birth what its kind says.
    pub fn state(&self) -> CaseState {
        match self.decisions.last().map(|decision| decision.step) {
            Some(CaseStep::Confirmed) => CaseState::Confirmed,
            Some(CaseStep::Distinct) => CaseState::Distinct,
            Some(CaseStep::Escalated) => CaseState::Escalated,
            Some(CaseStep::Contested) => CaseState::Contested,
            None if self.kind() == CaseKind::DecisionContested => CaseState::Contested,
            None => CaseState::Open,
        }
    }

    /// The model of the comparison that it is about, if it is about one.
    pub const fn model(&self) -> Option<&ModelId> {
        match &self.question {
            Question::Unclear { model, .. } | Question::Duplicate { model, .. } => Some(model),
            Question::Contested { .. } => None,
        }
    }

    /// What that comparison said.
    pub const fn seen(&self) -> Option<Seen> {
        match self.question {
            Question::Unclear { seen, .. } | Question::Duplicate { seen, .. } => Some(seen),
            Question::Contested { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_stands_as_its_last_step_says() {
        let at = Timestamp::from_millis;
        let mut case = Case::opened(CaseId::from_bytes([1; 16]), Question::Contested { request: None }, at(1));
        assert_eq!((case.kind(), case.state()), (CaseKind::DecisionContested, CaseState::Contested));
        assert!(case.model().is_none() && case.seen().is_none());
        let seen = Seen { band: Band::Review, score: 0.4, policy_version: 1 };
        case.question = Question::Unclear { model: ModelId::parse("m", "1").unwrap(), seen };
        assert_eq!((case.state(), case.seen()), (CaseState::Open, Some(seen)));
        let states = [CaseState::Confirmed, CaseState::Distinct, CaseState::Escalated, CaseState::Contested];
        for (step, state) in CaseStep::ALL.iter().zip(states) {
            let by = CredentialId::from_bytes([2; 16]);
            case.decisions.push(CaseDecision { by, at: at(2), step: *step, reason: CaseReason::PersonHeard });
            assert_eq!(case.state(), state);
            assert_eq!(state.is_decided(), matches!(step, CaseStep::Confirmed | CaseStep::Distinct));
        }
    }
}
