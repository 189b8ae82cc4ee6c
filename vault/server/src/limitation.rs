//! What claims can rest on is kept for their limitation period, and deleted then, unasked (O29): of rows in which nothing of a person
//! is, so that nothing has to be shredded.

use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_domain::{Period, Timestamp};

use crate::audit;
use crate::error::{Error, Result};
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// Most that is looked at in one go.
const LOOKED_AT: usize = 16_384;
/// Most that is deleted with one change.
const AT_ONCE: usize = 1024;

/// A kind of rows, and what the log calls the end of some.
pub(crate) struct Ledger {
    pub(crate) kind: RowKind,
    pub(crate) operation: &'static str,
    pub(crate) event: &'static str,
    /// What the event counts.
    pub(crate) counted: &'static str,
    /// Whether a row, opened, is over: nobody changes it any more.
    pub(crate) is_over: fn(&[u8], Period, Timestamp) -> Result<bool>,
}

/// Deletes a tenant's rows of a kind whose time is over at `now`, and gives how many there were.
///
/// # Errors
/// What the store says; what was deleted before is.
pub(crate) async fn expire(
    vault: &Arc<Vault>,
    silo: &SiloRef,
    ledger: &'static Ledger,
    now: Timestamp,
) -> Result<usize> {
    let (tree, mut deleted) = (silo.tree, 0);
    let mut from = Some(Key::prefix_of_tree(ledger.kind, tree));
    while let Some(start) = from {
        if vault.silos.is_closing() || silo.rights().is_over() {
            break;
        }
        let (reader, of, policy) = (Arc::clone(vault), Arc::clone(silo), silo.policy());
        let (begin, limitation) = (start.clone(), policy.retention.limitation());
        let looked = tokio::task::spawn_blocking(move || look(&reader, &of, ledger, &begin, (limitation, now))).await;
        let (over, next) = looked.map_err(|_| Error::TaskLost)??;
        if silo.policy().version != policy.version {
            // Another period may count by now.
            from = Some(start);
            continue;
        }
        from = next;
        if over.is_empty() {
            continue;
        }
        let (mut change, count) = (Change::new(), over.len());
        for key in over {
            change.delete(key);
        }
        let entry = audit::by_the_vault(ledger.operation, now)?;
        change.log(tree, audit::counting(entry, ledger.event, &[(ledger.counted, count as u64)])?);
        vault.store.commit(change).await?;
        deleted += count;
    }
    Ok(deleted)
}

/// Which rows are over, of some from a key on, and where the next begin.
fn look(
    vault: &Vault,
    silo: &Silo,
    ledger: &Ledger,
    from: &[u8],
    (limitation, now): (Period, Timestamp),
) -> Result<(Vec<Key>, Option<Vec<u8>>)> {
    let (mut over, mut next, mut seen) = (Vec::new(), None, 0);
    let mut keys = vault.keys.opener();
    let whole = Key::prefix_of_tree(ledger.kind, silo.tree);
    vault.store.scan_from(ledger.kind, &whole, from, |key, sealed| {
        if seen == LOOKED_AT || over.len() == AT_ONCE {
            next = Some(key.encode());
            return Ok(ControlFlow::Break(()));
        }
        seen += 1;
        let read = keys.open(&key, "", sealed).transpose();
        match read.map(|opened| opened.and_then(|opened| (ledger.is_over)(&opened, limitation, now))) {
            Some(Ok(true)) => over.push(key),
            Some(Ok(false)) | None => {}
            // The others must not wait for it.
            Some(Err(fault)) => tracing::error!(%fault, operation = ledger.operation, "a row cannot be read"),
        }
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    Ok((over, next))
}
