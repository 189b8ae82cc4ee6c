use std::collections::{BTreeSet, HashMap};

use lethe_crypto::log::merkle::Frontier;
use lethe_crypto::log::text::Origin;
use lethe_crypto::tree::TreeId;

use super::StoreError;
use super::change::{Entry, Row};
use super::db::{Database, Nodes, Reach};
use super::keys::{Key, RowKind};

/// The end of every log: where the next entry goes. Owned by the commit thread, because an entry's pseudonym
/// depends on its index and so can only be made in commit order.
pub(super) struct Book {
    logs: HashMap<TreeId, Tail>,
    /// Logs whose heads are still to be written.
    grown: BTreeSet<TreeId>,
}

struct Tail {
    origin: Origin,
    frontier: Frontier,
}

impl Book {
    /// Reads the ends of all logs.
    pub(super) fn load(db: &Database) -> Result<Self, StoreError> {
        let mut logs = HashMap::new();
        db.scan(RowKind::LogHead, &Key::prefix(RowKind::LogHead), Reach::Long, |key, value| {
            if let Key::LogHead { tree } = key {
                let head = LogHead::decode(value)?;
                let frontier = Frontier::from_nodes(head.size, &Nodes(db, tree))?;
                logs.insert(tree, Tail { origin: head.origin, frontier });
            }
            Ok::<_, StoreError>(())
        })?;
        Ok(Self { logs, grown: BTreeSet::new() })
    }

    /// Opens logs and appends entries: their rows go to `rows`, but for the [`Book::heads`]. Nothing is appended where one of
    /// the entries cannot be made. Gives the leaf index of each entry.
    pub(super) fn write(
        &mut self,
        opened: Vec<(TreeId, Origin)>,
        entries: Vec<Entry>,
        rows: &mut Vec<Row>,
    ) -> Result<Vec<u64>, StoreError> {
        let mut next: HashMap<TreeId, u64> = HashMap::new();
        let mut finished = Vec::with_capacity(entries.len());
        for Entry { tree, draft, located } in entries {
            let new = opened.iter().find(|(of, _)| *of == tree).map(|(_, origin)| (origin, 0));
            let old = self.logs.get(&tree).map(|tail| (&tail.origin, tail.frontier.size()));
            let (origin, size) = new.or(old).ok_or_else(|| StoreError::corrupt("log", format!("{tree:?}")))?;
            let index = next.entry(tree).or_insert(size);
            finished.push((tree, *index, draft.finish(*index, origin)?, located));
            *index += 1;
        }
        for (tree, origin) in opened {
            self.grown.insert(tree);
            self.logs.insert(tree, Tail { origin, frontier: Frontier::new() });
        }
        let mut leaves = Vec::with_capacity(finished.len());
        for (tree, index, entry, located) in finished {
            leaves.push(index);
            rows.extend(located.map(|row| row(index)));
            rows.push(Row::Put(Key::LogEntry { tree, index }, entry.encode()));
            if let Some(tail) = self.logs.get_mut(&tree) {
                for (at, hash) in tail.frontier.append(entry.leaf()) {
                    let key = Key::LogNode { tree, level: at.level, index: at.index };
                    rows.push(Row::Put(key, hash.as_bytes().to_vec()));
                }
            }
        }
        self.grown.extend(next.into_keys());
        Ok(leaves)
    }

    /// The heads of the logs that have grown since they were last asked for: the last rows of a batch, once for all changes
    /// in it.
    pub(super) fn heads(&mut self) -> Vec<Row> {
        let grown = std::mem::take(&mut self.grown).into_iter();
        let head = |tree| {
            let tail = self.logs.get(&tree)?;
            let head = LogHead { size: tail.frontier.size(), origin: tail.origin.clone() };
            Some(Row::Put(Key::LogHead { tree }, head.encode()))
        };
        grown.filter_map(head).collect()
    }
}

/// A log's size and name, as stored.
pub struct LogHead {
    /// Entries in it.
    pub size: u64,
    /// Its name, and that of its key.
    pub origin: Origin,
}

impl LogHead {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.origin.to_string().as_bytes());
        bytes
    }

    /// Reads a head back.
    ///
    /// # Errors
    /// `Corrupt` where it is too short or its origin is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let wrong = || StoreError::corrupt("log head", hex::encode(bytes));
        let (size, origin) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let origin = std::str::from_utf8(origin).ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        Ok(Self { size: u64::from_be_bytes(*size), origin })
    }
}
