//! What the API's documentation promises of each method: its roles, its purposes, and a minimal request that
//! is answered. Written by hand, from the `.proto` files: it must not follow from what the server does.

use lethe_proto::v1::{self, Purpose, Role};
use lethe_tests::{basis, capture, now, request_id};
use prost::Message as _;

use crate::stage::Target;

/// A method's line.
pub(crate) struct Row {
    /// Service and method, without the package.
    pub(crate) method: &'static str,
    /// Any of these roles of the tenant will do.
    pub(crate) roles: &'static [Role],
    /// Whether the operator's credential will do.
    pub(crate) operator: bool,
    /// The purposes it may serve.
    pub(crate) purposes: &'static [Purpose],
    /// A minimal request, encoded.
    pub(crate) request: fn(&Target, Purpose) -> Vec<u8>,
}

use Purpose::{
    Administration, Audit, Authentication, DataSubjectRequest, DocumentCheck, DuplicateDetection, FraudPrevention,
    LegalClaims, RequesterIdentification,
};
use Role::{Auditor, Authenticator, Enroller, FraudAnalyst, PrivacyOfficer, Reviewer, TenantAdmin};

const ENROLLING: &[Purpose] = &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention];
const RECTIFYING: &[Purpose] =
    &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest];
const LOOKING: &[Purpose] =
    &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest, LegalClaims];
const RECORDING: &[Purpose] = &[Administration, DataSubjectRequest];
const EXERCISING: &[Purpose] = &[DataSubjectRequest, LegalClaims];
const DECIDING: &[Purpose] = &[Administration, DataSubjectRequest];
const COMPARING: &[Purpose] = &[Authentication, DocumentCheck, FraudPrevention, RequesterIdentification];
const AUDITING: &[Purpose] = &[Audit, DataSubjectRequest, LegalClaims];
const PROFILE_READERS: &[Role] = &[TenantAdmin, Enroller, Authenticator, FraudAnalyst, PrivacyOfficer, Auditor];

