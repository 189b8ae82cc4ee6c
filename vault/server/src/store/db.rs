use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use lethe_crypto::BoxError;
use lethe_crypto::log::merkle::{Hash, MerkleError, NodeAddress, NodeSource};
use lethe_crypto::tree::{PageAddress, PageSource, TreeId};
use parking_lot::Mutex;
use rocksdb::backup::BackupEngine;
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, Direction, ErrorKind, IteratorMode, Options, ReadOptions, Snapshot, WriteBatch, WriteOptions,
};

use super::StoreError;
use super::change::Row;
use super::disk::make_folder;
use super::keys::{Key, RowKind};
use super::marks::{Lost, Marked, Marks};

/// The version of everything on the disk. `docs/FORMAT.md` describes it.
const FORMAT: u32 = 1;

/// Bytes of changes that are kept in memory before they go to a table file.
const WRITE_BUFFER: usize = 64 << 20;

const TREE: &str = "tree";
const ROWS: &str = "rows";
const LOG: &str = "log";

/// What can be done where a vault's own database is damaged.
const WAY_OUT: &str = "; if it is damaged, move that folder away and run `lethe restore` with a backup";

/// How many rows a scan expects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// A handful, of one subject.
    Short,
    /// All of a kind.
    Long,
}

/// What is to be opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// A whole database, or none: then one is made.
    Anything,
    /// A whole database.
    Whole,
    /// A database that may lack rows.
    Remains,
}

/// RocksDB, reached by typed keys.
pub(super) struct Database {
    db: DB,
    path: PathBuf,
    marks: Mutex<Marks>,
}

impl Database {
    /// Is there one in this folder?
    pub(super) fn exists(path: &Path) -> bool {
        path.join("CURRENT").exists()
    }

