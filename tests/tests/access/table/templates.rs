//! Templates: stored, compared and searched.

use lethe_proto::v1::{self, Purpose, Role};
use lethe_tests::{capture, request_id};
use prost::Message as _;

use super::{LOOKING, Row};

use Purpose::{
    Authentication, DataSubjectRequest, DocumentCheck, DuplicateDetection, FraudPrevention, RequesterIdentification,
};
use Role::{Authenticator, Enroller, FraudAnalyst, PrivacyOfficer};

const ENROLLING: &[Purpose] = &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention];
const RECTIFYING: &[Purpose] =
    &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest];
const COMPARING: &[Purpose] = &[Authentication, DocumentCheck, FraudPrevention, RequesterIdentification];

pub(super) const ROWS: &[Row] = &[
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
];
