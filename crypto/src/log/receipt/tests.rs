use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::log::checkpoint::Checkpoint;
use crate::log::entry::{
    Entry, EntryDraft, EpochDestroyed, ErasureCommitted, Event, Found, KeysRotated, Outcome, Rotated, Scope,
};
use crate::log::merkle::{Frontier, NodeAddress};
use crate::log::note::{Seed, SigningKey, sign};
use crate::log::text::{Origin, Token};
use crate::random::dangerous::Counting;

const ORIGIN: &str = "vault.example/log";

fn token(text: &str) -> Token {
    text.parse().unwrap()
}

fn signing_key(name: &str, byte: u8) -> SigningKey {
    SigningKey::from_seed(name.parse().unwrap(), &Seed::from_slice(&[byte; 32]).unwrap()).unwrap()
}

fn root(byte: u8) -> EpochRoot {
    EpochRoot::from_bytes([byte; 16])
}

fn erasure() -> ErasureCommitted {
    ErasureCommitted {
        from: 7,
        to: 8,
        from_root: root(0x70),
        to_root: root(0x80),
        receipt: ReceiptId::from_bytes([0x33; 16]),
        scope: Scope::Subject,
        slots: 3,
    }
}

fn destruction() -> EpochDestroyed {
    EpochDestroyed {
        epoch: 7,
        root: root(0x70),
        store: token("file"),
        replicas: 1,
        found: Found::Present,
        medium: vec![token("MEDIUM_NOT_SEPARATE")],
    }
}

/// A log in memory, with what a store keeps of one.
struct Log {
    key: SigningKey,
    origin: Origin,
    random: Counting,
    frontier: Frontier,
    nodes: HashMap<NodeAddress, Hash>,
    lines: Vec<Vec<u8>>,
}

impl NodeSource for Log {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        self.nodes.get(&at).copied().ok_or(MerkleError::Missing(at))
    }
}

impl Log {
    fn new() -> Self {
        Self {
            key: signing_key(ORIGIN, 7),
            origin: ORIGIN.parse().unwrap(),
            random: Counting::new("receipt log"),
            frontier: Frontier::new(),
            nodes: HashMap::new(),
            lines: Vec::new(),
        }
    }

    /// Appends an entry and gives its index.
    fn append(&mut self, operation: &str, outcome: Outcome, event: Option<Event>) -> u64 {
        let index = self.frontier.size();
        let mut draft = EntryDraft::new(1_760_000_000_000 + index * 1000, token(operation), outcome);
        if let Some(event) = event {
            draft = draft.event(event);
        }
        let entry = draft.finish_with(&self.random, index, &self.origin).unwrap();
        self.nodes.extend(self.frontier.append(entry.leaf()));
        self.lines.push(entry.encode());
        index
    }

    fn fill(&mut self, entries: usize) {
        for _ in 0..entries {
            self.append("authentication.verify", Outcome::Allowed, None);
        }
    }

    fn commit(&mut self, erasure: ErasureCommitted) -> u64 {
        self.append("erasure.commit", Outcome::Allowed, Some(Event::ErasureCommitted(erasure)))
    }

    fn destroy(&mut self, destruction: EpochDestroyed) -> u64 {
        self.append("epoch.destroy", Outcome::Allowed, Some(Event::EpochDestroyed(destruction)))
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: self.frontier.size(), root: self.frontier.root() }
    }

    fn logged(&self, index: u64) -> Logged<'_> {
        Logged::prove(self, index, &self.lines[index as usize], self.frontier.size()).unwrap()
    }

    fn issue(&self, committed: u64, destroyed: u64) -> Result<Receipt, ReceiptError> {
        let note = self.checkpoint().sign(&self.key).unwrap();
        Receipt::issue(&self.logged(committed), &self.logged(destroyed), &note, self.key.verifier())
    }
}

/// A log of eleven entries with the commit at 4 and the destruction at 8.
fn eleven() -> (Log, u64, u64) {
    let mut log = Log::new();
    log.fill(4);
    let committed = log.commit(erasure());
    log.fill(3);
    let destroyed = log.destroy(destruction());
    log.fill(2);
    (log, committed, destroyed)
}

