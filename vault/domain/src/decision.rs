use crate::Thresholds;

/// What a comparison says, by the tenant's thresholds for the model. It is evidence: the client
/// decides (O11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Band {
    /// At or above the match threshold.
    Match = 1,
    /// At or above the review threshold, below the match threshold: a person should look.
    Review = 2,
    /// Below both.
    NoMatch = 3,
}

impl Band {
    /// The band of a score (cosine, −1…1).
    pub fn of(score: f32, thresholds: Thresholds) -> Self {
        if score >= thresholds.matching() {
            Self::Match
        } else if score >= thresholds.review() {
            Self::Review
        } else {
            Self::NoMatch
        }
    }

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The band stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Match, Self::Review, Self::NoMatch].into_iter().find(|band| band.number() == number)
    }

    /// The band's name on the command line and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Review => "review",
            Self::NoMatch => "no_match",
        }
    }
}

/// Why a band came out as it did (O11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DecisionReason {
    /// A score at or above the match threshold.
    ScoreAboveMatch,
    /// A score between the thresholds.
    ScoreBetweenThresholds,
    /// No score at the review threshold, or nothing to compare with: an authenticator cannot tell
    /// the two apart.
    NoScoreAboveReview,
}

impl DecisionReason {
    /// The reason of a band.
    pub const fn of(band: Band) -> Self {
        match band {
            Band::Match => Self::ScoreAboveMatch,
            Band::Review => Self::ScoreBetweenThresholds,
            Band::NoMatch => Self::NoScoreAboveReview,
        }
    }

    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ScoreAboveMatch => "SCORE_ABOVE_MATCH",
            Self::ScoreBetweenThresholds => "SCORE_BETWEEN_THRESHOLDS",
            Self::NoScoreAboveReview => "NO_SCORE_ABOVE_REVIEW",
        }
    }
}

/// How much what was found speaks for a fraud (O11). It follows from the band and from what was asked, and from nothing else: not
/// from who the person is, nor from what it asked for (O37).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Nothing speaks for one.
    Low,
    /// It is unclear.
    Elevated,
    /// What a fraud would look like.
    High,
}

impl Risk {
    /// Of a person who claims to be the one enrolled.
    pub const fn of_claim(band: Band) -> Self {
        match band {
            Band::Match => Self::Low,
            Band::Review => Self::Elevated,
            Band::NoMatch => Self::High,
        }
    }

    /// Of a face that is there under another id, or on a list.
    pub const fn of_encounter(band: Band) -> Self {
        match band {
            Band::Match => Self::High,
            Band::Review => Self::Elevated,
            Band::NoMatch => Self::Low,
        }
    }
}
