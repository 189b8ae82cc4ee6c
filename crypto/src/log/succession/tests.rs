use std::collections::HashMap;

use super::*;
use crate::log::entry::{EntryDraft, Event, Outcome};
use crate::log::merkle::{Frontier, NodeAddress, NodeSource, prove_inclusion};
use crate::log::note::Seed;
use crate::log::text::{Origin, Token};

const ORIGIN: &str = "lethe/test/log";

fn key_of(name: &str, byte: u8) -> SigningKey {
    SigningKey::from_seed(name.parse().unwrap(), &Seed::from_slice(&[byte; 32]).unwrap()).unwrap()
}

fn key(byte: u8) -> SigningKey {
    key_of(ORIGIN, byte)
}

fn kept(byte: u8) -> VerifierKey {
    key(byte).verifier().clone()
}

fn token(text: &str) -> Token {
    text.parse().unwrap()
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log {
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
    fn add(&mut self, draft: EntryDraft) {
        let origin: Origin = ORIGIN.parse().unwrap();
        let entry = draft.finish(self.frontier.size(), &origin).unwrap();
        self.nodes.extend(self.frontier.append(entry.leaf()));
        self.lines.push(entry.encode());
    }

    fn fill(&mut self, entries: usize) {
        for _ in 0..entries {
            self.add(EntryDraft::new(1_760_000_000_000, token("a.read"), Outcome::Allowed));
        }
    }

    fn rotation(&mut self, from: &SigningKey, to: &SigningKey, outcome: Outcome) {
        let (from, to) = (from.verifier().clone(), to.verifier().clone());
        let event = Event::LogKeyRotated(LogKeyRotated { from, to, proposal: token("0a0b") });
        self.add(EntryDraft::new(1_760_000_000_000, token("approval.approve"), outcome).event(event));
    }

    fn head(&self) -> Checkpoint {
        Checkpoint { origin: ORIGIN.parse().unwrap(), size: self.frontier.size(), root: self.frontier.root() }
    }

    /// A succession of the last entry.
    fn last(&self, note: String) -> Result<Succession, SuccessionError> {
        let size = self.frontier.size();
        Succession::compose(&self.lines[size as usize - 1], prove_inclusion(self, size - 1, size).unwrap(), note)
    }

    /// What a vault does.
    fn succeed(&mut self, from: u8, to: u8) -> Succession {
        self.rotation(&key(from), &key(to), Outcome::Allowed);
        self.last(Succession::sign(&self.head(), &key(from), &key(to)).unwrap()).unwrap()
    }
}

/// A log whose key was succeeded twice, after 5 and after 9 entries; 12 in all.
fn log() -> (Log, Vec<Succession>) {
    let mut log = Log::default();
    log.fill(4);
    let first = log.succeed(1, 2);
    log.fill(3);
    let second = log.succeed(2, 3);
    log.fill(3);
    (log, vec![first, second])
}

fn at(size: u64) -> Checkpoint {
    Checkpoint { origin: ORIGIN.parse().unwrap(), size, root: Hash::leaf(&size.to_be_bytes()) }
}

#[test]
fn whoever_keeps_any_key_follows_to_all() {
    let (_, successions) = log();
    for (place, byte) in [1, 2, 3].into_iter().enumerate() {
        let keys = Keys::follow(&kept(byte), &successions).unwrap();
        assert_eq!(*keys.newest(), kept(3));
        for (by, sizes) in [(1, 0..5), (2, 5..9), (3, 9..20)] {
            for size in 0..20 {
                let note = at(size).sign(&key(by)).unwrap();
                let expected = match usize::from(by - 1).cmp(&place) {
                    std::cmp::Ordering::Less => Signer::Predecessor,
                    std::cmp::Ordering::Equal => Signer::Kept,
                    std::cmp::Ordering::Greater => Signer::Successor,
                };
                for opened in [keys.open(note.as_bytes()), keys.open_sole(note.as_bytes())] {
                    match opened {
                        Ok(opened) => assert!(sizes.contains(&size) && opened == (at(size), expected), "{by} {size}"),
                        Err(NoteError::Retired { until, .. }) => assert!(size >= until && until == sizes.end),
                        Err(NoteError::NotYet { since, .. }) => assert!(size < since && since == sizes.start),
                        Err(other) => panic!("{other}"),
                    }
                }
            }
        }
        let stranger = at(12).sign(&key(9)).unwrap();
        assert!(matches!(keys.open(stranger.as_bytes()), Err(NoteError::Unsigned(_))));
        // What a succession itself is about counts by its new key.
        for succession in &successions {
            assert_eq!(keys.open(succession.note.as_bytes()).unwrap().0, *succession.checkpoint());
        }
    }
    assert_eq!(led_to(successions[1].note.as_bytes(), &kept(3)).unwrap(), 9);
    assert!(led_to(successions[1].note.as_bytes(), &kept(2)).is_err(), "the retired one signed, but first");
}

#[test]
fn a_key_alone_knows_of_no_other() {
    let keys = Keys::follow(&kept(1), &[]).unwrap();
    assert_eq!(keys, Keys::of(kept(1)));
    assert_eq!(keys.open(at(100).sign(&key(1)).unwrap().as_bytes()).unwrap(), (at(100), Signer::Kept));
    assert!(keys.open(at(100).sign(&key(2)).unwrap().as_bytes()).is_err());
}

#[test]
fn a_document_has_one_spelling_and_no_byte_can_be_changed() {
    let (_, successions) = log();
    let lines: Vec<u8> = successions.iter().flat_map(|each| [each.encode(), b"\n".to_vec()].concat()).collect();
    assert_eq!(Succession::decode_lines(&lines).unwrap(), successions);
    assert_eq!(Succession::decode_lines(b"").unwrap(), []);
    for wrong in [&lines[..lines.len() - 1], &[&lines[..], b"\n"].concat(), b"\n", b"{}\n"] {
        assert!(Succession::decode_lines(wrong).is_err());
    }
    let document = successions[0].encode();
    assert_eq!(Succession::decode(&document).unwrap().encode(), document);
    for place in 0..document.len() {
        for flip in [1, 0x20, 0x80] {
            let mut changed = document.clone();
            changed[place] ^= flip;
            assert!(Succession::decode(&changed).is_err(), "byte {place}");
        }
    }
    for end in 0..document.len() {
        assert!(Succession::decode(&document[..end]).is_err());
    }
    let many = [document, b"\n".to_vec()].concat().repeat(MOST + 1);
    assert!(matches!(Succession::decode_lines(&many), Err(SuccessionError::File)));
}

#[test]
fn the_entry_has_to_be_the_last_and_to_record_it() {
    let (mut log, old, new) = (Log::default(), key(1), key(2));
    log.fill(4);
    log.rotation(&old, &new, Outcome::Denied);
    let note = |log: &Log| Succession::sign(&log.head(), &old, &new).unwrap();
    assert!(matches!(log.last(note(&log)), Err(SuccessionError::Event)), "what was denied");
    log.fill(1);
    assert!(matches!(log.last(note(&log)), Err(SuccessionError::Event)), "an entry of something else");
    log.rotation(&old, &new, Outcome::Allowed);
    let (proof, line) = (prove_inclusion(&log, 6, 7).unwrap(), log.lines[6].clone());
    assert!(log.last(note(&log)).is_ok());
    log.fill(1);
    let later = Succession::compose(&line, prove_inclusion(&log, 6, 8).unwrap(), note(&log));
    assert!(matches!(later, Err(SuccessionError::NotLast(_))), "it is in the tree, and not its last");
    assert!(matches!(Succession::compose(&line, proof.clone(), note(&log)), Err(SuccessionError::NotLast(_))));
    let empty = Succession::sign(&Log::default().head(), &old, &new).unwrap();
    assert!(matches!(Succession::compose(&line, proof, empty), Err(SuccessionError::NotLast(_))));
}

#[test]
fn both_keys_that_the_entry_names_have_to_sign_and_nobody_else() {
    let (mut log, old, new, other) = (Log::default(), key(1), key(2), key(3));
    log.fill(4);
    log.rotation(&old, &new, Outcome::Allowed);
    let head = log.head();
    let by = |keys: &[&SigningKey]| head.sign_by(keys).unwrap();
    assert!(log.last(by(&[&old, &new])).is_ok());
    for (keys, why) in [
        (vec![&old], "the new one did not"),
        (vec![&new], "the old one did not"),
        (vec![&new, &old], "in another order"),
        (vec![&old, &other], "another than it names"),
        (vec![&other, &new], "another than the old one"),
        (vec![&old, &new, &other], "somebody else, too"),
        (vec![&old, &old], "the old one twice"),
    ] {
        assert!(matches!(log.last(by(&keys)), Err(SuccessionError::Checkpoint(_))), "{why}");
    }
    let wrong = Checkpoint { size: 4, ..head.clone() }.sign_by(&[&old, &new]).unwrap();
    let forged = wrong.replacen("\n4\n", "\n5\n", 1);
    let refused = log.last(forged);
    assert!(
        matches!(refused, Err(SuccessionError::Checkpoint(NoteError::WrongSignature(_)))),
        "signatures of a cut tree"
    );
}

#[test]
fn both_keys_are_the_logs_own_and_two() {
    let (old, new) = (key(1), key(2));
    for (from, to) in [(&old, &old), (&key_of("lethe/test/other", 1), &new), (&old, &key_of("lethe/test/other", 2))] {
        let mut log = Log::default();
        log.rotation(from, to, Outcome::Allowed);
        // As somebody would write it who has both secrets.
        let note = note::sign_by(&log.head().text(), &[from, to]).unwrap();
        let refused = log.last(note);
        assert!(matches!(refused, Err(SuccessionError::SameKey | SuccessionError::Checkpoint(_))), "{refused:?}");
        assert!(Succession::sign(&log.head(), from, to).is_err() || from.verifier() == to.verifier());
    }
    // Both of another log, whose checkpoint it calls this one's.
    let (from, to) = (key_of("lethe/test/other", 1), key_of("lethe/test/other", 2));
    let mut log = Log::default();
    log.rotation(&from, &to, Outcome::Allowed);
    let note = note::sign_by(&log.head().text(), &[&from, &to]).unwrap();
    assert!(matches!(log.last(note), Err(SuccessionError::Checkpoint(NoteError::Origin { .. }))));
}

#[test]
fn a_row_of_successions_is_followed_without_gaps_forks_or_returns() {
    let (log, successions) = log();
    let [first, second] = <[Succession; 2]>::try_from(successions).unwrap();
    let follow =
        |kept: VerifierKey, row: &[&Succession]| Keys::follow(&kept, &row.iter().copied().cloned().collect::<Vec<_>>());
    assert!(follow(kept(1), &[&first, &second]).is_ok());
    assert!(matches!(follow(kept(1), &[&second, &first]), Err(SuccessionError::Broken(1))), "out of order");
    assert!(matches!(follow(kept(1), &[&first, &first]), Err(SuccessionError::Broken(1))), "twice");
    assert!(matches!(follow(kept(1), &[&second]), Err(SuccessionError::Stranger)), "a gap");
    assert!(matches!(follow(kept(3), &[&first]), Err(SuccessionError::Stranger)), "too short");
    assert!(matches!(follow(kept(9), &[&first, &second]), Err(SuccessionError::Stranger)));

    // The old key names another successor, in another history.
    let mut forked = Log::default();
    forked.fill(5);
    let fork = forked.succeed(1, 8);
    assert!(matches!(follow(kept(1), &[&first, &fork]), Err(SuccessionError::Broken(1))), "a fork");
    // A log goes on with a key that it had before.
    let mut back = log.clone();
    let third = back.succeed(3, 1);
    assert!(matches!(follow(kept(1), &[&first, &second, &third]), Err(SuccessionError::Again(2))));
    // Of a smaller tree.
    let mut small = Log::default();
    small.fill(1);
    let early = small.succeed(2, 3);
    assert!(matches!(follow(kept(1), &[&first, &early]), Err(SuccessionError::Order(1))));
}

/// Written by another program, from the format alone.
#[test]
fn golden_succession() {
    let golden = include_bytes!("../golden/succession.json");
    let succession = Succession::decode(golden).unwrap();
    assert_eq!((succession.from(), succession.to()), (key(1).verifier(), key(2).verifier()));
    assert_eq!((succession.checkpoint().size, succession.proof.len()), (2, 1));
    assert_eq!(succession.encode(), golden);
    let again = Succession::sign(succession.checkpoint(), &key(1), &key(2)).unwrap();
    assert_eq!(again, succession.note);
}
