use lethe_crypto::tree::TreeId;
use lethe_domain::{CredentialId, Reason, RequestId, Role, Roles, Timestamp};
use lethe_policy::operation::{
    AppointAdministrator, CreateCredential, CreateOperator, Kind, ListCredentials, ListOperators, RevokeCredential,
    RevokeOperator,
};
use lethe_policy::{Authorized, Operation};
use tokio::sync::MutexGuard;

use crate::access::ApiKey;
use crate::audit;
use crate::error::{Error, Result};
use crate::idempotency::{Fingerprint, recall, remember, request_tag};
use crate::keyring::Keyring;
use crate::records::{CredentialRecord, CredentialRef, encode};
use crate::silo::{Credential, SiloRef};
use crate::store::{Change, Key};
use crate::vault::Vault;

/// The event of a credential's creation.
const CREATED: &str = "CREDENTIAL_CREATED";

/// A credential that was created.
pub struct Issued {
    /// The credential.
    pub credential: Credential,
    /// Its key, shown this once; `None` for a repeated request, whose key was shown before.
    pub api_key: Option<ApiKey>,
}

/// An operation that makes a credential.
pub trait Makes: Kind {}
impl Makes for CreateCredential {}
impl Makes for AppointAdministrator {}
impl Makes for CreateOperator {}

/// An operation that lists credentials.
pub trait Lists: Kind {}
impl Lists for ListCredentials {}
impl Lists for ListOperators {}

/// An operation that revokes a credential.
pub trait Revokes: Kind {}
impl Revokes for RevokeCredential {}
impl Revokes for RevokeOperator {}

/// Whose credentials a call is about: a tenant's, or the vault's own.
struct Owner<'a> {
    vault: &'a Vault,
    silo: Option<SiloRef>,
}

impl<'a> Owner<'a> {
    fn of<O: Kind>(vault: &'a Vault, call: &Authorized<O>) -> Result<Self> {
        let silo = call.tenant().map(|_| vault.silo(call)).transpose()?;
        Ok(Self { vault, silo })
    }

    fn tree(&self) -> TreeId {
        self.silo.as_ref().map_or(TreeId::VAULT, |silo| silo.tree)
    }

    async fn lock(&self) -> MutexGuard<'_, ()> {
        match &self.silo {
            Some(silo) => silo.lock_administration().await,
            None => self.vault.administration.lock().await,
        }
    }

    /// Who makes the others.
    fn administrator(&self) -> Role {
        if self.silo.is_some() { Role::TenantAdmin } else { Role::Operator }
    }

    /// Whether nobody could make a credential any more without this one.
    fn lives_by(&self, credential: &Credential, now: Timestamp) -> bool {
        let active = |other: &Credential| {
            other.revoked_at.is_none()
                && other.principal.expires.is_none_or(|end| end > now)
                && other.principal.roles.has(self.administrator())
        };
        let others = self.vault.silos.credentials_of(self.tree());
        let mut others = others.iter().filter(|other| other.principal.credential != credential.principal.credential);
        active(credential) && !others.any(|other| active(other))
    }
}

/// Creates a credential of a tenant, or of the vault.
pub async fn create_credential<O: Makes>(
    vault: &Vault,
    call: Authorized<O>,
    roles: Roles,
    expires: Option<Timestamp>,
    request: Option<RequestId>,
) -> Result<Issued> {
    let now = vault.clock.now();
    let owner = Owner::of(vault, &call)?;
    let tree = owner.tree();
    let _alone = owner.lock().await;
    let fingerprint = Fingerprint::of("tenant.create_credential")
        .with(&roles.bits().to_be_bytes())
        .with(&expires.map_or(0, Timestamp::millis).to_be_bytes())
        .finish();
    let own = vault.keys.own(tree)?;
    let remembered = request.map(|id| Key::TenantRequest { tree, tag: request_tag(&own, id) });
    if let Some(key) = &remembered
        && let Some(answer) = recall::<CredentialRef>(&vault.store, &vault.keys, key, &fingerprint)?
    {
        vault.note(tree, &call).await?;
        return issued(vault, answer.into(), None);
    }
    let api_key = ApiKey::generate();
    let credential = api_key.credential();
    let mut change = Change::new();
    let new = NewCredential { roles, expires, made_by: Some(call.credential()) };
    put_credential(&vault.keys, tree, &api_key, &new, now, &mut change)?;
    if let Some(key) = remembered {
        remember(&mut vault.keys.opener(), &mut change, key, fingerprint, CredentialRef::from(credential))?;
    }
    let entry = || audit::concerning(audit::done(&call, now)?, CREATED, credential);
    change.log(tree, entry()?);
    if call.operation() == Operation::AppointAdministrator {
        // The operator's act stands in the operator's log, too.
        change.log(TreeId::VAULT, entry()?);
    }
    vault.store.commit(change).await?;
    issued(vault, credential, Some(api_key))
}

