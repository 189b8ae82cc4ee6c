use lethe_crypto::log::entry::EntryDraft;
use lethe_crypto::log::text::Origin;
use lethe_crypto::tree::{Lease, TreeId};

use super::StoreError;
use super::book::LogEnd;
use super::keys::{Key, RowKind};

/// One row of a change.
#[derive(Debug)]
pub enum Row {
    /// Writes a row.
    Put(Key, Vec<u8>),
    /// Removes a row.
    Delete(Key),
    /// Removes all rows of a kind that a tree has by then, however many they are.
    DeleteTree(RowKind, TreeId),
    /// Removes what a tenant has of attestations that are over before a second, in seconds since the Unix epoch.
    DeleteAttestations(TreeId, u64),
}

impl Row {
    /// The row's key, if it is one row.
    pub const fn key(&self) -> Option<&Key> {
        match self {
            Self::Put(key, _) | Self::Delete(key) => Some(key),
            Self::DeleteTree(..) | Self::DeleteAttestations(..) => None,
        }
    }

    /// What the row is.
    pub const fn kind(&self) -> RowKind {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key.kind(),
            Self::DeleteTree(kind, _) => *kind,
            Self::DeleteAttestations(..) => RowKind::Attestation,
        }
    }

    /// Bytes that it takes, about.
    pub(super) const fn size(&self) -> usize {
        64 + if let Self::Put(_, value) = self { value.len() } else { 0 }
    }

    /// The tree whose it is.
    pub(super) fn tree(&self) -> Option<TreeId> {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key.tree(),
            Self::DeleteTree(_, tree) | Self::DeleteAttestations(tree, _) => Some(*tree),
        }
    }
}

/// When a change is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Once it is synced to the disk. Every change of state is.
    #[default]
    Synced,
    /// Once the operating system has it; synced within 50 ms. A crash of the process cannot lose it, a
    /// power cut may. For the audit of reads alone.
    Buffered,
}

/// How much of the disk's reserve a change leaves alone: what matters more may go on longer on a disk that fills up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Room {
    /// The whole reserve: enrolment, administration.
    #[default]
    Whole,
    /// Two thirds of it: the audit of reads, without which nobody could log in.
    TwoThirds,
    /// A third: erasures. Forgetting must work when nothing else does.
    Third,
    /// Nothing: a row of a few hundred bytes, without which the vault does not start.
    Nothing,
}

impl Room {
    /// Bytes that must stay free, of a reserve of so many.
    pub(super) const fn of(self, reserve: u64) -> u64 {
        match self {
            Self::Whole => reserve,
            Self::TwoThirds => reserve / 3 * 2,
            Self::Third => reserve / 3,
            Self::Nothing => 0,
        }
    }
}

/// Everything one operation changes, of one tenant or several: rows, and entries of logs. It is
/// committed whole or not at all.
///
/// A gallery's change is not said twice: it follows from the sealed sketch rows in `rows`.
#[derive(Debug, Default)]
pub struct Change {
    pub(super) rows: Vec<Row>,
    pub(super) logs: Vec<(TreeId, Origin)>,
    pub(super) entries: Vec<Entry>,
    pub(super) closing: Option<Closing>,
    pub(super) succeeding: Option<Succeeding>,
    pub(super) durability: Durability,
    pub(super) room: Room,
    pub(super) leases: Vec<Lease>,
}

/// A log entry of a change, and the row that says where it went.
pub(super) struct Entry {
    pub(super) tree: TreeId,
    pub(super) draft: EntryDraft,
    pub(super) located: Option<Located>,
}

/// Makes the row that says where an entry went, once its leaf index is known.
type Located = Box<dyn FnOnce(u64) -> Row + Send>;

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("tree", &self.tree).field("draft", &self.draft).finish_non_exhaustive()
    }
}

/// The end of a log, and the entry of the vault's log that says where it is.
pub(super) struct Closing {
    pub(super) tree: TreeId,
    pub(super) entry: Box<dyn FnOnce(LogEnd) -> Result<EntryDraft, StoreError> + Send>,
}

impl std::fmt::Debug for Closing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closing").field("tree", &self.tree).finish_non_exhaustive()
    }
}

/// The row by which the key of a log is succeeded, of which this change's entry is the last that the old one signs.
pub(super) struct Succeeding {
    pub(super) tree: TreeId,
    pub(super) row: Box<dyn FnOnce(LogEnd) -> Result<Row, StoreError> + Send>,
}

