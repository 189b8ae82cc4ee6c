use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::{Redraw, SlotRef, TreeId};
use lethe_domain::{ReceiptId, Timestamp};

use crate::error::{Error, Result};
use crate::records::{IntentRecord, decode};
use crate::store::StoreError;

/// What an epoch is asked to do with the slots of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Redraw them: what is sealed under them is erased.
    Erase(Scope),
    /// They name trees, by their slots in the vault tree (0.0 the vault's own): wrap those anew. Nothing is redrawn.
    Rotate,
}

impl Task {
    const ALL: [Self; 4] =
        [Self::Erase(Scope::Subject), Self::Erase(Scope::Template), Self::Erase(Scope::Tenant), Self::Rotate];

    /// As it stands in an intent.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Erase(scope) => scope.as_str(),
            Self::Rotate => "rotation",
        }
    }
}

/// An accepted erasure or rotation whose epoch is not committed yet.
pub(crate) struct Accepted {
    pub(crate) tree: TreeId,
    pub(crate) receipt: ReceiptId,
    pub(crate) task: Task,
    pub(crate) slots: Vec<SlotRef>,
    pub(crate) accepted_at: Timestamp,
}

impl Accepted {
    /// Reads an intent.
    pub(crate) fn read(tree: TreeId, receipt: ReceiptId, intent: &[u8]) -> Result<Self> {
        let intent: IntentRecord = decode("erasure intent", intent)?;
        let task = Task::ALL.into_iter().find(|task| task.as_str() == intent.scope);
        let task = task.ok_or_else(|| StoreError::corrupt("erasure intent", "scope"))?;
        let accepted_at = Timestamp::from_millis(intent.accepted_at);
        let accepted = Self { tree, receipt, task, slots: intent.slots().collect(), accepted_at };
        if task == Task::Rotate {
            accepted.trees()?;
        }
        Ok(accepted)
    }

    /// The trees that a rotation names.
    pub(crate) fn trees(&self) -> Result<Vec<TreeId>> {
        let tree = |slot: &SlotRef| TreeId::decode(slot.encode()).map_err(Error::crypto("read a rotation's intent"));
        self.slots.iter().map(tree).collect()
    }
}

/// What an epoch does to the key tree.
pub(super) fn redraw(accepted: &[Accepted], burnt: &Redraw) -> Redraw {
    // For tests alone: what a vault would be that deletes rows and calls that erasure. Whoever claims to have looked
    // for erased records must find them all in it.
    fail::fail_point!("epoch-redraws-nothing", |_| Redraw::new());
    let mut redraw = burnt.clone();
    for asked in accepted {
        match asked.task {
            Task::Rotate => {
                // It was read before it was accepted.
                for tree in asked.trees().unwrap_or_default() {
                    redraw.rotate(tree);
                }
            }
            Task::Erase(_) => {
                for slot in &asked.slots {
                    redraw.erase(asked.tree, *slot);
                }
            }
        }
    }
    redraw
}
