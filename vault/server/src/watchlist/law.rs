//! Entries that may not be there any more because the tenant itself came under another law (O16, O40).

use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::SlotRef;
use lethe_crypto::wiping;
use lethe_domain::{Dossier, SubjectId};
use lethe_policy::watchlist as rules;
use tokio::task::JoinSet;

use super::person::follow;
use crate::dossiers;
use crate::erasure::{Request, Task};
use crate::error::{Error, Result};
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// People who are looked at in one go.
const STEP: usize = 1024;
/// People whose entries are shredded at the same time: their changes share syncs.
const AT_ONCE: usize = 32;

/// Shreds the entries of all whom the tenant's own law lets nobody list, and gives how many there were. Who is under a law of their own
/// lost theirs when that was recorded.
///
/// # Errors
/// The last that anybody's gave, when all were tried.
pub(crate) async fn follow_law(vault: &Arc<Vault>, silo: &SiloRef) -> Result<usize> {
    if rules::law_allows(&silo.policy(), &Dossier::default()).is_ok() {
        return Ok(0);
    }
    let (mut shredded, mut failed) = (0, None);
    let mut from = Some(Key::prefix_of_tree(RowKind::Listed, silo.tree));
    while let Some(start) = from {
        if vault.silos.is_closing() || silo.rights().is_over() {
            break;
        }
        let (reader, of) = (Arc::clone(vault), Arc::clone(silo));
        let looked = tokio::task::spawn_blocking(move || look(&reader, &of, &start)).await;
        let (listed, next) = looked.map_err(|_| Error::TaskLost)??;
        from = next;
        let mut count = |done: std::result::Result<Result<usize>, tokio::task::JoinError>| match done {
            Ok(Ok(count)) => shredded += count,
            Ok(Err(error)) => failed = Some(error),
            Err(_) => failed = Some(Error::TaskLost),
        };
        let mut at_work = JoinSet::new();
        for (slot, subject) in listed {
            if at_work.len() == AT_ONCE
                && let Some(done) = at_work.join_next().await
            {
                count(done);
            }
            let (vault, silo) = (Arc::clone(vault), Arc::clone(silo));
            at_work.spawn(async move { shred(&vault, &silo, slot, &subject).await });
        }
        while let Some(done) = at_work.join_next().await {
            count(done);
        }
    }
    failed.map_or(Ok(shredded), Err)
}

/// Who may not be listed, and once was, of some people from a key on; and where the next begin.
#[allow(clippy::type_complexity, reason = "people, and a key")]
fn look(vault: &Vault, silo: &Silo, from: &[u8]) -> Result<(Vec<(SlotRef, SubjectId)>, Option<Vec<u8>>)> {
    wiping::of_a_task(|| {
        let (mut slots, mut next) = (Vec::new(), None);
        let whole = Key::prefix_of_tree(RowKind::Listed, silo.tree);
        vault.store.scan_from(RowKind::Listed, &whole, from, |key, _| {
            if slots.len() == STEP {
                next = Some(key.encode());
                return Ok(ControlFlow::Break(()));
            }
            if let Key::Listed { subject, .. } = key {
                slots.push(subject);
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        let policy = silo.policy();
        let mut forbidden = Vec::new();
        for slot in slots {
            // Whose facts cannot be read may be under another law than the tenant's; who it is must be known all the same.
            let person = dossiers::of(vault, silo, slot).inspect_err(|fault| {
                tracing::error!(%fault, "what is known of somebody who is on a watch list cannot be read");
            });
            let Some(base) = dossiers::base(vault, silo, slot)? else { continue };
            if person.map_or(true, |person| rules::is_forbidden(&policy, &person)) {
                forbidden.push((slot, base.id));
            }
        }
        Ok((forbidden, next))
    })
}

/// Shreds those of one person, if they may not be there: judged now that nobody else changes it.
async fn shred(vault: &Vault, silo: &Silo, slot: SlotRef, subject: &SubjectId) -> Result<usize> {
    let _alone = silo.lock_subject(subject).await;
    let Some(owner) = vault.keys.slot(silo.tree, slot)? else { return Ok(0) };
    let (now, person) = (vault.clock.now(), dossiers::of(vault, silo, slot)?);
    let mut change = Change::new();
    let followed = follow(vault, silo, slot, (&person, &person), now, &mut change).await?;
    let count = followed.slots().len();
    if count > 0 {
        followed.tell(silo, &owner, now, &mut change)?;
        let (receipt, slots) = (followed.receipt(vault, silo)?, followed.slots().to_vec());
        let request = Request { tree: silo.tree, task: Task::Erase(Scope::Template), slots, receipt, now };
        vault.eraser.accept(request, change).await?;
    }
    Ok(count)
}