fn valid() -> (Receipt, SigningKey) {
    let (log, committed, destroyed) = eleven();
    (log.issue(committed, destroyed).unwrap(), log.key)
}

fn text(receipt: &Receipt) -> String {
    String::from_utf8(receipt.as_bytes().to_vec()).unwrap()
}

#[test]
fn a_receipt_attests_what_was_erased_and_says_what_it_excludes() {
    let (receipt, key) = valid();
    let verified = Receipt::verify(receipt.as_bytes(), key.verifier()).unwrap();
    assert_eq!(&verified, receipt.verified());
    assert_eq!(verified.erasure(), Some(&erasure()));
    assert_eq!(verified.destruction, destruction());
    assert_eq!((verified.committed_index, verified.destroyed_index), (4, 8));
    assert_eq!(verified.checkpoint.size, 11);
    assert_eq!(verified.excludes.len(), ALWAYS_EXCLUDED.len() + 1);

    let words = verified.to_string();
    for said in [
        "33333333333333333333333333333333",
        "vault.example/log",
        "a data subject, with everything kept under the subject's keys (3 keys)",
        "2025-10-09T08:53:24Z as entry 4",
        "2025-10-09T08:53:28Z as entry 8",
        "in a root store of kind file",
        "Not attested:",
        "images of the process's memory",
        "the root store was on the same device as the data (MEDIUM_NOT_SEPARATE)",
    ] {
        assert!(words.contains(said), "{said:?} in\n{words}");
    }
}

#[test]
fn a_statement_from_the_future_is_carried_and_shown_as_it_is() {
    let mut log = Log::new();
    let committed = log.commit(erasure());
    let medium = vec![token("HSM_CLUSTER_BACKUP"), token("MEMORY_NOT_LOCKED")];
    let destroyed = log.destroy(EpochDestroyed { medium, ..destruction() });
    let words = log.issue(committed, destroyed).unwrap().verified().to_string();
    assert!(words.contains("the root store states: HSM_CLUSTER_BACKUP"), "{words}");
    assert!(words.contains("(MEMORY_NOT_LOCKED)"), "{words}");
}

/// Fixed keys and randomness, fixed bytes: this receipt must verify for ever.
#[test]
fn golden_receipt() {
    let (receipt, key) = valid();
    assert_eq!(text(&receipt), include_str!("../golden/receipt.json"));
    assert_eq!(key.verifier().to_string(), include_str!("../golden/verifier_key.txt").trim_end());
    let document: serde_json::Value = serde_json::from_slice(receipt.as_bytes()).unwrap();
    assert_eq!(document["type"], "lethe-erasure-receipt");
    assert_eq!(document["committed"]["entry"]["event"]["type"], "ERASURE_COMMITTED");
}

#[test]
fn every_flipped_bit_is_refused() {
    let (receipt, key) = valid();
    let mut bytes = receipt.as_bytes().to_vec();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            assert!(Receipt::verify(&bytes, key.verifier()).is_err(), "bit {bit} of byte {at}");
            bytes[at] ^= 1 << bit;
        }
    }
    assert!(Receipt::verify(&bytes, key.verifier()).is_ok());
}

#[test]
fn every_other_value_of_sampled_bytes_is_refused() {
    let (receipt, key) = valid();
    let mut bytes = receipt.as_bytes().to_vec();
    // The head of the document, the signature at the end of the checkpoint, and a sample in between.
    let signature = text(&receipt).find('—').unwrap();
    let sample = (0..120).chain((120..bytes.len()).step_by(13)).chain(signature..signature + 130);
    for at in sample {
        let original = bytes[at];
        for value in (0..=255).filter(|value| *value != original) {
            bytes[at] = value;
            assert!(Receipt::verify(&bytes, key.verifier()).is_err(), "{value} as byte {at}");
        }
        bytes[at] = original;
    }
    assert!(Receipt::verify(&bytes, key.verifier()).is_ok());
}

