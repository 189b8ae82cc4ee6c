//! The Merkle tree over the log's entries: RFC 6962 section 2, as RFC 9162 section 2.1 restates it.
//!
//! A tree of `n` leaves is stored as the nodes of its *complete* subtrees, each of which is final as
//! soon as its last leaf is there. [`Frontier::append`] returns them in the order in which they become
//! final; proofs ask a [`NodeSource`] for them and for nothing else. The nodes on the ragged right edge
//! are recomputed from these.

use sha2::{Digest, Sha256};

pub use super::text::Hash;

mod proof;

pub use proof::{prove_consistency, prove_inclusion, verify_consistency, verify_inclusion};

/// Trees have fewer than 2^53 leaves, so that a size is exact in every reader of JSON.
pub const MAX_SIZE: u64 = 1 << 53;

impl Hash {
    /// The hash of a leaf: `SHA-256(0x00 ‖ data)`.
    pub fn leaf(data: &[u8]) -> Self {
        Self::from_bytes(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
    }

    /// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
    pub fn node(left: &Self, right: &Self) -> Self {
        let hash = Sha256::new().chain_update([1]).chain_update(left.as_bytes()).chain_update(right.as_bytes());
        Self::from_bytes(hash.finalize().into())
    }

    /// The root of the tree without leaves: `SHA-256()`.
    pub fn empty() -> Self {
        Self::from_bytes(Sha256::digest([]).into())
    }
}

/// A complete subtree: the leaves from `index << level` up to `(index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeAddress {
    /// Height above the leaves; a leaf has level 0.
    pub level: u8,
    /// Position among the nodes of the same level, from the left.
    pub index: u64,
}

/// What can go wrong around the tree.
#[derive(Debug, thiserror::Error)]
pub enum MerkleError {
    /// A node that the tree's size says is final is not there.
    #[error("tree node {}/{} is missing", .0.level, .0.index)]
    Missing(NodeAddress),
    /// The store could not answer.
    #[error("tree node {}/{} could not be read", .at.level, .at.index)]
    Store {
        /// The node that was asked for.
        at: NodeAddress,
        /// What the store said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A leaf or an older size that the tree does not have.
    #[error("{index} is not within a tree of {size} leaves")]
    OutOfRange {
        /// What was asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A size beyond [`MAX_SIZE`].
    #[error("a tree of {0} leaves is larger than is supported")]
    TooLarge(u64),
    /// The proof has more or fewer hashes than the position calls for.
    #[error("the proof has the wrong length")]
    ProofLength,
    /// The proof leads to another root.
    #[error("the proof does not lead to the root")]
    Mismatch,
}

/// Where complete subtrees are looked up.
pub trait NodeSource {
    /// The hash of a complete subtree; [`MerkleError::Missing`] when it is not there.
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError>;
}

/// What has to be remembered of a tree in order to append to it: its size, and the roots of the
/// complete subtrees of which it consists, largest first, one for each bit set in the size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    edge: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of `size` leaves, from stored nodes.
    pub fn from_nodes(size: u64, source: &dyn NodeSource) -> Result<Self, MerkleError> {
        let edge = subtrees(0, checked(size)?).map(|at| source.node(at)).collect::<Result<_, _>>()?;
        Ok(Self { size, edge })
    }

    /// The number of leaves; also the index that the next leaf gets.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and returns every complete subtree that it completed, the leaf itself first.
    pub fn append(&mut self, leaf: Hash) -> Vec<(NodeAddress, Hash)> {
        let mut at = NodeAddress { level: 0, index: self.size };
        let mut hash = leaf;
        let mut complete = vec![(at, hash)];
        // A node with an odd index is a right child, and its left sibling is the last one on the edge.
        while at.index & 1 == 1
            && let Some(left) = self.edge.pop()
        {
            hash = Hash::node(&left, &hash);
            at = NodeAddress { level: at.level + 1, index: at.index >> 1 };
            complete.push((at, hash));
        }
        self.edge.push(hash);
        self.size += 1;
        complete
    }

    /// The root of the tree as it is.
    pub fn root(&self) -> Hash {
        fold(&self.edge).unwrap_or_else(Hash::empty)
    }
}

fn checked(size: u64) -> Result<u64, MerkleError> {
    if size <= MAX_SIZE { Ok(size) } else { Err(MerkleError::TooLarge(size)) }
}

/// The complete subtrees of which the leaves `start..end` consist, largest first. `start` is a multiple
/// of the largest, as it is wherever RFC 6962 splits a tree.
fn subtrees(start: u64, end: u64) -> impl Iterator<Item = NodeAddress> {
    let mut at = start;
    std::iter::from_fn(move || {
        let level = (end - at).checked_ilog2()?;
        let node = NodeAddress { level: level as u8, index: at >> level };
        at += 1 << level;
        Some(node)
    })
}

/// The root over subtrees given largest first: the smallest two are joined first.
pub(super) fn fold(subtrees: &[Hash]) -> Option<Hash> {
    subtrees.iter().rev().copied().reduce(|right, left| Hash::node(&left, &right))
}

#[cfg(test)]
mod tests;
