use crate::{ConsentId, DisclosureId, Invalid, Label, Reason, Timestamp, Transfer};

/// What may be told of a person (O33). No code stands for a template: none leaves by a disclosure that is proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Told {
    /// That the person is known.
    Existence = 1,
    /// Which templates there are: model, kind, quality, times.
    TemplateFacts = 2,
    /// Which consents were given and withdrawn.
    Consents = 3,
    /// Results of comparisons: bands, scores, times.
    Results = 4,
    /// Entries of the log about the person.
    LogEntries = 5,
    /// What the client keeps elsewhere of the person, and gives beside.
    ClientRecords = 6,
    /// How old the person is, as far as the vault knows, and whose law counts.
    Facts = 7,
}

impl Told {
    /// Every code there is.
    pub const ALL: [Self; 7] = [
        Self::Existence,
        Self::TemplateFacts,
        Self::Consents,
        Self::Results,
        Self::LogEntries,
        Self::ClientRecords,
        Self::Facts,
    ];

    /// What an archive of a person tells whoever receives it; its templates, too, which no disclosure does.
    pub const OF_ARCHIVES: [Self; 6] =
        [Self::Existence, Self::TemplateFacts, Self::Consents, Self::Results, Self::LogEntries, Self::Facts];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|told| told.number() == number)
    }

    /// The code's name on the command line and in archives.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Existence => "existence",
            Self::TemplateFacts => "template_facts",
            Self::Consents => "consents",
            Self::Results => "results",
            Self::LogEntries => "log_entries",
            Self::ClientRecords => "client_records",
            Self::Facts => "facts",
        }
    }
}

/// What allows a disclosure (O33).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// The person's approval.
    Consent(ConsentId),
    /// A legal order, by the client's reference.
    Order(Label),
    /// The person's own request to hand over all that is held to somebody else (O25): an archive, which nobody proposes.
    Request,
}

/// A disclosure about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// Which.
    pub id: DisclosureId,
    /// The client's name of who is told.
    pub recipient: Label,
    /// What allows it.
    pub ground: Ground,
    /// What is told, each code once, ascending.
    pub scope: Vec<Told>,
    /// The recipient's country, and what makes it lawful to tell something there (O32).
    pub transfer: Transfer,
    /// When it was proposed.
    pub proposed_at: Timestamp,
    /// When it was approved, and so recorded; `None` while it is only proposed.
    pub recorded_at: Option<Timestamp>,
}

impl Disclosure {
    /// Most disclosures about one person that are kept.
    pub const MOST: usize = 256;

    /// Puts codes in order.
    ///
    /// # Errors
    /// `FieldMissing` for none, `FieldOutOfRange` for one that is there twice.
    pub fn scope(field: &str, mut codes: Vec<Told>) -> Result<Vec<Told>, Invalid> {
        if codes.is_empty() {
            return Err(Invalid::new(field, Reason::FieldMissing, "at least one code is needed"));
        }
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        if codes.len() < all {
            return Err(Invalid::new(field, Reason::FieldOutOfRange, "has a code twice"));
        }
        Ok(codes)
    }
}
