//! From a request to a witness: the credential, the resource it is aimed at, the gate.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use lethe_crypto::tree::TreeId;
use lethe_domain::{CredentialId, Reason, TenantId};
use lethe_policy::operation::Kind;
use lethe_policy::{Authorized, Principal};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tonic::{Request, Status};

use super::page::Pages;
use super::{Node, convert};
use crate::access::{ApiKey, Session};
use crate::error::Error;
use crate::vault::Aim;

/// When a call came to the edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival(pub(super) Instant);

/// A call that the gate let pass. While it lives it holds one of its tenant's places.
pub(super) struct Admitted<O> {
    pub(super) witness: Authorized<O>,
    pub(super) place: Option<OwnedSemaphorePermit>,
}

impl Node {
    /// Whose key or login a call carries, over a connection of whom a certificate says that it is this credential's person.
    pub(super) fn authenticate(&self, headers: &HeaderMap, certified: Option<CredentialId>) -> Result<Session, Status> {
        match Carried::of(headers)? {
            Carried::Key(key) => Ok(self.vault()?.authenticate(&key, certified)?.into()),
            Carried::Token(token) => Ok(self.vault()?.log_in(token, certified)?),
        }
    }

    /// Who sent a request, as the edge found out before the message came: by now the credential may be revoked, or the login
    /// over.
    pub(super) fn principal<T>(&self, request: &Request<T>) -> Result<Session, Status> {
        let known = request.extensions().get::<Session>().ok_or_else(missing_key)?;
        Ok(self.vault()?.still(known)?)
    }

    /// Until when a call waits for something that goes on to its end by itself: then an erasure is `PENDING`, and a backup
    /// `RUNNING`. However long the way here took, time is left to answer within the call's deadline.
    pub(super) fn patience<T>(&self, request: &Request<T>) -> Instant {
        let arrival = request.extensions().get::<Arrival>().map_or_else(Instant::now, |arrival| arrival.0);
        arrival + self.deadline * 4 / 5
    }

    /// Asks the gate for an operation on a tenant.
    pub(super) async fn admit<O: Kind>(
        &self,
        principal: &Principal,
        tenant: &TenantId,
        purpose: i32,
    ) -> Result<Admitted<O>, Status> {
        let vault = self.vault()?;
        let witness = vault.admit::<O>(principal, Aim::Tenant(tenant), convert::purpose(purpose)).await?;
        let place = vault.silos.find(tenant).map(|silo| silo.enter()).transpose()?;
        Ok(Admitted { witness, place })
    }

    /// Asks the gate for an operation on the vault itself.
    pub(super) async fn admit_to_vault<O: Kind>(
        &self,
        principal: &Principal,
        purpose: i32,
    ) -> Result<Admitted<O>, Status> {
        let witness = self.vault()?.admit::<O>(principal, Aim::Vault, convert::purpose(purpose)).await?;
        Ok(Admitted { witness, place: None })
    }

    /// The pages of the list that a call asked for, of `parent`.
    pub(super) fn pages<O: Kind>(&self, call: &Admitted<O>, parent: &str) -> Result<Pages, Status> {
        let vault = self.vault()?;
        let tree = match call.witness.tenant() {
            None => TreeId::VAULT,
            Some(_) => vault.silo(&call.witness)?.tree,
        };
        Ok(Pages::of(vault.keys.own(tree)?, call.witness.operation().rule().name, parent))
    }
}

/// Runs a change to its end, whether or not its caller stays: locks, leases and answers stay together when a
/// client hangs up or a deadline passes.
pub(super) async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Status> {
    Ok(tokio::spawn(change).await.map_err(|_| Error::TaskLost)??)
}

/// What a call says who it is by.
enum Carried<'a> {
    /// An API key.
    Key(ApiKey),
    /// A token of an identity provider, which nobody has looked into.
    Token(&'a str),
}

impl<'a> Carried<'a> {
    fn of(headers: &'a HeaderMap) -> Result<Self, Error> {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let header = all.next().ok_or_else(missing_key)?;
        let text = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).ok_or_else(missing_key)?;
        let malformed = || Error::Unauthenticated(Reason::CredentialInvalid, "the API key is unknown or revoked");
        // Two would be two callers.
        if all.next().is_some() {
            return Err(malformed());
        }
        // No key has a dot, and no token, whose parts are base64url between dots, is without one.
        if text.contains('.') {
            return Ok(Self::Token(text));
        }
        ApiKey::parse(text).map(Self::Key).ok_or_else(malformed)
    }
}

fn missing_key() -> Error {
    let message = "send `authorization: Bearer <API key>`, or a token of an identity provider in its place";
    Error::Unauthenticated(Reason::CredentialMissing, message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_call_waits_from_its_arrival_however_long_the_way_took() {
        let node = Node::new(1, Duration::from_secs(10), None);
        let mut request = Request::new(());
        let arrival = Instant::now() + Duration::from_secs(60);
        request.extensions_mut().insert(Arrival(arrival));
        assert_eq!(node.patience(&request), arrival + Duration::from_secs(8));
    }
}
