use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use tokio::sync::{OwnedRwLockReadGuard, RwLock};

/// Nobody asked the rows.
const UNASKED: u8 = 0;
/// There is no dossier.
const NONE: u8 = 1;
/// There is one, or was.
const SOME: u8 = 2;

/// What people may ask for takes effect before it is answered, also for answers that are on their way (O23).
///
/// An answer that names people is judged, and then given, while it holds a place here; who records a withdrawal, a
/// restriction or the like is answered when those that were judged before have been given. Most answers are judged once, and
/// again only if something was recorded meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    changes: AtomicU64,
    /// Whether anything is known of anybody of the tenant.
    known: AtomicU8,
    /// The tenant was shredded.
    ended: AtomicBool,
    giving: Arc<RwLock<()>>,
}

/// Held by an answer that names people, from the last time it is judged until it is given.
pub(crate) struct Answering {
    _place: OwnedRwLockReadGuard<()>,
}

impl Rights {
    /// Memory has followed a change of what is known of somebody, or of what the tenant allows.
    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Memory has followed a change of what is known of somebody.
    pub(super) fn recorded(&self) {
        self.known.store(SOME, Ordering::Release);
        self.changed();
    }

    /// The tenant is gone, with everybody.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.changed();
    }

    /// Whether the tenant is gone: nobody of it may be named.
    pub(crate) fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether nothing is known of anybody of the tenant: then all are judged alike, and no dossier need be read. `look` asks
    /// the rows, the first time.
    pub(crate) fn is_nobody_known<E>(&self, look: impl FnOnce() -> Result<bool, E>) -> Result<bool, E> {
        if self.known.load(Ordering::Acquire) == UNASKED {
            let found = if look()? { SOME } else { NONE };
            // What was recorded meanwhile counts.
            let _ = self.known.compare_exchange(UNASKED, found, Ordering::AcqRel, Ordering::Acquire);
        }
        Ok(self.known.load(Ordering::Acquire) == NONE)
    }

    /// How many changes there were: who judged before this number changed judges again.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// A place for an answer that is about to be given.
    pub(crate) async fn answering(&self) -> Answering {
        Answering { _place: Arc::clone(&self.giving).read_owned().await }
    }

    /// A place, if nobody waits for those that are taken: for who may not wait in a queue, as nobody might poll it there.
    pub(crate) fn try_answering(&self) -> Option<Answering> {
        Arc::clone(&self.giving).try_read_owned().ok().map(|place| Answering { _place: place })
    }

    /// Waits until every answer that was judged before is given.
    pub(crate) async fn settled(&self) {
        drop(self.giving.write().await);
    }
}
