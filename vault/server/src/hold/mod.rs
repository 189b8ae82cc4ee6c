//! Litigation holds (O42): nothing of a subject under one is destroyed or processed.

use std::ops::ControlFlow;

use lethe_crypto::tag::tag;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{Dossier, Hold, HoldId, Invalid, Label, Reason, ReceiptId, RequestId, SubjectId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{ListHolds, PlaceHold, ReleaseHold, RenewHold};

use crate::dossiers;
use crate::error::{Error, Result};
use crate::silo::Silo;
use crate::store::{Key, RowKind};
use crate::subject::amend::{Ends, Terms, amend};
use crate::vault::Vault;

/// Places a hold. Its id derives from the request, so that a repeat finds it.
///
/// # Errors
/// `RequestIdReused` for a repeat that says something else; `RecordsLimited` where the subject has as many as it may.
pub async fn place(
    vault: &Vault,
    call: Authorized<PlaceHold>,
    subject: &SubjectId,
    case: Label,
    review_at: Timestamp,
    request: RequestId,
) -> Result<Hold> {
    let now = vault.clock.now();
    let silo = vault.silo(&call)?;
    // Nobody shreds the tenant meanwhile.
    let administering = silo.lock_administration().await;
    let alone = silo.lock_subject(subject).await;
    let amended = amend(vault, &silo, &call, subject, Terms::KNOWN, |dossier, owner| {
        let id = HoldId::from_bytes(tag(owner, "hold", request.as_bytes()));
        if let Some(known) = dossier.holds.iter().find(|known| known.id == id) {
            // A review may have put another time in its place since.
            let same = known.case == case && (known.review_at == review_at || known.reviewed_at.is_some());
            return if same { Ok(known.clone()) } else { Err(Error::RequestIdReused) };
        }
        if review_at <= now {
            return Err(Invalid::new("hold.review_time", Reason::FieldOutOfRange, "is not in the future").into());
        }
        if dossier.holds.len() >= Dossier::MOST_HOLDS {
            let message = format!("there are {} holds on the subject already", Dossier::MOST_HOLDS);
            return Err(Error::Precondition(Reason::RecordsLimited, message));
        }
        let hold = Hold { id, case, placed_at: now, review_at, reviewed_at: None };
        dossier.holds.push(hold.clone());
        Ok(hold)
    })
    .await;
    drop((alone, administering));
    let amended = vault.noting_misses(silo.tree, &call, amended).await?;
    amended.settle(vault, &silo).await;
    Ok(amended.said)
}

/// Keeps a hold after a review found that it is still needed, until the next one.
///
/// # Errors
/// `HoldNotFound`; a time that is not in the future.
pub async fn renew(
    vault: &Vault,
    call: Authorized<RenewHold>,
    subject: &SubjectId,
    id: HoldId,
    review_at: Timestamp,
) -> Result<Hold> {
    let now = vault.clock.now();
    let silo = vault.silo(&call)?;
    let alone = silo.lock_subject(subject).await;
    let amended = amend(vault, &silo, &call, subject, Terms::KNOWN, |dossier, _| {
        let hold = dossier.holds.iter_mut().find(|hold| hold.id == id).ok_or_else(no_hold)?;
        if hold.review_at != review_at || hold.reviewed_at.is_none() {
            if review_at <= now {
                return Err(Invalid::new("review_time", Reason::FieldOutOfRange, "is not in the future").into());
            }
            (hold.review_at, hold.reviewed_at) = (review_at, Some(now));
        }
        Ok(hold.clone())
    })
    .await;
    drop(alone);
    let amended = vault.noting_misses(silo.tree, &call, amended).await?;
    amended.settle(vault, &silo).await;
    Ok(amended.said)
}

fn no_hold() -> Error {
    Error::NotFound(Reason::HoldNotFound, "the subject is under no such hold".to_owned())
}

/// A hold that was released.
pub struct Released {
    /// The hold.
    pub hold: Hold,
    /// The receipt of the subject's erasure, if the hold alone kept it.
    pub erased: Option<ReceiptId>,
}

/// Releases a hold: the proceedings are over. Who was kept by it alone is erased (O15, O23).
///
/// # Errors
/// `HoldNotFound`.
pub async fn release(
    vault: &Vault,
    call: Authorized<ReleaseHold>,
    subject: &SubjectId,
    id: HoldId,
) -> Result<Released> {
    let silo = vault.silo(&call)?;
    let alone = silo.lock_subject(subject).await;
    let terms = Terms { ends: Ends::Baseless, ..Terms::KNOWN };
    let amended = amend(vault, &silo, &call, subject, terms, |dossier, _| {
        let found = dossier.holds.iter().position(|hold| hold.id == id);
        Ok(dossier.holds.remove(found.ok_or_else(no_hold)?))
    })
    .await;
    drop(alone);
    let amended = vault.noting_misses(silo.tree, &call, amended).await?;
    amended.settle(vault, &silo).await;
    Ok(Released { hold: amended.said, erased: amended.erased })
}

/// A page of holds.
pub struct Page {
    /// Each with its subject.
    pub holds: Vec<(SubjectId, Hold)>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<u64>,
}

/// Lists a tenant's holds, by subject: all those of about `size` subjects, from the one in slot `from` on.
pub async fn list(vault: &Vault, call: Authorized<ListHolds>, from: u64, size: usize) -> Result<Page> {
    let silo = vault.silo(&call)?;
    let (mut subjects, mut next) = (Vec::new(), None);
    let whole = Key::prefix_of_tree(RowKind::Held, silo.tree);
    let start = Key::Held { tree: silo.tree, subject: SlotRef::first(from) }.encode();
    vault.store.scan_from(RowKind::Held, &whole, &start, |key, _| {
        let Key::Held { subject, .. } = key else { return Ok(ControlFlow::Continue(())) };
        if subjects.len() == size {
            next = Some(subject.slot);
            return Ok(ControlFlow::Break(()));
        }
        subjects.push(subject);
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    let mut holds = Vec::new();
    for slot in subjects {
        if let Some(base) = dossiers::base(vault, &silo, slot)? {
            holds.extend(dossiers::of(vault, &silo, slot)?.holds.into_iter().map(|hold| (base.id.clone(), hold)));
        }
    }
    vault.note(silo.tree, &call).await?;
    Ok(Page { holds, next })
}

/// Litigation holds of a vault, and those of them that somebody has to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reviews {
    /// All there are.
    pub(crate) all: u64,
    /// Those whose review is overdue.
    pub(crate) overdue: u64,
}

/// Counts the holds of all tenants. A dossier that cannot be read is told to the operator and not counted.
pub(crate) fn reviews(vault: &Vault, now: Timestamp) -> Result<Reviews> {
    let mut reviews = Reviews::default();
    for silo in vault.silos.all() {
        if vault.silos.is_closing() {
            break;
        }
        let whole = Key::prefix_of_tree(RowKind::Held, silo.tree);
        let mut held = Vec::new();
        vault.store.scan_from(RowKind::Held, &whole, &whole, |key, _| {
            if let Key::Held { subject, .. } = key {
                held.push(subject);
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        for subject in held {
            match dossiers::of(vault, &silo, subject) {
                Ok(dossier) => {
                    reviews.all += dossier.holds.len() as u64;
                    reviews.overdue += dossier.holds.iter().filter(|hold| hold.review_at <= now).count() as u64;
                }
                Err(fault) => tracing::error!(%fault, "what is known of somebody under a hold cannot be read"),
            }
        }
    }
    Ok(reviews)
}

/// Whether anybody of a tenant is under a hold.
pub(crate) fn has_any(vault: &Vault, silo: &Silo) -> Result<bool> {
    let whole = Key::prefix_of_tree(RowKind::Held, silo.tree);
    let mut any = false;
    vault.store.scan_from(RowKind::Held, &whole, &whole, |_, _| {
        any = true;
        Ok::<_, Error>(ControlFlow::Break(()))
    })?;
    Ok(any)
}
