//! Looking keys up, in the tree as one epoch committed it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use super::address::{PageAddress, Place, SlotRef, TreeId};
use super::cache::PageCache;
use super::page::{Draw, Page, derived_page_key, derived_slot_key};
use crate::error::{BoxError, Error, Result};
use crate::secret::{PageKey, SlotKey, VaultKey};
use crate::wiping;

/// Where sealed pages are kept. Called from many threads at once.
pub trait PageSource: Send + Sync {
    /// The bytes stored under this address, or `None` if there are none.
    ///
    /// # Errors
    /// Whatever kept the page from being read.
    fn page(&self, address: &PageAddress) -> std::result::Result<Option<Vec<u8>>, BoxError>;
}

/// A slot's current key and how often it was redrawn.
#[derive(Debug)]
pub struct Slot {
    /// The key that records of the current generation are sealed under.
    pub key: SlotKey,
    /// The current generation.
    pub generation: u32,
}

/// The key tree of one epoch: immutable, cheap to clone, shared between threads.
///
/// A lookup costs one HMAC per unwritten level, and a table lookup per written one. While a view lives,
/// so does the vault key it holds: an epoch is destroyed only after all views of it are dropped
/// (see [`WeakView`]).
#[derive(Clone)]
pub struct View(Arc<Inner>);

struct Inner {
    vault: PageKey,
    epoch: u64,
    cache: Arc<PageCache>,
    /// Roots of the tenants' trees that were asked for, by tenant slot.
    roots: RwLock<HashMap<u64, Arc<Root>>>,
}

/// A tenant's tree: its root key, and what its slot in the vault tree says.
struct Root {
    key: PageKey,
    draw: Draw,
}

/// The written pages that a tree leads to.
#[derive(Debug, Default)]
pub struct Survey {
    /// Those that are there and open, in no order.
    pub open: Vec<PageAddress>,
    /// Those that do not, and why: everything below them is out of reach.
    pub closed: Vec<(PageAddress, Error)>,
}

/// Looks slots of one tree up, one after the other. It keeps the way down to the last one's leaf, so that those which lie
/// side by side cost one HMAC each. It keeps its [`View`] alive: hold it no longer than a row of look-ups takes.
pub struct Walk<'a> {
    /// From the head to a leaf; empty before the first look-up. Before the view, so that it is wiped before that is gone.
    path: Vec<Node>,
    view: View,
    pages: &'a dyn PageSource,
    tree: TreeId,
}

/// A page on the way down: its key, and its content if it was ever written.
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) key: PageKey,
    pub(super) page: Option<Arc<Page>>,
}

/// Knows whether the last handle of a [`View`] is gone.
#[derive(Debug, Clone)]
pub struct WeakView(Weak<Inner>);

impl View {
    /// The tree below `vault_key`, as epoch number `epoch` committed it. Epoch 0 is the founding one, in
    /// which nothing is written; every later one wrote the vault tree's head page.
    #[must_use]
    pub fn new(vault_key: &VaultKey, epoch: u64, cache: Arc<PageCache>) -> Self {
        Self(Arc::new(Inner { vault: PageKey::of_vault(vault_key), epoch, cache, roots: RwLock::default() }))
    }

    /// The same tree, read through another cache.
    #[must_use]
    pub fn with_cache(&self, cache: Arc<PageCache>) -> Self {
        let Inner { vault, epoch, .. } = &*self.0;
        Self(Arc::new(Inner { vault: vault.duplicate(), epoch: *epoch, cache, roots: RwLock::default() }))
    }

    /// Number of the epoch this view shows.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }

    /// The cache this view reads through.
    #[must_use]
    pub fn cache(&self) -> &Arc<PageCache> {
        &self.0.cache
    }

    #[cfg(test)]
    pub(super) fn vault_page_key(&self) -> PageKey {
        self.0.vault.duplicate()
    }

