//! Row keys: one prefix byte, then big-endian fields, so that byte order is the order of the fields.
//! Every key has a fixed length, checked when it is read.

use lethe_crypto::tree::{PageAddress, SlotRef, TreeId};
use lethe_domain::{
    CaseId, CredentialId, DisclosureId, NotificationId, ProposalId, ReceiptId, RightsRequestId, WatchlistEntryId,
};

use crate::{Corrupt, MirrorId};

/// What a row is. The number is its key's first byte and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum RowKind {
    /// The format version.
    Format = 0x01,
    /// The epoch's state: vault id, incarnation, root, wrapped vault key.
    Epoch = 0x02,
    /// A tree's durable high-water mark of slots.
    HighWater = 0x03,
    /// A written page of a tree.
    Page = 0x04,
    /// An accepted erasure whose epoch is not committed yet.
    Intent = 0x05,
    /// Where the log says that an epoch's root is destroyed.
    EpochEnd = 0x06,
    /// In a mirror alone: how far it has followed.
    Position = 0x07,
    /// A mirror that the vault has.
    Mirror = 0x08,
    /// A restore is not finished.
    Restoring = 0x09,
    /// What some run could not promise, and every receipt says since.
    Statements = 0x0A,
    /// The runs of the database, and where each was left.
    History = 0x0B,
    /// A mark among the rows of kinds `01` … `0E`; see `docs/FORMAT.md`.
    TreeMark = 0x0F,
    /// A tenant, sealed.
    Tenant = 0x10,
    /// A credential, sealed.
    Credential = 0x11,
    /// A model profile, sealed.
    Profile = 0x12,
    /// The state of an erasure.
    Receipt = 0x13,
    /// A remembered answer of tenant administration, sealed.
    TenantRequest = 0x14,
    /// The seed of a log's signing key, sealed.
    LogKey = 0x15,
    /// How many templates a gallery has.
    Census = 0x16,
    /// A tenant that was shredded, sealed under the vault's own key: its name is never given again.
    Shredded = 0x17,
    /// A watch list, sealed.
    Watchlist = 0x18,
    /// A public key of a capture or document service, sealed.
    SigningKey = 0x19,
    /// An attestation that was used.
    Attestation = 0x1A,
    /// A mark among the rows of kinds `10` … `2F`.
    RowsMark = 0x1F,
    /// A subject's base row, sealed: the only place its applicant id is in.
    Subject = 0x20,
    /// A template, sealed.
    Template = 0x21,
    /// A template's sketch, sealed.
    Sketch = 0x22,
    /// A remembered answer about a subject, sealed.
    SubjectRequest = 0x23,
    /// What is known of a subject beside templates (consents, restriction, holds), sealed.
    Dossier = 0x24,
    /// A subject that is under a litigation hold.
    Held = 0x25,
    /// An entry of a watch list, sealed under a slot of its own: it outlives whom it was made of.
    WatchlistEntry = 0x26,
    /// Which entries of watch lists were made from a subject's templates, sealed under the subject's key.
    Listed = 0x27,
    /// What two persons decide together, sealed under the tenant's own key.
    Proposal = 0x28,
    /// A disclosure about a subject, sealed under the subject's key.
    Disclosure = 0x29,
    /// The evidence of a consent, sealed under a slot of its own: it outlives its subject.
    Evidence = 0x2A,
    /// A request of a data subject, sealed: it outlives the subject, and does not name it.
    Request = 0x2B,
    /// Which requests a subject made, sealed under the subject's key.
    Asked = 0x2C,
    /// Somebody who has to be told what became of a person's data, sealed: it outlives the person, and does not name it.
    Notification = 0x2D,
    /// A question about a subject that people answer, sealed under the subject's key.
    Case = 0x2E,
    /// A log's size.
    LogHead = 0x30,
    /// A log entry.
    LogEntry = 0x31,
    /// A node of a log's Merkle tree.
    LogNode = 0x32,
    /// The checkpoint by which a log's key was succeeded by another.
    LogSuccession = 0x33,
    /// A mark among the rows of kinds `30` … `3E`.
    LogMark = 0x3F,
}

