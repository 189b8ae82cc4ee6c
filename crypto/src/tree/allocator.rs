//! Slots are used once (rule 3).

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::address::{FAN_OUT, SlotRef, TreeId};
use super::view::{PageSource, View};
use crate::error::{Error, Result};

/// Slots that a tree hands out: who keeps millions of them in memory counts on five bytes. A tenant who uses a thousand a second
/// has enough for 34 years.
pub const SLOTS: u64 = 1 << 40;

/// Hands out slots of one tree, each once, and never beyond the mark that is durable.
///
/// How to use it: when [`SlotAllocator::allocate`] gives `None`, take a [`Reservation`], write its mark
/// synced, then [`SlotAllocator::reserved`]. A [`Lease`] that is dropped without [`Lease::commit`] burns
/// its slot: torn bytes on disk may be sealed under it, so [`SlotAllocator::burnt`] must be redrawn by the
/// next epoch before that reports anything as shredded.
#[derive(Debug, Clone)]
pub struct SlotAllocator(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// The next slot to hand out.
    next: u64,
    /// The durable high-water mark: no slot at or above it was ever handed out.
    reserved: u64,
    burnt: BTreeSet<u64>,
}

/// A high-water mark that must be durable before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a reservation counts only once its mark is durable"]
pub struct Reservation(u64);

impl Reservation {
    /// The mark to write, synced: the first slot that is not reserved.
    #[must_use]
    pub const fn mark(self) -> u64 {
        self.0
    }
}

/// A slot that was handed out, until it is known what became of it.
#[derive(Debug)]
#[must_use = "a lease that is dropped burns its slot"]
pub struct Lease {
    slot: u64,
    state: Arc<Mutex<State>>,
    committed: bool,
}

impl SlotAllocator {
    /// The allocator of a tree whose durable high-water mark is `mark` (0 if none was ever written). Slot
    /// 0 is the tree's own and never handed out.
    ///
    /// Slots below the mark that were not handed out before a restart are never handed out again: nobody
    /// knows which they are. [`burnt_slots`] finds them along with those that were.
    #[must_use]
    pub fn resume(mark: u64) -> Self {
        Self(Arc::new(Mutex::new(State { next: mark.max(1), reserved: mark, burnt: BTreeSet::new() })))
    }

    /// Hands out a slot, or `None` if a reservation must be made durable first.
    #[must_use]
    pub fn allocate(&self) -> Option<Lease> {
        let mut state = self.0.lock();
        if state.next >= state.reserved {
            return None;
        }
        let slot = state.next;
        state.next += 1;
        Some(Lease { slot, state: Arc::clone(&self.0), committed: false })
    }

    /// What must be made durable for at least `count` more slots: up to the end of a leaf page, so that
    /// the slots a crash burns lie together.
    ///
    /// # Errors
    /// [`Error::Exhausted`] beyond [`SLOTS`].
    pub fn reservation(&self, count: u64) -> Result<Reservation> {
        let state = self.0.lock();
        let end = state.next.checked_add(count.max(1)).ok_or(Error::Exhausted("slots"))?;
        let page = FAN_OUT as u64;
        let mark = end.div_ceil(page).checked_mul(page).filter(|mark| *mark <= SLOTS);
        let mark = mark.ok_or(Error::Exhausted("slots"))?;
        Ok(Reservation(mark.max(state.reserved)))
    }

    /// To be called once the reservation's mark is durable, and not before.
    pub fn reserved(&self, reservation: Reservation) {
        let mut state = self.0.lock();
        state.reserved = state.reserved.max(reservation.0);
    }

    /// Gives back what is reserved and was never handed out: a mark to write, so that the next start finds no gap to
    /// take for burnt. From here on nothing is handed out but under a new reservation; if the mark is lost, the
    /// higher one still holds. `None` if there is nothing to give back.
    pub fn release(&self) -> Option<Reservation> {
        let mut state = self.0.lock();
        if state.next >= state.reserved {
            return None;
        }
        state.reserved = state.next;
        Some(Reservation(state.next))
    }

    /// The durable high-water mark.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.0.lock().reserved
    }

    /// Slots that were handed out since the start and not committed.
    #[must_use]
    pub fn burnt(&self) -> BTreeSet<u64> {
        self.0.lock().burnt.clone()
    }

    /// Takes slots off the burnt ones, after an epoch that redrew them was destroyed.
    pub fn redrawn(&self, slots: &BTreeSet<u64>) {
        self.0.lock().burnt.retain(|slot| !slots.contains(slot));
    }
}

impl Lease {
    /// The slot; its generation is 0, as slots are not given twice.
    #[must_use]
    pub const fn slot(&self) -> SlotRef {
        SlotRef::first(self.slot)
    }

    /// The rows sealed under the slot are durable: it has an owner.
    pub fn commit(mut self) {
        self.committed = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.committed {
            self.state.lock().burnt.insert(self.slot);
        }
    }
}

/// Finds the slots that a crash burnt: those below the durable high-water mark which no live row owns and
/// which were never redrawn. `owned` are the slots of live rows, in ascending order; slot 0, the tree's
/// own, is always owned. To be called at a start, before anything is allocated: slots that are reserved and
/// not handed out yet look the same.
///
/// # Errors
/// [`Error::Corrupt`] if `owned` is not in order or reaches the mark, which no slot that was ever handed
/// out can; [`Error::TreeErased`], [`Error::Pages`].
pub fn burnt_slots(
    view: &View,
    pages: &dyn PageSource,
    tree: TreeId,
    mark: u64,
    owned: impl IntoIterator<Item = u64>,
) -> Result<BTreeSet<u64>> {
    let mut burnt = BTreeSet::new();
    let mut next = 1;
    let mut look_at = |slots: std::ops::Range<u64>| -> Result<()> {
        for slot in slots {
            if view.generation(pages, tree, slot)? == 0 {
                burnt.insert(slot);
            }
        }
        Ok(())
    };
    for slot in owned {
        if slot == 0 {
            continue;
        }
        if slot < next {
            return Err(Error::corrupt("owned slots", format!("slot {slot} of {tree} is not in ascending order")));
        }
        if slot >= mark {
            return Err(Error::corrupt("owned slots", format!("slot {slot} of {tree} is beyond the mark {mark}")));
        }
        look_at(next..slot)?;
        next = slot + 1;
    }
    look_at(next..mark.max(next))?;
    Ok(burnt)
}
