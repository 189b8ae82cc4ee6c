//! Backups: bulk ciphertext, which may be copied anywhere and kept for ever. What an old one has of people who were
//! erased since, no key opens any more (02, "Backups that cannot remember").

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rocksdb::Env;
use rocksdb::backup::{BackupEngine, BackupEngineOptions, RestoreOptions};

use super::db::Database;
use super::{Store, StoreError};

/// A folder of backups. Files that several backups share are there once.
pub struct Backups {
    path: PathBuf,
    engine: Mutex<BackupEngine>,
}

/// A backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// Counts from 1 and never comes again in its folder.
    pub number: u32,
    /// When it was made, in seconds since 1970 UTC.
    pub created_at: i64,
    /// Bytes of its files, those that it shares with others too.
    pub bytes: u64,
    /// How many files it has.
    pub files: u32,
}

impl Backups {
    /// Opens a folder of backups, making it if it is not there.
    ///
    /// # Errors
    /// `Folder`, `Database`.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|cause| StoreError::Folder { path: path.to_owned(), cause })?;
        let env = Env::new().map_err(StoreError::database("open the backups"))?;
        let mut options = BackupEngineOptions::new(path).map_err(StoreError::database("open the backups"))?;
        options.set_sync(true);
        let engine = BackupEngine::open(&options, &env).map_err(StoreError::database("open the backups"))?;
        Ok(Self { path: path.to_owned(), engine: Mutex::new(engine) })
    }

    /// Makes a backup of a store that goes on meanwhile. Only files that no earlier backup has are copied.
    pub fn create(&self, store: &Store) -> Result<Backup, StoreError> {
        let mut engine = self.engine.lock();
        store.database().back_up(&mut engine)?;
        let made = list(&engine).into_iter().next_back();
        made.ok_or_else(|| {
            StoreError::corrupt("backups", format!("{}: the new one is not listed", self.path.display()))
        })
    }

    /// All backups, oldest first.
    pub fn list(&self) -> Vec<Backup> {
        list(&self.engine.lock())
    }

    /// Restores a backup into a folder for the time being, and reads every row of it: RocksDB checks each block. Gives
    /// the number of rows. What is sealed is not opened; a restore does that.
    pub fn verify(&self, number: u32, scratch: &Path) -> Result<u64, StoreError> {
        self.engine.lock().verify_backup(number).map_err(StoreError::database("find the backup's files whole"))?;
        self.restore(number, scratch)?;
        let rows = Database::read_only(scratch)?.reader().count();
        std::fs::remove_dir_all(scratch).map_err(|cause| StoreError::Folder { path: scratch.to_owned(), cause })?;
        rows
    }

    /// Deletes all but the newest `keep` backups, and the files that only those had.
    pub fn prune(&self, keep: usize) -> Result<(), StoreError> {
        self.engine.lock().purge_old_backups(keep).map_err(StoreError::database("delete old backups"))
    }

    /// Writes a backup's database into a folder, which must not be there.
    pub fn restore(&self, number: u32, into: &Path) -> Result<(), StoreError> {
        let mut engine = self.engine.lock();
        if !list(&engine).iter().any(|backup| backup.number == number) {
            let place = format!("{}: there is no backup {number}", self.path.display());
            return Err(StoreError::corrupt("backups", place));
        }
        let restored = engine.restore_from_backup(into, into, &RestoreOptions::default(), number);
        restored.map_err(StoreError::database("write the backup's files"))
    }
}

fn list(engine: &BackupEngine) -> Vec<Backup> {
    let known = engine.get_backup_info().into_iter();
    let mut known: Vec<_> = known
        .map(|info| Backup {
            number: info.backup_id,
            created_at: info.timestamp,
            bytes: info.size,
            files: info.num_files,
        })
        .collect();
    known.sort_unstable_by_key(|backup| backup.number);
    known
}
