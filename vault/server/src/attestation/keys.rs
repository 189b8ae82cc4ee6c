//! The public keys of a tenant's capture and document services.

use lethe_attestation::{KeyId, VerifyingKey};
use lethe_crypto::tag::tag;
use lethe_domain::Reason;
use lethe_policy::Authorized;
use lethe_policy::operation::{CreateSigningKey, ListSigningKeys, RevokeSigningKey};

use crate::audit;
use crate::error::{Error, Result};
use crate::silo::{SigningKey, Silo};
use crate::store::{Change, Key};
use crate::tenant;
use crate::vault::Vault;

/// Most active keys that a tenant has.
const MOST: usize = 64;
/// Most keys that a tenant has, or had: those that were revoked are known for good.
const MOST_EVER: usize = 4096;

/// Registers a key. The answer means synced; the same key again changes nothing.
///
/// # Errors
/// `SigningKeyExists` where the id is, or was, another key's, or that of a revoked one; `SigningKeysLimited`.
pub async fn create_key(vault: &Vault, call: Authorized<CreateSigningKey>, key: VerifyingKey) -> Result<SigningKey> {
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_administration().await;
    let row = row_of(vault, &silo, key.id())?;
    match silo.signing_keys.find(key.id()) {
        Some(known) if known.key == key && known.revoked_at.is_none() => {
            vault.note(silo.tree, &call).await?;
            return Ok((*known).clone());
        }
        None if vault.store.get(&row)?.is_none() => {}
        Some(_) | None => {
            let message = format!("the id {} is, or was, another key's: an id is never used again", key.id());
            return Err(Error::Exists(Reason::SigningKeyExists, message));
        }
    }
    let all = silo.signing_keys.all();
    if all.iter().any(|known| known.key.point() == key.point()) {
        // One that was revoked may be in other hands.
        let message = "the same key has, or had, another id".to_owned();
        return Err(Error::Exists(Reason::SigningKeyExists, message));
    }
    if silo.signing_keys.active() >= MOST || all.len() >= MOST_EVER {
        return Err(limited());
    }
    let new = SigningKey { key, created_at: vault.clock.now(), revoked_at: None };
    let mut change = Change::new();
    put(vault, row, &new, &mut change)?;
    let entry = audit::done(&call, new.created_at)?;
    change.log(silo.tree, audit::naming(entry, "SIGNING_KEY_CREATED", "kid", new.key.id().as_str())?);
    vault.store.commit(change).await?;
    Ok(new)
}

/// Lists keys, oldest first: `size` of them from number `from` on.
pub async fn list_keys(
    vault: &Vault,
    call: Authorized<ListSigningKeys>,
    from: u64,
    size: usize,
) -> Result<(Vec<SigningKey>, Option<u64>)> {
    let silo = vault.silo(&call)?;
    vault.note(silo.tree, &call).await?;
    let (page, next) = tenant::page(silo.signing_keys.all(), from, size);
    Ok((page.iter().map(|key| (**key).clone()).collect(), next))
}

/// Revokes a key. The answer means that nothing which it signed is believed any more, and that no answer rests on it that is not
/// given yet.
///
/// # Errors
/// `SigningKeyNotFound`.
pub async fn revoke_key(vault: &Vault, call: Authorized<RevokeSigningKey>, id: KeyId) -> Result<SigningKey> {
    let silo = vault.silo(&call)?;
    let revoked = revoke(vault, &call, &silo, &id).await;
    vault.noting_misses(silo.tree, &call, revoked).await
}

async fn revoke(vault: &Vault, call: &Authorized<RevokeSigningKey>, silo: &Silo, id: &KeyId) -> Result<SigningKey> {
    let _alone = silo.lock_administration().await;
    let unknown = || Error::NotFound(Reason::SigningKeyNotFound, format!("there is no signing key {id}"));
    let known = silo.signing_keys.find(id).ok_or_else(unknown)?;
    let now = vault.clock.now();
    let mut change = Change::new();
    let mut revoked = (*known).clone();
    if revoked.revoked_at.is_none() {
        revoked.revoked_at = Some(now);
        put(vault, row_of(vault, silo, id)?, &revoked, &mut change)?;
    }
    change.log(silo.tree, audit::naming(audit::done(call, now)?, "SIGNING_KEY_REVOKED", "kid", id.as_str())?);
    let sequence = vault.store.commit(change).await?.sequence;
    // Who was believed before has been answered.
    silo.rights().settled().await;
    // A key that was stolen must not be believed again after a restore.
    vault.store.mirrored_if_soon(sequence).await;
    Ok(revoked)
}

/// The row of a key, by a name that only the holder of the tenant's key can make.
fn row_of(vault: &Vault, silo: &Silo, id: &KeyId) -> Result<Key> {
    let tag = tag(&vault.keys.own(silo.tree)?, "signing key", id.as_str().as_bytes());
    Ok(Key::SigningKey { tree: silo.tree, tag })
}

fn put(vault: &Vault, row: Key, key: &SigningKey, change: &mut Change) -> Result<()> {
    let sealed = vault.keys.seal(&row, "", &key.record().seal_as()?)?;
    change.put(row, sealed);
    Ok(())
}

fn limited() -> Error {
    Error::Limited {
        reason: Reason::SigningKeysLimited,
        retry_after: std::time::Duration::from_secs(60),
        message: format!("the tenant has {MOST} active signing keys, or {MOST_EVER} in all, and may have no more"),
    }
}
