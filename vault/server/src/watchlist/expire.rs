//! Shredding entries whose time is over.

use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::TreeId;
use lethe_crypto::wiping;
use lethe_domain::{RequestId, Timestamp};

use super::book;
use crate::audit;
use crate::erasure::{Request, Task, receipt_of};
use crate::error::{Error, Result};
use crate::idempotency::Fingerprint;
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// What the log calls it: nobody asked.
const OPERATION: &str = "vault.expire_watchlist_entries";

/// Most that is shredded with one intent, and looked at in one go.
const AT_ONCE: usize = 1024;

/// Shreds a tenant's entries whose time is over at `now`, and gives how many there were.
///
/// # Errors
/// What the store says; what was accepted before is done.
pub(crate) async fn expire(vault: &Arc<Vault>, silo: &SiloRef, now: Timestamp) -> Result<usize> {
    let (tree, mut shredded) = (silo.tree, 0);
    let mut from = Some(Key::prefix_of_tree(RowKind::WatchlistEntry, tree));
    while let Some(start) = from {
        if vault.silos.is_closing() || silo.rights().is_over() {
            break;
        }
        let reader = Arc::clone(vault);
        let looked = tokio::task::spawn_blocking(move || look(&reader, tree, &start, now)).await;
        let (over, next) = looked.map_err(|_| Error::TaskLost)??;
        from = next;
        if !over.is_empty() {
            shredded += shred(vault, silo, over, now).await?;
        }
    }
    Ok(shredded)
}

/// Which entries are over, of some from a key on, and where the next begin.
fn look(vault: &Vault, tree: TreeId, from: &[u8], now: Timestamp) -> Result<(Vec<Key>, Option<Vec<u8>>)> {
    wiping::of_a_task(|| {
        let (mut over, mut next, mut seen) = (Vec::new(), None, 0);
        let mut keys = vault.keys.opener();
        let whole = Key::prefix_of_tree(RowKind::WatchlistEntry, tree);
        vault.store.scan_from(RowKind::WatchlistEntry, &whole, from, |key, sealed| {
            if seen == AT_ONCE {
                next = Some(key.encode());
                return Ok(ControlFlow::Break(()));
            }
            seen += 1;
            let Key::WatchlistEntry { list, entry, .. } = key else { return Ok(ControlFlow::Continue(())) };
            match book::open(&mut keys, &key, sealed) {
                Ok(Some(record)) if record.entry.is_over(now) => over.push(key),
                Ok(_) => {}
                // The others must not wait for it.
                Err(fault) => tracing::error!(%fault, list, %entry, "an entry of a watch list cannot be read"),
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        Ok((over, next))
    })
}

/// Shreds those that are there still, now that nobody writes to them. When an entry expires never changes.
async fn shred(vault: &Vault, silo: &Silo, over: Vec<Key>, now: Timestamp) -> Result<usize> {
    let _alone = (silo.lock_administration().await, silo.lock_entries().await);
    let (mut change, mut slots) = (Change::new(), Vec::with_capacity(over.len()));
    for key in over {
        let Key::WatchlistEntry { slot, .. } = key else { continue };
        if vault.store.get(&key)?.is_some() {
            slots.push(slot);
            change.delete(key);
        }
    }
    if slots.is_empty() {
        return Ok(0);
    }
    let (tree, count) = (silo.tree, slots.len());
    let entry = audit::by_the_vault(OPERATION, now)?;
    change.log(tree, audit::counting(entry, "WATCHLIST_ENTRIES_EXPIRED", &[("entries", count as u64)])?);
    let receipt = receipt_of(&vault.keys, tree, RequestId::random(), Fingerprint::of(OPERATION))?;
    let request = Request { tree, task: Task::Erase(Scope::Template), slots, receipt, now };
    vault.eraser.accept(request, change).await?;
    Ok(count)
}
