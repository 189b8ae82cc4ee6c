//! Pages: derived while unwritten, sealed under their own key once written.

use std::fmt;

use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use super::address::{PageAddress, Place};
use crate::canonical::{Canonical, Reader};
use crate::error::{Error, Result};
use crate::kdf::{self, Label};
use crate::random::Random;
use crate::secret::{PageKey, RecordKey, SlotKey};
use crate::wiping;

/// Length of an entry in a written page, bytes.
pub(crate) const ENTRY: usize = 32 + 8 + 4 + 1;

/// First byte of a stored page.
const VERSION: u8 = 1;

/// Flag of an entry: the page below it is written, in the version that `drawn` names.
const WRITTEN: u8 = 1;

/// What a page says of an entry, besides its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draw {
    /// The epoch that drew the key at random; 0 while it is derived from the page's first key.
    pub(crate) drawn: u64,
    /// How often the slot was redrawn by erasure.
    pub(crate) generation: u32,
    /// Is the page below written? Its key alone does not tell: a tenant's slot that was just erased has
    /// a drawn key and a tree without pages.
    pub(crate) written: bool,
}

/// The entries of a written page, in memory. Wiped when dropped.
pub(crate) struct Page {
    keys: Box<[[u8; 32]]>,
    draws: Box<[Draw]>,
}

impl Page {
    /// The page as it is before it is first written: every key derived from the page's.
    pub(crate) fn derived(key: &PageKey, place: Place) -> Self {
        let mut keys = vec![[0; 32]; place.entries()].into_boxed_slice();
        wiping::after_hashing(|| {
            for (digit, entry) in keys.iter_mut().enumerate() {
                derive_entry(key, place, digit, entry);
            }
        });
        Self { draws: vec![Draw::default(); keys.len()].into_boxed_slice(), keys }
    }

    /// Another copy, to be changed.
    pub(crate) fn duplicate(&self) -> Self {
        Self { keys: self.keys.clone(), draws: self.draws.clone() }
    }

    pub(crate) fn draw(&self, digit: usize) -> Draw {
        self.draws[digit]
    }

    pub(crate) fn page_key(&self, digit: usize) -> PageKey {
        infallible(|| PageKey::fill_with(|key| copy(key, &self.keys[digit])))
    }

    pub(crate) fn slot_key(&self, digit: usize) -> SlotKey {
        infallible(|| SlotKey::fill_with(|key| copy(key, &self.keys[digit])))
    }

    /// Puts another key in the place of an entry's; the old one is gone from this page for good.
    pub(crate) fn replace(&mut self, digit: usize, key: &PageKey, draw: Draw) {
        self.keys[digit] = *key.expose();
        self.draws[digit] = draw;
    }

