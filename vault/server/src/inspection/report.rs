//! What was found. It names slots, receipts and roots, which are no secret to who holds the disk, and nobody.

use serde::Serialize;

/// What a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FolderKind {
    /// A data directory.
    Vault,
    /// A mirror.
    Mirror,
    /// A backup in a folder of them.
    Backup,
    /// A database by itself.
    Database,
}

/// What was found in a folder.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// What it is.
    pub kind: FolderKind,
    /// The folder.
    pub path: String,
    /// Nothing is damaged, and if roots were tried, they open everything that is to open.
    pub sound: bool,
    /// Which backup, if it is one.
    pub backup: Option<BackupPart>,
    /// Version of the format on the disk.
    pub format: Option<u32>,
    /// The vault's id.
    pub vault: Option<String>,
    /// The last run that claimed the root store.
    pub incarnation: Option<String>,
    /// A run that was about to.
    pub claiming: Option<String>,
    /// The committed epoch.
    pub epoch: Option<EpochPart>,
    /// The epoch before, if its root must still be destroyed: erasures wait for that.
    pub retiring: Option<EpochPart>,
    /// How far a restore is that has not ended.
    pub restoring: Option<&'static str>,
    /// What every receipt says that nobody can promise, of all root stores and runs up to now; codes.
    pub statements: Vec<String>,
    /// The newest change, by RocksDB's count.
    pub sequence: u64,
    /// Why the write-ahead log does not read to its end: a crash tore it, or it is damaged. A start leaves out what lies
    /// behind.
    pub torn_log: Option<String>,
    /// Of a mirror: which, and how far it has followed.
    pub position: Option<PositionPart>,
    /// The mirrors that the vault has.
    pub mirrors: Vec<MirrorPart>,
    /// Files of the database, and their bytes.
    pub files: usize,
    /// Bytes of those files.
    pub bytes: u64,
    /// Rows of each kind that there are.
    pub rows: Vec<RowsPart>,
    /// The vault's own tree, and one for each tenant.
    pub trees: Vec<TreePart>,
    /// Erasures that are accepted and not committed.
    pub intents: Vec<IntentPart>,
    /// What the roots open, if they were tried.
    pub roots: Option<RootsPart>,
    /// Everything that is not as it must be.
    pub damage: Vec<Damage>,
}

/// Which backup.
#[derive(Debug, Clone, Serialize)]
pub struct BackupPart {
    /// Its number.
    pub number: u32,
    /// All numbers in the folder.
    pub of: Vec<u32>,
    /// When it was made, in seconds since 1970 UTC.
    pub made_at: i64,
    /// How many files it has.
    pub files: usize,
    /// Bytes of those that are there.
    pub bytes: u64,
    /// Those that are not.
    pub missing: Vec<String>,
    /// The vault whose backups the folder has, by what stands beside them.
    pub folder_of_vault: Option<String>,
}

/// An epoch.
#[derive(Debug, Serialize)]
pub struct EpochPart {
    /// Its number.
    pub number: u64,
    /// The root that it needs.
    pub root: String,
}

/// How far a mirror is.
#[derive(Debug, Serialize)]
pub struct PositionPart {
    /// Which mirror.
    pub mirror: String,
    /// The sequence of its vault's database that it has followed.
    pub followed: u64,
    /// Not in the middle of a copy.
    pub whole: bool,
}

/// A mirror, by the vault's rows.
#[derive(Debug, Serialize)]
pub struct MirrorPart {
    /// Its name.
    pub id: String,
    /// Where it was when it was added.
    pub path: String,
}

