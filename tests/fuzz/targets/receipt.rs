//! Receipts of erasures: one is issued when, and only when, the rules of the format hold, and no other bytes verify.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::entry::{Entry, EpochDestroyed, ErasureCommitted, Event, Found, Outcome, Scope};
use lethe_crypto::log::json::MAX_NUMBER;
use lethe_crypto::log::merkle::{Frontier, Hash, MerkleError, NodeAddress, NodeSource};
use lethe_crypto::log::note::{Seed, SigningKey, VerifierKey};
use lethe_crypto::log::receipt::{Logged, Receipt};
use lethe_crypto::log::text::{Blind, EpochRoot, ReceiptId, Token};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// A receipt that was issued, and the key that it verifies with.
const ISSUED: &[u8] = include_bytes!("../../../crypto/src/log/golden/receipt.json");
static ISSUER: LazyLock<VerifierKey> = LazyLock::new(|| {
    include_str!("../../../crypto/src/log/golden/verifier_key.txt").trim_end().parse().expect("a key")
});
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let seed = Seed::from_slice(&[9; 32]).expect("a seed has 32 bytes");
    SigningKey::from_seed("vault.example/log".parse().expect("an origin"), &seed).expect("a key")
});

#[derive(Arbitrary, Debug)]
enum Input {
    /// Bytes that nobody issued, or that receipt.
    Bytes(Vec<u8>),
    Changed(Changes),
    /// A log with a commit and a destruction, and what is made of it.
    Log {
        log: Log,
        changes: Changes,
    },
}

#[derive(Arbitrary, Debug)]
struct Changes {
    flips: Vec<(u16, u8)>,
    /// Takes so many bytes out somewhere, and puts others there.
    splice: Option<(u16, u8, Vec<u8>)>,
}

#[derive(Arbitrary, Debug)]
struct Log {
    size: u8,
    committed_at: u8,
    destroyed_at: u8,
    from: u64,
    to: u64,
    from_root: u8,
    to_root: u8,
    scope: u8,
    slots: u64,
    receipt: [u8; 16],
    /// As committed, if absent.
    epoch: Option<u64>,
    root: Option<u8>,
    replicas: u64,
    absent: bool,
    outcomes: (u8, u8),
    medium: Vec<String>,
    times: (u64, u64),
    /// The entries change their places in the receipt.
    swapped: bool,
}

impl Changes {
    fn of(&self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        for (at, by) in &self.flips {
            let at = usize::from(*at) % changed.len();
            changed[at] ^= by;
        }
        if let Some((at, out, put)) = &self.splice {
            let at = usize::from(*at) % changed.len();
            let end = (at + usize::from(*out)).min(changed.len());
            changed.splice(at..end, put.iter().copied());
        }
        changed
    }
}

struct Made {
    nodes: HashMap<NodeAddress, Hash>,
    frontier: Frontier,
    lines: Vec<Vec<u8>>,
}

impl NodeSource for Made {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        self.nodes.get(&at).copied().ok_or(MerkleError::Missing(at))
    }
}

fn entry(time: u64, outcome: Outcome, event: Option<Event>) -> Entry {
    Entry {
        time,
        operation: "epoch.commit".parse().expect("a code"),
        credential: None,
        purpose: None,
        basis: None,
        policy: None,
        outcome,
        reason: None,
        pseudonym: None,
        sealed: None,
        blind: Blind::from_bytes([time as u8; 16]),
        event,
    }
}

fn outcome(number: u8) -> Outcome {
    match number % 8 {
        6 => Outcome::Denied,
        7 => Outcome::Failed,
        _ => Outcome::Allowed,
    }
}

fn root(byte: u8) -> EpochRoot {
    EpochRoot::from_bytes([byte; 16])
}

impl Log {
    fn committed(&self) -> ErasureCommitted {
        let scopes = [Scope::Subject, Scope::Template, Scope::Tenant, Scope::Burnt];
        ErasureCommitted {
            from: self.from,
            to: self.to,
            from_root: root(self.from_root),
            to_root: root(self.to_root),
            receipt: ReceiptId::from_bytes(self.receipt),
            scope: scopes[usize::from(self.scope) % scopes.len()],
            slots: self.slots,
        }
    }

    fn destroyed(&self) -> EpochDestroyed {
        EpochDestroyed {
            epoch: self.epoch.unwrap_or(self.from),
            root: root(self.root.unwrap_or(self.from_root)),
            store: "file".parse().expect("a code"),
            replicas: self.replicas,
            found: if self.absent { Found::Absent } else { Found::Present },
            medium: self.medium.iter().take(8).filter_map(|text| text.parse::<Token>().ok()).collect(),
        }
    }

