//! The rows of notifications.

use std::ops::ControlFlow;

use lethe_domain::{Notification, NotificationId, Reason};
use lethe_policy::notification::is_over;

use super::Filed;
use crate::error::{Error, Result};
use crate::limitation::Ledger;
use crate::records::NotificationRecord;
use crate::silo::Silo;
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// Those of which something came are kept for the limitation period: that is recorded once, and nobody changes them.
pub(crate) const LEDGER: Ledger = Ledger {
    kind: RowKind::Notification,
    operation: "vault.expire_notifications",
    event: "NOTIFICATIONS_EXPIRED",
    counted: "notifications",
    is_over: |opened, limitation, now| Ok(is_over(&NotificationRecord::read(opened)?, limitation, now)),
};

/// Most rows that a page reads: then others have their turn.
const STRIDE: usize = 1000;

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