impl RowKind {
    /// All kinds, by number.
    pub const ALL: [Self; 44] = [
        Self::Format,
        Self::Epoch,
        Self::HighWater,
        Self::Page,
        Self::Intent,
        Self::EpochEnd,
        Self::Position,
        Self::Mirror,
        Self::Restoring,
        Self::Statements,
        Self::History,
        Self::TreeMark,
        Self::Tenant,
        Self::Credential,
        Self::Profile,
        Self::Receipt,
        Self::TenantRequest,
        Self::LogKey,
        Self::Census,
        Self::Shredded,
        Self::Watchlist,
        Self::SigningKey,
        Self::Attestation,
        Self::RowsMark,
        Self::Subject,
        Self::Template,
        Self::Sketch,
        Self::SubjectRequest,
        Self::Dossier,
        Self::Held,
        Self::WatchlistEntry,
        Self::Listed,
        Self::Proposal,
        Self::Disclosure,
        Self::Evidence,
        Self::Request,
        Self::Asked,
        Self::Notification,
        Self::Case,
        Self::LogHead,
        Self::LogEntry,
        Self::LogNode,
        Self::LogSuccession,
        Self::LogMark,
    ];

    /// Rows that a tenant has for as long as it is there, each kind one range of keys. Its log outlives it (O29), and what
    /// stands for an epoch goes with the epoch.
    pub const OF_TENANT: [Self; 25] = [
        Self::HighWater,
        Self::Tenant,
        Self::Credential,
        Self::Profile,
        Self::TenantRequest,
        Self::LogKey,
        Self::Census,
        Self::Watchlist,
        Self::SigningKey,
        Self::Attestation,
        Self::Subject,
        Self::Template,
        Self::Sketch,
        Self::SubjectRequest,
        Self::Dossier,
        Self::Held,
        Self::WatchlistEntry,
        Self::Listed,
        Self::Proposal,
        Self::Disclosure,
        Self::Evidence,
        Self::Request,
        Self::Asked,
        Self::Notification,
        Self::Case,
    ];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// Where a template lies: enough to find its row and both its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateAt {
    /// The slot of its subject (`S`).
    pub subject: SlotRef,
    /// Its own slot (`T`).
    pub thing: SlotRef,
}

/// A gallery of a tenant. Templates of different galleries never meet unless asked for.
pub type GalleryId = u32;

/// The gallery of a tenant's own subjects.
pub const SUBJECTS: GalleryId = 0;

/// The number of a model profile within its tenant.
pub type ProfileNumber = u32;

/// The number of a watch list within its tenant.
pub type WatchlistNumber = u32;

