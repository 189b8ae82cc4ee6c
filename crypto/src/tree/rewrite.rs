//! The next epoch's tree: erased slots redrawn, everything above them re-keyed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::address::{PageAddress, Place, SlotRef, TreeId};
use super::page::{Draw, Page};
use super::view::{Node, PageSource, View};
use crate::error::{Error, Result};
use crate::random::{Random, System};
use crate::secret::{PageKey, VaultKey};
use crate::wiping;

/// What an epoch erases: slots, by tree.
///
/// Erasing names a generation, so that repeating an erasure that was already committed does nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redraw {
    trees: BTreeMap<TreeId, BTreeSet<SlotRef>>,
}

impl Redraw {
    /// Nothing: such an epoch still changes the root, the vault key and the vault tree's head page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Erases a slot. A slot of the vault tree other than 0 is a tenant: its whole tree goes.
    pub fn erase(&mut self, tree: TreeId, slot: SlotRef) -> &mut Self {
        self.trees.entry(tree).or_default().insert(slot);
        self
    }

    /// Changes the key of a tree's head page, and with it the path to the root, without erasing a slot
    /// (rule 8). It protects against a stolen page key, not against a stolen slot key.
    pub fn rotate(&mut self, tree: TreeId) -> &mut Self {
        self.trees.entry(tree).or_default();
        self
    }

    /// Everything that `other` erases, too.
    pub fn extend(&mut self, other: &Self) -> &mut Self {
        for (tree, slots) in &other.trees {
            self.trees.entry(*tree).or_default().extend(slots);
        }
        self
    }

    /// Number of slots to erase.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trees.values().map(BTreeSet::len).sum()
    }

    /// Is there nothing to erase or rotate?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// The slots to erase, by tree, in order.
    pub fn iter(&self) -> impl Iterator<Item = (TreeId, SlotRef)> + '_ {
        self.trees.iter().flat_map(|(tree, slots)| slots.iter().map(|slot| (*tree, *slot)))
    }
}

/// A page as it is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPage {
    /// Where.
    pub address: PageAddress,
    /// What: ciphertext.
    pub bytes: Vec<u8>,
}

/// The next epoch's tree, ready to be committed in one batch.
#[derive(Debug)]
pub struct Rewrite {
    /// Number of the new epoch.
    pub epoch: u64,
    /// The new root of the vault tree, to be wrapped by the new root of the root store.
    pub vault_key: VaultKey,
    /// New page versions, each with a name of its own; in order of their names.
    pub put: Vec<SealedPage>,
    /// Page versions that the new tree no longer refers to, to be deleted once the old epoch is
    /// destroyed; in order of their names.
    pub dropped: Vec<PageAddress>,
    /// Trees of erased tenants: all their pages are to be deleted then, too.
    pub shredded: Vec<TreeId>,
    /// How many slots were redrawn: those of the request that had not been before.
    pub redrawn: usize,
    /// The new tree. Of use only after the commit.
    pub view: View,
}

/// Makes the tree of epoch `view.epoch() + 1`: redraws the given slots at random (rule 2) and gives every
/// page on the way to the root a new key (rule 1). Values of live siblings stay. Nothing is stored.
///
/// Each page is sealed once, however many slots below it are erased. What is put and dropped depends on
/// the request and the tree alone; keys, salts and nonces are new every time (rule 5: an unfinished
/// commit is redone with new keys).
///
/// # Errors
/// [`Error::FutureGeneration`], [`Error::Exhausted`], [`Error::Random`], [`Error::Corrupt`],
/// [`Error::Pages`].
pub fn rewrite(view: &View, pages: &dyn PageSource, redraw: &Redraw) -> Result<Rewrite> {
    wiping::after_hashing(|| rewrite_with(&System, view, pages, redraw))
}

pub(crate) fn rewrite_with(
    random: &impl Random,
    view: &View,
    pages: &dyn PageSource,
    redraw: &Redraw,
) -> Result<Rewrite> {
    let epoch = view.epoch().checked_add(1).ok_or(Error::Exhausted("epoch numbers"))?;
    let mut pass = Pass { random, view, pages, epoch, put: Vec::new(), dropped: Vec::new(), redrawn: 0 };
    let (vault, shredded) = pass.vault(redraw)?;

    let Pass { mut put, mut dropped, redrawn, .. } = pass;
    put.sort_unstable_by_key(|page| page.address);
    dropped.sort_unstable();
    let vault_key = VaultKey::of_page(&vault);
    let view = View::new(&vault_key, epoch, Arc::clone(view.cache()));
    Ok(Rewrite { epoch, vault_key, put, dropped, shredded, redrawn, view })
}

/// One pass over the trees, from the leaves up.
struct Pass<'a, R> {
    random: &'a R,
    view: &'a View,
    pages: &'a dyn PageSource,
    epoch: u64,
    put: Vec<SealedPage>,
    dropped: Vec<PageAddress>,
    redrawn: usize,
}

/// What happens to a slot.
enum Change {
    /// Its key is redrawn: this generation is erased.
    Erase(SlotRef),
    /// A slot of the vault tree, whose tenant's tree has a new root.
    Root(PageKey),
}

