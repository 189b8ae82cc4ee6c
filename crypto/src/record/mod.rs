//! Sealed rows: everything on disk that is about somebody.
//!
//! A record is sealed under the keys of the slots that own it, S of its subject and T of the thing it is
//! if that can be deleted on its own, with a salt of its own (rule 6). What it is, whose, and which
//! generation of the slots it belongs to is bound to it, so that no record opens in another's place.

mod context;

use std::fmt;

use zeroize::Zeroizing;

pub use context::{RecordContext, RecordKind};

use crate::aead;
use crate::error::{Error, Result};
use crate::kdf::Label;
use crate::random::{Random, System};
use crate::secret::{AuditKey, SlotKey};

/// What sealing adds to a record's plaintext, bytes.
pub const OVERHEAD: usize = aead::SALTED_OVERHEAD;

/// The keys of the slots that own a record; all of them are needed to open it, so it dies with any.
#[derive(Clone, Copy, Debug)]
pub struct RecordKeys<'a> {
    /// S: of the subject, or slot 0 of the tenant or the vault for what belongs to no person.
    pub subject: &'a SlotKey,
    /// S of the other subject, for a record about two.
    pub other: Option<&'a SlotKey>,
    /// T of the thing, if the record can be deleted on its own.
    pub thing: Option<&'a SlotKey>,
}

impl<'a> RecordKeys<'a> {
    /// S alone.
    #[must_use]
    pub const fn of_subject(subject: &'a SlotKey) -> Self {
        Self { subject, other: None, thing: None }
    }

    /// S and T.
    #[must_use]
    pub const fn of_thing(subject: &'a SlotKey, thing: &'a SlotKey) -> Self {
        Self { subject, other: None, thing: Some(thing) }
    }

    /// S of two subjects, in the order in which the record's context names them.
    #[must_use]
    pub const fn of_two(subject: &'a SlotKey, other: &'a SlotKey) -> Self {
        Self { subject, other: Some(other), thing: None }
    }
}

/// A sealed record, as it is stored.
///
/// version (1) ‖ salt 32 ‖ key commitment 32 ‖ nonce 12 ‖ ciphertext ‖ tag 16.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRecord(Vec<u8>);

impl SealedRecord {
    /// Takes stored bytes for a sealed record. Whether it opens is another question.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it is too short or of an unknown version.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        aead::check(&bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes to store: ciphertext, no secret.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes to store.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Length of the plaintext, bytes.
    #[must_use]
    pub fn plaintext_len(&self) -> usize {
        self.0.len() - OVERHEAD
    }
}

impl fmt::Debug for SealedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedRecord({} bytes)", self.0.len())
    }
}

/// Seals a record under a salt and nonce of its own.
///
/// # Errors
/// [`Error::Context`] if keys and context name different slots; [`Error::Random`].
pub fn seal(keys: RecordKeys<'_>, context: &RecordContext<'_>, plaintext: &[u8]) -> Result<SealedRecord> {
    seal_with(&System, keys, context, plaintext)
}

/// Opens a record. The plaintext is wiped when dropped.
///
/// # Errors
/// [`Error::NotAuthentic`] if it was sealed under other keys or in another context, or was changed;
/// [`Error::Context`], [`Error::Corrupt`].
pub fn open(keys: RecordKeys<'_>, context: &RecordContext<'_>, sealed: &SealedRecord) -> Result<Zeroizing<Vec<u8>>> {
    open_bytes(keys, context, sealed.as_bytes())
}

/// As [`open`], straight from stored bytes: for reading many.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(keys: RecordKeys<'_>, context: &RecordContext<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let (scope, info) = context.info(keys)?;
    aead::open(&keys.list()[..scope.count()], Label::RECORD, &[&info, context.id], &context.associated_data(), sealed)
}

pub(crate) fn seal_with(
    random: &impl Random,
    keys: RecordKeys<'_>,
    context: &RecordContext<'_>,
    plaintext: &[u8],
) -> Result<SealedRecord> {
    let (scope, info) = context.info(keys)?;
    let keys = keys.list();
    let aad = context.associated_data();
    aead::seal_with(random, &keys[..scope.count()], Label::RECORD, &[&info, context.id], &aad, plaintext)
        .map(SealedRecord)
}

/// Which slots own a record, as one byte of its key's derivation: two records with the same keys in
/// other roles have different keys.
#[derive(Clone, Copy)]
pub(crate) struct Scope(u8);

impl Scope {
    const OTHER: u8 = 1;
    const THING: u8 = 2;

    fn count(self) -> usize {
        1 + self.0.count_ones() as usize
    }
}

impl RecordKeys<'_> {
    /// S ‖ S of the other ‖ T, those that there are, in this order.
    fn list(&self) -> [&[u8; 32]; 3] {
        let subject = self.subject.expose();
        match (self.other, self.thing) {
            (Some(other), Some(thing)) => [subject, other.expose(), thing.expose()],
            (Some(one), None) | (None, Some(one)) => [subject, one.expose(), subject],
            (None, None) => [subject; 3],
        }
    }

    fn scope(&self) -> Scope {
        let bit = |present, bit| if present { bit } else { 0 };
        Scope(bit(self.other.is_some(), Scope::OTHER) | bit(self.thing.is_some(), Scope::THING))
    }
}

impl RecordContext<'_> {
    /// kind ‖ scope: what stands between the label and the id in the key's derivation.
    fn info(&self, keys: RecordKeys<'_>) -> Result<(Scope, [u8; 2])> {
        if self.other.is_some() != keys.other.is_some() {
            return Err(Error::Context("one of the two has no second subject"));
        }
        if self.thing.is_some() != keys.thing.is_some() {
            return Err(Error::Context("one of the two has no thing"));
        }
        let scope = keys.scope();
        Ok((scope, [self.kind.0, scope.0]))
    }
}

/// `K_audit(S)` of a subject, for its log entries (rule 7).
#[must_use]
pub fn audit_key(subject: &SlotKey) -> AuditKey {
    AuditKey::derive(subject)
}

#[cfg(test)]
mod tests;
