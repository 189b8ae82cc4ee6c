//! A database that is looked at and not touched: nothing is written, locked or made in its folder, whatever is damaged in
//! it and whoever else has it open.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::StoreError;
use super::db::{Database, RawRow};
use super::keys::{Key, RowKind};
use super::mirror::{Registered, position_of, registered};
use super::{MirrorId, Restoring, Stage, Store};

/// Times that a database is opened while a server may drop files of it, and the pause between them.
const TRIES: (u32, Duration) = (20, Duration::from_millis(50));

/// Tries that are left when a database that is not whole is believed: each reads its write-ahead log.
const SURE: u32 = TRIES.0 - 3;

/// No key is longer.
const LONGEST_KEY: usize = 48;

/// An opened database, as it was at one moment.
pub(crate) struct Evidence {
    store: Arc<Store>,
}

/// What came of reading the rows of a kind.
pub(crate) enum Seen<'a> {
    /// A row.
    Row(Key, &'a [u8]),
    /// A row whose key is none.
    Unknown(&'a [u8]),
    /// Rows from here on, after the key given, do not read; reading goes on with the next that do.
    Unreadable {
        /// The last key before them, if any.
        after: Option<Vec<u8>>,
        /// What RocksDB says: which file, and where.
        fault: StoreError,
    },
}

impl Evidence {
    /// Opens the database in a folder. A torn end of its write-ahead log is left out, as a start would.
    ///
    /// # Errors
    /// `Database` if RocksDB cannot make anything of it.
    #[allow(
        clippy::disallowed_methods,
        reason = "another process's server drops files when it does; there is no event"
    )]
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut tries = TRIES.0;
        loop {
            let opened = Store::read_only(path).map(|store| Self { store: Arc::new(store) });
            match opened {
                // A server may move rows from the log to a file between the moments at which the two are read.
                Ok(evidence) if tries <= SURE || evidence.not_whole().is_none() => return Ok(evidence),
                Err(fault) if tries == 0 => return Err(fault),
                Ok(_) | Err(_) => {
                    tries -= 1;
                    std::thread::sleep(TRIES.1);
                }
            }
        }
    }

    /// For keys: a store that commits nothing.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    fn db(&self) -> &Database {
        self.store.database()
    }

    /// Why the write-ahead log does not read to its end, if it does not.
    pub(crate) fn torn(&self) -> Option<StoreError> {
        Database::expect_whole_log(self.db().path()).err()
    }

    /// What shows that rows were lost between others that are there, if it does.
    pub(crate) fn not_whole(&self) -> Option<StoreError> {
        self.db().expect_whole().err()
    }

    /// The newest change in it.
    pub(crate) fn sequence(&self) -> u64 {
        self.db().sequence()
    }

    /// A row.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.db().get(key)
    }

    /// Every row of a kind, in order; where they do not read, those after them.
    pub(crate) fn scan(&self, kind: RowKind, mut each: impl FnMut(Seen<'_>)) {
        let reader = self.db().reader();
        let mut last: Option<Vec<u8>> = None;
        let mut from = Key::prefix(kind);
        loop {
            let mut fault = None;
            for row in reader.rows_from(kind, &from) {
                match row {
                    Ok((key, value)) => {
                        match Key::decode(&key) {
                            Ok(decoded) => each(Seen::Row(decoded, &value)),
                            Err(_) => each(Seen::Unknown(&key)),
                        }
                        last = Some(key.into_vec());
                    }
                    Err(failure) => fault = Some(failure),
                }
            }
            let Some(fault) = fault else { return };
            each(Seen::Unreadable { after: last.clone(), fault });
            let readable = |key: &[u8]| first(reader.rows_from(kind, key));
            // Before the first row of a kind lies the smallest key of it.
            let before = last.clone().unwrap_or_else(|| [&Key::prefix(kind)[..], &[0; LONGEST_KEY]].concat());
            match next_readable(&before, readable) {
                Some(next) => from = next,
                None => return,
            }
        }
    }

    /// The mirrors that the vault has, by its own rows.
    pub(crate) fn mirrors(&self) -> Result<Vec<Registered>, StoreError> {
        registered(self.db())
    }

    /// Of a mirror: which it is, how far it has followed, and whether it is whole.
    pub(crate) fn position(&self) -> Result<Option<(MirrorId, u64, bool)>, StoreError> {
        Ok(position_of(self.db())?.map(|at| (at.id, at.sequence, at.whole)))
    }

    /// How far a restore is that has not ended.
    pub(crate) fn restoring(&self) -> Result<Option<&'static str>, StoreError> {
        let Some(row) = self.get(&Key::Restoring)? else { return Ok(None) };
        Ok(Some(match Restoring::decode(&row).map(|restoring| restoring.stage) {
            Ok(Stage::Copying) => "rows of the mirror are being copied",
            Ok(Stage::Adopted) => "the mirror's rows are there; what is lost is being destroyed",
            Ok(Stage::Logged) => "it is done, but for the mirrors, which may not have that yet",
            Err(_) => "nobody knows how far: its mark is damaged",
        }))
    }
}

/// Does anything read from here on: a row, or the end of them?
fn first(mut rows: impl Iterator<Item = Result<RawRow, StoreError>>) -> bool {
    rows.next().is_none_or(|row| row.is_ok())
}

/// The nearest key after `last` from which rows read again. A damaged block hides what is in it and nothing else, so keys
/// are tried that differ from the last one ever further to the front.
fn next_readable(last: &[u8], readable: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    // The kind stays.
    for place in (1..last.len()).rev() {
        for byte in (last[place]..=u8::MAX).skip(1) {
            let mut key = last[..=place].to_vec();
            key[place] = byte;
            if readable(&key) {
                return Some(key);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_readable_key_is_the_nearest() {
        // A block from 21.01.07 to 21.01.40 does not read.
        let readable = |key: &[u8]| !((&[0x21, 1, 7][..]..&[0x21, 1, 0x40][..]).contains(&key));
        assert_eq!(next_readable(&[0x21, 1, 7], readable), Some(vec![0x21, 1, 0x40]));
        assert_eq!(next_readable(&[0x21, 1, 0xff], |_| true), Some(vec![0x21, 2]));
        assert_eq!(next_readable(&[0x21, 1, 7], |_| false), None);
        assert_eq!(next_readable(&[0x21], |_| true), None);
    }
}
