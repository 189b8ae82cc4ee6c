//! Which keys lead from which, to a fixpoint.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::crypto::{Key, canonical, expand, unseal};
use super::rows::{Cursor, Place, Slot, Tree, VAULT};
use super::seen::Seen;

/// How hard is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// As the format says, and only where it leads to a slot that rows name.
    AsNeeded,
    /// As the format says: what a page says that was written, or what derives where none was.
    AsWritten,
    /// Also what would derive if a page that was written had not been.
    Derived,
    /// Also every page that stays closed, under every key that opened another.
    Everything,
}

/// Keys within reach.
#[derive(Default)]
pub(super) struct Reach {
    /// Every value that a slot may have or may have had.
    pub(super) slots: HashMap<(Tree, u64), HashSet<Key>>,
    /// Versions of pages that were opened.
    pub(super) pages: usize,
    /// Keys that opened pages.
    pub(super) page_keys: HashSet<Key>,
    /// Every key of a page that leads to a slot, written or not.
    pub(super) led_through: HashSet<(Place, Key)>,
}

/// Everything that leads from these vault keys through every version of every page.
pub(super) fn reach(seen: &Seen, vault_keys: &[Key], effort: Effort) -> Reach {
    let mut search = Search {
        seen,
        effort,
        found: Reach::default(),
        tried: HashSet::new(),
        opened: HashSet::new(),
        open: Vec::new(),
    };
    search.open.extend(vault_keys.iter().map(|key| (head(VAULT), *key)));
    while let Some((place, key)) = search.open.pop() {
        if search.tried.insert((place, key)) {
            search.step(place, key);
        }
    }
    if effort == Effort::Everything {
        search.cross();
    }
    search.found.pages = search.opened.len();
    search.found.led_through = search.tried;
    search.found
}

struct Search<'a> {
    seen: &'a Seen,
    effort: Effort,
    found: Reach,
    tried: HashSet<(Place, Key)>,
    /// Versions of pages that were opened. Of one epoch there may be several: those that were aborted.
    opened: HashSet<(Place, usize)>,
    open: Vec<(Place, Key)>,
}

impl Search<'_> {
    /// Tries a key on every version of its page, and derives from it.
    fn step(&mut self, place: Place, key: Key) {
        let wanted = self.digits(place);
        let mut opened = false;
        let versions = self.seen.pages.get(&place).into_iter().flatten();
        for (version, (epoch, stored)) in versions.enumerate() {
            let Some(entries) = open_page(&key, place, *epoch, stored) else { continue };
            opened = true;
            self.opened.insert((place, version));
            for (digit, entry) in entries.into_iter().enumerate() {
                self.below(place, digit as u64, entry);
            }
        }
        if opened {
            self.found.page_keys.insert(key);
        }
        if !opened || !matches!(self.effort, Effort::AsNeeded | Effort::AsWritten) {
            for digit in wanted {
                let entry = expand(&key, &[b"lethe/v1/entry", &place.bytes(), &[digit as u8]]);
                self.below(place, digit, entry);
            }
        }
    }

    /// Where an entry's key leads to.
    fn below(&mut self, place: Place, digit: u64, key: Key) {
        let Place { tree, height, level, index } = place;
        if height == 0 {
            let (height, level) = (digit as u8 + 1, digit as u8);
            self.go(Place { tree, height, level, index: 0 }, key);
        } else if level > 0 {
            self.go(Place { tree, height, level: level - 1, index: 64 * index + digit }, key);
        } else {
            let slot = 64 * index + digit;
            if !self.seen.slots.get(&tree).is_some_and(|wanted| wanted.contains(&slot)) {
                return;
            }
            self.found.slots.entry((tree, slot)).or_default().insert(key);
            if tree == VAULT && slot != 0 {
                // Of whatever generation the tenant is.
                let tenants = self.seen.slots.keys().filter(|tenant| tenant.number == slot);
                self.open.extend(tenants.map(|tenant| (head(*tenant), key)));
            }
        }
    }

    fn go(&mut self, place: Place, key: Key) {
        if self.effort != Effort::AsNeeded || !self.digits(place).is_empty() {
            self.open.push((place, key));
        }
    }

    /// Entries of a page that lead to a slot that rows name.
    fn digits(&self, place: Place) -> BTreeSet<u64> {
        let Some(slots) = self.seen.slots.get(&place.tree) else { return BTreeSet::new() };
        if place.height == 0 {
            return slots.iter().map(|slot| u64::from(digits(*slot)) - 1).collect();
        }
        let (height, level) = (u32::from(place.height), u32::from(place.level));
        let width = 64_u128.pow(level);
        let begin = u128::from(place.index) * width * 64;
        let (first, last) = (u64::try_from(begin), u64::try_from((begin + width * 64 - 1).min(u64::MAX.into())));
        let (Ok(first), Ok(last)) = (first, last) else { return BTreeSet::new() };
        let below = slots.range(first..=last).filter(|slot| digits(**slot) == height);
        below.map(|slot| ((u128::from(*slot) / width) % 64) as u64).collect()
    }

    /// Whatever a key is called: each that opened a page, on every version of every page that is closed.
    fn cross(&self) {
        for (place, versions) in &self.seen.pages {
            let closed = versions.iter().enumerate().filter(|(version, _)| !self.opened.contains(&(*place, *version)));
            for (_, (epoch, stored)) in closed {
                for key in &self.found.page_keys {
                    assert!(open_page(key, *place, *epoch, stored).is_none(), "a key opens another's page");
                }
            }
        }
    }
}

