//! Receipts of erasures and rotations, verifiable offline with the vault's public key alone (O20).
//!
//! A receipt is a canonical [`json`](super::json) document that holds two entries of the vault's log
//! verbatim: that the erasure or rotation was committed, which names the receipt, and that the root of the
//! epoch which the commit left was destroyed. Each has its inclusion proof, and both lead to one checkpoint
//! signed by the log. It ends with what it does not attest, which follows from the second entry; so
//! every byte of a receipt is either signed or determined by what is signed, and none can be changed.
//!
//! Whose erasure it was, only the holder of the receipt id can tell.

use std::fmt;

use super::entry::EntryError;
use super::json::JsonError;
use super::merkle::{self, Hash, MerkleError, NodeSource};
use super::note::{NoteError, VerifierKey};
use super::succession::Keys;
use super::text::{EpochRoot, ReceiptId, TextError};

mod document;
mod exclusion;
mod verified;

use document::Document;

pub use exclusion::{ALWAYS_EXCLUDED, excluded, explain};
pub use verified::{Committed, Step, Verified};

/// Which of the two entries an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The entry that the erasure, or the rotation, was committed.
    Committed,
    /// The entry that the epoch was destroyed.
    Destroyed,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Committed => "committed",
            Self::Destroyed => "destroyed",
        })
    }
}

/// Why a receipt is refused, or cannot be issued.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The document is not canonical, or its fields are not those of a receipt.
    #[error("the receipt is malformed: {0}")]
    Json(#[from] JsonError),
    /// The document is something else, or of a version that this reader does not know.
    #[error("neither an erasure receipt nor a rotation receipt of version 1")]
    Version,
    /// A field does not hold what it must.
    #[error("the receipt's field `{field}` is {cause}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it is not.
        #[source]
        cause: TextError,
    },
    /// The checkpoint is not signed by the expected key, or says something else.
    #[error("the checkpoint is refused: {0}")]
    Checkpoint(#[from] NoteError),
    /// An entry is not one.
    #[error("the {part} entry is refused: {cause}")]
    Entry {
        /// Which entry.
        part: Part,
        /// What is wrong with it.
        #[source]
        cause: EntryError,
    },
    /// An entry is not in the log that the checkpoint describes.
    #[error("the {part} entry is not in the log: {cause}")]
    Inclusion {
        /// Which entry.
        part: Part,
        /// What is wrong with its proof.
        #[source]
        cause: MerkleError,
    },
    /// An entry records something else than its part in the receipt.
    #[error("the {0} entry does not record that")]
    Event(Part),
    /// The committed entry names another receipt.
    #[error("the committed entry is for receipt {found}, not {expected}")]
    Receipt {
        /// The receipt's own id.
        expected: ReceiptId,
        /// The id in the entry.
        found: ReceiptId,
    },
    /// The destroyed epoch is not the one that the commit left.
    #[error(
        "the commit left epoch {left} with root {left_root}, but epoch {destroyed} with root {destroyed_root} was destroyed"
    )]
    Epoch {
        /// The epoch that the commit left.
        left: u64,
        /// Its root.
        left_root: EpochRoot,
        /// The epoch that was destroyed.
        destroyed: u64,
        /// Its root.
        destroyed_root: EpochRoot,
    },
    /// The commit does not lead to a later epoch with another root, or erased nothing.
    #[error("the committed entry does not record a step to another epoch")]
    NoStep,
    /// The root was destroyed in no place.
    #[error("the destroyed entry names no place in which the root was destroyed")]
    NoPlace,
    /// The epoch was destroyed before the erasure was committed.
    #[error("entry {destroyed} of the destruction does not come after entry {committed} of the commit")]
    Order {
        /// Index of the committed entry.
        committed: u64,
        /// Index of the destroyed entry.
        destroyed: u64,
    },
    /// The receipt does not exclude exactly what it must.
    #[error("the receipt does not exclude what the root store's medium obliges it to exclude")]
    Exclusions,
}

/// An entry with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged<'a> {
    /// The entry's index.
    pub index: u64,
    /// The entry's line, without newline.
    pub entry: &'a [u8],
    /// Its inclusion proof in the tree of the checkpoint.
    pub proof: Vec<Hash>,
}

impl<'a> Logged<'a> {
    /// Proves that `entry` is leaf `index` of the tree with `size` leaves.
    ///
    /// # Errors
    /// If the tree is not that large, or its nodes cannot be read.
    pub fn prove(source: &dyn NodeSource, index: u64, entry: &'a [u8], size: u64) -> Result<Self, MerkleError> {
        Ok(Self { index, entry, proof: merkle::prove_inclusion(source, index, size)? })
    }
}

/// A receipt, as it is given to whoever asked for the erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    bytes: Vec<u8>,
    verified: Verified,
}

impl Receipt {
    /// Puts a receipt together from the two entries and a signed checkpoint that covers both; `key` is
    /// the log's own. The receipt's id is the one that the committed entry names.
    ///
    /// # Errors
    /// If anyone who verified the result would refuse it. In particular there is no receipt without a
    /// destroyed epoch.
    pub fn issue(
        committed: &Logged<'_>,
        destroyed: &Logged<'_>,
        checkpoint: &str,
        key: &VerifierKey,
    ) -> Result<Self, ReceiptError> {
        let bytes = Document::compose(committed, destroyed, checkpoint)?.encode();
        let verified = Self::verify(&bytes, key)?;
        Ok(Self { bytes, verified })
    }

    /// The document, to be kept and handed on byte for byte; it has no newline at its end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it attests.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Verifies a receipt of the vault whose log signed with `key` when it was issued.
    ///
    /// # Errors
    /// If any byte is not as it was issued, or the document was never issued by that vault.
    pub fn verify(bytes: &[u8], key: &VerifierKey) -> Result<Verified, ReceiptError> {
        Self::verify_by(bytes, &Keys::of(key.clone()))
    }

    /// As [`Receipt::verify`], by whichever of the log's keys it had then.
    ///
    /// # Errors
    /// As [`Receipt::verify`]; also for a receipt that a key signed whose time it was not.
    pub fn verify_by(bytes: &[u8], keys: &Keys) -> Result<Verified, ReceiptError> {
        let document = Document::decode(bytes)?;
        // The grammar allows one spelling only; this line is what the promise rests on if it should not.
        if document.encode() != bytes {
            return Err(JsonError::Syntax { at: 0, expected: "the canonical form" }.into());
        }
        document.check(keys)
    }
}

#[cfg(test)]
mod tests;
