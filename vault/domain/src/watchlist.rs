//! Watch lists: confirmed fraud and known masks, which a client compares faces with (O9, O40).

use std::fmt;

use crate::{CredentialId, Invalid, Label, LawfulBasis, ModelId, Reason, RightsRequestId, SubjectId, Timestamp};

/// The id of a watch list, given by the client: what an applicant id may be, and nothing shaped like a personal identifier (O5).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchlistId(String);

impl WatchlistId {
    /// Parses an id.
    ///
    /// # Errors
    /// What [`SubjectId::parse`] refuses, of the field `watchlist_id`: `FieldMissing`, `FieldOutOfRange`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refused = |refused: Invalid| {
            let is_empty = refused.reason == Reason::SubjectIdEmpty;
            let reason = if is_empty { Reason::FieldMissing } else { Reason::FieldOutOfRange };
            Invalid::new("watchlist_id", reason, refused.message)
        };
        SubjectId::parse(text).map(|id| Self(id.as_str().to_owned())).map_err(refused)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WatchlistId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a watch list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum WatchlistKind {
    /// Faces of persons whose fraud the client confirmed.
    ConfirmedFraud = 1,
    /// Masks and the like, which are nobody's face.
    KnownSpoof = 2,
}

impl WatchlistKind {
    /// Every kind there is.
    pub const ALL: [Self; 2] = [Self::ConfirmedFraud, Self::KnownSpoof];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The kind's name on the command line, in archives and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfirmedFraud => "confirmed_fraud",
            Self::KnownSpoof => "known_spoof",
        }
    }
}

/// A watch list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchlist {
    /// The client's id of it.
    pub id: WatchlistId,
    /// What it is of.
    pub kind: WatchlistKind,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Where an entry of a watch list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EntryState {
    /// It is compared.
    Active = 1,
    /// Somebody says that it is wrong, and nobody decided yet: it is not compared.
    Contested = 2,
    /// Its time is over: it is not compared, and about to be shredded.
    Expired = 3,
}

impl EntryState {
    /// The state's name on the command line and in archives.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Contested => "contested",
            Self::Expired => "expired",
        }
    }
}

/// That an entry is contested, for the person it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contest {
    /// When.
    pub at: Timestamp,
    /// The request it was asked for with, if there is one.
    pub request: Option<RightsRequestId>,
}

/// That a contested entry was upheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upheld {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: CredentialId,
}

/// An entry of a watch list, without its embedding. It has a basis of its own, outlives whom it was made of (O40), and names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchlistEntry {
    /// The model of its embedding.
    pub model: ModelId,
    /// What it rests on: nothing that its person could take back.
    pub basis: LawfulBasis,
    /// The client's reference of the confirmation.
    pub reference: Label,
    /// When it was confirmed, by the client.
    pub confirmed_at: Timestamp,
    /// From when on it is not compared any more.
    pub expires_at: Timestamp,
    /// When it was added, by the vault's clock.
    pub added_at: Timestamp,
    /// By whom.
    pub added_by: CredentialId,
    /// That it is contested, while nobody decided.
    pub contest: Option<Contest>,
    /// That it was contested and upheld, the last time.
    pub upheld: Option<Upheld>,
}

impl WatchlistEntry {
    /// Where it stands.
    pub fn state(&self, now: Timestamp) -> EntryState {
        if self.is_over(now) {
            EntryState::Expired
        } else if self.contest.is_some() {
            EntryState::Contested
        } else {
            EntryState::Active
        }
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_opaque() {
        assert_eq!(WatchlistId::parse("confirmed-2026").unwrap().as_str(), "confirmed-2026");
        for (bad, reason) in [
            ("", Reason::FieldMissing),
            ("two words", Reason::FieldOutOfRange),
            ("ann@example.org", Reason::FieldOutOfRange),
            (&"a".repeat(129), Reason::FieldOutOfRange),
        ] {
            let refused = WatchlistId::parse(bad).unwrap_err();
            assert_eq!((refused.field.as_str(), refused.reason), ("watchlist_id", reason), "{bad}");
        }
    }

    #[test]
    fn an_entry_is_active_until_somebody_contests_it_or_its_time_is_over() {
        let at = Timestamp::from_millis;
        let mut entry = WatchlistEntry {
            model: ModelId::parse("m", "1").unwrap(),
            basis: LawfulBasis::LegalClaims,
            reference: Label::parse("reference", "case-1").unwrap(),
            confirmed_at: at(1),
            expires_at: at(10),
            added_at: at(2),
            added_by: CredentialId::from_bytes([1; 16]),
            contest: None,
            upheld: None,
        };
        assert_eq!((entry.state(at(9)), entry.state(at(10))), (EntryState::Active, EntryState::Expired));
        entry.contest = Some(Contest { at: at(3), request: None });
        assert_eq!((entry.state(at(9)), entry.state(at(10))), (EntryState::Contested, EntryState::Expired));
    }
}
