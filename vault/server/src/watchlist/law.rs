//! Entries that may not be there any more because the tenant itself came under another law, or somebody attests that their person is
//! a minor (O15, O16, O40).

use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::SlotRef;
use lethe_policy::watchlist as rules;

use super::person::follow;
use crate::audit;
use crate::dossiers;
use crate::erasure::{Request, Task};
use crate::error::{Error, Result};
use crate::silo::Silo;
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// What the log calls it: nobody asked.
const OPERATION: &str = "vault.shred_forbidden_entries";

/// Shreds the entries of all whom the law that counts now lets nobody list, and gives how many there were. A person whose rows cannot
/// be read holds up nobody else's.
///
/// # Errors
/// What the store says of all of them.
pub(crate) async fn follow_law(vault: &Vault, silo: &Silo) -> Result<usize> {
    let mut people = Vec::new();
    vault.store.few(RowKind::Listed, &Key::prefix_of_tree(RowKind::Listed, silo.tree), |key, _| {
        if let Key::Listed { subject, .. } = key {
            people.push(subject);
        }
        Ok::<_, Error>(())
    })?;
    let mut shredded = 0;
    for subject in people {
        match shred_forbidden(vault, silo, subject).await {
            Ok(count) => shredded += count,
            Err(error) => tracing::error!(%error, "entries of a watch list that a law forbids could not be shredded"),
        }
    }
    Ok(shredded)
}

/// Shreds those of one person, if they may not be there: judged now that nobody else changes it.
pub(crate) async fn shred_forbidden(vault: &Vault, silo: &Silo, slot: SlotRef) -> Result<usize> {
    let is_forbidden = || Ok::<_, Error>(rules::is_forbidden(&silo.policy(), &dossiers::of(vault, silo, slot)?));
    if !is_forbidden()? {
        return Ok(0);
    }
    let Some(base) = dossiers::base(vault, silo, slot)? else { return Ok(0) };
    let _alone = silo.lock_subject(&base.id).await;
    let Some(owner) = vault.keys.slot(silo.tree, slot)? else { return Ok(0) };
    let (now, person) = (vault.clock.now(), dossiers::of(vault, silo, slot)?);
    let mut change = Change::new();
    let followed = follow(vault, silo, slot, (&person, &person), now, &mut change).await?;
    let count = followed.slots.len();
    if count > 0 {
        let entry = audit::judged_by(audit::by_the_vault(OPERATION, now)?, Some(silo.policy().version));
        let entry = audit::counting(entry, "WATCHLIST_ENTRIES_SHREDDED", &[("entries", count as u64)])?;
        change.log(silo.tree, audit::about(entry, &owner));
        let (receipt, slots) = (followed.receipt(vault, silo)?, followed.slots.clone());
        let request = Request { tree: silo.tree, task: Task::Erase(Scope::Template), slots, receipt, now };
        vault.eraser.accept(request, change).await?;
    }
    Ok(count)
}
