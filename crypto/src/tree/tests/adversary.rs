//! The promise itself: who holds every page version ever made, and the current vault key, reaches no
//! value that an erased slot had, and every live one.
//!
//! The adversary has a reader of its own, written after the format's description with another HKDF and
//! AES-GCM (ring's), that shares no code with the tree.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::secret::PageKey;
use crate::tree::address::Place;
use crate::tree::page::{Draw, Page};

pub(crate) type Key = [u8; 32];

/// tree 12 ‖ height ‖ level ‖ index u64: the address of a page without its version.
type PlaceBytes = Vec<u8>;

/// Everything the adversary keeps, and what they look for.
pub(crate) struct Adversary {
    versions: HashMap<PlaceBytes, Vec<(u64, Vec<u8>)>>,
    tenants: Vec<(u64, u32)>,
    slots: Vec<u64>,
}

impl Adversary {
    pub(crate) fn new(history: &[SealedPage], tenants: &[(u64, u32)], slots: &[u64]) -> Self {
        let mut versions: HashMap<PlaceBytes, Vec<(u64, Vec<u8>)>> = HashMap::new();
        for page in history {
            let address = page.address.encode();
            let (place, drawn) = address.split_at(22);
            let drawn = u64::from_be_bytes(drawn.try_into().unwrap());
            versions.entry(place.to_vec()).or_default().push((drawn, page.bytes.clone()));
        }
        Self { versions, tenants: tenants.to_vec(), slots: slots.to_vec() }
    }

    /// As [`Adversary::keys_from`]; and whatever a key is called, it may open something else: each is tried on everything.
    fn reach(&self, roots: &[Key]) -> HashSet<Key> {
        let (known, seen) = self.walk(roots);
        for (place, versions) in &self.versions {
            for (drawn, sealed) in versions {
                for key in &known {
                    if !seen.contains(&(place.clone(), *key)) {
                        assert!(unseal(key, place, *drawn, sealed).is_none(), "a key opens a page that is not its own");
                    }
                }
            }
        }
        known
    }

    /// Every key that leads from `roots`: through derivations as they were before a page was written,
    /// and through every version of every page that opens.
    pub(crate) fn keys_from(&self, roots: &[Key]) -> HashSet<Key> {
        self.walk(roots).0
    }

    fn walk(&self, roots: &[Key]) -> (HashSet<Key>, HashSet<(PlaceBytes, Key)>) {
        let mut known: HashSet<Key> = HashSet::new();
        let mut seen: HashSet<(PlaceBytes, Key)> = HashSet::new();
        let mut open: Vec<(PlaceBytes, Key)> = roots.iter().map(|key| (place((0, 0), 0, 0, 0), *key)).collect();
        while let Some((place, key)) = open.pop() {
            known.insert(key);
            if !seen.insert((place.clone(), key)) {
                continue;
            }
            for digit in self.digits(&place) {
                let entry = derive(&key, &[b"lethe/v1/entry", &place, &[digit]]);
                open.extend(self.below(&place, digit, entry));
                known.insert(entry);
            }
            for (drawn, sealed) in self.versions.get(&place).into_iter().flatten() {
                let Some(entries) = unseal(&key, &place, *drawn, sealed) else { continue };
                for (digit, entry) in entries.iter().enumerate() {
                    open.extend(self.below(&place, digit as u8, *entry));
                    known.insert(*entry);
                }
            }
        }
        (known, seen)
    }

    /// The entries of this page that lead to what is looked for.
    fn digits(&self, place: &PlaceBytes) -> HashSet<u8> {
        let (tree, height, level, index) = parse(place);
        let wanted: Vec<u64> = if tree == (0, 0) {
            self.tenants.iter().map(|(slot, _)| *slot).chain([0]).collect()
        } else {
            self.slots.clone()
        };
        let mut digits = HashSet::new();
        for slot in wanted {
            let digits_of = base64_digits(slot);
            if height == 0 {
                digits.insert(digits_of.len() as u8 - 1);
            } else if digits_of.len() == usize::from(height) && number(&digits_of[usize::from(level) + 1..]) == index {
                digits.insert(digits_of[usize::from(level)]);
            }
        }
        digits
    }

    /// The pages that an entry's key may be the key of.
    fn below(&self, place: &PlaceBytes, digit: u8, key: Key) -> Vec<(PlaceBytes, Key)> {
        let (tree, height, level, index) = parse(place);
        if height == 0 {
            return vec![(self::place(tree, digit + 1, digit, 0), key)];
        }
        let below = index * 64 + u64::from(digit);
        if level > 0 {
            return vec![(self::place(tree, height, level - 1, below), key)];
        }
        if tree != (0, 0) {
            return Vec::new();
        }
        let tenants = self.tenants.iter().filter(|(slot, _)| *slot == below);
        tenants.map(|tenant| (self::place(*tenant, 0, 0, 0), key)).collect()
    }
}

