//! Requests of subjects, and holds.

use lethe_proto::v1::{self, Purpose, Role};
use lethe_tests::{now, request_id};
use prost::Message as _;

use super::{EXERCISING, Row};

use Purpose::{Audit, DataSubjectRequest, LegalClaims};
use Role::{Auditor, PrivacyOfficer};

pub(super) const ROWS: &[Row] = &[
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
];