    /// Opens the database in `path`, or creates it.
    pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        Self::open_with(path, cache_bytes, WRITE_BUFFER, Expected::Anything).map_err(|fault| {
            if let StoreError::Open { path, cause, .. } = fault {
                StoreError::Open { path, way_out: WAY_OUT, cause }
            } else if let StoreError::NotWhole { path, lost, .. } = fault {
                StoreError::NotWhole { path, lost, way_out: lost.way_out() }
            } else {
                fault
            }
        })
    }

    /// Opens or creates a database that is written to far more than it is read: it needs little memory.
    pub(super) fn open_small(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, WRITE_BUFFER / 8, WRITE_BUFFER / 8, Expected::Anything)
    }

    /// The same, if it is there.
    pub(super) fn open_there(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, WRITE_BUFFER / 8, WRITE_BUFFER / 8, Expected::Whole)
    }

    /// The same, also if rows were lost between others: for who gives those up.
    pub(super) fn open_remains(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, WRITE_BUFFER / 8, WRITE_BUFFER / 8, Expected::Remains)
    }

    fn open_with(path: &Path, cache_bytes: usize, write_buffer: usize, expected: Expected) -> Result<Self, StoreError> {
        let create = expected == Expected::Anything;
        if create {
            make_folder(path).map_err(|cause| StoreError::Folder { path: path.to_owned(), cause })?;
        }
        let cache = Cache::new_lru_cache(cache_bytes);
        let families = [TREE, ROWS, LOG].map(|name| ColumnFamilyDescriptor::new(name, family(&cache, write_buffer)));
        let mut options = database();
        options.create_if_missing(create);
        let db = DB::open_cf_descriptors(&options, path, families).map_err(|cause| {
            // RocksDB has no kind of its own for it.
            let locked = ["While lock file", "lock hold by"].iter().any(|words| cause.as_ref().contains(words));
            if cause.kind() == ErrorKind::IOError && locked {
                return StoreError::InUse { path: path.to_owned() };
            }
            StoreError::Open { path: path.to_owned(), way_out: "", cause }
        })?;
        let db = Self { db, path: path.to_owned(), marks: Mutex::default() };
        let (marks, lost) = Marks::read(&db);
        *db.marks.lock() = marks;
        if expected != Expected::Remains {
            lost.expect_none(path)?;
        }
        db.check_format()?;
        Ok(db)
    }

    /// Opens a database that is there, to read only, whatever it lacks.
    pub(super) fn read_only(path: &Path) -> Result<Self, StoreError> {
        let mut options = database();
        options.create_if_missing(false);
        let db = DB::open_cf_for_read_only(&options, path, [TREE, ROWS, LOG], false)
            .map_err(|cause| StoreError::Open { path: path.to_owned(), way_out: "", cause })?;
        Ok(Self { db, path: path.to_owned(), marks: Mutex::default() })
    }

    /// Which rows were lost between others that are there.
    pub(super) fn lost(&self) -> Lost {
        Marks::read(self).1
    }

    /// # Errors
    /// `NotWhole` if rows were lost between others that are there.
    pub(super) fn expect_whole(&self) -> Result<(), StoreError> {
        self.lost().expect_none(&self.path)
    }

    /// Opens a database that is there, to see whether its write-ahead log reads to the end, which a crash may have torn.
    pub(super) fn expect_whole_log(path: &Path) -> Result<(), StoreError> {
        let mut options = database();
        options.create_if_missing(false);
        options.set_wal_recovery_mode(DBRecoveryMode::AbsoluteConsistency);
        let opened = DB::open_cf_for_read_only(&options, path, [TREE, ROWS, LOG], false);
        opened.map(drop).map_err(StoreError::database("read the write-ahead log to its end"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get_cf(self.family(key.kind()), key.encode()).map_err(StoreError::database("read a row"))
    }

    pub(super) fn multi_get(&self, kind: RowKind, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let encoded: Vec<_> = keys.iter().map(Key::encode).collect();
        let rows = self.db.batched_multi_get_cf(self.family(kind), encoded.iter().map(Vec::as_slice), false);
        rows.into_iter()
            .map(|row| row.map(|slice| slice.map(|bytes| bytes.to_vec())).map_err(StoreError::database("read rows")))
            .collect()
    }

    /// Gives every row whose key starts with `prefix`, in order.
    pub(super) fn scan<E: From<StoreError>>(
        &self,
        kind: RowKind,
        prefix: &[u8],
        reach: Reach,
        mut each: impl FnMut(Key, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let each = |key: Key, value: &[u8]| each(key, value).map(ControlFlow::Continue);
        self.scan_from(kind, prefix, prefix, reach, each)
    }

    /// The same from a key on, until it is enough.
    pub(super) fn scan_from<E: From<StoreError>>(
        &self,
        kind: RowKind,
        prefix: &[u8],
        start: &[u8],
        reach: Reach,
        mut each: impl FnMut(Key, &[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut read = ReadOptions::default();
        if reach == Reach::Long {
            // It must not push the pages of logins out of the cache.
            read.fill_cache(false);
            read.set_readahead_size(2 << 20);
        }
        if let Some(end) = end_of(prefix) {
            read.set_iterate_upper_bound(end);
        }
        // Rows are looked at where they lie: a start looks at all there are.
        let mut rows = self.db.raw_iterator_cf_opt(self.family(kind), read);
        rows.seek(start);
        while let Some((key, value)) = rows.item() {
            if each(Key::decode(key).map_err(StoreError::from)?, value)?.is_break() {
                return Ok(());
            }
            rows.next();
        }
        Ok(rows.status().map_err(StoreError::database("scan rows"))?)
    }

    /// Hands rows to the operating system in one batch; [`Self::sync`] makes them durable.
    pub(super) fn write(&self, rows: &[&[Row]]) -> Result<u64, StoreError> {
        // Held until it is written, so that batches are written in the order of their numbers.
        let mut marks = self.marks.lock();
        let (next, marked) = marks.next();
        self.write_marked(rows, &marked)?;
        *marks = next;
        Ok(self.db.latest_sequence_number())
    }

    /// The same, where rows were lost between others and are given up: from here on this is the whole database.
    pub(super) fn write_anew(&self, rows: &[&[Row]]) -> Result<u64, StoreError> {
        let mut marks = self.marks.lock();
        let (next, marked) = marks.anew(self)?;
        self.write_marked(rows, &marked)?;
        *marks = next;
        Ok(self.db.latest_sequence_number())
    }

    fn write_marked(&self, rows: &[&[Row]], marked: &Marked) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for row in rows.iter().copied().flatten() {
            let family = self.family(row.kind());
            match row {
                Row::Put(key, value) => batch.put_cf(family, key.encode(), value),
                Row::Delete(key) => batch.delete_cf(family, key.encode()),
                Row::DeleteAttestations(tree, before) => {
                    let first = Key::prefix_of_tree(RowKind::Attestation, *tree);
                    batch.delete_range_cf(family, first, Key::bound_of_attestations(*tree, *before));
                }
                Row::DeleteTree(kind, tree) => {
                    let first = Key::prefix_of_tree(*kind, *tree);
                    // No kind is 255, so there is a key after all of these.
                    if let Some(end) = end_of(&first) {
                        batch.delete_range_cf(family, first, end);
                    }
                }
            }
        }
        // RocksDB drops both when it comes by them, and keeps no trace of what was put once and is removed: not of its sequence
        // number, either, so it must not be the last one.
        for mark in &marked.removed {
            batch.single_delete_cf(self.family(mark.kind()), mark.encode());
        }
        for mark in &marked.put {
            batch.put_cf(self.family(mark.kind()), mark.encode(), []);
        }
        self.db.write_opt(batch, &WriteOptions::default()).map_err(StoreError::database("write a batch"))
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.db.flush_wal(true).map_err(StoreError::database("sync the write-ahead log"))
    }

    pub(super) fn sequence(&self) -> u64 {
        self.db.latest_sequence_number()
    }

    /// Copies the files of the database as it is at this moment. The write-ahead log goes along, so that all families are
    /// of the same moment.
    pub(super) fn back_up(&self, engine: &mut BackupEngine) -> Result<(), StoreError> {
        engine.create_new_backup(&self.db).map_err(StoreError::database("make a backup"))
    }

    /// Makes a database in `path` that is as this one is now. It shares its files, and takes no room but for what the two
    /// come to differ in.
    pub(super) fn keep_as(&self, path: &Path) -> Result<(), StoreError> {
        let kept = Checkpoint::new(&self.db).and_then(|checkpoint| checkpoint.create_checkpoint(path));
        kept.map_err(StoreError::database("keep the database as it is"))
    }

    /// What is there at this moment, however it changes meanwhile.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { database: self, snapshot: self.db.snapshot() }
    }

    fn check_format(&self) -> Result<(), StoreError> {
        match self.get(&Key::Format)? {
            None => {
                self.write(&[&[Row::Put(Key::Format, FORMAT.to_be_bytes().to_vec())]])?;
                self.sync()
            }
            Some(bytes) => {
                let bytes: [u8; 4] = bytes
                    .try_into()
                    .map_err(|_| StoreError::corrupt("format version", self.path.display().to_string()))?;
                let found = u32::from_be_bytes(bytes);
                if found == FORMAT { Ok(()) } else { Err(StoreError::Format { found, known: FORMAT }) }
            }
        }
    }

    #[allow(clippy::expect_used, reason = "every family is opened by name in `open`")]
    fn family(&self, kind: RowKind) -> &ColumnFamily {
        let name = match kind {
            RowKind::Format
            | RowKind::Epoch
            | RowKind::HighWater
            | RowKind::Page
            | RowKind::Intent
            | RowKind::EpochEnd
            | RowKind::Position
            | RowKind::Mirror
            | RowKind::Restoring
            | RowKind::Statements
            | RowKind::History
            | RowKind::TreeMark => TREE,
            RowKind::Tenant
            | RowKind::Credential
            | RowKind::Profile
            | RowKind::Receipt
            | RowKind::TenantRequest
            | RowKind::LogKey
            | RowKind::Census
            | RowKind::Shredded
            | RowKind::RowsMark
            | RowKind::Subject
            | RowKind::Template
            | RowKind::Sketch
            | RowKind::SubjectRequest
            | RowKind::Dossier
            | RowKind::Held
            | RowKind::Watchlist
            | RowKind::SigningKey
            | RowKind::Attestation
            | RowKind::WatchlistEntry
            | RowKind::Listed
            | RowKind::Evidence
            | RowKind::Request
            | RowKind::Notification
            | RowKind::Asked
            | RowKind::Proposal
            | RowKind::Disclosure
            | RowKind::Case => ROWS,
            RowKind::LogHead | RowKind::LogEntry | RowKind::LogNode | RowKind::LogSuccession | RowKind::LogMark => LOG,
        };
        self.db.cf_handle(name).expect("the column family was opened")
    }
}

/// A database as it was at one moment.
pub(super) struct Reader<'a> {
    database: &'a Database,
    snapshot: Snapshot<'a>,
}

impl<'a> Reader<'a> {
    /// The newest change that is in it.
    pub(super) fn sequence(&self) -> u64 {
        self.snapshot.sequence_number()
    }

    /// Reads every row, and counts them.
    pub(super) fn count(&self) -> Result<u64, StoreError> {
        let mut rows = 0;
        for kind in RowKind::ALL {
            for row in self.rows(kind) {
                row?;
                rows += 1;
            }
        }
        Ok(rows)
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let family = self.database.family(key.kind());
        self.snapshot.get_cf(family, key.encode()).map_err(StoreError::database("read a row"))
    }

    /// Keys and values of a kind, in order.
    pub(super) fn rows(&self, kind: RowKind) -> impl Iterator<Item = Result<RawRow, StoreError>> + '_ {
        self.rows_from(kind, &Key::prefix(kind))
    }

    /// The same, from a key on. What does not read ends it.
    pub(super) fn rows_from<'r>(
        &'r self,
        kind: RowKind,
        from: &[u8],
    ) -> impl Iterator<Item = Result<RawRow, StoreError>> + use<'r, 'a> {
        let prefix = Key::prefix(kind);
        let mut read = ReadOptions::default();
        read.fill_cache(false);
        read.set_readahead_size(2 << 20);
        if let Some(end) = end_of(&prefix) {
            read.set_iterate_upper_bound(end);
        }
        let from = IteratorMode::From(from, Direction::Forward);
        let rows = self.snapshot.iterator_cf_opt(self.database.family(kind), read, from);
        rows.map(|row| row.map_err(StoreError::database("scan rows")))
    }
}

