//! Entries of the log: what happened, when, why it was allowed; never to whom (rule 7, O29).
//!
//! An entry is one line of canonical [`json`], without its newline; the line is the leaf of
//! the Merkle tree. Operation, outcome and time stay readable for ever. The subject appears as a
//! pseudonym that is different in every entry, and what else concerns the subject is sealed; both
//! need `K_audit(S)`, which dies with the subject's slot.
//!
//! A reader refuses a version it does not know. Within version 1 the fields are fixed, from the first release on; what may grow is
//! the set of operations, codes and event types: see [`Event`] for types that a reader does not know.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::json::{self, Builder, JsonError, Value};
use super::merkle::Hash;
use super::text::{Blind, Origin, Pseudonym, TextError, Token};
use crate::aead;
use crate::canonical::Canonical;
use crate::kdf::{self, Label};
use crate::secret::AuditKey;

mod draft;
mod event;
mod glance;

pub use draft::EntryDraft;
pub use event::{
    EpochDestroyed, ErasureCommitted, Event, Found, KeysRotated, LogKeyRotated, OtherEvent, Rotated, Scope,
};
pub use glance::Glance;

/// The version of the entry format.
const VERSION: u64 = 1;

/// The longest entry in bytes.
pub const MAX_ENTRY: usize = 16 * 1024;

/// Why an entry is refused.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The line is not canonical, or its fields are not those of an entry.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field does not hold what it must.
    #[error("field `{field}` is {cause}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it is not.
        #[source]
        cause: TextError,
    },
    /// The entry is of a version that this reader does not know.
    #[error("entry of unknown version {0}")]
    Version(u64),
    /// The entry is longer than [`MAX_ENTRY`].
    #[error("entry of {0} bytes is longer than is allowed")]
    TooLong(usize),
    /// Details were given, but no subject under whose key to seal them.
    #[error("details without a subject cannot be sealed")]
    DetailsWithoutSubject,
    /// An event type is one that has fields of its own in this version.
    #[error("`{0}` is not a type of other events")]
    ReservedType(Token),
    /// Sealing or unsealing failed, or the system gave no random bytes.
    #[error(transparent)]
    Crypto(#[from] crate::Error),
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was allowed, and done.
    Allowed,
    /// It was refused; the reason says by which obligation.
    Denied,
    /// It was allowed, but did not succeed.
    Failed,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Allowed, Self::Denied, Self::Failed];

    /// The outcome as it stands in the entry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// Fields that only the holder of the subject's audit key can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

impl FromStr for Sealed {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let refused = TextError::new("a sealed message in base64");
        let bytes = STANDARD.decode(text).map_err(|_| refused)?;
        aead::check(&bytes).map_err(|_| refused)?;
        Ok(Self(bytes))
    }
}

/// One entry. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, in milliseconds since 1970 UTC, without leap seconds.
    pub time: u64,
    /// What was asked for, like `enrollment.enroll`.
    pub operation: Token,
    /// The id of the credential that asked; absent for what the vault does by itself.
    pub credential: Option<Token>,
    /// For which purpose (O2).
    pub purpose: Option<Token>,
    /// On which legal basis (O2).
    pub basis: Option<Token>,
    /// The version of the tenant's policy that judged (O1); absent where none did.
    pub policy: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was denied or failed.
    pub reason: Option<Token>,
    /// The subject, for who holds the subject's audit key.
    pub pseudonym: Option<Pseudonym>,
    /// What concerns the subject, for who holds the subject's audit key.
    pub sealed: Option<Sealed>,
    /// Random bytes, so that a guessed entry cannot be tested against a proof.
    pub blind: Blind,
    /// What changed, where receipts or other logs depend on it.
    pub event: Option<Event>,
}

impl Entry {
    /// Reads an entry's line.
    ///
    /// # Errors
    /// If the line is not exactly what [`Entry::encode`] gives for what it says.
    pub fn decode(line: &[u8]) -> Result<Self, EntryError> {
        if line.len() > MAX_ENTRY {
            return Err(EntryError::TooLong(line.len()));
        }
        Self::from_value(json::parse(line)?)
    }

    /// The entry's line, without a newline.
    pub fn encode(&self) -> Vec<u8> {
        self.to_value().write().into_bytes()
    }

    /// The entry's leaf in the Merkle tree.
    pub fn leaf(&self) -> Hash {
        Hash::leaf(&self.encode())
    }

