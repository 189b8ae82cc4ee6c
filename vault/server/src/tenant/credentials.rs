use lethe_crypto::tree::TreeId;
use lethe_domain::{CredentialId, Login, Reason, RequestId, Role, Roles, Timestamp};
use lethe_policy::operation::{
    AppointAdministrator, CreateCredential, CreateOperator, Kind, ListCredentials, ListOperators, RevokeCredential,
    RevokeOperator,
};
use lethe_policy::{Authorized, Operation, Owner as Whose};
use tokio::sync::MutexGuard;

use crate::access::{ApiKey, Proof};
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
/// And of its end.
const REVOKED: &str = "CREDENTIAL_REVOKED";

/// A credential that was created.
pub struct Issued {
    /// The credential.
    pub credential: Credential,
    /// Its key, shown this once; `None` for a repeated request, whose key was shown before, and where a login shows it.
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

    fn name(&self) -> Whose {
        self.silo.as_ref().map_or(Whose::Vault, |silo| Whose::Tenant(silo.id.clone()))
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
        let active =
            |other: &Credential| other.principal.roles.has(self.administrator()) && !self.vault.is_over(other, now);
        let others = self.vault.silos.credentials_of(self.tree());
        let mut others = others.iter().filter(|other| other.principal.credential != credential.principal.credential);
        active(credential) && !others.any(|other| active(other))
    }
}

/// What a credential is asked to be.
pub struct Asked {
    /// What it may do.
    pub roles: Roles,
    /// When it ends, if it does.
    pub expires: Option<Timestamp>,
    /// The login that shows it; an API key, if none does.
    pub login: Option<Login>,
}

impl Asked {
    /// One with some roles and an API key, for ever.
    pub const fn of(roles: Roles) -> Self {
        Self { roles, expires: None, login: None }
    }
}

/// Creates a credential of a tenant, or of the vault.
///
/// # Errors
/// `LoginTaken` where the login is another's, `IdentityProviderUnknown` where nobody may say whose it is.
pub async fn create_credential<O: Makes>(
    vault: &Vault,
    call: Authorized<O>,
    asked: Asked,
    request: Option<RequestId>,
) -> Result<Issued> {
    let Asked { roles, expires, login } = asked;
    let now = vault.clock.now();
    let owner = Owner::of(vault, &call)?;
    let tree = owner.tree();
    let _alone = owner.lock().await;
    let fingerprint = Fingerprint::of("tenant.create_credential")
        .with(&roles.bits().to_be_bytes())
        .with(&expires.map_or(0, Timestamp::millis).to_be_bytes());
    let fingerprint = with_login(fingerprint, login.as_ref()).finish();
    let own = vault.keys.own(tree)?;
    let remembered = request.map(|id| Key::TenantRequest { tree, tag: request_tag(&own, id) });
    if let Some(key) = &remembered
        && let Some(answer) = recall::<CredentialRef>(&vault.store, &vault.keys, key, &fingerprint)?
    {
        vault.note(tree, &call).await?;
        return issued(vault, answer.into(), None);
    }
    let unclaimed = Unclaimed::of(vault, login, &owner.name()).await?;
    let (credential, proof, api_key) = unclaimed.means();
    let mut change = Change::new();
    let new = NewCredential { id: credential, proof, roles, expires, made_by: Some(call.credential()) };
    put_credential(&vault.keys, tree, &new, unclaimed.begin(now), &mut change)?;
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
    drop(unclaimed);
    issued(vault, credential, api_key)
}

/// Takes a login into what makes two requests the same; none leaves no trace, as before there were any.
pub(super) fn with_login(print: Fingerprint, login: Option<&Login>) -> Fingerprint {
    match login {
        Some(login) => print.with(login.issuer().as_bytes()).with(login.subject().as_bytes()),
        None => print,
    }
}

/// A login that is nobody's, for as long as this is held, and that some provider may speak of; or none.
pub(crate) struct Unclaimed<'a> {
    login: Option<Login>,
    /// When the last credential of it was made, if there was one.
    before: Option<Timestamp>,
    _alone: Option<MutexGuard<'a, ()>>,
}

