//! What becomes of an entry: it is contested, decided on, removed.

use lethe_crypto::log::entry::{EntryDraft, Scope};
use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    Contest, Reason, ReceiptId, RequestId, RightsRequestId, Timestamp, Upheld, WatchlistEntryId, WatchlistId,
};
use lethe_policy::operation::{ContestWatchlistEntry, DecideWatchlistEntry, Kind, RemoveWatchlistEntry};
use lethe_policy::{Authorized, watchlist as rules};
use tokio::time::Instant;

use super::Filed;
use super::book::{self, Found};
use crate::audit;
use crate::erasure::{Erasure, Request, Task, receipt_of, wait};
use crate::error::{Error, Result};
use crate::idempotency::Fingerprint;
use crate::request;
use crate::silo::Silo;
use crate::store::{Change, Key};
use crate::vault::Vault;

/// The entry that is to go.
pub struct Target {
    /// Its list.
    pub list: WatchlistId,
    /// Which.
    pub entry: WatchlistEntryId,
    /// The receipt's id derives from it.
    pub request: RequestId,
    /// Until when to wait for `SHREDDED`; `None` not to wait.
    pub until: Option<Instant>,
}

impl Target {
    fn receipt(&self, vault: &Vault, silo: &Silo) -> Result<ReceiptId> {
        let what = Fingerprint::of("watchlist").with(self.list.as_str().as_bytes()).with(self.entry.as_bytes());
        receipt_of(&vault.keys, silo.tree, self.request, what)
    }
}

/// What a reviewer decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The entry is right.
    Upheld,
    /// It is wrong.
    Rejected,
}

/// What came of a decision.
pub enum Decided {
    /// The entry is compared again.
    Upheld(Box<Filed>),
    /// It goes.
    Rejected(Erasure),
}

/// Records that an entry is contested. No search that is answered afterwards has it.
///
/// # Errors
/// `WatchlistNotFound`, `WatchlistEntryNotFound`; `RequestNotFound`, `RequestClosed`.
pub async fn contest(
    vault: &Vault,
    call: Authorized<ContestWatchlistEntry>,
    list: &WatchlistId,
    id: WatchlistEntryId,
    asked: Option<RightsRequestId>,
) -> Result<Filed> {
    let silo = vault.silo(&call)?;
    let alone = (silo.lock_administration().await, silo.lock_entries().await);
    let mut found = vault.noting_misses(silo.tree, &call, book::expect(vault, &silo, list, id)).await?;
    let is_repeat = asked.is_some() && found.filed.entry.contest.is_some_and(|known| known.request == asked);
    if let Some(asked) = asked.filter(|_| !is_repeat) {
        vault.noting_misses(silo.tree, &call, request::expect_open(vault, &silo, asked)).await?;
    }
    if found.filed.entry.contest.is_none() {
        let now = vault.clock.now();
        found.filed.entry.contest = Some(Contest { at: now, request: asked });
        rewrite(vault, &silo, &found, named(&call, now, "WATCHLIST_ENTRY_CONTESTED", list, id)?).await?;
    } else {
        vault.note(silo.tree, &call).await?;
    }
    drop(alone);
    // Also a repeat: the first may not have been answered.
    silo.rights().settled().await;
    Ok(found.filed)
}

