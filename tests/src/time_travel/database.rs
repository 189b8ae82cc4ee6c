//! Images as RocksDB reads them: what a restored disk would show.

use std::path::{Path, PathBuf};

use rocksdb::{DB, DBRecoveryMode, IteratorMode, Options};

use crate::residue::files;

/// Every row of every database in an image, as it was last written, with the database's folder. A backup is none as it
/// lies: its files are, which it shares with others.
///
/// # Panics
/// If one does not open.
pub(super) fn rows(image: &Path) -> Vec<(PathBuf, Vec<u8>, Vec<u8>)> {
    let of_backup = |path: &PathBuf| path.components().any(|part| part.as_os_str() == "private");
    let databases = files(image).unwrap().into_iter().filter(|path| path.ends_with("CURRENT") && !of_backup(path));
    databases.flat_map(|path| rows_of(path.parent().unwrap())).collect()
}

fn rows_of(database: &Path) -> Vec<(PathBuf, Vec<u8>, Vec<u8>)> {
    let mut options = Options::default();
    // As the vault: a torn end of the log is dropped.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    let families = DB::list_cf(&options, database).unwrap();
    let db = DB::open_cf_for_read_only(&options, database, &families, false).unwrap();
    let mut rows = Vec::new();
    for family in &families {
        for row in db.iterator_cf(db.cf_handle(family).unwrap(), IteratorMode::Start) {
            let (key, value) = row.unwrap();
            rows.push((database.to_owned(), key.into_vec(), value.into_vec()));
        }
    }
    rows
}
