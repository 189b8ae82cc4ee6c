//! Marks among the rows of a database, by which it shows that none were lost between others.
//!
//! RocksDB writes each family's rows to files of their own, and then drops the part of the write-ahead log that had them all.
//! A disk that acknowledges a sync and does nothing may lose such a file, and keep that the log was dropped: what was
//! durable for years is gone, of one family or of all, and newer rows are there. RocksDB opens that, and what was never
//! read is not missed. So every stretch of the log has a mark in each family, numbered without a gap; a database in which one
//! is missing is not opened.

use std::path::Path;

use super::StoreError;
use super::change::Row;
use super::db::{Database, Reach};
use super::keys::{Key, RowKind};

/// Bytes of rows after which there is another mark. A part of the log that is dropped is far longer, or begins where one is
/// due.
const STRIDE: usize = if cfg!(test) { 16 << 10 } else { 1 << 20 };

type Mark = fn(u64) -> Key;

/// What a mark is in each family.
const FAMILIES: [(RowKind, Mark); 3] = [
    (RowKind::TreeMark, |number| Key::TreeMark { number }),
    (RowKind::RowsMark, |number| Key::RowsMark { number }),
    (RowKind::LogMark, |number| Key::LogMark { number }),
];

/// Where the next mark goes.
#[derive(Default)]
pub(super) struct Marks {
    next: u64,
    /// Bytes of rows since the last one.
    since: usize,
}

/// What a database lacks, by its marks.
pub(super) struct Missing(Vec<Row>);

impl Marks {
    /// Reads the marks. The next change has one: it is the first of a new part of the log.
    pub(super) fn read(db: &Database) -> Result<(Self, Missing), StoreError> {
        let mut found = Vec::with_capacity(FAMILIES.len());
        for (kind, _) in FAMILIES {
            let mut numbers = Vec::new();
            db.scan(kind, &Key::prefix(kind), Reach::Long, |key, _| {
                numbers.extend(number(&key));
                Ok::<_, StoreError>(())
            })?;
            found.push(numbers);
        }
        let next = found.iter().filter_map(|numbers| numbers.last()).max().map_or(0, |last| last + 1);
        let mut missing = Vec::new();
        for ((_, mark), numbers) in FAMILIES.into_iter().zip(&found) {
            let mut numbers = numbers.iter().copied().peekable();
            let lacks = |expected: &u64| numbers.next_if_eq(expected).is_none();
            missing.extend((0..next).filter(lacks).map(|number| put(mark(number))));
        }
        Ok((Self { next, since: STRIDE }, Missing(missing)))
    }

    /// The marks that go with a batch of rows, if any do.
    pub(super) fn due(&self, rows: &[&[Row]]) -> Option<[Row; 3]> {
        let is_due = self.since.saturating_add(bytes(rows)) >= STRIDE;
        is_due.then(|| FAMILIES.map(|(_, mark)| put(mark(self.next))))
    }

    /// The batch is written.
    pub(super) fn passed(&mut self, rows: &[&[Row]], marked: bool) {
        if marked {
            (self.next, self.since) = (self.next + 1, 0);
        } else {
            self.since = self.since.saturating_add(bytes(rows));
        }
    }

    /// RocksDB begins a new part of the log.
    pub(super) fn renew(&mut self) {
        self.since = STRIDE;
    }
}

impl Missing {
    /// Is nothing missing?
    pub(super) const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// # Errors
    /// `NotWhole` if anything is missing.
    pub(super) fn expect_none(&self, path: &Path) -> Result<(), StoreError> {
        match self.0.len() {
            0 => Ok(()),
            marks => Err(StoreError::NotWhole { path: path.to_owned(), marks }),
        }
    }

    /// The marks, for a database from which everything else is removed that needs what was lost with them.
    pub(super) fn into_rows(self) -> Vec<Row> {
        self.0
    }
}

const fn put(mark: Key) -> Row {
    Row::Put(mark, Vec::new())
}

#[allow(clippy::wildcard_enum_match_arm, reason = "no other row is a mark")]
const fn number(key: &Key) -> Option<u64> {
    match key {
        Key::TreeMark { number } | Key::RowsMark { number } | Key::LogMark { number } => Some(*number),
        _ => None,
    }
}

