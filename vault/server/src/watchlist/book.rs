//! The rows of watch lists and their entries.

use std::ops::ControlFlow;
use std::time::Duration;

use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_crypto::wiping;
use lethe_domain::{Embedding, Reason, Watchlist, WatchlistEntry, WatchlistEntryId, WatchlistId};

use super::Filed;
use crate::error::{Error, Result};
use crate::keyring::Opener;
use crate::records::{ListedRecord, WatchlistEntryRecord, WatchlistRecord};
use crate::silo::Silo;
use crate::store::{Change, Key, RowKind, StoreError, WatchlistNumber};
use crate::vault::Vault;

/// What a caller should wait where nothing but somebody's removing something makes room.
const UNTIL_THERE_IS_ROOM: Duration = Duration::from_secs(3600);

/// Entries that are in memory at a time with their embeddings.
const WHOLE: usize = 64;

/// A page of entries.
#[derive(Default)]
pub struct Page {
    /// Entries, in the order of their ids.
    pub entries: Vec<Filed>,
    /// The first bytes of the id at which the next page begins; `None` on the last.
    pub next: Option<u64>,
}

/// An entry as it is in its row.
pub(super) struct Found {
    pub(super) key: Key,
    pub(super) slot: SlotRef,
    pub(super) filed: Filed,
    pub(super) embedding: Embedding,
}

/// All watch lists of a tenant, by number.
pub(super) fn lists(vault: &Vault, silo: &Silo) -> Result<Vec<(WatchlistNumber, Watchlist)>> {
    let mut lists = Vec::new();
    each_list(vault, silo, |number, list| {
        lists.push((number, list?));
        Ok(())
    })?;
    Ok(lists)
}

/// The watch lists of a tenant that can be read, and how many cannot.
pub(crate) fn readable_lists(vault: &Vault, silo: &Silo) -> Result<(Vec<(WatchlistNumber, Watchlist)>, u64)> {
    let (mut lists, mut unreadable) = (Vec::new(), 0);
    each_list(vault, silo, |number, list| {
        match list {
            Ok(list) => lists.push((number, list)),
            Err(fault) => {
                tracing::error!(%fault, list = number, "a watch list cannot be read");
                unreadable += 1;
            }
        }
        Ok(())
    })?;
    Ok((lists, unreadable))
}

fn each_list(
    vault: &Vault,
    silo: &Silo,
    mut take: impl FnMut(WatchlistNumber, Result<Watchlist>) -> Result<()>,
) -> Result<()> {
    let prefix = Key::prefix_of_tree(RowKind::Watchlist, silo.tree);
    vault.store.few(RowKind::Watchlist, &prefix, |key, sealed| {
        let Key::Watchlist { number, .. } = key else { return Ok(()) };
        match vault.keys.open(&key, "", sealed).transpose() {
            Some(opened) => take(number, opened.and_then(|opened| Ok(WatchlistRecord::read(&opened)?))),
            None => Ok(()),
        }
    })
}

/// A number that no watch list of the tenant has, whether it can be read or not. One that was given before is all but never given again: who
/// read lists a while ago takes none for another.
pub(super) fn unused_number(vault: &Vault, silo: &Silo) -> Result<WatchlistNumber> {
    loop {
        let [a, b, c, d, ..] = *WatchlistEntryId::random().as_bytes();
        let number = WatchlistNumber::from_be_bytes([a, b, c, d]);
        if vault.store.get(&Key::Watchlist { tree: silo.tree, number })?.is_none() {
            return Ok(number);
        }
    }
}

/// The watch list of a number; `None` if there is none.
pub(super) fn list_numbered(vault: &Vault, silo: &Silo, number: WatchlistNumber) -> Result<Option<Watchlist>> {
    let key = Key::Watchlist { tree: silo.tree, number };
    let Some(sealed) = vault.store.get(&key)? else { return Ok(None) };
    let opened = vault.keys.open(&key, "", &sealed)?;
    Ok(opened.map(|opened| WatchlistRecord::read(&opened)).transpose()?)
}

