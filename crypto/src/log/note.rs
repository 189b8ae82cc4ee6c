//! Signed notes: C2SP `signed-note` v1.0.0 with Ed25519 (RFC 8032) signatures.
//!
//! A note is a text that ends in a newline, an empty line, and signature lines of the form
//! `— <key name> <base64 of key id ‖ signature>`. The text may be believed only after [`open`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::json::MAX_DOCUMENT;
use super::text::TextError;

mod key;

pub use key::{Seed, SigningKey, VerifierKey};

/// How many signature lines a note may have: witnesses add theirs.
pub const MAX_SIGNATURES: usize = 16;

/// Why a note, a key or a checkpoint is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The bytes are not a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// The text of a note is not a checkpoint.
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
    /// A key is not in its text form, or its parts do not belong together.
    #[error("not a verifier key: {0}")]
    Key(&'static str),
    /// A name in a key or checkpoint is not an origin.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The note is not signed by the expected key.
    #[error("the note carries no signature by `{0}`")]
    Unsigned(String),
    /// The note claims a signature by the expected key which that key did not make.
    #[error("the signature by `{0}` is wrong")]
    WrongSignature(String),
    /// The checkpoint is another log's.
    #[error("the checkpoint is of log `{found}`, not `{expected}`")]
    Origin {
        /// The name of the key.
        expected: String,
        /// The origin line.
        found: String,
    },
    /// The note has more or fewer signatures than those that are expected.
    #[error("the note has other signatures than the log's own")]
    NotSole,
    /// The checkpoint is of a tree that was there when the key that signed it had a successor already.
    #[error(
        "the checkpoint of {size} entries is signed by a key that was retired with {until}: whoever signed it misused that key"
    )]
    Retired {
        /// Entries of the checkpoint.
        size: u64,
        /// Entries that the log had with the one that retired the key.
        until: u64,
    },
    /// The checkpoint is of a tree that was there before the key that signed it.
    #[error("the checkpoint of {size} entries is signed by a key that the log has had since {since} only")]
    NotYet {
        /// Entries of the checkpoint.
        size: u64,
        /// Entries that the log had with the one that names the key.
        since: u64,
    },
}

/// Signs a text, which ends in a newline and has no other control characters.
pub fn sign(text: &str, key: &SigningKey) -> Result<String, NoteError> {
    sign_by(text, &[key])
}

/// As [`sign`], by several keys, a line each in their order.
pub(crate) fn sign_by(text: &str, keys: &[&SigningKey]) -> Result<String, NoteError> {
    check_text(text)?;
    let mut note = format!("{text}\n");
    for key in keys {
        let line = [key.verifier().id().as_slice(), &key.sign_bytes(text.as_bytes())].concat();
        note.push_str(&format!("— {} {}\n", key.verifier().name(), STANDARD.encode(line)));
    }
    Ok(note)
}

/// Verifies a note and gives its text.
///
/// Signatures by other keys are ignored, as the specification demands; one by `key` must be there, and
/// every one that claims to be by `key` must be right.
pub fn open<'n>(note: &'n [u8], key: &VerifierKey) -> Result<&'n str, NoteError> {
    Parsed::read(note)?.verify(key)
}

/// As [`open`], but the signature by `key` must be the only one: then the note has one spelling.
pub(crate) fn open_sole<'n>(note: &'n [u8], key: &VerifierKey) -> Result<&'n str, NoteError> {
    open_by(note, &[key])
}

/// As [`open_sole`], for a note that exactly these keys have signed, in this order.
pub(crate) fn open_by<'n>(note: &'n [u8], keys: &[&VerifierKey]) -> Result<&'n str, NoteError> {
    let parsed = Parsed::read(note)?;
    if parsed.signatures.len() != keys.len() {
        return Err(NoteError::NotSole);
    }
    for (signature, key) in parsed.signatures.iter().zip(keys) {
        if !signature.names(key) {
            return Err(NoteError::Unsigned(key.name().to_owned()));
        }
        key.verify_bytes(parsed.text.as_bytes(), &signature.bytes)?;
    }
    Ok(parsed.text)
}

/// Verifies the second of two signatures, whoever made the first, and gives the text.
pub(crate) fn open_second<'n>(note: &'n [u8], key: &VerifierKey) -> Result<&'n str, NoteError> {
    let parsed = Parsed::read(note)?;
    let [_, second] = parsed.signatures.as_slice() else { return Err(NoteError::NotSole) };
    if !second.names(key) {
        return Err(NoteError::Unsigned(key.name().to_owned()));
    }
    key.verify_bytes(parsed.text.as_bytes(), &second.bytes)?;
    Ok(parsed.text)
}

struct Parsed<'n> {
    text: &'n str,
    signatures: Vec<Signature<'n>>,
}

struct Signature<'n> {
    name: &'n str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl<'n> Parsed<'n> {
    fn read(note: &'n [u8]) -> Result<Self, NoteError> {
        if note.len() > MAX_DOCUMENT {
            return Err(NoteError::Malformed("too long"));
        }
        let note = std::str::from_utf8(note).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        // The last empty line separates text and signatures; the text keeps its own newline.
        let separator = note.rfind("\n\n").ok_or(NoteError::Malformed("no empty line"))?;
        let (text, rest) = note.split_at(separator + 1);
        check_text(text)?;
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Malformed("no signature line that ends in a newline"))?;
        let signatures = lines.split('\n').map(Signature::read).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Malformed("too many signatures"));
        }
        Ok(Self { text, signatures })
    }

    fn verify(self, key: &VerifierKey) -> Result<&'n str, NoteError> {
        let mut signed = false;
        for signature in self.signatures.iter().filter(|signature| signature.names(key)) {
            key.verify_bytes(self.text.as_bytes(), &signature.bytes)?;
            signed = true;
        }
        if signed { Ok(self.text) } else { Err(NoteError::Unsigned(key.name().to_owned())) }
    }
}

impl<'n> Signature<'n> {
    /// Does it claim to be by this key?
    fn names(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    fn read(line: &'n str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix("— ").ok_or(NoteError::Malformed("a signature line starts with an em dash"))?;
        let (name, encoded) =
            rest.split_once(' ').ok_or(NoteError::Malformed("a signature line has a name and a signature"))?;
        if name.is_empty() || name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control()) {
            return Err(NoteError::Malformed("a key name has neither spaces nor plus signs"));
        }
        let decoded = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed("a signature is base64"))?;
        match decoded.split_first_chunk::<4>() {
            Some((id, bytes)) if !bytes.is_empty() => Ok(Self { name, id: *id, bytes: bytes.to_vec() }),
            Some(_) | None => Err(NoteError::Malformed("a signature has a key id and more")),
        }
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        Err(NoteError::Malformed("the text ends in a newline"))
    } else if text.contains(|c: char| c < ' ' && c != '\n') {
        Err(NoteError::Malformed("control characters"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
