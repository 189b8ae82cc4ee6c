//! Raw RocksDB with rows as large as the vault's, sealed with one AES-256-GCM key: what storage and
//! encryption cost when nothing else is promised.

use std::ops::Range;
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rocksdb::{DB, DBCompressionType, Direction, IteratorMode, Options, ReadOptions, WriteBatch, WriteOptions};

use crate::Error;

/// The first key of a database.
const FIRST_KEY: u8 = 7;

/// Rows sealed under one key, numbered from 0.
#[derive(Debug)]
pub struct Rows {
    database: DB,
    key: LessSafeKey,
    /// Which key that is.
    generation: u8,
}

/// A row ready to be stored.
#[derive(Debug, Clone)]
pub struct SealedRow {
    /// Its number.
    pub number: u64,
    bytes: Vec<u8>,
}

impl Rows {
    /// Opens or creates the database.
    ///
    /// # Errors
    /// [`Error::RocksDb`].
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.increase_parallelism(2);
        // Ciphertext does not compress.
        options.set_compression_type(DBCompressionType::None);
        Ok(Self { database: DB::open(&options, folder)?, key: key(FIRST_KEY)?, generation: FIRST_KEY })
    }

    /// A database of `count` rows whose plaintexts have `bytes` bytes, settled.
    ///
    /// # Errors
    /// [`Error::RocksDb`].
    pub fn filled(folder: &Path, count: u64, bytes: usize) -> Result<Self, Error> {
        let rows = Self::open(folder)?;
        rows.fill(0..count, bytes)?;
        rows.settle()?;
        Ok(rows)
    }

    /// Adds rows whose plaintexts have `bytes` bytes.
    ///
    /// # Errors
    /// [`Error::RocksDb`].
    pub fn fill(&self, numbers: Range<u64>, bytes: usize) -> Result<(), Error> {
        for first in numbers.clone().step_by(1000) {
            let batch = first..numbers.end.min(first + 1000);
            let sealed: Result<Vec<SealedRow>, Error> =
                batch.map(|number| self.seal(number, &vec![number as u8; bytes])).collect();
            self.put(&sealed?, false)?;
        }
        Ok(())
    }

    /// Seals `plaintext` for row `number`.
    ///
    /// # Errors
    /// [`Error::Invalid`] never, for plaintexts below 2^36 bytes.
    pub fn seal(&self, number: u64, plaintext: &[u8]) -> Result<SealedRow, Error> {
        let mut bytes = plaintext.to_vec();
        self.key
            .seal_in_place_append_tag(nonce(number), Aad::from(number.to_be_bytes()), &mut bytes)
            .map_err(|_| Error::invalid("sealing failed"))?;
        Ok(SealedRow { number, bytes })
    }

    /// Stores rows in one batch.
    ///
    /// # Errors
    /// [`Error::RocksDb`].
    pub fn put(&self, rows: &[SealedRow], synced: bool) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        rows.iter().for_each(|row| batch.put(row.number.to_be_bytes(), &row.bytes));
        Ok(self.database.write_opt(batch, &durability(synced))?)
    }

    /// Deletes a row.
    ///
    /// # Errors
    /// [`Error::RocksDb`].
    pub fn delete(&self, number: u64, synced: bool) -> Result<(), Error> {
        Ok(self.database.delete_opt(number.to_be_bytes(), &durability(synced))?)
    }

    /// Seals every row anew under another key: reads it, opens it, writes it, all threads at once. Durable at the end, when the
    /// key before may go. Without a write-ahead log: who is interrupted begins again.
    ///
    /// # Errors
    /// As [`Rows::get_and_open`].
    pub fn reencrypt(&mut self, end: u64, threads: usize) -> Result<(), Error> {
        let generation = self.generation.wrapping_add(1);
        let next = key(generation)?;
        in_parts(end, threads, |part| self.reencrypt_part(part, &next))?;
        self.database.flush()?;
        (self.key, self.generation) = (next, generation);
        Ok(())
    }

    fn reencrypt_part(&self, numbers: Range<u64>, next: &LessSafeKey) -> Result<u64, Error> {
        const BATCH: usize = 1000;
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        let (mut batch, mut count) = (WriteBatch::default(), 0);
        self.each(numbers, |number, bytes| {
            let length = self.open_row(number, bytes)?;
            bytes.truncate(length);
            let sealed = next.seal_in_place_append_tag(nonce(number), Aad::from(number.to_be_bytes()), bytes);
            sealed.map_err(|_| Error::invalid("sealing failed"))?;
            batch.put(number.to_be_bytes(), &*bytes);
            count += 1;
            if batch.len() == BATCH {
                self.database.write_opt(std::mem::take(&mut batch), &options)?;
            }
            Ok(())
        })?;
        self.database.write_opt(batch, &options)?;
        Ok(count)
    }

    /// Brings everything to table files, so that reading is reading tables and not the log.
    ///
    /// # Errors
    /// [`Error::RocksDb`].
    pub fn settle(&self) -> Result<(), Error> {
        self.database.flush()?;
        self.database.compact_range::<&[u8], &[u8]>(None, None);
        Ok(())
    }

    /// Reads and opens row `number`; the length of its plaintext.
    ///
    /// # Errors
    /// [`Error::RocksDb`]; [`Error::Invalid`] if it is missing or does not open.
    pub fn get_and_open(&self, number: u64) -> Result<usize, Error> {
        let Some(mut bytes) = self.database.get(number.to_be_bytes())? else {
            return Err(Error::invalid(format!("row {number} is missing")));
        };
        self.open_row(number, &mut bytes)
    }

    /// Reads and opens the rows below `end`, each thread a part of them in order; how many there are.
    ///
    /// # Errors
    /// As [`Rows::get_and_open`].
    pub fn read_and_open(&self, end: u64, threads: usize) -> Result<u64, Error> {
        in_parts(end, threads, |part| {
            let mut count = 0;
            self.each(part, |number, bytes| {
                self.open_row(number, bytes)?;
                count += 1;
                Ok(())
            })?;
            Ok(count)
        })
    }

    /// Reads rows in order, past the cache; each in a buffer that may be changed.
    fn each(
        &self,
        numbers: Range<u64>,
        mut visit: impl FnMut(u64, &mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut read = ReadOptions::default();
        read.fill_cache(false);
        read.set_readahead_size(2 << 20);
        read.set_iterate_upper_bound(numbers.end.to_be_bytes());
        let mut scratch = Vec::new();
        let first = numbers.start.to_be_bytes();
        for row in self.database.iterator_opt(IteratorMode::From(&first, Direction::Forward), read) {
            let (number, bytes) = row?;
            let number = number.as_ref().try_into().map_err(|_| Error::invalid("a key of other length"))?;
            scratch.clear();
            scratch.extend_from_slice(&bytes);
            visit(u64::from_be_bytes(number), &mut scratch)?;
        }
        Ok(())
    }

    fn open_row(&self, number: u64, bytes: &mut [u8]) -> Result<usize, Error> {
        self.key
            .open_in_place(nonce(number), Aad::from(number.to_be_bytes()), bytes)
            .map(|plaintext| plaintext.len())
            .map_err(|_| Error::invalid(format!("row {number} does not open")))
    }
}

