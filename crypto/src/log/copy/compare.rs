//! Two histories of a log, held against each other.

use std::fmt;

use super::read::{Bundles, level};
use super::{CopyError, Files, Hashes};
use crate::log::checkpoint::Checkpoint;
use crate::log::merkle::{Frontier, Hash};

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Another one is in its place.
    Changed,
    /// It is gone, and what followed it is in its place.
    Dropped,
    /// One was put in its place, and it follows.
    Inserted,
    /// It is at another place, and what is at its own was elsewhere.
    Moved,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "was changed",
            Self::Dropped => "was dropped",
            Self::Inserted => "was inserted",
            Self::Moved => "changed places with another",
        })
    }
}

/// How a copy stands to an earlier one of the same log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// They are the same.
    Same,
    /// It goes on from the earlier one, which had so many entries.
    Extended(u64),
    /// It ends before the earlier one did: its tail was cut.
    Cut {
        /// The first entry that is missing.
        at: u64,
        /// Are all that are left the same? `None` where a checkpoint alone cannot tell.
        begins_so: Option<bool>,
    },
    /// It is another history from this entry on.
    Differs {
        /// The first entry that is not the same.
        index: u64,
        /// What became of it.
        difference: Difference,
    },
    /// It is another history: of the entries before this one some are not the same.
    Forked {
        /// Entries of the earlier one.
        before: u64,
    },
}

impl Relation {
    /// Is nothing that was there before gone or changed?
    pub const fn is_honest(self) -> bool {
        matches!(self, Self::Same | Self::Extended(_))
    }
}

/// Compares a copy with one that was kept before, entry by entry, whatever their tiles say.
///
/// # Errors
/// One of them cannot be read.
pub fn compare(earlier: &dyn Files, had: u64, later: &dyn Files, has: u64) -> Result<Relation, CopyError> {
    let (one, other) = (|| Bundles::hashes(earlier, had), || Bundles::hashes(later, has));
    match first_difference(&one, &other)? {
        Apart::At(index, difference) => Ok(Relation::Differs { index, difference }),
        Apart::Ended(at) => Ok(Relation::Cut { at, begins_so: Some(true) }),
        Apart::Nowhere(_) if had == has => Ok(Relation::Same),
        Apart::Nowhere(at) => Ok(Relation::Extended(at)),
    }
}

/// Compares a copy with a checkpoint that was kept before: whether it begins with the entries that were signed for then.
///
/// # Errors
/// It cannot be read.
pub fn begins_with(earlier: &Checkpoint, later: &dyn Files, has: u64) -> Result<Relation, CopyError> {
    if has < earlier.size {
        return Ok(Relation::Cut { at: has, begins_so: None });
    }
    let mut beginning = Frontier::new();
    let entries = Bundles::hashes(later, has);
    for hash in entries.take(usize::try_from(earlier.size).unwrap_or(usize::MAX)) {
        beginning.append(hash?);
    }
    let same = (beginning.size(), beginning.root()) == (earlier.size, earlier.root);
    Ok(match same {
        false => Relation::Forked { before: earlier.size },
        true if has == earlier.size => Relation::Same,
        true => Relation::Extended(earlier.size),
    })
}

/// The first entry of a copy that is not what its tiles of the lowest level say.
pub(super) fn against_tiles(files: &dyn Files, size: u64) -> Result<Option<(u64, Difference)>, CopyError> {
    let (tiles, entries) = (|| level(files, size, 0), || Bundles::hashes(files, size));
    match first_difference(&tiles, &entries)? {
        Apart::At(index, difference) => Ok(Some((index, difference))),
        Apart::Ended(at) => Ok(Some((at, Difference::Dropped))),
        Apart::Nowhere(at) if entries().count() as u64 > size => Ok(Some((at, Difference::Inserted))),
        Apart::Nowhere(_) => Ok(None),
    }
}

/// Where two sequences part.
enum Apart {
    /// At an index that both have.
    At(u64, Difference),
    /// The other one ends first, before this index.
    Ended(u64),
    /// The other one begins with all of the one, which ends before this index.
    Nowhere(u64),
}

/// Leaves are never the same twice, so that an entry that is found elsewhere is that entry.
fn first_difference<'a>(one: &dyn Fn() -> Hashes<'a>, other: &dyn Fn() -> Hashes<'a>) -> Result<Apart, CopyError> {
    let (mut ours, mut theirs) = (one(), other());
    let mut at = 0;
    loop {
        let Some(expected) = ours.next().transpose()? else { return Ok(Apart::Nowhere(at)) };
        let found = match theirs.next() {
            Some(Ok(found)) => found,
            // What is left of a tail after a file that is gone is no part of the copy.
            None | Some(Err(CopyError::Missing(_))) => return Ok(Apart::Ended(at)),
            Some(Err(fault)) => return Err(fault),
        };
        if expected != found {
            let difference = match (later(theirs, expected)?, later(ours, found)?) {
                (false, false) => Difference::Changed,
                (false, true) => Difference::Dropped,
                (true, false) => Difference::Inserted,
                (true, true) => Difference::Moved,
            };
            return Ok(Apart::At(at, difference));
        }
        at += 1;
    }
}

/// Is a hash among those that follow, as far as there are any?
fn later(rest: Hashes<'_>, wanted: Hash) -> Result<bool, CopyError> {
    for hash in rest {
        match hash {
            Ok(hash) if hash == wanted => return Ok(true),
            Ok(_) => {}
            Err(CopyError::Missing(_)) => return Ok(false),
            Err(fault) => return Err(fault),
        }
    }
    Ok(false)
}
