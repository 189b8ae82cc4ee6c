//! The tree against a naive map, and against an adversary who keeps everything.

mod adversary;
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

#[test]
fn perf() {
    use std::time::Instant;
    let (disk, view) = founded();
    let tree = tenant(1);
    let t = Instant::now();
    let n = 1_000_000u64;
    let mut x = 0u8;
    for slot in 0..n { x ^= view.slot_key(&disk, tree, slot).unwrap().key.expose()[0]; }
    println!("lazy lookup {:?} {x}", t.elapsed() / n as u32);
    let t = Instant::now();
    let mut redraw = Redraw::new();
    for i in 0..50_000u64 { redraw.erase(tree, SlotRef::first(i.wrapping_mul(2654435761) % n)); }
    let r = rewrite(&view, &disk, &redraw).unwrap();
    println!("rewrite {} slots {} pages: {:?}", r.redrawn, r.put.len(), t.elapsed());
    let t = Instant::now(); disk.commit(&r); println!("commit {:?}", t.elapsed());
    let t = Instant::now(); println!("auth {} {:?}", r.view.authenticate(&disk).unwrap(), t.elapsed());
    disk.drop_superseded(&r);
    let t = Instant::now();
    for slot in 0..n { x ^= r.view.slot_key(&disk, tree, slot).unwrap().key.expose()[0]; }
    println!("written lookup {:?} {x}", t.elapsed() / n as u32);
    let one = rewrite(&r.view, &disk, Redraw::new().erase(tree, SlotRef::first(77_777))).unwrap();
    println!("one erasure at 1M: {} pages {} bytes", one.put.len(), one.put.iter().map(|p| p.bytes.len()).sum::<usize>());
    let mut k = Redraw::new();
    for i in 0..1000u64 { k.erase(tree, SlotRef::first(i * 997 + 5)); }
    let t = Instant::now();
    let one = rewrite(&r.view, &disk, &k).unwrap();
    println!("1000 erasures at 1M: {} pages {} bytes {:?}", one.put.len(), one.put.iter().map(|p| p.bytes.len()).sum::<usize>(), t.elapsed());
    let s = r.view.slot_key(&disk, tree, 5).unwrap().key;
    let c = crate::record::RecordContext::new(SlotRef::first(1), SlotRef::first(5), crate::record::RecordKind(1), b"id");
    let k = crate::record::RecordKeys::of_subject(&s);
    let sealed = crate::record::seal(k, &c, &[7; 2048]).unwrap();
    let t = Instant::now();
    for _ in 0..100_000 { crate::record::open(k, &c, &sealed).unwrap(); }
    println!("open 2 KiB record {:?}", t.elapsed() / 100_000);
    let t = Instant::now();
    for _ in 0..100_000 { crate::record::seal(k, &c, &[7; 2048]).unwrap(); }
    println!("seal 2 KiB record {:?}", t.elapsed() / 100_000);
    let tr = crate::transform::KeyedTransform::new(&crate::secret::TransformSeed::derive(&s, 0), 512).unwrap();
    let v = [0.5f32; 512]; let mut out = [0.0f32; 512];
    let t = Instant::now();
    for _ in 0..100_000 { tr.rotate_into(&v, &mut out).unwrap(); std::hint::black_box(&out); }
    println!("rotate 512 {:?}", t.elapsed() / 100_000);
    let t = Instant::now();
    for _ in 0..1_000_000 { crate::kdf::wipe_stack(); }
    println!("wipe_stack {:?}", t.elapsed() / 1_000_000);
}
