//! Entries and hashes out of a copy's files, in their order.

use std::vec::IntoIter;

use super::paths::{self, WIDTH, nodes};
use super::{CopyError, Files, Hashes};
use crate::log::merkle::Hash;

/// Bytes of the longest bundle there is, and as many again for one that somebody put something into.
const LONGEST_BUNDLE: usize = 2 * WIDTH as usize * (2 + crate::log::entry::MAX_ENTRY);

const HASH: usize = 32;

/// The entries of a copy, as its bundles have them. A bundle that ends within an entry ends there; a bundle that has more or
/// fewer entries than it should gives what it has.
pub(super) struct Bundles<'a> {
    files: &'a dyn Files,
    size: u64,
    next: u64,
    open: IntoIter<Vec<u8>>,
}

impl<'a> Bundles<'a> {
    /// All entries of a copy of that size.
    pub(super) fn all(files: &'a dyn Files, size: u64) -> Self {
        Self { files, size, next: 0, open: Vec::new().into_iter() }
    }

    /// Those that are in no whole bundle.
    pub(super) fn edge(files: &'a dyn Files, size: u64) -> Result<Self, CopyError> {
        Ok(Self { next: size / WIDTH, ..Self::all(files, size) })
    }

    /// Those of one bundle.
    pub(super) fn one(files: &'a dyn Files, index: u64, width: u64) -> Result<Self, CopyError> {
        let open = split(&read(files, paths::bundle(index, width), LONGEST_BUNDLE)?);
        Ok(Self { open: open.into_iter(), ..Self::all(files, 0) })
    }

    /// The leaf hashes of all entries of a copy of that size.
    pub(super) fn hashes(files: &'a dyn Files, size: u64) -> Hashes<'a> {
        Box::new(Self::all(files, size).map(|entry| Ok(Hash::leaf(&entry?))))
    }
}

impl Iterator for Bundles<'_> {
    type Item = Result<Vec<u8>, CopyError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.open.next() {
                return Some(Ok(entry));
            }
            let width = self.size.checked_sub(self.next.checked_mul(WIDTH)?).filter(|left| *left > 0)?.min(WIDTH);
            let bundle = read(self.files, paths::bundle(self.next, width), LONGEST_BUNDLE);
            self.next += 1;
            match bundle {
                Ok(bytes) => self.open = split(&bytes).into_iter(),
                Err(fault) => {
                    // One fault is enough.
                    self.size = 0;
                    return Some(Err(fault));
                }
            }
        }
    }
}

/// The entries of a bundle.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (entry, after) = after.split_at(length);
        entries.push(entry.to_vec());
        rest = after;
    }
    entries
}

/// The hashes of a level, as tiles have them. It ends where a tile is missing or has another length.
pub(super) fn level<'a>(files: &'a dyn Files, size: u64, level: u32) -> Hashes<'a> {
    let count = nodes(size, level);
    let tiles = (0..count.div_ceil(WIDTH)).map(move |index| {
        let width = (count - index * WIDTH).min(WIDTH);
        match tile_of(files, level, index, width) {
            Ok(tile) => Ok(Some(tile)),
            Err(CopyError::Missing(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    });
    let there = tiles.map_while(Result::transpose);
    Box::new(there.flat_map(|tile| {
        let (tile, fault) = match tile {
            Ok(tile) => (tile, None),
            Err(fault) => (Vec::new(), Some(Err(fault))),
        };
        tile.into_iter().map(Ok).chain(fault)
    }))
}

/// The hashes of one tile. One of another length counts as missing.
pub(super) fn tile_of(files: &dyn Files, level: u32, index: u64, width: u64) -> Result<Vec<Hash>, CopyError> {
    let path = paths::tile(level, index, width);
    let bytes = read(files, path.clone(), 2 * HASH * WIDTH as usize)?;
    let (hashes, rest) = bytes.as_chunks::<HASH>();
    if rest.is_empty() && hashes.len() as u64 == width {
        Ok(hashes.iter().copied().map(Hash::from_bytes).collect())
    } else {
        Err(CopyError::Missing(path))
    }
}

pub(super) fn read(files: &dyn Files, path: String, most: usize) -> Result<Vec<u8>, CopyError> {
    match files.read(&path, most) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(CopyError::Missing(path)),
        Err(cause) => Err(CopyError::Read { path, cause }),
    }
}