/// A key and its value.
pub(super) type RawRow = (Box<[u8]>, Box<[u8]>);

impl PageSource for Database {
    fn page(&self, address: &PageAddress) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(self.get(&Key::Page(*address))?)
    }
}

/// The Merkle tree of one log.
pub(super) struct Nodes<'a>(pub(super) &'a Database, pub(super) TreeId);

impl NodeSource for Nodes<'_> {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        node(at, self.0.get(&Key::LogNode { tree: self.1, level: at.level, index: at.index }))
    }
}

/// The same at one moment.
pub(super) struct NodesThen<'a, 'b>(pub(super) &'a Reader<'b>, pub(super) TreeId);

impl NodeSource for NodesThen<'_, '_> {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        node(at, self.0.get(&Key::LogNode { tree: self.1, level: at.level, index: at.index }))
    }
}

fn node(at: NodeAddress, row: Result<Option<Vec<u8>>, StoreError>) -> Result<Hash, MerkleError> {
    let bytes = row.map_err(|cause| MerkleError::Store { at, cause: Box::new(cause) })?;
    let bytes = bytes.ok_or(MerkleError::Missing(at))?;
    <[u8; 32]>::try_from(bytes).map(Hash::from).map_err(|_| MerkleError::Missing(at))
}

fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(4);
    options.set_max_total_wal_size(256 << 20);
    // A torn or lost tail of the log never counts as committed, and what is before it is kept.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options
}

fn family(cache: &Cache, write_buffer: usize) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // Filters and indexes in parts, and keys in them by what they differ in: a search of many templates then finds the parts that it
    // needs in a small cache, where whole ones of all tables would take turns.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_index_block_restart_interval(16);
    table.set_block_size(16 << 10);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    // Ciphertext does not compress.
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(write_buffer);
    options
}

/// The first key after all that start with `prefix`; `None` where there is no such key.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}
