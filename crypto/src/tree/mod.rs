//! The key tree: lazy, radix 64, re-keyed from an erased slot up to the root.
//!
//! Construction after Reardon, Basin, Capkun, "On Secure Data Deletion" / "Secure Data Deletion from
//! Persistent Media" (CCS 2013): a tree of keys whose root is the only thing that must be physically
//! erasable. One vault tree has a slot for each tenant; that slot's key is the root of the tenant's own
//! tree, which has slot 0 for the tenant and one slot for each subject and each thing that can be
//! deleted on its own.
//!
//! * [`View`] looks keys up, in the tree as one epoch committed it; [`Walk`] looks many up in a row.
//! * [`rewrite()`] makes the next epoch's tree, in memory.
//! * [`SlotAllocator`] hands out slots that were never used (rule 3).
//! * A page that was never written is derived from its key: a vault that never erased stores no page.

mod address;
mod allocator;
mod cache;
mod page;
mod rewrite;
mod view;

pub use address::{FAN_OUT, HEIGHTS, PageAddress, SlotRef, TreeId};
pub use allocator::{Lease, Reservation, SLOTS, SlotAllocator, burnt_slots};
pub use cache::PageCache;
#[cfg(feature = "fuzzing")]
pub(crate) use page::Page;
pub use rewrite::{Redraw, Rewrite, SealedPage, rewrite};
pub use view::{PageSource, Slot, Survey, View, Walk, WeakView};

#[cfg(test)]
pub(crate) mod tests;
