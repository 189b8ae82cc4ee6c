use crate::{DisclosureId, Label, Timestamp, Told};

/// What became of somebody's data, of which everybody has to be told who received them (O41; GDPR Art. 19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Occasion {
    /// A template was replaced, because the person asked.
    Rectified = 1,
    /// Processing was restricted.
    Restricted = 2,
    /// A template was erased, because the person asked, or its time was over.
    ErasedInPart = 3,
    /// Everything was erased, whoever wanted it.
    Erased = 4,
    /// The person's age or law, as it was recorded, was put right, because the person asked.
    Corrected = 5,
}

impl Occasion {
    /// Every occasion there is.
    pub const ALL: [Self; 5] = [Self::Rectified, Self::Restricted, Self::ErasedInPart, Self::Erased, Self::Corrected];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The occasion stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.number() == number)
    }

    /// The occasion's name on the command line and in archives.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rectified => "rectified",
            Self::Restricted => "restricted",
            Self::ErasedInPart => "erased_in_part",
            Self::Erased => "erased",
            Self::Corrected => "corrected",
        }
    }

    /// Whether it is about what a recipient was told. Restriction and erasure are about all of it; a template is in what depends on
    /// templates; age and law in what says them.
    pub const fn is_about(self, told: Told) -> bool {
        match self {
            Self::Restricted | Self::Erased => true,
            Self::Rectified | Self::ErasedInPart => match told {
                Told::TemplateFacts | Told::Results | Told::ClientRecords => true,
                Told::Existence | Told::Consents | Told::LogEntries | Told::Facts => false,
            },
            Self::Corrected => matches!(told, Told::Facts | Told::ClientRecords),
        }
    }
}

/// What came of a notification: the recipient was told, or one of the two reasons of the law why not (GDPR Art. 19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum NotificationOutcome {
    /// The recipient was told.
    Told = 1,
    /// It proved impossible.
    Impossible = 2,
    /// It would involve disproportionate effort.
    Disproportionate = 3,
}

impl NotificationOutcome {
    /// Every outcome there is.
    pub const ALL: [Self; 3] = [Self::Told, Self::Impossible, Self::Disproportionate];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The outcome stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.number() == number)
    }

    /// The outcome's name on the command line, in archives and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Impossible => "impossible",
            Self::Disproportionate => "disproportionate",
        }
    }
}

/// Somebody who received a person's data and has to be told what became of them (O41). It names the disclosures and not the person:
/// whom they were about is known to who made them, also when nobody else knows it any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The client's name of who has to be told.
    pub recipient: Label,
    /// Of what.
    pub occasion: Occasion,
    /// By which disclosures the recipient got what that is about, ascending; one at least.
    pub disclosures: Vec<DisclosureId>,
    /// When that was.
    pub arisen_at: Timestamp,
    /// What came of it, and when that was recorded; `None` while nothing did.
    pub closed: Option<(NotificationOutcome, Timestamp)>,
}
