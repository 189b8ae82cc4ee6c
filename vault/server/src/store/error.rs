use std::path::PathBuf;

/// What can go wrong between a change and the disk.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Bytes that are not what they must be.
    #[error("corrupt {what} at {place}")]
    Corrupt {
        /// What they were read as.
        what: &'static str,
        /// Where they lie.
        place: String,
    },
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
    /// The data directory is of another format.
    #[error("the data directory has format {found}; this build reads format {known}")]
    Format {
        /// The version found.
        found: u32,
        /// The version this build knows.
        known: u32,
    },
    /// A log entry could not be made.
    #[error("cannot make a log entry")]
    Entry(#[from] lethe_crypto::log::entry::EntryError),
    /// A log's tree could not be read.
    #[error("cannot read a log's tree")]
    Merkle(#[from] lethe_crypto::log::merkle::MerkleError),
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
        Self::Corrupt { what, place: place.into() }
    }

    pub(super) fn database(action: &'static str) -> impl FnOnce(rocksdb::Error) -> Self {
        move |cause| Self::Database { action, cause }
    }
}
