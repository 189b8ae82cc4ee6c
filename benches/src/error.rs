//! Why a measurement could not be made.

use lethe_dataset::Error as DatasetError;

/// Everything that ends a benchmark early. A failed call is never a data point.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Embeddings could not be had.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The cryptography refused.
    #[error(transparent)]
    Crypto(#[from] lethe_crypto::Error),
    /// The index refused.
    #[error(transparent)]
    Index(#[from] lethe_index::Error),
    /// The peer FAISS refused.
    #[error("FAISS: {0}")]
    Faiss(#[from] faiss::error::Error),
    /// The peer RocksDB refused.
    #[error("RocksDB: {0}")]
    RocksDb(#[from] rocksdb::Error),
    /// A connection could not be made.
    #[error("connecting: {0}")]
    Connect(#[from] tonic::transport::Error),
    /// A call failed.
    #[error("calling: {0}")]
    Call(#[from] Box<tonic::Status>),
    /// A stored result cannot be read.
    #[error("{file}, line {line}: {source}")]
    Stored {
        /// The file.
        file: String,
        /// The line, from 1; 0 for the whole file.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A peer did not do what makes it a peer, or an argument makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        Self::Call(Box::new(status))
    }
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Whether a server turned a call away because it has too much to do.
    #[must_use]
    pub fn is_shed(&self) -> bool {
        matches!(self, Self::Call(status) if status.code() == tonic::Code::ResourceExhausted)
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }
}