/// A row key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is documented by its `RowKind`; the fields are the parts of the key, in order")]
pub enum Key {
    Format,
    Epoch,
    HighWater { tree: TreeId },
    Page(PageAddress),
    Intent { tree: TreeId, receipt: ReceiptId },
    EpochEnd { number: u64 },
    Position,
    Mirror { id: MirrorId },
    Restoring,
    Statements,
    History,
    TreeMark { number: u64 },
    Tenant { tenant: SlotRef },
    Credential { tree: TreeId, credential: CredentialId },
    Profile { tree: TreeId, number: ProfileNumber },
    Receipt { tree: TreeId, receipt: ReceiptId },
    TenantRequest { tree: TreeId, tag: [u8; 16] },
    LogKey { tree: TreeId },
    Census { tree: TreeId, gallery: GalleryId, profile: ProfileNumber },
    Shredded { tenant: SlotRef },
    Watchlist { tree: TreeId, number: WatchlistNumber },
    SigningKey { tree: TreeId, tag: [u8; 16] },
    Attestation { tree: TreeId, until: u64, tag: [u8; 16] },
    RowsMark { number: u64 },
    Subject { tree: TreeId, subject: SlotRef },
    Template { tree: TreeId, gallery: GalleryId, at: TemplateAt, profile: ProfileNumber },
    Sketch { tree: TreeId, gallery: GalleryId, profile: ProfileNumber, at: TemplateAt },
    SubjectRequest { tree: TreeId, subject: SlotRef, tag: [u8; 16] },
    Dossier { tree: TreeId, subject: SlotRef },
    Held { tree: TreeId, subject: SlotRef },
    WatchlistEntry { tree: TreeId, list: WatchlistNumber, entry: WatchlistEntryId, slot: SlotRef },
    Listed { tree: TreeId, subject: SlotRef },
    Proposal { tree: TreeId, proposal: ProposalId },
    Disclosure { tree: TreeId, subject: SlotRef, disclosure: DisclosureId },
    Evidence { tree: TreeId, tag: [u8; 16], slot: SlotRef },
    Request { tree: TreeId, request: RightsRequestId },
    Asked { tree: TreeId, subject: SlotRef },
    Notification { tree: TreeId, notification: NotificationId },
    Case { tree: TreeId, subject: SlotRef, case: CaseId },
    LogHead { tree: TreeId },
    LogEntry { tree: TreeId, index: u64 },
    LogNode { tree: TreeId, level: u8, index: u64 },
    LogSuccession { tree: TreeId, size: u64 },
    LogMark { number: u64 },
}

const TREE: usize = TreeId::LENGTH;
const SLOT: usize = SlotRef::LENGTH;
const PAGE: usize = PageAddress::LENGTH;
// The format promises these lengths; a change of a part must not move the others unseen.
const _: () = assert!(TREE == 12 && SLOT == 12);

impl Key {
    /// What the row is.
    pub const fn kind(&self) -> RowKind {
        match self {
            Self::Format => RowKind::Format,
            Self::Epoch => RowKind::Epoch,
            Self::HighWater { .. } => RowKind::HighWater,
            Self::Page(_) => RowKind::Page,
            Self::Intent { .. } => RowKind::Intent,
            Self::EpochEnd { .. } => RowKind::EpochEnd,
            Self::Position => RowKind::Position,
            Self::Mirror { .. } => RowKind::Mirror,
            Self::Restoring => RowKind::Restoring,
            Self::Statements => RowKind::Statements,
            Self::History => RowKind::History,
            Self::TreeMark { .. } => RowKind::TreeMark,
            Self::Tenant { .. } => RowKind::Tenant,
            Self::Credential { .. } => RowKind::Credential,
            Self::Profile { .. } => RowKind::Profile,
            Self::Receipt { .. } => RowKind::Receipt,
            Self::TenantRequest { .. } => RowKind::TenantRequest,
            Self::LogKey { .. } => RowKind::LogKey,
            Self::Census { .. } => RowKind::Census,
            Self::Shredded { .. } => RowKind::Shredded,
            Self::Watchlist { .. } => RowKind::Watchlist,
            Self::SigningKey { .. } => RowKind::SigningKey,
            Self::Attestation { .. } => RowKind::Attestation,
            Self::RowsMark { .. } => RowKind::RowsMark,
            Self::Subject { .. } => RowKind::Subject,
            Self::Template { .. } => RowKind::Template,
            Self::Sketch { .. } => RowKind::Sketch,
            Self::SubjectRequest { .. } => RowKind::SubjectRequest,
            Self::Dossier { .. } => RowKind::Dossier,
            Self::Held { .. } => RowKind::Held,
            Self::WatchlistEntry { .. } => RowKind::WatchlistEntry,
            Self::Listed { .. } => RowKind::Listed,
            Self::Proposal { .. } => RowKind::Proposal,
            Self::Disclosure { .. } => RowKind::Disclosure,
            Self::Evidence { .. } => RowKind::Evidence,
            Self::Request { .. } => RowKind::Request,
            Self::Asked { .. } => RowKind::Asked,
            Self::Notification { .. } => RowKind::Notification,
            Self::Case { .. } => RowKind::Case,
            Self::LogHead { .. } => RowKind::LogHead,
            Self::LogEntry { .. } => RowKind::LogEntry,
            Self::LogNode { .. } => RowKind::LogNode,
            Self::LogSuccession { .. } => RowKind::LogSuccession,
            Self::LogMark { .. } => RowKind::LogMark,
        }
    }

