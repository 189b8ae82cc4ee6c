//! Checkpoints, notes, keys and proofs: verifiers accept what was signed, and what is in the tree, and nothing else.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::merkle::{
    Frontier, Hash, MerkleError, NodeAddress, NodeSource, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};
use lethe_crypto::log::note::{self, Seed, SigningKey, VerifierKey};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// Leaves of the tree that all proofs are about.
const LEAVES: u64 = 256;

#[derive(Arbitrary, Debug)]
enum Input {
    /// A claim that a leaf is in the tree of some size, with a proof of hashes from the tree.
    Inclusion {
        leaf: Pick,
        index: u8,
        size: u8,
        proof: Proof,
    },
    /// A claim that the tree of one size begins with a tree.
    Consistency {
        old: u8,
        old_root: Pick,
        new: u8,
        proof: Proof,
    },
    /// Any numbers.
    Anywhere {
        index: u64,
        size: u64,
        proof: Vec<[u8; 32]>,
    },
    /// A note that was signed, with changes.
    Note {
        changes: Vec<(u16, u8)>,
        lines: Vec<String>,
    },
    /// Bytes that nobody signed.
    Bytes(Vec<u8>),
    /// The text of a checkpoint.
    Text(String),
    Key(String),
}

/// A hash of the tree, or any other.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Pick {
    Node(u16),
    Root(u8),
    Other([u8; 32]),
}

#[derive(Arbitrary, Debug)]
enum Proof {
    /// The right one, with changes.
    Changed {
        changes: Vec<(u8, Pick)>,
        cut: u8,
        more: Vec<Pick>,
    },
    Made(Vec<Pick>),
}

struct Tree {
    nodes: HashMap<NodeAddress, Hash>,
    all: Vec<Hash>,
    roots: Vec<Hash>,
}

impl NodeSource for Tree {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        self.nodes.get(&at).copied().ok_or(MerkleError::Missing(at))
    }
}

static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let mut frontier = Frontier::new();
    let (mut nodes, mut roots) = (HashMap::new(), vec![frontier.root()]);
    let mut all = Vec::new();
    for index in 0..LEAVES {
        for (at, hash) in frontier.append(leaf(index)) {
            nodes.insert(at, hash);
            all.push(hash);
        }
        roots.push(frontier.root());
    }
    Tree { nodes, all, roots }
});

static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let seed = Seed::from_slice(&[7; 32]).expect("a seed has 32 bytes");
    SigningKey::from_seed("vault.example/log".parse().expect("an origin"), &seed).expect("a key")
});

fn leaf(index: u64) -> Hash {
    Hash::leaf(&index.to_be_bytes())
}

fn signed() -> Checkpoint {
    Checkpoint { origin: "vault.example/log".parse().expect("an origin"), size: 11, root: TREE.roots[11] }
}

impl Pick {
    fn hash(self) -> Hash {
        match self {
            Self::Node(at) => TREE.all[usize::from(at) % TREE.all.len()],
            Self::Root(at) => TREE.roots[usize::from(at)],
            Self::Other(bytes) => Hash::from_bytes(bytes),
        }
    }
}

impl Proof {
    fn of(&self, right: &[Hash]) -> Vec<Hash> {
        match self {
            Self::Made(picks) => picks.iter().map(|pick| pick.hash()).collect(),
            Self::Changed { changes, cut, more } => {
                let mut proof = right.to_vec();
                for (at, pick) in changes {
                    if let Some(hash) = proof.get_mut(usize::from(*at)) {
                        *hash = pick.hash();
                    }
                }
                proof.truncate(proof.len() - usize::from(*cut).min(proof.len()));
                proof.extend(more.iter().map(|pick| pick.hash()));
                proof
            }
        }
    }
}

fuzz_target!(|input: Input| {
    match input {
        Input::Inclusion { leaf: claimed, index, size, proof } => {
            let (index, size) = (u64::from(index), u64::from(size));
            let right = prove_inclusion(&*TREE, index, size);
            assert_eq!(right.is_ok(), index < size);
            let right = right.unwrap_or_default();
            let (proof, root) = (proof.of(&right), TREE.roots[size as usize]);
            if index < size {
                assert!(verify_inclusion(&leaf(index), index, size, &right, &root).is_ok(), "a right proof is refused");
            }
            let claimed = claimed.hash();
            let holds = index < size && claimed == leaf(index) && proof == right;
            assert_eq!(verify_inclusion(&claimed, index, size, &proof, &root).is_ok(), holds);
        }
        Input::Consistency { old, old_root, new, proof } => {
            let (old, new) = (u64::from(old), u64::from(new));
            let right = prove_consistency(&*TREE, old, new);
            assert_eq!(right.is_ok(), old <= new);
            let right = right.unwrap_or_default();
            let (proof, new_root) = (proof.of(&right), TREE.roots[new as usize]);
            if old <= new {
                let old_root = TREE.roots[old as usize];
                assert!(verify_consistency(old, &old_root, new, &new_root, &right).is_ok(), "a right proof is refused");
            }
            let old_root = old_root.hash();
            let holds = old <= new && old_root == TREE.roots[old as usize] && proof == right;
            assert_eq!(verify_consistency(old, &old_root, new, &new_root, &proof).is_ok(), holds);
        }
        Input::Anywhere { index, size, proof } => {
            let proof: Vec<Hash> = proof.into_iter().map(Hash::from_bytes).collect();
            let (one, other) = (leaf(0), leaf(1));
            // A hash that is not made from the leaf cannot be the root, but in a tree of one.
            assert!(verify_inclusion(&one, index, size, &proof, &other).is_err());
            let same = index == size || index == 0;
            assert!(verify_consistency(index, &one, size, &other, &proof).is_err() || same && one == other);
        }
        Input::Note { changes, lines } => {
            let signed = signed();
            let mut note = signed.sign(&KEY).expect("the key is the log's").into_bytes();
            for line in lines.iter().take(20) {
                note.extend_from_slice(line.as_bytes());
                note.push(b'\n');
            }
            for (at, by) in changes {
                let at = usize::from(at) % note.len();
                note[at] ^= by;
            }
            if let Ok(opened) = Checkpoint::open(&note, KEY.verifier()) {
                assert_eq!(opened, signed, "a checkpoint opens that nobody signed");
            }
            if let Ok(text) = note::open(&note, KEY.verifier()) {
                assert_eq!(text, signed.text(), "a note opens that nobody signed");
            }
        }
        Input::Bytes(bytes) => assert!(note::open(&bytes, KEY.verifier()).is_err(), "nobody signed that"),
        Input::Text(text) => {
            if let Ok(checkpoint) = Checkpoint::parse(&text) {
                assert_eq!(checkpoint.text(), text, "a checkpoint has two spellings");
                let signed = checkpoint.sign(&KEY);
                assert_eq!(signed.is_ok(), checkpoint.origin.as_str() == KEY.verifier().name());
                if let Ok(note) = signed {
                    let opened = Checkpoint::open(note.as_bytes(), KEY.verifier());
                    assert_eq!(opened.expect("what was signed opens"), checkpoint);
                }
            }
        }
        Input::Key(text) => {
            if let Ok(key) = text.parse::<VerifierKey>() {
                assert_eq!(key.to_string(), text, "a key has two spellings");
            }
        }
    }
});
