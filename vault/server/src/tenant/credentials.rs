use lethe_crypto::tree::TreeId;
use lethe_domain::{CredentialId, Reason, RequestId, Roles, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{CreateCredential, ListCredentials, RevokeCredential};

use crate::access::ApiKey;
use crate::audit;
use crate::error::{Error, Result};
use crate::idempotency::{Fingerprint, recall, remember, request_tag};
use crate::keyring::Keyring;
use crate::records::{CredentialRecord, CredentialRef, encode};
use crate::silo::Credential;
use crate::store::{Change, Key};
use crate::vault::Vault;

/// A credential that was created.
pub struct Issued {
    /// The credential.
    pub credential: Credential,
    /// Its key, shown this once; `None` for a repeated request, whose key was shown before.
    pub api_key: Option<ApiKey>,
}

/// Creates a credential of a tenant.
pub async fn create_credential(
    vault: &Vault,
    call: Authorized<CreateCredential>,
    roles: Roles,
    expires: Option<Timestamp>,
    request: Option<RequestId>,
) -> Result<Issued> {
    let now = Timestamp::now();
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_administration().await;
    let fingerprint = Fingerprint::of("tenant.create_credential")
        .with(&roles.bits().to_be_bytes())
        .with(&expires.map_or(0, Timestamp::millis).to_be_bytes())
        .finish();
    let own = vault.keys.own(silo.tree)?;
    let remembered = request.map(|id| Key::TenantRequest { tree: silo.tree, tag: request_tag(&own, id) });
    if let Some(key) = &remembered
        && let Some(answer) = recall::<CredentialRef>(&vault.store, &vault.keys, key, &fingerprint)?
    {
        return issued(vault, answer.into(), None);
    }
    let api_key = ApiKey::generate();
    let credential = api_key.credential();
    let mut change = Change::new();
    put_credential(&vault.keys, silo.tree, &api_key, roles, expires, now, &mut change)?;
    if let Some(key) = remembered {
        remember(&vault.keys, &mut change, key, fingerprint, CredentialRef::from(credential))?;
    }
    change.log(silo.tree, audit::concerning(audit::done(&call, now)?, "CREDENTIAL_CREATED", credential)?);
    vault.store.commit(change).await?;
    issued(vault, credential, Some(api_key))
}

/// Lists a tenant's credentials, oldest first: `size` of them from number `from` on.
pub async fn list_credentials(
    vault: &Vault,
    call: Authorized<ListCredentials>,
    from: u64,
    size: usize,
) -> Result<(Vec<Credential>, Option<u64>)> {
    let silo = vault.silo(&call)?;
    super::note(vault, &silo, &call).await?;
    let all = vault.silos.credentials_of(silo.tree);
    let (page, next) = super::page(all, from, size);
    Ok((page.iter().map(|credential| (**credential).clone()).collect(), next))
}

/// Revokes a credential. The answer means that no call is let in with it any more; revoking it again changes
/// nothing.
pub async fn revoke_credential(
    vault: &Vault,
    call: Authorized<RevokeCredential>,
    id: CredentialId,
) -> Result<Credential> {
    let now = Timestamp::now();
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_administration().await;
    let known = vault.silos.credential(id).filter(|credential| credential.tree == silo.tree);
    let unknown = || Error::NotFound(Reason::CredentialNotFound, format!("there is no credential {id}"));
    let known = known.ok_or_else(unknown)?;
    let mut change = Change::new();
    if known.revoked_at.is_none() {
        let key = Key::Credential { tree: silo.tree, credential: id };
        let principal = &known.principal;
        let mut record =
            CredentialRecord::new(principal.roles, *known.digest.as_bytes(), known.created_at, principal.expires);
        record.revoked_at = Some(now.millis());
        let sealed = vault.keys.seal(&key, "", &encode("credential record", &record)?)?;
        change.put(key, sealed);
    }
    change.log(silo.tree, audit::concerning(audit::done(&call, now)?, "CREDENTIAL_REVOKED", id)?);
    vault.store.commit(change).await?;
    let revoked = vault.silos.credential(id).ok_or_else(unknown)?;
    Ok((*revoked).clone())
}

/// Seals a credential's row into `change`.
pub(crate) fn put_credential(
    keys: &Keyring,
    tree: TreeId,
    api_key: &ApiKey,
    roles: Roles,
    expires: Option<Timestamp>,
    now: Timestamp,
    change: &mut Change,
) -> Result<()> {
    let record = CredentialRecord::new(roles, *api_key.digest().as_bytes(), now, expires);
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
