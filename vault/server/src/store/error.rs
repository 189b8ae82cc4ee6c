use std::path::PathBuf;

use lethe_rows::{Corrupt, MirrorId};

use super::marks::Lost;

/// What can go wrong between a change and the disk.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Bytes that are not what they must be.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The disk has less room than the reserve; nothing was written.
    #[error("the disk of {path} has {free} bytes free, less than the reserve of {reserve}; nothing was written", path = path.display())]
    Full {
        /// The data directory.
        path: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes that must stay free.
        reserve: u64,
    },
    /// More changes wait than may.
    #[error("too many changes are waiting to be committed")]
    Overloaded,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
    /// The tenant that the change is about was shredded meanwhile; nothing was written.
    #[error("there is no such tenant any more")]
    Shredded,
    /// The data directory is of another format.
    #[error("the data directory has format {found}; this build reads format {known}")]
    Format {
        /// The version found.
        found: u32,
        /// The version this build knows.
        known: u32,
    },
    /// A mirror cannot be written.
    #[error("the mirror {path} cannot be written: {fault}", path = path.display())]
    Mirror {
        /// The mirror.
        path: PathBuf,
        /// Why not.
        fault: String,
    },
    /// The vault has a mirror that the configuration does not name.
    #[error(
        "the vault has the mirror {id}, last at {path}, and mirror.paths does not name its folder: name it, or drop the mirror for good with `lethe mirror drop {id}`",
        path = path.display()
    )]
    MirrorMissing {
        /// Where it was.
        path: PathBuf,
        /// Which.
        id: MirrorId,
    },
    /// The vault has no such mirror.
    #[error("the vault has no mirror {id}; `lethe mirror list` shows those it has")]
    NoSuchMirror {
        /// Which.
        id: MirrorId,
    },
    /// A folder of the configuration holds a mirror that the vault does not have.
    #[error("{path} holds the mirror {id}, which is another vault's, or was dropped: name an empty folder", path = path.display())]
    MirrorForeign {
        /// The folder.
        path: PathBuf,
        /// Whose mirror is in it.
        id: MirrorId,
    },
    /// A mirror has what the store has not.
    #[error(
        "{path} is older than its mirror {mirror} by {lost} rows: it was put back from a copy, or its disk lost what it had acknowledged. Nothing was changed; `lethe restore` brings it up to its mirror",
        path = path.display(), mirror = mirror.display()
    )]
    Behind {
        /// The database.
        path: PathBuf,
        /// The mirror.
        mirror: PathBuf,
        /// How many rows it lacks.
        lost: u64,
    },
    /// The store and a mirror have gone different ways.
    #[error(
        "{path} and its mirror {mirror} have gone different ways: the data was put back from a copy, or lost what its disk had acknowledged, and was started then without this mirror; or the vault was restored elsewhere. The mirror is left as it is; `lethe restore` brings the data up to it",
        path = path.display(), mirror = mirror.display()
    )]
    Apart {
        /// The database.
        path: PathBuf,
        /// The mirror.
        mirror: PathBuf,
    },
    /// A folder for a mirror holds another database.
    #[error("{path} holds a database that is no mirror: name an empty folder", path = path.display())]
    NoMirror {
        /// The folder.
        path: PathBuf,
    },
    /// There is no database where others know of one.
    #[error(
        "there is no database in {path}, and the mirror {mirror} knows of one: is its disk mounted? `lethe restore --backup` brings a lost one back; for a new vault name another folder in mirror.paths",
        path = path.display(), mirror = mirror.display()
    )]
    Lost {
        /// Where the database should be.
        path: PathBuf,
        /// The mirror.
        mirror: PathBuf,
    },
    /// Rows were lost between others that are there.
    #[error(
        "{path} is not whole: its disk lost rows of {lost} that it had acknowledged, and kept others that came before or \
         after{way_out}",
        path = path.display()
    )]
    NotWhole {
        /// The database.
        path: PathBuf,
        /// What they were of.
        lost: Lost,
        /// What to do about it, if that is known.
        way_out: &'static str,
    },
    /// A restore was begun and not finished.
    #[error("a restore of {path} was not finished: run `lethe restore` again", path = path.display())]
    Unfinished {
        /// The database.
        path: PathBuf,
    },
    /// A folder of backups has no such backup.
    #[error("{path} has no backup {number}", path = path.display())]
    NoSuchBackup {
        /// The folder.
        path: PathBuf,
        /// Which backup.
        number: u32,
    },
    /// A backup is not what it was when it was made, or cannot be brought where it is to go.
    #[error("backup {number} of {path} {why}", path = path.display())]
    Backup {
        /// The folder.
        path: PathBuf,
        /// Which backup.
        number: u32,
        /// What is the matter with it.
        why: &'static str,
        /// What RocksDB said, if it said something.
        #[source]
        cause: Option<rocksdb::Error>,
    },
    /// A folder that should have backups has none, or another vault's.
    #[error("{path} {why}", path = path.display())]
    NoBackups {
        /// The folder.
        path: PathBuf,
        /// What is the matter with it.
        why: String,
    },
    /// What was found does not allow a restore; nothing was changed.
    #[error("cannot restore: {0}")]
    Restore(String),
    /// A folder cannot be made.
    #[error("cannot create {path}: {cause}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A log entry could not be made.
    #[error("cannot make a log entry")]
    Entry(#[from] lethe_crypto::log::entry::EntryError),
    /// A log's tree could not be read.
    #[error("cannot read a log's tree")]
    Merkle(#[from] lethe_crypto::log::merkle::MerkleError),
    /// Another process has it open.
    #[error("{path} is open in another process: stop the server first", path = path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// A database cannot be opened.
    #[error("cannot open the database in {path}{way_out}", path = path.display())]
    Open {
        /// Where it is.
        path: PathBuf,
        /// What to do about it, if that is known.
        way_out: &'static str,
        /// What RocksDB said.
        #[source]
        cause: rocksdb::Error,
    },
    /// RocksDB failed.
    #[error("cannot {action}")]
    Database {
        /// What was tried.
        action: &'static str,
        /// What RocksDB said.
        #[source]
        cause: rocksdb::Error,
    },
}

impl StoreError {
    /// Names bytes that are not what they must be.
    pub fn corrupt(what: &'static str, place: impl Into<String>) -> Self {
        Self::Corrupt(Corrupt::new(what, place))
    }

    pub(super) fn database(action: &'static str) -> impl FnOnce(rocksdb::Error) -> Self {
        move |cause| Self::Database { action, cause }
    }
}
