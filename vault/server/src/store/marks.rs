//! Marks among the rows of a database, by which it shows that none were lost between others.
//!
//! RocksDB writes each family's rows to files of their own, and then drops the part of the write-ahead log that had them all.
//! A disk that acknowledges a sync and does nothing may lose such a file, and keep that the log was dropped: what was
//! durable for years is gone, of one family or of all, and newer rows are there. RocksDB opens that, and what was never
//! read is not missed.
//!
//! So batches are numbered, and each puts a mark with its number into every family, and removes the mark of the batch before
//! it. A batch that is lost leaves the mark that it removed; the last ones that are lost leave one that is older than those of the
//! other families; and the first one puts a mark that is never removed.

use std::fmt;
use std::path::Path;

use super::StoreError;
use super::db::{Database, Reach};
use super::keys::{Key, RowKind};

type Mark = fn(u64) -> Key;

/// What a mark is in each family.
const FAMILIES: [(RowKind, Mark); 3] = [
    (RowKind::TreeMark, |number| Key::TreeMark { number }),
    (RowKind::RowsMark, |number| Key::RowsMark { number }),
    (RowKind::LogMark, |number| Key::LogMark { number }),
];

/// The mark that is never removed.
const FIRST: u64 = 0;

/// How far the marks are.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks {
    /// The number of the newest batch; 0 if there was none.
    newest: u64,
}

/// What a batch does to the marks.
#[derive(Default)]
pub(super) struct Marked {
    pub(super) put: Vec<Key>,
    /// Each was put once.
    pub(super) removed: Vec<Key>,
}

/// The families that lost rows between others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// Keys' pages, intents, epochs.
    pub(super) tree: bool,
    /// People, and the administration of tenants.
    pub(super) rows: bool,
    /// Logs.
    pub(super) log: bool,
}

impl Marks {
    /// Reads the marks.
    pub(super) fn read(db: &Database) -> (Self, Lost) {
        let found = FAMILIES.map(|(kind, _)| {
            let read = numbers(db, kind);
            read.inspect_err(|fault| tracing::error!(%fault, ?kind, "the marks of a family do not read")).ok()
        });
        // No batch has the last number: it is damage, and has no next one.
        let known = found.iter().flatten().flatten().filter(|number| **number < u64::MAX);
        let newest = known.copied().max().unwrap_or(FIRST);
        let expected = if newest == FIRST { Vec::new() } else { vec![FIRST, newest] };
        let [tree, rows, log] = found.map(|numbers| numbers.as_ref() != Some(&expected));
        (Self { newest }, Lost { tree, rows, log })
    }

    /// The next batch.
    pub(super) fn next(self) -> (Self, Marked) {
        let newest = self.newest + 1;
        let mut marked = Marked::default();
        for (_, mark) in FAMILIES {
            if self.newest == FIRST {
                marked.put.push(mark(FIRST));
            } else {
                marked.removed.push(mark(self.newest));
            }
            marked.put.push(mark(newest));
        }
        (Self { newest }, marked)
    }

    /// The next batch, after which a database that lost rows is whole.
    pub(super) fn anew(self, db: &Database) -> Result<(Self, Marked), StoreError> {
        let newest = self.newest + 1;
        let mut marked = Marked::default();
        for (kind, mark) in FAMILIES {
            marked.removed.extend(numbers(db, kind)?.into_iter().filter(|number| *number != FIRST).map(mark));
            marked.put.extend([mark(FIRST), mark(newest)]);
        }
        Ok((Self { newest }, marked))
    }
}

