//! Mirrors: live copies of what an old backup cannot give back.
//!
//! A mirror has every row but those that bulk backups carry: the current key tree with its wrapped vault key, the
//! high-water marks, intents, receipts, what administration made, and the logs. It follows the committed rows, each
//! batch of them whole, after the store has synced them and never before; so a mirror that is ahead of its store shows
//! that the store was put back, or lost what its disk had acknowledged.
//!
//! Nobody waits for a mirror but who must: an epoch before it destroys the root of the one before (02, rule 4), slots
//! before the first of them is used (rule 3), a checkpoint before it is signed.

mod copy;
mod follower;
mod set;

use std::path::{Path, PathBuf};

pub use lethe_rows::MirrorId;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::StoreError;
use super::change::Row;
use super::db::{Database, Reach};
use super::keys::{Key, RowKind};

pub(super) use copy::copy;
pub(super) use set::Mirrors;
pub use set::{MirrorStanding, MirrorState};

/// A name for a new mirror.
fn random_id() -> Result<MirrorId, StoreError> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| StoreError::Closed)?;
    Ok(MirrorId::from_bytes(bytes))
}

/// How far a mirror is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Which mirror.
    pub(super) id: MirrorId,
    /// The store's sequence that it has followed.
    pub(super) sequence: u64,
    /// Not in the middle of a copy that took more than one batch.
    pub(super) whole: bool,
}

impl Position {
    /// id 16 ‖ sequence u64 ‖ 1 if whole, else 0.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.id.as_bytes().to_vec();
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.push(u8::from(self.whole));
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let wrong = || StoreError::corrupt("mirror position", hex::encode(bytes));
        let (id, rest) = bytes.split_first_chunk::<16>().ok_or_else(wrong)?;
        let (sequence, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let whole = match rest {
            [0] => false,
            [1] => true,
            _ => return Err(wrong()),
        };
        Ok(Self { id: MirrorId::from_bytes(*id), sequence: u64::from_be_bytes(*sequence), whole })
    }

    pub(super) fn row(self) -> Row {
        Row::Put(Key::Position, self.encode())
    }

    pub(super) fn read(db: &Database) -> Result<Option<Self>, StoreError> {
        db.get(&Key::Position)?.map(|bytes| Self::decode(&bytes)).transpose()
    }
}

/// Is a row of this kind in mirrors? All but those of subjects, which backups carry.
pub(super) const fn is_mirrored(kind: RowKind) -> bool {
    match kind {
        RowKind::Format
        | RowKind::Epoch
        | RowKind::HighWater
        | RowKind::Page
        | RowKind::Intent
        | RowKind::EpochEnd
        | RowKind::Mirror
        | RowKind::Unlocked
        | RowKind::Tenant
        | RowKind::Credential
        | RowKind::Profile
        | RowKind::Receipt
        | RowKind::TenantRequest
        | RowKind::LogKey
        | RowKind::LogHead
        | RowKind::LogEntry
        | RowKind::LogNode => true,
        RowKind::Position
        | RowKind::Restoring
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

/// Is there a database in this folder?
pub(super) fn exists(path: &Path) -> bool {
    path.join("CURRENT").exists()
}

/// The row that says that a vault has a mirror.
pub(crate) fn row_of(id: MirrorId, path: &Path) -> (Key, Vec<u8>) {
    (Key::Mirror { id }, path.display().to_string().into_bytes())
}
