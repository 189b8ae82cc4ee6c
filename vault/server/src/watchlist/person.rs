//! What becomes of a living person's entries with what is recorded of the person. The caller has the subject's lock.

use lethe_crypto::secret::SlotKey;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{Contest, Dossier, ReceiptId, RequestId, Timestamp};
use lethe_policy::watchlist::{self as rules, Fate};
use tokio::sync::MutexGuard;

use super::book;
use crate::audit;
use crate::erasure::receipt_of;
use crate::error::Result;
use crate::idempotency::Fingerprint;
use crate::silo::Silo;
use crate::store::Change;
use crate::vault::Vault;

/// What a change does to entries. Nobody else changes them until it is dropped: it is to be committed before.
#[derive(Default)]
pub(crate) struct Followed<'a> {
    /// The slots of those that go: their keys go with the change.
    slots: Vec<SlotRef>,
    /// How many are contested by it.
    pub(crate) contested: usize,
    _alone: Option<MutexGuard<'a, ()>>,
}

/// What the log calls it where nobody asked for it.
pub(super) const OPERATION: &str = "vault.shred_forbidden_entries";

impl Followed<'_> {
    /// Whether nothing becomes of any.
    pub(crate) const fn is_nothing(&self) -> bool {
        self.slots.is_empty() && self.contested == 0
    }

    /// The slots of those that go.
    pub(crate) fn slots(&self) -> &[SlotRef] {
        &self.slots
    }

    /// Logs those that go, about their person, where the change's own entry says something else.
    pub(crate) fn tell(&self, silo: &Silo, owner: &SlotKey, now: Timestamp, change: &mut Change) -> Result<()> {
        let count = self.slots.len() as u64;
        if count > 0 {
            let entry = audit::judged_by(audit::by_the_vault(OPERATION, now)?, Some(silo.policy().version));
            let entry = audit::counting(entry, "WATCHLIST_ENTRIES_SHREDDED", &[("entries", count)])?;
            change.log(silo.tree, audit::about(entry, owner));
        }
        Ok(())
    }

    /// A receipt for those that go: nobody asked for it.
    pub(crate) fn receipt(&self, vault: &Vault, silo: &Silo) -> Result<ReceiptId> {
        receipt_of(&vault.keys, silo.tree, RequestId::random(), Fingerprint::of("watchlist.person"))
    }
}

/// Adds to an amendment what becomes of the entries that were made of whom it is about.
pub(crate) async fn follow<'a>(
    vault: &Vault,
    silo: &'a Silo,
    subject: SlotRef,
    (before, person): (&Dossier, &Dossier),
    now: Timestamp,
    change: &mut Change,
) -> Result<Followed<'a>> {
    let fate = rules::fate(&silo.policy(), before, person);
    if fate == Fate::Untouched {
        return Ok(Followed::default());
    }
    let listed = book::listed(vault, silo, subject)?;
    if listed.is_empty() {
        return Ok(Followed::default());
    }
    let alone = silo.lock_entries().await;
    let (mut slots, mut contested) = (Vec::new(), 0);
    for (number, id) in listed {
        let Some((key, slot)) = book::place(vault, silo, number, id)? else { continue };
        if fate == Fate::Shredded {
            change.delete(key);
            slots.push(slot);
            continue;
        }
        // One that cannot be read is compared with nothing: the search fails.
        let read = book::reread(vault, &key).unwrap_or_else(|fault| {
            tracing::error!(%fault, list = number, entry = %id, "an entry of a watch list cannot be read");
            None
        });
        let Some(mut record) = read.filter(|record| record.entry.contest.is_none()) else { continue };
        record.entry.contest = Some(Contest { at: now, request: None });
        book::put(vault, key, &record.entry, &record.embedding, change)?;
        contested += 1;
    }
    Ok(Followed { slots, contested, _alone: Some(alone) })
}

/// Adds to a subject's erasure the entries that may not be there at all, and gives their slots: others outlive it. The caller has
/// the lock of entries until it is committed.
pub(crate) fn shred_with(
    vault: &Vault,
    silo: &Silo,
    subject: SlotRef,
    person: &Dossier,
    change: &mut Change,
) -> Result<Vec<SlotRef>> {
    let mut slots = Vec::new();
    if rules::is_forbidden(&silo.policy(), person) {
        for (number, id) in book::listed(vault, silo, subject)? {
            let Some((key, slot)) = book::place(vault, silo, number, id)? else { continue };
            change.delete(key);
            slots.push(slot);
        }
    }
    Ok(slots)
}
