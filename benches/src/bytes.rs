//! Where the bytes go that an erasure has the vault send to storage: by file, and by kind of row.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lethe_dataset::Population;
use lethe_rows::keys::{Key, RowKind};
use rocksdb::{DB, Options, WriteBatchIteratorCf};
use tempfile::TempDir;

use crate::Error;
use crate::host::{self, Host};
use crate::leaving::{Leaving, settle};
use crate::vault::Vault;

/// Callers at once, how many each erases, and `erasure.window_ms` if so many do not arrive within the default. The fewer
/// share an epoch, the more epochs are looked at.
const CROWDS: [(u64, u64, Option<u64>); 3] = [(1, 100, None), (100, 10, None), (1000, 2, Some(400))];
/// Callers that go ahead of a crowd: the vault waits for company once it had some.
const VANGUARD: u64 = 8;
/// What an epoch writes to the root store's file: a root, made and marked as used, and one overwritten twice.
const ROOT_BLOCKS: f64 = 4.0;
const BLOCK: f64 = 4096.0;

/// What one erasure has written, on average of a crowd.
struct Column {
    heading: String,
    per_epoch: f64,
    /// As the system counts: in blocks.
    counted: f64,
    logs: [f64; 2],
    roots: f64,
    others: f64,
    tables: [f64; 2],
    rows: BTreeMap<&'static str, (f64, f64)>,
}

/// Measures with `n` people in the gallery, and gives a page of tables.
///
/// # Errors
/// What the vault gives; [`Error::RocksDb`] if its write-ahead log cannot be read.
pub async fn measure(scratch: &Path, population: &Population, n: u64) -> Result<String, Error> {
    let needed: u64 = CROWDS.iter().map(|(callers, each, _)| callers * each + VANGUARD).sum();
    if n < needed {
        return Err(Error::invalid(format!("{needed} people are erased, so the size is at least that")));
    }
    let mut vault = Vault::of(scratch, population, 2, n).await?;
    let next = Cell::new(0);
    let mut columns = Vec::new();
    for (callers, each, window) in CROWDS {
        // A start brings to tables what was only in the log, so each crowd begins with an empty one.
        vault = match window {
            None => vault.restart().await?,
            Some(window) => vault.restart_with_window(window).await?,
        };
        let people = callers * each;
        let leaving = Leaving { vault: &vault, people: n, next: &next };
        if callers > 1 {
            leaving.at_once(VANGUARD, 1).await?;
        }
        settle(vault.child().process()).await?;
        let (before, sequence) = (Files::of(&vault.folder())?, latest(&vault.folder().join("db"), scratch)?);
        if callers > 1 {
            // Again, as settling took longer than the vault remembers; they are too few to change an average much.
            leaving.at_once(VANGUARD, 1).await?;
        }
        let erased = leaving.at_once(callers, each).await?;
        settle(vault.child().process()).await?;
        let after = Files::of(&vault.folder())?;
        let rows = rows_since(&vault.folder().join("db"), scratch, sequence)?;
        let per_epoch = leaving.share_of_epochs(erased.receipts).await?;
        // The next start flushes what this run has logged.
        vault = vault.restart().await?;
        settle(vault.child().process()).await?;
        let flushed = Files::of(&vault.folder())?;
        let vanguard = if callers > 1 { VANGUARD } else { 0 };
        let many = (people + vanguard) as f64;
        let grown = after.since(&before);
        columns.push(Column {
            heading: if callers == 1 { "alone".to_owned() } else { format!("{callers} callers") },
            per_epoch,
            counted: erased.bytes,
            logs: [grown.logs[0] / many, grown.logs[1] / many],
            roots: ROOT_BLOCKS * BLOCK / per_epoch,
            others: grown.others / many,
            tables: flushed.since(&after).tables.map(|bytes| bytes / many),
            rows: rows.into_iter().map(|(name, (rows, bytes))| (name, (rows / many, bytes / many))).collect(),
        });
    }
    Ok(page(n, &columns))
}

/// Lengths of a vault's files.
struct Files(BTreeMap<PathBuf, u64>);

/// How much they have grown: write-ahead logs and tables of the database and of its mirror, and whatever else.
#[derive(Default)]
struct Growth {
    logs: [f64; 2],
    tables: [f64; 2],
    others: f64,
}