/// The marks of a family, in order.
fn numbers(db: &Database, kind: RowKind) -> Result<Vec<u64>, StoreError> {
    let mut numbers = Vec::new();
    db.scan(kind, &Key::prefix(kind), Reach::Short, |key, _| {
        if let Key::TreeMark { number } | Key::RowsMark { number } | Key::LogMark { number } = key {
            numbers.push(number);
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(numbers)
}

impl Lost {
    /// Did any of them?
    pub(super) const fn any(self) -> bool {
        self.tree || self.rows || self.log
    }

    /// # Errors
    /// `NotWhole` if anything is lost.
    pub(super) fn expect_none(self, path: &Path) -> Result<(), StoreError> {
        if self.any() { Err(StoreError::NotWhole { path: path.to_owned(), lost: self, way_out: "" }) } else { Ok(()) }
    }

    /// What can be done where a vault's own database lost this.
    pub(super) const fn way_out(self) -> &'static str {
        if self.rows {
            ". Move that folder away and run `lethe restore` with a backup; where there is none, `lethe restore \
             --accept-loss` goes on with what is left"
        } else {
            "; `lethe restore` takes them from the mirror"
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let families = [(self.tree, "the key tree"), (self.rows, "people and tenants"), (self.log, "the logs")];
        let lost: Vec<_> = families.into_iter().filter_map(|(lost, name)| lost.then_some(name)).collect();
        f.write_str(&lost.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    use lethe_crypto::tree::{SlotRef, TreeId};
    use rocksdb::{ColumnFamily, DB, Options};
    use tempfile::TempDir;

    use super::*;
    use crate::store::change::Row;

    const TREE: (&str, u8) = ("tree", 0x0f);
    const ROWS: (&str, u8) = ("rows", 0x1f);
    const LOG: (&str, u8) = ("log", 0x3f);
    /// Batches of a run.
    const BATCHES: u64 = 20;

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
            write(&path, run * BATCHES..(run + 1) * BATCHES);
        }
        (folder, path)
    }

    fn write(path: &Path, batches: std::ops::Range<u64>) {
        let db = Database::open_small(path).unwrap();
        for number in batches {
            db.write(&[&batch(number)]).unwrap();
        }
        db.sync().unwrap();
    }

    /// What becomes of the marks of a family, by RocksDB alone.
    type Loss<'a> = &'a dyn Fn(&DB, &ColumnFamily, u8);

    fn forge(path: &Path, (family, kind): (&str, u8), change: Loss<'_>) {
        let options = Options::default();
        let families = DB::list_cf(&options, path).unwrap();
        let db = DB::open_cf(&options, path, families).unwrap();
        change(&db, db.cf_handle(family).unwrap(), kind);
        db.flush_wal(true).unwrap();
    }

    fn mark(kind: u8, number: u64) -> Vec<u8> {
        [&[kind][..], &number.to_be_bytes()].concat()
    }

    fn marks(path: &Path) -> Vec<Vec<u64>> {
        let db = Database::read_only(path).unwrap();
        FAMILIES.iter().map(|(kind, _)| numbers(&db, *kind).unwrap()).collect()
    }

    /// The newest of the files whose names begin or end so.
    fn newest(path: &Path, is: impl Fn(&str) -> bool) -> PathBuf {
        let names = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        path.join(names.filter(|name| is(name)).max().unwrap())
    }

    /// A copy in which a file ends there.
    fn cut(path: &Path, file: &Path, length: u64) -> TempDir {
        let copied = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copied.path().join(entry.file_name())).unwrap();
        }
        let file = copied.path().join(file.file_name().unwrap());
        fs::File::options().write(true).open(file).unwrap().set_len(length).unwrap();
        copied
    }

    #[test]
    fn each_family_has_the_first_mark_and_the_newest() {
        let (folder, path) = database();
        // The first batch of all names the format.
        let newest = 1 + 2 * BATCHES;
        assert_eq!(marks(&path), vec![vec![FIRST, newest]; 3]);
        let db = Database::open_small(&path).unwrap();
        let kept = folder.path().join("kept");
        db.keep_as(&kept).unwrap();
        db.write(&[&batch(100)]).unwrap();
        drop(db);
        assert_eq!(marks(&kept), vec![vec![FIRST, newest]; 3]);
        assert_eq!(marks(&path), vec![vec![FIRST, newest + 1]; 3]);
        // What was written before there were marks has none.
        for family in [TREE, ROWS, LOG] {
            forge(&path, family, &|db, family, kind| {
                for number in [FIRST, newest + 1] {
                    db.delete_cf(family, mark(kind, number)).unwrap();
                }
            });
        }
        Database::open_small(&path).unwrap().write(&[&batch(101)]).unwrap();
        assert_eq!(marks(&path), vec![vec![FIRST, 1]; 3]);
    }

    /// A mirror tells by it that nothing was lost at the end.
    #[test]
    fn the_sequence_outlasts_the_write_ahead_log() {
        let (_folder, path) = database();
        let db = Database::open_there(&path).unwrap();
        let sequence = db.write(&[&batch(100)]).unwrap();
        drop(db);
        for _ in 0..3 {
            assert_eq!(Database::open_there(&path).unwrap().sequence(), sequence);
        }
    }

    #[test]
    fn what_lacks_rows_of_one_family_or_of_all_is_not_opened() {
        let newest = 1 + 2 * BATCHES;
        // Batches in the middle, which took the mark before them along; the last ones; the first ones; all.
        let middle = move |db: &DB, family: &ColumnFamily, kind| db.put_cf(family, mark(kind, 7), []).unwrap();
        let last = move |db: &DB, family: &ColumnFamily, kind| {
            db.delete_cf(family, mark(kind, newest)).unwrap();
            db.put_cf(family, mark(kind, newest - 3), []).unwrap();
        };
        let first = |db: &DB, family: &ColumnFamily, kind| db.delete_cf(family, mark(kind, FIRST)).unwrap();
        let every = move |db: &DB, family: &ColumnFamily, kind| {
            db.delete_cf(family, mark(kind, FIRST)).unwrap();
            db.delete_cf(family, mark(kind, newest)).unwrap();
        };
        let all = [TREE, ROWS, LOG];
        let cases: [(&[(&str, u8)], Loss<'_>); 9] = [
            (&[ROWS], &middle),
            (&[TREE], &middle),
            (&all, &middle),
            (&[LOG], &last),
            (&[TREE, ROWS], &last),
            (&[ROWS], &first),
            (&all, &first),
            (&[LOG], &every),
            (&[TREE, LOG], &every),
        ];
        for (place, (families, how)) in cases.into_iter().enumerate() {
            let (_folder, path) = database();
            families.iter().for_each(|family| forge(&path, *family, how));
            let opened = [Database::open_small(&path), Database::open_there(&path), Database::open(&path, 1 << 20)];
            for fault in opened.map(Result::err) {
                assert!(matches!(fault, Some(StoreError::NotWhole { .. })), "case {place}: {fault:?}");
            }
            let db = Database::open_remains(&path).unwrap();
            let is = |family| families.contains(&family);
            assert_eq!(db.lost(), Lost { tree: is(TREE), rows: is(ROWS), log: is(LOG) }, "case {place}");
            // Whoever gives up what was lost makes it whole.
            db.write_anew(&[&batch(200)]).unwrap();
            drop(db);
            write(&path, 201..220);
            assert!(Database::open_there(&path).unwrap().get(batch(200)[0].key().unwrap()).unwrap().is_some());
        }
    }

    /// A power cut may take any end of the write-ahead log, and what is before it stays whole.
    #[test]
    fn what_ends_anywhere_in_the_log_is_whole() {
        let (_folder, path) = database();
        let log = newest(&path, |name| name.ends_with(".log"));
        let length = fs::metadata(&log).unwrap().len();
        assert!(length > 60_000, "the last run is in the log");
        for end in (0..=length).step_by(997) {
            let cut = cut(&path, &log, end);
            Database::open_there(cut.path()).unwrap_or_else(|fault| panic!("cut at {end}: {fault}"));
        }
    }

    /// A start writes what was in the log to a table for each family, says so in the manifest, and removes the log. A disk may
    /// have lost any end of the manifest, and kept that the log is gone. What is opened then is as it was at some moment.
    #[test]
    fn what_a_start_lost_of_the_manifest_is_told() {
        for more in [0, BATCHES] {
            let (_folder, path) = database();
            let batches = 2 * BATCHES + more;
            write(&path, 2 * BATCHES..batches);
            let manifest = newest(&path, |name| name.starts_with("MANIFEST"));
            let (mut told, mut moments) = (BTreeSet::new(), BTreeSet::new());
            for end in 0..=fs::metadata(&manifest).unwrap().len() {
                let cut = cut(&path, &manifest, end);
                match Database::open_there(cut.path()) {
                    Ok(db) => {
                        let rows = (0..batches).flat_map(batch);
                        let there: Vec<bool> = rows.map(|row| db.get(row.key().unwrap()).unwrap().is_some()).collect();
                        assert!(there.is_sorted_by(|earlier, later| earlier >= later), "cut at {end}: {there:?}");
                        moments.insert(there.iter().filter(|is| **is).count());
                    }
                    Err(StoreError::NotWhole { lost, .. }) => drop(told.insert(lost.to_string())),
                    // RocksDB notices.
                    Err(StoreError::Open { .. }) => {}
                    Err(other) => panic!("cut at {end}: {other}"),
                }
            }
            println!("{told:?}, {moments:?}");
            assert!(moments.contains(&(3 * usize::try_from(batches).unwrap())), "the whole manifest is enough");
            assert!(told.contains("people and tenants, the logs"), "{told:?}");
        }
    }
}
