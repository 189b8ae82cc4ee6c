//! Successions of a log's key: what two keys signed is read, and nothing else; and whoever follows them ends with a key that
//! was signed for.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::entry::{EntryDraft, Event, LogKeyRotated, Outcome};
use lethe_crypto::log::merkle::{Frontier, Hash, MerkleError, NodeAddress, NodeSource, prove_inclusion};
use lethe_crypto::log::note::{Seed, SigningKey};
use lethe_crypto::log::succession::{Keys, Succession};
use lethe_crypto::log::text::Origin;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    /// A file of successions, any, of those of a log, with changes.
    Lines { picks: Vec<u8>, changes: Vec<(u16, u8)>, cut: u16, kept: u8 },
    /// Bytes that nobody signed.
    Bytes(Vec<u8>),
}

#[derive(Default)]
struct Nodes(HashMap<NodeAddress, Hash>);

impl NodeSource for Nodes {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        self.0.get(&at).copied().ok_or(MerkleError::Missing(at))
    }
}

fn key(number: u8) -> SigningKey {
    let seed = Seed::from_slice(&[number; 32]).expect("a seed has 32 bytes");
    SigningKey::from_seed(origin(), &seed).expect("a key")
}

fn origin() -> Origin {
    "vault.example/log".parse().expect("an origin")
}

/// The successions of a log: from key 0 to 1, 1 to 2, 2 to 3.
static SUCCESSIONS: LazyLock<Vec<Succession>> = LazyLock::new(|| {
    let (mut tree, mut nodes, mut all) = (Frontier::new(), Nodes::default(), Vec::new());
    for index in 0..12 {
        let mut draft = EntryDraft::new(index, "a.b".parse().expect("a token"), Outcome::Allowed);
        let number = u8::try_from(all.len()).expect("a few");
        let rotates = index % 4 == 3;
        if rotates {
            let (from, to) = (key(number).verifier().clone(), key(number + 1).verifier().clone());
            let proposal = "0a".parse().expect("a token");
            draft = draft.event(Event::LogKeyRotated(LogKeyRotated { from, to, proposal }));
        }
        let entry = draft.finish(index, &origin()).expect("an entry");
        nodes.0.extend(tree.append(entry.leaf()));
        if rotates {
            let head = Checkpoint { origin: origin(), size: tree.size(), root: tree.root() };
            let note = Succession::sign(&head, &key(number), &key(number + 1)).expect("the keys are the log's");
            let proof = prove_inclusion(&nodes, index, index + 1).expect("it is in the tree");
            all.push(Succession::compose(&entry.encode(), proof, note).expect("it is one"));
        }
    }
    all
});

fuzz_target!(|input: Input| match input {
    Input::Lines { picks, changes, cut, kept } => {
        let picked = |pick: &u8| &SUCCESSIONS[usize::from(*pick) % SUCCESSIONS.len()];
        let picks: Vec<_> = picks.iter().take(8).map(picked).collect();
        let genuine: Vec<u8> = picks.iter().flat_map(|each| [each.encode(), b"\n".to_vec()].concat()).collect();
        let mut lines = genuine.clone();
        for (at, by) in changes {
            if let Some(byte) = lines.get_mut(usize::from(at)) {
                *byte ^= by;
            }
        }
        lines.truncate(lines.len() - usize::from(cut).min(lines.len()));
        let Ok(read) = Succession::decode_lines(&lines) else {
            assert!(lines != genuine, "what was signed is refused");
            return;
        };
        assert!(genuine.starts_with(&lines), "a succession that nobody signed");
        let kept = key(kept % 5);
        if let Ok(keys) = Keys::follow(kept.verifier(), &read) {
            assert!(keys.all().any(|known| known == kept.verifier()), "somebody else's keys");
            assert_eq!(keys.all().count(), read.len() + 1);
            let numbers: Vec<_> =
                keys.all().filter_map(|known| (0..5).find(|at| key(*at).verifier() == known)).collect();
            assert!(numbers.is_sorted_by(|one, next| one + 1 == *next), "{numbers:?} do not follow from one another");
        }
    }
    Input::Bytes(bytes) => assert!(Succession::decode(&bytes).is_err(), "nobody signed that"),
});