    /// The tree that the row belongs to; `None` for rows of no tree, and of the vault itself.
    pub fn tree(&self) -> Option<TreeId> {
        match self {
            Self::Format
            | Self::Epoch
            | Self::EpochEnd { .. }
            | Self::Position
            | Self::Mirror { .. }
            | Self::Restoring
            | Self::Statements
            | Self::History
            | Self::TreeMark { .. }
            | Self::RowsMark { .. }
            | Self::LogMark { .. } => None,
            Self::Tenant { tenant } | Self::Shredded { tenant } => TreeId::tenant(*tenant).ok(),
            Self::Page(address) => Some(address.tree()),
            Self::HighWater { tree }
            | Self::Intent { tree, .. }
            | Self::Credential { tree, .. }
            | Self::Profile { tree, .. }
            | Self::Receipt { tree, .. }
            | Self::TenantRequest { tree, .. }
            | Self::LogKey { tree }
            | Self::Census { tree, .. }
            | Self::Watchlist { tree, .. }
            | Self::SigningKey { tree, .. }
            | Self::Attestation { tree, .. }
            | Self::Subject { tree, .. }
            | Self::Template { tree, .. }
            | Self::Sketch { tree, .. }
            | Self::SubjectRequest { tree, .. }
            | Self::Dossier { tree, .. }
            | Self::Held { tree, .. }
            | Self::WatchlistEntry { tree, .. }
            | Self::Listed { tree, .. }
            | Self::Proposal { tree, .. }
            | Self::Disclosure { tree, .. }
            | Self::Evidence { tree, .. }
            | Self::Request { tree, .. }
            | Self::Asked { tree, .. }
            | Self::Notification { tree, .. }
            | Self::Case { tree, .. }
            | Self::LogHead { tree }
            | Self::LogEntry { tree, .. }
            | Self::LogNode { tree, .. }
            | Self::LogSuccession { tree, .. } => Some(*tree),
        }
    }

