//! Public keys of capture and document services.

use lethe_proto::v1::{self, Purpose, Role};
use prost::Message as _;

use super::Row;

use Purpose::Administration;
use Role::{Auditor, PrivacyOfficer, TenantAdmin};

pub(super) const ROWS: &[Row] = &[
    Row {
        method: "SigningKeyService/CreateSigningKey",
        roles: &[TenantAdmin],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            v1::CreateSigningKeyRequest {
                parent: target.tenant.clone(),
                purpose: purpose.into(),
                request_id: String::new(),
                signing_key: Some(v1::SigningKey { jwk: target.jwk.clone(), ..v1::SigningKey::default() }),
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "SigningKeyService/ListSigningKeys",
        roles: &[TenantAdmin, PrivacyOfficer, Auditor],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            let parent = target.tenant.clone();
            v1::ListSigningKeysRequest { parent, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "SigningKeyService/RevokeSigningKey",
        roles: &[TenantAdmin],
        operator: false,
        purposes: &[Administration],
        request: |target, purpose| {
            let name = target.signing_key.clone();
            v1::RevokeSigningKeyRequest { name, purpose: purpose.into(), ..Default::default() }.encode_to_vec()
        },
    },
];
