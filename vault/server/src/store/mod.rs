//! The store: RocksDB behind typed keys. Every change is one [`Change`], committed as one synced
//! batch; galleries, id maps and caches follow from its rows, and nothing else writes.
//!
//! This is the only module that names RocksDB.

mod backups;
mod book;
mod census;
mod change;
mod commit;
mod db;
mod disk;
mod error;
mod mirror;
mod restore;

pub use backups::{Backup, Backups};
pub use book::LogHead;
pub use change::{Change, Committed, Durability, Row};
pub(crate) use commit::EndWithPanic;
pub use commit::{Follow, Store, StoreOptions};
pub use error::StoreError;
pub use lethe_rows::keys::{self, GalleryId, Key, ProfileNumber, RowKind, SUBJECTS, TemplateAt};
pub(crate) use mirror::row_of as mirror_row;
pub use mirror::{MirrorId, MirrorStanding, MirrorState, Registered, registered_mirrors};
pub(crate) use restore::Truth;