/// A watch list that must be there. One that cannot be read is in nobody's way but who looks for it.
///
/// # Errors
/// `WatchlistNotFound`, unless it may be one that cannot be read.
pub(super) fn expect_list(vault: &Vault, silo: &Silo, id: &WatchlistId) -> Result<(WatchlistNumber, Watchlist)> {
    let (mut found, mut fault) = (None, None);
    each_list(vault, silo, |number, list| {
        match list {
            Ok(list) if list.id == *id => found = Some((number, list)),
            Ok(_) => {}
            Err(unreadable) => fault = Some(unreadable),
        }
        Ok(())
    })?;
    match (found, fault) {
        (Some(found), _) => Ok(found),
        (None, Some(fault)) => Err(fault),
        (None, None) => Err(Error::NotFound(Reason::WatchlistNotFound, "there is no such watch list".to_owned())),
    }
}

/// Names an entry that cannot be read, so that it can be restored or removed: it leaves no answer from the rest.
pub(super) fn unreadable(
    vault: &Vault,
    silo: &Silo,
    number: WatchlistNumber,
    id: WatchlistEntryId,
    fault: Error,
) -> Error {
    if let Error::Store(StoreError::Closed | StoreError::Shredded) = fault {
        return fault;
    }
    tracing::error!(%fault, list = number, entry = %id, "an entry of a watch list cannot be read");
    let message = match list_numbered(vault, silo, number) {
        Ok(Some(list)) => format!("tenants/{}/watchlists/{}/entries/{id} cannot be read", silo.id, list.id),
        Ok(None) | Err(_) => format!("the watch list of number {number}, or its entry {id}, cannot be read"),
    };
    Error::Unavailable(Reason::SearchIncomplete, message)
}

/// Whether a list has no entries.
pub(super) fn is_empty(vault: &Vault, silo: &Silo, number: WatchlistNumber) -> Result<bool> {
    let prefix = Key::prefix_of_watchlist(silo.tree, number);
    let mut is_empty = true;
    vault.store.scan_from(RowKind::WatchlistEntry, &prefix, &prefix, |_, _| {
        is_empty = false;
        Ok::<_, Error>(ControlFlow::Break(()))
    })?;
    Ok(is_empty)
}