impl<'a> Unclaimed<'a> {
    /// # Errors
    /// `LoginTaken`, `IdentityProviderUnknown`.
    pub(crate) async fn of(vault: &'a Vault, login: Option<Login>, owner: &Whose) -> Result<Self> {
        let Some(wanted) = &login else { return Ok(Self { login, before: None, _alone: None }) };
        if !vault.logins.may_speak(wanted.issuer(), owner) {
            let message = "no identity provider of this issuer may speak for it (access.identity_providers)";
            return Err(Error::Precondition(Reason::IdentityProviderUnknown, message.to_owned()));
        }
        let alone = vault.logins.alone().await;
        let (newest, now) = (vault.silos.newest_of(wanted), vault.clock.now());
        let is_over =
            |known: &Credential| known.revoked_at.is_some() || known.principal.expires.is_some_and(|end| end <= now);
        if newest.as_ref().is_some_and(|known| !is_over(known)) {
            let message = "the login is another credential's: revoke that first";
            return Err(Error::Exists(Reason::LoginTaken, message.to_owned()));
        }
        Ok(Self { login, before: newest.map(|known| known.created_at), _alone: Some(alone) })
    }

    /// When a credential of it begins that is made now: after any other of it, since the newest decides, whatever the clock did.
    pub(crate) fn begin(&self, now: Timestamp) -> Timestamp {
        let after = |before: Timestamp| Timestamp::from_millis(before.millis().saturating_add(1));
        self.before.map_or(now, |before| now.max(after(before)))
    }

    /// A new credential's id, what shows it, and its key, if that is what does.
    pub(crate) fn means(&self) -> (CredentialId, Proof, Option<ApiKey>) {
        match &self.login {
            Some(login) => (CredentialId::random(), Proof::Login(login.clone()), None),
            None => {
                let key = ApiKey::generate();
                (key.credential(), Proof::Key(key.digest()), Some(key))
            }
        }
    }
}

/// Gives the vault another operator, by who holds data and root, with no credential to ask: a lost key is replaced so. The
/// credential that it is in place of, of a key that nobody was shown, is revoked with that.
///
/// # Errors
/// As [`create_credential`].
pub async fn new_operator(vault: &Vault, login: Option<Login>, instead: Option<CredentialId>) -> Result<Issued> {
    let (tree, now) = (TreeId::VAULT, vault.clock.now());
    let _alone = vault.administration.lock().await;
    let unclaimed = Unclaimed::of(vault, login, &Whose::Vault).await?;
    let (id, proof, api_key) = unclaimed.means();
    let mut change = Change::new();
    let new = NewCredential { id, proof, roles: Roles::only(Role::Operator), expires: None, made_by: None };
    put_credential(&vault.keys, tree, &new, unclaimed.begin(now), &mut change)?;
    let entry = || audit::by_the_vault("vault.new_operator", now);
    change.log(tree, audit::concerning(entry()?, CREATED, id)?);
    if let Some(unseen) = instead.and_then(|unseen| vault.silos.credential(unseen)) {
        put_revoked(&vault.keys, &unseen, now, &mut change)?;
        change.log(tree, audit::concerning(entry()?, REVOKED, unseen.principal.credential)?);
    }
    vault.store.commit(change).await?;
    drop(unclaimed);
    issued(vault, id, api_key)
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
        put_revoked(&vault.keys, &known, now, &mut change)?;
    }
    change.log(tree, audit::concerning(audit::done(&call, now)?, REVOKED, id)?);
    let sequence = vault.store.commit(change).await?.sequence;
    // A key that was stolen must not be let in again by a restore.
    vault.store.mirrored_if_soon(sequence).await;
    let revoked = vault.silos.credential(id).ok_or_else(unknown)?;
    Ok((*revoked).clone())
}

/// What a new credential is.
pub(crate) struct NewCredential {
    /// Its id; of an API key, the key's.
    pub(crate) id: CredentialId,
    /// What shows it.
    pub(crate) proof: Proof,
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
    new: &NewCredential,
    now: Timestamp,
    change: &mut Change,
) -> Result<()> {
    let mut record = CredentialRecord::new(new.roles, &new.proof.stored(), now, new.expires);
    record.made_by = new.made_by.map(CredentialRef::from);
    let key = Key::Credential { tree, credential: new.id };
    let sealed = keys.seal(&key, "", &encode("credential record", &record)?)?;
    change.put(key, sealed);
    Ok(())
}

/// Seals a credential's row into `change`, as revoked.
fn put_revoked(keys: &Keyring, known: &Credential, now: Timestamp, change: &mut Change) -> Result<()> {
    let principal = &known.principal;
    let mut record = CredentialRecord::new(principal.roles, &known.proof.stored(), known.created_at, principal.expires);
    record.revoked_at = Some(now.millis());
    record.made_by = known.made_by.map(CredentialRef::from);
    let key = Key::Credential { tree: known.tree, credential: principal.credential };
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
