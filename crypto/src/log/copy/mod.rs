//! Copies of a log that anybody can keep and check without the vault: C2SP `tlog-tiles`.
//!
//! A copy is a set of files: `checkpoint`, the signed note; `tile/entries/<N>`, 256 entries each, every one with its length
//! (u16, big-endian) in front; `tile/<L>/<N>`, 256 hashes each of complete subtrees of 256^L leaves. What is at the right
//! edge and has fewer is in `….p/<W>`, W being how many. Everything but the checkpoint follows from the entries: [`Writer`]
//! makes it, and [`verify`] makes it again and holds it against what is there. Where the log's key was succeeded by another,
//! there is a file `successions` of [our own](crate::log::succession) beside.
//!
//! * [`verify`]: is the copy what the log's key signed, and if not, which entry is the first that is wrong?
//! * [`compare`] and [`begins_with`]: does it go on from what was kept before, and if not, from where on does it not?
//!
//! Nothing here performs I/O, and no copy is held in memory: files come from [`Files`], some at a time.

use crate::error::BoxError;
use crate::log::merkle::Hash;
use crate::log::note::NoteError;
use crate::log::succession::SuccessionError;

mod compare;
mod paths;
mod read;
mod verify;
mod write;

pub use compare::{Difference, Relation, begins_with, compare};
pub use paths::{CHECKPOINT, SUCCESSIONS, WIDTH, stale};
pub use verify::{Verified, keys, successions, verify};
pub use write::{File, Writer};

/// Where a copy's files are read.
pub trait Files {
    /// The bytes of a file, named by its path within the copy with `/` between folders; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read, or has more than `most` bytes.
    fn read(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, BoxError>;
}

/// Why a copy is not what its log's key signed, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        cause: BoxError,
    },
    /// A file that the checkpoint's size asks for is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// The checkpoint is not signed by the log's key, or is none.
    #[error("the checkpoint is refused: {0}")]
    Checkpoint(#[from] NoteError),
    /// The successions of the log's key are refused.
    #[error("the successions of the log's key are refused: {0}")]
    Successions(#[from] SuccessionError),
    /// An entry and the successions disagree on whether, or how, a key was succeeded.
    #[error("entry {index} {disagreement}")]
    Succession {
        /// Which entry.
        index: u64,
        /// On what.
        disagreement: &'static str,
    },
    /// An entry is not the one that was signed for. It is the first.
    #[error("entry {index} {difference}")]
    Entry {
        /// Which entry.
        index: u64,
        /// What became of it.
        difference: Difference,
    },
    /// Entries are not those that were signed for, and what is left tells within which bounds the first of them is.
    #[error(
        "the entries do not lead to the signed root hash: the first that is wrong is one of entries {first} to {last}; an earlier copy tells which"
    )]
    Within {
        /// The first that it may be.
        first: u64,
        /// The last that it may be.
        last: u64,
    },
    /// An entry is none.
    #[error("entry {index} is not an entry of a log: {cause}")]
    NoEntry {
        /// Which entry.
        index: u64,
        /// Why not.
        cause: super::entry::EntryError,
    },
    /// The entries are those that were signed for, and a file that follows from them says something else.
    #[error("{path} is not what the entries give, which are those that were signed for; it begins with entry {index}")]
    Tile {
        /// Which file.
        path: String,
        /// The first entry that it is about.
        index: u64,
    },
    /// An entry is longer than a bundle can say.
    #[error("an entry of {0} bytes is longer than a copy can have")]
    TooLong(usize),
    /// A copy to be continued does not lead to the root hash of its checkpoint.
    #[error("the copy's right edge does not lead to the root hash of its checkpoint: verify it")]
    Edge,
}

/// A stream of hashes, of entries or as tiles have them.
type Hashes<'a> = Box<dyn Iterator<Item = Result<Hash, CopyError>> + 'a>;

#[cfg(test)]
mod tests;
