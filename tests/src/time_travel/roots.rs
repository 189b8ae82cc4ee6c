//! The root store's file.

use std::collections::HashSet;

use ring::digest::{SHA256, digest};

use super::crypto::{Key, canonical, derive, unseal};
use super::rows::{Cursor, Wrapped};

const BLOCK: usize = 4096;
const HEADERS: usize = 2;
const SLOTS: usize = 16;

/// Root keys that a file holds, and the store that they are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Roots {
    stores: HashSet<[u8; 16]>,
    keys: HashSet<Key>,
}

impl Roots {
    /// Reads a file. Of whatever is damaged in it, nothing is read.
    pub(super) fn read(file: &[u8]) -> Self {
        assert_eq!(file.len(), (HEADERS + SLOTS) * BLOCK, "a root file has 18 blocks");
        let mut roots = Self::default();
        for block in file.chunks_exact(BLOCK).take(HEADERS) {
            if let Some(mut header) = checked(block, b"LETHE-RS", 104) {
                assert_eq!(header.byte(), 1, "version of a root file");
                header.take(7);
                roots.stores.insert(header.array());
            }
        }
        for block in file.chunks_exact(BLOCK).skip(HEADERS) {
            if let Some(mut slot) = checked(block, b"LETHE-RT", 64) {
                assert_eq!(slot.byte(), 1, "version of a root");
                slot.take(7 + 16);
                roots.keys.insert(slot.array());
            }
        }
        roots
    }

    /// Everything that two files hold.
    pub(super) fn extend(&mut self, other: Self) {
        self.stores.extend(other.stores);
        self.keys.extend(other.keys);
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// The vault key in a wrapped one, if any root here unwraps it, whatever root it says it is wrapped under.
    pub(super) fn unwrap(&self, wrapped: &Wrapped) -> Option<Key> {
        self.unwrapped(wrapped).map(|(_, key)| key)
    }

    /// Which root unwraps a vault key, and that key.
    pub(super) fn unwrapped(&self, wrapped: &Wrapped) -> Option<(Key, Key)> {
        let Wrapped { vault, epoch, root, blob } = wrapped;
        let context = canonical(&[b"lethe/v1/wrap", vault, &epoch.to_be_bytes(), root]);
        let (&version, sealed) = blob.split_first().unwrap();
        assert_eq!(version, 1, "version of a wrapped key");
        let mut pairs = self.stores.iter().flat_map(|store| self.keys.iter().map(move |key| (store, key)));
        pairs.find_map(|(store, root_key)| {
            let key = derive(&[*store, *root].concat(), root_key, &[b"lethe/v1/wrap", &context]);
            let opened = unseal(&key, &context, sealed)?;
            Some((*root_key, opened.try_into().expect("a vault key has 32 bytes")))
        })
    }
}

/// What follows the magic of a block with a right checksum.
fn checked<'a>(block: &'a [u8], magic: &[u8; 8], length: usize) -> Option<Cursor<'a>> {
    let (content, rest) = block.split_at(length);
    let right = content.starts_with(magic) && digest(&SHA256, content).as_ref() == &rest[..32];
    right.then(|| Cursor(&content[8..]))
}
