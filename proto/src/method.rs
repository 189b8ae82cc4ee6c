/// A method of a service of package `lethe.v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method {
    /// Full name of the service, such as `lethe.v1.SubjectService`.
    pub service: &'static str,
    /// Name of the method, such as `Erase`.
    pub method: &'static str,
    /// Full name of the request message, such as `lethe.v1.EraseSubjectRequest`.
    pub request: &'static str,
    /// Whether client or server sends a stream.
    pub streaming: bool,
}

/// Every method there is, by file, in the order of the `.proto` files: what a test walks to show that
/// none was forgotten.
#[must_use]
pub const fn methods() -> &'static [Method] {
    METHODS
}

// `METHODS`, written by the build script from the descriptor set.
include!(concat!(env!("OUT_DIR"), "/methods.rs"));

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::field_descriptor_proto::{Label, Type};
    use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

    use super::*;

    /// Number of the `purpose` field in every request.
    const PURPOSE: i32 = 2;
    /// Number of the `request_id` field in every write.
    const REQUEST_ID: i32 = 3;
    /// Methods that change what is stored.
    const WRITES: [&str; 47] = [
        "TenantService/Create",
        "TenantService/CreateCredential",
        "TenantService/RevokeCredential",
        "TenantService/CreateModelProfile",
        "TenantService/UpdateModelProfile",
        "TenantService/Shred",
        "TenantService/RotateKeys",
        "EnrollmentService/Enroll",
        "EnrollmentService/BatchEnroll",
        "EnrollmentService/ReplaceTemplate",
        "EnrollmentService/DeleteTemplate",
        "SubjectService/Erase",
        "SubjectService/Update",
        "SubjectService/Restrict",
        "SubjectService/LiftRestriction",
        "SubjectService/Object",
        "SubjectService/LiftObjection",
        "ConsentService/Record",
        "ConsentService/Withdraw",
        "ApprovalService/Approve",
        "ApprovalService/Reject",
        "DisclosureService/Propose",
        "AuditService/ProposeKeyRotation",
        "TenantService/Offboard",
        "TenantService/ConfirmHandover",
        "HoldService/Place",
        "HoldService/Renew",
        "HoldService/Release",
        "TenantService/UpdatePolicy",
        "RequestService/Open",
        "RequestService/Extend",
        "RequestService/Close",
        "NotificationService/Close",
        "CaseService/CreatePair",
        "CaseService/CreateContested",
        "CaseService/Decide",
        "CaseService/Contest",
        "WatchlistService/Create",
        "WatchlistService/Delete",
        "WatchlistService/AddEntry",
        "WatchlistService/ContestEntry",
        "WatchlistService/DecideEntry",
        "WatchlistService/RemoveEntry",
        "SigningKeyService/CreateSigningKey",
        "SigningKeyService/RevokeSigningKey",
        "BackupService/CreateBackup",
        "BackupService/PruneBackups",
    ];

    fn descriptors() -> FileDescriptorSet {
        FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap()
    }

    fn message(full_name: &str) -> DescriptorProto {
        let name = full_name.strip_prefix("lethe.v1.").unwrap();
        let set = descriptors();
        let mut all = set.file.into_iter().flat_map(|file| file.message_type);
        all.find(|message| message.name() == name).unwrap()
    }

    fn field(message: &DescriptorProto, name: &str) -> Option<FieldDescriptorProto> {
        message.field.iter().find(|field| field.name() == name).cloned()
    }

    #[test]
    fn methods_are_those_of_the_descriptor_set() {
        let set = descriptors();
        let mut described = Vec::new();
        for file in set.file.iter().filter(|file| file.package() == "lethe.v1") {
            for service in &file.service {
                for method in &service.method {
                    described.push((format!("lethe.v1.{}", service.name()), method.name().to_owned()));
                }
            }
        }
        let listed: Vec<_> =
            methods().iter().map(|method| (method.service.to_owned(), method.method.to_owned())).collect();
        assert_eq!(listed, described);
        assert_eq!(listed.len(), 91);
    }

    #[test]
    fn every_request_states_a_purpose() {
        for method in methods() {
            let purpose = field(&message(method.request), "purpose").unwrap();
            assert_eq!(purpose.number(), PURPOSE, "{}", method.request);
            assert_eq!(purpose.type_name(), ".lethe.v1.Purpose", "{}", method.request);
        }
    }

    #[test]
    fn every_write_takes_a_request_id() {
        let mut writes = Vec::new();
        for method in methods() {
            let Some(request_id) = field(&message(method.request), "request_id") else { continue };
            assert_eq!(request_id.number(), REQUEST_ID, "{}", method.request);
            assert_eq!(request_id.r#type(), Type::String, "{}", method.request);
            let service = method.service.strip_prefix("lethe.v1.").unwrap();
            writes.push(format!("{service}/{}", method.method));
        }
        // A comparison takes one too, for the caller's tracing.
        let expected = WRITES.into_iter().chain(["AuthenticationService/Verify"]);
        writes.sort();
        let mut expected: Vec<_> = expected.map(str::to_owned).collect();
        expected.sort();
        assert_eq!(writes, expected);
    }

    /// A vector of floats that leaves the vault would be a template given out. A model's centre is
    /// none: it belongs to the model.
    #[test]
    fn no_answer_can_carry_an_embedding() {
        let mut holders = Vec::new();
        for message in descriptors().file.into_iter().flat_map(|file| file.message_type) {
            for field in &message.field {
                let vector = field.label() == Label::Repeated && matches!(field.r#type(), Type::Float | Type::Double);
                if vector {
                    holders.push(format!("{}.{}", message.name(), field.name()));
                }
                if field.type_name() == ".lethe.v1.Capture" {
                    assert!(message.name().ends_with("Request"), "{}", message.name());
                }
            }
        }
        holders.sort();
        assert_eq!(holders, ["Capture.embedding", "ModelProfile.centre"]);
    }

    #[test]
    fn only_batches_sweeps_logs_and_archives_stream() {
        let streaming: Vec<_> =
            methods().iter().filter(|method| method.streaming).map(|method| method.method).collect();
        assert_eq!(streaming, ["Watch", "BatchEnroll", "SweepDuplicates", "Export", "ExportSilo"]);
    }
}