    /// Does the entry, which is the leaf `index` of log `origin`, concern the subject with this key?
    ///
    /// Takes the same time whether it does or not, given that the entry has a pseudonym at all, which
    /// everybody can see.
    pub fn belongs_to(&self, origin: &Origin, index: u64, key: &AuditKey) -> bool {
        let ours = pseudonym(origin, index, key);
        self.pseudonym.is_some_and(|theirs| theirs.as_bytes().ct_eq(ours.as_bytes()).into())
    }

    /// What the entry says of the subject; `None` if it says nothing.
    ///
    /// # Errors
    /// If key, log or index are not those for which the fields were sealed.
    pub fn unseal(
        &self,
        origin: &Origin,
        index: u64,
        key: &AuditKey,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, EntryError> {
        let Some(Sealed(message)) = &self.sealed else { return Ok(None) };
        let aad = associated_data(origin, index);
        Ok(Some(aead::open(&[key.expose()], Label::LOG_FIELD, &[], &aad, message)?))
    }

    /// The succession of the log's key that the entry records, if it does; an attempt that was denied or failed records none.
    pub fn log_key_rotated(&self) -> Option<&LogKeyRotated> {
        match (&self.event, self.outcome) {
            (Some(Event::LogKeyRotated(rotation)), Outcome::Allowed) => Some(rotation),
            _ => None,
        }
    }

    pub(crate) fn from_value(value: Value) -> Result<Self, EntryError> {
        let mut fields = value.fields("entry")?;
        match fields.number("version")? {
            VERSION => {}
            other => return Err(EntryError::Version(other)),
        }
        let entry = Self {
            time: fields.number("time")?,
            operation: read("operation", &fields.text("operation")?)?,
            credential: read_if("credential", fields.text_if("credential")?)?,
            purpose: read_if("purpose", fields.text_if("purpose")?)?,
            basis: read_if("basis", fields.text_if("basis")?)?,
            policy: fields.number_if("policy")?,
            outcome: read_outcome(&fields.text("outcome")?)?,
            reason: read_if("reason", fields.text_if("reason")?)?,
            pseudonym: read_if("pseudonym", fields.text_if("pseudonym")?)?,
            sealed: read_if("sealed", fields.text_if("sealed")?)?,
            blind: read("blind", &fields.text("blind")?)?,
            event: fields.value_if("event").map(Event::from_value).transpose()?,
        };
        fields.end()?;
        if entry.sealed.is_some() && entry.pseudonym.is_none() {
            return Err(EntryError::DetailsWithoutSubject);
        }
        Ok(entry)
    }

    pub(crate) fn to_value(&self) -> Value {
        let builder = Builder::default()
            .number("version", VERSION)
            .number("time", self.time)
            .text("operation", &self.operation)
            .text_if("credential", self.credential.as_ref())
            .text_if("purpose", self.purpose.as_ref())
            .text_if("basis", self.basis.as_ref())
            .number_if("policy", self.policy)
            .text("outcome", self.outcome.as_str())
            .text_if("reason", self.reason.as_ref())
            .text_if("pseudonym", self.pseudonym.as_ref())
            .text_if("sealed", self.sealed.as_ref())
            .text("blind", self.blind);
        match &self.event {
            Some(event) => builder.value("event", event.to_value()),
            None => builder,
        }
        .build()
    }
}

/// `HMAC-SHA256(K_audit(S), origin ‖ leaf index as u64 BE)`: entries about one subject cannot be tied together, also not
/// two that have the same index in two logs.
fn pseudonym(origin: &Origin, index: u64, key: &AuditKey) -> Pseudonym {
    Pseudonym::from_bytes(kdf::mac(key.expose(), &[origin.as_str().as_bytes(), &index.to_be_bytes()]))
}

/// Binds sealed fields to their place: another log, another index, and they do not open.
fn associated_data(origin: &Origin, index: u64) -> Vec<u8> {
    Canonical::new(Label::LOG_FIELD.as_str()).field(origin.as_str().as_bytes()).field(&index.to_be_bytes()).finish()
}

fn read<T: FromStr<Err = TextError>>(field: &'static str, text: &str) -> Result<T, EntryError> {
    text.parse().map_err(|cause| EntryError::Field { field, cause })
}

fn read_if<T: FromStr<Err = TextError>>(field: &'static str, text: Option<String>) -> Result<Option<T>, EntryError> {
    text.map(|text| read(field, &text)).transpose()
}

fn read_outcome(text: &str) -> Result<Outcome, EntryError> {
    let found = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text);
    found.ok_or(EntryError::Field { field: "outcome", cause: TextError::new("allowed, denied or failed") })
}

#[cfg(test)]
mod tests;
