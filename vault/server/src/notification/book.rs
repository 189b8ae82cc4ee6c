//! The rows of notifications.

use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_domain::{Notification, NotificationId, Reason, Timestamp};
use lethe_policy::notification::is_over;

use super::Filed;
use crate::audit;
use crate::error::{Error, Result};
use crate::records::NotificationRecord;
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// What the log calls it: nobody asked.
const OPERATION: &str = "vault.expire_notifications";

/// Most rows that a page reads: then others have their turn.
const STRIDE: usize = 1000;
/// Most that a sweep looks at in one go.
const LOOKED_AT: usize = 16_384;
/// Most that is deleted with one change.
const AT_ONCE: usize = 1024;

/// A page of notifications.
#[derive(Default)]
pub struct Page {
    /// Notifications, under their ids.
    pub notifications: Vec<Filed>,
    /// The first bytes of the id at which the next page begins; `None` on the last.
    pub next: Option<u64>,
}

/// Writes a notification.
pub(super) fn put(
    vault: &Vault,
    silo: &Silo,
    id: NotificationId,
    notification: &Notification,
    change: &mut Change,
) -> Result<()> {
    let key = Key::Notification { tree: silo.tree, notification: id };
    let sealed = vault.keys.seal(&key, "", &NotificationRecord::seal_as(notification)?)?;
    change.put(key, sealed);
    Ok(())
}

/// Reads a notification that must be there.
///
/// # Errors
/// `NotificationNotFound`.
pub(super) fn expect(vault: &Vault, silo: &Silo, id: NotificationId) -> Result<Notification> {
    let missing = || Error::NotFound(Reason::NotificationNotFound, "there is no such notification".to_owned());
    let key = Key::Notification { tree: silo.tree, notification: id };
    let sealed = vault.store.get(&key)?.ok_or_else(missing)?;
    let opened = vault.keys.open(&key, "", &sealed)?.ok_or_else(missing)?;
    Ok(NotificationRecord::read(&opened)?)
}

/// A page of notifications, by id, without those that cannot be read. Of many that are not wanted a page has fewer than it might.
pub(super) fn page(vault: &Vault, silo: &Silo, pending: bool, from: u64, size: usize) -> Result<Page> {
    let mut page = Page::default();
    let mut first = [0; 16];
    first[..8].copy_from_slice(&from.to_be_bytes());
    let start = Key::Notification { tree: silo.tree, notification: NotificationId::from_bytes(first) }.encode();
    let mut looked_at = 0;
    each(vault, silo, &start, |id, notification| {
        if page.notifications.len() == size || looked_at == STRIDE {
            page.next = id.as_bytes().first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
            return Ok(ControlFlow::Break(()));
        }
        looked_at += 1;
        let Some(notification) = readable(notification) else { return Ok(ControlFlow::Continue(())) };
        if !pending || notification.closed.is_none() {
            page.notifications.push((id, notification));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}

fn each(
    vault: &Vault,
    silo: &Silo,
    start: &[u8],
    mut take: impl FnMut(NotificationId, Result<Notification>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut keys = vault.keys.opener();
    let whole = Key::prefix_of_tree(RowKind::Notification, silo.tree);
    vault.store.scan_from(RowKind::Notification, &whole, start, |key, sealed| {
        let Key::Notification { notification: id, .. } = key else { return Ok(ControlFlow::Continue(())) };
        match keys.open(&key, "", sealed).transpose() {
            Some(opened) => take(id, opened.and_then(|opened| Ok(NotificationRecord::read(&opened)?))),
            None => Ok(ControlFlow::Continue(())),
        }
    })?;
    Ok(())
}

/// What can be read; of what cannot, the operator is told, and the others do not wait for it.
fn readable(notification: Result<Notification>) -> Option<Notification> {
    notification.inspect_err(|fault| tracing::error!(%fault, "a notification cannot be read")).ok()
}

/// Deletes a tenant's notifications whose time is over at `now`, and gives how many there were.
///
/// # Errors
/// What the store says; what was deleted before is.
pub(crate) async fn expire(vault: &Arc<Vault>, silo: &SiloRef, now: Timestamp) -> Result<usize> {
    let (tree, mut deleted) = (silo.tree, 0);
    let mut from = Some(Key::prefix_of_tree(RowKind::Notification, tree));
    while let Some(start) = from {
        if vault.silos.is_closing() || silo.rights().is_over() {
            break;
        }
        let (reader, of) = (Arc::clone(vault), Arc::clone(silo));
        let looked = tokio::task::spawn_blocking(move || look(&reader, &of, &start, now)).await;
        let (over, next) = looked.map_err(|_| Error::TaskLost)??;
        from = next;
        if over.is_empty() {
            continue;
        }
        // What came of a notification is recorded once: nobody changes these.
        let mut change = Change::new();
        let count = over.len();
        for notification in over {
            change.delete(Key::Notification { tree, notification });
        }
        let entry = audit::by_the_vault(OPERATION, now)?;
        change.log(tree, audit::counting(entry, "NOTIFICATIONS_EXPIRED", &[("notifications", count as u64)])?);
        vault.store.commit(change).await?;
        deleted += count;
    }
    Ok(deleted)
}

/// Which notifications are over, of some from a key on, and where the next begin.
fn look(vault: &Vault, silo: &Silo, from: &[u8], now: Timestamp) -> Result<(Vec<NotificationId>, Option<Vec<u8>>)> {
    let (mut over, mut next, mut seen) = (Vec::new(), None, 0);
    each(vault, silo, from, |id, notification| {
        if seen == LOOKED_AT || over.len() == AT_ONCE {
            next = Some(Key::Notification { tree: silo.tree, notification: id }.encode());
            return Ok(ControlFlow::Break(()));
        }
        seen += 1;
        over.extend(readable(notification).filter(|notification| is_over(notification, now)).map(|_| id));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((over, next))
}