/// Gives the vault another operator, by who holds data and root, with no credential to ask: a lost key is replaced so.
pub async fn new_operator(vault: &Vault, api_key: &ApiKey) -> Result<()> {
    let (tree, now) = (TreeId::VAULT, vault.clock.now());
    let mut change = Change::new();
    let new = NewCredential { roles: Roles::only(Role::Operator), expires: None, made_by: None };
    put_credential(&vault.keys, tree, api_key, &new, now, &mut change)?;
    let entry = audit::by_the_vault("vault.new_operator", now)?;
    change.log(tree, audit::concerning(entry, CREATED, api_key.credential())?);
    vault.store.commit(change).await?;
    Ok(())
}

/// Lists the credentials of a tenant, or of the vault, oldest first: `size` of them from number `from` on.
pub async fn list_credentials<O: Lists>(
    vault: &Vault,
    call: Authorized<O>,
    from: u64,
    size: usize,
) -> Result<(Vec<Credential>, Option<u64>)> {
    let tree = Owner::of(vault, &call)?.tree();
    vault.note(tree, &call).await?;
    let (page, next) = super::page(vault.silos.credentials_of(tree), from, size);
    Ok((page.iter().map(|credential| (**credential).clone()).collect(), next))
}

/// Revokes a credential. The answer means that no call is let in with it any more; revoking it again changes
/// nothing.
///
/// # Errors
/// `LAST_ADMINISTRATOR` for the last one that can make others.
pub async fn revoke_credential<O: Revokes>(vault: &Vault, call: Authorized<O>, id: CredentialId) -> Result<Credential> {
    let now = vault.clock.now();
    let owner = Owner::of(vault, &call)?;
    let tree = owner.tree();
    let _alone = owner.lock().await;
    let known = vault.silos.credential(id).filter(|credential| credential.tree == tree);
    let unknown = || Error::NotFound(Reason::CredentialNotFound, format!("there is no credential {id}"));
    let known = known.ok_or_else(unknown)?;
    if owner.lives_by(&known, now) {
        let message = format!("it is the last active credential of role {}", owner.administrator());
        return Err(Error::Precondition(Reason::LastAdministrator, message));
    }
    let mut change = Change::new();
    if known.revoked_at.is_none() {
        let key = Key::Credential { tree, credential: id };
        let principal = &known.principal;
        let mut record =
            CredentialRecord::new(principal.roles, *known.digest.as_bytes(), known.created_at, principal.expires);
        record.revoked_at = Some(now.millis());
        record.made_by = known.made_by.map(CredentialRef::from);
        let sealed = vault.keys.seal(&key, "", &encode("credential record", &record)?)?;
        change.put(key, sealed);
    }
    change.log(tree, audit::concerning(audit::done(&call, now)?, "CREDENTIAL_REVOKED", id)?);
    let sequence = vault.store.commit(change).await?.sequence;
    // A key that was stolen must not be let in again by a restore.
    vault.store.mirrored_if_soon(sequence).await;
    let revoked = vault.silos.credential(id).ok_or_else(unknown)?;
    Ok((*revoked).clone())
}

/// What a new credential is.
pub(crate) struct NewCredential {
    /// What it may do.
    pub(crate) roles: Roles,
    /// When it ends, if it does.
    pub(crate) expires: Option<Timestamp>,
    /// By which credential's call it is made; `None` where none was asked for.
    pub(crate) made_by: Option<CredentialId>,
}

/// Seals a credential's row into `change`.
pub(crate) fn put_credential(
    keys: &Keyring,
    tree: TreeId,
    api_key: &ApiKey,
    new: &NewCredential,
    now: Timestamp,
    change: &mut Change,
) -> Result<()> {
    let mut record = CredentialRecord::new(new.roles, *api_key.digest().as_bytes(), now, new.expires);
    record.made_by = new.made_by.map(CredentialRef::from);
    let key = Key::Credential { tree, credential: api_key.credential() };
    let sealed = keys.seal(&key, "", &encode("credential record", &record)?)?;
    change.put(key, sealed);
    Ok(())
}

/// A credential as it is now, with its key if it has just been made.
pub(super) fn issued(vault: &Vault, id: CredentialId, api_key: Option<ApiKey>) -> Result<Issued> {
    let credential = vault.silos.credential(id);
    let gone = || Error::NotFound(Reason::CredentialNotFound, format!("there is no credential {id}"));
    Ok(Issued { credential: (*credential.ok_or_else(gone)?).clone(), api_key })
}
