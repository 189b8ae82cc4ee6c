//! The keys that a log had, each for its time.

use super::{Succession, SuccessionError};
use crate::log::checkpoint::Checkpoint;
use crate::log::note::{NoteError, VerifierKey};

/// The keys of a log, as they follow from one that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The oldest first.
    reigns: Vec<Reign>,
    /// Which of them is kept.
    kept: usize,
}

/// A key, and since which tree it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reign {
    key: VerifierKey,
    since: u64,
}

/// How the key that signed a checkpoint stands to the one that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// It is that key.
    Kept,
    /// That key, or one after it, named it when it was retired.
    Successor,
    /// It, or one after it, was followed by that key, which says so. Whoever had the secret of an earlier key may have
    /// signed with it at any time: such a checkpoint is worth what that key was worth when it was signed.
    Predecessor,
}

impl Signer {
    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Successor => "successor",
            Self::Predecessor => "predecessor",
        }
    }
}

impl Keys {
    /// One key alone, whatever became of it.
    pub fn of(key: VerifierKey) -> Self {
        Self { reigns: vec![Reign { key, since: 0 }], kept: 0 }
    }

    /// Follows successions from the key that is kept, forwards and backwards: each has to lead from the key that the one
    /// before it led to, in a larger tree, to one that the log never had.
    ///
    /// # Errors
    /// If they do not follow from one another, or `kept` is none of their keys.
    pub fn follow(kept: &VerifierKey, successions: &[Succession]) -> Result<Self, SuccessionError> {
        let Some(first) = successions.first() else { return Ok(Self::of(kept.clone())) };
        let mut reigns = vec![Reign { key: first.from().clone(), since: 0 }];
        for (at, succession) in successions.iter().enumerate() {
            let size = succession.checkpoint().size;
            if reigns.last().is_none_or(|last| last.key != *succession.from()) {
                return Err(SuccessionError::Broken(at));
            }
            if reigns.last().is_some_and(|last| last.since >= size) {
                return Err(SuccessionError::Order(at));
            }
            if reigns.iter().any(|reign| reign.key.id() == succession.to().id()) {
                return Err(SuccessionError::Again(at));
            }
            reigns.push(Reign { key: succession.to().clone(), since: size });
        }
        let kept = reigns.iter().position(|reign| reign.key == *kept).ok_or(SuccessionError::Stranger)?;
        Ok(Self { reigns, kept })
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = &VerifierKey> {
        self.reigns.iter().map(|reign| &reign.key)
    }

    /// The key that signs today, as far as these successions go.
    pub fn newest(&self) -> &VerifierKey {
        // There is one at least.
        self.reigns.last().map_or(&self.reigns[0].key, |last| &last.key)
    }

    /// Verifies a signed checkpoint by the key that was the log's for trees of its size.
    ///
    /// # Errors
    /// As [`Checkpoint::open`]; `Retired` and `NotYet` for a checkpoint of a key whose time it was not.
    pub fn open(&self, note: &[u8]) -> Result<(Checkpoint, Signer), NoteError> {
        self.open_with(note, Checkpoint::open)
    }

    /// As [`Keys::open`], for a note which the log alone has signed.
    pub(crate) fn open_sole(&self, note: &[u8]) -> Result<(Checkpoint, Signer), NoteError> {
        self.open_with(note, Checkpoint::open_sole)
    }

    fn open_with(
        &self,
        note: &[u8],
        open: impl Fn(&[u8], &VerifierKey) -> Result<Checkpoint, NoteError>,
    ) -> Result<(Checkpoint, Signer), NoteError> {
        let mut refusal = None;
        for (at, reign) in self.reigns.iter().enumerate() {
            let checkpoint = match open(note, &reign.key) {
                Ok(checkpoint) => checkpoint,
                Err(unsigned @ NoteError::Unsigned(_)) => {
                    refusal.get_or_insert(unsigned);
                    continue;
                }
                Err(other) => return Err(other),
            };
            let size = checkpoint.size;
            let until = self.reigns.get(at + 1).map(|next| next.since);
            match until.filter(|until| size >= *until) {
                // A note of both keys, as that of a succession is, counts by the one whose time it is.
                Some(until) => refusal = Some(NoteError::Retired { size, until }),
                None if size < reign.since => refusal = Some(NoteError::NotYet { size, since: reign.since }),
                None => return Ok((checkpoint, self.signer(at))),
            }
        }
        Err(refusal.unwrap_or(NoteError::NotSole))
    }

    const fn signer(&self, at: usize) -> Signer {
        if at == self.kept {
            Signer::Kept
        } else if at > self.kept {
            Signer::Successor
        } else {
            Signer::Predecessor
        }
    }
}
