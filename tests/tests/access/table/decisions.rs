//! What two persons decide.

use lethe_proto::v1::{self, Purpose, Role};
use lethe_tests::request_id;
use prost::Message as _;

use super::{EXERCISING, Row};

use Purpose::{Administration, DataSubjectRequest};
use Role::{Auditor, PrivacyOfficer, TenantAdmin};

const DECIDING: &[Purpose] = &[Administration, DataSubjectRequest];

pub(super) const ROWS: &[Row] = &[
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
];
