//! How long people's data stay, and what puts their end off (O17, O21, O28).

use crate::{Label, Period, ReceiptId, Timestamp};

/// How long a client keeps people (O17). What nobody said is without an end of its own; laws have caps whatever is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retention {
    /// How long a template is kept from the moment it was provided.
    pub keep: Option<Period>,
    /// How long a person is kept when the purpose is satisfied, or the contract with the client over; not at all, if `None`.
    pub after_end: Option<Period>,
    /// How long, after the contract with a person is over, a statute wants its data kept, as storage only. Until it is over
    /// nothing ends.
    pub minimum: Option<Period>,
    /// Whether the vendor of the service sets the purposes itself, which has a cap of its own.
    pub vendor_purposes: bool,
    /// For how long after its end what claims can rest on is kept: evidence of consents, requests, notifications (O29). See
    /// [`Retention::limitation`].
    pub limitation: Option<Period>,
}

impl Retention {
    /// The limitation period where nobody says otherwise: five years, which covers that of most civil claims that rest on a
    /// consent (BIPA's is five years).
    pub const LIMITATION: Period = Period::months(60);

    /// The limitation period of claims.
    pub fn limitation(&self) -> Period {
        self.limitation.unwrap_or(Self::LIMITATION)
    }
}

/// Why an erasure that was asked for is put off (O21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeferralReason {
    /// A law or regulation asks for the data.
    LegalObligation = 1,
    /// A legal process, a governmental request or an investigation does.
    LegalProcess = 2,
    /// Legal claims are asserted or defended.
    LegalClaims = 3,
    /// Illegal activity, fraud or abuse is prevented, detected or investigated.
    IllegalActivity = 4,
    /// A breach of the terms of service is.
    TermsViolation = 5,
    /// Somebody's physical safety is threatened.
    PhysicalSafety = 6,
}

impl DeferralReason {
    /// Every reason there is.
    pub const ALL: [Self; 6] = [
        Self::LegalObligation,
        Self::LegalProcess,
        Self::LegalClaims,
        Self::IllegalActivity,
        Self::TermsViolation,
        Self::PhysicalSafety,
    ];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The reason stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.number() == number)
    }

    /// The reason's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LegalObligation => "legal_obligation",
            Self::LegalProcess => "legal_process",
            Self::LegalClaims => "legal_claims",
            Self::IllegalActivity => "illegal_activity",
            Self::TermsViolation => "terms_violation",
            Self::PhysicalSafety => "physical_safety",
        }
    }
}

/// An erasure that was asked for and is put off; until then the data are storage only (O21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deferral {
    /// Why.
    pub reason: DeferralReason,
    /// When the person asked.
    pub requested_at: Timestamp,
    /// When it is done: [`Deferral::MOST`] after it was asked for at the latest, and never later than that.
    pub until: Timestamp,
    /// The receipt that it will have.
    pub receipt: ReceiptId,
}

impl Deferral {
    /// How long an erasure may be put off from the request on.
    pub const MOST: Period = Period::days(90);
}

/// What a person wants done when it is dead (O28).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PostMortem {
    /// Erased without delay.
    Erase,
    /// Kept for so long after the death, as storage only, and then erased.
    Keep(Period),
    /// Kept, as storage only, for a trustee whom the client knows by this reference, until it ends for another reason.
    HandOver(Label),
}

impl std::fmt::Display for PostMortem {
    /// As it is typed: `erase`, `keep:P1Y`, `hand_over:trustee-1`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Erase => f.write_str("erase"),
            Self::Keep(period) => write!(f, "keep:{period}"),
            Self::HandOver(trustee) => write!(f, "hand_over:{trustee}"),
        }
    }
}
