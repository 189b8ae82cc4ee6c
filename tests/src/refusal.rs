use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use lethe_proto::ERROR_DOMAIN;
use lethe_proto::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// An answer, or why there is none.
pub type Answer<T> = Result<T, Refusal>;

/// A failed call.
#[derive(Clone)]
pub struct Refusal(Status);

impl Refusal {
    /// The status as it came.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.0
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code()
    }

    /// The reason in its `ErrorInfo`; `None` where it has none of this API's.
    #[must_use]
    pub fn reason(&self) -> Option<ErrorReason> {
        let info = self.0.get_error_details().error_info().cloned()?;
        if info.domain == ERROR_DOMAIN { ErrorReason::from_code(&info.reason) } else { None }
    }

    /// The metadata of its `ErrorInfo`.
    #[must_use]
    pub fn metadata(&self) -> HashMap<String, String> {
        self.0.get_error_details().error_info().map(|info| info.metadata.clone()).unwrap_or_default()
    }

    /// The field that it is about.
    #[must_use]
    pub fn field(&self) -> Option<String> {
        self.metadata().remove("field")
    }

    /// When to try again, from its `RetryInfo`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.get_error_details().retry_info().and_then(|info| info.retry_delay)
    }

    /// Fails the test unless it has this code and this reason.
    ///
    /// # Panics
    /// Then.
    #[track_caller]
    pub fn assert_is(&self, code: Code, reason: ErrorReason) -> &Self {
        assert_eq!((self.code(), self.reason()), (code, Some(reason)), "{self:?}");
        self
    }

    /// Fails the test unless it is about this field.
    ///
    /// # Panics
    /// Then.
    #[track_caller]
    pub fn assert_field(&self, field: &str) -> &Self {
        assert_eq!(self.field().as_deref(), Some(field), "{self:?}");
        self
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self(status)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason().map_or("no reason of this API", ErrorReason::code);
        write!(f, "{:?} {reason} {:?}: {}", self.code(), self.metadata(), self.0.message())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Refusal {}

/// An answer that should be a refusal.
pub trait Refused {
    /// The refusal.
    ///
    /// # Panics
    /// When the call was answered.
    #[track_caller]
    fn refused(self) -> Refusal;
}

impl<T> Refused for Answer<T> {
    fn refused(self) -> Refusal {
        match self {
            Ok(_) => panic!("the call was answered, where it should be refused"),
            Err(refusal) => refusal,
        }
    }
}