#[test]
fn a_missing_or_added_byte_is_refused() {
    let (receipt, key) = valid();
    let whole = receipt.as_bytes();
    for at in 0..whole.len() {
        let shorter = [&whole[..at], &whole[at + 1..]].concat();
        assert!(Receipt::verify(&shorter, key.verifier()).is_err(), "without byte {at}");
        for added in [b' ', b'\n', b'0', whole[at]] {
            let longer = [&whole[..at], &[added], &whole[at..]].concat();
            assert!(Receipt::verify(&longer, key.verifier()).is_err(), "{added} before byte {at}");
        }
        assert!(Receipt::verify(&whole[..at], key.verifier()).is_err(), "the first {at} bytes");
    }
    assert!(Receipt::verify(&[whole, b"\n"].concat(), key.verifier()).is_err(), "newline at the end");
}

#[test]
fn another_key_is_refused() {
    let (receipt, _) = valid();
    for other in [signing_key(ORIGIN, 8), signing_key("vault.example/other", 7)] {
        let verdict = Receipt::verify(receipt.as_bytes(), other.verifier());
        assert!(matches!(verdict, Err(ReceiptError::Checkpoint(NoteError::Unsigned(_)))), "{verdict:?}");
    }
}

#[test]
fn there_is_no_receipt_without_a_destroyed_epoch() {
    let (mut log, committed, destroyed) = eleven();
    let failed = log.append("epoch.destroy", Outcome::Failed, Some(Event::EpochDestroyed(destruction())));
    for not_destroyed in [committed, 0, 10, failed] {
        let verdict = log.issue(committed, not_destroyed);
        assert!(matches!(verdict, Err(ReceiptError::Event(Part::Destroyed))), "{not_destroyed}: {verdict:?}");
    }
    for not_committed in [destroyed, 0] {
        let verdict = log.issue(not_committed, destroyed);
        assert!(matches!(verdict, Err(ReceiptError::Event(Part::Committed))), "{not_committed}: {verdict:?}");
    }
}

#[test]
fn inconsistent_entries_are_refused() {
    let issue = |erasure: ErasureCommitted, destruction: EpochDestroyed| {
        let mut log = Log::new();
        let committed = log.commit(erasure);
        let destroyed = log.destroy(destruction);
        log.issue(committed, destroyed).map(drop)
    };
    assert!(issue(erasure(), destruction()).is_ok());

    let epoch = |verdict| matches!(verdict, Err(ReceiptError::Epoch { .. }));
    assert!(epoch(issue(erasure(), EpochDestroyed { epoch: 6, ..destruction() })), "an earlier epoch");
    assert!(epoch(issue(erasure(), EpochDestroyed { epoch: 8, root: root(0x80), ..destruction() })), "the new epoch");
    assert!(epoch(issue(erasure(), EpochDestroyed { root: root(0x71), ..destruction() })), "another root");

    let nowhere = issue(erasure(), EpochDestroyed { replicas: 0, ..destruction() });
    assert!(matches!(nowhere, Err(ReceiptError::NoPlace)), "destroyed nowhere");

    let no_step = |verdict| matches!(verdict, Err(ReceiptError::NoStep));
    assert!(no_step(issue(ErasureCommitted { to: 7, ..erasure() }, destruction())), "the same epoch");
    assert!(no_step(issue(ErasureCommitted { to: 6, ..erasure() }, destruction())), "backwards");
    assert!(no_step(issue(ErasureCommitted { to_root: root(0x70), ..erasure() }, destruction())), "the same root");
    assert!(no_step(issue(ErasureCommitted { slots: 0, ..erasure() }, destruction())), "nothing erased");
}

fn rotation() -> KeysRotated {
    let ErasureCommitted { from, to, from_root, to_root, receipt, .. } = erasure();
    KeysRotated { from, to, from_root, to_root, receipt, scope: Rotated::Tenant }
}