fn place((slot, generation): (u64, u32), height: u8, level: u8, index: u64) -> PlaceBytes {
    [&slot.to_be_bytes()[..], &generation.to_be_bytes(), &[height, level], &index.to_be_bytes()].concat()
}

fn parse(place: &PlaceBytes) -> ((u64, u32), u8, u8, u64) {
    let number = |range: std::ops::Range<usize>| place[range].iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    ((number(0..8), number(8..12) as u32), place[12], place[13], number(14..22))
}

/// The digits of a slot number, lowest first.
fn base64_digits(slot: u64) -> Vec<u8> {
    let mut digits = vec![(slot % 64) as u8];
    let mut rest = slot / 64;
    while rest > 0 {
        digits.push((rest % 64) as u8);
        rest /= 64;
    }
    digits
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().rev().fold(0, |number, digit| number * 64 + u64::from(*digit))
}

struct Length(usize);

impl ring::hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(key: &Key, info: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    let prk = ring::hkdf::Prk::new_less_safe(ring::hkdf::HKDF_SHA256, key);
    prk.expand(info, Length(N)).unwrap().fill(&mut out).unwrap();
    out
}

fn derive(key: &Key, info: &[&[u8]]) -> Key {
    expand(key, info)
}

/// version ‖ commitment 32 ‖ nonce 12 ‖ ciphertext ‖ tag; entries of key 32 ‖ drawn 8 ‖ generation 4 ‖ flags 1.
fn unseal(key: &Key, place: &PlaceBytes, drawn: u64, sealed: &[u8]) -> Option<Vec<Key>> {
    let address = [place.as_slice(), &drawn.to_be_bytes()].concat();
    let okm: [u8; 64] = expand(key, &[b"lethe/v1/page", &address]);
    let field = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let aad = [field(b"lethe/v1/page"), field(&[1]), field(&address)].concat();
    if sealed[1..33] != okm[32..] {
        return None;
    }
    let nonce = ring::aead::Nonce::try_assume_unique_for_key(&sealed[33..45]).ok()?;
    let key = ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &okm[..32]).ok()?;
    let mut buffer = sealed[45..].to_vec();
    let plaintext =
        ring::aead::LessSafeKey::new(key).open_in_place(nonce, ring::aead::Aad::from(aad), &mut buffer).ok()?;
    Some(plaintext.chunks_exact(45).map(|entry| entry[..32].try_into().unwrap()).collect())
}

const SLOTS: [u64; 9] = [0, 1, 2, 63, 64, 70, 4096, 4100, 300_000];
const TENANTS: u64 = 2;

/// A history of erasures, with every value that any slot ever had.
struct History {
    disk: Disk,
    views: Vec<View>,
    live: HashMap<(TreeId, u64), Key>,
    erased: HashSet<Key>,
    tenants: BTreeSet<(u64, u32)>,
}

impl History {
    fn new() -> Self {
        let (disk, view) = founded();
        let mut history =
            Self { disk, views: vec![view], live: HashMap::new(), erased: HashSet::new(), tenants: BTreeSet::new() };
        (1..=TENANTS).for_each(|slot| history.take_in(slot));
        history
    }

    fn view(&self) -> &View {
        &self.views[self.views.len() - 1]
    }

    fn tree(&self, slot: u64) -> TreeId {
        self.view().tenant(&self.disk, slot).unwrap()
    }

    /// Reads the values of a tenant's slots.
    fn take_in(&mut self, slot: u64) {
        let tree = self.tree(slot);
        let tenant = tree.as_tenant().unwrap();
        self.tenants.insert((tenant.slot, tenant.generation));
        for slot in SLOTS {
            let value = key(self.view(), &self.disk, tree, slot);
            self.live.insert((tree, slot), value);
        }
    }

    fn rewrite(&self, slots: &[(u64, u64)]) -> Rewrite {
        let mut redraw = Redraw::new();
        for (tenant, slot) in slots {
            let tree = self.tree(*tenant);
            let generation = self.view().generation(&self.disk, tree, *slot).unwrap();
            redraw.erase(tree, SlotRef { slot: *slot, generation });
        }
        rewrite(self.view(), &self.disk, &redraw).unwrap()
    }

    fn abort(&self, slots: &[(u64, u64)]) {
        self.disk.remember(&self.rewrite(slots));
    }

    fn erase(&mut self, slots: &[(u64, u64)]) {
        let rewrite = self.rewrite(slots);
        self.disk.commit(&rewrite);
        for (tenant, slot) in slots {
            let tree = self.tree(*tenant);
            self.erased.extend(self.live.remove(&(tree, *slot)));
        }
        self.disk.drop_superseded(&rewrite);
        self.views.push(rewrite.view);
        (1..=TENANTS).for_each(|tenant| self.take_in(tenant));
    }

