//! Watch lists: confirmed fraud and known masks, which searches against fraud compare with (O9, O40).
//!
//! An entry is a record of its own: it has a slot of its own, so that it outlives whom it was made of and is shredded on its own; and
//! it names nobody. What leads from a person to entries that were made of it is sealed under the person's key, and dies with it.
//! Everything that is asked of lists or entries, and changes them, has the tenant's administration lock; whatever writes an entry again or
//! shreds it, that of entries.

mod add;
mod book;
mod compare;
mod decide;
mod expire;
mod law;
mod person;

use std::sync::Arc;

use lethe_domain::{Reason, Watchlist, WatchlistEntry, WatchlistEntryId, WatchlistId, WatchlistKind};
use lethe_policy::Authorized;
use lethe_policy::operation::{
    CreateWatchlist, DeleteWatchlist, GetWatchlistEntry, ListWatchlistEntries, ListWatchlists,
};

use crate::audit;
use crate::error::{Error, Result};
use crate::records::WatchlistRecord;
use crate::store::{Change, Key};
use crate::vault::Vault;

pub use add::{Source, Wanted, add};
pub use book::Page;
pub(crate) use book::{Own, listed, of_subject, readable_lists, whole};
pub(crate) use compare::against;
pub use compare::{Hit, Watched};
pub use decide::{Decided, Target, Verdict, contest, decide, remove};
pub(crate) use expire::expire;
pub(crate) use law::follow_law;
pub(crate) use person::{Followed, follow, shred_with};

/// Most watch lists that a tenant has.
const MOST_LISTS: usize = 64;

/// An entry, with its list and its id.
#[derive(Debug, Clone)]
pub struct Filed {
    /// The list that it is in.
    pub list: Watchlist,
    /// Its id.
    pub id: WatchlistEntryId,
    /// What is known of it.
    pub entry: WatchlistEntry,
}

/// Creates a watch list. One of the same kind that is there already is given as it is.
///
/// # Errors
/// `WatchlistExists` for one of another kind; `WatchlistLimited`.
pub async fn create(
    vault: &Vault,
    call: Authorized<CreateWatchlist>,
    id: WatchlistId,
    kind: WatchlistKind,
) -> Result<Watchlist> {
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_administration().await;
    let known = book::lists(vault, &silo)?;
    if let Some((_, list)) = known.iter().find(|(_, list)| list.id == id) {
        if list.kind != kind {
            let message = format!("there is a watch list of that id, of the kind {}", list.kind.name());
            return Err(Error::Exists(Reason::WatchlistExists, message));
        }
        vault.note(silo.tree, &call).await?;
        return Ok(list.clone());
    }
    if known.len() >= MOST_LISTS {
        return Err(book::limited(format!("a tenant has {MOST_LISTS} watch lists at most")));
    }
    let number = book::unused_number(vault, &silo)?;
    let now = vault.clock.now();
    let list = Watchlist { id, kind, created_at: now };
    let key = Key::Watchlist { tree: silo.tree, number };
    let sealed = vault.keys.seal(&key, "", &WatchlistRecord::seal_as(&list)?)?;
    let mut change = Change::new();
    change.put(key, sealed);
    let fields = [("watchlist", list.id.as_str()), ("kind", kind.name())];
    change.log(silo.tree, audit::telling(audit::done(&call, now)?, "WATCHLIST_CREATED", &fields)?);
    let sequence = vault.store.commit(change).await?.sequence;
    vault.store.mirrored_if_soon(sequence).await;
    Ok(list)
}

/// Deletes a watch list that has no entries.
///
/// # Errors
/// `WatchlistNotFound`, `WatchlistNotEmpty`.
pub async fn delete(vault: &Vault, call: Authorized<DeleteWatchlist>, id: &WatchlistId) -> Result<()> {
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_administration().await;
    let (number, _) = vault.noting_misses(silo.tree, &call, book::expect_list(vault, &silo, id)).await?;
    if !book::is_empty(vault, &silo, number)? {
        return Err(Error::Precondition(Reason::WatchlistNotEmpty, "the watch list has entries".to_owned()));
    }
    let mut change = Change::new();
    change.delete(Key::Watchlist { tree: silo.tree, number });
    let entry = audit::done(&call, vault.clock.now())?;
    change.log(silo.tree, audit::naming(entry, "WATCHLIST_DELETED", "watchlist", id.as_str())?);
    let sequence = vault.store.commit(change).await?.sequence;
    vault.store.mirrored_if_soon(sequence).await;
    Ok(())
}

/// All watch lists of a tenant that can be read, by id.
pub async fn list(vault: &Vault, call: Authorized<ListWatchlists>) -> Result<Vec<Watchlist>> {
    let silo = vault.silo(&call)?;
    let (lists, _) = book::readable_lists(vault, &silo)?;
    let mut lists: Vec<_> = lists.into_iter().map(|(_, list)| list).collect();
    lists.sort_by(|a, b| a.id.cmp(&b.id));
    vault.note(silo.tree, &call).await?;
    Ok(lists)
}

/// Reads an entry, without its embedding.
///
/// # Errors
/// `WatchlistNotFound`, `WatchlistEntryNotFound`.
pub async fn get(
    vault: &Vault,
    call: Authorized<GetWatchlistEntry>,
    list: &WatchlistId,
    id: WatchlistEntryId,
) -> Result<Filed> {
    let silo = vault.silo(&call)?;
    let found = book::expect(vault, &silo, list, id).map(|found| found.filed);
    let found = vault.noting_misses(silo.tree, &call, found).await?;
    vault.note(silo.tree, &call).await?;
    Ok(found)
}

/// Lists the entries of a list, from an id on whose first bytes are `from`.
///
/// # Errors
/// `WatchlistNotFound`.
pub async fn list_entries(
    vault: &Arc<Vault>,
    call: Authorized<ListWatchlistEntries>,
    list: &WatchlistId,
    from: u64,
    size: usize,
) -> Result<Page> {
    let silo = vault.silo(&call)?;
    let (number, list) = vault.noting_misses(silo.tree, &call, book::expect_list(vault, &silo, list)).await?;
    let (reader, of) = (Arc::clone(vault), Arc::clone(&silo));
    let page = vault.looking.in_turn(move || book::page(&reader, &of, number, &list, from, size)).await?;
    vault.note(silo.tree, &call).await?;
    Ok(page)
}
