use std::sync::Arc;

use lethe_domain::{ModelId, ModelProfile, Reason, RequestId, Sketching, Thresholds, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{CreateModelProfile, GetModelProfile, ListModelProfiles, UpdateModelProfile};

use crate::audit;
use crate::error::{Error, Result};
use crate::idempotency::{Fingerprint, recall, remember, request_tag};
use crate::records::{ProfileRecord, encode};
use crate::silo::{Model, Silo};
use crate::store::{Change, Key, ProfileNumber};
use crate::vault::Vault;

/// A model profile, and when it was made and last changed.
pub struct ProfileFacts {
    /// The profile.
    pub profile: Arc<ModelProfile>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When its thresholds last changed.
    pub updated_at: Timestamp,
}

impl From<Model> for ProfileFacts {
    fn from(model: Model) -> Self {
        Self { profile: Arc::clone(&model.profile), created_at: model.created_at, updated_at: model.updated_at }
    }
}

/// Registers a model for a tenant, with an empty gallery.
pub async fn create_profile(
    vault: &Vault,
    call: Authorized<CreateModelProfile>,
    profile: ModelProfile,
    request: Option<RequestId>,
) -> Result<ProfileFacts> {
    let now = vault.clock.now();
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_administration().await;
    let fingerprint = fingerprint("tenant.create_model_profile", &profile)
        .with(&(profile.dimension() as u64).to_be_bytes())
        .with_vector(profile.sketching().centre().unwrap_or_default());
    // Of one bit it is as it was when there were no others.
    let fingerprint = match profile.sketching() {
        Sketching::OneBit(_) => fingerprint.finish(),
        Sketching::TwoBits => fingerprint.with(&[profile.sketching().bits()]).finish(),
    };
    let remembered = remembered(vault, &silo, request)?;
    if let Some(key) = &remembered
        && recall::<u32>(&vault.store, &vault.keys, key, &fingerprint)?.is_some()
    {
        vault.note(silo.tree, &call).await?;
        return Ok(silo.model(profile.model(), "model_profile.model")?.into());
    }
    let models = silo.models();
    if models.iter().any(|model| model.profile.model() == profile.model()) {
        let message = format!("the tenant has a profile of {} already", profile.model());
        return Err(Error::Exists(Reason::ModelExists, message));
    }
    let number = models.last().map_or(0, |model| model.number + 1);
    let mut change = Change::new();
    put(vault, &silo, number, &profile, (now, now), &mut change)?;
    if let Some(key) = remembered {
        remember(&mut vault.keys.opener(), &mut change, key, fingerprint, profile.policy_version())?;
    }
    change.log(silo.tree, audit::done(&call, now)?);
    vault.store.commit(change).await?;
    Ok(silo.model(profile.model(), "model_profile.model")?.into())
}

/// Reads a profile.
pub async fn get_profile(vault: &Vault, call: Authorized<GetModelProfile>, model: &ModelId) -> Result<ProfileFacts> {
    let silo = vault.silo(&call)?;
    vault.note(silo.tree, &call).await?;
    Ok(known(&silo, model)?.into())
}

/// Lists a tenant's profiles, oldest first: `size` of them from number `from` on.
pub async fn list_profiles(
    vault: &Vault,
    call: Authorized<ListModelProfiles>,
    from: u64,
    size: usize,
) -> Result<(Vec<ProfileFacts>, Option<u64>)> {
    let silo = vault.silo(&call)?;
    vault.note(silo.tree, &call).await?;
    let (page, next) = super::page(silo.models(), from, size);
    Ok((page.into_iter().map(ProfileFacts::from).collect(), next))
}

/// Changes what is `Some`; every change of thresholds is a new policy version.
pub async fn update_profile(
    vault: &Vault,
    call: Authorized<UpdateModelProfile>,
    model: &ModelId,
    thresholds: (Option<f32>, Option<f32>),
    miss_probability: Option<f64>,
    request: Option<RequestId>,
) -> Result<ProfileFacts> {
    let now = vault.clock.now();
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_administration().await;
    let current = known(&silo, model)?;
    let old = current.profile.thresholds();
    let new = Thresholds::new(thresholds.0.unwrap_or(old.matching()), thresholds.1.unwrap_or(old.review()))
        .map_err(|refusal| refusal.within("model_profile"))?;
    let miss = miss_probability.unwrap_or_else(|| current.profile.miss_probability());
    let profile = current.profile.amend(new, miss).map_err(|refusal| refusal.within("model_profile"))?;
    let print = |value: Option<f32>| value.map_or([0xff; 4], f32::to_be_bytes);
    let fingerprint = Fingerprint::of("tenant.update_model_profile")
        .with(model.to_string().as_bytes())
        .with(&print(thresholds.0))
        .with(&print(thresholds.1))
        .with(&miss_probability.map_or([0xff; 8], f64::to_be_bytes))
        .finish();
    let remembered = remembered(vault, &silo, request)?;
    if let Some(key) = &remembered
        && recall::<u32>(&vault.store, &vault.keys, key, &fingerprint)?.is_some()
    {
        vault.note(silo.tree, &call).await?;
        return Ok(current.into());
    }
    let mut change = Change::new();
    put(vault, &silo, current.number, &profile, (current.created_at, now), &mut change)?;
    if let Some(key) = remembered {
        remember(&mut vault.keys.opener(), &mut change, key, fingerprint, profile.policy_version())?;
    }
    change.log(silo.tree, audit::done(&call, now)?);
    vault.store.commit(change).await?;
    Ok(known(&silo, model)?.into())
}

fn known(silo: &Silo, model: &ModelId) -> Result<Model> {
    let found = silo.models().into_iter().find(|known| known.profile.model() == model);
    found.ok_or_else(|| Error::NotFound(Reason::ModelUnknown, format!("the tenant has no profile of {model}")))
}

fn put(
    vault: &Vault,
    silo: &Silo,
    number: ProfileNumber,
    profile: &ModelProfile,
    times: (Timestamp, Timestamp),
    change: &mut Change,
) -> Result<()> {
    let record = encode("profile record", &ProfileRecord::new(profile, times.0, times.1))?;
    let key = Key::Profile { tree: silo.tree, number };
    let sealed = vault.keys.seal(&key, "", &record)?;
    change.put(key, sealed);
    Ok(())
}

fn remembered(vault: &Vault, silo: &Silo, request: Option<RequestId>) -> Result<Option<Key>> {
    let Some(request) = request else { return Ok(None) };
    let own = vault.keys.own(silo.tree)?;
    Ok(Some(Key::TenantRequest { tree: silo.tree, tag: request_tag(&own, request) }))
}

fn fingerprint(operation: &str, profile: &ModelProfile) -> Fingerprint {
    Fingerprint::of(operation)
        .with(profile.model().to_string().as_bytes())
        .with(&profile.thresholds().matching().to_be_bytes())
        .with(&profile.thresholds().review().to_be_bytes())
        .with(&profile.miss_probability().to_be_bytes())
}