    /// A handle that does not keep the view alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakView {
        WeakView(Arc::downgrade(&self.0))
    }

    /// The current tree of the tenant in slot `slot` of the vault tree, whoever had the slot before.
    ///
    /// # Errors
    /// [`Error::VaultSlot`] for slot 0; [`Error::Corrupt`], [`Error::Pages`].
    pub fn tenant(&self, pages: &dyn PageSource, slot: u64) -> Result<TreeId> {
        let generation = self.vault_draw(pages, slot)?.generation;
        TreeId::tenant(SlotRef { slot, generation })
    }

    /// For looking up many slots of one tree.
    #[must_use]
    pub fn walk<'a>(&self, pages: &'a dyn PageSource, tree: TreeId) -> Walk<'a> {
        Walk { view: self.clone(), pages, tree, path: Vec::new() }
    }

    /// [`Walk::slot_key`] of one slot.
    ///
    /// # Errors
    /// As there.
    pub fn slot_key(&self, pages: &dyn PageSource, tree: TreeId, slot: u64) -> Result<Slot> {
        self.walk(pages, tree).slot_key(slot)
    }

    /// [`Walk::open_slot`] of one slot.
    ///
    /// # Errors
    /// As there.
    pub fn open_slot(&self, pages: &dyn PageSource, tree: TreeId, slot: SlotRef) -> Result<Option<SlotKey>> {
        self.walk(pages, tree).open_slot(slot)
    }

    /// How often a slot was redrawn by erasure; of any slot, also a tenant's in the vault tree.
    ///
    /// # Errors
    /// As [`View::slot_key`].
    pub fn generation(&self, pages: &dyn PageSource, tree: TreeId, slot: u64) -> Result<u32> {
        if tree == TreeId::VAULT {
            return Ok(self.vault_draw(pages, slot)?.generation);
        }
        wiping::after_hashing(|| {
            let mut walk = self.walk(pages, tree);
            let leaf = walk.leaf(slot)?;
            Ok(leaf.draw(leaf.place.digit(slot)).generation)
        })
    }

    /// Reads and authenticates, from `pages` and not from the cache, the vault tree's head page and every
    /// page that this view's epoch wrote. An epoch's predecessor may be destroyed only after this (rule 5).
    /// Returns how many pages that were.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a page is missing or does not open; [`Error::Pages`].
    pub fn authenticate(&self, pages: &dyn PageSource) -> Result<usize> {
        wiping::after_hashing(|| self.authenticate_pages(pages))
    }

    fn authenticate_pages(&self, pages: &dyn PageSource) -> Result<usize> {
        let mut open = Vec::new();
        if self.0.epoch != 0 {
            open.push((Place::head(TreeId::VAULT), self.0.vault.duplicate()));
        }
        let mut opened = 0;
        while let Some((place, key)) = open.pop() {
            let page = read(pages, &key, &PageAddress { place, drawn: self.0.epoch })?;
            opened += 1;
            for (digit, draw) in page.draws() {
                if !draw.written || draw.drawn != self.0.epoch {
                    continue;
                }
                let below = match place.child(digit) {
                    Some(child) => child,
                    None => {
                        let tenant = SlotRef { slot: place.slot(digit), generation: draw.generation };
                        Place::head(TreeId::tenant(tenant)?)
                    }
                };
                open.push((below, page.page_key(digit)));
            }
        }
        Ok(opened)
    }

    /// Looks for every page that this tree says is written, whichever epoch wrote it, in `pages` and not in the cache: for
    /// whoever wants to know what is damaged, and what is there that nothing leads to.
    #[must_use]
    pub fn survey(&self, pages: &dyn PageSource) -> Survey {
        wiping::after_hashing(|| self.look_for_pages(pages))
    }

    fn look_for_pages(&self, pages: &dyn PageSource) -> Survey {
        let mut survey = Survey::default();
        let mut open = Vec::new();
        if self.0.epoch != 0 {
            let head = PageAddress { place: Place::head(TreeId::VAULT), drawn: self.0.epoch };
            open.push((head, self.0.vault.duplicate()));
        }
        while let Some((address, key)) = open.pop() {
            let page = match read(pages, &key, &address) {
                Ok(page) => page,
                Err(fault) => {
                    survey.closed.push((address, fault));
                    continue;
                }
            };
            survey.open.push(address);
            for (digit, draw) in page.draws().filter(|(_, draw)| draw.written) {
                let below = match address.place.child(digit) {
                    Some(child) => Ok(child),
                    None => {
                        let tenant = SlotRef { slot: address.place.slot(digit), generation: draw.generation };
                        TreeId::tenant(tenant).map(Place::head)
                    }
                };
                match below {
                    Ok(place) => open.push((PageAddress { place, drawn: draw.drawn }, page.page_key(digit))),
                    Err(fault) => survey.closed.push((address, fault)),
                }
            }
        }
        survey
    }

    /// A node of the tree, with its content if it is written.
    pub(super) fn node(&self, pages: &dyn PageSource, place: Place, key: PageKey, draw: Draw) -> Result<Node> {
        if !draw.written {
            return Ok(Node { place, key, page: None });
        }
        let address = PageAddress { place, drawn: draw.drawn };
        let page = match self.0.cache.get(&address) {
            Some(page) => page,
            None => {
                let page = Arc::new(read(pages, &key, &address)?);
                self.0.cache.put(address, Arc::clone(&page));
                page
            }
        };
        Ok(Node { place, key, page: Some(page) })
    }

    /// The node below `node` in entry `digit`; `place` is where that leads.
    pub(super) fn below(&self, pages: &dyn PageSource, node: &Node, digit: usize, place: Place) -> Result<Node> {
        self.node(pages, place, node.entry_key(digit), node.draw(digit))
    }

    /// The head of a tree.
    pub(super) fn head(&self, pages: &dyn PageSource, tree: TreeId) -> Result<Node> {
        let Some(tenant) = tree.as_tenant() else {
            let drawn = self.0.epoch;
            let draw = Draw { drawn, generation: 0, written: drawn != 0 };
            return self.node(pages, Place::head(tree), self.0.vault.duplicate(), draw);
        };
        let root = self.root(pages, tenant.slot)?;
        match tenant.generation.cmp(&root.draw.generation) {
            std::cmp::Ordering::Less => Err(Error::TreeErased(tree)),
            std::cmp::Ordering::Equal => self.node(pages, Place::head(tree), root.key.duplicate(), root.draw),
            std::cmp::Ordering::Greater => Err(Error::FutureGeneration { tree: TreeId::VAULT, slot: tenant }),
        }
    }

    /// What the vault tree says of one of its slots.
    pub(super) fn vault_draw(&self, pages: &dyn PageSource, slot: u64) -> Result<Draw> {
        Ok(self.root(pages, slot)?.draw)
    }

    fn root(&self, pages: &dyn PageSource, slot: u64) -> Result<Arc<Root>> {
        if let Some(root) = self.0.roots.read().get(&slot) {
            return Ok(Arc::clone(root));
        }
        let root = wiping::after_hashing(|| {
            let mut walk = self.walk(pages, TreeId::VAULT);
            let leaf = walk.leaf(slot)?;
            let digit = leaf.place.digit(slot);
            Ok::<_, Error>(Arc::new(Root { key: leaf.entry_key(digit), draw: leaf.draw(digit) }))
        })?;
        self.0.roots.write().insert(slot, Arc::clone(&root));
        Ok(root)
    }
}