#[test]
fn a_rotation_has_a_receipt_of_its_own_kind() {
    let mut log = Log::new();
    let committed = log.append("epoch.commit", Outcome::Allowed, Some(Event::KeysRotated(rotation())));
    let destroyed = log.destroy(destruction());
    let receipt = log.issue(committed, destroyed).unwrap();
    assert!(text(&receipt).starts_with(r#"{"type":"lethe-rotation-receipt","version":1,"#));
    let verified = Receipt::verify(receipt.as_bytes(), log.key.verifier()).unwrap();
    assert_eq!(verified.committed, Committed::Rotation(rotation()));
    assert_eq!(verified.erasure(), None, "nothing was erased");
    assert_eq!((verified.step().from, verified.step().from_root), (7, root(0x70)));
    let words = verified.to_string();
    assert!(words.starts_with("Rotation receipt 33333333333333333333333333333333"), "{words}");
    assert!(words.contains("the wrapping of a tenant's keys; no data was erased"), "{words}");

    // Nobody makes an erasure of it, nor a rotation of an erasure.
    let called = |receipt: &Receipt, from: &str, to: &str| text(receipt).replacen(from, to, 1).into_bytes();
    let forged = called(&receipt, "lethe-rotation-receipt", "lethe-erasure-receipt");
    let verdict = Receipt::verify(&forged, log.key.verifier());
    assert!(matches!(verdict, Err(ReceiptError::Event(Part::Committed))), "{verdict:?}");
    let (erasure, key) = valid();
    let forged = called(&erasure, "lethe-erasure-receipt", "lethe-rotation-receipt");
    let verdict = Receipt::verify(&forged, key.verifier());
    assert!(matches!(verdict, Err(ReceiptError::Event(Part::Committed))), "{verdict:?}");
}

#[test]
fn an_inconsistent_rotation_is_refused() {
    let issue = |rotation: KeysRotated| {
        let mut log = Log::new();
        let committed = log.append("epoch.commit", Outcome::Allowed, Some(Event::KeysRotated(rotation)));
        let destroyed = log.destroy(destruction());
        log.issue(committed, destroyed).map(drop)
    };
    assert!(issue(rotation()).is_ok());
    assert!(matches!(issue(KeysRotated { to: 7, ..rotation() }), Err(ReceiptError::NoStep)));
    assert!(matches!(issue(KeysRotated { to_root: root(0x70), ..rotation() }), Err(ReceiptError::NoStep)));
    assert!(matches!(issue(KeysRotated { from: 6, ..rotation() }), Err(ReceiptError::Epoch { .. })));
}

#[test]
fn a_destruction_before_the_commit_is_refused() {
    let mut log = Log::new();
    let destroyed = log.destroy(destruction());
    let committed = log.commit(erasure());
    assert!(matches!(log.issue(committed, destroyed), Err(ReceiptError::Order { committed: 1, destroyed: 0 })));
}

#[test]
fn entries_outside_the_checkpoint_are_refused() {
    let (log, committed, destroyed) = eleven();
    let issue = |committed: &Logged<'_>, destroyed: &Logged<'_>, checkpoint: Checkpoint| {
        let note = checkpoint.sign(&log.key).unwrap();
        Receipt::issue(committed, destroyed, &note, log.key.verifier()).map(drop)
    };
    let (c, d) = (log.logged(committed), log.logged(destroyed));
    let refused = |verdict, expected| matches!(verdict, Err(ReceiptError::Inclusion { part, .. }) if part == expected);

    let early = Checkpoint { size: 8, ..log.checkpoint() };
    assert!(refused(issue(&c, &Logged { proof: vec![], ..d.clone() }, early), Part::Committed), "earlier checkpoint");
    assert!(refused(issue(&Logged { index: 5, ..c.clone() }, &d, log.checkpoint()), Part::Committed), "another index");
    assert!(
        refused(issue(&c, &Logged { index: 11, ..d.clone() }, log.checkpoint()), Part::Destroyed),
        "beyond the end"
    );
    assert!(
        refused(issue(&c, &Logged { proof: c.proof.clone(), ..d.clone() }, log.checkpoint()), Part::Destroyed),
        "another proof"
    );

    // An entry that says the right thing but was never appended.
    let mut forged = Entry::decode(d.entry).unwrap();
    forged.event = Some(Event::EpochDestroyed(EpochDestroyed { medium: vec![], ..destruction() }));
    let forged = forged.encode();
    assert!(refused(issue(&c, &Logged { entry: &forged, ..d.clone() }, log.checkpoint()), Part::Destroyed), "forged");
}

#[test]
fn what_the_checkpoint_does_not_sign_cannot_be_exchanged_either() {
    let (receipt, key) = valid();
    let with = |from: &str, to: &str| {
        let whole = text(&receipt);
        assert!(whole.contains(from), "{from} in {whole}");
        Receipt::verify(whole.replacen(from, to, 1).as_bytes(), key.verifier())
    };
    let id = "33".repeat(16);
    assert!(matches!(with(&id, &"44".repeat(16)), Err(ReceiptError::Receipt { .. })), "the receipt's id");
    assert!(matches!(with(r#","MEDIUM_NOT_SEPARATE"]}"#, "]}"), Err(ReceiptError::Exclusions)), "an exclusion less");
    assert!(matches!(with(r#""MEDIUM_PHYSICS","#, ""), Err(ReceiptError::Exclusions)), "a standing exclusion less");
    assert!(
        matches!(with(r#""MEDIUM_PHYSICS""#, r#""MEDIUM_PHYSICS","X""#), Err(ReceiptError::Exclusions)),
        "one more"
    );
    assert!(matches!(with(r#""version":1"#, r#""version":2"#), Err(ReceiptError::Version)), "a version to come");
    assert!(matches!(with("lethe-erasure-receipt", "lethe-export"), Err(ReceiptError::Version)), "another document");
    assert!(matches!(with(r#"{"index":4"#, r#"{"more":1,"index":4"#), Err(ReceiptError::Json(_))), "an unknown field");
    assert!(matches!(with(r#"]}"#, r#"],"note":"x"}"#), Err(ReceiptError::Json(_))), "a field at the end");
    assert!(matches!(with(r#""destroyed":"#, r#""undone":"#), Err(ReceiptError::Json(_))), "no destroyed entry");
}

#[test]
fn a_checkpoint_with_further_signatures_is_refused() {
    let (log, committed, destroyed) = eleven();
    let witness = signing_key("witness.example", 9);
    let own = log.checkpoint().sign(&log.key).unwrap();
    let line = sign(&log.checkpoint().text(), &witness).unwrap();
    let cosigned = format!("{own}{}", line.strip_prefix(&format!("{}\n", log.checkpoint().text())).unwrap());
    assert!(Checkpoint::open(cosigned.as_bytes(), log.key.verifier()).is_ok());
    let verdict = Receipt::issue(&log.logged(committed), &log.logged(destroyed), &cosigned, log.key.verifier());
    assert!(matches!(verdict, Err(ReceiptError::Checkpoint(NoteError::NotSole))), "{verdict:?}");
}

#[test]
fn any_json_that_means_the_same_is_refused() {
    let (receipt, key) = valid();
    let document: serde_json::Value = serde_json::from_slice(receipt.as_bytes()).unwrap();
    let pretty = serde_json::to_vec_pretty(&document).unwrap();
    let sorted = serde_json::to_vec(&document).unwrap();
    let escaped = text(&receipt).replace('—', "\\u2014");
    for (case, bytes) in [("indented", pretty), ("sorted", sorted), ("escaped", escaped.into_bytes())] {
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(), document, "{case}");
        assert!(matches!(Receipt::verify(&bytes, key.verifier()), Err(ReceiptError::Json(_))), "{case}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn receipts_verify_wherever_their_entries_are(before in 0_usize..40, between in 0_usize..40, after in 0_usize..40) {
        let mut log = Log::new();
        log.fill(before);
        let committed = log.commit(erasure());
        log.fill(between);
        let destroyed = log.destroy(destruction());
        log.fill(after);
        let receipt = log.issue(committed, destroyed).unwrap();
        prop_assert!(Receipt::verify(receipt.as_bytes(), log.key.verifier()).is_ok());
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let key = signing_key(ORIGIN, 7);
        prop_assert!(Receipt::verify(&bytes, key.verifier()).is_err());
    }
}
