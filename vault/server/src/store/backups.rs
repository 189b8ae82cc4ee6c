//! Backups: bulk ciphertext, which may be copied anywhere and kept for ever. What an old one has of people who were
//! erased since, no key opens any more (O19).

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use lethe_crypto::root::VaultId;
use parking_lot::Mutex;
use rocksdb::Env;
use rocksdb::backup::{BackupEngine, BackupEngineOptions, RestoreOptions};

use super::db::Database;
use super::disk::{free_bytes, make_folder};
use super::{Store, StoreError};

/// Where RocksDB lists the files of each backup, by its number.
const META: &str = "meta";
/// Where it keeps table files, under names that begin with those that they have in the database.
const SHARED: &str = "shared_checksum";
/// The file that names the vault whose backups a folder has.
const OWNER: &str = "vault";
/// What is the matter with a backup that RocksDB does not list.
pub const DAMAGED: &str = "is damaged: its files are not those that its list names, or the list cannot be read";
/// Where backups are restored to be read; no backup.
const SCRATCH: &str = "scratch";

/// A folder of backups. Files that several backups share are there once.
pub struct Backups {
    path: PathBuf,
    engine: Mutex<BackupEngine>,
}

/// A backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// Counts from 1 in its folder.
    pub number: u32,
    /// When it was made, in seconds since 1970 UTC.
    pub created_at: i64,
    /// Bytes of its files, those that it shares with others too.
    pub bytes: u64,
    /// How many files it has.
    pub files: u32,
}

impl Backups {
    /// Opens a vault's own folder of backups, making it if it is not there and not `known` to have been.
    ///
    /// # Errors
    /// `Folder`, `Database`; `NoBackups` if it has another vault's, or none where there were some.
    pub fn own(path: &Path, vault: &VaultId, known: bool) -> Result<Self, StoreError> {
        let fault = |cause| StoreError::Folder { path: path.to_owned(), cause };
        if !known {
            make_folder(path).map_err(fault)?;
        } else if !path.join(OWNER).exists() {
            let why = "is not the folder of backups that it was: is its disk mounted?".to_owned();
            return Err(StoreError::NoBackups { path: path.to_owned(), why });
        }
        let (mark, id) = (path.join(OWNER), vault.to_string());
        match fs::read_to_string(&mark) {
            Ok(owner) if owner.trim() == id => {}
            Ok(owner) => {
                let why = format!("has backups of another vault, {}: name a folder of its own", owner.trim());
                return Err(StoreError::NoBackups { path: path.to_owned(), why });
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                let unfinished = path.join("vault.new");
                let mut file = fs::File::create(&unfinished).map_err(fault)?;
                writeln!(file, "{id}").and_then(|()| file.sync_all()).map_err(fault)?;
                fs::rename(&unfinished, &mark).map_err(fault)?;
            }
            Err(cause) => return Err(fault(cause)),
        }
        Ok(Self { path: path.to_owned(), engine: Mutex::new(engine(path)?) })
    }