/// How many entries a tenant has, at most `most`.
pub(super) fn count(vault: &Vault, tree: TreeId, most: usize) -> Result<usize> {
    let prefix = Key::prefix_of_tree(RowKind::WatchlistEntry, tree);
    let mut count = 0;
    vault.store.scan_from(RowKind::WatchlistEntry, &prefix, &prefix, |_, _| {
        count += 1;
        Ok::<_, Error>(if count == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(count)
}

/// Opens an entry's row; `None` of one that was shredded meanwhile.
pub(super) fn open(keys: &mut Opener<'_>, key: &Key, sealed: &[u8]) -> Result<Option<WatchlistEntryRecord>> {
    let opened = keys.open(key, "", sealed)?;
    Ok(opened.map(|opened| WatchlistEntryRecord::read(&opened)).transpose()?)
}

/// An entry of a list, and its row's key; `None` if there is none.
pub(super) fn find(
    vault: &Vault,
    silo: &Silo,
    number: WatchlistNumber,
    list: &Watchlist,
    id: WatchlistEntryId,
) -> Result<Option<Found>> {
    wiping::after_ciphers(|| {
        let mut found = None;
        let mut keys = vault.keys.opener();
        vault.store.few(RowKind::WatchlistEntry, &Key::prefix_of_entry(silo.tree, number, id), |key, sealed| {
            if let Key::WatchlistEntry { slot, .. } = key
                && let Some(WatchlistEntryRecord { entry, embedding }) = open(&mut keys, &key, sealed)?
            {
                found = Some(Found { key, slot, filed: Filed { list: list.clone(), id, entry }, embedding });
            }
            Ok::<_, Error>(())
        })?;
        Ok(found)
    })
}

/// An entry by its row's key; `None` if there is none.
pub(super) fn reread(vault: &Vault, key: &Key) -> Result<Option<WatchlistEntryRecord>> {
    let Some(sealed) = vault.store.get(key)? else { return Ok(None) };
    wiping::after_ciphers(|| open(&mut vault.keys.opener(), key, &sealed))
}

/// Where an entry of a list is, whether it can be read or not; `None` if there is none.
pub(super) fn place(
    vault: &Vault,
    silo: &Silo,
    number: WatchlistNumber,
    id: WatchlistEntryId,
) -> Result<Option<(Key, SlotRef)>> {
    let mut found = None;
    vault.store.few(RowKind::WatchlistEntry, &Key::prefix_of_entry(silo.tree, number, id), |key, _| {
        if let Key::WatchlistEntry { slot, .. } = key {
            found = Some((key, slot));
        }
        Ok::<_, Error>(())
    })?;
    Ok(found)
}

/// An entry that must be there.
///
/// # Errors
/// `WatchlistNotFound`, `WatchlistEntryNotFound`.
pub(super) fn expect(vault: &Vault, silo: &Silo, list: &WatchlistId, id: WatchlistEntryId) -> Result<Found> {
    let (number, list) = expect_list(vault, silo, list)?;
    find(vault, silo, number, &list, id)?.ok_or_else(missing)
}

/// The same of where it is.
///
/// # Errors
/// As [`expect`].
pub(super) fn expect_place(
    vault: &Vault,
    silo: &Silo,
    list: &WatchlistId,
    id: WatchlistEntryId,
) -> Result<(Key, SlotRef)> {
    let (number, _) = expect_list(vault, silo, list)?;
    place(vault, silo, number, id)?.ok_or_else(missing)
}

pub(super) fn missing() -> Error {
    Error::NotFound(Reason::WatchlistEntryNotFound, "the watch list has no such entry".to_owned())
}

/// Writes an entry.
pub(super) fn put(
    vault: &Vault,
    key: Key,
    entry: &WatchlistEntry,
    embedding: &Embedding,
    change: &mut Change,
) -> Result<()> {
    let sealed = wiping::after_ciphers(|| {
        let record = WatchlistEntryRecord::seal_as(entry, embedding.components())?;
        vault.keys.seal(&key, "", &record)
    })?;
    change.put(key, sealed);
    Ok(())
}

/// A page of a list's entries.
pub(super) fn page(
    vault: &Vault,
    silo: &Silo,
    number: WatchlistNumber,
    list: &Watchlist,
    from: u64,
    size: usize,
) -> Result<Page> {
    let prefix = Key::prefix_of_watchlist(silo.tree, number);
    let mut start = prefix.clone();
    start.extend_from_slice(&from.to_be_bytes());
    wiping::of_a_task(|| {
        let mut page = Page::default();
        let mut keys = vault.keys.opener();
        vault.store.scan_from(RowKind::WatchlistEntry, &prefix, &start, |key, sealed| {
            let Key::WatchlistEntry { entry: id, .. } = key else { return Ok(ControlFlow::Continue(())) };
            if page.entries.len() == size {
                page.next = id.as_bytes().first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
                return Ok(ControlFlow::Break(()));
            }
            match open(&mut keys, &key, sealed) {
                Ok(Some(record)) => page.entries.push(Filed { list: list.clone(), id, entry: record.entry }),
                Ok(None) => {}
                // The others do not wait for it.
                Err(fault) => {
                    tracing::error!(%fault, list = number, entry = %id, "an entry of a watch list cannot be read");
                }
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        Ok(page)
    })
}

/// Some entries of all lists, with their embeddings.
#[derive(Default)]
pub(crate) struct Whole {
    pub(crate) entries: Vec<(Filed, Embedding)>,
    /// Entries that cannot be read.
    pub(crate) unreadable: u64,
    /// The key at which the next begin; `None` after the last.
    pub(crate) next: Option<Vec<u8>>,
}

/// Entries of these lists from a key on, a few at a time.
pub(crate) fn whole(
    vault: &Vault,
    silo: &Silo,
    lists: &[(WatchlistNumber, Watchlist)],
    from: Option<Vec<u8>>,
) -> Result<Whole> {
    let prefix = Key::prefix_of_tree(RowKind::WatchlistEntry, silo.tree);
    let start = from.unwrap_or_else(|| prefix.clone());
    wiping::of_a_task(|| {
        let (mut whole, mut seen) = (Whole::default(), 0);
        let mut keys = vault.keys.opener();
        vault.store.scan_from(RowKind::WatchlistEntry, &prefix, &start, |key, sealed| {
            let Key::WatchlistEntry { list: number, entry: id, .. } = key else {
                return Ok(ControlFlow::Continue(()));
            };
            if seen == WHOLE {
                whole.next = Some(key.encode());
                return Ok(ControlFlow::Break(()));
            }
            seen += 1;
            // It may be of a list that was created meanwhile.
            let known = lists.iter().find(|(known, _)| *known == number).map(|(_, list)| list.clone());
            let list = known.map_or_else(|| list_numbered(vault, silo, number), |list| Ok(Some(list)));
            match (open(&mut keys, &key, sealed), list) {
                (Ok(Some(WatchlistEntryRecord { entry, embedding })), Ok(Some(list))) => {
                    whole.entries.push((Filed { list, id, entry }, embedding));
                }
                // Shredded meanwhile.
                (Ok(None), _) => {}
                (Ok(Some(_)), Ok(None)) => whole.unreadable += 1,
                (Err(fault), _) | (_, Err(fault)) => {
                    tracing::error!(%fault, list = number, entry = %id, "an entry of a watch list cannot be read");
                    whole.unreadable += 1;
                }
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        Ok(whole)
    })
}

/// Which entries were made from a subject's templates, also those that are gone.
pub(crate) fn listed(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Vec<(WatchlistNumber, WatchlistEntryId)>> {
    let key = Key::Listed { tree: silo.tree, subject };
    let Some(sealed) = vault.store.get(&key)? else { return Ok(Vec::new()) };
    let opened = vault.keys.open(&key, "", &sealed)?;
    Ok(opened.map_or_else(|| Ok(Vec::new()), |opened| ListedRecord::read(&opened))?)
}

/// An entry that was made from a subject's template, and is there.
pub(crate) enum Own {
    /// It is read.
    Filed(Box<Filed>),
    /// It cannot be read; in which list it is, if that can.
    Unreadable(Option<Watchlist>, WatchlistEntryId),
}

/// The entries that were made from a subject's templates and are there. One that cannot be read holds up nobody's archive.
pub(crate) fn of_subject(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Vec<Own>> {
    let listed = listed(vault, silo, subject)?;
    let mut own = Vec::with_capacity(listed.len());
    for (number, id) in listed {
        let Some((key, _)) = place(vault, silo, number, id)? else { continue };
        let list = list_numbered(vault, silo, number);
        let unreadable = |fault: &Error, list| {
            tracing::error!(%fault, list = number, entry = %id, "an entry of a watch list cannot be read");
            Own::Unreadable(list, id)
        };
        match (reread(vault, &key), list) {
            (Ok(None), _) => {}
            (Ok(Some(record)), Ok(Some(list))) => {
                own.push(Own::Filed(Box::new(Filed { list, id, entry: record.entry })));
            }
            (Ok(Some(_)), Ok(None)) => own.push(Own::Unreadable(None, id)),
            (Ok(Some(_)), Err(fault)) => own.push(unreadable(&fault, None)),
            (Err(fault), list) => own.push(unreadable(&fault, list.unwrap_or_default())),
        }
    }
    Ok(own)
}

pub(super) fn limited(message: String) -> Error {
    Error::Limited { reason: Reason::WatchlistLimited, retry_after: UNTIL_THERE_IS_ROOM, message }
}
