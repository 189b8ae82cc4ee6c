//! Events: what an entry changed, where something outside the log depends on it.

use super::{EntryError, read};
use crate::log::json::{self, Builder, JsonError, Value};
use crate::log::note::VerifierKey;
use crate::log::text::{EpochRoot, ReceiptId, TextError, Token};

const ERASURE_COMMITTED: &str = "ERASURE_COMMITTED";
const KEYS_ROTATED: &str = "KEYS_ROTATED";
const EPOCH_DESTROYED: &str = "EPOCH_DESTROYED";
const LOG_KEY_ROTATED: &str = "LOG_KEY_ROTATED";

/// What changed. The object's first field is `type`.
///
/// Types may be added within version 1. A reader that meets a type it does not know keeps the object as
/// it is ([`Event::Other`]), shows it, counts the entry as a leaf like any other, and concludes nothing
/// from it; a receipt, which must be understood, never contains one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Slots were redrawn, and the tree committed under another root: rule 4, first batch.
    ErasureCommitted(ErasureCommitted),
    /// A tree's keys were wrapped anew, and nothing was erased: the same batch, rule 8.
    KeysRotated(KeysRotated),
    /// The root of an epoch was destroyed and the store looked at again: rule 4, second batch.
    EpochDestroyed(EpochDestroyed),
    /// From here on another key signs this log.
    LogKeyRotated(LogKeyRotated),
    /// An event of another type: governance of the vault, or a type from the future.
    Other(OtherEvent),
}

/// An erasure, one for each receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureCommitted {
    /// The epoch that is left, and in which the erased keys could still be reached.
    pub from: u64,
    /// The epoch that follows, in which they cannot.
    pub to: u64,
    /// The root of the epoch that is left.
    pub from_root: EpochRoot,
    /// The root of the epoch that follows.
    pub to_root: EpochRoot,
    /// The receipt that this erasure is given.
    pub receipt: ReceiptId,
    /// What was erased.
    pub scope: Scope,
    /// How many slots were redrawn for it.
    pub slots: u64,
}

/// A rotation, one for each receipt. Slots keep their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysRotated {
    /// The epoch that is left, whose wrapping no key opens once its root is destroyed.
    pub from: u64,
    /// The epoch that follows.
    pub to: u64,
    /// The root of the epoch that is left.
    pub from_root: EpochRoot,
    /// The root of the epoch that follows.
    pub to_root: EpochRoot,
    /// The receipt that this rotation is given.
    pub receipt: ReceiptId,
    /// Whose wrapping is new.
    pub scope: Rotated,
}

/// Whose wrapping a rotation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rotated {
    /// The head page of a tenant's tree, and all above it.
    Tenant,
    /// The head page of the vault's tree, and all above it.
    Vault,
}

impl Rotated {
    const ALL: [Self; 2] = [Self::Tenant, Self::Vault];

    /// As it stands in the entry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Vault => "vault",
        }
    }
}

/// A log's key is succeeded by another: the last entry that the old one signs for, see [`succession`](crate::log::succession).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeyRotated {
    /// The key that is retired.
    pub from: VerifierKey,
    /// The key that signs from here on.
    pub to: VerifierKey,
    /// What two persons agreed on.
    pub proposal: Token,
}

/// The end of an epoch, with the root store's evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochDestroyed {
    /// The epoch that ended.
    pub epoch: u64,
    /// Its root.
    pub root: EpochRoot,
    /// The kind of store that held it, like `file`.
    pub store: Token,
    /// In how many places the store kept it, and it was destroyed and looked for again.
    pub replicas: u64,
    /// When the destruction that is logged began, was the root still there? `absent` after a crash between
    /// destroying and logging: then this call only read back.
    pub found: Found,
    /// What the store cannot promise of its medium, and the process of its memory: codes like
    /// `MEDIUM_NOT_SEPARATE`. Each is repeated among what a receipt excludes.
    pub medium: Vec<Token>,
}

/// What a store found of a root that it was to destroy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// It was there.
    Present,
    /// An earlier call had destroyed it.
    Absent,
}

impl Found {
    const ALL: [Self; 2] = [Self::Present, Self::Absent];

    /// As it stands in the entry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
        }
    }
}

/// What an erasure erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A person, with everything that hangs on them.
    Subject,
    /// One template or record of a person.
    Template,
    /// A tenant's whole silo.
    Tenant,
    /// Slots that were handed out but never committed: torn bytes on disk may be sealed under them.
    Burnt,
}

impl Scope {
    const ALL: [Self; 4] = [Self::Subject, Self::Template, Self::Tenant, Self::Burnt];

    /// The scope as it stands in the entry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Template => "template",
            Self::Tenant => "tenant",
            Self::Burnt => "burnt",
        }
    }
}

/// An event whose fields this module does not interpret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherEvent {
    kind: Token,
    fields: Vec<(String, Value)>,
}