/// Gives each thread a part of the rows below `end`, and adds up what they count.
fn in_parts(end: u64, threads: usize, part: impl Fn(Range<u64>) -> Result<u64, Error> + Sync) -> Result<u64, Error> {
    let size = end.div_ceil(threads.max(1) as u64).max(1);
    std::thread::scope(|scope| {
        let parts = (0..end).step_by(size as usize).map(|first| first..end.min(first + size));
        let part = &part;
        let threads: Vec<_> = parts.map(|numbers| scope.spawn(move || part(numbers))).collect();
        threads
            .into_iter()
            .try_fold(0, |count, thread| Ok(count + thread.join().map_err(|_| Error::invalid("a thread panicked"))??))
    })
}

fn key(generation: u8) -> Result<LessSafeKey, Error> {
    let key = UnboundKey::new(&AES_256_GCM, &[generation; 32]);
    Ok(LessSafeKey::new(key.map_err(|_| Error::invalid("AES-256 takes 32 bytes"))?))
}

/// A counter: under one key a row is written once, and nothing is secret.
fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn durability(synced: bool) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(synced);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let rows = Rows::open(folder.path()).unwrap();
        let sealed: Vec<SealedRow> = (0..100).map(|i| rows.seal(i, &[i as u8; 2048]).unwrap()).collect();
        rows.put(&sealed, true).unwrap();
        rows.settle().unwrap();
        assert_eq!(rows.read_and_open(100, 1).unwrap(), 100);
        assert_eq!(rows.read_and_open(100, 3).unwrap(), 100);
        assert_eq!(rows.get_and_open(99).unwrap(), 2048);
        rows.delete(99, true).unwrap();
        assert!(rows.get_and_open(99).is_err());
        let moved = SealedRow { number: 5, bytes: sealed[6].bytes.clone() };
        rows.put(&[moved], false).unwrap();
        assert!(rows.get_and_open(5).is_err() && rows.read_and_open(100, 2).is_err());
    }

    #[test]
    fn under_another_key_they_are_the_same_rows() {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = Rows::filled(folder.path(), 100, 300).unwrap();
        let stored = |rows: &Rows| rows.database.get(3_u64.to_be_bytes()).unwrap().unwrap();
        let before = stored(&rows);
        rows.delete(99, true).unwrap();
        rows.reencrypt(100, 3).unwrap();
        assert_eq!(rows.read_and_open(100, 1).unwrap(), 99, "what was deleted does not come back");
        assert_eq!(rows.get_and_open(3).unwrap(), 300);
        assert_ne!(stored(&rows), before);
    }
}
