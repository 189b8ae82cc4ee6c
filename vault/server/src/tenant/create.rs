use lethe_crypto::tree::TreeId;
use lethe_domain::{
    Environment, Invalid, Login, Period, Reason, Region, RequestId, Retention, Role, Roles, TenantId, TenantPolicy,
};
use lethe_policy::operation::CreateTenant;
use lethe_policy::{Authorized, Owner};

use super::TenantFacts;
use super::credentials::{Issued, NewCredential, Unclaimed, issued, put_credential, with_login};
use crate::audit;
use crate::error::{Error, Result};
use crate::idempotency::{Fingerprint, recall, remember, request_tag};
use crate::keyring::tree_of;
use crate::records::{CredentialRef, TenantRecord, encode};
use crate::store::{Change, Key};
use crate::vault::Vault;

/// A new tenant, and its first credential.
pub struct Created {
    /// The tenant.
    pub tenant: TenantFacts,
    /// A tenant administrator's credential.
    pub administrator: Issued,
}

/// Creates a tenant: its slot in the vault tree, its log, and an administrator's credential, which `login` shows, or else an
/// API key, in one change.
pub async fn create(
    vault: &Vault,
    call: Authorized<CreateTenant>,
    id: TenantId,
    mut policy: TenantPolicy,
    login: Option<Login>,
    request: Option<RequestId>,
) -> Result<Created> {
    lethe_policy::check(&policy)?;
    let now = vault.clock.now();
    let _alone = vault.administration.lock().await;
    let named = with_login(Fingerprint::of("tenant.create").with(id.as_str().as_bytes()), login.as_ref());
    let fingerprint = fingerprint(named, &policy);
    let own = vault.keys.own(TreeId::VAULT)?;
    let remembered = request.map(|id| Key::TenantRequest { tree: TreeId::VAULT, tag: request_tag(&own, id) });
    if let Some(key) = &remembered
        && let Some(answer) = recall::<CredentialRef>(&vault.store, &vault.keys, key, &fingerprint)?
    {
        let gone = || Error::NotFound(Reason::TenantNotFound, "the request's tenant is gone".to_owned());
        let silo = vault.silos.find(&id).ok_or_else(gone)?;
        vault.note(TreeId::VAULT, &call).await?;
        return Ok(Created { tenant: TenantFacts::of(&silo), administrator: issued(vault, answer.into(), None)? });
    }
    if vault.silos.find(&id).is_some() {
        return Err(Error::Exists(Reason::TenantExists, format!("there is a tenant {id} already")));
    }
    // Receipts and logs of another tenant would seem to be this one's.
    if vault.silos.is_spent(&id) {
        let message = format!("there was a tenant {id}, which was shredded: its name is never given again");
        return Err(Error::Exists(Reason::TenantExists, message));
    }

    policy.region = policy.region.or_else(|| vault.site.region.clone());
    if !vault.site.is_home_of(&policy) {
        let message = "is not this node's (O32)";
        return Err(Invalid::new("tenant.region", Reason::RegionMismatch, message).into());
    }
    let unclaimed = Unclaimed::of(vault, login, &Owner::Tenant(id.clone())).await?;
    let leases = vault.keys.allocate(TreeId::VAULT, 1).await?;
    let tenant = leases[0].slot();
    let tree = tree_of(tenant)?;
    let mut change = Change::new();
    change.own(leases);
    let record = encode("tenant record", &TenantRecord::new(&id, &policy, now))?;
    let key = Key::Tenant { tenant };
    let sealed = vault.keys.seal(&key, "", &record)?;
    change.put(key, sealed);
    let origin = vault.origin_of(tree)?;
    audit::create_log(&vault.keys, tree, origin, &mut change)?;
    let (credential, proof, api_key) = unclaimed.means();
    let (roles, made_by) = (Roles::only(Role::TenantAdmin), Some(call.credential()));
    let new = NewCredential { id: credential, proof, roles, expires: None, made_by };
    put_credential(&vault.keys, tree, &new, unclaimed.begin(now), &mut change)?;
    if let Some(key) = remembered {
        remember(&mut vault.keys.opener(), &mut change, key, fingerprint, CredentialRef::from(credential))?;
    }
    // In both logs: the operator's act, and the beginning of the tenant's own history.
    change.log(TreeId::VAULT, audit::done(&call, now)?);
    change.log(tree, audit::concerning(audit::done(&call, now)?, "CREDENTIAL_CREATED", credential)?);
    vault.store.commit(change).await?;
    drop(unclaimed);
    let tenant = TenantFacts { id, policy: policy.into(), created_at: now, memory: 0 };
    Ok(Created { tenant, administrator: issued(vault, credential, api_key)? })
}

/// Takes in what a tenant is to allow; what nobody said leaves no trace, as before it could be said.
fn fingerprint(of: Fingerprint, policy: &TenantPolicy) -> String {
    let print =
        policy.purposes.iter().fold(of, |print, entry| print.with(&[entry.purpose.number(), entry.basis.number()]));
    if *policy == TenantPolicy::of(policy.purposes.clone()) {
        return print.finish();
    }
    let beside = [policy.jurisdiction.number(), policy.alone_from_16.into(), policy.age_required.into()];
    let print = policy.automation.iter().fold(print, |print, automation| {
        let notice = &automation.explanation;
        print
            .with(&[automation.purpose.number(), automation.ground.number()])
            .with(&notice.sha256)
            .with(notice.version.as_str().as_bytes())
            .with(automation.reviewer.as_str().as_bytes())
    });
    let print = match policy.country {
        Some(country) => print.with(&beside).with(country.as_str().as_bytes()),
        None => print.with(&beside),
    };
    let (environment, region, retention) = (policy.environment, policy.region.as_ref(), &policy.retention);
    if (environment, region, retention) == (Environment::default(), None, &Retention::default()) {
        return print.finish();
    }
    let period = |period: Option<Period>| period.map_or_else(String::new, |period| period.to_string());
    let print = print
        .with(&[environment.number(), retention.vendor_purposes.into()])
        .with(region.map_or("", Region::as_str).as_bytes())
        .with(period(retention.keep).as_bytes())
        .with(period(retention.after_end).as_bytes())
        .with(period(retention.minimum).as_bytes());
    match retention.limitation {
        Some(limitation) => print.with(limitation.to_string().as_bytes()).finish(),
        None => print.finish(),
    }
}