fn head(tree: Tree) -> Place {
    Place { tree, height: 0, level: 0, index: 0 }
}

/// Digits of a slot's number to the base 64.
fn digits(slot: u64) -> u32 {
    slot.checked_ilog2().unwrap_or(0) / 6 + 1
}

/// The keys in a written page, if it is sealed under this one.
fn open_page(key: &Key, place: Place, epoch: u64, stored: &[u8]) -> Option<Vec<Key>> {
    let address = [&place.bytes()[..], &epoch.to_be_bytes()].concat();
    let (&version, sealed) = stored.split_first().unwrap();
    assert_eq!(version, 1, "version of a page");
    let aad = canonical(&[b"lethe/v1/page", &[version], &address]);
    let opened = unseal(&expand(key, &[b"lethe/v1/page", &address]), &aad, sealed)?;
    assert_eq!(opened.len(), if place.height == 0 { 11 * 45 } else { 64 * 45 }, "length of a page");
    Some(opened.chunks_exact(45).map(|entry| Cursor(entry).array()).collect())
}

/// The keys that a slot may have.
impl Reach {
    pub(super) fn of(&self, tree: Tree, slot: Slot) -> impl Iterator<Item = &Key> {
        self.slots.get(&(tree, slot.number)).into_iter().flatten()
    }
}

/// Slots by tree that have any key within reach.
impl Reach {
    pub(super) fn by_tree(&self) -> BTreeMap<Tree, Vec<(u64, Key)>> {
        let mut all: BTreeMap<Tree, Vec<(u64, Key)>> = BTreeMap::new();
        for ((tree, slot), keys) in &self.slots {
            all.entry(*tree).or_default().extend(keys.iter().map(|key| (*slot, *key)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fixtures of `docs/FORMAT.md`: nothing is written, the vault key is 00 01 02 … 1f.
    #[test]
    fn keys_derive_as_the_format_says() {
        let key: Key = std::array::from_fn(|i| i as u8);
        let tenant = Slot { number: 1, generation: 0 };
        let mut seen = Seen::default();
        seen.slots.insert(VAULT, BTreeSet::from([0, 1]));
        seen.slots.insert(tenant, BTreeSet::from([0, 5, 70, 300_000, u64::MAX]));
        let found = reach(&seen, &[key], Effort::Everything);
        let of = |tree, slot| {
            let keys = &found.slots[&(tree, slot)];
            assert_eq!(keys.len(), 1);
            hex::encode(keys.iter().next().unwrap())
        };
        assert_eq!(of(VAULT, 0), "f20faf9b707c706dff93bc838dd7a324c2133488393f03de21490ffd741dea63");
        assert_eq!(of(tenant, 0), "0886e70c6e8e48bdf07601f571ddd2ad020a52db4ff7cbf24df4a500930e1335");
        assert_eq!(of(tenant, 5), "727da2ce4bc8edc0ce6f08467bc9bdb293d12a48d727b839d5d2725c61431aae");
        assert_eq!(of(tenant, 70), "df6b9dc8679916418257705a7fd0291e1c2b3662783b5f126a40ff426ea03cd9");
        assert_eq!(of(tenant, 300_000), "295be3cf51f135e543175fc0d044d5c93b7af22f7cf9e7dea26651f73c5db0e3");
        assert_eq!(of(tenant, u64::MAX), "564851a532806241eefdb11197527d5bccffde5dcd545c9b41cb4ad50f50e5bf");
    }
}
