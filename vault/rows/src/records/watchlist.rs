//! Watch lists, their entries, and what leads from a person to entries that were made of it.

use lethe_domain::{
    Contest, CredentialId, Embedding, Label, LawfulBasis, ModelId, RightsRequestId, Timestamp, Upheld, Watchlist,
    WatchlistEntry, WatchlistEntryId, WatchlistId, WatchlistKind,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::dossier::{known, padded};
use super::json::decode;
use crate::Corrupt;
use crate::keys::WatchlistNumber;

const LIST: &str = "watch list record";
const ENTRY: &str = "record of an entry of a watch list";
const LISTED: &str = "record of entries made of a subject";
const VERSION: u8 = 1;

/// A watch list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchlistRecord {
    id: String,
    kind: u8,
    created_at: i64,
}

impl WatchlistRecord {
    /// The plaintext of a row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(list: &Watchlist) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let (id, kind) = (list.id.as_str().to_owned(), list.kind.number());
        padded(LIST, &Self { id, kind, created_at: list.created_at.millis() })
    }

    /// Reads a plaintext back.
    ///
    /// # Errors
    /// `Corrupt` for what is no watch list.
    pub fn read(bytes: &[u8]) -> Result<Watchlist, Corrupt> {
        let record: Self = decode(LIST, bytes)?;
        let wrong = || Corrupt::new(LIST, "fields");
        Ok(Watchlist {
            id: WatchlistId::parse(&record.id).map_err(|_| wrong())?,
            kind: WatchlistKind::from_number(record.kind).ok_or_else(wrong)?,
            created_at: Timestamp::from_millis(record.created_at),
        })
    }
}

/// What is known of an entry beside its embedding.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    model: String,
    version: String,
    basis: u8,
    reference: String,
    confirmed_at: i64,
    expires_at: i64,
    added_at: i64,
    added_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contest: Option<ContestRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upheld: Option<UpheldRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContestRecord {
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpheldRecord {
    at: i64,
    by: String,
}

/// An entry of a watch list, with its embedding.
#[derive(Debug)]
pub struct WatchlistEntryRecord {
    /// What is known of it.
    pub entry: WatchlistEntry,
    /// The embedding, of unit length.
    pub embedding: Embedding,
}

impl WatchlistEntryRecord {
    /// `version u8 ‖ length u32 ‖ facts, JSON padded to a multiple of 512 ‖ dimension u32 ‖ dimension × f32 little-endian`.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(entry: &WatchlistEntry, components: &[f32]) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let facts = padded(ENTRY, &Facts::of(entry))?;
        // Sized at once: a vector of secrets must not move while it grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(9 + facts.len() + 4 * components.len()));
        bytes.push(VERSION);
        let length = u32::try_from(facts.len()).map_err(|_| Corrupt::new(ENTRY, "length"))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&facts);
        // At most 4096 by construction.
        bytes.extend_from_slice(&(components.len() as u32).to_be_bytes());
        for component in components {
            bytes.extend_from_slice(&component.to_le_bytes());
        }
        Ok(bytes)
    }

    /// Reads a plaintext back.
    ///
    /// # Errors
    /// `Corrupt` for what is no entry.
    pub fn read(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (facts, components) = parts(bytes).ok_or_else(|| Corrupt::new(ENTRY, format!("{} bytes", bytes.len())))?;
        let facts: Facts = decode(ENTRY, facts)?;
        let entry = facts.entry().ok_or_else(|| Corrupt::new(ENTRY, "fields"))?;
        let mut embedding = Vec::with_capacity(components.len());
        embedding.extend(components.iter().map(|le| f32::from_le_bytes(*le)));
        Ok(Self { entry, embedding: Embedding::from_unit(embedding) })
    }
}

/// The facts and the components of a plaintext.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[[u8; 4]])> {
    let rest = bytes.strip_prefix(&[VERSION])?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (facts, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let (dimension, rest) = rest.split_first_chunk::<4>()?;
    let dimension = usize::try_from(u32::from_be_bytes(*dimension)).ok()?;
    let (components, odd) = rest.as_chunks::<4>();
    let whole = odd.is_empty() && components.len() == dimension && Embedding::DIMENSIONS.contains(&dimension);
    whole.then_some((facts, components))
}

impl Facts {
    fn of(entry: &WatchlistEntry) -> Self {
        let contest = entry.contest.map(|contest| ContestRecord {
            at: contest.at.millis(),
            request: contest.request.map(|request| request.to_string()),
        });
        Self {
            model: entry.model.id().to_owned(),
            version: entry.model.version().to_owned(),
            basis: entry.basis.number(),
            reference: entry.reference.as_str().to_owned(),
            confirmed_at: entry.confirmed_at.millis(),
            expires_at: entry.expires_at.millis(),
            added_at: entry.added_at.millis(),
            added_by: entry.added_by.to_string(),
            contest,
            upheld: entry.upheld.map(|upheld| UpheldRecord { at: upheld.at.millis(), by: upheld.by.to_string() }),
        }
    }

    fn entry(self) -> Option<WatchlistEntry> {
        Some(WatchlistEntry {
            model: ModelId::parse(&self.model, &self.version).ok()?,
            basis: LawfulBasis::from_number(self.basis)?,
            reference: Label::parse("reference", &self.reference).ok()?,
            confirmed_at: Timestamp::from_millis(self.confirmed_at),
            expires_at: Timestamp::from_millis(self.expires_at),
            added_at: Timestamp::from_millis(self.added_at),
            added_by: CredentialId::parse(&self.added_by)?,
            contest: known(self.contest, ContestRecord::contest)?,
            upheld: known(self.upheld, UpheldRecord::upheld)?,
        })
    }
}

impl ContestRecord {
    fn contest(self) -> Option<Contest> {
        let request = known(self.request, |request| RightsRequestId::parse(&request))?;
        Some(Contest { at: Timestamp::from_millis(self.at), request })
    }
}

impl UpheldRecord {
    fn upheld(self) -> Option<Upheld> {
        Some(Upheld { at: Timestamp::from_millis(self.at), by: CredentialId::parse(&self.by)? })
    }
}

/// Which entries of watch lists were made from a subject's templates.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedRecord {
    /// By number of the list, and id.
    entries: Vec<(WatchlistNumber, String)>,
}

impl ListedRecord {
    /// Most entries that are made from one subject's templates.
    pub const MOST: usize = 64;

    /// The plaintext of a row.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be written.
    pub fn seal_as(entries: &[(WatchlistNumber, WatchlistEntryId)]) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        padded(LISTED, &Self { entries: entries.iter().map(|(list, id)| (*list, id.to_string())).collect() })
    }

    /// Reads a plaintext back, in the order in which the entries were added.
    ///
    /// # Errors
    /// `Corrupt` for what is none.
    pub fn read(bytes: &[u8]) -> Result<Vec<(WatchlistNumber, WatchlistEntryId)>, Corrupt> {
        let record: Self = decode(LISTED, bytes)?;
        let id = |(list, id): &(_, String)| Some((*list, WatchlistEntryId::parse(id)?));
        let ids: Option<_> = record.entries.iter().map(id).collect();
        ids.ok_or_else(|| Corrupt::new(LISTED, "ids"))
    }
}
