//! Signing keys of capture and document services, and what a tenant asks of attestations.

use std::sync::Arc;
use std::time::Duration;

use lethe_attestation::VerifyingKey;
use lethe_domain::{AttestationPolicy, CaptureUse, Invalid, PadLevel, Reason, TenantId};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::signing_key_service_server::SigningKeyService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::{Node, names, page};
use crate::attestation;
use crate::error::{Error, Result};
use crate::silo::SigningKey;

#[async_trait]
impl SigningKeyService for Node {
    async fn create_signing_key(
        &self,
        request: Request<v1::CreateSigningKeyRequest>,
    ) -> Result<Response<v1::SigningKey>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::CreateSigningKey>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let key = key(&message.signing_key.unwrap_or_default().jwk)?;
        let vault = Arc::clone(self.vault()?);
        let created = to_the_end(async move {
            let call = call;
            attestation::create_key(&vault, call.witness, key).await
        })
        .await?;
        Ok(Response::new(to_key(&tenant, &created)))
    }

    async fn list_signing_keys(
        &self,
        request: Request<v1::ListSigningKeysRequest>,
    ) -> Result<Response<v1::ListSigningKeysResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::ListSigningKeys>(&principal, &tenant, message.purpose).await?;
        let pages = self.pages(&call, &message.parent)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let (page, next) = attestation::list_keys(self.vault()?, call.witness, from, size).await?;
        Ok(Response::new(v1::ListSigningKeysResponse {
            signing_keys: page.iter().map(|key| to_key(&tenant, key)).collect(),
            next_page_token: pages.token(next),
        }))
    }

    async fn revoke_signing_key(
        &self,
        request: Request<v1::RevokeSigningKeyRequest>,
    ) -> Result<Response<v1::SigningKey>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::signing_key("name", &message.name)?;
        let call = self.admit::<op::RevokeSigningKey>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let revoked = to_the_end(async move {
            let call = call;
            attestation::revoke_key(&vault, call.witness, id).await
        })
        .await?;
        Ok(Response::new(to_key(&tenant, &revoked)))
    }
}

/// Reads a public key.
fn key(jwk: &str) -> Result<VerifyingKey> {
    const FIELD: &str = "signing_key.jwk";
    if jwk.is_empty() {
        return Err(Invalid::new(FIELD, Reason::FieldMissing, "is missing").into());
    }
    let refuse = |fault: lethe_attestation::KeyFault| Invalid::new(FIELD, Reason::FieldOutOfRange, fault.to_string());
    VerifyingKey::from_jwk(jwk).map_err(|fault| Error::from(refuse(fault)))
}

fn to_key(tenant: &TenantId, key: &SigningKey) -> v1::SigningKey {
    let state = match key.revoked_at {
        Some(_) => v1::SigningKeyState::Revoked,
        None => v1::SigningKeyState::Active,
    };
    v1::SigningKey {
        name: format!("tenants/{tenant}/signingKeys/{}", key.key.id()),
        jwk: key.key.to_jwk(),
        create_time: Some(to_timestamp(key.created_at)),
        revoke_time: key.revoked_at.map(to_timestamp),
        state: state.into(),
    }
}

/// Reads what a tenant asks of attestations.
pub(super) fn read(field: &str, said: &v1::AttestationPolicy) -> Result<AttestationPolicy> {
    let refuse = |part: String, message: &str| {
        Invalid::new(format!("{field}.{part}"), Reason::FieldOutOfRange, message.to_owned())
    };
    let mut exempt = Vec::with_capacity(said.exempt.len());
    for (at, number) in said.exempt.iter().enumerate() {
        let usage = u8::try_from(*number).ok().and_then(CaptureUse::from_number);
        let usage = usage.ok_or_else(|| refuse(format!("exempt[{at}]"), "is no use of a capture"))?;
        if exempt.contains(&usage) {
            return Err(refuse(format!("exempt[{at}]"), "is exempt twice").into());
        }
        exempt.push(usage);
    }
    let least_level = match said.least_level {
        0 => Some(PadLevel::Level1),
        number => u8::try_from(number).ok().and_then(PadLevel::from_number),
    };
    let max_age = match &said.max_age {
        None => Some(AttestationPolicy::DEFAULT),
        Some(age) => Duration::try_from(*age).ok(),
    };
    Ok(AttestationPolicy {
        exempt,
        least_level: least_level.ok_or_else(|| refuse("least_level".to_owned(), "is no level"))?,
        max_age: max_age.ok_or_else(|| refuse("max_age".to_owned(), "is no time from 1 s to 24 h"))?,
    })
}

pub(super) fn tell(said: &AttestationPolicy) -> v1::AttestationPolicy {
    v1::AttestationPolicy {
        exempt: said.exempt.iter().map(|usage| i32::from(usage.number())).collect(),
        least_level: said.least_level.number().into(),
        max_age: prost_types::Duration::try_from(said.max_age).ok(),
    }
}
