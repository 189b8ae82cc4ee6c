//! Mirrors: live copies of what an old backup cannot give back.
//!
//! A mirror has every row but people and their templates, which bulk backups carry: the current key tree with its wrapped
//! vault key, the high-water marks, intents, receipts, what administration made, the logs, and what must not be done with
//! whom (ADR 41). It follows the committed rows, each
//! batch of them whole, after the store has synced them and never before; so a mirror that is ahead of its store, or has
//! gone another way, shows that the store was put back, or lost what its disk had acknowledged. Only what its store has been
//! itself is written over.
//!
//! Nobody waits for a mirror but who must: an epoch before it destroys the root of the one before (rule 4), slots
//! before the first of them is used (rule 3), a checkpoint before it is signed.

mod copy;
mod follower;
mod held;
mod set;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub(super) use lethe_rows::{MirrorId, Position};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::StoreError;
use super::change::Row;
use super::db::{Database, Reach};
use super::keys::{Key, RowKind};

pub(super) use copy::adopt;
pub(super) use held::Held;
pub(super) use set::Mirrors;
pub use set::{MirrorStanding, MirrorState, Opening};

fn random_id() -> Result<MirrorId, StoreError> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| StoreError::Closed)?;
    Ok(MirrorId::from_bytes(bytes))
}

/// The row that says how far a mirror is.
pub(super) fn row_of_position(position: Position) -> Row {
    Row::Put(Key::Position, position.encode())
}

/// How far a mirror is; `None` if it never was one.
pub(super) fn position_of(mirror: &Database) -> Result<Option<Position>, StoreError> {
    Ok(mirror.get(&Key::Position)?.map(|bytes| Position::decode(&bytes)).transpose()?)
}

/// Is a row of this kind in mirrors? All but people and their templates, which backups carry. What must not be done with a person
/// is in mirrors, and what outlives one: a backup would forget what was recorded after it.
pub(super) const fn is_mirrored(kind: RowKind) -> bool {
    match kind {
        RowKind::Format
        | RowKind::Epoch
        | RowKind::HighWater
        | RowKind::Page
        | RowKind::Intent
        | RowKind::EpochEnd
        | RowKind::Mirror
        | RowKind::Statements
        | RowKind::History
        | RowKind::Tenant
        | RowKind::Credential
        | RowKind::Profile
        | RowKind::Receipt
        | RowKind::TenantRequest
        | RowKind::LogKey
        | RowKind::Shredded
        | RowKind::Dossier
        | RowKind::Held
        | RowKind::Watchlist
        | RowKind::SigningKey
        | RowKind::Attestation
        | RowKind::WatchlistEntry
        | RowKind::Listed
        | RowKind::Evidence
        | RowKind::Request
        | RowKind::Notification
        | RowKind::Asked
        | RowKind::Proposal
        | RowKind::Disclosure
        | RowKind::Case
        | RowKind::LogHead
        | RowKind::LogEntry
        | RowKind::LogNode
        | RowKind::LogSuccession => true,
        RowKind::Position
        | RowKind::Restoring
        | RowKind::TreeMark
        | RowKind::RowsMark
        | RowKind::LogMark
        | RowKind::Census
        | RowKind::Subject
        | RowKind::Template
        | RowKind::Sketch
        | RowKind::SubjectRequest => false,
    }
}

/// A mirror that a vault has, by its own rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its name.
    pub id: MirrorId,
    /// Where it was when it was added.
    pub path: PathBuf,
}

/// The mirrors that the vault in `path` has.
///
/// # Errors
/// `Database` if there is none, or it is open elsewhere.
pub fn registered_mirrors(path: &Path) -> Result<Vec<Registered>, StoreError> {
    registered(&Database::read_only(path)?)
}

/// The mirrors a vault has.
pub(super) fn registered(db: &Database) -> Result<Vec<Registered>, StoreError> {
    let mut found = Vec::new();
    db.scan(RowKind::Mirror, &Key::prefix(RowKind::Mirror), Reach::Short, |key, value| {
        if let Key::Mirror { id } = key {
            let path = std::str::from_utf8(value).map_err(|_| StoreError::corrupt("mirror row", id.to_string()))?;
            found.push(Registered { id, path: PathBuf::from(path) });
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(found)
}

/// The row that says that a vault has a mirror.
pub(crate) fn row_of(id: MirrorId, path: &Path) -> (Key, Vec<u8>) {
    (Key::Mirror { id }, path.display().to_string().into_bytes())
}
