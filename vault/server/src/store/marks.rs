//! Marks among the rows of a database, by which it shows that none were lost between others.
//!
//! RocksDB writes each family's rows to files of their own, and then drops the part of the write-ahead log that had them all.
//! A disk that acknowledges a sync and does nothing may lose such a file, and keep that the log was dropped: what was
//! durable for years is gone, of one family or of all, and newer rows are there. RocksDB opens that, and what was never
//! read is not missed.
//!
//! So batches are counted, and each writes the count to the newest mark of every family. Where a stretch of the log begins,
//! or may, there is another mark, which says with which count the one before it was left. What RocksDB writes to a file at
//! once, and so may lose at once, is either long and has marks in it, or ends where another mark begins.

use std::fmt;
use std::path::Path;

use super::StoreError;
use super::change::Row;
use super::db::{Database, Reach};
use super::keys::{Key, RowKind};

/// Bytes of rows after which there is another mark: few of those that RocksDB keeps in memory before it writes them to a file.
const STRIDE: usize = if cfg!(test) { 16 << 10 } else { 1 << 20 };

type Mark = fn(u64) -> Key;

/// What a mark is in each family.
const FAMILIES: [(RowKind, Mark); 3] = [
    (RowKind::TreeMark, |number| Key::TreeMark { number }),
    (RowKind::RowsMark, |number| Key::RowsMark { number }),
    (RowKind::LogMark, |number| Key::LogMark { number }),
];

/// How far the marks are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// How many there are in each family.
    count: u64,
    /// Batches that were ever written.
    batches: u64,
    /// Of these, before the newest mark.
    before: u64,
    /// Bytes of rows since then.
    since: usize,
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
    /// Reads the marks. The next batch has another one: it is the first of a new part of the log.
    pub(super) fn read(db: &Database) -> Result<(Self, Lost), StoreError> {
        let mut found = [Chain::default(); FAMILIES.len()];
        for (chain, (kind, _)) in found.iter_mut().zip(FAMILIES) {
            db.scan(kind, &Key::prefix(kind), Reach::Long, |key, value| {
                chain.add(&key, value);
                Ok::<_, StoreError>(())
            })?;
        }
        let newest = found.iter().map(|chain| (chain.count, chain.batches)).max().unwrap_or_default();
        let [tree, rows, log] = found.map(|chain| chain.broken || (chain.count, chain.batches) != newest);
        let marks = Self { count: newest.0, batches: newest.1, before: newest.1, since: STRIDE };
        Ok((marks, Lost { tree, rows, log }))
    }

    /// How far they are once a batch of these rows is written.
    pub(super) fn after(&self, rows: &[&[Row]]) -> Self {
        let written = rows.iter().copied().flatten().map(Row::size).sum();
        let (since, batches) = (self.since.saturating_add(written), self.batches + 1);
        if self.count == 0 || since >= STRIDE {
            Self { count: self.count + 1, batches, before: self.batches, since: 0 }
        } else {
            Self { since, batches, ..*self }
        }
    }

    /// The newest mark in each family: rows of the batch that brought them here.
    pub(super) fn newest(&self) -> [Row; 3] {
        let value = [self.batches.to_be_bytes(), self.before.to_be_bytes()].concat();
        FAMILIES.map(|(_, mark)| Row::Put(mark(self.count.saturating_sub(1)), value.clone()))
    }

    /// RocksDB has begun a new part of the log.
    pub(super) fn renew(&mut self) {
        self.since = STRIDE;
    }

    /// Removes all marks, so that they begin anew.
    pub(super) fn removed(db: &Database) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for (kind, _) in FAMILIES {
            db.scan(kind, &Key::prefix(kind), Reach::Long, |key, _| {
                rows.push(Row::Delete(key));
                Ok::<_, StoreError>(())
            })?;
        }
        Ok(rows)
    }
}

/// The marks of a family, as they are read.
#[derive(Clone, Copy, Default)]
struct Chain {
    count: u64,
    batches: u64,
    broken: bool,
}

impl Chain {
    fn add(&mut self, key: &Key, value: &[u8]) {
        let number = number(key).filter(|number| *number < u64::MAX);
        let (Some(number), Some((batches, before))) = (number, counts(value)) else {
            self.broken = true;
            return;
        };
        self.broken |= number != self.count || before != self.batches || batches <= before;
        (self.count, self.batches) = (number + 1, batches);
    }
}

