//! Whom the client has to tell that data which were disclosed to them are rectified, restricted or erased (O41).
//!
//! A notification is written in one change with what it is about, sealed under the tenant's own key: it outlives the person, and
//! names nobody but the recipient and the disclosures. Telling is the client's; what came of it is recorded, and kept for as long
//! as claims can rest on it.

mod book;

use std::sync::Arc;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{Notification, NotificationId, NotificationOutcome, Occasion, Reason, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::notification::owed;
use lethe_policy::operation::{CloseNotification, GetNotification, ListNotifications};

use crate::audit;
use crate::disclosure;
use crate::error::{Error, Result};
use crate::silo::Silo;
use crate::store::Change;
use crate::vault::Vault;

pub(crate) use book::LEDGER;
pub use book::Page;

/// A notification, under its id.
pub type Filed = (NotificationId, Notification);

/// Writes whom to tell what becomes of a subject's data, in one change with that. The caller has the subject's lock.
///
/// # Errors
/// What cannot be sealed. A disclosure that cannot be read is told to the operator, and holds up nobody's erasure.
pub(crate) fn owe(
    vault: &Vault,
    silo: &Silo,
    subject: SlotRef,
    occasion: Occasion,
    now: Timestamp,
    change: &mut Change,
) -> Result<()> {
    let made = disclosure::readable(vault, silo, subject)?;
    for notification in owed(occasion, &made, now) {
        book::put(vault, silo, NotificationId::random(), &notification, change)?;
    }
    Ok(())
}

/// Reads a notification.
///
/// # Errors
/// `NotificationNotFound`.
pub async fn get(vault: &Vault, call: Authorized<GetNotification>, id: NotificationId) -> Result<Filed> {
    let silo = vault.silo(&call)?;
    let found = vault.noting_misses(silo.tree, &call, book::expect(vault, &silo, id)).await?;
    vault.note(silo.tree, &call).await?;
    Ok((id, found))
}

/// Lists notifications, or only those of which nothing came yet, from an id on whose first bytes are `from`.
pub async fn list(
    vault: &Arc<Vault>,
    call: Authorized<ListNotifications>,
    pending: bool,
    from: u64,
    size: usize,
) -> Result<Page> {
    let silo = vault.silo(&call)?;
    let (reader, of) = (Arc::clone(vault), Arc::clone(&silo));
    let page = vault.looking.in_turn(move || book::page(&reader, &of, pending, from, size)).await?;
    vault.note(silo.tree, &call).await?;
    Ok(page)
}

/// Records what came of a notification. The same again changes nothing.
///
/// # Errors
/// `NotificationNotFound`; `NotificationClosed` where something else is recorded.
pub async fn close(
    vault: &Vault,
    call: Authorized<CloseNotification>,
    id: NotificationId,
    outcome: NotificationOutcome,
) -> Result<Filed> {
    let silo = vault.silo(&call)?;
    let alone = silo.lock_administration().await;
    let mut found = vault.noting_misses(silo.tree, &call, book::expect(vault, &silo, id)).await?;
    match found.closed {
        Some((known, _)) if known == outcome => {
            vault.note(silo.tree, &call).await?;
            return Ok((id, found));
        }
        Some((known, _)) => {
            let message = format!("it is recorded as {} already", known.name());
            return Err(Error::Precondition(Reason::NotificationClosed, message));
        }
        None => {}
    }
    let now = vault.clock.now();
    found.closed = Some((outcome, now));
    let mut change = Change::new();
    book::put(vault, &silo, id, &found, &mut change)?;
    let fields = [("notification", id.to_string()), ("outcome", outcome.name().to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    change.log(silo.tree, audit::telling(audit::done(&call, now)?, "NOTIFICATION_CLOSED", &fields)?);
    let sequence = vault.store.commit(change).await?.sequence;
    drop(alone);
    vault.store.mirrored_if_soon(sequence).await;
    Ok((id, found))
}
