//! What the vault's database and its mirrors hold, byte by byte: the keys of rows ([`keys`]), the plaintexts of sealed rows
//! and the rows in clear ([`records`]). `docs/FORMAT.md` is the contract.
//!
//! Nothing here opens a database: whatever decodes bytes is in crates without native code, so that it can be fuzzed.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod backup_list;
mod history;
pub mod keys;
mod log_head;
mod mirror;
pub mod records;
mod restoring;

pub use backup_list::BackupFiles;
pub use history::{History, Place, Relation, Run};
pub use log_head::LogHead;
pub use mirror::{MirrorId, Position};
pub use restoring::{Restored, Restoring, Rows, Stage};

/// Bytes that are not what they must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("corrupt {what} at {place}")]
pub struct Corrupt {
    /// What they were read as.
    pub what: &'static str,
    /// Where they lie.
    pub place: String,
}

impl Corrupt {
    /// Names bytes that are not what they must be.
    pub fn new(what: &'static str, place: impl Into<String>) -> Self {
        Self { what, place: place.into() }
    }
}
