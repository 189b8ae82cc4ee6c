//! The files that follow from entries.

use super::paths::{self, HEIGHT, WIDTH, edge};
use super::read::{Bundles, tile_of};
use super::{CopyError, Files};
use crate::log::merkle::{Hash, fold};

/// A file of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path within the copy.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The first entry that it is about.
    pub first: u64,
}

/// Makes the files of a copy, entry by entry. It holds one bundle, and one tile a level.
#[derive(Debug, Default)]
pub struct Writer {
    size: u64,
    bundle: Vec<u8>,
    /// By level, the hashes since the last whole tile.
    tiles: Vec<Vec<Hash>>,
}

impl Writer {
    /// The copy of a log without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of `size` entries, whose root hash is this, to go on with.
    ///
    /// # Errors
    /// Its right edge does not lead to that root hash, or cannot be read.
    pub fn resume(files: &dyn Files, size: u64, root: &Hash) -> Result<Self, CopyError> {
        let mut writer = Self { size, ..Self::default() };
        for (kind, index, width) in edge(size) {
            match kind {
                None => {
                    for entry in Bundles::one(files, index, width)? {
                        writer.bundle(&entry?)?;
                    }
                }
                Some(level) => {
                    let tile = writer.level(level as usize);
                    *tile = tile_of(files, level, index, width)?;
                }
            }
        }
        // The entries of the edge are under its hashes.
        let mut again = Self { size: size - size % WIDTH, ..Self::default() };
        let mut bundles = Bundles::edge(files, size)?;
        bundles.try_for_each(|entry| again.push(&entry?, &mut Vec::new()))?;
        let same = writer.tiles.first().unwrap_or(&Vec::new()) == again.tiles.first().unwrap_or(&Vec::new());
        if same && writer.root() == *root { Ok(writer) } else { Err(CopyError::Edge) }
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry; the files that are whole with it go to `files`.
    ///
    /// # Errors
    /// An entry that is longer than a bundle can say.
    pub fn push(&mut self, entry: &[u8], files: &mut Vec<File>) -> Result<(), CopyError> {
        self.bundle(entry)?;
        self.size += 1;
        let mut hash = Hash::leaf(entry);
        if self.size.is_multiple_of(WIDTH) {
            let index = self.size / WIDTH - 1;
            let bytes = std::mem::take(&mut self.bundle);
            files.push(File { path: paths::bundle(index, WIDTH), bytes, first: index * WIDTH });
        }
        for level in 0.. {
            let tile = self.level(level as usize);
            tile.push(hash);
            if (tile.len() as u64) < WIDTH {
                break;
            }
            let whole = std::mem::take(tile);
            let index = (self.size >> (HEIGHT * (level + 1))) - 1;
            files.push(File {
                path: paths::tile(level, index, WIDTH),
                bytes: bytes_of(&whole),
                first: index << (HEIGHT * (level + 1)),
            });
            hash = subtree(&whole);
        }
        Ok(())
    }

    /// The files at the right edge, as they are now.
    pub fn edge(&self) -> Vec<File> {
        edge(self.size)
            .map(|(kind, index, width)| match kind {
                None => File { path: paths::bundle(index, width), bytes: self.bundle.clone(), first: index * WIDTH },
                Some(level) => File {
                    path: paths::tile(level, index, width),
                    bytes: self.tiles.get(level as usize).map(|tile| bytes_of(tile)).unwrap_or_default(),
                    first: index << (HEIGHT * (level + 1)),
                },
            })
            .collect()
    }

    /// The root hash over the entries so far.
    pub fn root(&self) -> Hash {
        root_of(self.tiles.iter().rev().map(Vec::as_slice))
    }

    fn bundle(&mut self, entry: &[u8]) -> Result<(), CopyError> {
        let length = u16::try_from(entry.len()).map_err(|_| CopyError::TooLong(entry.len()))?;
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(entry);
        Ok(())
    }

    fn level(&mut self, level: usize) -> &mut Vec<Hash> {
        if self.tiles.len() <= level {
            self.tiles.resize(level + 1, Vec::new());
        }
        &mut self.tiles[level]
    }
}

/// The root over the tiles of a right edge, from the highest level down.
pub(super) fn root_of<'a>(tiles: impl Iterator<Item = &'a [Hash]>) -> Hash {
    let mut subtrees = Vec::new();
    for mut rest in tiles {
        while let Some(level) = rest.len().checked_ilog2() {
            let (complete, after) = rest.split_at(1 << level);
            subtrees.push(subtree(complete));
            rest = after;
        }
    }
    fold(&subtrees).unwrap_or_else(Hash::empty)
}

/// The root of a complete tree over these hashes, a power of two of them.
pub(super) fn subtree(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        several => {
            let (left, right) = several.split_at(several.len() / 2);
            Hash::node(&subtree(left), &subtree(right))
        }
    }
}

fn bytes_of(tile: &[Hash]) -> Vec<u8> {
    tile.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
