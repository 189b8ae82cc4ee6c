//! Inclusion and consistency proofs: RFC 9162 sections 2.1.3 and 2.1.4.
//!
//! Proving walks down from the root, verifying walks up from the leaf; the two share nothing, so an
//! error in one is not repeated in the other.

use super::{Hash, MerkleError, NodeSource, checked, fold, subtrees};

/// The hashes that lead from leaf `index` to the root of the tree with `size` leaves, lowest first.
pub fn prove_inclusion(source: &dyn NodeSource, index: u64, size: u64) -> Result<Vec<Hash>, MerkleError> {
    if index >= checked(size)? {
        return Err(MerkleError::OutOfRange { index, size });
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(root_of(source, middle, end)?);
            end = middle;
        } else {
            proof.push(root_of(source, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the tree with `new` leaves begins with the tree with `old` leaves.
///
/// Every tree begins with the empty one and with itself; those proofs have no hashes.
pub fn prove_consistency(source: &dyn NodeSource, old: u64, new: u64) -> Result<Vec<Hash>, MerkleError> {
    if old > checked(new)? {
        return Err(MerkleError::OutOfRange { index: old, size: new });
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(root_of(source, middle, end)?);
            end = middle;
        } else {
            proof.push(root_of(source, start, middle)?);
            start = middle;
        }
    }
    // The verifier has the old root: it is left out where it is itself a node of the new tree.
    if start > 0 {
        proof.push(root_of(source, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks that `leaf` is at `index` in the tree with `size` leaves and this root.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), MerkleError> {
    if index >= checked(size)? {
        return Err(MerkleError::OutOfRange { index, size });
    }
    let mut climb = Climb { node: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        hash = match climb.step()? {
            Side::Left => Hash::node(sibling, &hash),
            Side::Right => Hash::node(&hash, sibling),
        };
    }
    climb.finish()?;
    if hash == *root { Ok(()) } else { Err(MerkleError::Mismatch) }
}

/// Checks that the tree of `new` leaves begins with the tree of `old` leaves.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if old > checked(new)? {
        return Err(MerkleError::OutOfRange { index: old, size: new });
    }
    if old == 0 || old == new {
        let known = if old == 0 { &Hash::empty() } else { new_root };
        return match (proof.is_empty(), old_root == known) {
            (false, _) => Err(MerkleError::ProofLength),
            (true, false) => Err(MerkleError::Mismatch),
            (true, true) => Ok(()),
        };
    }
    // Start from the last complete subtree of the old tree: its own root, if it is all of that tree.
    let (first, rest) = match (old.is_power_of_two(), proof) {
        (true, rest) => (old_root, rest),
        (false, [first, rest @ ..]) => (first, rest),
        (false, []) => return Err(MerkleError::ProofLength),
    };
    let skipped = old.trailing_zeros();
    let mut climb = Climb { node: (old - 1) >> skipped, last: (new - 1) >> skipped };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        match climb.step()? {
            Side::Left => {
                old_hash = Hash::node(sibling, &old_hash);
                new_hash = Hash::node(sibling, &new_hash);
            }
            Side::Right => new_hash = Hash::node(&new_hash, sibling),
        }
    }
    climb.finish()?;
    if old_hash == *old_root && new_hash == *new_root { Ok(()) } else { Err(MerkleError::Mismatch) }
}

/// On which side the next sibling is.
enum Side {
    Left,
    Right,
}

/// The way from a node up to the root, level by level; `last` is the rightmost node of the level.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    fn step(&mut self) -> Result<Side, MerkleError> {
        if self.last == 0 {
            return Err(MerkleError::ProofLength);
        }
        let side = if self.node & 1 == 1 {
            Side::Left
        } else if self.node == self.last {
            // A rightmost node without sibling rises unchanged until it is a right child.
            let levels = self.node.trailing_zeros();
            self.node >>= levels;
            self.last >>= levels;
            Side::Left
        } else {
            Side::Right
        };
        self.node >>= 1;
        self.last >>= 1;
        Ok(side)
    }

    fn finish(self) -> Result<(), MerkleError> {
        if self.last == 0 { Ok(()) } else { Err(MerkleError::ProofLength) }
    }
}

/// The largest power of two smaller than `n`, which is at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The root over the leaves `start..end`.
fn root_of(source: &dyn NodeSource, start: u64, end: u64) -> Result<Hash, MerkleError> {
    let nodes = subtrees(start, end).map(|at| source.node(at)).collect::<Result<Vec<_>, _>>()?;
    fold(&nodes).ok_or(MerkleError::OutOfRange { index: start, size: end })
}
