//! Subjects and their consents.

use lethe_proto::v1::{self, Purpose, Role};
use lethe_tests::{now, request_id};
use prost::Message as _;

use super::{EXERCISING, LOOKING, Row};

use Purpose::{Administration, Audit, Authentication, DataSubjectRequest, FraudPrevention, LegalClaims};
use Role::{Auditor, Enroller, FraudAnalyst, PrivacyOfficer, Reviewer};

const RECORDING: &[Purpose] = &[Administration, DataSubjectRequest];

pub(super) const ROWS: &[Row] = &[
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
            v1::ExportSubjectRequest {
                name,
                purpose: purpose.into(),
                recipient,
                transfer: None,
                receiver: String::new(),
            }
            .encode_to_vec()
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
];
