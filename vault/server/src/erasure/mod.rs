//! Erasure: an accepted intent, an epoch that redraws its slots, the old root's destruction, a receipt. And rotation,
//! which is an epoch that redraws none.
//!
//! What is accepted is gone from verify, search and get at once: its rows go in the same batch as the
//! intent. It is `SHREDDED` only when the root of the epoch before is destroyed and the log says so (rule
//! 4; O18, O19, O20).

mod asked;
mod journal;
mod standing;
mod statements;
mod task;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lethe_crypto::tag::tag;
use lethe_crypto::tree::{Redraw, SlotRef, TreeId};
use lethe_domain::{Reason, ReceiptId, RequestId, Timestamp};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::idempotency::Fingerprint;
use crate::keyring::Keyring;
use crate::records::{IntentRecord, ReceiptRecord, decode, encode};
use crate::store::{Change, Follow, Key, Row, RowKind, Store};
use crate::vault::Vault;

pub(crate) use asked::{Asked, Watched};
pub use journal::{Erasures, StoreJournal};
pub(crate) use standing::Board;
pub use standing::{Failing, Fault, RootStanding, Standing};
pub use statements::Statements;
pub(crate) use task::{Accepted, Task};
pub(crate) use worker::{Pace, start};

/// Where an erasure or a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureState {
    /// Accepted: nothing finds what is erased any more, and its keys are about to go. Retried for ever.
    Pending,
    /// The old root is destroyed; the receipt exists.
    Shredded,
}

/// An erasure or a rotation, as its requester knows it.
#[derive(Debug, Clone, Copy)]
pub struct Erasure {
    /// Names its receipt.
    pub receipt: ReceiptId,
    /// Where it is.
    pub state: ErasureState,
}

/// What an epoch is asked to do.
pub(crate) struct Request {
    /// The tree whose slots are named, and whose the receipt is.
    pub(crate) tree: TreeId,
    /// What is to become of them.
    pub(crate) task: Task,
    /// The slots.
    pub(crate) slots: Vec<SlotRef>,
    /// Names the receipt.
    pub(crate) receipt: ReceiptId,
    /// When it was asked for.
    pub(crate) now: Timestamp,
}

/// Erasures on their way: what use cases hand to the one writer of epochs.
pub struct Eraser {
    store: Arc<Store>,
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    /// Every epoch before this one is destroyed, and that is logged and synced.
    ended: AtomicU64,
    /// Tells who waits that `ended` may have changed.
    destroyed: watch::Sender<()>,
    board: Board,
    stopped: watch::Sender<bool>,
    /// The epoch writer's thread.
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Inbox {
    accepted: Vec<Accepted>,
    /// Slots that an earlier run handed out and never committed (rule 3).
    burnt: Redraw,
    /// An epoch is due, whether anything is to be erased or not: the vault moves to another root store.
    due: bool,
    stop: bool,
}

impl Eraser {
    /// Takes up what an earlier run left: intents on the disk, an epoch that is `retiring`, and burnt slots. `due` asks for
    /// an epoch in any case.
    pub(crate) fn resume(
        store: Arc<Store>,
        board: Board,
        retiring: Option<u64>,
        burnt: Redraw,
        due: bool,
    ) -> Result<Self> {
        let mut accepted = Vec::new();
        store.scan(RowKind::Intent, &Key::prefix(RowKind::Intent), |key, value| {
            if let Key::Intent { tree, receipt } = key {
                let intent = Accepted::read(tree, receipt, value)?;
                board.accepted(intent.accepted_at);
                accepted.push(intent);
            }
            Ok::<_, Error>(())
        })?;
        if let Some(retiring) = retiring {
            store.scan(RowKind::Receipt, &Key::prefix(RowKind::Receipt), |_, value| {
                // They are counted here and no more: a damaged one must not keep the old root from being destroyed.
                let Ok(record) = decode::<ReceiptRecord>("receipt record", value)
                    .inspect_err(|fault| tracing::error!(%fault, "the record of a receipt cannot be read"))
                else {
                    return Ok(());
                };
                if record.committed.is_some_and(|committed| committed.leaves_epoch == retiring) {
                    board.resumed(Timestamp::from_millis(record.accepted_at));
                }
                Ok::<_, Error>(())
            })?;
        }
        let inbox = Mutex::new(Inbox { accepted, burnt, due, stop: false });
        let mut ended = 0;
        store.scan(RowKind::EpochEnd, &Key::prefix(RowKind::EpochEnd), |key, _| {
            if let Key::EpochEnd { number } = key {
                ended = ended.max(number + 1);
            }
            Ok::<_, Error>(())
        })?;
        let (destroyed, stopped) = (watch::Sender::new(()), watch::Sender::new(false));
        Ok(Self {
            store,
            inbox,
            arrived: Condvar::new(),
            ended: AtomicU64::new(ended),
            destroyed,
            board,
            stopped,
            thread: Mutex::default(),
        })
    }

