use crate::{AgeBand, Consent, Deferral, HoldId, Jurisdiction, Label, PostMortem, Purpose, Timestamp};

/// What is known of a person beside templates: what the policy judges by, and nothing that says who it is (O5).
///
/// A person of whom nothing was recorded has the default: no jurisdiction of its own, no age, no consent, no
/// restriction. Requests that a person made are no part of it: exercising a right never changes an answer (O37).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dossier {
    /// Whose law counts; the tenant's own where nobody said.
    pub jurisdiction: Option<Jurisdiction>,
    /// How old the person is.
    pub age: AgeBand,
    /// Consents, in the order in which they were recorded.
    pub consents: Vec<Consent>,
    /// Set while processing is restricted (O22).
    pub restriction: Option<Restriction>,
    /// Purposes that the person objects to (O39); one of each at most.
    pub objections: Vec<Objection>,
    /// Litigation holds (O42).
    pub holds: Vec<Hold>,
    /// When the purpose was satisfied that the person's data were taken for (O17).
    pub purpose_ended_at: Option<Timestamp>,
    /// When the person's contract with the client was over (O17).
    pub contract_ended_at: Option<Timestamp>,
    /// Set while an erasure that was asked for is put off (O21).
    pub deferral: Option<Deferral>,
    /// What is to be done when the person is dead (O28).
    pub post_mortem: Option<PostMortem>,
    /// When it died.
    pub died_at: Option<Timestamp>,
}

/// Why processing is restricted (GDPR Art. 18(1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RestrictionGround {
    /// The person contests that the data are accurate.
    AccuracyContested = 1,
    /// The processing is unlawful, and the person wants the data kept.
    UnlawfulProcessing = 2,
    /// The person needs the data for a legal claim.
    NeededForClaim = 3,
    /// The person objected, and it is being looked into whose grounds weigh more.
    ObjectionPending = 4,
    /// Another law gives the person the right to it.
    Other = 5,
    /// The client's own reason.
    ClientReason = 6,
}

impl RestrictionGround {
    /// Every ground there is.
    pub const ALL: [Self; 6] = [
        Self::AccuracyContested,
        Self::UnlawfulProcessing,
        Self::NeededForClaim,
        Self::ObjectionPending,
        Self::Other,
        Self::ClientReason,
    ];

    /// Whether it keeps the data whatever ends them: it is a right of the person. A client's own reason stops processing, and is none
    /// to keep somebody beyond a law's cap, or after a withdrawal.
    pub const fn keeps(self) -> bool {
        !matches!(self, Self::ClientReason)
    }

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The ground stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|ground| ground.number() == number)
    }

    /// The ground's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccuracyContested => "accuracy_contested",
            Self::UnlawfulProcessing => "unlawful_processing",
            Self::NeededForClaim => "needed_for_claim",
            Self::ObjectionPending => "objection_pending",
            Self::Other => "other",
            Self::ClientReason => "client_reason",
        }
    }
}

/// Data are kept, and not processed (O22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restriction {
    /// Why.
    pub ground: RestrictionGround,
    /// Since when.
    pub since: Timestamp,
}

/// A person objects to a purpose: it stops until the client records compelling grounds (O39).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// What to.
    pub purpose: Purpose,
    /// Since when.
    pub since: Timestamp,
    /// Where the client keeps its compelling grounds, once it has recorded that there are some.
    pub overruled: Option<Label>,
}

/// Data must not be destroyed, and are not processed, until proceedings end (O42).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Which.
    pub id: HoldId,
    /// The client's reference of the case.
    pub case: Label,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When somebody has to look whether it is still needed. It does not end by itself.
    pub review_at: Timestamp,
    /// When somebody last did, and found that it is, if anybody did.
    pub reviewed_at: Option<Timestamp>,
}

/// What may be done with a person's data, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectState {
    /// Everything that purposes and bases allow.
    Active,
    /// Kept and not processed, at the person's wish or the client's (O22).
    Restricted,
    /// Kept and not processed, and not to be destroyed (O42).
    Held,
    /// Kept and not processed, until an erasure that was asked for is done (O21).
    Deferred,
    /// Kept and not processed, as the person is dead (O28).
    Deceased,
}

impl Dossier {
    /// Most consents of a person that are kept, withdrawn ones among them.
    pub const MOST_CONSENTS: usize = 64;
    /// Most litigation holds on a person.
    pub const MOST_HOLDS: usize = 16;

    /// What may be done with the person's data.
    pub const fn state(&self) -> SubjectState {
        if !self.holds.is_empty() {
            SubjectState::Held
        } else if self.restriction.is_some() {
            SubjectState::Restricted
        } else if self.deferral.is_some() {
            SubjectState::Deferred
        } else if self.died_at.is_some() {
            SubjectState::Deceased
        } else {
            SubjectState::Active
        }
    }

    /// Whether a purpose stops for the person: objected to, and not overruled.
    pub fn stops(&self, purpose: Purpose) -> bool {
        self.objections.iter().any(|objection| objection.purpose == purpose && objection.overruled.is_none())
    }
}
