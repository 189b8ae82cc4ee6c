//! Where a slot lives: trees, pages and the way from the root to a slot. Pure arithmetic.

use std::fmt;

use crate::canonical::Reader;
use crate::error::{Error, Result};

/// Slots of a page, and entries of every page but a head page. The format's; the feature `fan-out` is for measuring others.
#[cfg(not(feature = "fan-out"))]
pub const FAN_OUT: usize = 64;
/// Slots of a page, and entries of every page but a head page: as many as are to be measured.
#[cfg(feature = "fan-out")]
pub const FAN_OUT: usize = measured();
/// Entries of a head page: one for each height a subtree can have.
pub const HEIGHTS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
/// Bits of a slot number that one level resolves.
const DIGIT_BITS: u32 = FAN_OUT.trailing_zeros();

/// What `LETHE_FAN_OUT` says when this is compiled; without it, the format's.
#[cfg(feature = "fan-out")]
const fn measured() -> usize {
    let Some(text) = option_env!("LETHE_FAN_OUT") else { return 64 };
    match usize::from_str_radix(text, 10) {
        // An entry is named by one byte.
        Ok(fan_out @ 2..=256) if fan_out.is_power_of_two() => fan_out,
        Ok(_) | Err(_) => panic!("LETHE_FAN_OUT is a power of two from 2 to 256"),
    }
}

/// A slot as a record names it: its number, and how often it was redrawn before.
///
/// Twelve bytes, without padding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C, packed(4))]
pub struct SlotRef {
    /// Number of the slot in its tree.
    pub slot: u64,
    /// How many times the slot had been redrawn by erasure. A record of an earlier generation is gone.
    pub generation: u32,
}

impl SlotRef {
    /// Length of the encoding, bytes.
    pub const LENGTH: usize = 12;

    /// A slot that was never redrawn.
    #[must_use]
    pub const fn first(slot: u64) -> Self {
        Self { slot, generation: 0 }
    }

    /// slot (u64) ‖ generation (u32), big-endian.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LENGTH] {
        let mut out = [0; Self::LENGTH];
        out[..8].copy_from_slice(&self.slot.to_be_bytes());
        out[8..].copy_from_slice(&self.generation.to_be_bytes());
        out
    }

    /// Reads what [`SlotRef::encode`] wrote; every 12 bytes are a slot.
    #[must_use]
    pub const fn decode(bytes: [u8; Self::LENGTH]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Self { slot: u64::from_be_bytes([a, b, c, d, e, f, g, h]), generation: u32::from_be_bytes([i, j, k, l]) }
    }
}

impl fmt::Display for SlotRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot, generation } = *self;
        write!(f, "slot {slot}.{generation}")
    }
}

/// Which key tree: the vault's own, or that of the tenant in a slot of the vault tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(SlotRef);

impl TreeId {
    /// Length of the encoding, bytes.
    pub const LENGTH: usize = SlotRef::LENGTH;

    /// The vault's tree, whose slots are the roots of the tenants' trees; slot 0 is the vault's own.
    pub const VAULT: Self = Self(SlotRef { slot: 0, generation: 0 });

    /// The tree of the tenant in this slot of the vault tree.
    ///
    /// # Errors
    /// [`Error::VaultSlot`] for slot 0, which is the vault's own.
    pub const fn tenant(tenant: SlotRef) -> Result<Self> {
        if tenant.slot == 0 { Err(Error::VaultSlot(0)) } else { Ok(Self(tenant)) }
    }

    /// The tenant's slot in the vault tree, or `None` for the vault tree itself.
    #[must_use]
    pub const fn as_tenant(self) -> Option<SlotRef> {
        if self.0.slot == 0 { None } else { Some(self.0) }
    }

    /// slot (u64) ‖ generation (u32), big-endian; the vault tree is 12 zero bytes.
    #[must_use]
    pub fn encode(self) -> [u8; Self::LENGTH] {
        self.0.encode()
    }

    /// Reads what [`TreeId::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for slot 0 with a generation other than 0.
    pub fn decode(bytes: [u8; Self::LENGTH]) -> Result<Self> {
        let slot = SlotRef::decode(bytes);
        if slot.slot == 0 && slot.generation != 0 {
            return Err(Error::corrupt("tree id", "the vault's slot cannot have a generation"));
        }
        Ok(Self(slot))
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_tenant() {
            None => f.write_str("the vault tree"),
            Some(SlotRef { slot, generation }) => write!(f, "the tree of tenant {slot}.{generation}"),
        }
    }
}

impl fmt::Debug for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SlotRef { slot, generation } = self.0;
        write!(f, "TreeId({slot}.{generation})")
    }
}

/// A page's place in its tree, whatever its version.
///
/// A tree is a forest by height, so that it grows at the top without rewriting anything: a slot whose
/// number has h base-64 digits lives in the subtree of height h. The head page (height 0) holds the keys
/// of the subtrees' top pages; a page of level l holds the keys of pages of level l−1, or slots if l = 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) tree: TreeId,
    pub(crate) height: u8,
    pub(crate) level: u8,
    pub(crate) index: u64,
}