fn bytes(rows: &[&[Row]]) -> usize {
    rows.iter().copied().flatten().map(Row::size).sum()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use lethe_crypto::tree::{SlotRef, TreeId};
    use rocksdb::{DB, IteratorMode, Options};
    use tempfile::TempDir;

    use super::*;

    /// Rows of every family.
    fn batch(number: u64) -> Vec<Row> {
        let (tree, subject) = (TreeId::VAULT, SlotRef { slot: number, generation: 0 });
        vec![
            Row::Put(Key::EpochEnd { number }, vec![1; 1000]),
            Row::Put(Key::Subject { tree, subject }, vec![2; 1000]),
            Row::Put(Key::LogEntry { tree, index: number }, vec![3; 1000]),
        ]
    }

    /// A database that was opened twice, and written to for some strides.
    fn database() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        for run in 0..2 {
            let db = Database::open_small(&path).unwrap();
            for number in 0..20 {
                db.write(&[&batch(run * 20 + number)]).unwrap();
            }
            db.sync().unwrap();
        }
        (folder, path)
    }

    /// Removes these marks with the rows of their families that were written then.
    fn lose(path: &Path, lost: &[(&str, u8, u64)]) {
        let options = Options::default();
        let families = DB::list_cf(&options, path).unwrap();
        let db = DB::open_cf(&options, path, families).unwrap();
        for (family, kind, number) in lost {
            let mark = [&[*kind][..], &number.to_be_bytes()].concat();
            let family = db.cf_handle(family).unwrap();
            assert!(db.get_cf(family, &mark).unwrap().is_some(), "there is no mark {kind:02x} {number}");
            db.delete_cf(family, mark).unwrap();
        }
        db.flush_wal(true).unwrap();
    }

    fn marks(path: &Path) -> usize {
        let options = Options::default();
        let db = DB::open_cf_for_read_only(&options, path, ["rows"], false).unwrap();
        let rows = db.iterator_cf(db.cf_handle("rows").unwrap(), IteratorMode::Start).map(|row| row.unwrap());
        rows.filter(|(key, _)| key[0] == 0x1f).count()
    }

    #[test]
    fn every_run_and_every_stride_has_a_mark() {
        let (_folder, path) = database();
        // Each run writes 60 rows of some 1,064 bytes: three strides, and the mark with its first batch.
        assert_eq!(marks(&path), 2 * (1 + 3));
        let db = Database::open_small(&path).unwrap();
        db.keep_as(&path.join("kept")).unwrap();
        db.write(&[&batch(100)]).unwrap();
        db.write(&[&batch(101)]).unwrap();
        drop(db);
        assert_eq!(marks(&path), 9, "what is written after the log was cut has a mark");
    }

    #[test]
    fn what_lacks_rows_of_one_family_or_of_all_is_not_opened() {
        let (tree, rows, log) = (("tree", 0x0f), ("rows", 0x1f), ("log", 0x3f));
        let mark = |(family, kind): (&'static str, u8), number| (family, kind, number);
        let cases = [
            vec![mark(rows, 2)],
            vec![mark(tree, 0)],
            vec![mark(log, 7)],
            // The end of two families, as the third goes on.
            vec![mark(tree, 7), mark(rows, 7)],
            vec![mark(tree, 3), mark(rows, 3), mark(log, 3)],
        ];
        for lost in cases {
            let (_folder, path) = database();
            lose(&path, &lost);
            let opened = [Database::open_small(&path), Database::open_there(&path), Database::open(&path, 1 << 20)];
            for fault in opened.map(Result::err) {
                let Some(StoreError::NotWhole { marks, .. }) = fault else { panic!("{lost:?}: {fault:?}") };
                assert_eq!(marks, lost.len());
            }
            // Whoever gives up what was lost writes its marks, and it is whole.
            let db = Database::open_remains(&path).unwrap();
            db.write(&[&db.missing().unwrap().into_rows()]).unwrap();
            drop(db);
            Database::open_there(&path).unwrap();
        }
    }

    /// A power cut may take any end of the write-ahead log, and what is before it stays whole.
    #[test]
    fn what_ends_anywhere_in_the_log_is_whole() {
        let (folder, path) = database();
        let log = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
        let log = log.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap();
        let length = fs::metadata(&log).unwrap().len();
        assert!(length > 60_000, "the last run is in the log");
        let cut = folder.path().join("cut");
        for end in (0..=length).step_by(997) {
            fs::create_dir(&cut).unwrap();
            for entry in fs::read_dir(&path).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), cut.join(entry.file_name())).unwrap();
            }
            fs::File::options().write(true).open(cut.join(log.file_name().unwrap())).unwrap().set_len(end).unwrap();
            Database::open_there(&cut).unwrap_or_else(|fault| panic!("cut at {end}: {fault}"));
            fs::remove_dir_all(&cut).unwrap();
        }
    }
}
