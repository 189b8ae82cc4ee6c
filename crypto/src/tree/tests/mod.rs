//! The tree against a naive map, and against an adversary who keeps everything.

pub(crate) mod adversary;
mod allocation;
mod golden;
mod lookup;
mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::*;
use crate::error::BoxError;
use crate::random::System;
use crate::secret::VaultKey;

/// Pages in memory: those that a disk would hold, and every version that was ever made.
#[derive(Default)]
pub(crate) struct Disk {
    pages: Mutex<BTreeMap<PageAddress, Vec<u8>>>,
    history: Mutex<Vec<SealedPage>>,
}

impl PageSource for Disk {
    fn page(&self, address: &PageAddress) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(self.pages.lock().unwrap().get(address).cloned())
    }
}

impl Disk {
    /// What an adversary keeps also of a commit that never happened.
    pub(crate) fn remember(&self, rewrite: &Rewrite) {
        self.history.lock().unwrap().extend_from_slice(&rewrite.put);
    }

    pub(crate) fn commit(&self, rewrite: &Rewrite) {
        self.remember(rewrite);
        let mut pages = self.pages.lock().unwrap();
        for page in &rewrite.put {
            let before = pages.insert(page.address, page.bytes.clone());
            assert!(before.is_none(), "{} was overwritten", page.address);
        }
    }

    /// The second batch. Everything it names must be there.
    pub(crate) fn drop_superseded(&self, rewrite: &Rewrite) {
        let mut pages = self.pages.lock().unwrap();
        for address in &rewrite.dropped {
            assert!(pages.remove(address).is_some(), "{address} was dropped twice");
        }
        pages.retain(|address, _| !rewrite.shredded.contains(&address.tree()));
    }

    pub(crate) fn addresses(&self) -> BTreeSet<PageAddress> {
        self.pages.lock().unwrap().keys().copied().collect()
    }

    fn history(&self) -> Vec<SealedPage> {
        self.history.lock().unwrap().clone()
    }

    fn put(&self, address: PageAddress, bytes: Vec<u8>) {
        self.pages.lock().unwrap().insert(address, bytes);
    }
}

/// A tree without any page, as a vault is founded with.
pub(crate) fn founded() -> (Disk, View) {
    let key = VaultKey::random(&System).unwrap();
    (Disk::default(), View::new(&key, 0, Arc::new(PageCache::new(256))))
}

/// A tenant's tree.
pub(crate) fn tenant(slot: u64) -> TreeId {
    TreeId::tenant(SlotRef::first(slot)).unwrap()
}

/// A slot's key as bytes.
pub(crate) fn key(view: &View, disk: &dyn PageSource, tree: TreeId, slot: u64) -> [u8; 32] {
    *view.slot_key(disk, tree, slot).unwrap().key.expose()
}

/// Commits one epoch and drops what it superseded.
pub(crate) fn erase(disk: &Disk, view: &View, slots: &[(TreeId, SlotRef)]) -> View {
    let mut redraw = Redraw::new();
    for (tree, slot) in slots {
        redraw.erase(*tree, *slot);
    }
    let rewrite = rewrite(view, disk, &redraw).unwrap();
    disk.commit(&rewrite);
    disk.drop_superseded(&rewrite);
    rewrite.view
}