impl Lost {
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

#[allow(clippy::wildcard_enum_match_arm, reason = "no other row is a mark")]
const fn number(key: &Key) -> Option<u64> {
    match key {
        Key::TreeMark { number } | Key::RowsMark { number } | Key::LogMark { number } => Some(*number),
        _ => None,
    }
}

/// Batches up to the last one that wrote a mark, and batches before it.
fn counts(value: &[u8]) -> Option<(u64, u64)> {
    let (batches, before) = value.split_first_chunk()?;
    Some((u64::from_be_bytes(*batches), u64::from_be_bytes(before.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::PathBuf;

    use lethe_crypto::tree::{SlotRef, TreeId};
    use rocksdb::{DB, IteratorMode, Options};
    use tempfile::TempDir;

    use super::*;

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

    /// What a change by RocksDB alone makes of marks.
    type Forge = Box<dyn Fn(&[u8]) -> Option<Vec<u8>>>;

    fn forge(path: &Path, (family, kind): (&str, u8), number: u64, forge: &Forge) {
        let options = Options::default();
        let families = DB::list_cf(&options, path).unwrap();
        let db = DB::open_cf(&options, path, families).unwrap();
        let mark = [&[kind][..], &number.to_be_bytes()].concat();
        let family = db.cf_handle(family).unwrap();
        let was = db.get_cf(family, &mark).unwrap().expect("there is such a mark");
        match forge(&was) {
            Some(value) => db.put_cf(family, mark, value).unwrap(),
            None => db.delete_cf(family, mark).unwrap(),
        }
        db.flush_wal(true).unwrap();
    }

    fn marks(path: &Path) -> usize {
        let options = Options::default();
        let db = DB::open_cf_for_read_only(&options, path, ["rows"], false).unwrap();
        let rows = db.iterator_cf(db.cf_handle("rows").unwrap(), IteratorMode::Start).map(|row| row.unwrap());
        rows.filter(|(key, _)| key[0] == ROWS.1).count()
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
    fn every_run_and_every_stride_has_a_mark() {
        let (_folder, path) = database();
        // Each run writes 60 rows of some 1,064 bytes: three strides, and the mark with its first batch.
        assert_eq!(marks(&path), 2 * (1 + 3));
        let db = Database::open_small(&path).unwrap();
        db.keep_as(&path.join("kept")).unwrap();
        assert_eq!(marks(&path.join("kept")), 8);
        db.write(&[&batch(100)]).unwrap();
        db.write(&[&batch(101)]).unwrap();
        drop(db);
        assert_eq!(marks(&path), 9, "what is written after the log was cut has a mark");
    }

    #[test]
    fn what_lacks_rows_of_one_family_or_of_all_is_not_opened() {
        let nothing: Forge = Box::new(|_| None);
        // As it was a batch earlier.
        let older: Forge = Box::new(|was| {
            let (batches, before) = counts(was).unwrap();
            Some([(batches - 1).to_be_bytes(), before.to_be_bytes()].concat())
        });
        let short: Forge = Box::new(|was| Some(was[1..].to_vec()));
        let all = [TREE, ROWS, LOG];
        let cases = [
            (&[ROWS][..], 2, &nothing),
            (&[TREE], 0, &nothing),
            (&[LOG], 7, &nothing),
            // Two families ended as the third went on.
            (&[TREE, ROWS], 7, &nothing),
            (&all, 3, &nothing),
            // A stretch that had no mark of its own.
            (&[ROWS], 3, &older),
            (&[LOG], 7, &older),
            (&all, 3, &older),
            (&[TREE], 5, &short),
        ];
        for (families, number, how) in cases {
            let (_folder, path) = database();
            families.iter().for_each(|family| forge(&path, *family, number, how));
            let opened = [Database::open_small(&path), Database::open_there(&path), Database::open(&path, 1 << 20)];
            for fault in opened.map(Result::err) {
                assert!(matches!(fault, Some(StoreError::NotWhole { .. })), "{families:?} {number}: {fault:?}");
            }
            let db = Database::open_remains(&path).unwrap();
            let lost = db.lost().unwrap();
            let is = |family| families.contains(&family);
            assert_eq!(lost, Lost { tree: is(TREE), rows: is(ROWS), log: is(LOG) });
            // Whoever gives up what was lost has the marks begin anew, and it is whole.
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
