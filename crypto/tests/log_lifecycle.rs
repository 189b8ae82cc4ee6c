//! The log as a vault uses it, through the public interface alone: append, reopen, sign, prove, erase,
//! issue a receipt; and what a stranger with the public key can check years later.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::entry::{Entry, EntryDraft, EpochDestroyed, ErasureCommitted, Event, Found, Outcome, Scope};
use lethe_crypto::log::merkle::{
    Frontier, Hash, MerkleError, NodeAddress, NodeSource, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};
use lethe_crypto::log::note::{Seed, SigningKey, VerifierKey};
use lethe_crypto::log::receipt::{Logged, Receipt, ReceiptError};
use lethe_crypto::log::text::{EpochRoot, Origin, ReceiptId, Token};
use lethe_crypto::root::RootId;
use lethe_crypto::secret::{AuditKey, SlotKey};
use zeroize::Zeroizing;

/// What is on disk of a log.
struct Disk {
    nodes: BTreeMap<NodeAddress, Hash>,
    lines: Vec<Vec<u8>>,
    origin: Origin,
    key: SigningKey,
}

impl NodeSource for Disk {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        self.nodes.get(&at).copied().ok_or(MerkleError::Missing(at))
    }
}

impl Disk {
    fn new() -> Self {
        let origin: Origin = "vault.example/3f0c/log".parse().unwrap();
        let key = SigningKey::from_seed(origin.clone(), &Seed::generate().unwrap()).unwrap();
        Self { nodes: BTreeMap::new(), lines: Vec::new(), origin, key }
    }

    /// Opens the log as after a start, appends one entry, and closes it again.
    fn append(&mut self, draft: EntryDraft) -> u64 {
        let mut frontier = Frontier::from_nodes(self.lines.len() as u64, self).unwrap();
        let index = frontier.size();
        let entry = draft.finish(index, &self.origin).unwrap();
        self.nodes.extend(frontier.append(entry.leaf()));
        self.lines.push(entry.encode());
        index
    }

    fn checkpoint(&self) -> (Checkpoint, String) {
        let frontier = Frontier::from_nodes(self.lines.len() as u64, self).unwrap();
        let head = Checkpoint { origin: self.origin.clone(), size: frontier.size(), root: frontier.root() };
        let note = head.sign(&self.key).unwrap();
        (head, note)
    }

    fn logged(&self, index: u64) -> Logged<'_> {
        Logged::prove(self, index, &self.lines[index as usize], self.lines.len() as u64).unwrap()
    }
}

fn token(text: &str) -> Token {
    text.parse().unwrap()
}

fn draft(operation: &str) -> EntryDraft {
    EntryDraft::new(1_760_000_000_000, token(operation), Outcome::Allowed)
}

fn audit_key(subject: u8) -> AuditKey {
    AuditKey::derive(&SlotKey::from_fn(|key| key.fill(subject)))
}

#[test]
fn log_of_a_person_who_comes_and_goes() {
    let mut disk = Disk::new();
    let trace = |operation, subject| {
        let details = Zeroizing::new(format!("subject {subject}").into_bytes());
        draft(operation).purpose(token("authentication")).subject(audit_key(subject)).details(details)
    };
    for subject in [1, 2, 1, 3, 1] {
        disk.append(trace("authentication.verify", subject));
    }
    let (early, _) = disk.checkpoint();

    // Who has the key finds and reads the subject's entries; nobody else links any two of them.
    let entries: Vec<Entry> = disk.lines.iter().map(|line| Entry::decode(line).unwrap()).collect();
    let of = |subject| {
        (0..5).filter(|i| entries[*i as usize].belongs_to(&disk.origin, *i, &audit_key(subject))).collect::<Vec<_>>()
    };
    assert_eq!((of(1), of(2), of(3), of(4)), (vec![0, 2, 4], vec![1], vec![3], vec![]));
    let read = entries[2].unseal(&disk.origin, 2, &audit_key(1)).unwrap().unwrap();
    assert_eq!(read.as_slice(), b"subject 1");
    let pseudonyms: std::collections::BTreeSet<_> = entries.iter().map(|entry| entry.pseudonym).collect();
    assert_eq!(pseudonyms.len(), 5);

    let (old, new) = (RootId::random().unwrap(), RootId::random().unwrap());
    let receipt = ReceiptId::generate().unwrap();
    let committed = disk.append(draft("epoch.commit").event(Event::ErasureCommitted(ErasureCommitted {
        from: 1,
        to: 2,
        from_root: EpochRoot::from(old),
        to_root: EpochRoot::from(new),
        receipt,
        scope: Scope::Subject,
        slots: 2,
    })));
    let pending = disk.checkpoint().1;
    let verdict = Receipt::issue(&disk.logged(committed), &disk.logged(committed), &pending, disk.key.verifier());
    assert!(matches!(verdict, Err(ReceiptError::Event(_))), "not before the root is destroyed");

    let medium = vec![token("MEDIUM_NOT_SEPARATE")];
    let (store, replicas, found) = (token("file"), 1, Found::Present);
    let ended = EpochDestroyed { epoch: 1, root: EpochRoot::from(old), store, replicas, found, medium };
    let destroyed = disk.append(draft("epoch.destroy").event(Event::EpochDestroyed(ended)));
    let (late, note) = disk.checkpoint();
    let issued = Receipt::issue(&disk.logged(committed), &disk.logged(destroyed), &note, disk.key.verifier()).unwrap();

    // A stranger, with the public key as it was published.
    let key: VerifierKey = disk.key.verifier().to_string().parse().unwrap();
    let verified = Receipt::verify(issued.as_bytes(), &key).unwrap();
    assert_eq!((verified.step().receipt, verified.destruction.root), (receipt, EpochRoot::from(old)));
    assert_eq!(Checkpoint::open(note.as_bytes(), &key).unwrap(), late);
    let consistent = prove_consistency(&disk, early.size, late.size).unwrap();
    verify_consistency(early.size, &early.root, late.size, &late.root, &consistent).unwrap();
    for (index, line) in disk.lines.iter().enumerate() {
        let proof = prove_inclusion(&disk, index as u64, late.size).unwrap();
        verify_inclusion(&Hash::leaf(line), index as u64, late.size, &proof, &late.root).unwrap();
    }
}

/// The files of the format's fixtures verify for ever, whatever becomes of the code.
#[test]
fn log_fixtures_verify() {
    let key: VerifierKey = include_str!("../src/log/golden/verifier_key.txt").trim_end().parse().unwrap();
    let head = Checkpoint::open(include_bytes!("../src/log/golden/checkpoint.note"), &key).unwrap();
    assert_eq!(head.size, 3);
    let verified = Receipt::verify(include_bytes!("../src/log/golden/receipt.json"), &key).unwrap();
    assert_eq!((verified.committed_index, verified.destroyed_index), (4, 8));
    for line in include_str!("../src/log/golden/entries.jsonl").lines() {
        assert_eq!(Entry::decode(line.as_bytes()).unwrap().encode(), line.as_bytes());
    }
}