    /// The state of an erasure; `None` if there is none of that receipt.
    pub fn state(&self, tree: TreeId, receipt: ReceiptId) -> Result<Option<ErasureState>> {
        let Some(record) = self.store.get(&Key::Receipt { tree, receipt })? else { return Ok(None) };
        let record: ReceiptRecord = decode("receipt record", &record)?;
        let shredded = match record.committed {
            None => false,
            // Not the row, which can be read before it is synced: what the epoch writer saw synced.
            Some(committed) => committed.leaves_epoch < self.ended.load(Ordering::Acquire),
        };
        Ok(Some(if shredded { ErasureState::Shredded } else { ErasureState::Pending }))
    }

    /// The state of an erasure that was accepted. Its record is gone only with its tenant: what was to be erased is, with
    /// everything else of it, and nobody is there any more to be told so.
    fn accepted(&self, tree: TreeId, receipt: ReceiptId) -> Result<ErasureState> {
        let gone = || Error::NotFound(Reason::TenantNotFound, "there is no such tenant".to_owned());
        self.state(tree, receipt)?.ok_or_else(gone)
    }

    /// Waits until an erasure is shredded, at most until `limit`, and says where it is then.
    pub async fn wait(&self, tree: TreeId, receipt: ReceiptId, limit: Instant) -> Result<ErasureState> {
        let mut destroyed = self.destroyed.subscribe();
        loop {
            // Marked as seen before the state is read: an epoch that ends in between wakes us again.
            destroyed.borrow_and_update();
            let state = self.accepted(tree, receipt)?;
            if state == ErasureState::Shredded {
                return Ok(state);
            }
            if !matches!(tokio::time::timeout_at(limit, destroyed.changed()).await, Ok(Ok(()))) {
                return Ok(state);
            }
        }
    }

    /// Accepts an erasure or a rotation: commits `change`, which removes the rows and logs it, together with the intent.
    /// From here on it happens, whatever comes.
    pub(crate) async fn accept(&self, request: Request, mut change: Change) -> Result<u64> {
        let Request { tree, task, slots, receipt, now } = request;
        let intent = IntentRecord {
            scope: task.as_str().to_owned(),
            slots: slots.iter().map(|slot| (slot.slot, slot.generation)).collect(),
            accepted_at: now.millis(),
        };
        let record = ReceiptRecord { accepted_at: now.millis(), committed: None };
        change.put(Key::Intent { tree, receipt }, encode("erasure intent", &intent)?.to_vec());
        change.put(Key::Receipt { tree, receipt }, encode("receipt record", &record)?.to_vec());
        let sequence = self.store.commit(change.erasing()).await?.sequence;
        // Whoever is answered that it is accepted need not ask again, also if this disk dies.
        self.store.mirrored_if_soon(sequence).await;
        Ok(sequence)
    }

    /// How erasures and the root store stand.
    pub fn standing(&self) -> Standing {
        self.board.standing()
    }

    /// The epochs before `number` are destroyed, for good.
    fn end(&self, number: u64) {
        self.board.ended(number);
        self.ended.fetch_max(number, Ordering::AcqRel);
        self.destroyed.send_replace(());
    }

    /// Asks the writer to end after what it has, and waits for it.
    pub(crate) async fn stop(&self, limit: Duration) -> bool {
        let mut stopped = self.stopped.subscribe();
        self.inbox.lock().stop = true;
        self.arrived.notify_one();
        let ended = matches!(tokio::time::timeout(limit, stopped.wait_for(|stopped| *stopped)).await, Ok(Ok(_)));
        let thread = self.thread.lock().take();
        // It has said that it ends; what it holds is dropped when it has.
        ended && thread.is_none_or(|thread| thread.join().is_ok())
    }
}

/// The receipt of an erasure: its id derives from the request's id and from what is to be erased. Whoever
/// repeats the request gets the same one, also after the subject is forgotten; another target has another one;
/// and only who has the request's id can tell whom a receipt is about.
pub(crate) fn receipt_of(keys: &Keyring, tree: TreeId, request: RequestId, what: Fingerprint) -> Result<ReceiptId> {
    let what = what.with(request.as_bytes()).finish();
    Ok(ReceiptId::from_bytes(tag(&keys.own(tree)?, "receipt", what.as_bytes())))
}

/// Waits for an erasure or a rotation as long as its requester wants to.
pub(crate) async fn wait(
    vault: &Vault,
    tree: TreeId,
    receipt: ReceiptId,
    until: Option<Instant>,
) -> Result<ErasureState> {
    match until {
        Some(until) => vault.eraser.wait(tree, receipt, until).await,
        None => vault.eraser.accepted(tree, receipt),
    }
}

/// When the next root may be made, if that is all that is wrong.
fn too_soon(failure: &lethe_crypto::Error) -> Option<Duration> {
    let cause: &lethe_roots::Error = std::error::Error::source(failure)?.downcast_ref()?;
    if let lethe_roots::Error::TooSoon(time) = cause { Some(*time) } else { None }
}

impl Follow for Eraser {
    /// A committed intent is work, whoever still waits for it.
    fn follow(&self, rows: &[Row]) {
        for row in rows {
            let Row::Put(Key::Intent { tree, receipt }, value) = row else { continue };
            match Accepted::read(*tree, *receipt, value) {
                Ok(accepted) => {
                    self.board.accepted(accepted.accepted_at);
                    self.inbox.lock().accepted.push(accepted);
                    self.arrived.notify_one();
                }
                Err(fault) => tracing::error!(%fault, "an intent cannot be read; the next start takes it up"),
            }
        }
    }
}