impl OtherEvent {
    /// An event of type `kind`, with fields that follow `type` in this order.
    ///
    /// # Errors
    /// If `kind` is a type that has a variant of its own in [`Event`], or if the fields have no
    /// canonical form: a key that is not `a-z 0-9 _` or occurs twice, a control character, a number
    /// beyond 2^53 - 1.
    pub fn new(kind: Token, fields: Vec<(String, Value)>) -> Result<Self, EntryError> {
        if matches!(kind.as_str(), ERASURE_COMMITTED | KEYS_ROTATED | EPOCH_DESTROYED | LOG_KEY_ROTATED) {
            return Err(EntryError::ReservedType(kind));
        }
        let event = Self { kind, fields };
        let written = event.to_value();
        if json::parse(written.write().as_bytes())? == written {
            Ok(event)
        } else {
            Err(EntryError::Json(JsonError::Field("event")))
        }
    }

    /// The event's type.
    pub fn kind(&self) -> &Token {
        &self.kind
    }

    /// The fields after `type`.
    pub fn fields(&self) -> &[(String, Value)] {
        &self.fields
    }

    fn to_value(&self) -> Value {
        let start = Builder::default().text("type", &self.kind);
        let add = |builder: Builder, (name, value): &(String, Value)| builder.value(name, value.clone());
        self.fields.iter().fold(start, add).build()
    }
}

impl Event {
    pub(super) fn from_value(value: Value) -> Result<Self, EntryError> {
        let mut fields = value.fields("event")?;
        let kind: Token = read("type", &fields.text("type")?)?;
        let event = match kind.as_str() {
            ERASURE_COMMITTED => Self::ErasureCommitted(ErasureCommitted {
                from: fields.number("from")?,
                to: fields.number("to")?,
                from_root: read("from_root", &fields.text("from_root")?)?,
                to_root: read("to_root", &fields.text("to_root")?)?,
                receipt: read("receipt", &fields.text("receipt")?)?,
                scope: read_scope(&fields.text("scope")?)?,
                slots: fields.number("slots")?,
            }),
            KEYS_ROTATED => Self::KeysRotated(KeysRotated {
                from: fields.number("from")?,
                to: fields.number("to")?,
                from_root: read("from_root", &fields.text("from_root")?)?,
                to_root: read("to_root", &fields.text("to_root")?)?,
                receipt: read("receipt", &fields.text("receipt")?)?,
                scope: read_rotated(&fields.text("scope")?)?,
            }),
            EPOCH_DESTROYED => Self::EpochDestroyed(EpochDestroyed {
                epoch: fields.number("epoch")?,
                root: read("root", &fields.text("root")?)?,
                store: read("store", &fields.text("store")?)?,
                replicas: fields.number("replicas")?,
                found: read_found(&fields.text("found")?)?,
                medium: fields
                    .texts("medium")?
                    .iter()
                    .map(|statement| read("medium", statement))
                    .collect::<Result<_, _>>()?,
            }),
            LOG_KEY_ROTATED => Self::LogKeyRotated(LogKeyRotated {
                from: read_key("from", &fields.text("from")?)?,
                to: read_key("to", &fields.text("to")?)?,
                proposal: read("proposal", &fields.text("proposal")?)?,
            }),
            _ => return Ok(Self::Other(OtherEvent { kind, fields: fields.remainder() })),
        };
        fields.end()?;
        Ok(event)
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::ErasureCommitted(erasure) => Builder::default()
                .text("type", ERASURE_COMMITTED)
                .number("from", erasure.from)
                .number("to", erasure.to)
                .text("from_root", erasure.from_root)
                .text("to_root", erasure.to_root)
                .text("receipt", erasure.receipt)
                .text("scope", erasure.scope.as_str())
                .number("slots", erasure.slots)
                .build(),
            Self::KeysRotated(rotation) => Builder::default()
                .text("type", KEYS_ROTATED)
                .number("from", rotation.from)
                .number("to", rotation.to)
                .text("from_root", rotation.from_root)
                .text("to_root", rotation.to_root)
                .text("receipt", rotation.receipt)
                .text("scope", rotation.scope.as_str())
                .build(),
            Self::EpochDestroyed(destruction) => Builder::default()
                .text("type", EPOCH_DESTROYED)
                .number("epoch", destruction.epoch)
                .text("root", destruction.root)
                .text("store", &destruction.store)
                .number("replicas", destruction.replicas)
                .text("found", destruction.found.as_str())
                .value("medium", Value::texts(&destruction.medium))
                .build(),
            Self::LogKeyRotated(rotation) => Builder::default()
                .text("type", LOG_KEY_ROTATED)
                .text("from", &rotation.from)
                .text("to", &rotation.to)
                .text("proposal", &rotation.proposal)
                .build(),
            Self::Other(event) => event.to_value(),
        }
    }
}

fn read_key(field: &'static str, text: &str) -> Result<VerifierKey, EntryError> {
    text.parse().map_err(|_| EntryError::Field { field, cause: TextError::new("the verifier key of a log") })
}

fn read_found(text: &str) -> Result<Found, EntryError> {
    let known = Found::ALL.into_iter().find(|found| found.as_str() == text);
    known.ok_or(EntryError::Field { field: "found", cause: TextError::new("present or absent") })
}

fn read_rotated(text: &str) -> Result<Rotated, EntryError> {
    let known = Rotated::ALL.into_iter().find(|scope| scope.as_str() == text);
    known.ok_or_else(|| EntryError::Field { field: "scope", cause: TextError::new("tenant or vault") })
}

fn read_scope(text: &str) -> Result<Scope, EntryError> {
    let found = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
    found.ok_or(EntryError::Field { field: "scope", cause: TextError::new("subject, template, tenant or burnt") })
}
