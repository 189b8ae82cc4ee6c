//! Looking at one replica without changing anything.

use std::path::Path;

use super::layout::Slot;
use super::replica::Replica;
use crate::error::{Error, Result};
use crate::root::{Claim, RootId};

/// What a replica's file holds, without the roots themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// Who claimed the store, as this replica has it.
    pub claim: Option<Claim>,
    /// The roots in it, in ascending order.
    pub roots: Vec<RootId>,
    /// Slots that are neither whole nor empty: a write was torn, or the medium fails.
    pub damaged: usize,
}

impl ReplicaState {
    /// Reads a replica. The file is locked meanwhile, and nothing is written.
    ///
    /// # Errors
    /// [`Error::ReplicaMissing`], [`Error::Locked`] if a vault has it open, [`Error::Permissions`], [`Error::Corrupt`]
    /// if no header is whole, [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self> {
        let replica = Replica::open(path)?.ok_or_else(|| Error::ReplicaMissing(path.to_owned()))?;
        let image = replica.read()?;
        let header = image
            .header
            .ok_or_else(|| Error::corrupt("root store file", format!("{}: no header is whole", path.display())))?;
        let mut roots: Vec<_> = image.slots.iter().filter_map(Slot::root).map(|root| root.id).collect();
        roots.sort_unstable();
        let damaged = image.slots.iter().filter(|slot| matches!(slot, Slot::Damaged)).count();
        Ok(Self { claim: header.claim, roots, damaged })
    }
}
