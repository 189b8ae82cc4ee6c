use std::collections::{BTreeSet, HashMap};

use lethe_crypto::log::entry::EntryDraft;
use lethe_crypto::log::merkle::{Frontier, Hash};
use lethe_crypto::log::text::Origin;
use lethe_crypto::tree::TreeId;
use lethe_rows::LogHead;

use super::StoreError;
use super::change::{Closing, Entry, Row, Succeeding};
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
        closing: Option<Closing>,
        succeeding: Option<Succeeding>,
        rows: &mut Vec<Row>,
    ) -> Result<Vec<u64>, StoreError> {
        let mut next: HashMap<TreeId, u64> = HashMap::new();
        let mut finished = Vec::with_capacity(entries.len());
        let no_log = |tree: TreeId| StoreError::corrupt("log", format!("{tree:?}"));
        let mut finish = |tree: TreeId, draft: EntryDraft| {
            let new = opened.iter().find(|(of, _)| *of == tree).map(|(_, origin)| (origin, 0));
            let old = self.logs.get(&tree).map(|tail| (&tail.origin, tail.frontier.size()));
            let (origin, size) = new.or(old).ok_or_else(|| no_log(tree))?;
            // A tenant's policy is its own affair: of what stands in both logs the version is in the tenant's alone.
            let draft = if tree == TreeId::VAULT { draft.without_policy() } else { draft };
            let index = next.entry(tree).or_insert(size);
            let finished = (tree, *index, draft.finish(*index, origin)?);
            *index += 1;
            Ok::<_, StoreError>(finished)
        };
        for Entry { tree, draft, located } in entries {
            finished.push((finish(tree, draft)?, located));
        }
        if let Some(Closing { tree, entry }) = closing {
            let end = self.end(tree, finished.iter().map(|(finished, _)| finished)).ok_or_else(|| no_log(tree))?;
            finished.push((finish(TreeId::VAULT, entry(end)?)?, None));
        }
        if let Some(Succeeding { tree, row }) = succeeding {
            let end = self.end(tree, finished.iter().map(|(finished, _)| finished)).ok_or_else(|| no_log(tree))?;
            rows.push(row(end)?);
        }
        for (tree, origin) in opened {
            self.grown.insert(tree);
            self.logs.insert(tree, Tail { origin, frontier: Frontier::new() });
        }
        let mut leaves = Vec::with_capacity(finished.len());
        for ((tree, index, entry), located) in finished {
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

    /// The end of a log with entries that are still to be appended; `None` if there is no such log yet.
    fn end<'a>(
        &self,
        tree: TreeId,
        finished: impl Iterator<Item = &'a (TreeId, u64, lethe_crypto::log::entry::Entry)>,
    ) -> Option<LogEnd> {
        let tail = self.logs.get(&tree)?;
        let mut frontier = tail.frontier.clone();
        for (_, _, entry) in finished.filter(|(of, _, _)| *of == tree) {
            frontier.append(entry.leaf());
        }
        Some(LogEnd { origin: tail.origin.clone(), size: frontier.size(), root: frontier.root() })
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

/// Where a log ends, for good.
pub struct LogEnd {
    /// Its name.
    pub origin: Origin,
    /// Entries in it.
    pub size: u64,
    /// The root hash of the tree of them all.
    pub root: Hash,
}
