//! The one mapping from errors to statuses. Details that are not the caller's go to the log.

use std::collections::HashMap;
use std::time::Duration;

use lethe_domain::Reason;
use lethe_proto::ERROR_DOMAIN;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::Error;
use crate::store::StoreError;

/// What a caller should wait where nothing better is known.
const SOON: Duration = Duration::from_secs(1);
/// What a caller should wait for somebody to make room.
const LATER: Duration = Duration::from_secs(60);

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let reason = error.reason();
        let mut metadata = HashMap::new();
        let mut details = ErrorDetails::new();
        let (code, message) = match &error {
            Error::Invalid(invalid) => {
                metadata.insert("field".to_owned(), invalid.field.clone());
                details.add_bad_request_violation(&invalid.field, &invalid.message);
                (Code::InvalidArgument, invalid.to_string())
            }
            Error::Denied(denial) => {
                metadata.insert("obligation".to_owned(), denial.obligation.to_owned());
                (denial_code(reason), denial.message.clone())
            }
            Error::Unauthenticated(_, message) => (Code::Unauthenticated, (*message).to_owned()),
            Error::NotFound(_, message) => (Code::NotFound, message.clone()),
            Error::Exists(_, message) => (Code::AlreadyExists, message.clone()),
            Error::Precondition(_, message) => (Code::FailedPrecondition, message.clone()),
            Error::RequestIdReused => {
                metadata.insert("field".to_owned(), "request_id".to_owned());
                details.add_bad_request_violation("request_id", error.to_string());
                (Code::AlreadyExists, error.to_string())
            }
            Error::Limited { retry_after, message, .. } => {
                details.set_retry_info(Some(*retry_after));
                (Code::ResourceExhausted, message.clone())
            }
            Error::Unavailable(_, message) => {
                details.set_retry_info(Some(SOON));
                (Code::Unavailable, message.clone())
            }
            Error::Store(StoreError::Full { .. }) => {
                details.set_retry_info(Some(LATER));
                tracing::error!(%error, "a change was refused");
                (Code::ResourceExhausted, "the disk is full; nothing was changed".to_owned())
            }
            Error::Store(StoreError::Overloaded) => {
                details.set_retry_info(Some(SOON));
                (Code::ResourceExhausted, error.to_string())
            }
            Error::Store(StoreError::Closed) => {
                details.set_retry_info(Some(SOON));
                (Code::Unavailable, "the server is shutting down".to_owned())
            }
            Error::Store(StoreError::Shredded) => (Code::NotFound, error.to_string()),
            Error::Store(StoreError::Mirror { .. }) => {
                details.set_retry_info(Some(SOON));
                tracing::error!(%error, "a call was refused");
                (
                    Code::Unavailable,
                    "a mirror of the vault cannot be written; the server's log has the details".to_owned(),
                )
            }
            Error::Store(
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
            | Error::Crypto { .. }
            | Error::Index(_)
            | Error::TaskLost => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "a call failed");
                (Code::Internal, "a fault on the server's side; its log has the details".to_owned())
            }
        };
        details.set_error_info(reason.code(), ERROR_DOMAIN, metadata);
        Self::with_error_details(code, message, details)
    }
}

fn denial_code(reason: Reason) -> Code {
    #[allow(clippy::wildcard_enum_match_arm, reason = "what the gate may answer is listed; the rest is permission")]
    match reason {
        Reason::CredentialExpired => Code::Unauthenticated,
        Reason::PurposeUnspecified => Code::InvalidArgument,
        Reason::TenantNotFound => Code::NotFound,
        // What the call lacks, and may bring.
        Reason::AttestationRequired
        | Reason::AttestationInvalid
        | Reason::AttestationExpired
        | Reason::AttestationReplayed
        | Reason::LivenessInsufficient
        // What depends on the person, and may change.
        | Reason::WrittenConsentRequired
        | Reason::ConsentMissing
        | Reason::ConsentWithdrawn
        | Reason::ConsentExpired
        | Reason::PurposeObjected
        | Reason::MinorWithoutGuardian
        | Reason::MinorNotListed
        | Reason::AgeUnknown
        | Reason::SubjectRestricted
        | Reason::LegalHold
        | Reason::RetentionExpired
        | Reason::StatutoryMinimum
        | Reason::ErasureDeferred
        | Reason::SubjectDeceased
        | Reason::JurisdictionForbids
        // What two persons decide, and did not.
        | Reason::ApprovalRequired
        | Reason::ProposalExpired
        | Reason::ProposalClosed
        | Reason::ProposalMismatch
        | Reason::DisclosureGroundMissing
        | Reason::SafeguardMissing
        // What was said of a case before, or was not.
        | Reason::CaseClosed
        | Reason::CaseUndecided
        | Reason::RecordsLimited => Code::FailedPrecondition,
        _ => Code::PermissionDenied,
    }
}

/// The name of a status code as the standard writes it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// A refusal of a transport's kind, with the reason that callers know.
pub(super) fn refusal(code: Code, reason: Reason, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason.code(), ERROR_DOMAIN, HashMap::new());
    Status::with_error_details(code, message, details)
}

/// The end of a call, or of a stream, that took longer than it may.
pub(super) fn too_long(message: &str) -> Status {
    refusal(Code::DeadlineExceeded, Reason::DeadlineExceeded, message)
}

#[cfg(test)]
mod tests {
    use lethe_domain::Reason;
    use lethe_proto::v1::ErrorReason;

    #[test]
    fn every_reason_is_in_the_api() {
        for reason in Reason::ALL {
            assert!(ErrorReason::from_code(reason.code()).is_some(), "{reason}");
        }
    }
}