impl std::fmt::Debug for Succeeding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Succeeding").field("tree", &self.tree).finish_non_exhaustive()
    }
}

impl Change {
    /// An empty change, answered once synced.
    pub fn new() -> Self {
        Self::default()
    }

    /// A change that is only the audit of a read. It may use a third of the disk's reserve: logins go on when enrolment
    /// cannot.
    pub fn audit_of_read() -> Self {
        Self { durability: Durability::Buffered, room: Room::TwoThirds, ..Self::default() }
    }

    /// Marks the change as part of an erasure: it may use two thirds of the disk's reserve.
    #[must_use]
    pub fn erasing(mut self) -> Self {
        self.room = Room::Third;
        self
    }

    /// Marks the change as one that a start needs: it may use all of the disk that is left.
    #[must_use]
    pub fn starting(mut self) -> Self {
        self.room = Room::Nothing;
        self
    }

    /// Ties slots to the change that first uses them: they have an owner once it is written, and are burnt
    /// if it is not, whatever becomes of who asked (rule 3).
    pub fn own(&mut self, leases: Vec<Lease>) -> &mut Self {
        self.leases.extend(leases);
        self
    }

    /// Writes a row.
    pub fn put(&mut self, key: Key, value: Vec<u8>) -> &mut Self {
        self.rows.push(Row::Put(key, value));
        self
    }

    /// Removes a row.
    pub fn delete(&mut self, key: Key) -> &mut Self {
        self.rows.push(Row::Delete(key));
        self
    }

    /// Removes all rows of a tenant but its log's, however many they are. A change that takes its place after this one and
    /// writes to the tenant is refused ([`StoreError::Shredded`]).
    pub fn drop_tenant(&mut self, tree: TreeId) -> &mut Self {
        self.rows.extend(RowKind::OF_TENANT.map(|kind| Row::DeleteTree(kind, tree)));
        self
    }

    /// Forgets which attestations a tenant used that are over before a second, in seconds since the Unix epoch.
    pub fn delete_attestations(&mut self, tree: TreeId, before: u64) -> &mut Self {
        self.rows.push(Row::DeleteAttestations(tree, before));
        self
    }

    /// Removes all rows of a kind that a tree has.
    pub fn delete_tree(&mut self, kind: RowKind, tree: TreeId) -> &mut Self {
        self.rows.push(Row::DeleteTree(kind, tree));
        self
    }

    /// Ends the log of a tree with this change: an entry of the vault's log says how long it is and what its root hash is,
    /// which nobody knows before the change takes its place in the order of all.
    pub fn close_log(
        &mut self,
        tree: TreeId,
        entry: impl FnOnce(LogEnd) -> Result<EntryDraft, StoreError> + Send + 'static,
    ) -> &mut Self {
        self.closing = Some(Closing { tree, entry: Box::new(entry) });
        self
    }

    /// Writes a row that depends on the tree that the log has with this change, whose entry in it is the tree's last: nobody
    /// knows it before the change takes its place in the order of all. By it the key of the log is succeeded.
    pub fn succeed_log(
        &mut self,
        tree: TreeId,
        row: impl FnOnce(LogEnd) -> Result<Row, StoreError> + Send + 'static,
    ) -> &mut Self {
        self.succeeding = Some(Succeeding { tree, row: Box::new(row) });
        self
    }

    /// Opens the log of a tree, before its first entry.
    pub fn open_log(&mut self, tree: TreeId, origin: Origin) -> &mut Self {
        self.logs.push((tree, origin));
        self
    }

    /// Appends to the log of a tree.
    pub fn log(&mut self, tree: TreeId, entry: EntryDraft) -> &mut Self {
        self.entries.push(Entry { tree, draft: entry, located: None });
        self
    }

    /// Appends to the log of a tree, and writes a row that depends on the entry's leaf index: it is known only
    /// when the change takes its place in the order of all.
    pub fn log_at(
        &mut self,
        tree: TreeId,
        entry: EntryDraft,
        row: impl FnOnce(u64) -> Row + Send + 'static,
    ) -> &mut Self {
        self.entries.push(Entry { tree, draft: entry, located: Some(Box::new(row)) });
        self
    }
}

/// What a committed change got.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Its place in the order of all changes. A later search or change has a higher one.
    pub sequence: u64,
    /// The leaf index of each of its log entries, in their order.
    pub leaves: Vec<u64>,
}