    /// Opens a folder of backups that is there, whosever they are.
    ///
    /// # Errors
    /// `NoBackups` if it is none: nothing is made there then. `Database`.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if path.join(META).is_dir() {
            return Ok(Self { path: path.to_owned(), engine: Mutex::new(engine(path)?) });
        }
        let why = if path.exists() { "is no folder of backups" } else { "does not exist" };
        Err(StoreError::NoBackups { path: path.to_owned(), why: why.to_owned() })
    }

    /// The number that the next backup gets.
    pub fn next(&self) -> u32 {
        // RocksDB does not give the number of a damaged one again either.
        self.numbers().max().unwrap_or(0).saturating_add(1)
    }

    /// Of all that there are, whatever is the matter with them.
    fn numbers(&self) -> impl Iterator<Item = u32> {
        let names = fs::read_dir(self.path.join(META)).into_iter().flatten().flatten();
        names.filter_map(|name| name.file_name().to_str()?.parse().ok())
    }

    /// Makes a backup of a store that goes on meanwhile. Only files that no earlier backup has are copied.
    ///
    /// # Errors
    /// `Full` if less than `reserve` bytes would stay free: nothing was written then. `Database`.
    pub fn create(&self, store: &Store, reserve: u64) -> Result<Backup, StoreError> {
        self.expect_room(self.bytes_to_copy(store.path())?, reserve)?;
        let mut engine = self.engine.lock();
        fail::fail_point!("backup-beginning");
        store.database().back_up(&mut engine)?;
        fail::fail_point!("backup-made");
        let made = list(&engine).into_iter().next_back();
        made.ok_or_else(|| {
            StoreError::corrupt("backups", format!("{}: the new one is not listed", self.path.display()))
        })
    }

    /// All backups, oldest first.
    pub fn list(&self) -> Vec<Backup> {
        list(&self.engine.lock())
    }

    /// Numbers of backups that were there and cannot be restored any more, oldest first: RocksDB does not list one whose
    /// list of files cannot be read, or names files that are not there.
    pub fn damaged(&self) -> Vec<u32> {
        let whole: Vec<_> = self.list().into_iter().map(|backup| backup.number).collect();
        let mut damaged: Vec<_> = self.numbers().filter(|number| !whole.contains(number)).collect();
        damaged.sort_unstable();
        damaged
    }

    /// Restores a backup into a folder for the time being, by default one beside the backups, and reads every row of it:
    /// RocksDB checks each block. Gives the number of rows. What is sealed is not opened; a restore does that.
    ///
    /// # Errors
    /// `NoSuchBackup`. `Full` if less than `reserve` bytes would stay free. Otherwise the backup is not sound.
    pub fn verify(&self, number: u32, scratch: Option<&Path>, reserve: u64) -> Result<u64, StoreError> {
        let backup = self.find(number)?;
        // What RocksDB writes goes into a folder of ours, whatever lies beside it.
        let elsewhere = scratch.is_some();
        let scratch = scratch.unwrap_or(&self.path).join(SCRATCH);
        let fault = |cause| StoreError::Folder { path: scratch.clone(), cause };
        if !elsewhere {
            clear(&scratch).map_err(fault)?;
        } else if scratch.exists() {
            let why = "is there already, and whose it is nobody knows: name another folder, or remove it".to_owned();
            return Err(StoreError::NoBackups { path: scratch, why });
        }
        fs::create_dir_all(&scratch).map_err(fault)?;
        let read = expect_room(&scratch, backup.bytes, reserve).and_then(|()| {
            let whole = self.engine.lock().verify_backup(number);
            whole.map_err(self.fault(number, "is damaged"))?;
            self.restore(number, &scratch)?;
            let db = Database::read_only(&scratch)?;
            db.expect_whole()?;
            db.reader().count()
        });
        let cleared = clear(&scratch).map_err(fault);
        let rows = read?;
        cleared.map(|()| rows)
    }

    /// Deletes all but the newest `keep` backups, and the files that only those had.
    pub fn prune(&self, keep: usize) -> Result<(), StoreError> {
        fail::fail_point!("backup-before-prune");
        self.engine.lock().purge_old_backups(keep).map_err(StoreError::database("delete old backups"))?;
        fail::fail_point!("backup-pruned");
        Ok(())
    }

    /// Writes a backup's database into a folder, synced.
    ///
    /// # Errors
    /// `NoSuchBackup`, `Backup`.
    pub fn restore(&self, number: u32, into: &Path) -> Result<(), StoreError> {
        self.find(number)?;
        // An engine that fails goes on writing what it has begun until it is dropped: whoever clears up must not meet it.
        let mut engine = engine(&self.path)?;
        let restored = engine.restore_from_backup(into, into, &RestoreOptions::default(), number);
        restored.map_err(self.fault(number, "is damaged, or cannot be written where it is to go"))
    }

    /// The newest backup, whatever is the matter with it: that an older one is restored in its place is not decided here.
    ///
    /// # Errors
    /// `NoBackups`; `Backup` if it is damaged so much that RocksDB does not list it.
    pub fn newest(&self) -> Result<u32, StoreError> {
        match self.next() - 1 {
            0 => Err(StoreError::NoBackups { path: self.path.clone(), why: "has no backup".to_owned() }),
            number => self.find(number).map(|backup| backup.number),
        }
    }

    /// A backup, by its number.
    ///
    /// # Errors
    /// `NoSuchBackup`; `Backup` if it is damaged so much that RocksDB does not list it.
    pub fn find(&self, number: u32) -> Result<Backup, StoreError> {
        let found = self.list().into_iter().find(|backup| backup.number == number);
        found.ok_or_else(|| match self.path.join(META).join(number.to_string()).exists() {
            true => StoreError::Backup { path: self.path.clone(), number, why: DAMAGED, cause: None },
            false => StoreError::NoSuchBackup { path: self.path.clone(), number },
        })
    }

    fn fault(&self, number: u32, why: &'static str) -> impl FnOnce(rocksdb::Error) -> StoreError {
        let path = self.path.clone();
        move |cause| StoreError::Backup { path, number, why, cause: Some(cause) }
    }

    /// Bytes of the database's files that no backup has, at most.
    fn bytes_to_copy(&self, database: &Path) -> Result<u64, StoreError> {
        let fault = |path: &Path| {
            let path = path.to_owned();
            move |cause| StoreError::Folder { path, cause }
        };
        let shared = self.path.join(SHARED);
        let mut kept = std::collections::HashSet::new();
        for file in fs::read_dir(&shared).map_err(fault(&shared))? {
            let name = file.map_err(fault(&shared))?.file_name();
            kept.extend(name.to_str().and_then(|name| name.split_once('_')).map(|(stem, _)| stem.to_owned()));
        }
        let mut bytes = 0;
        for file in fs::read_dir(database).map_err(fault(database))? {
            let file = file.map_err(fault(database))?;
            let path = file.path();
            let is_kept = path.extension() == Some(OsStr::new("sst"))
                && path.file_stem().and_then(OsStr::to_str).is_some_and(|stem| kept.contains(stem));
            if !is_kept {
                // The database may have dropped it in between.
                bytes += file.metadata().map_or(0, |metadata| metadata.len());
            }
        }
        Ok(bytes)
    }

    fn expect_room(&self, bytes: u64, reserve: u64) -> Result<(), StoreError> {
        expect_room(&self.path, bytes, reserve)
    }
}

fn engine(path: &Path) -> Result<BackupEngine, StoreError> {
    let env = Env::new().map_err(StoreError::database("open the backups"))?;
    let mut options = BackupEngineOptions::new(path).map_err(StoreError::database("open the backups"))?;
    options.set_sync(true);
    BackupEngine::open(&options, &env).map_err(StoreError::database("open the backups"))
}

fn expect_room(path: &Path, bytes: u64, reserve: u64) -> Result<(), StoreError> {
    let reserve = bytes.saturating_add(reserve);
    match free_bytes(path) {
        Some(free) if free < reserve => Err(StoreError::Full { path: path.to_owned(), free, reserve }),
        Some(_) | None => Ok(()),
    }
}

fn clear(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(cause),
        Ok(()) | Err(_) => Ok(()),
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
