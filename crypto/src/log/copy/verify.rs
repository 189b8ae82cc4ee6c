//! Is a copy what its log's key signed?

use super::compare::{Difference, against_tiles};
use super::paths::{CHECKPOINT, HEIGHT, LEVELS, SUCCESSIONS, WIDTH, nodes};
use super::read::{Bundles, level, read, tile_of};
use super::write::{File, Writer, root_of, subtree};
use super::{CopyError, Files};
use crate::log::checkpoint::Checkpoint;
use crate::log::entry::{Entry, EntryError};
use crate::log::json::MAX_DOCUMENT;
use crate::log::merkle::{Frontier, Hash};
use crate::log::note::VerifierKey;
use crate::log::succession::{Keys, MAX_FILE, Signer, Succession};

/// Entries may be logged in another order than they began in, by minutes; what goes back by more is worth a remark. In
/// milliseconds.
const SET_BACK: u64 = 60 * 60 * 1000;

/// What a copy is, of which everything is as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// How the key that signed it stands to the one that is kept.
    pub signer: Signer,
    /// Times of the first and the last entry, in milliseconds since 1970 UTC; `None` without entries.
    pub times: Option<(u64, u64)>,
    /// The first entry whose time is more than an hour before that of an earlier one: the vault's clock was set back, or
    /// forward before. The order of the entries is that of the log all the same.
    pub clock_set_back: Option<u64>,
}

/// The keys that a log had, by the key that is kept and the copy's successions, each verified by itself.
///
/// # Errors
/// They are refused, do not follow from one another, or name others than the key that is kept.
pub fn keys(files: &dyn Files, key: &VerifierKey) -> Result<Keys, CopyError> {
    Ok(Keys::follow(key, &successions(files)?)?)
}

/// The successions of a copy, each verified by itself.
///
/// # Errors
/// The first that is refused, or that they cannot be read.
pub fn successions(files: &dyn Files) -> Result<Vec<Succession>, CopyError> {
    let lines = files.read(SUCCESSIONS, MAX_FILE);
    let lines = lines.map_err(|cause| CopyError::Read { path: SUCCESSIONS.to_owned(), cause })?;
    Ok(Succession::decode_lines(&lines.unwrap_or_default())?)
}

/// Verifies a copy with a key of its log alone: the signature, that the entries are those that were signed for, that each is
/// canonical, that the tiles are those that follow, and that the successions of the key are those that the entries tell of.
///
/// # Errors
/// Says what is wrong, and which entry is the first that is, as far as the copy alone can tell.
pub fn verify(files: &dyn Files, key: &VerifierKey) -> Result<Verified, CopyError> {
    let successions = successions(files)?;
    let keys = Keys::follow(key, &successions)?;
    let note = read(files, CHECKPOINT.to_owned(), MAX_DOCUMENT)?;
    let (checkpoint, signer) = keys.open(&note)?;
    let size = checkpoint.size;
    let read = Read::all(files, size, &successions);
    if let Some(fault) = read.fault {
        // What is wrong before the file that does not read is wrong first.
        return Err(if read.writer.size() == 0 { fault } else { blame(files, &checkpoint)?.unwrap_or(fault) });
    }
    if (read.writer.size(), read.writer.root()) != (size, checkpoint.root) {
        let found = blame(files, &checkpoint)?;
        let known = |fault: &CopyError| matches!(fault, CopyError::Entry { .. });
        return Err(match (found, read.no_entry) {
            (Some(fault), _) if known(&fault) => fault,
            (_, Some((index, cause))) => CopyError::NoEntry { index, cause },
            (Some(fault), None) => fault,
            (None, None) => CopyError::Within { first: 0, last: size.saturating_sub(1) },
        });
    }
    if let Some((index, cause)) = read.no_entry {
        return Err(CopyError::NoEntry { index, cause });
    }
    if let Some((path, index)) = read.other_file {
        return Err(CopyError::Tile { path, index });
    }
    if let Some((index, disagreement)) = read.disagreement {
        return Err(CopyError::Succession { index, disagreement });
    }
    Ok(Verified { checkpoint, signer, times: read.times, clock_set_back: read.clock_set_back })
}

/// What reading all entries of a copy gives.
#[derive(Default)]
struct Read {
    writer: Writer,
    /// The first that is no entry.
    no_entry: Option<(u64, EntryError)>,
    /// The first file that is not what the entries give, and the first entry that it is about.
    other_file: Option<(String, u64)>,
    times: Option<(u64, u64)>,
    latest: u64,
    clock_set_back: Option<u64>,
    /// The first entry of which the successions say something else.
    disagreement: Option<(u64, &'static str)>,
    fault: Option<CopyError>,
}

impl Read {
    fn all(files: &dyn Files, size: u64, successions: &[Succession]) -> Self {
        let mut read = Self::default();
        if let Err(fault) = read.entries(files, size, successions) {
            read.fault = Some(fault);
        }
        read
    }

    fn entries(&mut self, files: &dyn Files, size: u64, mut successions: &[Succession]) -> Result<(), CopyError> {
        let mut made = Vec::new();
        for line in Bundles::all(files, size) {
            let (line, index) = (line?, self.writer.size());
            self.writer.push(&line, &mut made)?;
            match Entry::decode(&line) {
                Ok(entry) => {
                    self.time(index, entry.time);
                    self.succession(index, &entry, &mut successions);
                }
                Err(cause) => drop(self.no_entry.get_or_insert((index, cause))),
            }
            for file in made.drain(..) {
                self.hold_against(files, file)?;
            }
        }
        for file in self.writer.edge() {
            self.hold_against(files, file)?;
        }
        Ok(())
    }

