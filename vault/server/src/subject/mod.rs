//! What is held about a subject, its rights, and erasing it.

pub(crate) mod amend;
pub(crate) mod baseless;
mod erase;
pub mod export;
mod rights;

use std::collections::BTreeMap;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{Dossier, ModelId, Reason, ReceiptId, SubjectId, Timestamp};
use lethe_policy::operation::GetSubject;
use lethe_policy::{Authorized, End, Keeper};

use crate::audit;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::retention;
use crate::silo::Silo;
use crate::store::{Change, Key, RowKind, StoreError};
use crate::templates;
use crate::vault::Vault;
use crate::watchlist;

pub use erase::{Deferment, Erased, erase, put_off};
pub use rights::{Description, Recorded, lift_objection, lift_restriction, object, restrict, update};

/// What is held about a subject, without embeddings.
pub struct SubjectFacts {
    /// When it was first enrolled.
    pub created_at: Timestamp,
    /// How many templates of each model.
    pub templates: BTreeMap<ModelId, usize>,
    /// What is known of it beside templates.
    pub dossier: Dossier,
    /// When its data end, as things are now.
    pub end: Option<End>,
    /// What would keep them.
    pub keeper: Option<Keeper>,
    /// The receipt that its erasure will have, if nobody asks for one.
    pub receipt: ReceiptId,
}

/// Reads what is held about a subject.
pub async fn get(vault: &Vault, call: Authorized<GetSubject>, subject: &SubjectId) -> Result<SubjectFacts> {
    let silo = vault.silo(&call)?;
    let facts = held(vault, &call, &silo, subject).await;
    vault.noting_misses(silo.tree, &call, facts).await
}

async fn held(vault: &Vault, call: &Authorized<GetSubject>, silo: &Silo, subject: &SubjectId) -> Result<SubjectFacts> {
    let slot = silo.subject(subject).ok_or_else(unknown)?;
    let record = dossiers::base(vault, silo, slot)?.ok_or_else(unknown)?;
    let mut counts = BTreeMap::new();
    for (_, profile) in templates::places(&vault.store, silo, slot)? {
        let model = silo.model_numbered(profile);
        let model = model.ok_or_else(|| StoreError::corrupt("template row", "its model has no profile"))?;
        *counts.entry(model.profile.model().clone()).or_default() += 1;
    }
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    vault.record(silo.tree, audit::about(audit::done(call, vault.clock.now())?, &owner)).await?;
    let dossier = dossiers::of(vault, silo, slot)?;
    let fate = retention::fate(vault, silo, slot, &record, &dossier, vault.clock.now())?;
    let receipt = dossier.deferral.map_or_else(|| retention::receipt_of_end(&owner), |deferral| deferral.receipt);
    let (end, keeper) = (fate.end, fate.keeper);
    Ok(SubjectFacts { created_at: record.created_at, templates: counts, dossier, end, keeper, receipt })
}

/// Removes every row of a subject, and gives the slots whose keys go with them (O18); with them the entries of watch lists that may not
/// be there at all. The caller has the subject's lock, and that of entries until the change is committed.
fn everything(
    vault: &Vault,
    silo: &Silo,
    slot: SlotRef,
    dossier: &Dossier,
    change: &mut Change,
) -> Result<Vec<SlotRef>> {
    let mut slots = vec![slot];
    slots.extend(watchlist::shred_with(vault, silo, slot, dossier, change)?);
    change.delete(Key::Subject { tree: silo.tree, subject: slot });
    dossiers::delete(vault, silo, slot, change)?;
    for (at, profile) in templates::places(&vault.store, silo, slot)? {
        // Redrawing S would do; with T gone too, a flaw in either is not enough.
        slots.push(at.thing);
        templates::delete(silo, at, profile, change);
    }
    vault.store.few(RowKind::SubjectRequest, &Key::prefix_of_requests(silo.tree, slot), |key, _| {
        change.delete(key);
        Ok::<_, Error>(())
    })?;
    Ok(slots)
}

pub(crate) fn unknown() -> Error {
    Error::NotFound(Reason::SubjectNotFound, "there is no such subject".to_owned())
}
