//! What people ask for, by right (O26).

use crate::codes::codes;
use crate::{Jurisdiction, Timestamp};

codes! {
    /// What is asked for.
    RequestKind {
        /// To be told what is held.
        Access = 1 "access",
        /// To be handed what is held, to take elsewhere (O25).
        Portability = 2 "portability",
        /// To have it put right (O24).
        Rectification = 3 "rectification",
        /// To have it erased (O18).
        Erasure = 4 "erasure",
        /// To have it kept and not processed (O22).
        Restriction = 5 "restriction",
        /// That a purpose stops (O39).
        Objection = 6 "objection",
        /// That something went wrong be looked into.
        Complaint = 7 "complaint",
        /// That a consent ends (O23).
        ConsentWithdrawal = 8 "consent_withdrawal",
        /// That a person looks again at what was decided automatically (O11).
        DecisionContest = 9 "decision_contest",
    }
}

codes! {
    /// Who asks.
    Requester {
        /// The person.
        Subject = 1 "subject",
        /// Somebody whom the person authorised.
        Agent = 2 "agent",
        /// The guardian of a minor.
        Guardian = 3 "guardian",
    }
}

codes! {
    /// How it was made sure that the requester is who they say, and may ask.
    Verification {
        /// A new capture was compared with the person's template, for the purpose `requester_identification`.
        Face = 1 "face",
        /// The requester was signed in at the client.
        Account = 2 "account",
        /// A document was looked at.
        Document = 3 "document",
        /// The person's mandate to an agent was looked at, and the agent's identity.
        Mandate = 4 "mandate",
        /// Proof of guardianship was looked at, and the guardian's identity.
        Guardianship = 5 "guardianship",
        /// The client's own way, on record there.
        Other = 6 "other",
    }
}

codes! {
    /// Why more time is taken (GDPR Art. 12(3)).
    ExtensionReason {
        /// The request is complex.
        Complexity = 1 "complexity",
        /// There are many requests.
        Number = 2 "number",
    }
}

codes! {
    /// What a request came to.
    RequestOutcome {
        /// All that was asked for was done.
        Fulfilled = 1 "fulfilled",
        /// A part of it was done; a reason says why not the rest.
        Partly = 2 "partly",
        /// Nothing was done; a reason says why.
        Refused = 3 "refused",
    }
}

codes! {
    /// Why a request is not fulfilled, or not all of it: the listed reasons (O26).
    RefusalReason {
        /// Who asks could not be verified.
        RequesterNotVerified = 1 "requester_not_verified",
        /// The agent showed no authority to ask for the person.
        AgentNotAuthorised = 2 "agent_not_authorised",
        /// It does not say enough to be understood and evaluated.
        InsufficientDetail = 3 "insufficient_detail",
        /// It is manifestly unfounded.
        ManifestlyUnfounded = 4 "manifestly_unfounded",
        /// It is excessive.
        Excessive = 5 "excessive",
        /// It repeats one that was answered.
        Repetitive = 6 "repetitive",
        /// The person asked as often as the law grants.
        LimitReached = 7 "limit_reached",
        /// Nothing is held of the person.
        NothingHeld = 8 "nothing_held",
        /// The data are still necessary for what they were collected for.
        StillNecessary = 9 "still_necessary",
        /// A law obliges to keep the data.
        LegalObligation = 10 "legal_obligation",
        /// There is a litigation hold, or the data are needed for a legal claim.
        LegalClaims = 11 "legal_claims",
        /// Security incidents, fraud or illegal activity could not be detected or prosecuted without the data.
        SecurityOrFraud = 12 "security_or_fraud",
        /// Others' rights prevail, as free speech.
        RightsOfOthers = 13 "rights_of_others",
        /// The California Electronic Communications Privacy Act (Penal Code § 1546) has to be complied with.
        ElectronicCommunications = 14 "electronic_communications",
        /// Another internal and lawful use, compatible with what the data were provided for.
        CompatibleUse = 15 "compatible_use",
        /// Compelling grounds outweigh the objection.
        OverridingGrounds = 16 "overriding_grounds",
        /// The automated decision rests on contract, law or explicit consent.
        DecisionPermitted = 17 "decision_permitted",
    }
}

/// A request was given more time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// Why.
    pub reason: ExtensionReason,
    /// When the requester was told, with the reason.
    pub noticed_at: Timestamp,
}

/// A request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closure {
    /// What it came to.
    pub outcome: RequestOutcome,
    /// Why not all of it was done; of a refusal, and of a part.
    pub reason: Option<RefusalReason>,
    /// When it was answered.
    pub closed_at: Timestamp,
}

/// A request of a person, or for one. It does not say whose: it outlives the person's erasure (O26).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsRequest {
    /// What is asked for.
    pub kind: RequestKind,
    /// Whose law counts: the deadlines are of it.
    pub jurisdiction: Jurisdiction,
    /// Who asks.
    pub requester: Requester,
    /// How the requester was verified; `None` until that is done.
    pub verification: Option<Verification>,
    /// When the client received it.
    pub received_at: Timestamp,
    /// When it was recorded here.
    pub opened_at: Timestamp,
    /// When it has to be answered.
    pub due_at: Timestamp,
    /// Set once more time is taken.
    pub extension: Option<Extension>,
    /// Set once it is answered.
    pub closure: Option<Closure>,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestState {
    /// To be answered.
    Open,
    /// To be answered, with more time.
    Extended,
    /// Answered.
    Closed,
}

impl RightsRequest {
    /// Where it is.
    pub const fn state(&self) -> RequestState {
        match (&self.closure, &self.extension) {
            (Some(_), _) => RequestState::Closed,
            (None, Some(_)) => RequestState::Extended,
            (None, None) => RequestState::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back() {
        for kind in RequestKind::ALL {
            assert_eq!(RequestKind::from_number(kind.number()), Some(*kind));
        }
        for (at, reason) in RefusalReason::ALL.iter().enumerate() {
            assert_eq!(usize::from(reason.number()), at + 1);
            assert_eq!(RefusalReason::from_number(reason.number()), Some(*reason));
        }
        assert_eq!((RequestKind::from_number(0), RefusalReason::from_number(18)), (None, None));
    }
}
