use std::cmp::Ordering;

use super::held::{forget_former, keep_former};
use super::{Position, is_mirrored, position_of, row_of_position};
use crate::store::change::Row;
use crate::store::db::{Database, Reader};
use crate::store::keys::{Key, RowKind};
use crate::store::logs::{self, Shared};
use crate::store::marks::Lost;
use crate::store::{LogHead, StoreError};

/// Bytes that are written in one batch, and so whole or not at all, if the copy is no larger. Tests copy in parts, too.
const AT_ONCE: usize = if cfg!(test) { 32 << 10 } else { 64 << 20 };

/// Makes the rows of a mirror those of `from`, and then its position. What it had before is kept until it has this in
/// whole. Gives the number of rows that differed.
///
/// # Errors
/// `Corrupt`, before anything is written, if a log of the mirror is not the beginning of the same one in `from`: going on
/// with it would fork it.
pub(in crate::store) fn follow(from: &Reader<'_>, mirror: &Database, position: Position) -> Result<u64, StoreError> {
    let there = position_of(mirror)?;
    let shared = logs::compare(from, mirror, Lost::default())?;
    // What is there in parts is of no worth: its logs may be cut.
    let is_whole = there.is_some_and(|there| there.whole);
    if is_whole && let Some(fork) = shared.iter().find(|log| !log.goes_on()) {
        let place = format!("{}: {} has another one from entry {} on", fork.tree, mirror.path().display(), fork.common);
        return Err(StoreError::corrupt("log", place));
    }
    let parts = Parts::Mirror { position, there };
    let count = copy(from, Target { to: mirror, rows: Vec::new(), bytes: 0, count: 0, parts }, shared)?;
    forget_former(mirror)?;
    Ok(count)
}

/// Makes the mirrored rows of a database that is being restored those of a mirror. Its logs are cut where they are others.
/// Gives the number of rows that differed. What was `lost` of the logs is copied from the first entry on.
pub(in crate::store) fn adopt(mirror: &Reader<'_>, db: &Database, lost: Lost) -> Result<u64, StoreError> {
    let mut shared = logs::compare(mirror, db, lost)?;
    let mut target = Target { to: db, rows: Vec::new(), bytes: 0, count: 0, parts: Parts::Restored };
    if lost.log {
        // Whatever is left of them, and wherever.
        for log in &mut shared {
            for kind in [RowKind::LogHead, RowKind::LogEntry, RowKind::LogNode] {
                target.push(Row::DeleteTree(kind, log.tree))?;
            }
            log.there = None;
        }
    }
    copy(mirror, target, shared)
}

fn copy(from: &Reader<'_>, mut target: Target<'_>, shared: Vec<Shared>) -> Result<u64, StoreError> {
    for kind in RowKind::ALL.into_iter().filter(|kind| is_mirrored(*kind) && !is_log(*kind)) {
        merge(from, &mut target, kind)?;
    }
    for log in shared {
        continue_log(from, &mut target, &log)?;
    }
    if let Parts::Mirror { position, .. } = target.parts {
        target.rows.push(row_of_position(position));
    }
    target.flush()?;
    target.to.sync()?;
    Ok(target.count)
}

const fn is_log(kind: RowKind) -> bool {
    matches!(kind, RowKind::LogHead | RowKind::LogEntry | RowKind::LogNode)
}

/// What is to be written, until it is.
struct Target<'a> {
    to: &'a Database,
    rows: Vec<Row>,
    bytes: usize,
    count: u64,
    parts: Parts,
}

/// What becomes of a copy that is too large for one batch.
#[derive(Clone, Copy)]
enum Parts {
    /// A restore that is cut short is run again.
    Restored,
    /// A mirror says so, and has what it had before aside.
    Mirror { position: Position, there: Option<Position> },
}

impl Target<'_> {
    fn push(&mut self, row: Row) -> Result<(), StoreError> {
        self.bytes += row.size();
        self.count += 1;
        self.rows.push(row);
        if self.bytes < AT_ONCE {
            return Ok(());
        }
        if let Parts::Mirror { position, there } = &mut self.parts {
            keep_former(self.to, *there)?;
            let in_parts = Position::in_parts(position.id);
            self.rows.push(row_of_position(in_parts));
            *there = Some(in_parts);
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.to.write(&[&self.rows])?;
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// Walks both sides in key order.
fn merge(from: &Reader<'_>, target: &mut Target<'_>, kind: RowKind) -> Result<(), StoreError> {
    let reader = target.to.reader();
    let (mut ours, mut theirs) = (from.rows(kind), reader.rows(kind));
    let (mut our, mut their) = (ours.next().transpose()?, theirs.next().transpose()?);
    loop {
        let order = match (&our, &their) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((ours, _)), Some((theirs, _))) => ours.cmp(theirs),
        };
        if order.is_le()
            && let Some((key, value)) = our.take()
        {
            if order.is_lt() || their.as_ref().is_some_and(|(_, theirs)| *theirs != value) {
                target.push(Row::Put(Key::decode(&key)?, value.to_vec()))?;
            }
            our = ours.next().transpose()?;
        }
        if order.is_ge()
            && let Some((key, _)) = their.take()
        {
            if order.is_gt() {
                target.push(Row::Delete(Key::decode(&key)?))?;
            }
            their = theirs.next().transpose()?;
        }
    }
}

/// Appends what `from` has of a log beyond what both have. What the target has beyond it, too, is cut off first.
fn continue_log(from: &Reader<'_>, target: &mut Target<'_>, log: &Shared) -> Result<(), StoreError> {
    let Shared { tree, common, .. } = *log;
    let there = log.there.unwrap_or(0);
    if there > common {
        // A head never counts entries that are not there.
        match &log.head {
            Some(LogHead { origin, .. }) => {
                let head = LogHead { size: common, origin: origin.clone() };
                target.push(Row::Put(Key::LogHead { tree }, head.encode()))?;
            }
            None => target.push(Row::Delete(Key::LogHead { tree }))?,
        }
        for index in common..there {
            target.push(Row::Delete(Key::LogEntry { tree, index }))?;
        }
        for level in 0..64_u8 {
            for index in common >> level..there >> level {
                target.push(Row::Delete(Key::LogNode { tree, level, index }))?;
            }
        }
    }
    let Some(head) = &log.head else { return Ok(()) };
    for index in common..head.size {
        let key = Key::LogEntry { tree, index };
        let entry = from.get(&key)?.ok_or_else(|| StoreError::corrupt("log", format!("{tree}: no entry {index}")))?;
        target.push(Row::Put(key, entry))?;
    }
    for level in 0..64_u8 {
        for index in common >> level..head.size >> level {
            let key = Key::LogNode { tree, level, index };
            if let Some(hash) = from.get(&key)? {
                target.push(Row::Put(key, hash))?;
            }
        }
    }
    if log.there != Some(head.size) || common < head.size {
        target.push(Row::Put(Key::LogHead { tree }, head.encode()))?;
    }
    Ok(())
}