impl Files {
    fn of(folder: &Path) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        host::each_file(folder, &mut |path| {
            // One may be removed while we look.
            files.insert(path.to_owned(), std::fs::metadata(path).map_or(0, |metadata| metadata.len()));
            Ok(())
        })?;
        Ok(Self(files))
    }

    fn since(&self, before: &Self) -> Growth {
        let mut growth = Growth::default();
        for (path, length) in &self.0 {
            let bytes = length.saturating_sub(before.0.get(path).copied().unwrap_or(0)) as f64;
            let side = usize::from(path.components().any(|part| part.as_os_str() == "mirror"));
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("log") => growth.logs[side] += bytes,
                Some("sst") => growth.tables[side] += bytes,
                _ => growth.others += bytes,
            }
        }
        growth
    }
}

/// Opens a database that another process has open, to read only.
fn look(db: &Path, scratch: &Path) -> Result<(DB, TempDir), Error> {
    let own = TempDir::new_in(scratch).map_err(Error::io(scratch.display().to_string()))?;
    let mut options = Options::default();
    // What RocksDB notes about this does not belong into the folder.
    options.set_db_log_dir(own.path());
    let families = DB::list_cf(&options, db)?;
    Ok((DB::open_cf_for_read_only(&options, db, families, false)?, own))
}

fn latest(db: &Path, scratch: &Path) -> Result<u64, Error> {
    Ok(look(db, scratch)?.0.latest_sequence_number())
}

/// Rows in the write-ahead log after `sequence`: by kind, how many and how many bytes.
fn rows_since(db: &Path, scratch: &Path, sequence: u64) -> Result<BTreeMap<&'static str, (f64, f64)>, Error> {
    let (db, _own) = look(db, scratch)?;
    let mut rows = Rows::default();
    for batch in db.get_updates_since(sequence)? {
        let (_, batch) = batch?;
        batch.iterate_cf(&mut rows);
    }
    Ok(rows.0)
}

#[derive(Default)]
struct Rows(BTreeMap<&'static str, (f64, f64)>);

impl Rows {
    fn add(&mut self, key: &[u8], value: Option<&[u8]>) {
        let row = self.0.entry(name(key, value.is_some())).or_default();
        row.0 += 1.0;
        row.1 += (key.len() + value.map_or(0, <[u8]>::len)) as f64;
    }
}

impl WriteBatchIteratorCf for Rows {
    fn put_cf(&mut self, _family: u32, key: &[u8], value: &[u8]) {
        self.add(key, Some(value));
    }

    fn delete_cf(&mut self, _family: u32, key: &[u8]) {
        self.add(key, None);
    }

    fn merge_cf(&mut self, _family: u32, key: &[u8], value: &[u8]) {
        self.add(key, Some(value));
    }
}

/// What a row is in the table.
#[allow(clippy::wildcard_enum_match_arm, reason = "of other rows an erasure writes next to nothing")]
fn name(key: &[u8], put: bool) -> &'static str {
    match Key::decode(key).map(|key| key.kind()) {
        Ok(RowKind::Page) if put => "pages of the key tree",
        Ok(RowKind::Page) => "pages, deleted",
        Ok(RowKind::Epoch) => "the epoch's state",
        Ok(RowKind::Intent) if put => "intents",
        Ok(RowKind::Intent) => "intents, deleted",
        Ok(RowKind::Receipt) => "receipts",
        Ok(RowKind::LogEntry) => "log entries",
        Ok(RowKind::LogSuccession) => "successions of the logs' keys",
        Ok(RowKind::LogNode) => "nodes of the logs' trees",
        Ok(RowKind::LogHead) => "sizes of the logs",
        Ok(
            RowKind::Subject
            | RowKind::Template
            | RowKind::Sketch
            | RowKind::SubjectRequest
            | RowKind::Dossier
            | RowKind::Held
            | RowKind::Asked
            | RowKind::Disclosure
            | RowKind::Case,
        ) => "rows of the person, deleted",
        Ok(_) | Err(_) => "others",
    }
}

