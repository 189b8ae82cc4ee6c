//! What a record is and whose: bound to it when it is sealed, stated again when it is opened.

use crate::canonical::Canonical;
use crate::kdf::Label;
use crate::tree::SlotRef;

/// What sort of row. The numbers belong to whoever defines the rows; they are fixed for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKind(pub u8);

/// Everything that must be equal for a record to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordContext<'a> {
    /// The tenant, by its slot in the vault tree; slot 0 for the vault's own records.
    pub tenant: SlotRef,
    /// The gallery; 0 for the tenant's subjects.
    pub gallery: u32,
    /// The subject's slot; slot 0 for the tenant's own records.
    pub subject: SlotRef,
    /// The other subject's slot, for a record about two.
    pub other: Option<SlotRef>,
    /// The slot of the thing the record is, if it can be deleted on its own.
    pub thing: Option<SlotRef>,
    /// What sort of row.
    pub kind: RecordKind,
    /// The record's id among those of its kind.
    pub id: &'a [u8],
    /// Version of the record's own encoding.
    pub version: u32,
    /// The embedding model, `id@version`, or empty.
    pub model: &'a str,
}

impl<'a> RecordContext<'a> {
    /// A record of a subject, with gallery 0, no thing, no model, and encoding version 1.
    #[must_use]
    pub const fn new(tenant: SlotRef, subject: SlotRef, kind: RecordKind, id: &'a [u8]) -> Self {
        Self { tenant, gallery: 0, subject, other: None, thing: None, kind, id, version: 1, model: "" }
    }

    /// The canonical encoding that is authenticated with the record.
    pub(crate) fn associated_data(&self) -> Vec<u8> {
        let slot = |slot: Option<SlotRef>| slot.map(SlotRef::encode);
        Canonical::new(Label::RECORD.as_str())
            .field(&self.tenant.encode())
            .field(&self.gallery.to_be_bytes())
            .field(&self.subject.encode())
            .field(slot(self.other).as_ref().map_or(&[], |bytes| bytes.as_slice()))
            .field(slot(self.thing).as_ref().map_or(&[], |bytes| bytes.as_slice()))
            .field(&[self.kind.0])
            .field(self.id)
            .field(&self.version.to_be_bytes())
            .field(self.model.as_bytes())
            .finish()
    }
}
