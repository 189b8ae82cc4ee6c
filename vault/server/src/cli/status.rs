//! What a gRPC status tells the user: what was refused, the reason, the fields, when to come back.

use std::error::Error as _;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::exit::{Exit, Failure, causes};
pub(super) use crate::grpc::code_name as name;

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let exit = exit(status.code());
        let verb = match exit {
            Exit::Refused => "refused",
            Exit::NotFound => "not found",
            Exit::NotNow => "not now",
            Exit::Done | Exit::Failed | Exit::Usage | Exit::No | Exit::Review => "failed",
        };
        let mut message = match status.message() {
            "" => status.code().description().to_owned(),
            message => message.to_owned(),
        };
        // Of a failure on the way, `transport error` alone helps nobody.
        if let Some(source) = status.source() {
            message = format!("{message}: {}", causes(source));
        }
        let mut failure = Self::new(exit, format!("{verb}: {message}"));
        let details = status.get_error_details();
        if let Some(info) = details.error_info() {
            failure = failure.detail("reason", &info.reason);
            let mut metadata: Vec<_> = info.metadata.iter().collect();
            metadata.sort();
            for (name, value) in metadata {
                failure = failure.detail(name, value);
            }
        }
        failure = failure.detail("status", name(status.code()));
        for violation in details.bad_request().into_iter().flat_map(|bad| &bad.field_violations) {
            let text = match violation.description.as_str() {
                "" => violation.field.clone(),
                description => format!("{}: {description}", violation.field),
            };
            if !failure.message.contains(&text) {
                failure = failure.detail("violation", text);
            }
        }
        if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
            failure = failure.detail("retry after", format!("{} ms", delay.as_millis()));
        }
        match details.error_info().and_then(|info| hint(&info.reason)) {
            Some(hint) => failure.detail("hint", hint),
            None => failure,
        }
    }
}

/// The exit code of a gRPC status code.
pub(super) fn exit(code: Code) -> Exit {
    match code {
        Code::InvalidArgument
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => Exit::Refused,
        Code::NotFound => Exit::NotFound,
        Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted | Code::Unavailable => Exit::NotNow,
        Code::Ok | Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => Exit::Failed,
    }
}

/// What helps, where the command line has it.
fn hint(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "CREDENTIAL_MISSING" => {
            "give an API key with --key-file or LETHE_KEY, or a login's token with --login-token-file"
        }
        "LOGIN_TAKEN" => "lethe key list shows whose it is, if it is yours to see; lethe key revoke makes it free",
        "IDENTITY_PROVIDER_UNKNOWN" => "the issuer must be exactly as in the server's access.identity_providers",
        "ROLE_REQUIRED" => "a tenant admin makes keys with other roles: lethe key create --role …",
        "MODEL_UNKNOWN" => "a tenant admin registers models: lethe model create MODEL@VERSION …",
        "PURPOSE_NOT_ALLOWED" => "name another purpose with --purpose",
        "SUBJECT_ID_PERSONAL_DATA" => "use an opaque applicant id of your own making",
        "LAST_ADMINISTRATOR" => "create another first: lethe key create --role tenant_admin, or --vault",
        "ERASURE_PENDING" => "the data is out of reach already; ask again with lethe receipt get",
        "BACKUP_NOT_CONFIGURED" => "set backup.path in the server's configuration and restart it",
        "BACKUP_BUSY" => "lethe backup list shows what is at work",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    #[test]
    fn a_status_is_shown_by_its_parts() {
        let mut details = ErrorDetails::new();
        let metadata = HashMap::from([("field".to_owned(), "template.embedding".to_owned())]);
        details.set_error_info("EMBEDDING_NAN", "lethe.v1", metadata);
        details.set_bad_request([FieldViolation::new("template.embedding", "component 3 is NaN")]);
        details.set_retry_info(Some(Duration::from_millis(250)));
        let status = Status::with_error_details(Code::InvalidArgument, "the embedding is bad", details);
        let failure = Failure::from(status);
        assert_eq!(failure.exit, Exit::Refused);
        let text = failure.to_string();
        for line in [
            "refused: the embedding is bad",
            "reason       EMBEDDING_NAN",
            "field        template.embedding",
            "violation    template.embedding: component 3 is NaN",
            "retry after  250 ms",
            "status       INVALID_ARGUMENT",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn what_went_wrong_on_the_way_is_told() {
        let status = Status::from_error("the other side hung up".into());
        let failure = Failure::from(status);
        assert!(failure.message.contains("the other side hung up"), "{failure}");
    }

    #[test]
    fn a_bare_status_still_says_something() {
        let failure = Failure::from(Status::new(Code::Unavailable, ""));
        assert_eq!(failure.exit, Exit::NotNow);
        assert!(failure.to_string().contains("UNAVAILABLE"));
        assert!(failure.message.len() > "not now: ".len());
    }

    #[test]
    fn every_code_has_its_own_name() {
        let names: std::collections::HashSet<_> = (0..17).map(|code| name(Code::from_i32(code))).collect();
        assert_eq!(names.len(), 17);
        assert_eq!(exit(Code::NotFound), Exit::NotFound);
        assert_eq!(exit(Code::Internal), Exit::Failed);
    }
}