fn page(n: u64, columns: &[Column]) -> String {
    let host = Host::here();
    let mut page = format!(
        "# Where the bytes of an erasure go

Made by `lethe-bench bytes --size {n}` (`make erase-bytes`): {n} people, one tenant, one root replica, one mirror, each erased person with one
template. Bytes for one erasure. Lethe {} ({}), Linux {}.

## By file

| |{}
|---|{}
",
        host.lethe,
        host.commit,
        host.kernel,
        columns.iter().map(|column| format!(" {} |", column.heading)).collect::<String>(),
        "--:|".repeat(columns.len())
    );
    let mut row = |name: &str, value: &dyn Fn(&Column) -> f64| {
        let cells: String = columns.iter().map(|column| format!(" {} |", figure(value(column)))).collect();
        let _ = writeln!(page, "| {name} |{cells}");
    };
    row("erasures that shared an epoch", &|column| column.per_epoch);
    row("the database's write-ahead log", &|column| column.logs[0]);
    row("the mirror's write-ahead log", &|column| column.logs[1]);
    row("the root store, 4 blocks of 4 KiB an epoch", &|column| column.roots);
    row("RocksDB's own notes and manifests", &|column| column.others);
    row("rest of a 4 KiB block at each sync", &|column| {
        (column.counted - column.logs[0] - column.logs[1] - column.roots - column.others).max(0.0)
    });
    row("**in all, as the system counts**", &|column| column.counted);
    row("later, when the logs go to tables: the database", &|column| column.tables[0]);
    row("later, when the logs go to tables: the mirror", &|column| column.tables[1]);

    let of = |column: &Column, name: &str| column.rows.get(name).copied().unwrap_or_default();
    // The largest first.
    let mut names: BTreeMap<&str, f64> = BTreeMap::new();
    for (name, (_, bytes)) in columns.iter().flat_map(|column| &column.rows) {
        let most = names.entry(*name).or_default();
        *most = most.max(*bytes);
    }
    let mut names: Vec<(&str, f64)> = names.into_iter().collect();
    names.sort_by(|a, b| b.1.total_cmp(&a.1));
    let _ = write!(
        page,
        "
## By kind of row, in the database's write-ahead log

Rows, and bytes of keys and values. The mirror's has the same but for rows of the person.

| |{}
|---|{}
",
        columns.iter().map(|column| format!(" {} |", column.heading)).collect::<String>(),
        "--:|".repeat(columns.len())
    );
    for (name, _) in names {
        let cells: String = columns
            .iter()
            .map(|column| of(column, name))
            .map(|(rows, bytes)| format!(" {rows:.2}: {} |", figure(bytes)))
            .collect();
        let _ = writeln!(page, "| {name} |{cells}");
    }
    let framing = |column: &Column| column.logs[0] - column.rows.values().map(|(_, bytes)| bytes).sum::<f64>();
    let cells: String = columns.iter().map(|column| format!(" {} |", figure(framing(column)))).collect();
    let _ = writeln!(page, "| lengths and checksums of RocksDB's |{cells}");
    page
}

fn figure(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["db", "mirror"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("db/000001.log"), [0; 5]).unwrap();
        let before = Files::of(folder.path()).unwrap();
        for (name, bytes) in [("db/000001.log", 12), ("mirror/000007.log", 3), ("mirror/000008.sst", 4), ("db/LOG", 1)]
        {
            std::fs::write(folder.path().join(name), vec![0_u8; bytes]).unwrap();
        }
        let grown = Files::of(folder.path()).unwrap().since(&before);
        assert_eq!((grown.logs, grown.tables, grown.others), ([7.0, 3.0], [0.0, 4.0], 1.0));
    }

    #[test]
    fn rows_are_read_from_the_log_of_a_database_that_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let mut options = Options::default();
        options.create_if_missing(true);
        let db = DB::open(&options, &path).unwrap();
        db.put([0x03_u8; 13], [1_u8; 8]).unwrap();
        db.flush_wal(true).unwrap();
        let sequence = latest(&path, folder.path()).unwrap();
        let head = Key::LogHead { tree: lethe_crypto::tree::TreeId::VAULT }.encode();
        db.put(&head, [1_u8; 8]).unwrap();
        db.delete(&head).unwrap();
        db.flush_wal(true).unwrap();
        let rows = rows_since(&path, folder.path(), sequence).unwrap();
        let length = head.len() as f64;
        assert_eq!(rows, BTreeMap::from([("sizes of the logs", (2.0, 2.0 * length + 8.0))]));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
