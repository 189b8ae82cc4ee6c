//! Images as RocksDB reads them: what a restored disk would show.

use std::path::Path;

use rocksdb::{DB, IteratorMode, Options};

/// The families of `docs/FORMAT.md`.
const FAMILIES: [&str; 3] = ["tree", "rows", "log"];

/// Every row of the database in the data directory of an image, as it was last written.
///
/// # Panics
/// If it does not open.
pub(super) fn rows(data: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut options = Options::default();
    // As the vault: a torn end of the log is dropped.
    options.set_wal_recovery_mode(rocksdb::DBRecoveryMode::PointInTime);
    let db = DB::open_cf_for_read_only(&options, data.join("db"), FAMILIES, false).unwrap();
    let mut rows = Vec::new();
    for family in FAMILIES {
        let family = db.cf_handle(family).unwrap();
        for row in db.iterator_cf(family, IteratorMode::Start) {
            let (key, value) = row.unwrap();
            rows.push((key.into_vec(), value.into_vec()));
        }
    }
    rows
}
