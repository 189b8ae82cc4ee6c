//! Logs that two databases have in common. A log is continued where one side has the beginning of what the other has, node
//! by node; where they have gone different ways, continuing either would fork what was signed.

use std::collections::BTreeMap;

use lethe_crypto::log::merkle::{Frontier, MerkleError, NodeSource};
use lethe_crypto::tree::TreeId;

use super::LogHead;
use super::StoreError;
use super::db::{Database, Nodes, NodesThen, Reach, Reader};
use super::keys::{Key, RowKind};
use super::marks::Lost;

/// A log, as two databases have it.
pub(super) struct Shared {
    pub(super) tree: TreeId,
    /// As the one has it that is copied from; it may have none.
    pub(super) head: Option<LogHead>,
    /// Entries, from the first, that are the same.
    pub(super) common: u64,
    /// Entries of the one that is copied to, if it has the log at all.
    pub(super) there: Option<u64>,
}

impl Shared {
    /// Entries of the one that is copied from.
    pub(super) fn size(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.size)
    }

    /// Is the log only to be continued?
    pub(super) fn goes_on(&self) -> bool {
        self.head.is_some() && self.common == self.there.unwrap_or(0)
    }
}

/// Compares all logs of two databases. Where the one that is copied to lost rows of its logs, nothing that is left of them counts.
pub(super) fn compare(from: &Reader<'_>, to: &Database, lost: Lost) -> Result<Vec<Shared>, StoreError> {
    let mut theirs = BTreeMap::new();
    to.scan(RowKind::LogHead, &Key::prefix(RowKind::LogHead), Reach::Long, |key, value| {
        if let Key::LogHead { tree } = key {
            theirs.insert(tree, LogHead::decode(value)?);
        }
        Ok::<_, StoreError>(())
    })?;
    let mut shared = Vec::new();
    for row in from.rows(RowKind::LogHead) {
        let (key, value) = row?;
        let Key::LogHead { tree } = Key::decode(&key)? else { continue };
        let head = LogHead::decode(&value)?;
        let theirs = theirs.remove(&tree);
        let common = match &theirs {
            Some(theirs) if theirs.origin == head.origin && !lost.log => {
                let (ours, others) = (NodesThen(from, tree), Nodes(to, tree));
                common(&ours, head.size, &others, theirs.size)?
            }
            Some(_) | None => 0,
        };
        shared.push(Shared { tree, head: Some(head), common, there: theirs.map(|theirs| theirs.size) });
    }
    let others = theirs.into_iter();
    shared.extend(others.map(|(tree, theirs)| Shared { tree, head: None, common: 0, there: Some(theirs.size) }));
    Ok(shared)
}

/// How many entries, from the first, two trees have in common. If they have so many, they have all before: it is searched
/// by halves.
fn common(one: &dyn NodeSource, size: u64, other: &dyn NodeSource, other_size: u64) -> Result<u64, MerkleError> {
    let same = |size| Ok::<_, MerkleError>(Frontier::from_nodes(size, one)? == Frontier::from_nodes(size, other)?);
    let shorter = size.min(other_size);
    if same(shorter)? {
        return Ok(shorter);
    }
    let (mut common, mut apart) = (0, shorter);
    while apart - common > 1 {
        let middle = common + (apart - common) / 2;
        if same(middle)? {
            common = middle;
        } else {
            apart = middle;
        }
    }
    Ok(common)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use lethe_crypto::log::merkle::{Hash, NodeAddress};

    use super::*;

    #[derive(Default)]
    struct Tree(HashMap<NodeAddress, Hash>);

    impl NodeSource for Tree {
        fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
            self.0.get(&at).copied().ok_or(MerkleError::Missing(at))
        }
    }

    /// A tree whose leaves differ from those of others from `fork` on.
    fn tree(size: u64, fork: u64, name: u8) -> Tree {
        let (mut frontier, mut tree) = (Frontier::new(), Tree::default());
        for leaf in 0..size {
            let by = if leaf < fork { 0 } else { name };
            tree.0.extend(frontier.append(Hash::leaf(&[&[by][..], &leaf.to_be_bytes()].concat())));
        }
        tree
    }

    #[test]
    fn the_common_beginning_is_found() {
        for fork in [0, 1, 2, 7, 8, 31, 40] {
            for (one, other) in [(40, 40), (40, 33), (9, 40), (0, 5), (5, 0)] {
                let (a, b) = (tree(one, fork, 1), tree(other, fork, 2));
                let expected = fork.min(one).min(other);
                assert_eq!(common(&a, one, &b, other).unwrap(), expected, "{fork}: {one} and {other}");
            }
        }
    }
}
