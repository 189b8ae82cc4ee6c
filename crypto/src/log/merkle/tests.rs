use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// Every node that was ever returned by `append`.
#[derive(Default)]
struct Nodes(HashMap<NodeAddress, Hash>);

impl NodeSource for Nodes {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        self.0.get(&at).copied().ok_or(MerkleError::Missing(at))
    }
}

/// RFC 6962, section 2.1: the definitions, word for word, with no cleverness to share errors with.
mod naive {
    use super::Hash;

    fn k(n: usize) -> usize {
        let mut k = 1;
        while k * 2 < n {
            k *= 2;
        }
        k
    }

    pub(super) fn mth(d: &[Vec<u8>]) -> Hash {
        match d.len() {
            0 => Hash::empty(),
            1 => Hash::leaf(&d[0]),
            n => Hash::node(&mth(&d[..k(n)]), &mth(&d[k(n)..])),
        }
    }

    pub(super) fn path(m: usize, d: &[Vec<u8>]) -> Vec<Hash> {
        let n = d.len();
        if n == 1 {
            return vec![];
        }
        let k = k(n);
        let (mut path, sibling) =
            if m < k { (path(m, &d[..k]), mth(&d[k..])) } else { (path(m - k, &d[k..]), mth(&d[..k])) };
        path.push(sibling);
        path
    }

    pub(super) fn proof(m: usize, d: &[Vec<u8>]) -> Vec<Hash> {
        subproof(m, d, true)
    }

    fn subproof(m: usize, d: &[Vec<u8>], whole: bool) -> Vec<Hash> {
        let n = d.len();
        if m == n {
            return if whole { vec![] } else { vec![mth(d)] };
        }
        let k = k(n);
        let (mut proof, sibling) = if m <= k {
            (subproof(m, &d[..k], whole), mth(&d[k..]))
        } else {
            (subproof(m - k, &d[k..], false), mth(&d[..k]))
        };
        proof.push(sibling);
        proof
    }
}

fn leaves(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|i| format!("leaf {i}").into_bytes()).collect()
}

fn grow(leaves: &[Vec<u8>]) -> (Frontier, Nodes) {
    let mut frontier = Frontier::new();
    let mut nodes = Nodes::default();
    for leaf in leaves {
        for (at, hash) in frontier.append(Hash::leaf(leaf)) {
            assert!(nodes.0.insert(at, hash).is_none(), "{at:?} became final twice");
        }
    }
    (frontier, nodes)
}

fn hash(hex: &str) -> Hash {
    hex.parse().unwrap()
}

/// The inputs and roots that Certificate Transparency implementations share.
const INPUTS: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn known_inputs() -> Vec<Vec<u8>> {
    INPUTS.iter().map(|input| hex::decode(input).unwrap()).collect()
}

#[test]
fn roots_match_the_certificate_transparency_vectors() {
    let inputs = known_inputs();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(grow(&inputs[..size]).0.root(), hash(root), "size {size}");
    }
}

