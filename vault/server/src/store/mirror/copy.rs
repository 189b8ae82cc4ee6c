use std::cmp::Ordering;

use lethe_crypto::tree::TreeId;

use super::{MirrorId, Position, is_mirrored};
use crate::store::StoreError;
use crate::store::book::LogHead;
use crate::store::change::Row;
use crate::store::db::{Database, Reader};
use crate::store::keys::{Key, RowKind};

/// Bytes that are written in one batch, and so whole or not at all, if the copy is no larger.
const AT_ONCE: usize = 64 << 20;

/// Makes the mirrored rows of `to` those of `from`. `position`, of a mirror, is written with the last of them; until
/// then a copy that is too large for one batch says that it is not whole. Gives the number of rows that differed.
///
/// Rows of logs are never compared, only continued: they do not change.
pub(in crate::store) fn copy(from: &Reader<'_>, to: &Database, position: Option<Position>) -> Result<u64, StoreError> {
    let mut target = Target { to, rows: Vec::new(), bytes: 0, count: 0, mirror: position.map(|position| position.id) };
    for kind in RowKind::ALL.into_iter().filter(|kind| is_mirrored(*kind) && !is_log(*kind)) {
        merge(from, &mut target, kind)?;
    }
    continue_logs(from, &mut target)?;
    target.rows.extend(position.map(Position::row));
    target.flush()?;
    to.sync()?;
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
    /// Set if `to` is a mirror: one that is copied to in parts says so.
    mirror: Option<MirrorId>,
}

impl Target<'_> {
    fn push(&mut self, row: Row) -> Result<(), StoreError> {
        self.bytes += 64 + if let Row::Put(_, value) = &row { value.len() } else { 0 };
        self.count += 1;
        self.rows.push(row);
        if self.bytes < AT_ONCE {
            return Ok(());
        }
        if let Some(id) = self.mirror {
            self.rows.push(Position { id, sequence: 0, whole: false }.row());
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

/// Appends what `from` has of each log beyond what `to` has. A log that is shorter in `from` is never cut.
fn continue_logs(from: &Reader<'_>, target: &mut Target<'_>) -> Result<(), StoreError> {
    let mut heads: Vec<(TreeId, Vec<u8>)> = Vec::new();
    for row in from.rows(RowKind::LogHead) {
        let (key, value) = row?;
        if let Key::LogHead { tree } = Key::decode(&key)? {
            heads.push((tree, value.to_vec()));
        }
    }
    for (tree, bytes) in heads {
        let ours = LogHead::decode(&bytes)?;
        let theirs = target.to.get(&Key::LogHead { tree })?.map(|bytes| LogHead::decode(&bytes)).transpose()?;
        let known = match &theirs {
            Some(theirs) if theirs.origin == ours.origin => theirs.size,
            Some(_) => return Err(StoreError::corrupt("log head", format!("{tree}: another log stands in its place"))),
            None => 0,
        };
        if known > ours.size {
            return Err(StoreError::corrupt("log", format!("{tree}: the copy would be shorter, which would fork it")));
        }
        for index in known..ours.size {
            let key = Key::LogEntry { tree, index };
            let entry =
                from.get(&key)?.ok_or_else(|| StoreError::corrupt("log", format!("{tree}: no entry {index}")))?;
            target.push(Row::Put(key, entry))?;
        }
        for level in 0..64_u8 {
            for index in known >> level..ours.size >> level {
                let key = Key::LogNode { tree, level, index };
                if let Some(hash) = from.get(&key)? {
                    target.push(Row::Put(key, hash))?;
                }
            }
        }
        if theirs.is_none() || known < ours.size {
            target.push(Row::Put(Key::LogHead { tree }, bytes))?;
        }
    }
    Ok(())
}