/// Decides on a contested entry. The same of one that the caller upheld already changes nothing.
///
/// # Errors
/// `WatchlistNotFound`, `WatchlistEntryNotFound`; `WatchlistEntryNotContested`; `Denied` with `ReviewerNotIndependent`.
pub async fn decide(
    vault: &Vault,
    call: Authorized<DecideWatchlistEntry>,
    target: Target,
    verdict: Verdict,
) -> Result<Decided> {
    let silo = vault.silo(&call)?;
    let receipt = target.receipt(vault, &silo)?;
    let alone = (silo.lock_administration().await, silo.lock_entries().await);
    if verdict == Verdict::Rejected && vault.eraser.state(silo.tree, receipt)?.is_some() {
        vault.note(silo.tree, &call).await?;
    } else {
        let (list, id) = (&target.list, target.entry);
        let mut found = vault.noting_misses(silo.tree, &call, book::expect(vault, &silo, list, id)).await?;
        let may = rules::may_decide(&found.filed.entry, call.credential()).map_err(Error::Denied);
        vault.noting_denials(silo.tree, &call, may).await?;
        let now = vault.clock.now();
        let entry = &mut found.filed.entry;
        match (entry.contest, verdict) {
            (Some(_), Verdict::Rejected) => {
                let logged = named(&call, now, "WATCHLIST_ENTRY_REJECTED", list, id)?;
                shred(vault, &silo, (found.key, found.slot), receipt, logged, now).await?;
            }
            (Some(_), Verdict::Upheld) => {
                entry.contest = None;
                entry.upheld = Some(Upheld { at: now, by: call.credential() });
                rewrite(vault, &silo, &found, named(&call, now, "WATCHLIST_ENTRY_UPHELD", list, id)?).await?;
                return Ok(Decided::Upheld(Box::new(found.filed)));
            }
            (None, Verdict::Upheld) if entry.upheld.is_some_and(|upheld| upheld.by == call.credential()) => {
                vault.note(silo.tree, &call).await?;
                return Ok(Decided::Upheld(Box::new(found.filed)));
            }
            (None, _) => {
                let message = "nobody contests the entry".to_owned();
                return Err(Error::Precondition(Reason::WatchlistEntryNotContested, message));
            }
        }
    }
    drop(alone);
    silo.rights().settled().await;
    Ok(Decided::Rejected(Erasure { receipt, state: wait(vault, silo.tree, receipt, target.until).await? }))
}

/// Removes an entry, also one that cannot be read: it is shredded. No search that is answered afterwards has it.
///
/// # Errors
/// `WatchlistNotFound`, `WatchlistEntryNotFound`.
pub async fn remove(vault: &Vault, call: Authorized<RemoveWatchlistEntry>, target: Target) -> Result<Erasure> {
    let silo = vault.silo(&call)?;
    let receipt = target.receipt(vault, &silo)?;
    let alone = (silo.lock_administration().await, silo.lock_entries().await);
    if vault.eraser.state(silo.tree, receipt)?.is_some() {
        vault.note(silo.tree, &call).await?;
    } else {
        let (list, id) = (&target.list, target.entry);
        let found = book::expect_place(vault, &silo, list, id);
        let place = vault.noting_misses(silo.tree, &call, found).await?;
        let now = vault.clock.now();
        let logged = named(&call, now, "WATCHLIST_ENTRY_REMOVED", list, id)?;
        shred(vault, &silo, place, receipt, logged, now).await?;
    }
    drop(alone);
    silo.rights().settled().await;
    Ok(Erasure { receipt, state: wait(vault, silo.tree, receipt, target.until).await? })
}

/// Writes what became of an entry.
async fn rewrite(vault: &Vault, silo: &Silo, found: &Found, logged: EntryDraft) -> Result<()> {
    let mut change = Change::new();
    book::put(vault, found.key.clone(), &found.filed.entry, &found.embedding, &mut change)?;
    change.log(silo.tree, logged);
    let sequence = vault.store.commit(change).await?.sequence;
    vault.store.mirrored_if_soon(sequence).await;
    Ok(())
}

/// An entry's own key goes: nothing else is sealed under it.
async fn shred(
    vault: &Vault,
    silo: &Silo,
    (key, slot): (Key, SlotRef),
    receipt: ReceiptId,
    logged: EntryDraft,
    now: Timestamp,
) -> Result<()> {
    let mut change = Change::new();
    change.delete(key);
    change.log(silo.tree, logged);
    let (task, slots) = (Task::Erase(Scope::Template), vec![slot]);
    let request = Request { tree: silo.tree, task, slots, receipt, now };
    vault.eraser.accept(request, change).await.map(drop)
}

fn named<O: Kind>(
    call: &Authorized<O>,
    now: Timestamp,
    event: &str,
    list: &WatchlistId,
    id: WatchlistEntryId,
) -> Result<EntryDraft> {
    let id = id.to_string();
    audit::telling(audit::done(call, now)?, event, &[("watchlist", list.as_str()), ("entry", id.as_str())])
}