impl<R: Random> Pass<'_, R> {
    /// The vault tree, after the tenants' trees that hang below it. Returns the new key of its head page
    /// and the trees that were erased as a whole.
    fn vault(&mut self, redraw: &Redraw) -> Result<(PageKey, Vec<TreeId>)> {
        let mut changes = BTreeMap::new();
        let mut shredded = Vec::new();
        for slot in redraw.trees.get(&TreeId::VAULT).into_iter().flatten() {
            if self.is_current(TreeId::VAULT, *slot, self.view.vault_draw(self.pages, slot.slot)?)? {
                changes.insert(slot.slot, Change::Erase(*slot));
                if let Ok(tree) = TreeId::tenant(*slot) {
                    shredded.push(tree);
                }
            }
        }
        for (tree, slots) in &redraw.trees {
            let Some(tenant) = tree.as_tenant() else { continue };
            let root = self.view.vault_draw(self.pages, tenant.slot)?;
            // A tenant that is gone, or goes in this very epoch, takes its slots with it.
            if !self.is_current(TreeId::VAULT, tenant, root)? || changes.contains_key(&{ tenant.slot }) {
                continue;
            }
            let changed = slots.iter().map(|slot| (slot.slot, Change::Erase(*slot))).collect();
            let head = self.view.head(self.pages, *tree)?;
            changes.insert(tenant.slot, Change::Root(self.page(head, changed)?));
        }
        let head = self.view.head(self.pages, TreeId::VAULT)?;
        Ok((self.page(head, changes)?, shredded))
    }

    /// Writes a page under a new key, after the pages below it that change, and returns that key.
    fn page(&mut self, node: Node, changes: BTreeMap<u64, Change>) -> Result<PageKey> {
        let Node { place, key, page: written } = &node;
        // A copy: readers of the last epoch still use the page as it was.
        let mut page = match written {
            Some(page) => page.duplicate(),
            None => Page::derived(key, *place),
        };
        if place.is_leaf() {
            for (slot, change) in changes {
                self.slot(&mut page, place.digit(slot), place.tree, change)?;
            }
        } else {
            for (digit, (below, changes)) in grouped(*place, changes) {
                let child = self.view.below(self.pages, &node, digit, below)?;
                let drawn = page.draw(digit).drawn;
                if drawn != 0 {
                    self.dropped.push(PageAddress { place: below, drawn });
                }
                let key = self.page(child, changes)?;
                page.replace(digit, &key, Draw { drawn: self.epoch, generation: 0, written: true });
            }
        }
        self.seal(*place, &page)
    }

    fn slot(&mut self, page: &mut Page, digit: usize, tree: TreeId, change: Change) -> Result<()> {
        let before = page.draw(digit);
        match change {
            Change::Erase(slot) => {
                if !self.is_current(tree, slot, before)? {
                    return Ok(());
                }
                let generation = before.generation.checked_add(1).ok_or(Error::Exhausted("generations of a slot"))?;
                // Rule 2: drawn at random, so that nothing that is or was known leads to it; and the erased
                // value is not in this page any more.
                let key = PageKey::random(self.random)?;
                page.replace(digit, &key, Draw { drawn: self.epoch, generation, written: false });
                self.redrawn += 1;
            }
            Change::Root(key) => {
                let draw = Draw { drawn: self.epoch, generation: before.generation, written: true };
                page.replace(digit, &key, draw);
            }
        }
        Ok(())
    }

    /// Rule 1: this version of the page gets a key of its own and is encrypted once.
    fn seal(&mut self, place: Place, page: &Page) -> Result<PageKey> {
        if place.is_head() {
            self.drop_head(place.tree)?;
        }
        let key = PageKey::random(self.random)?;
        let address = PageAddress { place, drawn: self.epoch };
        self.put.push(SealedPage { address, bytes: page.seal(&key, &address, self.random)? });
        Ok(key)
    }

    /// The head page that this tree had, if it was written.
    fn drop_head(&mut self, tree: TreeId) -> Result<()> {
        let drawn = match tree.as_tenant() {
            None => self.view.epoch(),
            Some(tenant) => {
                let root = self.view.vault_draw(self.pages, tenant.slot)?;
                if root.written { root.drawn } else { 0 }
            }
        };
        if drawn != 0 {
            self.dropped.push(PageAddress { place: Place::head(tree), drawn });
        }
        Ok(())
    }

    /// Is this generation the live one? An earlier one is erased already; a later one cannot be.
    fn is_current(&self, tree: TreeId, slot: SlotRef, draw: Draw) -> Result<bool> {
        match slot.generation.cmp(&draw.generation) {
            std::cmp::Ordering::Less => Ok(false),
            std::cmp::Ordering::Equal => Ok(true),
            std::cmp::Ordering::Greater => Err(Error::FutureGeneration { tree, slot }),
        }
    }
}

/// Changes by the entry of `place` they lie below, and the page that is.
fn grouped(place: Place, changes: BTreeMap<u64, Change>) -> BTreeMap<usize, (Place, BTreeMap<u64, Change>)> {
    let mut groups = BTreeMap::new();
    for (slot, change) in changes {
        if let Some(below) = place.towards(slot) {
            let (_, group) = groups.entry(place.digit(slot)).or_insert_with(|| (below, BTreeMap::new()));
            group.insert(slot, change);
        }
    }
    groups
}
