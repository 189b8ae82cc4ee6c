//! Receipts and logs.

use lethe_proto::v1::{self, Purpose, Role};
use lethe_tests::{now, request_id};
use prost::Message as _;

use super::Row;

use Purpose::{Administration, Audit, DataSubjectRequest, LegalClaims};
use Role::{Auditor, PrivacyOfficer, TenantAdmin};

const AUDITING: &[Purpose] = &[Audit, DataSubjectRequest, LegalClaims];

pub(super) const ROWS: &[Row] = &[
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
];