impl Place {
    pub(crate) const LENGTH: usize = TreeId::LENGTH + 10;

    pub(crate) const fn head(tree: TreeId) -> Self {
        Self { tree, height: 0, level: 0, index: 0 }
    }

    pub(crate) const fn is_head(self) -> bool {
        self.height == 0
    }

    /// Are this page's entries slots?
    pub(crate) const fn is_leaf(self) -> bool {
        self.height != 0 && self.level == 0
    }

    /// How many entries a page here has.
    pub(crate) const fn entries(self) -> usize {
        if self.is_head() { HEIGHTS } else { FAN_OUT }
    }

    /// The entry of this page on the way to `slot`.
    pub(crate) const fn digit(self, slot: u64) -> usize {
        if self.is_head() {
            height_of(slot) as usize - 1
        } else {
            (shifted(slot, self.level as u32) & (FAN_OUT as u64 - 1)) as usize
        }
    }

    /// The page below this one on the way to `slot`; a leaf has none.
    pub(crate) const fn towards(self, slot: u64) -> Option<Self> {
        if self.is_leaf() {
            return None;
        }
        let (height, level) = if self.is_head() {
            let height = height_of(slot);
            (height, height - 1)
        } else {
            (self.height, self.level - 1)
        };
        Some(Self { tree: self.tree, height, level, index: shifted(slot, level as u32 + 1) })
    }

    /// The page below entry `digit`, for walking all of them; a leaf has none.
    pub(crate) const fn child(self, digit: usize) -> Option<Self> {
        if self.is_head() {
            let height = digit as u8 + 1;
            return Some(Self { tree: self.tree, height, level: height - 1, index: 0 });
        }
        if self.is_leaf() {
            return None;
        }
        let index = (self.index << DIGIT_BITS) | digit as u64;
        Some(Self { tree: self.tree, height: self.height, level: self.level - 1, index })
    }

    /// The number of the slot in entry `digit` of a leaf.
    pub(crate) const fn slot(self, digit: usize) -> u64 {
        (self.index << DIGIT_BITS) | digit as u64
    }

    /// tree 12 ‖ height u8 ‖ level u8 ‖ index u64.
    pub(crate) fn encode(self) -> [u8; Self::LENGTH] {
        let mut out = [0; Self::LENGTH];
        out[..12].copy_from_slice(&self.tree.encode());
        out[12] = self.height;
        out[13] = self.level;
        out[14..].copy_from_slice(&self.index.to_be_bytes());
        out
    }
}

/// Number of base-64 digits of a slot number, at least 1.
const fn height_of(slot: u64) -> u8 {
    let bits = u64::BITS - slot.leading_zeros();
    if bits == 0 { 1 } else { bits.div_ceil(DIGIT_BITS) as u8 }
}

/// `slot` without its lowest `digits` base-64 digits.
const fn shifted(slot: u64, digits: u32) -> u64 {
    match slot.checked_shr(digits * DIGIT_BITS) {
        Some(index) => index,
        None => 0,
    }
}

/// One version of one page: the name it is stored under.
///
/// Each version has a name of its own, so that readers of the last epoch keep working while the next
/// is written, and nothing is ever overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageAddress {
    pub(crate) place: Place,
    pub(crate) drawn: u64,
}

impl PageAddress {
    /// Length of the encoding, bytes.
    pub const LENGTH: usize = Place::LENGTH + 8;

    /// The tree the page belongs to.
    #[must_use]
    pub const fn tree(&self) -> TreeId {
        self.place.tree
    }

    /// Height of the subtree the page is in, its level there and its index on that level; a head page is 0, 0, 0.
    #[must_use]
    pub const fn position(&self) -> (u8, u8, u64) {
        (self.place.height, self.place.level, self.place.index)
    }

    /// Number of the epoch that wrote this version.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.drawn
    }

    /// tree 12 ‖ height u8 ‖ level u8 ‖ index u64 ‖ epoch u64, big-endian: sorts by tree first, so that
    /// all pages of a tree are one range of keys.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut out = [0; Self::LENGTH];
        out[..Place::LENGTH].copy_from_slice(&self.place.encode());
        out[Place::LENGTH..].copy_from_slice(&self.drawn.to_be_bytes());
        out
    }

    /// Reads what [`PageAddress::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if no page can be there.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("page address", bytes);
        let address = Self::read(&mut reader)?;
        reader.end()?;
        Ok(address)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let tree = TreeId::decode(reader.array()?)?;
        let (height, level, index) = (reader.u8()?, reader.u8()?, reader.u64()?);
        let drawn = reader.u64()?;
        let place = Place { tree, height, level, index };
        let exists = if place.is_head() {
            level == 0 && index == 0
        } else {
            usize::from(height) <= HEIGHTS && level < height && place.reachable()
        };
        if !exists || drawn == 0 {
            return Err(reader.corrupt("no page can be there"));
        }
        Ok(Self { place, drawn })
    }
}

