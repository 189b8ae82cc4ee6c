//! The end of cases that are decided, or that nobody asked and nobody answers.

use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{Case, CaseId, Timestamp};
use lethe_policy::{case as rules, keeper};

use super::book;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// Most that a sweep looks at in one go.
const LOOKED_AT: usize = 16_384;
/// Most people whose cases go before the next look.
const AT_ONCE: usize = 256;

/// Deletes a tenant's cases whose time is over at `now`, and gives how many there were. Whose person a hold, a restriction or
/// a statute keeps stay.
///
/// # Errors
/// What the store says; what was deleted before is. What cannot be read or deleted of one person is logged, and keeps nobody else's.
pub(crate) async fn expire(vault: &Arc<Vault>, silo: &SiloRef, now: Timestamp) -> Result<usize> {
    let mut deleted = 0;
    let mut from = Some(Key::prefix_of_tree(RowKind::Case, silo.tree));
    while let Some(start) = from {
        if vault.silos.is_closing() || silo.rights().is_over() {
            break;
        }
        let (reader, of) = (Arc::clone(vault), Arc::clone(silo));
        let looked = tokio::task::spawn_blocking(move || look(&reader, &of, &start, now)).await;
        let (due, next) = looked.map_err(|_| Error::TaskLost)??;
        from = next;
        for slot in due {
            match expire_of(vault, silo, slot, now).await {
                Ok(count) => deleted += count,
                Err(error) => {
                    tracing::error!(%error, "cases that are over could not be deleted; the next sweep tries again")
                }
            }
        }
    }
    Ok(deleted)
}

/// Whose cases are over, of some rows from a key on, and where the next begin.
fn look(vault: &Vault, silo: &Silo, from: &[u8], now: Timestamp) -> Result<(Vec<SlotRef>, Option<Vec<u8>>)> {
    let keep = silo.policy().retention.keep;
    let (mut due, mut next, mut seen) = (Vec::new(), None, 0);
    book::each(vault, silo, from, |subject, id, stored| {
        if seen == LOOKED_AT || due.len() == AT_ONCE {
            next = Some(Key::Case { tree: silo.tree, subject, case: id }.encode());
            return Ok(ControlFlow::Break(()));
        }
        seen += 1;
        let stored = stored.and_then(book::readable);
        if due.last() != Some(&subject) && stored.is_some_and(|stored| rules::is_over(&stored.case, keep, now)) {
            due.push(subject);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((due, next))
}

/// Deletes what is over of one person: judged anew, now that nobody else changes it.
async fn expire_of(vault: &Vault, silo: &Silo, slot: SlotRef, now: Timestamp) -> Result<usize> {
    let Some(base) = dossiers::base(vault, silo, slot)? else { return Ok(0) };
    let _alone = silo.lock_subject(&base.id).await;
    if silo.subject(&base.id) != Some(slot) {
        return Ok(0);
    }
    let policy = silo.policy();
    if keeper(&policy, &dossiers::of(vault, silo, slot)?, now).is_some() {
        return Ok(0);
    }
    let Some(owner) = vault.keys.slot(silo.tree, slot)? else { return Ok(0) };
    let is_over = |case: &Case| rules::is_over(case, policy.retention.keep, now);
    let over: Vec<CaseId> = {
        let cases = book::of(vault, silo, slot)?;
        cases.iter().map(|stored| &stored.case).filter(|case| is_over(case)).map(|case| case.id).collect()
    };
    if over.is_empty() {
        return Ok(0);
    }
    let mut change = Change::new();
    for case in &over {
        change.delete(Key::Case { tree: silo.tree, subject: slot, case: *case });
    }
    change.log(silo.tree, book::gone(&owner, policy.version, over.len(), now)?);
    vault.store.commit(change).await?;
    Ok(over.len())
}