impl Walk<'_> {
    /// The current key and generation of a slot.
    ///
    /// In the vault tree only slot 0 has a key to seal under: the others' keys are roots of the tenants'
    /// trees and change with every erasure in them.
    ///
    /// # Errors
    /// [`Error::TreeErased`] if the tenant was erased; [`Error::VaultSlot`]; [`Error::Corrupt`],
    /// [`Error::Pages`].
    pub fn slot_key(&mut self, slot: u64) -> Result<Slot> {
        if self.tree == TreeId::VAULT && slot != 0 {
            return Err(Error::VaultSlot(slot));
        }
        wiping::after_hashing(|| {
            let leaf = self.leaf(slot)?;
            let digit = leaf.place.digit(slot);
            let key = match &leaf.page {
                Some(page) => page.slot_key(digit),
                None => derived_slot_key(&leaf.key, leaf.place, digit),
            };
            Ok(Slot { key, generation: leaf.draw(digit).generation })
        })
    }

    /// The key of a slot as a record names it, or `None` if it was erased since, by itself or with its
    /// tenant.
    ///
    /// # Errors
    /// [`Error::FutureGeneration`] if the slot never reached that generation; [`Error::VaultSlot`];
    /// [`Error::Corrupt`], [`Error::Pages`].
    pub fn open_slot(&mut self, slot: SlotRef) -> Result<Option<SlotKey>> {
        let current = match self.slot_key(slot.slot) {
            Ok(current) => current,
            Err(Error::TreeErased(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        match slot.generation.cmp(&current.generation) {
            std::cmp::Ordering::Less => Ok(None),
            std::cmp::Ordering::Equal => Ok(Some(current.key)),
            std::cmp::Ordering::Greater => Err(Error::FutureGeneration { tree: self.tree, slot }),
        }
    }

    /// The leaf of a slot. What of the way there is that of the last slot, is not gone again.
    fn leaf(&mut self, slot: u64) -> Result<&Node> {
        let Self { view, pages, tree, path } = self;
        if path.is_empty() {
            path.push(view.head(*pages, *tree)?);
        }
        let mut depth = 0;
        while let Some(place) = path[depth].place.towards(slot) {
            let above = depth;
            depth += 1;
            if path.get(depth).is_none_or(|node| node.place != place) {
                path.truncate(depth);
                let below = view.below(*pages, &path[above], path[above].place.digit(slot), place)?;
                path.push(below);
            }
        }
        Ok(&path[depth])
    }
}

impl Node {
    pub(super) fn draw(&self, digit: usize) -> Draw {
        self.page.as_ref().map_or_else(Draw::default, |page| page.draw(digit))
    }

    fn entry_key(&self, digit: usize) -> PageKey {
        match &self.page {
            Some(page) => page.page_key(digit),
            None => derived_page_key(&self.key, self.place, digit),
        }
    }
}

impl WeakView {
    /// Is every handle of the view gone, and its vault key wiped with it?
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// A page that the tree says is there: that it is missing is as corrupt as that it does not open.
fn read(pages: &dyn PageSource, key: &PageKey, address: &PageAddress) -> Result<Page> {
    let stored = pages
        .page(address)
        .map_err(Error::Pages)?
        .ok_or_else(|| Error::corrupt("page of the key tree", format!("{address}: missing")))?;
    Page::open(key, address, &stored)
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("epoch", &self.0.epoch).finish_non_exhaustive()
    }
}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("view", &self.view).field("tree", &self.tree).finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View(..)")
    }
}
