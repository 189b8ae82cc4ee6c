//! The root store's file.

use ring::digest::{SHA256, digest};

use super::{Root, Wrapping};

const BLOCK: usize = 4096;
const HEADERS: usize = 2;
const SLOTS: usize = 16;

/// Roots of a file, each by the name of every store that the file says it is.
pub(crate) fn roots(file: &[u8]) -> Vec<Root> {
    assert_eq!(file.len(), (HEADERS + SLOTS) * BLOCK, "a root file has 18 blocks");
    let mut stores = Vec::new();
    for block in file.chunks_exact(BLOCK).take(HEADERS) {
        // Of version 2 is one that tells how the key of a passphrase is derived.
        let length = if block[8] == 2 { 132 } else { 104 };
        if let Some(header) = checked(block, b"LETHE-RS", length) {
            assert!((1..=2).contains(&header[8]), "version of a root file");
            stores.push(array(&header[16..32]));
        }
    }
    stores.dedup();
    let mut roots = Vec::new();
    for block in file.chunks_exact(BLOCK).skip(HEADERS) {
        if let Some(slot) = checked(block, b"LETHE-RT", 64) {
            assert_eq!(slot[8], 1, "version of a root");
            let (id, key) = (array(&slot[16..32]), array(&slot[32..64]));
            roots.extend(stores.iter().map(|store| Root { id, key, wrapping: Wrapping::Derived(*store) }));
        }
    }
    roots
}

/// What is in a block with a right checksum.
fn checked<'a>(block: &'a [u8], magic: &[u8; 8], length: usize) -> Option<&'a [u8]> {
    let (content, rest) = block.split_at(length);
    let right = content.starts_with(magic) && digest(&SHA256, content).as_ref() == &rest[..32];
    right.then_some(content)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("so many bytes were taken")
}