#[test]
fn nodes_match_the_certificate_transparency_vectors() {
    let (_, nodes) = grow(&known_inputs());
    for (level, index, node) in [
        (0, 3, "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7"),
        (0, 7, "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1"),
        (1, 1, "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"),
        (1, 3, "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
        (2, 1, "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"),
        (3, 0, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ] {
        assert_eq!(nodes.node(NodeAddress { level, index }).unwrap(), hash(node), "{level}/{index}");
    }
    assert_eq!(nodes.0.len(), 15);
}

/// RFC 6962, section 2.1.3: the example tree of seven leaves, its paths by the names of their nodes.
#[test]
fn the_example_of_rfc_6962_holds() {
    let d: Vec<Vec<u8>> = (0..7).map(|i| vec![i]).collect();
    let (_, nodes) = grow(&d);
    let leaf = |i: usize| Hash::leaf(&d[i]);
    let (g, h, i, j) =
        (Hash::node(&leaf(0), &leaf(1)), Hash::node(&leaf(2), &leaf(3)), Hash::node(&leaf(4), &leaf(5)), leaf(6));
    let (k, l) = (Hash::node(&g, &h), Hash::node(&i, &j));

    assert_eq!(prove_inclusion(&nodes, 0, 7).unwrap(), [leaf(1), h, l]);
    assert_eq!(prove_inclusion(&nodes, 3, 7).unwrap(), [leaf(2), g, l]);
    assert_eq!(prove_inclusion(&nodes, 4, 7).unwrap(), [leaf(5), j, k]);
    assert_eq!(prove_inclusion(&nodes, 6, 7).unwrap(), [i, k]);
    assert_eq!(prove_consistency(&nodes, 3, 7).unwrap(), [leaf(2), leaf(3), g, l]);
    assert_eq!(prove_consistency(&nodes, 4, 7).unwrap(), [l]);
    assert_eq!(prove_consistency(&nodes, 6, 7).unwrap(), [i, j, k]);
}

#[test]
fn every_size_agrees_with_the_definition() {
    let all = leaves(200);
    let (_, nodes) = grow(&all);
    let mut frontier = Frontier::new();
    for size in 0..=all.len() {
        let root = naive::mth(&all[..size]);
        assert_eq!(frontier.root(), root, "size {size}");
        assert_eq!(frontier, Frontier::from_nodes(size as u64, &nodes).unwrap(), "size {size}");
        if let Some(leaf) = all.get(size) {
            frontier.append(Hash::leaf(leaf));
        }
    }
}

#[test]
fn every_inclusion_proof_agrees_with_the_definition_and_verifies_nowhere_else() {
    let all = leaves(72);
    let (_, nodes) = grow(&all);
    for size in 1..=all.len() {
        let root = naive::mth(&all[..size]);
        for index in 0..size {
            let leaf = Hash::leaf(&all[index]);
            let proof = prove_inclusion(&nodes, index as u64, size as u64).unwrap();
            assert_eq!(proof, naive::path(index, &all[..size]), "{index} of {size}");
            for other in 0..size + 2 {
                let verdict = verify_inclusion(&leaf, other as u64, size as u64, &proof, &root);
                assert_eq!(verdict.is_ok(), other == index, "{index} as {other} of {size}");
            }
        }
    }
}

#[test]
fn every_consistency_proof_agrees_with_the_definition() {
    let all = leaves(130);
    let (_, nodes) = grow(&all);
    let roots: Vec<Hash> = (0..=all.len()).map(|n| naive::mth(&all[..n])).collect();
    for new in 1..=all.len() {
        for old in 1..=new {
            let proof = prove_consistency(&nodes, old as u64, new as u64).unwrap();
            assert_eq!(proof, naive::proof(old, &all[..new]), "{old} to {new}");
            verify_consistency(old as u64, &roots[old], new as u64, &roots[new], &proof).unwrap();
            let wrong = &roots[old - 1];
            assert!(verify_consistency(old as u64, wrong, new as u64, &roots[new], &proof).is_err());
            assert!(verify_consistency(old as u64, &roots[old], new as u64, wrong, &proof).is_err());
        }
    }
}

#[test]
fn every_tree_begins_with_the_empty_one() {
    let (frontier, nodes) = grow(&leaves(5));
    assert_eq!(prove_consistency(&nodes, 0, 5).unwrap(), []);
    verify_consistency(0, &Hash::empty(), 5, &frontier.root(), &[]).unwrap();
    assert!(verify_consistency(0, &frontier.root(), 5, &frontier.root(), &[]).is_err());
    assert!(verify_consistency(0, &Hash::empty(), 5, &frontier.root(), &[Hash::empty()]).is_err());
}

#[test]
fn what_lies_outside_the_tree_is_refused_by_name() {
    let (frontier, mut nodes) = grow(&leaves(6));
    let root = frontier.root();
    assert!(matches!(prove_inclusion(&nodes, 6, 6), Err(MerkleError::OutOfRange { index: 6, size: 6 })));
    assert!(matches!(prove_inclusion(&nodes, 0, 0), Err(MerkleError::OutOfRange { .. })));
    assert!(matches!(prove_consistency(&nodes, 7, 6), Err(MerkleError::OutOfRange { .. })));
    assert!(matches!(verify_inclusion(&root, 6, 6, &[], &root), Err(MerkleError::OutOfRange { .. })));
    assert!(matches!(verify_inclusion(&root, 0, u64::MAX, &[], &root), Err(MerkleError::TooLarge(_))));
    assert!(matches!(verify_consistency(7, &root, 6, &root, &[]), Err(MerkleError::OutOfRange { .. })));
    assert!(matches!(verify_consistency(3, &root, 6, &root, &[]), Err(MerkleError::ProofLength)));
    assert!(matches!(Frontier::from_nodes(MAX_SIZE + 1, &nodes), Err(MerkleError::TooLarge(_))));

    let hole = NodeAddress { level: 2, index: 0 };
    nodes.0.remove(&hole);
    assert!(matches!(Frontier::from_nodes(6, &nodes), Err(MerkleError::Missing(at)) if at == hole));
    assert!(matches!(prove_inclusion(&nodes, 5, 6), Err(MerkleError::Missing(at)) if at == hole));
}

proptest! {
    #[test]
    fn changed_inclusion_proofs_are_refused(
        size in 1_usize..200,
        index in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bit in 0_usize..256,
    ) {
        let all = leaves(size);
        let (frontier, nodes) = grow(&all);
        let (index, size) = (index.index(size) as u64, size as u64);
        let leaf = Hash::leaf(&all[index as usize]);
        let proof = prove_inclusion(&nodes, index, size).unwrap();
        prop_assert!(verify_inclusion(&leaf, index, size, &proof, &frontier.root()).is_ok());

        let mut longer = proof.clone();
        longer.insert(at.index(proof.len() + 1), leaf);
        prop_assert!(verify_inclusion(&leaf, index, size, &longer, &frontier.root()).is_err());
        if !proof.is_empty() {
            let at = at.index(proof.len());
            let mut shorter = proof.clone();
            shorter.remove(at);
            prop_assert!(verify_inclusion(&leaf, index, size, &shorter, &frontier.root()).is_err());
            let mut flipped = proof;
            flipped[at] = flip(&flipped[at], bit);
            prop_assert!(verify_inclusion(&leaf, index, size, &flipped, &frontier.root()).is_err());
        }
    }

    #[test]
    fn changed_consistency_proofs_are_refused(
        old in 1_usize..200,
        more in 1_usize..60,
        at in any::<prop::sample::Index>(),
        bit in 0_usize..256,
    ) {
        let all = leaves(old + more);
        let (new_tree, nodes) = grow(&all);
        let (old_tree, _) = grow(&all[..old]);
        let (old, new) = (old as u64, (old + more) as u64);
        let proof = prove_consistency(&nodes, old, new).unwrap();
        let verify = |proof: &[Hash]| verify_consistency(old, &old_tree.root(), new, &new_tree.root(), proof);
        prop_assert!(verify(&proof).is_ok());

        let mut longer = proof.clone();
        longer.push(old_tree.root());
        prop_assert!(verify(&longer).is_err());
        let at = at.index(proof.len());
        let mut flipped = proof.clone();
        flipped[at] = flip(&flipped[at], bit);
        prop_assert!(verify(&flipped).is_err());
        let mut shorter = proof;
        shorter.remove(at);
        prop_assert!(verify(&shorter).is_err());
    }
}

fn flip(hash: &Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}
