//! Pages of key trees: a plaintext has one spelling, and whatever opens makes a tree that can be walked and rewritten.
#![no_main]

use std::collections::BTreeSet;

use lethe_crypto::fuzzing;
use lethe_crypto::tree::{PageAddress, PageSource, Redraw, SlotRef, TreeId, rewrite};
use lethe_crypto::{BoxError, Error};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::{Corpus, fuzz_target};

/// Bytes of an entry: key 32 ‖ drawn u64 ‖ generation u32 ‖ flags u8.
const ENTRY: usize = 45;
/// Every key of the trees that are walked, so that every page opens.
const KEY: [u8; 32] = [7; 32];

#[derive(Arbitrary, Debug)]
enum Input {
    /// A page's plaintext, at an address.
    Plaintext { address: [u8; PageAddress::LENGTH], plaintext: Vec<u8> },
    /// An address alone.
    Address(Vec<u8>),
    /// A tree, and what is done to it.
    Tree { epoch: u64, draws: Vec<Draw>, slots: Vec<(u8, SlotIn)> },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Draw {
    /// Modulo the epoch, mostly: a page may not be drawn later than the one above it.
    drawn: u64,
    generation: u32,
    flags: u8,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum SlotIn {
    Vault { slot: u64, generation: u32 },
    Tenant { tenant: u64, slot: u64, generation: u32 },
}

fuzz_target!(|input: Input| -> Corpus {
    match input {
        Input::Plaintext { address, plaintext } => {
            let Ok(address) = PageAddress::decode(&address) else { return Corpus::Reject };
            let stored = fuzzing::seal_page(&KEY, &address, &plaintext).expect("sealing cannot fail");
            match fuzzing::page(&address, &plaintext) {
                Ok(again) => assert_eq!(again.as_slice(), plaintext, "a page has two spellings"),
                Err(Error::Corrupt { .. }) => {}
                Err(other) => panic!("{other}"),
            }
            assert_eq!(stored.len(), plaintext.len() + 61);
            Corpus::Keep
        }
        Input::Address(bytes) => {
            if let Ok(address) = PageAddress::decode(&bytes) {
                assert_eq!(address.encode().as_slice(), bytes, "an address has two spellings");
            }
            Corpus::Keep
        }
        Input::Tree { epoch, draws, slots } => {
            walk(epoch, &draws, &slots);
            Corpus::Keep
        }
    }
});

/// Gives every page that is asked for, sealed under the one key.
struct Pages<'a>(&'a [Draw]);

impl PageSource for Pages<'_> {
    fn page(&self, address: &PageAddress) -> Result<Option<Vec<u8>>, BoxError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let bytes = address.encode();
        let entries = if bytes[12] == 0 { 11 } else { 64 };
        let start = bytes.iter().fold(0usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        let mut plaintext = Vec::with_capacity(entries * ENTRY);
        for entry in 0..entries {
            let draw = self.0[start.wrapping_add(entry) % self.0.len()];
            let inner = bytes[12] == 0 || bytes[13] > 0;
            // Half of what a decoder must refuse is left to it; otherwise no tree would ever be deep.
            let (drawn, generation, flags) = if draw.flags & 0x80 != 0 {
                (draw.drawn, draw.generation, draw.flags & 0x7f)
            } else if inner {
                let drawn = draw.drawn % address.epoch().saturating_add(1).max(1);
                (drawn, 0, u8::from(drawn != 0))
            } else {
                let drawn = draw.drawn % address.epoch().saturating_add(1).max(1);
                let in_vault = bytes[..12] == [0; 12];
                (
                    drawn,
                    if drawn == 0 { 0 } else { draw.generation },
                    u8::from(drawn != 0 && in_vault && draw.flags & 1 == 1),
                )
            };
            plaintext.extend_from_slice(&KEY);
            plaintext.extend_from_slice(&drawn.to_be_bytes());
            plaintext.extend_from_slice(&generation.to_be_bytes());
            plaintext.push(flags);
        }
        Ok(Some(fuzzing::seal_page(&KEY, address, &plaintext).expect("sealing cannot fail")))
    }
}

fn walk(epoch: u64, draws: &[Draw], slots: &[(u8, SlotIn)]) {
    let (pages, view) = (Pages(draws), fuzzing::view(&KEY, epoch));
    let mut redraw = Redraw::new();
    let mut erased = BTreeSet::new();
    for (how, slot) in slots.iter().take(8) {
        let (tree, slot) = match *slot {
            SlotIn::Vault { slot, generation } => (TreeId::VAULT, SlotRef { slot, generation }),
            SlotIn::Tenant { tenant, slot, generation } => {
                let Ok(tree) = view.tenant(&pages, tenant) else { continue };
                (tree, SlotRef { slot, generation })
            }
        };
        // What is there is named by what the tree says of it, what may not be by any generation.
        let current = match tree {
            TreeId::VAULT if slot.slot != 0 => view.tenant(&pages, slot.slot).ok().and_then(TreeId::as_tenant),
            _ => view.generation(&pages, tree, slot.slot).ok().map(|generation| SlotRef { generation, ..slot }),
        };
        let opened = view.open_slot(&pages, tree, slot);
        if let (Ok(Some(_)), Some(current)) = (&opened, current) {
            assert_eq!(slot.generation, current.generation, "a slot opens in another generation");
        }
        let slot = if how % 4 == 0 { slot } else { current.unwrap_or(slot) };
        redraw.erase(tree, slot);
        erased.insert((tree, slot));
    }
    let Ok(rewritten) = rewrite(&view, &pages, &redraw) else { return };
    assert_eq!(rewritten.epoch, epoch + 1);
    assert!(rewritten.redrawn <= erased.len());
    let mut names = BTreeSet::new();
    for page in &rewritten.put {
        assert_eq!(page.address.epoch(), epoch + 1, "a page is not of the epoch that writes it");
        assert!(names.insert(page.address), "a page is written twice");
    }
    for address in &rewritten.dropped {
        assert!(address.epoch() <= epoch && !names.contains(address));
    }
    // What was erased is erased in the tree that was written, read through nothing but that.
    let written = Rewritten { put: &rewritten.put, before: &pages };
    for (tree, slot) in erased {
        match tree.as_tenant() {
            Some(tenant) => {
                let whole = view.tenant(&pages, tenant.slot).is_ok_and(|now| now == tree);
                assert!(!whole || !matches!(rewritten.view.open_slot(&written, tree, slot), Ok(Some(_))));
            }
            None if slot.slot == 0 => {
                assert!(!matches!(rewritten.view.open_slot(&written, tree, slot), Ok(Some(_))));
            }
            None => {
                let now = rewritten.view.tenant(&written, slot.slot).expect("the vault tree is whole");
                assert!(now.as_tenant().is_some_and(|now| now.generation > slot.generation), "a tenant is still there");
            }
        }
    }
}

/// The pages of a rewrite, and those before it that it refers to.
struct Rewritten<'a> {
    put: &'a [lethe_crypto::tree::SealedPage],
    before: &'a Pages<'a>,
}

impl PageSource for Rewritten<'_> {
    fn page(&self, address: &PageAddress) -> Result<Option<Vec<u8>>, BoxError> {
        match self.put.iter().find(|page| page.address == *address) {
            Some(page) => Ok(Some(page.bytes.clone())),
            None => self.before.page(address),
        }
    }
}