impl Place {
    /// Does the way to some slot pass through here? The first slot below must have `height` digits, or
    /// be below entry 0 of a page that also leads to such slots.
    const fn reachable(self) -> bool {
        let levels = self.level as u32 + 1;
        let Some(last) = ({
            let ones = if levels * DIGIT_BITS >= u64::BITS { u64::MAX } else { (1 << (levels * DIGIT_BITS)) - 1 };
            let low = if levels * DIGIT_BITS >= u64::BITS { 0 } else { self.index << (levels * DIGIT_BITS) };
            if shifted(low, levels) == self.index { Some(low | ones) } else { None }
        }) else {
            return false;
        };
        height_of(last) == self.height
    }
}

impl fmt::Display for PageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { tree, height, level, index } = self.place;
        if self.place.is_head() {
            write!(f, "head page of {tree}, epoch {}", self.drawn)
        } else {
            write!(f, "page {height}/{level}/{index} of {tree}, epoch {}", self.drawn)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The way from the head page to a slot.
    fn path(slot: u64) -> Vec<Place> {
        std::iter::successors(Some(Place::head(TreeId::VAULT)), |place| place.towards(slot)).collect()
    }

    /// Slot numbers of every magnitude.
    fn slots() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0u32..64).prop_map(|(n, shift)| n >> shift)
    }

    #[test]
    fn height_is_the_number_of_base_64_digits() {
        for (slot, height) in [(0, 1), (63, 1), (64, 2), (4095, 2), (4096, 3), (u64::MAX >> 4, 10), (u64::MAX, 11)] {
            assert_eq!(height_of(slot), height, "slot {slot}");
        }
    }

    #[test]
    fn known_paths() {
        let at = |height, level, index| Place { tree: TreeId::VAULT, height, level, index };
        assert_eq!(path(5), [at(0, 0, 0), at(1, 0, 0)]);
        assert_eq!(path(64), [at(0, 0, 0), at(2, 1, 0), at(2, 0, 1)]);
        assert_eq!(path(64 * 64 * 3 + 64 * 2 + 1), [at(0, 0, 0), at(3, 2, 0), at(3, 1, 3), at(3, 0, 194)]);
        assert_eq!(path(u64::MAX).len(), 12);
    }

    proptest! {
        #[test]
        fn a_path_ends_at_its_slot_and_children_agree(slot in slots()) {
            let path = path(slot);
            prop_assert_eq!(path.len(), usize::from(height_of(slot)) + 1);
            for pair in path.windows(2) {
                prop_assert_eq!(pair[0].child(pair[0].digit(slot)), Some(pair[1]));
            }
            let leaf = path[path.len() - 1];
            prop_assert!(leaf.is_leaf());
            prop_assert_eq!(leaf.slot(leaf.digit(slot)), slot);
        }

        #[test]
        fn two_slots_share_a_leaf_entry_only_if_equal(a in slots(), b in slots()) {
            let end = |slot| { let leaf = *path(slot).last().unwrap(); (leaf, leaf.digit(slot)) };
            prop_assert_eq!(end(a) == end(b), a == b);
        }

        #[test]
        fn addresses_round_trip(slot in slots(), tenant in 1u64.., generation: u32, drawn in 1u64..) {
            let tree = TreeId::tenant(SlotRef { slot: tenant, generation }).unwrap();
            for place in path(slot) {
                let address = PageAddress { place: Place { tree, ..place }, drawn };
                prop_assert_eq!(PageAddress::decode(&address.encode()).unwrap(), address);
            }
        }

        #[test]
        fn decoding_never_panics_and_is_strict(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(address) = PageAddress::decode(&bytes) {
                prop_assert_eq!(&address.encode()[..], bytes.as_slice());
            }
        }
    }

    #[test]
    fn addresses_of_no_page_are_refused() {
        let encode = |height, level, index, drawn| {
            PageAddress { place: Place { tree: TreeId::VAULT, height, level, index }, drawn }.encode()
        };
        for bad in [
            encode(0, 1, 0, 1),
            encode(0, 0, 1, 1),
            encode(12, 0, 0, 1),
            encode(2, 2, 0, 1),
            encode(2, 1, 1, 1),
            encode(2, 0, 64, 1),
            encode(11, 0, u64::MAX, 1),
            encode(1, 0, 0, 0),
        ] {
            assert!(PageAddress::decode(&bad).is_err(), "{bad:?}");
        }
        assert!(PageAddress::decode(&encode(11, 10, 0, 1)).is_ok());
    }

    #[test]
    fn slot_0_of_the_vault_is_no_tenant() {
        assert!(matches!(TreeId::tenant(SlotRef::first(0)), Err(Error::VaultSlot(0))));
        assert!(TreeId::decode(SlotRef { slot: 0, generation: 1 }.encode()).is_err());
        assert_eq!(TreeId::decode([0; 12]).unwrap(), TreeId::VAULT);
    }
}