    fn shred(&mut self, tenant: u64) {
        let tree = self.tree(tenant);
        let mut redraw = Redraw::new();
        redraw.erase(TreeId::VAULT, tree.as_tenant().unwrap());
        let rewrite = rewrite(self.view(), &self.disk, &redraw).unwrap();
        self.disk.commit(&rewrite);
        for slot in SLOTS {
            self.erased.extend(self.live.remove(&(tree, slot)));
        }
        self.disk.drop_superseded(&rewrite);
        self.views.push(rewrite.view);
        self.take_in(tenant);
    }

    fn adversary(&self) -> Adversary {
        let tenants: Vec<_> = self.tenants.iter().copied().collect();
        Adversary::new(&self.disk.history(), &tenants, &SLOTS)
    }

    fn check(&self) {
        let known = self.adversary().reach(&[*self.view().vault_page_key().expose()]);
        for ((tree, slot), value) in &self.live {
            assert!(known.contains(value), "live slot {slot} of {tree} is out of reach: the adversary is too weak");
        }
        assert!(self.erased.is_disjoint(&known), "an erased value is within reach");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Erase(Vec<(u64, u64)>),
    Abort(Vec<(u64, u64)>),
    Shred(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slots = || prop::collection::vec((1..=TENANTS, prop::sample::select(&SLOTS[..])), 1..4);
    let step = prop_oneof![
        5 => slots().prop_map(Step::Erase),
        2 => slots().prop_map(Step::Abort),
        1 => (1..=TENANTS).prop_map(Step::Shred),
    ];
    prop::collection::vec(step, 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_erased_is_within_reach_and_everything_live_is(steps in steps()) {
        let mut history = History::new();
        for step in steps {
            match step {
                Step::Erase(slots) => history.erase(&slots),
                Step::Abort(slots) => history.abort(&slots),
                Step::Shred(tenant) => history.shred(tenant),
            }
            history.check();
        }
    }
}

/// An aborted epoch whose set then grows: the pages of the first attempt are torn bytes on disk.
#[test]
fn an_aborted_epoch_whose_set_grows() {
    let mut history = History::new();
    history.erase(&[(1, 63)]);
    history.abort(&[(1, 64)]);
    history.abort(&[(1, 64), (1, 1)]);
    history.erase(&[(1, 64), (1, 1), (2, 4096)]);
    history.check();
    history.erase(&[(1, 2)]);
    history.check();
}

/// The adversary proves nothing unless it wins where it should: with the root of an earlier epoch, which
/// is what destroying that root takes away.
#[test]
fn with_an_old_root_the_erased_is_within_reach() {
    let mut history = History::new();
    history.erase(&[(1, 63)]);
    history.erase(&[(1, 64)]);
    let adversary = history.adversary();
    let roots: Vec<Key> = history.views.iter().map(|view| *view.vault_page_key().expose()).collect();
    assert!(history.erased.iter().all(|value| adversary.reach(&roots[..1]).contains(value)));
    assert_eq!(history.erased.intersection(&adversary.reach(&roots[1..2])).count(), 1);
    assert!(history.erased.is_disjoint(&adversary.reach(&roots[2..])));
}

/// The naive way: the row goes, the slot is not redrawn.
#[test]
fn where_only_rows_are_deleted_everything_is_within_reach() {
    let history = History::new();
    let known = history.adversary().reach(&[*history.view().vault_page_key().expose()]);
    assert!(history.live.values().all(|value| known.contains(value)));
}

/// A tree that breaks rule 1: the leaf gets a new key, but its parent is written again under the old one.
#[test]
fn where_a_page_key_is_used_twice_the_erased_is_within_reach() {
    let random = System;
    let head = Place::head(TreeId::VAULT);
    let leaf = head.child(0).unwrap();
    let vault = PageKey::random(&random).unwrap();
    let mut history = Vec::new();
    let mut write = |page: &Page, key: &PageKey, place: Place, drawn: u64| {
        let address = PageAddress { place, drawn };
        history.push(SealedPage { address, bytes: page.seal(key, &address, &random).unwrap() });
    };
    let draw = |drawn, written| Draw { drawn, generation: 0, written };

    let mut slots = Page::derived(&PageKey::random(&random).unwrap(), leaf);
    let erased = *slots.slot_key(5).expose();
    let first = PageKey::random(&random).unwrap();
    write(&slots, &first, leaf, 1);
    let mut entries = Page::derived(&vault, head);
    entries.replace(0, &first, draw(1, true));
    write(&entries, &vault, head, 1);

    let second = PageKey::random(&random).unwrap();
    slots.replace(5, &PageKey::random(&random).unwrap(), Draw { generation: 1, ..draw(2, false) });
    write(&slots, &second, leaf, 2);
    entries.replace(0, &second, draw(2, true));
    write(&entries, &vault, head, 2);

    let adversary = Adversary::new(&history, &[(5, 0)], &[]);
    assert!(adversary.reach(&[*vault.expose()]).contains(&erased));
}
