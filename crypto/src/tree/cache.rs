//! Opened pages in RAM, shared by all views: every inner page, and a bounded number of leaves.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use parking_lot::RwLock;

use super::address::PageAddress;
use super::page::Page;

/// Locks are taken per shard, so that lookups on many threads do not meet.
const SHARDS: usize = 16;

/// Opened pages, by address and version. A page's memory is wiped when the last user lets go of it.
///
/// Inner pages stay (about 50 MiB for 100 million subjects); of leaves at most the given number do, the
/// longest unused going first.
pub struct PageCache {
    shards: [RwLock<Shard>; SHARDS],
    hasher: RandomState,
    leaves_per_generation: usize,
}

#[derive(Default)]
struct Shard {
    inner: HashMap<PageAddress, Arc<Page>>,
    /// Leaves used since the last turnover, and those used only in the one before. When the young are
    /// enough, they become the old, and the old are dropped.
    young: HashMap<PageAddress, Arc<Page>>,
    old: HashMap<PageAddress, Arc<Page>>,
}

impl PageCache {
    /// A cache that keeps at most about `leaves` leaf pages (3 KiB each), and all inner pages.
    #[must_use]
    pub fn new(leaves: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            leaves_per_generation: (leaves / SHARDS / 2).max(1),
        }
    }

    pub(crate) fn get(&self, address: &PageAddress) -> Option<Arc<Page>> {
        let shard = self.shard(address);
        {
            let shard = shard.read();
            let kept = if address.place.is_leaf() { &shard.young } else { &shard.inner };
            if let Some(page) = kept.get(address) {
                return Some(Arc::clone(page));
            }
            if !shard.old.contains_key(address) {
                return None;
            }
        }
        let mut shard = shard.write();
        let page = shard.old.remove(address)?;
        self.keep_leaf(&mut shard, *address, Arc::clone(&page));
        Some(page)
    }

    /// Only pages that a [`super::PageSource`] gave and that authenticated may be put here: a version
    /// that was never committed may be written again, with other keys, under the same address.
    pub(crate) fn put(&self, address: PageAddress, page: Arc<Page>) {
        let mut shard = self.shard(&address).write();
        if address.place.is_leaf() {
            self.keep_leaf(&mut shard, address, page);
        } else {
            shard.inner.insert(address, page);
        }
    }

    /// Drops superseded versions, which wipes them.
    pub(crate) fn forget(&self, gone: impl Fn(&PageAddress) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.write();
            shard.inner.retain(|address, _| !gone(address));
            shard.young.retain(|address, _| !gone(address));
            shard.old.retain(|address, _| !gone(address));
        }
    }

    /// Pages held now: (inner, leaves).
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(inner, leaves), shard| {
            let shard = shard.read();
            (inner + shard.inner.len(), leaves + shard.young.len() + shard.old.len())
        })
    }

    /// Is no page held?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }

    fn keep_leaf(&self, shard: &mut Shard, address: PageAddress, page: Arc<Page>) {
        if shard.young.len() >= self.leaves_per_generation {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(address, page);
    }

    fn shard(&self, address: &PageAddress) -> &RwLock<Shard> {
        // Below SHARDS, so it fits.
        &self.shards[(self.hasher.hash_one(address) % SHARDS as u64) as usize]
    }
}

impl std::fmt::Debug for PageCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (inner, leaves) = self.len();
        f.debug_struct("PageCache").field("inner", &inner).field("leaves", &leaves).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::PageKey;
    use crate::tree::TreeId;
    use crate::tree::address::Place;

    fn leaf(index: u64) -> PageAddress {
        PageAddress { place: Place { tree: TreeId::VAULT, height: 4, level: 0, index }, drawn: 1 }
    }

    fn inner(index: u64) -> PageAddress {
        PageAddress { place: Place { tree: TreeId::VAULT, height: 4, level: 1, index }, drawn: 1 }
    }

    fn page() -> Arc<Page> {
        let key = PageKey::random(&crate::random::System).unwrap();
        Arc::new(Page::derived(&key, Place::head(TreeId::VAULT)))
    }

    #[test]
    fn leaves_are_bounded_and_inner_pages_are_not() {
        let cache = PageCache::new(256);
        for index in 0..5_000 {
            cache.put(leaf(index), page());
            cache.put(inner(index), page());
        }
        let (inner, leaves) = cache.len();
        assert_eq!(inner, 5_000);
        assert!(leaves <= 256, "{leaves}");
    }

    #[test]
    fn what_is_used_stays() {
        let cache = PageCache::new(256);
        cache.put(leaf(0), page());
        for index in 1..5_000 {
            assert!(cache.get(&leaf(0)).is_some());
            cache.put(leaf(index), page());
        }
    }

    #[test]
    fn a_forgotten_page_is_dropped() {
        let cache = PageCache::new(256);
        let held = page();
        cache.put(inner(1), Arc::clone(&held));
        cache.put(inner(2), page());
        cache.forget(|address| *address == inner(1));
        assert!(cache.get(&inner(1)).is_none());
        assert!(cache.get(&inner(2)).is_some());
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
