//! The document of a receipt: its parts, their spelling, and what has to hold between them.

use std::str::FromStr;

use super::{Committed, Logged, Part, ReceiptError, Verified, excluded};
use crate::log::checkpoint::Checkpoint;
use crate::log::entry::{Entry, EpochDestroyed, Event, Outcome};
use crate::log::json::{self, Builder, Fields, Value};
use crate::log::merkle::{Hash, verify_inclusion};
use crate::log::succession::Keys;
use crate::log::text::{ReceiptId, TextError, Token};

/// The version of the receipt formats.
const VERSION: u64 = 1;

pub(super) struct Document {
    /// What the document calls itself.
    kind: &'static str,
    receipt: ReceiptId,
    committed: Proven,
    destroyed: Proven,
    checkpoint: String,
    excludes: Vec<Token>,
}

/// An entry with its proof, as it stands in the document.
struct Proven {
    part: Part,
    index: u64,
    entry: Entry,
    proof: Vec<Hash>,
}

impl Document {
    /// A document of parts that are not checked against each other yet.
    pub(super) fn compose(
        committed: &Logged<'_>,
        destroyed: &Logged<'_>,
        checkpoint: &str,
    ) -> Result<Self, ReceiptError> {
        let committed = Proven::from_logged(Part::Committed, committed)?;
        let destroyed = Proven::from_logged(Part::Destroyed, destroyed)?;
        let recorded = committed.recorded()?;
        let (kind, receipt) = (recorded.document(), recorded.step().receipt);
        let excludes = excluded(&destroyed.destruction()?.medium);
        Ok(Self { kind, receipt, committed, destroyed, checkpoint: checkpoint.to_owned(), excludes })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        Builder::default()
            .text("type", self.kind)
            .number("version", VERSION)
            .text("receipt", self.receipt)
            .value("committed", self.committed.to_value())
            .value("destroyed", self.destroyed.to_value())
            .text("checkpoint", &self.checkpoint)
            .value("excludes", Value::texts(&self.excludes))
            .build()
            .write()
            .into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let mut fields = json::parse(bytes)?.fields("receipt")?;
        let kind = fields.text("type")?;
        let kind = Committed::DOCUMENTS.into_iter().find(|known| *known == kind).ok_or(ReceiptError::Version)?;
        if fields.number("version")? != VERSION {
            return Err(ReceiptError::Version);
        }
        let document = Self {
            kind,
            receipt: read("receipt", &fields.text("receipt")?)?,
            committed: Proven::from_value(Part::Committed, fields.value("committed")?)?,
            destroyed: Proven::from_value(Part::Destroyed, fields.value("destroyed")?)?,
            checkpoint: fields.text("checkpoint")?,
            excludes: read_all("excludes", &mut fields)?,
        };
        fields.end()?;
        Ok(document)
    }

    /// Everything that makes the document a receipt.
    pub(super) fn check(self, keys: &Keys) -> Result<Verified, ReceiptError> {
        let (checkpoint, signer) = keys.open_sole(self.checkpoint.as_bytes())?;
        self.committed.check_inclusion(&checkpoint)?;
        self.destroyed.check_inclusion(&checkpoint)?;

        let recorded = self.committed.recorded()?;
        // A rotation is no erasure, whatever its document calls itself.
        if recorded.document() != self.kind {
            return Err(ReceiptError::Event(Part::Committed));
        }
        let step = recorded.step();
        let destruction = self.destroyed.destruction()?;
        if step.receipt != self.receipt {
            return Err(ReceiptError::Receipt { expected: self.receipt, found: step.receipt });
        }
        let erases_nothing = matches!(&recorded, Committed::Erasure(erasure) if erasure.slots == 0);
        if step.to <= step.from || step.to_root == step.from_root || erases_nothing {
            return Err(ReceiptError::NoStep);
        }
        if (destruction.epoch, destruction.root) != (step.from, step.from_root) {
            return Err(ReceiptError::Epoch {
                left: step.from,
                left_root: step.from_root,
                destroyed: destruction.epoch,
                destroyed_root: destruction.root,
            });
        }
        if destruction.replicas == 0 {
            return Err(ReceiptError::NoPlace);
        }
        if self.destroyed.index <= self.committed.index {
            return Err(ReceiptError::Order { committed: self.committed.index, destroyed: self.destroyed.index });
        }
        if self.excludes != excluded(&destruction.medium) {
            return Err(ReceiptError::Exclusions);
        }
        Ok(Verified {
            committed: recorded,
            destruction: destruction.clone(),
            committed_at: self.committed.entry.time,
            destroyed_at: self.destroyed.entry.time,
            committed_index: self.committed.index,
            destroyed_index: self.destroyed.index,
            checkpoint,
            signer,
            excludes: self.excludes,
        })
    }
}

impl Proven {
    fn from_logged(part: Part, logged: &Logged<'_>) -> Result<Self, ReceiptError> {
        let entry = Entry::decode(logged.entry).map_err(|cause| ReceiptError::Entry { part, cause })?;
        Ok(Self { part, index: logged.index, entry, proof: logged.proof.clone() })
    }

    fn from_value(part: Part, value: Value) -> Result<Self, ReceiptError> {
        let mut fields = value.fields(match part {
            Part::Committed => "committed",
            Part::Destroyed => "destroyed",
        })?;
        let index = fields.number("index")?;
        let entry = Entry::from_value(fields.value("entry")?);
        let entry = entry.map_err(|cause| ReceiptError::Entry { part, cause })?;
        let proof = read_all("proof", &mut fields)?;
        fields.end()?;
        Ok(Self { part, index, entry, proof })
    }

    fn to_value(&self) -> Value {
        Builder::default()
            .number("index", self.index)
            .value("entry", self.entry.to_value())
            .value("proof", Value::texts(&self.proof))
            .build()
    }

    fn check_inclusion(&self, checkpoint: &Checkpoint) -> Result<(), ReceiptError> {
        verify_inclusion(&self.entry.leaf(), self.index, checkpoint.size, &self.proof, &checkpoint.root)
            .map_err(|cause| ReceiptError::Inclusion { part: self.part, cause })
    }

    /// What a committed entry records; an attempt that was denied or failed records nothing.
    fn recorded(&self) -> Result<Committed, ReceiptError> {
        match (&self.entry.event, self.entry.outcome) {
            (Some(Event::ErasureCommitted(erasure)), Outcome::Allowed) => Ok(Committed::Erasure(erasure.clone())),
            (Some(Event::KeysRotated(rotation)), Outcome::Allowed) => Ok(Committed::Rotation(rotation.clone())),
            _ => Err(ReceiptError::Event(self.part)),
        }
    }

    /// What a destroyed entry records.
    fn destruction(&self) -> Result<&EpochDestroyed, ReceiptError> {
        match (&self.entry.event, self.entry.outcome) {
            (Some(Event::EpochDestroyed(destruction)), Outcome::Allowed) => Ok(destruction),
            _ => Err(ReceiptError::Event(self.part)),
        }
    }
}

fn read<T: FromStr<Err = TextError>>(field: &'static str, text: &str) -> Result<T, ReceiptError> {
    text.parse().map_err(|cause| ReceiptError::Field { field, cause })
}

fn read_all<T: FromStr<Err = TextError>>(field: &'static str, fields: &mut Fields) -> Result<Vec<T>, ReceiptError> {
    fields.texts(field)?.iter().map(|text| read(field, text)).collect()
}