    /// Every entry with what the page says of it.
    pub(crate) fn draws(&self) -> impl Iterator<Item = (usize, Draw)> + '_ {
        self.draws.iter().copied().enumerate()
    }

    /// The page's plaintext: key 32 ‖ drawn u64 ‖ generation u32 ‖ flags u8 of each entry.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut plaintext = Zeroizing::new(Vec::with_capacity(self.keys.len() * ENTRY));
        for (key, draw) in self.keys.iter().zip(&self.draws) {
            plaintext.extend_from_slice(key);
            plaintext.extend_from_slice(&draw.drawn.to_be_bytes());
            plaintext.extend_from_slice(&draw.generation.to_be_bytes());
            plaintext.push(if draw.written { WRITTEN } else { 0 });
        }
        plaintext
    }

    /// Seals the page under a key drawn for this version alone (rule 1).
    pub(crate) fn seal(&self, key: &PageKey, address: &PageAddress, random: &impl Random) -> Result<Vec<u8>> {
        Self::seal_plaintext(key, address, random, &self.encode())
    }

    pub(crate) fn seal_plaintext(
        key: &PageKey,
        address: &PageAddress,
        random: &impl Random,
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        let mut sealed = Vec::with_capacity(1 + crate::aead::OVERHEAD + plaintext.len());
        sealed.push(VERSION);
        sealing_key(key, address).seal_onto(&mut sealed, random, &aad(address), plaintext)?;
        Ok(sealed)
    }

    /// Opens a stored page. Whatever is wrong with it is an error that names the page.
    pub(crate) fn open(key: &PageKey, address: &PageAddress, stored: &[u8]) -> Result<Self> {
        let corrupt = |why: &str| Error::corrupt("page of the key tree", format!("{address}: {why}"));
        let (&VERSION, sealed) = stored.split_first().ok_or_else(|| corrupt("empty"))? else {
            return Err(corrupt("unknown version"));
        };
        let plaintext =
            sealing_key(key, address).open(&aad(address), sealed).map_err(|error| corrupt(&error.to_string()))?;
        Self::decode(address, &plaintext)
    }

    /// Reads what [`Page::encode`] wrote.
    pub(crate) fn decode(address: &PageAddress, plaintext: &[u8]) -> Result<Self> {
        let corrupt = |why: &str| Error::corrupt("page of the key tree", format!("{address}: {why}"));
        let count = address.place.entries();
        let mut page = Self {
            keys: vec![[0; 32]; count].into_boxed_slice(),
            draws: vec![Draw::default(); count].into_boxed_slice(),
        };
        let mut reader = Reader::new("page of the key tree", plaintext);
        for (key, draw) in page.keys.iter_mut().zip(&mut page.draws) {
            key.copy_from_slice(reader.take(32)?);
            let (drawn, generation, flags) = (reader.u64()?, reader.u32()?, reader.u8()?);
            *draw = Draw { drawn, generation, written: flags == WRITTEN };
            if flags > WRITTEN || !draw.plausible(address) {
                return Err(corrupt("an entry contradicts itself"));
            }
        }
        reader.end()?;
        Ok(page)
    }
}

impl Draw {
    /// Nothing is written below a derived key, nothing but slots is erased, and nothing was drawn after
    /// the page itself was.
    fn plausible(self, address: &PageAddress) -> bool {
        let slots_of_a_tenant = address.place.is_leaf() && address.place.tree.as_tenant().is_some();
        let inner = !address.place.is_leaf();
        self.drawn <= address.drawn
            && (!self.written || self.drawn != 0)
            && (self.generation == 0 || self.drawn != 0)
            && !(slots_of_a_tenant && self.written)
            && !(inner && (self.generation != 0 || self.written != (self.drawn != 0)))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}

impl ZeroizeOnDrop for Page {}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Page(..)")
    }
}

/// The key of an entry that was never drawn: of the page below an unwritten page. Whoever walks down wipes
/// the stack at the end.
pub(crate) fn derived_page_key(key: &PageKey, place: Place, digit: usize) -> PageKey {
    infallible(|| {
        PageKey::fill_with(|out| {
            derive_entry(key, place, digit, out);
            Ok(())
        })
    })
}

/// As [`derived_page_key`], of a leaf's slot.
pub(crate) fn derived_slot_key(key: &PageKey, place: Place, digit: usize) -> SlotKey {
    infallible(|| {
        SlotKey::fill_with(|out| {
            derive_entry(key, place, digit, out);
            Ok(())
        })
    })
}

fn derive_entry(key: &PageKey, place: Place, digit: usize, out: &mut [u8; 32]) {
    // A digit is below the fan-out, which no byte is too small for.
    let digit = [digit as u8];
    kdf::expand_in_row(key.expose(), Label::ENTRY, &[&place.encode(), &digit], out);
}

fn sealing_key(key: &PageKey, address: &PageAddress) -> RecordKey {
    RecordKey::expand(key.expose(), Label::PAGE, &[&address.encode()])
}

fn aad(address: &PageAddress) -> Vec<u8> {
    Canonical::new(Label::PAGE.as_str()).field(&[VERSION]).field(&address.encode()).finish()
}

fn copy(to: &mut [u8; 32], from: &[u8; 32]) -> std::result::Result<(), std::convert::Infallible> {
    to.copy_from_slice(from);
    Ok(())
}

fn infallible<T>(make: impl FnOnce() -> std::result::Result<T, std::convert::Infallible>) -> T {
    match make() {
        Ok(value) => value,
    }
}
