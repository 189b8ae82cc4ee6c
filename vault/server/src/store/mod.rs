//! The store: RocksDB behind typed keys. Every change is one [`Change`], committed as one synced
//! batch; galleries, id maps and caches follow from its rows, and nothing else writes.
//!
//! This is the only module that names RocksDB.

pub(crate) mod backup_files;
mod backups;
mod book;
mod census;
mod change;
mod commit;
mod db;
mod disk;
mod error;
mod evidence;
mod history;
mod logs;
mod marks;
mod mirror;
mod restore;

pub use backups::{Backup, Backups, DAMAGED};
pub use book::LogEnd;
pub use change::{Change, Committed, Durability, Row};
pub(crate) use commit::EndWithPanic;
pub use commit::{Follow, Store, StoreOptions};
pub(crate) use disk::{make_folder, sync_folder};
pub use error::StoreError;
pub(crate) use evidence::{Evidence, Seen};
pub use lethe_rows::keys::{self, GalleryId, Key, ProfileNumber, RowKind, SUBJECTS, TemplateAt, WatchlistNumber};
pub use lethe_rows::{LogHead, MirrorId, Restored, Rows};
pub(crate) use lethe_rows::{Restoring, Stage};
pub(crate) use mirror::row_of as mirror_row;
pub use mirror::{MirrorStanding, MirrorState, Opening, Registered, registered_mirrors};
pub(crate) use restore::{Truth, is_there};