    fn time(&mut self, index: u64, time: u64) {
        self.times = Some((self.times.map_or(time, |(first, _)| first), time));
        self.latest = self.latest.max(time);
        if self.latest - time > SET_BACK {
            self.clock_set_back.get_or_insert(index);
        }
    }

    /// Holds an entry against the succession that is next: each is told of by its entry, and each such entry has one.
    fn succession(&mut self, index: u64, entry: &Entry, next: &mut &[Succession]) {
        let due = next.split_first().filter(|(succession, _)| succession.checkpoint().size == index + 1);
        let disagreement = match (due, entry.log_key_rotated()) {
            (None, None) => return,
            (Some((succession, rest)), Some(_)) => {
                *next = rest;
                if succession.entry() == entry && succession.checkpoint().root == self.writer.root() {
                    return;
                }
                "is of another history than the succession that names it"
            }
            (Some((_, rest)), None) => {
                *next = rest;
                "is none of a key's succession, and there is one that says so"
            }
            (None, Some(_)) => "tells of a key's succession that is not there",
        };
        self.disagreement.get_or_insert((index, disagreement));
    }

    fn hold_against(&mut self, files: &dyn Files, file: File) -> Result<(), CopyError> {
        let File { path, bytes, first } = file;
        // One byte more is allowed for, to see that it is there.
        let found = files.read(&path, bytes.len() + 1);
        let same = found.as_ref().is_ok_and(|found| found.as_ref() == Some(&bytes));
        // Of a file that is too long, or does not read, the same is to be said.
        if !same && self.other_file.is_none() {
            self.other_file = Some((path, first));
        }
        Ok(())
    }
}

/// The first entry that is not the one that was signed for, by the lowest tiles that are still those that were; `None` if
/// no tiles are.
fn blame(files: &dyn Files, checkpoint: &Checkpoint) -> Result<Option<CopyError>, CopyError> {
    let size = checkpoint.size;
    for tiles in 0..LEVELS {
        if nodes(size, tiles) == 0 || root_from(files, size, tiles)? != Some(checkpoint.root) {
            continue;
        }
        if tiles == 0 {
            let found = against_tiles(files, size)?;
            return Ok(found.map(|(index, difference)| CopyError::Entry { index, difference }));
        }
        return within(files, size, tiles).map(Some);
    }
    Ok(None)
}

/// The root hash that the tiles of a level give, with those of the right edge below it; `None` if some are missing.
fn root_from(files: &dyn Files, size: u64, from: u32) -> Result<Option<Hash>, CopyError> {
    // By level, what is left of hashes that were joined: at `from` those of all tiles.
    let mut levels = vec![Vec::new()];
    let mut count = 0;
    for hash in level(files, size, from) {
        count += 1;
        let mut hash = hash?;
        for at in 0.. {
            if levels.len() == at {
                levels.push(Vec::new());
            }
            levels[at].push(hash);
            if (levels[at].len() as u64) < WIDTH {
                break;
            }
            hash = subtree(&std::mem::take(&mut levels[at]));
        }
    }
    if count != nodes(size, from) {
        return Ok(None);
    }
    levels.reverse();
    for lower in (0..from).rev() {
        let count = nodes(size, lower);
        let (index, width) = (count / WIDTH, count % WIDTH);
        if width == 0 {
            continue;
        }
        match tile_of(files, lower, index, width) {
            Ok(tile) => levels.push(tile),
            Err(CopyError::Missing(_)) => return Ok(None),
            Err(fault) => return Err(fault),
        }
    }
    Ok(Some(root_of(levels.iter().map(Vec::as_slice))))
}

/// Between which entries the first is that is not under a level's hashes, which are those that were signed for.
fn within(files: &dyn Files, size: u64, tiles: u32) -> Result<CopyError, CopyError> {
    let each = 1_u64 << (HEIGHT * tiles);
    let mut signed = level(files, size, tiles);
    let mut index = 0;
    let mut entries = Bundles::hashes(files, size);
    while let Some(expected) = signed.next().transpose()? {
        let mut made = Frontier::new();
        for hash in entries.by_ref().take(usize::try_from(each).unwrap_or(usize::MAX)) {
            made.append(hash?);
        }
        if (made.size(), made.root()) != (each, expected) {
            return Ok(CopyError::Within { first: index, last: index + each - 1 });
        }
        index += each;
    }
    // All before the right edge are right.
    let mut at = index;
    let edge = tile_of(files, 0, size / WIDTH, size % WIDTH);
    if let (Ok(edge), true) = (edge, size - index < WIDTH) {
        for expected in edge {
            match entries.next().transpose()? {
                Some(found) if found == expected => at += 1,
                Some(_) => return Ok(CopyError::Entry { index: at, difference: Difference::Changed }),
                None => return Ok(CopyError::Entry { index: at, difference: Difference::Dropped }),
            }
        }
        if entries.next().transpose()?.is_some() {
            return Ok(CopyError::Entry { index: at, difference: Difference::Inserted });
        }
    }
    Ok(CopyError::Within { first: index, last: size.saturating_sub(1) })
}
