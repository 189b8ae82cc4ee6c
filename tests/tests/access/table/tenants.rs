//! Tenants, their credentials and models.

use lethe_proto::v1::{self, Purpose, Role};
use lethe_tests::{basis, request_id};
use prost::Message as _;

use super::Row;

use Purpose::{Administration, Authentication};
use Role::{Auditor, Authenticator, Enroller, FraudAnalyst, PrivacyOfficer, TenantAdmin};

const PROFILE_READERS: &[Role] = &[TenantAdmin, Enroller, Authenticator, FraudAnalyst, PrivacyOfficer, Auditor];

pub(super) const ROWS: &[Row] = &[
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
];
