use std::time::Duration;

use lethe_domain::{Invalid, Reason};
use lethe_policy::Denial;

use crate::store::StoreError;

/// Why a use case failed. [`Error::reason`] is what a caller is told; the details go to the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field was refused.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The gate refused.
    #[error("{}", .0.message)]
    Denied(Denial),
    /// No credential, or none that is known.
    #[error("{1}")]
    Unauthenticated(Reason, &'static str),
    /// What was named does not exist.
    #[error("{1}")]
    NotFound(Reason, String),
    /// What was to be created exists.
    #[error("{1}")]
    Exists(Reason, String),
    /// What is there does not allow it.
    #[error("{1}")]
    Precondition(Reason, String),
    /// A request id was used for another request.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// At a limit; worth another try after the delay.
    #[error("{message}")]
    Limited {
        /// Which limit.
        reason: Reason,
        /// When to try again.
        retry_after: Duration,
        /// For a person.
        message: String,
    },
    /// Not possible now; worth another try.
    #[error("{1}")]
    Unavailable(Reason, String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key or a sealed record failed.
    #[error("{action}")]
    Crypto {
        /// What was tried.
        action: &'static str,
        /// What failed.
        #[source]
        cause: lethe_crypto::Error,
    },
    /// The index failed.
    #[error("the index failed")]
    Index(#[from] lethe_index::Error),
    /// A task of the server ended before its answer.
    #[error("a task ended before its answer")]
    TaskLost,
}

impl Error {
    /// The stable reason.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Invalid(invalid) => invalid.reason,
            Self::Denied(denial) => denial.reason,
            Self::Unauthenticated(reason, _)
            | Self::NotFound(reason, _)
            | Self::Exists(reason, _)
            | Self::Precondition(reason, _)
            | Self::Limited { reason, .. }
            | Self::Unavailable(reason, _) => *reason,
            Self::RequestIdReused => Reason::RequestIdReused,
            Self::Store(StoreError::Full { .. }) => Reason::StorageFull,
            Self::Store(StoreError::Overloaded) => Reason::Overloaded,
            Self::Store(StoreError::Closed) => Reason::ShuttingDown,
            Self::Store(StoreError::Shredded) => Reason::TenantNotFound,
            Self::Store(StoreError::Mirror { .. }) => Reason::MirrorFailing,
            Self::Store(
                StoreError::Corrupt { .. }
                | StoreError::Format { .. }
                | StoreError::Folder { .. }
                | StoreError::MirrorMissing { .. }
                | StoreError::MirrorForeign { .. }
                | StoreError::NoSuchMirror { .. }
                | StoreError::Behind { .. }
                | StoreError::Apart { .. }
                | StoreError::NoMirror { .. }
                | StoreError::Lost { .. }
                | StoreError::NotWhole { .. }
                | StoreError::Unfinished { .. }
                | StoreError::InUse { .. }
                | StoreError::NoSuchBackup { .. }
                | StoreError::Backup { .. }
                | StoreError::NoBackups { .. }
                | StoreError::Restore(_)
                | StoreError::Entry(_)
                | StoreError::Merkle(_)
                | StoreError::Open { .. }
                | StoreError::Database { .. },
            )
            | Self::Crypto { .. }
            | Self::Index(_)
            | Self::TaskLost => Reason::Internal,
        }
    }

    pub(crate) fn crypto(action: &'static str) -> impl FnOnce(lethe_crypto::Error) -> Self {
        move |cause| Self::Crypto { action, cause }
    }
}

impl From<lethe_rows::Corrupt> for Error {
    fn from(corrupt: lethe_rows::Corrupt) -> Self {
        Self::Store(corrupt.into())
    }
}

impl From<Denial> for Error {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// An error and what it comes from. The innermost reasons are the useful ones: `transport error` alone helps nobody.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

/// A use case's answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;
