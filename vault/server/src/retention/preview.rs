use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{ReceiptId, SubjectId, Timestamp};
use lethe_policy::operation::PreviewErasures;
use lethe_policy::{Authorized, End, Keeper};

use super::{fate, known, receipt_of_end};
use crate::error::{Error, Result};
use crate::silo::{Answering, Silo};
use crate::store::{Key, RowKind};
use crate::vault::Vault;

/// Subjects that one page looks at, whether they are about to go or not.
const LOOKED_AT: usize = 1000;

/// What of a subject will have gone by some time.
pub(crate) struct Ending {
    /// Who.
    pub subject: SubjectId,
    /// When all of it ends, if it does by then.
    pub end: Option<End>,
    /// What keeps it, as things are now.
    pub keeper: Option<Keeper>,
    /// How many of its templates end by then, before the rest.
    pub templates: usize,
    /// The receipt that the erasure of all of it will have.
    pub receipt: ReceiptId,
    slot: SlotRef,
}

/// A page of a preview.
pub(crate) struct Preview {
    /// In the order in which they were first known.
    pub endings: Vec<Ending>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<u64>,
    /// Until it is given, nobody is told that they are erased.
    _answering: Answering,
}

/// Tells who, or what of whom, ends by `until` as things are now (O17).
///
/// A page looks at a thousand subjects at most, and may have nobody.
pub(crate) async fn preview(
    vault: &Arc<Vault>,
    call: Authorized<PreviewErasures>,
    until: Timestamp,
    from: u64,
    size: usize,
) -> Result<Preview> {
    let silo = vault.silo(&call)?;
    let (reader, of) = (Arc::clone(vault), Arc::clone(&silo));
    let (mut endings, next) = vault.looking.in_turn(move || page(&reader, &of, until, from, size)).await?;
    vault.note(silo.tree, &call).await?;
    let answering = silo.rights().answering().await;
    // Who is erased meanwhile is not named.
    endings.retain(|ending| silo.subject(&ending.subject) == Some(ending.slot));
    Ok(Preview { endings, next, _answering: answering })
}

/// Reads a page.
fn page(vault: &Vault, silo: &Silo, until: Timestamp, from: u64, size: usize) -> Result<(Vec<Ending>, Option<u64>)> {
    let now = vault.clock.now();
    let (mut slots, mut next) = (Vec::new(), None);
    let whole = Key::prefix_of_tree(RowKind::Subject, silo.tree);
    let start = Key::Subject { tree: silo.tree, subject: SlotRef::first(from) }.encode();
    vault.store.scan_from(RowKind::Subject, &whole, &start, |key, _| {
        let Key::Subject { subject, .. } = key else { return Ok(ControlFlow::Continue(())) };
        if slots.len() == LOOKED_AT {
            next = Some(subject.slot);
            return Ok(ControlFlow::Break(()));
        }
        slots.push(subject);
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    let mut endings = Vec::new();
    for slot in slots {
        if endings.len() == size {
            next = Some(slot.slot);
            break;
        }
        match ending(vault, silo, slot, until, now) {
            Ok(ending) => endings.extend(ending),
            // The others can be shown; the sweep counts it, too.
            Err(error) => tracing::error!(%error, "a subject cannot be read, and so not be shown in a preview"),
        }
    }
    Ok((endings, next))
}

/// What of a subject ends by then, if anything does.
fn ending(vault: &Vault, silo: &Silo, slot: SlotRef, until: Timestamp, now: Timestamp) -> Result<Option<Ending>> {
    let Some((record, person)) = known(vault, silo, slot)? else { return Ok(None) };
    let Some(owner) = vault.keys.slot(silo.tree, slot)? else { return Ok(None) };
    let fate = fate(vault, silo, slot, &record, &person, now)?;
    let end = fate.end.filter(|end| end.at <= until);
    let templates = fate.sooner.iter().filter(|(_, own)| own.at <= until).count();
    if end.is_none() && templates == 0 {
        return Ok(None);
    }
    let deferred = person.deferral.map(|deferral| deferral.receipt);
    let receipt = deferred.unwrap_or_else(|| receipt_of_end(&owner));
    Ok(Some(Ending { subject: record.id, end, keeper: fate.keeper, templates, receipt, slot }))
}