    /// The key's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let key = Writer::new(self.kind());
        match self {
            Self::Format | Self::Epoch | Self::Position | Self::Restoring | Self::Statements | Self::History => key,
            Self::HighWater { tree } | Self::LogKey { tree } | Self::LogHead { tree } => key.tree(*tree),
            Self::Page(address) => key.bytes(&address.encode()),
            Self::Intent { tree, receipt } | Self::Receipt { tree, receipt } => {
                key.tree(*tree).bytes(receipt.as_bytes())
            }
            Self::EpochEnd { number }
            | Self::TreeMark { number }
            | Self::RowsMark { number }
            | Self::LogMark { number } => key.bytes(&number.to_be_bytes()),
            Self::Mirror { id } => key.bytes(id.as_bytes()),
            Self::Tenant { tenant } | Self::Shredded { tenant } => key.slot(*tenant),
            Self::Credential { tree, credential } => key.tree(*tree).bytes(credential.as_bytes()),
            Self::Profile { tree, number } | Self::Watchlist { tree, number } => {
                key.tree(*tree).bytes(&number.to_be_bytes())
            }
            Self::TenantRequest { tree, tag } | Self::SigningKey { tree, tag } => key.tree(*tree).bytes(tag),
            Self::Attestation { tree, until, tag } => key.tree(*tree).bytes(&until.to_be_bytes()).bytes(tag),
            Self::Census { tree, gallery, profile } => {
                key.tree(*tree).bytes(&gallery.to_be_bytes()).bytes(&profile.to_be_bytes())
            }
            Self::Subject { tree, subject }
            | Self::Dossier { tree, subject }
            | Self::Held { tree, subject }
            | Self::Listed { tree, subject }
            | Self::Asked { tree, subject } => key.tree(*tree).slot(*subject),
            Self::WatchlistEntry { tree, list, entry, slot } => {
                key.tree(*tree).bytes(&list.to_be_bytes()).bytes(entry.as_bytes()).slot(*slot)
            }
            Self::Evidence { tree, tag, slot } => key.tree(*tree).bytes(tag).slot(*slot),
            Self::Request { tree, request } => key.tree(*tree).bytes(request.as_bytes()),
            Self::Notification { tree, notification } => key.tree(*tree).bytes(notification.as_bytes()),
            Self::Template { tree, gallery, at, profile } => {
                key.tree(*tree).bytes(&gallery.to_be_bytes()).at(*at).bytes(&profile.to_be_bytes())
            }
            Self::Sketch { tree, gallery, profile, at } => {
                key.tree(*tree).bytes(&gallery.to_be_bytes()).bytes(&profile.to_be_bytes()).at(*at)
            }
            Self::Proposal { tree, proposal } => key.tree(*tree).bytes(proposal.as_bytes()),
            Self::Disclosure { tree, subject, disclosure } => {
                key.tree(*tree).slot(*subject).bytes(disclosure.as_bytes())
            }
            Self::Case { tree, subject, case } => key.tree(*tree).slot(*subject).bytes(case.as_bytes()),
            Self::SubjectRequest { tree, subject, tag } => key.tree(*tree).slot(*subject).bytes(tag),
            Self::LogEntry { tree, index: number } | Self::LogSuccession { tree, size: number } => {
                key.tree(*tree).bytes(&number.to_be_bytes())
            }
            Self::LogNode { tree, level, index } => key.tree(*tree).bytes(&[*level]).bytes(&index.to_be_bytes()),
        }
        .0
    }

    /// Reads a key back.
    ///
    /// # Errors
    /// `Corrupt` for an unknown first byte or a wrong length.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let wrong = || Corrupt::new("row key", hex::encode(bytes));
        let (&first, rest) = bytes.split_first().ok_or_else(wrong)?;
        let kind = RowKind::of(first).ok_or_else(wrong)?;
        let mut key = Reader(rest);
        let decoded = key.read(kind).ok_or_else(wrong)?;
        if key.0.is_empty() { Ok(decoded) } else { Err(wrong()) }
    }

    /// All rows of a kind.
    pub fn prefix(kind: RowKind) -> Vec<u8> {
        Writer::new(kind).0
    }

    /// All rows of a kind that belong to a tree. A tenant's own rows name it as its tree does.
    pub fn prefix_of_tree(kind: RowKind, tree: TreeId) -> Vec<u8> {
        Writer::new(kind).tree(tree).0
    }

    /// All templates of a gallery, by the slots of their subjects.
    pub fn prefix_of_gallery(tree: TreeId, gallery: GalleryId) -> Vec<u8> {
        Writer::new(RowKind::Template).tree(tree).bytes(&gallery.to_be_bytes()).0
    }

    /// All sketches of a model in a gallery.
    pub fn prefix_of_sketches(tree: TreeId, gallery: GalleryId, profile: ProfileNumber) -> Vec<u8> {
        Writer::new(RowKind::Sketch).tree(tree).bytes(&gallery.to_be_bytes()).bytes(&profile.to_be_bytes()).0
    }

    /// All templates of a subject in a gallery.
    pub fn prefix_of_templates(tree: TreeId, gallery: GalleryId, subject: SlotRef) -> Vec<u8> {
        Writer::new(RowKind::Template).tree(tree).bytes(&gallery.to_be_bytes()).slot(subject).0
    }

    /// All evidence of a consent, by its tag: there is one at most.
    pub fn prefix_of_evidence(tree: TreeId, tag: &[u8; 16]) -> Vec<u8> {
        Writer::new(RowKind::Evidence).tree(tree).bytes(tag).0
    }

    /// All remembered answers about a subject.
    pub fn prefix_of_requests(tree: TreeId, subject: SlotRef) -> Vec<u8> {
        Writer::new(RowKind::SubjectRequest).tree(tree).slot(subject).0
    }
}

