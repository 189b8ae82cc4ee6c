//! Tree heads: C2SP `tlog-checkpoint`, without extension lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::merkle::{Hash, MAX_SIZE};
use super::note::{self, NoteError, SigningKey, VerifierKey};
use super::text::Origin;

/// What a log says of itself at one moment. A log never signs two that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// How many leaves it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: origin, size in decimal, root in base64; a line each.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// Reads the text of a note. Nothing is verified: use [`Checkpoint::open`] for that.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let body = text.strip_suffix('\n').ok_or(NoteError::Checkpoint("the last line has no newline"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Checkpoint("not the three lines origin, size and root"));
        };
        let root = STANDARD.decode(root).map_err(|_| NoteError::Checkpoint("the root is not base64"))?;
        let root: [u8; 32] = root.try_into().map_err(|_| NoteError::Checkpoint("the root has not 32 bytes"))?;
        let size = match size.parse::<u64>() {
            Ok(number) if number <= MAX_SIZE && number.to_string() == size => number,
            Ok(_) | Err(_) => return Err(NoteError::Checkpoint("the size is not a plain decimal below 2^53")),
        };
        Ok(Self { origin: origin.parse()?, size, root: Hash::from_bytes(root) })
    }

    /// Signs the checkpoint; the key must be the log's.
    pub fn sign(&self, key: &SigningKey) -> Result<String, NoteError> {
        self.check_origin(key.verifier())?;
        note::sign(&self.text(), key)
    }

    /// Verifies a signed checkpoint and gives what it says; it must be of the key's log.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, NoteError> {
        Self::parse(note::open(note, key)?)?.checked(key)
    }

    /// As [`Checkpoint::open`], for a note which the log alone has signed.
    pub(crate) fn open_sole(note: &[u8], key: &VerifierKey) -> Result<Self, NoteError> {
        Self::parse(note::open_sole(note, key)?)?.checked(key)
    }

    /// Signs the checkpoint by several keys of the log, a line each.
    pub(crate) fn sign_by(&self, keys: &[&SigningKey]) -> Result<String, NoteError> {
        keys.iter().try_for_each(|key| self.check_origin(key.verifier()))?;
        note::sign_by(&self.text(), keys)
    }

    /// As [`Checkpoint::open`], for a note which exactly these keys have signed, in this order.
    pub(crate) fn open_by(note: &[u8], keys: &[&VerifierKey]) -> Result<Self, NoteError> {
        let checkpoint = Self::parse(note::open_by(note, keys)?)?;
        keys.iter().try_for_each(|key| checkpoint.check_origin(key))?;
        Ok(checkpoint)
    }

    fn checked(self, key: &VerifierKey) -> Result<Self, NoteError> {
        self.check_origin(key)?;
        Ok(self)
    }

    fn check_origin(&self, key: &VerifierKey) -> Result<(), NoteError> {
        if self.origin.as_str() == key.name() {
            Ok(())
        } else {
            Err(NoteError::Origin { expected: key.name().to_owned(), found: self.origin.to_string() })
        }
    }
}
