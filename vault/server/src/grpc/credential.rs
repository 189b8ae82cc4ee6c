//! Credentials of tenants and of the vault: which operation a request asks for follows from whose they are.

use std::sync::Arc;

use lethe_domain::{CredentialId, Invalid, Login, Reason, Role, Roles, Timestamp};
use lethe_policy::{Owner, operation as op};
use lethe_proto::v1;
use tonic::{Request, Status};

use super::call::{Admitted, to_the_end};
use super::convert::{self, to_timestamp};
use super::{Node, names, page};
use crate::access::Proof;
use crate::error::Result;
use crate::silo::Credential;
use crate::tenant::{self, Asked, Issued, Lists, Makes, Revokes};

/// What a new credential is to be.
struct Wanted {
    parent: String,
    asked: Asked,
    request_id: String,
}

impl Node {
    pub(super) async fn make_credential(
        &self,
        request: Request<v1::CreateCredentialRequest>,
    ) -> Result<v1::IssuedCredential, Status> {
        let principal = self.principal(&request)?;
        let v1::CreateCredentialRequest { parent, purpose, request_id, credential } = request.into_inner();
        let owner = names::tenant_or_vault("parent", &parent)?;
        let given = credential.unwrap_or_default();
        let wanted = |roles| {
            let login = login("credential.login", given.login)?;
            let asked = Asked { roles, expires: expiry(given.expire_time)?, login };
            Ok::<_, Status>(Wanted { parent, asked, request_id })
        };
        let of_tenant = |given: &[i32]| convert::roles("credential.roles", given);
        match owner {
            None => {
                let call = self.admit_to_vault::<op::CreateOperator>(&principal, purpose).await?;
                self.issue(call, wanted(operators(&given.roles)?)?).await
            }
            Some(id) if principal.owner == Owner::Vault && given.roles == [v1::Role::TenantAdmin as i32] => {
                let call = self.admit::<op::AppointAdministrator>(&principal, &id, purpose).await?;
                self.issue(call, wanted(of_tenant(&given.roles)?)?).await
            }
            Some(id) => {
                let call = self.admit::<op::CreateCredential>(&principal, &id, purpose).await?;
                self.issue(call, wanted(of_tenant(&given.roles)?)?).await
            }
        }
    }

    async fn issue<O: Makes>(&self, call: Admitted<O>, wanted: Wanted) -> Result<v1::IssuedCredential, Status> {
        let request = convert::required_request_id(&wanted.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let issued = to_the_end(async move {
            let call = call;
            tenant::create_credential(&vault, call.witness, wanted.asked, Some(request)).await
        })
        .await?;
        Ok(to_issued(&wanted.parent, issued))
    }

    pub(super) async fn page_of_credentials(
        &self,
        request: Request<v1::ListCredentialsRequest>,
    ) -> Result<v1::ListCredentialsResponse, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        match names::tenant_or_vault("parent", &message.parent)? {
            None => {
                let call = self.admit_to_vault::<op::ListOperators>(&principal, message.purpose).await?;
                self.list(call, message).await
            }
            Some(id) => {
                let call = self.admit::<op::ListCredentials>(&principal, &id, message.purpose).await?;
                self.list(call, message).await
            }
        }
    }

    async fn list<O: Lists>(
        &self,
        call: Admitted<O>,
        message: v1::ListCredentialsRequest,
    ) -> Result<v1::ListCredentialsResponse, Status> {
        let pages = self.pages(&call, &message.parent)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let (page, next) = tenant::list_credentials(self.vault()?, call.witness, from, size).await?;
        Ok(v1::ListCredentialsResponse {
            credentials: page.iter().map(|credential| to_credential(&message.parent, credential)).collect(),
            next_page_token: pages.token(next),
        })
    }

    pub(super) async fn end_credential(
        &self,
        request: Request<v1::RevokeCredentialRequest>,
    ) -> Result<v1::Credential, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (owner, id) = names::credential("name", &message.name)?;
        match owner {
            None => {
                let call = self.admit_to_vault::<op::RevokeOperator>(&principal, message.purpose).await?;
                self.revoke(call, "vault".to_owned(), id, &message.request_id).await
            }
            Some(tenant) => {
                let call = self.admit::<op::RevokeCredential>(&principal, &tenant, message.purpose).await?;
                self.revoke(call, format!("tenants/{tenant}"), id, &message.request_id).await
            }
        }
    }

    async fn revoke<O: Revokes>(
        &self,
        call: Admitted<O>,
        parent: String,
        id: CredentialId,
        request_id: &str,
    ) -> Result<v1::Credential, Status> {
        // Revoking is the same however often it is asked for; the id is checked all the same.
        convert::request_id(request_id)?;
        let vault = Arc::clone(self.vault()?);
        let revoked = to_the_end(async move {
            let call = call;
            tenant::revoke_credential(&vault, call.witness, id).await
        })
        .await?;
        Ok(to_credential(&parent, &revoked))
    }
}

/// The roles of a credential of the vault's own.
fn operators(given: &[i32]) -> Result<Roles> {
    let refuse = |reason, message: &str| Err(Invalid::new("credential.roles", reason, message.to_owned()).into());
    match given {
        [] => refuse(Reason::FieldMissing, "the role operator is needed"),
        [role] if *role == v1::Role::Operator as i32 => Ok(Roles::only(Role::Operator)),
        _ => refuse(Reason::FieldOutOfRange, "the vault's credentials have the role operator, and no other"),
    }
}

/// The login that is to show a credential, if one is.
pub(super) fn login(field: &str, given: Option<v1::Login>) -> Result<Option<Login>> {
    let Some(v1::Login { issuer, subject }) = given else { return Ok(None) };
    Ok(Some(Login::parse(field, &issuer, &subject)?))
}

fn expiry(time: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>> {
    let Some(time) = time else { return Ok(None) };
    let expires = convert::timestamp("credential.expire_time", time)?;
    if expires <= Timestamp::now() {
        let refusal = Invalid::new("credential.expire_time", Reason::FieldOutOfRange, "lies in the past");
        return Err(refusal.into());
    }
    Ok(Some(expires))
}

pub(super) fn to_issued(parent: &str, issued: Issued) -> v1::IssuedCredential {
    let api_key = issued.api_key.as_ref().map(|key| key.reveal().to_string());
    v1::IssuedCredential {
        credential: Some(to_credential(parent, &issued.credential)),
        already_shown: api_key.is_none() && matches!(issued.credential.proof, Proof::Key(_)),
        api_key: api_key.unwrap_or_default(),
    }
}

fn to_credential(parent: &str, credential: &Credential) -> v1::Credential {
    let principal = &credential.principal;
    let expired = principal.expires.is_some_and(|end| end <= Timestamp::now());
    let state = match (credential.revoked_at, expired) {
        (Some(_), _) => v1::CredentialState::Revoked,
        (None, true) => v1::CredentialState::Expired,
        (None, false) => v1::CredentialState::Active,
    };
    v1::Credential {
        name: format!("{parent}/credentials/{}", principal.credential),
        roles: convert::to_roles(principal.roles),
        expire_time: principal.expires.map(to_timestamp),
        create_time: Some(to_timestamp(credential.created_at)),
        revoke_time: credential.revoked_at.map(to_timestamp),
        state: state.into(),
        login: credential
            .proof
            .login()
            .map(|login| v1::Login { issuer: login.issuer().to_owned(), subject: login.subject().to_owned() }),
    }
}