impl Key {
    /// All entries of a watch list.
    pub fn prefix_of_watchlist(tree: TreeId, list: WatchlistNumber) -> Vec<u8> {
        Writer::new(RowKind::WatchlistEntry).tree(tree).bytes(&list.to_be_bytes()).0
    }

    /// An entry of a watch list, whatever its slot: there is one at most.
    pub fn prefix_of_entry(tree: TreeId, list: WatchlistNumber, entry: WatchlistEntryId) -> Vec<u8> {
        let mut prefix = Self::prefix_of_watchlist(tree, list);
        prefix.extend_from_slice(entry.as_bytes());
        prefix
    }

    /// Before all attestations of a tenant that are over from this second on, and after those that are over before it.
    pub fn bound_of_attestations(tree: TreeId, until: u64) -> Vec<u8> {
        Writer::new(RowKind::Attestation).tree(tree).bytes(&until.to_be_bytes()).0
    }

    /// All disclosures about a subject.
    pub fn prefix_of_disclosures(tree: TreeId, subject: SlotRef) -> Vec<u8> {
        Writer::new(RowKind::Disclosure).tree(tree).slot(subject).0
    }

    /// All cases about a subject.
    pub fn prefix_of_cases(tree: TreeId, subject: SlotRef) -> Vec<u8> {
        Writer::new(RowKind::Case).tree(tree).slot(subject).0
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(kind: RowKind) -> Self {
        let mut bytes = Vec::with_capacity(48);
        bytes.push(kind as u8);
        Self(bytes)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn tree(self, tree: TreeId) -> Self {
        self.bytes(&tree.encode())
    }

    fn slot(self, slot: SlotRef) -> Self {
        self.bytes(&slot.encode())
    }

    fn at(self, at: TemplateAt) -> Self {
        self.slot(at.subject).slot(at.thing)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn read(&mut self, kind: RowKind) -> Option<Key> {
        Some(match kind {
            RowKind::Format => Key::Format,
            RowKind::Epoch => Key::Epoch,
            RowKind::HighWater => Key::HighWater { tree: self.tree()? },
            RowKind::Page => Key::Page(PageAddress::decode(&self.array::<PAGE>()?).ok()?),
            RowKind::Intent => Key::Intent { tree: self.tree()?, receipt: ReceiptId::from_bytes(self.array()?) },
            RowKind::EpochEnd => Key::EpochEnd { number: u64::from_be_bytes(self.array()?) },
            RowKind::Position => Key::Position,
            RowKind::Restoring => Key::Restoring,
            RowKind::Statements => Key::Statements,
            RowKind::History => Key::History,
            RowKind::TreeMark => Key::TreeMark { number: u64::from_be_bytes(self.array()?) },
            RowKind::RowsMark => Key::RowsMark { number: u64::from_be_bytes(self.array()?) },
            RowKind::LogMark => Key::LogMark { number: u64::from_be_bytes(self.array()?) },
            RowKind::Mirror => Key::Mirror { id: MirrorId::from_bytes(self.array()?) },
            RowKind::Tenant => Key::Tenant { tenant: self.slot()? },
            RowKind::Credential => {
                Key::Credential { tree: self.tree()?, credential: CredentialId::from_bytes(self.array()?) }
            }
            RowKind::Profile => Key::Profile { tree: self.tree()?, number: self.u32()? },
            RowKind::Receipt => Key::Receipt { tree: self.tree()?, receipt: ReceiptId::from_bytes(self.array()?) },
            RowKind::TenantRequest => Key::TenantRequest { tree: self.tree()?, tag: self.array()? },
            RowKind::LogKey => Key::LogKey { tree: self.tree()? },
            RowKind::Shredded => Key::Shredded { tenant: self.slot()? },
            RowKind::Watchlist => Key::Watchlist { tree: self.tree()?, number: self.u32()? },
            RowKind::SigningKey => Key::SigningKey { tree: self.tree()?, tag: self.array()? },
            RowKind::Attestation => {
                let (tree, until) = (self.tree()?, u64::from_be_bytes(self.array()?));
                Key::Attestation { tree, until, tag: self.array()? }
            }
            RowKind::Census => Key::Census { tree: self.tree()?, gallery: self.u32()?, profile: self.u32()? },
            RowKind::Subject => Key::Subject { tree: self.tree()?, subject: self.slot()? },
            RowKind::Template => {
                Key::Template { tree: self.tree()?, gallery: self.u32()?, at: self.at()?, profile: self.u32()? }
            }
            RowKind::Sketch => {
                Key::Sketch { tree: self.tree()?, gallery: self.u32()?, profile: self.u32()?, at: self.at()? }
            }
            RowKind::SubjectRequest => {
                Key::SubjectRequest { tree: self.tree()?, subject: self.slot()?, tag: self.array()? }
            }
            RowKind::Dossier => Key::Dossier { tree: self.tree()?, subject: self.slot()? },
            RowKind::Held => Key::Held { tree: self.tree()?, subject: self.slot()? },
            RowKind::WatchlistEntry => {
                let (tree, list) = (self.tree()?, self.u32()?);
                let entry = WatchlistEntryId::from_bytes(self.array()?);
                Key::WatchlistEntry { tree, list, entry, slot: self.slot()? }
            }
            RowKind::Listed => Key::Listed { tree: self.tree()?, subject: self.slot()? },
            RowKind::Proposal => Key::Proposal { tree: self.tree()?, proposal: ProposalId::from_bytes(self.array()?) },
            RowKind::Disclosure => {
                let (tree, subject) = (self.tree()?, self.slot()?);
                Key::Disclosure { tree, subject, disclosure: DisclosureId::from_bytes(self.array()?) }
            }
            RowKind::Evidence => Key::Evidence { tree: self.tree()?, tag: self.array()?, slot: self.slot()? },
            RowKind::Request => {
                Key::Request { tree: self.tree()?, request: RightsRequestId::from_bytes(self.array()?) }
            }
            RowKind::Asked => Key::Asked { tree: self.tree()?, subject: self.slot()? },
            RowKind::Notification => {
                Key::Notification { tree: self.tree()?, notification: NotificationId::from_bytes(self.array()?) }
            }
            RowKind::Case => {
                let (tree, subject) = (self.tree()?, self.slot()?);
                Key::Case { tree, subject, case: CaseId::from_bytes(self.array()?) }
            }
            RowKind::LogHead => Key::LogHead { tree: self.tree()? },
            RowKind::LogEntry => Key::LogEntry { tree: self.tree()?, index: u64::from_be_bytes(self.array()?) },
            RowKind::LogNode => {
                let tree = self.tree()?;
                let [level] = self.array()?;
                Key::LogNode { tree, level, index: u64::from_be_bytes(self.array()?) }
            }
            RowKind::LogSuccession => {
                Key::LogSuccession { tree: self.tree()?, size: u64::from_be_bytes(self.array()?) }
            }
        })
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn tree(&mut self) -> Option<TreeId> {
        TreeId::decode(self.array::<TREE>()?).ok()
    }

    fn slot(&mut self) -> Option<SlotRef> {
        self.array::<SLOT>().map(SlotRef::decode)
    }

    fn at(&mut self) -> Option<TemplateAt> {
        Some(TemplateAt { subject: self.slot()?, thing: self.slot()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slots() -> impl Strategy<Value = SlotRef> {
        (1_u64.., any::<u32>()).prop_map(|(slot, generation)| SlotRef { slot, generation })
    }

    fn keys() -> impl Strategy<Value = Key> {
        let tree = slots().prop_map(|slot| TreeId::tenant(slot).unwrap());
        let at = (slots(), slots()).prop_map(|(subject, thing)| TemplateAt { subject, thing });
        (tree, at, any::<[u8; 16]>(), any::<u32>(), any::<u64>(), any::<u8>(), 0..27_u8).prop_map(
            |(tree, at, id, number, index, level, which)| match which {
                0 => Key::Format,
                1 => Key::Epoch,
                2 => Key::HighWater { tree },
                3 => Key::Intent { tree, receipt: ReceiptId::from_bytes(id) },
                4 => Key::EpochEnd { number: index },
                5 => Key::Tenant { tenant: at.subject },
                6 => Key::Credential { tree, credential: CredentialId::from_bytes(id) },
                7 => Key::Profile { tree, number },
                8 => Key::Subject { tree, subject: at.subject },
                9 => Key::Template { tree, gallery: number, at, profile: level.into() },
                10 => Key::Sketch { tree, gallery: number, profile: level.into(), at },
                11 => Key::Census { tree, gallery: number, profile: level.into() },
                12 => Key::Mirror { id: MirrorId::from_bytes(id) },
                14 => Key::Shredded { tenant: at.subject },
                15 => Key::Evidence { tree, tag: id, slot: at.subject },
                16 => Key::Request { tree, request: RightsRequestId::from_bytes(id) },
                17 => Key::Asked { tree, subject: at.subject },
                18 => Key::Notification { tree, notification: NotificationId::from_bytes(id) },
                23 => Key::Case { tree, subject: at.subject, case: CaseId::from_bytes(id) },
                19 => Key::LogSuccession { tree, size: index },
                20 => Key::Watchlist { tree, number },
                21 => Key::WatchlistEntry {
                    tree,
                    list: number,
                    entry: WatchlistEntryId::from_bytes(id),
                    slot: at.subject,
                },
                24 => Key::SigningKey { tree, tag: id },
                25 => Key::Attestation { tree, until: index, tag: id },
                22 => Key::Listed { tree, subject: at.subject },
                13 => Key::SubjectRequest { tree, subject: at.subject, tag: id },
                _ => Key::LogNode { tree, level, index },
            },
        )
    }

    proptest! {
        #[test]
        fn keys_round_trip(key in keys()) {
            prop_assert_eq!(Key::decode(&key.encode()).unwrap(), key);
        }

        #[test]
        fn a_longer_or_shorter_key_is_none(key in keys()) {
            let mut bytes = key.encode();
            bytes.push(0);
            prop_assert!(Key::decode(&bytes).is_err());
            bytes.truncate(bytes.len() - 2);
            prop_assert!(bytes.is_empty() || Key::decode(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_a_key_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(key) = Key::decode(&bytes) {
                prop_assert_eq!(key.encode(), bytes);
            }
        }

        #[test]
        fn rows_of_a_tree_share_its_prefix(key in keys()) {
            if let Some(tree) = key.tree() {
                prop_assert!(key.encode().starts_with(&Key::prefix_of_tree(key.kind(), tree)), "{:?}", key);
            }
        }

        #[test]
        fn templates_of_a_subject_share_its_prefix(key in keys()) {
            if let Key::Template { tree, gallery, at, .. } = key {
                let of_subject = Key::prefix_of_templates(tree, gallery, at.subject);
                prop_assert!(key.encode().starts_with(&of_subject));
                prop_assert!(of_subject.starts_with(&Key::prefix_of_gallery(tree, gallery)));
            } else if let Key::Sketch { tree, gallery, profile, .. } = key {
                prop_assert!(key.encode().starts_with(&Key::prefix_of_sketches(tree, gallery, profile)));
            }
        }
    }
}
