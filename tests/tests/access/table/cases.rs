//! The review queue.

use lethe_proto::v1::{self, Purpose, Role};
use lethe_tests::request_id;
use prost::Message as _;

use super::{LOOKING, Row};

use Purpose::{Authentication, DataSubjectRequest, DocumentCheck, DuplicateDetection, FraudPrevention};
use Role::{FraudAnalyst, PrivacyOfficer, Reviewer};

pub(super) const ROWS: &[Row] = &[
    Row {
        method: "CaseService/CreatePair",
        roles: &[FraudAnalyst],
        operator: false,
        purposes: &[DuplicateDetection, FraudPrevention],
        request: |target, purpose| {
            v1::CreatePairCaseRequest {
                parent: target.subject.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                other_subject: target.other.clone(),
                model: Some(v1::ModelVersion { id: "face".to_owned(), version: "1".to_owned() }),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "CaseService/CreateContested",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            v1::CreateContestedCaseRequest {
                parent: target.subject.clone(),
                purpose: purpose.into(),
                request_id: request_id(),
                request: String::new(),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "CaseService/Get",
        roles: &[Reviewer, FraudAnalyst, PrivacyOfficer],
        operator: false,
        purposes: LOOKING,
        request: |target, purpose| {
            v1::GetCaseRequest { name: target.case.clone(), purpose: purpose.into() }.encode_to_vec()
        },
    },
    Row {
        method: "CaseService/List",
        roles: &[Reviewer, FraudAnalyst, PrivacyOfficer],
        operator: false,
        purposes: LOOKING,
        request: |target, purpose| {
            let parent = target.tenant.clone();
            v1::ListCasesRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "CaseService/Decide",
        roles: &[Reviewer],
        operator: false,
        purposes: &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest],
        request: |target, purpose| {
            v1::DecideCaseRequest {
                name: target.case.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                step: v1::CaseStep::Distinct.into(),
                reason: v1::CaseReason::PersonHeard.into(),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "CaseService/Contest",
        roles: &[PrivacyOfficer],
        operator: false,
        purposes: &[DataSubjectRequest],
        request: |target, purpose| {
            let name = target.case.clone();
            v1::ContestCaseRequest { name, purpose: purpose.into(), request_id: String::new() }.encode_to_vec()
        },
    },
];