/// Rows of a kind.
#[derive(Debug, Clone, Serialize)]
pub struct RowsPart {
    /// The kind, as the format numbers it.
    pub kind: String,
    /// What it is called.
    pub name: &'static str,
    /// How many.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// A tree and its log.
#[derive(Debug, Default, Serialize)]
pub struct TreePart {
    /// `vault`, or slot and generation of the tenant.
    pub tree: String,
    /// The tenant's id, if its row could be opened.
    pub tenant: Option<String>,
    /// The first slot that was never reserved.
    pub high_water: Option<u64>,
    /// Written pages.
    pub pages: u64,
    /// People.
    pub subjects: u64,
    /// Their templates.
    pub templates: u64,
    /// Sketches of those.
    pub sketches: u64,
    /// Templates as they were counted when they were written.
    pub counted: u64,
    /// API keys, revoked ones too.
    pub credentials: u64,
    /// Model profiles.
    pub profiles: u64,
    /// The log's name, and that of its key.
    pub origin: Option<String>,
    /// Entries of the log.
    pub entries: u64,
    /// Erasures, by how far they are.
    pub erasures: ErasuresPart,
}

/// Erasures, by how far they are.
#[derive(Debug, Default, Serialize)]
pub struct ErasuresPart {
    /// Accepted, in no epoch yet.
    pub accepted: u64,
    /// Their epoch is committed; the root before it is not on record as destroyed.
    pub committed: u64,
    /// Final.
    pub shredded: u64,
}

/// An erasure that is accepted and not committed.
#[derive(Debug, Serialize)]
pub struct IntentPart {
    /// The tree.
    pub tree: String,
    /// Its receipt.
    pub receipt: String,
    /// `subject` or `template`.
    pub scope: String,
    /// How many keys must go.
    pub slots: usize,
    /// When it was accepted, in milliseconds since 1970 UTC.
    pub accepted_at: i64,
}

/// What the roots open.
#[derive(Debug, Default, Serialize)]
pub struct RootsPart {
    /// The kinds of store that were asked.
    pub stores: Vec<&'static str>,
    /// Roots that they hold, and what each is good for.
    pub held: Vec<HeldPart>,
    /// The store is claimed for the last run of this very data.
    pub claimed: bool,
    /// The epoch's root opens the vault key.
    pub opens: bool,
    /// Why not.
    pub fault: Option<String>,
    /// Written pages in the database.
    pub pages: u64,
    /// Those that the epoch's root leads to, and that open.
    pub pages_reachable: u64,
    /// Those that nothing leads to: superseded, and to be deleted with their epoch's end.
    pub pages_left_over: u64,
    /// Sealed rows that open.
    pub rows_open: u64,
    /// Sealed rows whose keys were erased.
    pub rows_erased: u64,
    /// Sealed rows that do not open although their keys are there.
    pub rows_damaged: u64,
}

/// A root that a store holds.
#[derive(Debug, Serialize)]
pub struct HeldPart {
    /// The root.
    pub root: String,
    /// `current`, `retiring`, or `unknown` to this database.
    pub epoch: &'static str,
    /// Pages that it leads to; null where this database cannot tell.
    pub pages: Option<u64>,
    /// Why it cannot.
    pub untold: Option<&'static str>,
    /// Those pages, by tree and level.
    pub reach: Vec<ReachPart>,
}

/// Pages of one level of a tree.
#[derive(Debug, Serialize)]
pub struct ReachPart {
    /// The tree.
    pub tree: String,
    /// Height of the subtree that they are in; 0 for the tree's head page.
    pub height: u8,
    /// Their level; entries of level 0 are slots.
    pub level: u8,
    /// Them.
    pub pages: Vec<PagePart>,
}

/// A written page.
#[derive(Debug, Serialize)]
pub struct PagePart {
    /// Its index on its level.
    pub index: u64,
    /// The epoch that wrote it.
    pub epoch: u64,
}

/// Something that is not as it must be.
#[derive(Debug, Clone, Serialize)]
pub struct Damage {
    /// The row's key, hexadecimal, where it is a row; or the last one before what does not read.
    pub row: Option<String>,
    /// What kind of row it is.
    pub kind: Option<&'static str>,
    /// What is wrong.
    pub fault: String,
    /// What that means, and the way out.
    pub meaning: String,
}
