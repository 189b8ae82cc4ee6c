//! What clients know at a moment, as far as it can be held against disks.

use std::collections::BTreeSet;

use crate::crash::history::{Answer, Face, Op};
use crate::crash::ledger::{Ledger, Message, Silo};
use crate::crash::linear::{Bounds, outcomes};
use crate::time_travel::Shredded;

/// What is certain and what is possible of an account's faces.
pub(super) fn bounds(ledger: &Ledger, account: usize) -> Bounds {
    let account = &ledger.accounts[account];
    Bounds::of(&outcomes(&account.before, &account.calls).expect("what was answered can be explained"))
}

/// Faces that are there, whatever became of what was not answered.
pub(super) fn certain(ledger: &Ledger) -> BTreeSet<Face> {
    (0..ledger.accounts.len()).flat_map(|account| bounds(ledger, account).certain).collect()
}

/// The id of a face's template.
pub(super) fn template(ledger: &Ledger, face: Face) -> Option<[u8; 16]> {
    template_id(ledger.requests[face as usize].template.as_deref()?)
}

fn template_id(name: &str) -> Option<[u8; 16]> {
    hex::decode(name.rsplit('/').next()?).ok()?.try_into().ok()
}

/// Faces whose erasure was acknowledged as shredded, by themselves or with their subject.
fn erased_by(ledger: &Ledger) -> (BTreeSet<Face>, BTreeSet<Face>) {
    let (mut alone, mut with_subject) = (BTreeSet::new(), BTreeSet::new());
    for request in &ledger.requests {
        let Some(receipt) = request.answer.as_ref().and_then(|answer| answer.receipt.as_ref()) else { continue };
        let waited = match &request.message {
            Message::Enroll(_) => false,
            Message::Replace(message) => !message.no_wait,
            Message::Delete(message) => !message.no_wait,
            Message::Erase(message) => !message.no_wait,
        };
        if !waited && !matches!(ledger.receipts.get(receipt), Some(Some(_))) {
            continue;
        }
        match request.op {
            Op::Delete(_, face) | Op::Replace { old: face, .. } => drop(alone.insert(face)),
            Op::Erase(number) => {
                let calls = &ledger.accounts[request.account].calls;
                let begun = calls.iter().filter(|call| call.op == Op::Erase(number)).map(|call| call.begun).min();
                // Whoever was enrolled before it began.
                let before = calls.iter().filter(
                    |call| matches!(call.ended, Some((at, Answer::Done)) if begun.is_some_and(|begun| at < begun)),
                );
                with_subject.extend(before.filter_map(|call| match call.op {
                    Op::Enroll(face) | Op::Replace { new: face, .. } => Some(face),
                    Op::Delete(..) | Op::Erase(_) | Op::Look(_) => None,
                }));
            }
            Op::Enroll(_) | Op::Look(_) => {}
        }
    }
    (alone, with_subject)
}

/// All of them.
pub(super) fn erased(ledger: &Ledger) -> BTreeSet<Face> {
    let (mut alone, with_subject) = erased_by(ledger);
    alone.extend(with_subject);
    alone
}

/// What nobody may open any more.
pub(super) fn shredded(ledger: &Ledger) -> Shredded {
    let (alone, with_subject) = erased_by(ledger);
    let ids = |faces: BTreeSet<Face>| faces.into_iter().filter_map(|face| template(ledger, face)).collect();
    let mut shredded = Shredded { templates: ids(alone), with_subject: ids(with_subject) };
    let silos = ledger.silos.iter().filter(|silo| is_proven(ledger, silo));
    shredded.with_subject.extend(silos.flat_map(|silo| &silo.templates).filter_map(|name| template_id(name)));
    shredded
}

/// Was it told that a tenant is shredded?
pub(super) fn is_proven(ledger: &Ledger, silo: &Silo) -> bool {
    let Some((receipt, _)) = &silo.receipt else { return false };
    !silo.shredding.no_wait || matches!(ledger.receipts.get(receipt), Some(Some(_)))
}
