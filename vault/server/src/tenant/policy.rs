use std::sync::Arc;

use lethe_domain::{
    AttestationPolicy, Automation, Country, Jurisdiction, Period, PurposeBasis, Retention, TenantPolicy,
};
use lethe_policy::Authorized;
use lethe_policy::operation::UpdateTenantPolicy;

use super::TenantFacts;
use crate::audit;
use crate::error::Result;
use crate::records::{TenantRecord, encode};
use crate::silo::SiloRef;
use crate::store::{Change, Key, StoreError};
use crate::vault::Vault;
use crate::watchlist;

/// What a tenant wants changed: what is `Some`.
#[derive(Debug, Default)]
pub struct Wished {
    /// All its purposes, each with its basis.
    pub purposes: Option<Vec<PurposeBasis>>,
    /// All purposes for which its systems decide.
    pub automation: Option<Vec<Automation>>,
    /// Which captures need an attestation.
    pub attestation: Option<Option<AttestationPolicy>>,
    /// The law that counts where nobody said.
    pub jurisdiction: Option<Jurisdiction>,
    /// Its country.
    pub country: Option<Option<Country>>,
    /// Whether minors from 16 on consent for themselves.
    pub alone_from_16: Option<bool>,
    /// Whether nobody of unknown age is processed.
    pub age_required: Option<bool>,
    /// How long a template is kept.
    pub keep: Option<Option<Period>>,
    /// How long a person is kept after the end of purpose or contract.
    pub after_end: Option<Option<Period>>,
    /// How long a statute wants people kept.
    pub minimum: Option<Option<Period>>,
    /// For how long after its end what claims can rest on is kept.
    pub limitation: Option<Option<Period>>,
    /// Whether the vendor sets the purposes.
    pub vendor_purposes: Option<bool>,
}

/// Changes what a tenant allows (O1): from the answer on every call, and every answer, is judged by the new version. What
/// changes nothing is no new version, so a repeat is none.
pub async fn update_policy(
    vault: &Arc<Vault>,
    call: Authorized<UpdateTenantPolicy>,
    wished: Wished,
) -> Result<TenantFacts> {
    let now = vault.clock.now();
    let silo = vault.silo(&call)?;
    // Tenants' rows are the vault's to change, one at a time.
    let alone = vault.administration.lock().await;
    let current = silo.policy();
    // The first call may have ended before it followed the law.
    let follows = wished.jurisdiction.is_some();
    let wanted = TenantPolicy {
        version: current.version,
        purposes: wished.purposes.unwrap_or_else(|| current.purposes.clone()),
        jurisdiction: wished.jurisdiction.unwrap_or(current.jurisdiction),
        alone_from_16: wished.alone_from_16.unwrap_or(current.alone_from_16),
        age_required: wished.age_required.unwrap_or(current.age_required),
        retention: Retention {
            keep: wished.keep.unwrap_or(current.retention.keep),
            after_end: wished.after_end.unwrap_or(current.retention.after_end),
            minimum: wished.minimum.unwrap_or(current.retention.minimum),
            limitation: wished.limitation.unwrap_or(current.retention.limitation),
            vendor_purposes: wished.vendor_purposes.unwrap_or(current.retention.vendor_purposes),
        },
        environment: current.environment,
        region: current.region.clone(),
        country: wished.country.unwrap_or(current.country),
        automation: wished.automation.unwrap_or_else(|| current.automation.clone()),
        attestation: wished.attestation.unwrap_or_else(|| current.attestation.clone()),
    };
    if wanted == *current {
        vault.note(silo.tree, &call).await?;
        drop(alone);
        if follows {
            follow(vault, &silo).await?;
        }
        return Ok(TenantFacts::of(&silo));
    }
    lethe_policy::check(&wanted)?;
    let wanted = TenantPolicy { version: current.version + 1, ..wanted };
    let tenant = silo.tree.as_tenant().ok_or_else(|| StoreError::corrupt("tenant", "it has no slot"))?;
    let key = Key::Tenant { tenant };
    let record = encode("tenant record", &TenantRecord::new(&silo.id, &wanted, silo.created_at))?;
    let sealed = vault.keys.seal(&key, "", &record)?;
    let mut change = Change::new();
    change.put(key, sealed);
    let version = wanted.version.to_string();
    change.log(silo.tree, audit::naming(audit::done(&call, now)?, "POLICY_CHANGED", "version", &version)?);
    {
        // Whoever is erased meanwhile is erased by the one policy or the other, with the entries that it forbids.
        let _entries = silo.lock_entries().await;
        vault.store.commit(change).await?;
    }
    drop(alone);
    if follows {
        follow(vault, &silo).await?;
    } else {
        silo.rights().settled().await;
    }
    Ok(TenantFacts::of(&silo))
}

/// Whom the law lets nobody list is in no answer from this one on: what was judged by another policy is done before it is looked who
/// that is.
async fn follow(vault: &Arc<Vault>, silo: &SiloRef) -> Result<()> {
    silo.rights().settled().await;
    watchlist::follow_law(vault, silo).await?;
    silo.rights().settled().await;
    Ok(())
}