    /// The places of the two entries, which are two.
    fn places(&self) -> (u64, u64, u64) {
        let size = 2 + u64::from(self.size) % 40;
        let committed = u64::from(self.committed_at) % size;
        let destroyed = u64::from(self.destroyed_at) % size;
        (size, committed, if destroyed == committed { (destroyed + 1) % size } else { destroyed })
    }

    fn make(&self) -> Made {
        let (size, committed, destroyed) = self.places();
        let mut made = Made { nodes: HashMap::new(), frontier: Frontier::new(), lines: Vec::new() };
        for index in 0..size {
            let entry = if index == committed {
                entry(self.times.0, outcome(self.outcomes.0), Some(Event::ErasureCommitted(self.committed())))
            } else if index == destroyed {
                entry(self.times.1, outcome(self.outcomes.1), Some(Event::EpochDestroyed(self.destroyed())))
            } else {
                entry(index, Outcome::Allowed, None)
            };
            made.nodes.extend(made.frontier.append(entry.leaf()));
            made.lines.push(entry.encode());
        }
        made
    }

    /// Do all rules of the format hold?
    fn keeps_the_rules(&self) -> bool {
        let (_, committed_at, destroyed_at) = self.places();
        let (committed, destroyed) = (self.committed(), self.destroyed());
        let numbers = [
            self.times.0,
            self.times.1,
            committed.from,
            committed.to,
            committed.slots,
            destroyed.epoch,
            destroyed.replicas,
        ];
        !self.swapped
            && outcome(self.outcomes.0) == Outcome::Allowed
            && outcome(self.outcomes.1) == Outcome::Allowed
            && committed.to > committed.from
            && committed.to_root != committed.from_root
            && committed.slots >= 1
            && (destroyed.epoch, destroyed.root) == (committed.from, committed.from_root)
            && destroyed_at > committed_at
            && destroyed.replicas >= 1
            && numbers.into_iter().all(|number| number <= MAX_NUMBER)
    }
}

fuzz_target!(|input: Input| {
    match input {
        Input::Bytes(bytes) => {
            assert_eq!(Receipt::verify(&bytes, &ISSUER).is_ok(), bytes == ISSUED, "a receipt that nobody issued");
        }
        Input::Changed(changes) => {
            let bytes = changes.of(ISSUED);
            assert_eq!(Receipt::verify(&bytes, &ISSUER).is_ok(), bytes == ISSUED, "a receipt that nobody issued");
        }
        Input::Log { log, changes } => {
            let made = log.make();
            let (size, committed_at, destroyed_at) = log.places();
            let origin = KEY.verifier().name().parse().expect("an origin");
            let checkpoint = Checkpoint { origin, size, root: made.frontier.root() };
            let note = checkpoint.sign(&KEY).expect("the key is the log's");
            let logged =
                |index: u64| Logged::prove(&made, index, &made.lines[index as usize], size).expect("it is there");
            let (mut committed, mut destroyed) = (logged(committed_at), logged(destroyed_at));
            if log.swapped {
                std::mem::swap(&mut committed, &mut destroyed);
            }
            let issued = Receipt::issue(&committed, &destroyed, &note, KEY.verifier());
            assert_eq!(issued.is_ok(), log.keeps_the_rules(), "{issued:?}");
            let Ok(issued) = issued else { return };

            let verified = Receipt::verify(issued.as_bytes(), KEY.verifier()).expect("what is issued verifies");
            assert_eq!(&verified, issued.verified());
            assert_eq!((verified.erasure(), &verified.destruction), (Some(&log.committed()), &log.destroyed()));
            assert_eq!((verified.committed_at, verified.destroyed_at), log.times);
            assert_eq!(verified.checkpoint, checkpoint);
            serde_json::from_slice::<serde_json::Value>(issued.as_bytes()).expect("a receipt is JSON");
            assert!(!verified.to_string().is_empty());

            let changed = changes.of(issued.as_bytes());
            let same = changed == issued.as_bytes();
            assert_eq!(Receipt::verify(&changed, KEY.verifier()).is_ok(), same, "a receipt that nobody issued");
            assert!(Receipt::verify(issued.as_bytes(), &ISSUER).is_err(), "another vault's key");
        }
    }
});
