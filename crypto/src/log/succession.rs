//! How the key of a log is followed by another one, so that whoever keeps the old one comes to know the new one offline.
//!
//! A succession is a canonical [`json`] document: the log's entry that names both keys, the proof that it is the
//! last of a tree, and the checkpoint of that tree, signed by both, the old key first. Nothing in it is believed but what is
//! signed: who keeps the old key knows by its signature which key the log goes on with, and who keeps the new one by its own
//! which it went on from. From that tree on, itself included, checkpoints of the new key count and those of the old do not.
//!
//! Successions of one log are kept as lines of a file, the oldest first; [`Keys`] follows them from the key that is kept.

use super::checkpoint::Checkpoint;
use super::entry::{Entry, EntryError, LogKeyRotated};
use super::json::{self, Builder, JsonError, Value};
use super::merkle::{Hash, MerkleError, verify_inclusion};
use super::note::{self, NoteError, SigningKey, VerifierKey};
use super::text::TextError;

mod keys;

pub use keys::{Keys, Signer};

/// What a document calls itself.
const KIND: &str = "lethe-log-key-succession";

/// The version of the format.
const VERSION: u64 = 1;

/// Most successions of one log that are read.
pub const MOST: usize = 1024;

/// Bytes of the longest file of successions that is read.
pub const MAX_FILE: usize = 8 << 20;

/// Why a succession, or a row of them, is refused.
#[derive(Debug, thiserror::Error)]
pub enum SuccessionError {
    /// The document is not canonical, or its fields are not those of a succession.
    #[error("the succession is malformed: {0}")]
    Json(#[from] JsonError),
    /// The document is something else, or of a version that this reader does not know.
    #[error("not a succession of a log's key of version 1")]
    Version,
    /// A hash of the proof is none.
    #[error("the succession's proof is {0}")]
    Proof(#[source] TextError),
    /// The entry is not one.
    #[error("the succession's entry is refused: {0}")]
    Entry(#[source] EntryError),
    /// The entry does not record that a key was followed by another one.
    #[error("the succession's entry does not record one")]
    Event,
    /// The keys of the entry are the same, or notes could not tell one from the other.
    #[error("the succession's keys are not two keys of one log")]
    SameKey,
    /// The checkpoint is not signed by both keys, or is another log's.
    #[error("the succession's checkpoint is refused: {0}")]
    Checkpoint(#[from] NoteError),
    /// The entry is not the last of the checkpoint's tree.
    #[error("the succession's entry is not the last of its tree: {0}")]
    NotLast(#[source] MerkleError),
    /// A file has more successions than are read, or its last line does not end.
    #[error("not lines of at most {MOST} successions")]
    File,
    /// A succession is not from the key that the one before it led to.
    #[error("succession {0} is from another key than the one before it led to")]
    Broken(usize),
    /// A succession is not of a larger tree than the one before it.
    #[error("succession {0} does not come after the one before it")]
    Order(usize),
    /// A key comes back, or notes could not tell it from an earlier one.
    #[error("succession {0} leads to a key that the log had before")]
    Again(usize),
    /// The key that is kept is none of those that the successions name.
    #[error("the key that is kept is none of those of the successions")]
    Stranger,
}

/// A succession that holds by itself. Exists only for one that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    rotation: LogKeyRotated,
    entry: Entry,
    proof: Vec<Hash>,
    note: String,
    checkpoint: Checkpoint,
}

impl Succession {
    /// Signs the checkpoint of a tree that ends with the entry of a succession, by both keys.
    ///
    /// # Errors
    /// If the checkpoint is not of the keys' log.
    pub fn sign(checkpoint: &Checkpoint, old: &SigningKey, new: &SigningKey) -> Result<String, NoteError> {
        checkpoint.sign_by(&[old, new])
    }

    /// Puts a succession together from its entry, the proof that it is the last of a tree, and the signed checkpoint of that tree.
    ///
    /// # Errors
    /// If anyone who verified the result would refuse it.
    pub fn compose(entry: &[u8], proof: Vec<Hash>, note: String) -> Result<Self, SuccessionError> {
        let entry = Entry::decode(entry).map_err(SuccessionError::Entry)?;
        Self::check(entry, proof, note)
    }

    /// Reads a document, and verifies all that it says by itself.
    ///
    /// # Errors
    /// If any byte is not as both keys signed it, or follows from that.
    pub fn decode(bytes: &[u8]) -> Result<Self, SuccessionError> {
        let mut fields = json::parse(bytes)?.fields("succession")?;
        if fields.text("type")? != KIND || fields.number("version")? != VERSION {
            return Err(SuccessionError::Version);
        }
        let entry = Entry::from_value(fields.value("entry")?).map_err(SuccessionError::Entry)?;
        let proof = fields.texts("proof")?;
        let proof = proof.iter().map(|hash| hash.parse()).collect::<Result<_, _>>().map_err(SuccessionError::Proof)?;
        let note = fields.text("checkpoint")?;
        fields.end()?;
        Self::check(entry, proof, note)
    }

    /// Reads a file of successions, a line each; an empty one has none.
    ///
    /// # Errors
    /// Those of the first that is refused.
    pub fn decode_lines(bytes: &[u8]) -> Result<Vec<Self>, SuccessionError> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let lines = bytes.strip_suffix(b"\n").ok_or(SuccessionError::File)?;
        let lines: Vec<_> = lines.split(|byte| *byte == b'\n').take(MOST + 1).collect();
        if lines.len() > MOST {
            return Err(SuccessionError::File);
        }
        lines.into_iter().map(Self::decode).collect()
    }

    /// The document, without a newline.
    pub fn encode(&self) -> Vec<u8> {
        Builder::default()
            .text("type", KIND)
            .number("version", VERSION)
            .value("entry", self.entry.to_value())
            .value("proof", Value::texts(&self.proof))
            .text("checkpoint", &self.note)
            .build()
            .write()
            .into_bytes()
    }

    /// The key that was retired.
    pub fn from(&self) -> &VerifierKey {
        &self.rotation.from
    }

    /// The key that signs since.
    pub fn to(&self) -> &VerifierKey {
        &self.rotation.to
    }

    /// The tree that ends with the succession's entry: the last that the old key signed, and the first of the new one.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    fn check(entry: Entry, proof: Vec<Hash>, note: String) -> Result<Self, SuccessionError> {
        let rotation = entry.log_key_rotated().ok_or(SuccessionError::Event)?.clone();
        let LogKeyRotated { from, to, .. } = &rotation;
        if from.name() != to.name() || from.id() == to.id() {
            return Err(SuccessionError::SameKey);
        }
        let checkpoint = Checkpoint::open_by(note.as_bytes(), &[from, to])?;
        let last = checkpoint.size.checked_sub(1);
        let last = last.ok_or(SuccessionError::NotLast(MerkleError::OutOfRange { index: 0, size: 0 }))?;
        verify_inclusion(&entry.leaf(), last, checkpoint.size, &proof, &checkpoint.root)
            .map_err(SuccessionError::NotLast)?;
        Ok(Self { rotation, entry, proof, note, checkpoint })
    }
}

/// Of how many entries the tree is that the checkpoint of a succession to `key` is about: the second signature is that key's.
///
/// # Errors
/// If it is not, or the note is none of a succession.
pub fn led_to(note: &[u8], key: &VerifierKey) -> Result<u64, NoteError> {
    Ok(Checkpoint::parse(note::open_second(note, key)?)?.size)
}

#[cfg(test)]
mod tests;
