//! RocksDB's write-ahead log, read as bytes: every version of every row is in it, also those that were superseded
//! or deleted before an image was taken, and torn writes that RocksDB drops.

/// Length of a block; records do not cross blocks.
const BLOCK: usize = 32 << 10;
/// Checksum 4 ‖ length 2 ‖ type 1, little-endian.
const HEADER: usize = 7;

/// One write batch, and where its bytes begin in the file.
pub(super) struct Batch {
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) puts: Vec<(Vec<u8>, Vec<u8>)>,
}

/// All whole batches of a log, up to its torn end.
pub(super) fn batches(log: &[u8]) -> Vec<Batch> {
    let mut found = Vec::new();
    let mut at = 0;
    // A batch that is spread over several records.
    let mut parts: Option<(usize, Vec<u8>)> = None;
    loop {
        let left = BLOCK - at % BLOCK;
        if left < HEADER {
            at += left;
            continue;
        }
        let Some((kind, content)) = record(log, at) else { return found };
        let (begin, end) = (at, at + HEADER + content.len());
        at = end;
        match kind {
            FULL => found.push(Batch { begin, end, puts: puts(content) }),
            FIRST => parts = Some((begin, content.to_vec())),
            MIDDLE => parts.as_mut().expect("a middle follows a first").1.extend_from_slice(content),
            LAST => {
                let (begin, mut whole) = parts.take().expect("a last follows a first");
                whole.extend_from_slice(content);
                found.push(Batch { begin, end, puts: puts(&whole) });
            }
            // Of the log itself: what a reader that does not know may leave out.
            SETTINGS.. => {}
            unknown => panic!("a record of the unknown type {unknown} in a write-ahead log"),
        }
    }
}

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
const SETTINGS: u8 = 9;

/// The record at an offset, if it is whole.
fn record(log: &[u8], at: usize) -> Option<(u8, &[u8])> {
    let header = log.get(at..at + HEADER)?;
    let stored = u32::from_le_bytes(header[..4].try_into().unwrap());
    let length = usize::from(u16::from_le_bytes(header[4..6].try_into().unwrap()));
    let kind = header[6];
    let content = log.get(at + HEADER..at + HEADER + length)?;
    // Space that was set aside and never written.
    if kind == 0 && length == 0 {
        return None;
    }
    let sum = crc32c(&log[at + 6..at + HEADER + length]);
    (sum.rotate_right(15).wrapping_add(0xa282_ead8) == stored).then_some((kind, content))
}

/// Sequence u64 ‖ count u32, little-endian ‖ the changes.
fn puts(batch: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rest = Changes(&batch[12..]);
    let mut puts = Vec::new();
    while let Some((&tag, after)) = rest.0.split_first() {
        rest.0 = after;
        match tag {
            // Deletions, also of what was put once, in the default family and in another.
            0x00 | 0x07 => drop(rest.string()),
            0x04 | 0x08 => {
                rest.number();
                rest.string();
            }
            0x01 => puts.push((rest.string(), rest.string())),
            0x05 => {
                rest.number();
                puts.push((rest.string(), rest.string()));
            }
            // Ranges that are deleted: from a key on, up to another.
            0x0f => {
                rest.string();
                rest.string();
            }
            0x0e => {
                rest.number();
                rest.string();
                rest.string();
            }
            0x0d => {}
            unknown => panic!("a change of the unknown type {unknown:02x} in a batch"),
        }
    }
    puts
}

struct Changes<'a>(&'a [u8]);

impl Changes<'_> {
    /// Seven bits a byte, lowest first.
    fn number(&mut self) -> usize {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let (&byte, rest) = self.0.split_first().expect("a batch is as long as it says");
            self.0 = rest;
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
        }
        panic!("a number in a batch is too long")
    }

    fn string(&mut self) -> Vec<u8> {
        let length = self.number();
        let (string, rest) = self.0.split_at_checked(length).expect("a batch is as long as it says");
        self.0 = rest;
        string.to_vec()
    }
}

/// CRC-32C (Castagnoli), RFC 3720 appendix B.4.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| (sum >> 8) ^ TABLE[usize::from((sum as u8) ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut sum = i as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
            bit += 1;
        }
        table[i] = sum;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_log_of_rocksdb_reads_back_up_to_its_torn_end() {
        let folder = tempfile::tempdir().unwrap();
        let db = rocksdb::DB::open_default(folder.path()).unwrap();
        // One that crosses blocks, and others that end anywhere in them.
        let sizes = [10, 100_000, 0, BLOCK - HEADER, 3, 70_000];
        let value = |size: usize| vec![u8::try_from(size % 251).unwrap(); size];
        for size in sizes {
            db.put(size.to_be_bytes(), value(size)).unwrap();
            db.delete(size.to_be_bytes()).unwrap();
            let mut range = rocksdb::WriteBatch::default();
            range.delete_range([0; 8], size.to_be_bytes());
            db.write(range).unwrap();
        }
        drop(db);
        let mut logs = crate::residue::files(folder.path()).unwrap();
        logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        let log = std::fs::read(&logs[0]).unwrap();
        let whole = batches(&log);
        let puts: Vec<_> = whole.iter().flat_map(|batch| batch.puts.clone()).collect();
        assert_eq!(puts, sizes.map(|size| (size.to_be_bytes().to_vec(), value(size))));
        let last = &whole[whole.len() - 1];
        assert_eq!(last.end, log.len());
        for end in [last.begin, last.begin + 1, last.begin + HEADER, last.end - 1] {
            assert_eq!(batches(&log[..end]).len(), whole.len() - 1);
        }
    }
}