/// Every method of the API.
pub(crate) const TABLE: &[Row] = &[
    Row {
        method: "TenantService/Create",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::CreateTenantRequest {
                purpose: purpose.into(),
                request_id: request_id(),
                tenant_id: target.unused_tenant.clone(),
                tenant: Some(v1::Tenant { purposes: vec![basis(Authentication)], ..v1::Tenant::default() }),
                administrator_login: None,
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "TenantService/Get",
        roles: &[TenantAdmin, Auditor],
        operator: true,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::GetTenantRequest { name: target.tenant.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "TenantService/UpdatePolicy",
        roles: &[TenantAdmin],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::UpdatePolicyRequest {
                tenant: Some(v1::Tenant { name: target.tenant.clone(), ..v1::Tenant::default() }),
                purpose: purpose.into(),
                request_id: String::new(),
                update_mask: Some(prost_types::FieldMask { paths: vec!["age_required".to_owned()] }),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "TenantService/CreateCredential",
        roles: &[TenantAdmin],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::CreateCredentialRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                credential: Some(v1::Credential { roles: vec![Auditor.into()], ..v1::Credential::default() }),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "TenantService/ListCredentials",
        roles: &[TenantAdmin, Auditor],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            let parent = target.tenant.clone();
            v1::ListCredentialsRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "TenantService/RevokeCredential",
        roles: &[TenantAdmin],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            let name = target.credential.clone();
            v1::RevokeCredentialRequest { name, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "TenantService/CreateModelProfile",
        roles: &[TenantAdmin],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::CreateModelProfileRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                model_profile: Some(v1::ModelProfile {
                    model: Some(v1::ModelVersion { id: target.unused_tenant.clone(), version: "1".to_owned() }),
                    dimension: 64,
                    thresholds: Some(v1::Thresholds { r#match: 0.5, review: 0.4 }),
                    ..v1::ModelProfile::default()
                }),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "TenantService/GetModelProfile",
        roles: PROFILE_READERS,
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::GetModelProfileRequest { name: target.profile.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "TenantService/ListModelProfiles",
        roles: PROFILE_READERS,
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            let parent = target.tenant.clone();
            v1::ListModelProfilesRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "TenantService/UpdateModelProfile",
        roles: &[TenantAdmin],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::UpdateModelProfileRequest {
                model_profile: Some(v1::ModelProfile {
                    name: target.profile.clone(),
                    miss_probability: Some(1e-5),
                    ..v1::ModelProfile::default()
                }),
                purpose: purpose.into(),
                request_id: String::new(),
                update_mask: Some(prost_types::FieldMask { paths: vec!["miss_probability".to_owned()] }),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "TenantService/Offboard",
        roles: &[TenantAdmin],
        operator: true,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::OffboardTenantRequest {
                name: target.tenant.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                handover: Some(v1::offboard_tenant_request::Handover::WaiveHandover(true)),
                transfer: None,
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "TenantService/ExportSilo",
        roles: &[TenantAdmin],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::ExportSiloRequest { name: target.proposal.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "TenantService/ConfirmHandover",
        roles: &[TenantAdmin],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            let (name, archive_sha256) = (target.proposal.clone(), target.content.clone());
            let request_id = String::new();
            v1::ConfirmHandoverRequest { name, purpose: purpose.into(), request_id, archive_sha256 }.encode_to_vec()
        },
    },
    Row {
        method: "TenantService/Shred",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::ShredTenantRequest {
                name: target.spare_tenant.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                no_wait: true,
                proposal: target.agreed.clone(),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "TenantService/RotateKeys",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::RotateKeysRequest {
                name: target.tenant.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                no_wait: true,
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "EnrollmentService/Enroll",
        roles: &[Enroller],
        operator: false,
        purposes: ENROLLING,
        request: |target, purpose| {
            v1::EnrollRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                subject_id: target.subject_id.clone(),
                template: Some(capture(&target.face)),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "EnrollmentService/BatchEnroll",
        roles: &[Enroller],
        operator: false,
        purposes: ENROLLING,
        request: |target, purpose| {
            v1::BatchEnrollRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                subject_id: target.subject_id.clone(),
                template: Some(capture(&target.face)),
                ..v1::BatchEnrollRequest::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "EnrollmentService/ReplaceTemplate",
        roles: &[Enroller, PrivacyOfficer],
        operator: false,
        purposes: RECTIFYING,
        request: |target, purpose| {
            v1::ReplaceTemplateRequest {
                name: target.template.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                template: Some(capture(&target.face)),
                no_wait: true,
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "EnrollmentService/DeleteTemplate",
        roles: &[Enroller, PrivacyOfficer],
        operator: false,
        purposes: RECTIFYING,
        request: |target, purpose| {
            v1::DeleteTemplateRequest {
                name: target.template.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                no_wait: true,
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "EnrollmentService/ListTemplates",
        roles: &[Enroller, FraudAnalyst, PrivacyOfficer],
        operator: false,
        purposes: LOOKING,
        request: |target, purpose| {
            let parent = target.subject.clone();
            v1::ListTemplatesRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "AuthenticationService/Verify",
        roles: &[Authenticator, FraudAnalyst],
        operator: false,
        purposes: COMPARING,
        request: |target, purpose| {
            v1::VerifyRequest {
                name: target.subject.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                probe: Some(capture(&target.face)),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "IdentificationService/Search",
        roles: &[FraudAnalyst],
        operator: false,
        purposes: &[DuplicateDetection, FraudPrevention],
        request: |target, purpose| {
            v1::SearchRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                probe: Some(capture(&target.face)),
                ..v1::SearchRequest::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "IdentificationService/SweepDuplicates",
        roles: &[FraudAnalyst],
        operator: false,
        purposes: &[DuplicateDetection, FraudPrevention],
        request: |target, purpose| {
            v1::SweepDuplicatesRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                model: capture(&target.face).model,
                ..v1::SweepDuplicatesRequest::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "SubjectService/Get",
        roles: &[PrivacyOfficer, Enroller, FraudAnalyst, Reviewer],
        operator: false,
        purposes: LOOKING,
        request: |target, purpose| {
            v1::GetSubjectRequest { name: target.subject.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "SubjectService/Update",
        roles: &[Enroller, PrivacyOfficer],
        operator: false,
        purposes: RECORDING,
        request: |target, purpose| {
            let subject = v1::Subject {
                name: target.subject.clone(),
                age_band: v1::AgeBand::Adult.into(),
                ..v1::Subject::default()
            };
            v1::UpdateSubjectRequest { subject: Some(subject), purpose: purpose.into(), ..Default::default() }
                .encode_to_vec()
        },
    },
    Row {
        method: "SubjectService/Restrict",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: EXERCISING,
        request: |target, purpose| {
            let ground = v1::RestrictionGround::Other.into();
            let name = target.subject.clone();
            v1::RestrictSubjectRequest { name, purpose: purpose.into(), request_id: String::new(), ground }
                .encode_to_vec()
        },
    },
    Row {
        method: "SubjectService/LiftRestriction",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: EXERCISING,
        request: |target, purpose| {
            let name = target.subject.clone();
            v1::LiftRestrictionRequest { name, purpose: purpose.into(), request_id: String::new() }.encode_to_vec()
        },
    },
    Row {
        method: "SubjectService/Object",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            let (name, for_purpose) = (target.subject.clone(), FraudPrevention.into());
            v1::ObjectSubjectRequest { name, purpose: purpose.into(), request_id: String::new(), for_purpose }
                .encode_to_vec()
        },
    },
    Row {
        method: "SubjectService/LiftObjection",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            v1::LiftObjectionRequest {
                name: target.subject.clone(),
                purpose: purpose.into(),
                for_purpose: FraudPrevention.into(),
                ..Default::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "SubjectService/Erase",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            v1::EraseSubjectRequest {
                name: target.subject.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                no_wait: true,
                deferral: None,
                fulfils_request: String::new(),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "SubjectService/PreviewErasures",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: RECORDING,
        request: |target, purpose| {
            let (parent, until_time) = (target.tenant.clone(), Some(now()));
            v1::PreviewErasuresRequest { parent, purpose: purpose.into(), until_time, ..Default::default() }
                .encode_to_vec()
        },
    },
    Row {
        method: "SubjectService/Export",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            let (name, recipient) = (target.subject.clone(), target.recipient.clone());
            v1::ExportSubjectRequest { name, purpose: purpose.into(), recipient, transfer: None }.encode_to_vec()
        },
    },
    Row {
        method: "ConsentService/Record",
        roles: &[Enroller, PrivacyOfficer],
        operator: false,
        purposes: RECORDING,
        request: |target, purpose| {
            let consent = v1::Consent {
                for_purpose: Authentication.into(),
                notice_version: "notice-1".to_owned(),
                notice_sha256: vec![1; 32],
                manner: v1::ConsentManner::Written.into(),
                giver: v1::ConsentGiver::Subject.into(),
                give_time: Some(now()),
                ..v1::Consent::default()
            };
            v1::RecordConsentRequest {
                parent: target.subject.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                consent: Some(consent),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "ConsentService/Withdraw",
        roles: &[Enroller, PrivacyOfficer],
        operator: false,
        purposes: RECORDING,
        request: |target, purpose| {
            v1::WithdrawConsentRequest {
                name: target.consent.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                no_wait: true,
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "ConsentService/List",
        roles: &[Enroller, PrivacyOfficer],
        operator: false,
        purposes: EXERCISING,
        request: |target, purpose| {
            v1::ListConsentsRequest { parent: target.subject.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "ConsentService/Export",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: EXERCISING,
        request: |target, purpose| {
            v1::ExportConsentsRequest { parent: target.subject.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "ConsentService/GetEvidence",
        roles: &[PrivacyOfficer, Auditor],
        operator: false,
        purposes: &[Audit, LegalClaims],
        request: |target, purpose| {
            let consent = target.consent.rsplit('/').next().unwrap();
            let name = format!("{}/evidence/{consent}", target.tenant);
            v1::GetConsentEvidenceRequest { name, purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "RequestService/Open",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            v1::OpenRightsRequestRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                request: Some(v1::RightsRequest {
                    kind: v1::RightsRequestKind::Access.into(),
                    requester: v1::Requester::Subject.into(),
                    ..v1::RightsRequest::default()
                }),
                subject: target.subject.clone(),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "RequestService/Extend",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            v1::ExtendRightsRequestRequest {
                name: target.request.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                reason: v1::ExtensionReason::Complexity.into(),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "RequestService/Close",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            v1::CloseRightsRequestRequest {
                name: target.request.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                outcome: v1::RightsRequestOutcome::Refused.into(),
                refusal_reason: v1::RightsRefusalReason::Repetitive.into(),
                verification: 0,
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "RequestService/Get",
        roles: &[PrivacyOfficer, Auditor],
        operator: false,
        purposes: &[DataSubjectRequest, Audit],
        request: |target, purpose| {
            v1::GetRightsRequestRequest { name: target.request.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "RequestService/List",
        roles: &[PrivacyOfficer, Auditor],
        operator: false,
        purposes: &[DataSubjectRequest, Audit],
        request: |target, purpose| {
            let parent = target.tenant.clone();
            v1::ListRightsRequestsRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "RequestService/GetStatistics",
        roles: &[PrivacyOfficer, Auditor],
        operator: false,
        purposes: &[DataSubjectRequest, Audit],
        request: |target, purpose| {
            let name = target.tenant.clone();
            v1::GetRequestStatisticsRequest { name, purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "NotificationService/Get",
        roles: &[PrivacyOfficer, Auditor],
        operator: false,
        purposes: &[DataSubjectRequest, Audit],
        request: |target, purpose| {
            v1::GetNotificationRequest { name: target.notification.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "NotificationService/List",
        roles: &[PrivacyOfficer, Auditor],
        operator: false,
        purposes: &[DataSubjectRequest, Audit],
        request: |target, purpose| {
            let parent = target.tenant.clone();
            v1::ListNotificationsRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "NotificationService/Close",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            v1::CloseNotificationRequest {
                name: target.notification.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                outcome: v1::NotificationOutcome::Told.into(),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "HoldService/Place",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[LegalClaims],
        request: |target, purpose| {
            let review = prost_types::Timestamp { seconds: now().seconds + 86_400, nanos: 0 };
            v1::PlaceHoldRequest {
                parent: target.subject.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                hold: Some(v1::Hold {
                    case_reference: "case-1".to_owned(),
                    review_time: Some(review),
                    ..v1::Hold::default()
                }),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "HoldService/Renew",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[LegalClaims],
        request: |target, purpose| {
            v1::RenewHoldRequest {
                name: target.hold.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                review_time: Some(prost_types::Timestamp { seconds: now().seconds + 86_400, nanos: 0 }),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "HoldService/Release",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[LegalClaims],
        request: |target, purpose| {
            let name = target.hold.clone();
            v1::ReleaseHoldRequest { name, purpose: purpose.into(), request_id: String::new() }.encode_to_vec()
        },
    },
    Row {
        method: "HoldService/List",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: EXERCISING,
        request: |target, purpose| {
            let parent = target.tenant.clone();
            v1::ListHoldsRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "DisclosureService/Propose",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: EXERCISING,
        request: |target, purpose| {
            v1::ProposeDisclosureRequest {
                parent: target.subject.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                disclosure: Some(v1::Disclosure {
                    recipient: "court".to_owned(),
                    ground: Some(v1::disclosure::Ground::LegalOrderReference("order-1".to_owned())),
                    scope: vec![v1::DisclosureScope::Existence.into()],
                    transfer: Some(lethe_tests::guarded("DE")),
                    ..v1::Disclosure::default()
                }),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "DisclosureService/List",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: EXERCISING,
        request: |target, purpose| {
            let parent = target.subject.clone();
            v1::ListDisclosuresRequest { parent, purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "ApprovalService/Get",
        roles: &[TenantAdmin, PrivacyOfficer, Auditor],
        operator: true,
        purposes: DECIDING,
        request: |target, purpose| {
            v1::GetProposalRequest { name: target.proposal.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "ApprovalService/List",
        roles: &[TenantAdmin, PrivacyOfficer, Auditor],
        operator: true,
        purposes: DECIDING,
        request: |target, purpose| {
            let parent = target.tenant.clone();
            v1::ListProposalsRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "ApprovalService/Approve",
        roles: &[TenantAdmin, PrivacyOfficer, Auditor],
        operator: true,
        purposes: DECIDING,
        request: |target, purpose| {
            let (name, content_sha256) = (target.proposal.clone(), target.content.clone());
            let request_id = String::new();
            v1::ApproveProposalRequest { name, purpose: purpose.into(), request_id, content_sha256 }.encode_to_vec()
        },
    },
    Row {
        method: "ApprovalService/Reject",
        roles: &[TenantAdmin, PrivacyOfficer, Auditor],
        operator: true,
        purposes: DECIDING,
        request: |target, purpose| {
            let name = target.proposal.clone();
            v1::RejectProposalRequest { name, purpose: purpose.into(), request_id: String::new() }.encode_to_vec()
        },
    },
    Row {
        method: "AuditService/GetReceipt",
        roles: &[PrivacyOfficer, Auditor],
        operator: false,
        purposes: AUDITING,
        request: |target, purpose| {
            v1::GetReceiptRequest { name: target.receipt.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "AuditService/GetCheckpoint",
        roles: &[Auditor, PrivacyOfficer],
        operator: true,
        purposes: AUDITING,
        request: |target, purpose| {
            v1::GetCheckpointRequest { log: target.log.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "AuditService/ProposeKeyRotation",
        roles: &[TenantAdmin, PrivacyOfficer],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            let (log, request_id) = (target.log.clone(), request_id());
            v1::ProposeKeyRotationRequest { log, purpose: purpose.into(), request_id }.encode_to_vec()
        },
    },
    Row {
        method: "AuditService/ListKeySuccessions",
        roles: &[Auditor, PrivacyOfficer],
        operator: true,
        purposes: AUDITING,
        request: |target, purpose| {
            let log = target.log.clone();
            v1::ListKeySuccessionsRequest { log, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "AuditService/GetInclusionProof",
        roles: &[Auditor, PrivacyOfficer],
        operator: true,
        purposes: AUDITING,
        request: |target, purpose| {
            let log = target.log.clone();
            v1::GetInclusionProofRequest { log, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "AuditService/GetConsistencyProof",
        roles: &[Auditor, PrivacyOfficer],
        operator: true,
        purposes: AUDITING,
        request: |target, purpose| {
            let log = target.log.clone();
            v1::GetConsistencyProofRequest { log, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "AuditService/ListEntries",
        roles: &[Auditor, PrivacyOfficer],
        operator: false,
        purposes: AUDITING,
        request: |target, purpose| {
            let log = target.log.clone();
            v1::ListEntriesRequest { log, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "AuditService/Watch",
        roles: &[Auditor, PrivacyOfficer],
        operator: false,
        purposes: AUDITING,
        request: |target, purpose| {
            let log = target.log.clone();
            v1::WatchRequest { log, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "AuditService/ReportBreach",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: AUDITING,
        request: |target, purpose| {
            v1::ReportBreachRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                start_time: Some(prost_types::Timestamp { seconds: now().seconds - 60, nanos: 0 }),
                end_time: Some(now()),
                reason: v1::BreachReason::Exercise.into(),
                ..Default::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "AuditService/Usage",
        roles: &[TenantAdmin, Auditor],
        operator: false,
        purposes: &[Administration, Audit],
        request: |target, purpose| {
            v1::UsageRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                start_time: Some(prost_types::Timestamp { seconds: now().seconds - 60, nanos: 0 }),
                end_time: Some(now()),
                period: 0,
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "BackupService/CreateBackup",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| v1::CreateBackupRequest { purpose: purpose.into(), ..Default::default() }.encode_to_vec(),
    },
    Row {
        method: "BackupService/ListBackups",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| v1::ListBackupsRequest { purpose: purpose.into(), ..Default::default() }.encode_to_vec(),
    },
    Row {
        method: "BackupService/GetBackup",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::GetBackupRequest { name: target.backup.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "BackupService/VerifyBackup",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |target, purpose| {
            let name = target.backup.clone();
            v1::VerifyBackupRequest { name, purpose: purpose.into(), no_wait: false }.encode_to_vec()
        },
    },
    Row {
        method: "BackupService/PruneBackups",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| {
            v1::PruneBackupsRequest { purpose: purpose.into(), keep: 1000, ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "BackupService/ListMirrors",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| v1::ListMirrorsRequest { purpose: purpose.into(), ..Default::default() }.encode_to_vec(),
    },
    Row {
        method: "RootService/GetRootStatus",
        roles: &[],
        operator: true,
        purposes: &[Administration],
        request: |_, purpose| {
            let name = "vault/rootStatus".to_owned();
            v1::GetRootStatusRequest { name, purpose: purpose.into() }.encode_to_vec()
        },
    },
];

impl Row {
    /// The method's path on the wire.
    pub(crate) fn path(&self) -> String {
        format!("/lethe.v1.{}", self.method)
    }

    /// Whether it answers with a stream, or is asked by one.
    pub(crate) fn streams(&self) -> bool {
        let path = format!("lethe.v1.{}", self.method);
        lethe_proto::methods().iter().any(|it| it.streaming && path == format!("{}/{}", it.service, it.method))
    }

    /// Whether the method is the vault's, not a tenant's.
    pub(crate) fn is_the_vaults(&self) -> bool {
        self.roles.is_empty()
    }

    /// A purpose that it may serve.
    pub(crate) fn purpose(&self) -> Purpose {
        self.purposes[0]
    }
}
