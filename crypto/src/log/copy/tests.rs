use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::log::checkpoint::Checkpoint;
use crate::log::entry::{EntryDraft, Event, LogKeyRotated, Outcome};
use crate::log::merkle::{Frontier, MerkleError, NodeAddress, NodeSource, prove_inclusion};
use crate::log::note::{NoteError, Seed, SigningKey};
use crate::log::succession::{Signer, Succession, SuccessionError};
use crate::log::text::Origin;
use crate::secret::{AuditKey, SlotKey};

/// Files in memory.
#[derive(Clone, Default)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn read(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, BoxError> {
        match self.0.get(path) {
            Some(bytes) if bytes.len() > most => Err(format!("{path} has {} bytes", bytes.len()).into()),
            bytes => Ok(bytes.cloned()),
        }
    }
}

fn origin() -> Origin {
    "lethe/test/log".parse().unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_seed(origin(), &Seed::from_slice(&[5; 32]).unwrap()).unwrap()
}

fn entry(index: u64) -> Vec<u8> {
    let operation = ["a.read", "b.write", "c.erase"][index as usize % 3].parse().unwrap();
    let mut draft = EntryDraft::new(1_700_000_000_000 + index, operation, Outcome::Allowed);
    if index.is_multiple_of(2) {
        draft = draft.subject(AuditKey::derive(&SlotKey::from_fn(|bytes| bytes.fill(3))));
    }
    draft.finish(index, &origin()).unwrap().encode()
}

fn log(size: u64) -> Vec<Vec<u8>> {
    (0..size).map(entry).collect()
}

fn sign(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut tree = Frontier::new();
    entries.iter().for_each(|entry| drop(tree.append(Hash::leaf(entry))));
    Checkpoint { origin: origin(), size: tree.size(), root: tree.root() }.sign(&key()).unwrap().into_bytes()
}

/// A copy of these entries, without a checkpoint.
fn unsigned(entries: &[Vec<u8>]) -> Memory {
    let (mut writer, mut files) = (Writer::new(), Vec::new());
    entries.iter().for_each(|entry| writer.push(entry, &mut files).unwrap());
    files.extend(writer.edge());
    Memory(files.into_iter().map(|file| (file.path, file.bytes)).collect())
}

fn copy(entries: &[Vec<u8>]) -> Memory {
    let mut files = unsigned(entries);
    files.0.insert(CHECKPOINT.to_owned(), sign(entries));
    files
}

fn check(files: &Memory) -> Result<Verified, CopyError> {
    verify(files, key().verifier())
}

/// What somebody does to a log.
#[derive(Clone, Copy, Debug)]
enum Tampering {
    Change(usize),
    Drop(usize),
    Insert(usize),
    Swap(usize, usize),
    Cut(usize),
}

impl Tampering {
    /// What comes of it; `None` if nothing does, or it is what a log itself does.
    fn of(self, entries: &[Vec<u8>]) -> Option<(Vec<Vec<u8>>, Relation)> {
        let (mut log, size) = (entries.to_vec(), entries.len());
        let new = || entry(1_000_000);
        let (index, difference) = match self {
            Self::Change(at) if at < size => {
                log[at] = new();
                (at, Difference::Changed)
            }
            // Without the last one it is cut.
            Self::Drop(at) if at + 1 < size => {
                log.remove(at);
                (at, Difference::Dropped)
            }
            Self::Insert(at) if at < size => {
                log.insert(at, new());
                (at, Difference::Inserted)
            }
            Self::Swap(one, other) if one != other && one.max(other) < size => {
                log.swap(one, other);
                (one.min(other), Difference::Moved)
            }
            Self::Cut(at) if at < size => {
                log.truncate(at);
                return Some((log, Relation::Cut { at: at as u64, begins_so: Some(true) }));
            }
            Self::Change(_) | Self::Drop(_) | Self::Insert(_) | Self::Swap(..) | Self::Cut(_) => return None,
        };
        Some((log, Relation::Differs { index: index as u64, difference }))
    }
}

/// How far somebody goes in making a copy look right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Entries,
    LowestTiles,
    AllTiles,
    Signature,
}

/// The files of a copy of `size` entries, with what they have to be named, out of other entries.
fn forge(genuine: &Memory, forged: &[Vec<u8>], size: usize, depth: Depth) -> Memory {
    let made = unsigned(forged);
    let mut files = match depth {
        Depth::Signature => return copy(forged),
        // Files of edges have names that say how wide they are.
        Depth::Entries | Depth::LowestTiles | Depth::AllTiles => genuine.clone(),
    };
    let takes = |path: &str| match depth {
        Depth::Entries => path.starts_with("tile/entries/"),
        Depth::LowestTiles => path.starts_with("tile/entries/") || path.starts_with("tile/0/"),
        Depth::AllTiles | Depth::Signature => path.starts_with("tile/"),
    };
    let width = size % 256;
    files.0.retain(|path, _| !takes(path));
    for (path, bytes) in made.0.into_iter().filter(|(path, _)| takes(path)) {
        let (place, _) = path.split_once(".p/").unwrap_or((&path, ""));
        let is_last = genuine.0.keys().find(|known| known.starts_with(&format!("{place}.p/")));
        let name = is_last.cloned().unwrap_or_else(|| place.to_owned());
        files.0.insert(name, bytes);
    }
    // What does not fit into a bundle less goes to the last one.
    if forged.len() > size {
        let (index, rest) = if width == 0 { (size / 256 - 1, 256) } else { (size / 256, width) };
        let last: Vec<u8> = forged[index * 256..]
            .iter()
            .flat_map(|entry| [&u16::try_from(entry.len()).unwrap().to_be_bytes()[..], entry].concat())
            .collect();
        files.0.insert(paths::bundle(index as u64, rest as u64), last);
    }
    files
}

fn tampering(size: usize) -> impl Strategy<Value = Tampering> {
    prop_oneof![
        (0..size).prop_map(Tampering::Change),
        (0..size).prop_map(Tampering::Drop),
        (0..size).prop_map(Tampering::Insert),
        (0..size, 0..size).prop_map(|(one, other)| Tampering::Swap(one, other)),
        (0..size).prop_map(Tampering::Cut),
    ]
}

/// Whatever is done, and however far it goes: the copy is refused, unless the log's own key signed it; an index that is
/// named is the right one; and an earlier copy tells it always.
fn caught(entries: &[Vec<u8>], tampering: Tampering, depth: Depth) {
    let Some((forged, expected)) = tampering.of(entries) else { return };
    let genuine = copy(entries);
    let files = forge(&genuine, &forged, entries.len(), depth);
    let what = format!("{tampering:?} {depth:?} of {}", entries.len());
    let (had, first) = (
        entries.len() as u64,
        match expected {
            Relation::Differs { index, .. } | Relation::Cut { at: index, .. } => index,
            Relation::Same | Relation::Extended(_) | Relation::Forked { .. } => unreachable!(),
        },
    );

    let found = check(&files);
    let has = match depth {
        Depth::Signature => {
            found.expect(&what);
            forged.len() as u64
        }
        Depth::Entries | Depth::LowestTiles | Depth::AllTiles => {
            match found.expect_err(&what) {
                CopyError::Entry { index, difference } => {
                    assert_eq!(index, first, "{what}: {difference}");
                    if let Relation::Differs { difference: expected, .. } = expected {
                        assert_eq!(difference, expected, "{what}");
                    }
                }
                CopyError::Within { first: low, last } => {
                    assert_ne!(depth, Depth::Entries, "{what}: the tiles say which");
                    assert!((low..=last).contains(&first), "{what}: {low} to {last}");
                }
                // Of a tail that was cut there is nothing left.
                CopyError::Missing(path) => assert!(forged.len() < entries.len(), "{what}: {path}"),
                other @ (CopyError::Read { .. }
                | CopyError::Checkpoint(_)
                | CopyError::Successions(_)
                | CopyError::Succession { .. }
                | CopyError::NoEntry { .. }
                | CopyError::Tile { .. }
                | CopyError::TooLong(_)
                | CopyError::Edge) => panic!("{what}: {other:?}"),
            }
            had
        }
    };
    assert_eq!(compare(&genuine, had, &files, has).expect(&what), expected, "{what}");
    // A checkpoint that was kept tells that it is another history.
    if depth == Depth::Signature {
        let kept = Checkpoint::open(&sign(entries), key().verifier()).unwrap();
        match begins_with(&kept, &files, has).unwrap() {
            Relation::Cut { at, begins_so: None } => assert!(has < had && at == has, "{what}"),
            Relation::Forked { before } => assert_eq!(before, had, "{what}"),
            other @ (Relation::Same | Relation::Extended(_) | Relation::Cut { .. } | Relation::Differs { .. }) => {
                panic!("{what}: {other:?}")
            }
        }
    }
}

const DEPTHS: [Depth; 4] = [Depth::Entries, Depth::LowestTiles, Depth::AllTiles, Depth::Signature];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_done_to_a_log_is_caught_and_where(
        (size, tampering) in prop_oneof![1..40_usize, 250..262_usize, 500..900_usize]
            .prop_flat_map(|size| (Just(size), tampering(size))),
        depth in prop::sample::select(&DEPTHS[..]),
    ) {
        caught(&log(size as u64), tampering, depth);
    }

    #[test]
    fn a_copy_that_grows_is_the_copy_of_the_log_that_grew(steps in prop::collection::vec(0..600_u64, 1..5)) {
        let whole = log(steps.iter().sum());
        let (mut kept, mut size) = (copy(&[]), 0);
        for step in steps {
            let head = check(&kept).unwrap().checkpoint;
            let mut writer = Writer::resume(&kept, head.size, &head.root).unwrap();
            let (earlier, until) = (kept.clone(), size + step);
            let mut files = Vec::new();
            for entry in &whole[size as usize..until as usize] {
                writer.push(entry, &mut files).unwrap();
            }
            files.extend(writer.edge());
            kept.0.extend(files.into_iter().map(|file| (file.path, file.bytes)));
            for path in stale(size, until) {
                prop_assert!(kept.0.remove(&path).is_some(), "{path}");
            }
            kept.0.insert(CHECKPOINT.to_owned(), sign(&whole[..until as usize]));
            prop_assert_eq!(&kept.0, &copy(&whole[..until as usize]).0, "from {} to {}", size, until);
            prop_assert_eq!(writer.root(), check(&kept).unwrap().checkpoint.root);
            let relation = compare(&earlier, size, &kept, until).unwrap();
            prop_assert_eq!(relation, if step == 0 { Relation::Same } else { Relation::Extended(size) });
            prop_assert_eq!(begins_with(&head, &kept, until).unwrap(), relation);
            size = until;
        }
    }
}

#[test]
fn every_way_to_tamper_with_a_small_log_is_caught() {
    for size in 1..7 {
        let entries = log(size as u64);
        for depth in DEPTHS {
            for at in 0..size {
                for way in [Tampering::Change(at), Tampering::Drop(at), Tampering::Insert(at), Tampering::Cut(at)] {
                    caught(&entries, way, depth);
                }
                for other in 0..size {
                    caught(&entries, Tampering::Swap(at, other), depth);
                }
            }
        }
    }
}

#[test]
fn a_large_log_has_tiles_that_tell_where_it_was_changed() {
    let entries = log(70_000);
    let genuine = copy(&entries);
    let verified = check(&genuine).unwrap();
    assert_eq!(verified.times, Some((1_700_000_000_000, 1_700_000_069_999)));
    assert_eq!(verified.clock_set_back, None);
    for depth in DEPTHS {
        for way in [Tampering::Change(300), Tampering::Drop(66_000), Tampering::Swap(2, 69_950), Tampering::Cut(65_536)]
        {
            caught(&entries, way, depth);
        }
    }
    // Where the lowest tiles were made to fit, those above them still tell the 256 entries it is among.
    let (forged, _) = Tampering::Change(300).of(&entries).unwrap();
    let files = forge(&genuine, &forged, entries.len(), Depth::LowestTiles);
    assert!(matches!(check(&files), Err(CopyError::Within { first: 256, last: 511 })), "{:?}", check(&files));
}

#[test]
fn a_byte_of_any_file_is_missed() {
    let entries = log(600);
    let genuine = copy(&entries);
    for (path, bytes) in &genuine.0 {
        for at in (0..bytes.len()).step_by(bytes.len().div_ceil(40)) {
            let mut files = genuine.clone();
            files.0.get_mut(path).unwrap()[at] ^= 1;
            assert!(check(&files).is_err(), "{path} byte {at}");
        }
        let mut longer = genuine.clone();
        longer.0.get_mut(path).unwrap().push(0);
        assert!(check(&longer).is_err(), "{path} with a byte more");
        let mut shorter = genuine.clone();
        shorter.0.get_mut(path).unwrap().pop();
        assert!(check(&shorter).is_err(), "{path} with a byte less");
        let mut without = genuine.clone();
        without.0.remove(path);
        assert!(check(&without).is_err(), "without {path}");
    }
}

#[test]
fn a_tile_that_is_wrong_is_named_where_the_entries_are_right() {
    let mut files = copy(&log(600));
    files.0.get_mut("tile/0/001").unwrap()[0] ^= 1;
    let refused = check(&files).unwrap_err();
    assert!(matches!(&refused, CopyError::Tile { path, index: 256 } if path == "tile/0/001"), "{refused:?}");
}

#[test]
fn what_is_signed_and_no_entry_is_named() {
    let mut entries = log(300);
    entries[280] = b"{\"version\":1}".to_vec();
    let refused = check(&copy(&entries)).unwrap_err();
    assert!(matches!(refused, CopyError::NoEntry { index: 280, .. }), "{refused:?}");
}

#[test]
fn a_clock_that_was_set_back_is_told_and_no_fault() {
    let mut entries = log(10);
    let late = EntryDraft::new(1_700_010_000_000, "a.read".parse().unwrap(), Outcome::Allowed);
    entries[4] = late.finish(4, &origin()).unwrap().encode();
    assert_eq!(check(&copy(&entries)).unwrap().clock_set_back, Some(5));
}

#[test]
fn a_copy_of_another_log_is_refused() {
    let files = copy(&log(3));
    let other =
        SigningKey::from_seed("lethe/other/log".parse().unwrap(), &Seed::from_slice(&[5; 32]).unwrap()).unwrap();
    assert!(matches!(verify(&files, other.verifier()), Err(CopyError::Checkpoint(_))));
    let empty = check(&copy(&[])).unwrap();
    assert_eq!((empty.checkpoint.size, empty.times), (0, None));
    assert!(matches!(check(&Memory::default()), Err(CopyError::Missing(path)) if path == CHECKPOINT));
}

#[test]
fn an_edge_that_was_changed_is_not_gone_on_from() {
    let genuine = copy(&log(300));
    let head = check(&genuine).unwrap().checkpoint;
    for path in genuine.0.keys().filter(|path| path.contains(".p/")) {
        let mut files = genuine.clone();
        files.0.get_mut(path).unwrap()[20] ^= 1;
        assert!(Writer::resume(&files, head.size, &head.root).is_err(), "{path}");
    }
    let long = vec![b'x'; 1 << 16];
    assert!(matches!(Writer::new().push(&long, &mut Vec::new()), Err(CopyError::TooLong(65_536))));
}

/// Nodes of a tree.
#[derive(Default)]
struct Nodes(BTreeMap<NodeAddress, Hash>);

impl NodeSource for Nodes {
    fn node(&self, at: NodeAddress) -> Result<Hash, MerkleError> {
        self.0.get(&at).copied().ok_or(MerkleError::Missing(at))
    }
}

fn key_of(byte: u8) -> SigningKey {
    SigningKey::from_seed(origin(), &Seed::from_slice(&[byte; 32]).unwrap()).unwrap()
}

/// A log that goes on to `size` with a new key after each of these entries, by the keys 5, 6, …; and its successions.
fn rotated(size: u64, after: &[u64]) -> (Vec<Vec<u8>>, Vec<Succession>) {
    let (mut entries, mut tree, mut nodes, mut successions) = (Vec::new(), Frontier::new(), Nodes::default(), vec![]);
    for index in 0..size {
        let by = 5 + u8::try_from(successions.len()).unwrap();
        let line = if after.contains(&index) {
            let (from, to) = (key_of(by).verifier().clone(), key_of(by + 1).verifier().clone());
            let event = Event::LogKeyRotated(LogKeyRotated { from, to, proposal: "0a".parse().unwrap() });
            let draft =
                EntryDraft::new(1_700_000_000_000 + index, "approval.approve".parse().unwrap(), Outcome::Allowed);
            draft.event(event).finish(index, &origin()).unwrap().encode()
        } else {
            entry(index)
        };
        nodes.0.extend(tree.append(Hash::leaf(&line)));
        if after.contains(&index) {
            let head = Checkpoint { origin: origin(), size: index + 1, root: tree.root() };
            let note = Succession::sign(&head, &key_of(by), &key_of(by + 1)).unwrap();
            let proof = prove_inclusion(&nodes, index, index + 1).unwrap();
            successions.push(Succession::compose(&line, proof, note).unwrap());
        }
        entries.push(line);
    }
    (entries, successions)
}

fn copy_by(entries: &[Vec<u8>], by: u8, successions: &[Succession]) -> Memory {
    let mut files = unsigned(entries);
    let mut tree = Frontier::new();
    entries.iter().for_each(|entry| drop(tree.append(Hash::leaf(entry))));
    let head = Checkpoint { origin: origin(), size: tree.size(), root: tree.root() };
    files.0.insert(CHECKPOINT.to_owned(), head.sign(&key_of(by)).unwrap().into_bytes());
    if !successions.is_empty() {
        let lines = successions.iter().flat_map(|each| [each.encode(), b"\n".to_vec()].concat()).collect();
        files.0.insert(SUCCESSIONS.to_owned(), lines);
    }
    files
}

#[test]
fn a_copy_is_followed_from_any_key_that_its_log_had() {
    for (size, after) in [(300, vec![100, 255]), (300, vec![0, 299]), (2, vec![0, 1]), (513, vec![256])] {
        let (entries, successions) = rotated(size, &after);
        let newest = 5 + u8::try_from(after.len()).unwrap();
        let files = copy_by(&entries, newest, &successions);
        for by in 5..=newest {
            let verified = verify(&files, key_of(by).verifier()).unwrap();
            assert_eq!(verified.signer, if by == newest { Signer::Kept } else { Signer::Successor }, "{after:?}");
        }
        // What was copied before, with the successions of today.
        for (at, &index) in after.iter().enumerate().filter(|(_, index)| **index > 0) {
            let by = 5 + u8::try_from(at).unwrap();
            let before = copy_by(&entries[..usize::try_from(index).unwrap()], by, &successions);
            assert!(verify(&before, key_of(by).verifier()).is_ok(), "{after:?}");
            let verified = verify(&before, key_of(newest).verifier()).unwrap();
            assert_eq!(verified.signer, Signer::Predecessor);
            let (had, has) = (verified.checkpoint.size, entries.len() as u64);
            assert_eq!(compare(&before, had, &files, has).unwrap(), Relation::Extended(had));
        }
    }
}

#[test]
fn a_retired_key_signs_nothing_any_more() {
    let (entries, successions) = rotated(300, &[100]);
    for (size, by) in [(300, 5), (101, 5), (100, 6), (1, 6)] {
        let files = copy_by(&entries[..size], by, &successions);
        for kept in [5, 6] {
            let refused = verify(&files, key_of(kept).verifier()).unwrap_err();
            let expected = matches!(
                (by, &refused),
                (5, CopyError::Checkpoint(NoteError::Retired { until: 101, .. }))
                    | (6, CopyError::Checkpoint(NoteError::NotYet { since: 101, .. }))
            );
            assert!(expected, "{size} by {by}: {refused}");
        }
    }
    // Without the succession, too: the log itself says that the key was retired.
    let refused = verify(&copy_by(&entries, 5, &[]), key_of(5).verifier()).unwrap_err();
    assert!(matches!(refused, CopyError::Succession { index: 100, .. }), "{refused}");
}

#[test]
fn entries_and_successions_say_the_same() {
    let (entries, successions) = rotated(300, &[100, 200]);
    let kept = |files: &Memory| verify(files, key_of(5).verifier()).unwrap_err();
    let refused = kept(&copy_by(&entries, 7, &successions[..1]));
    assert!(matches!(refused, CopyError::Checkpoint(NoteError::Unsigned(_))), "{refused}");
    let refused = verify(&copy_by(&entries, 7, &[]), key_of(7).verifier()).unwrap_err();
    assert!(matches!(refused, CopyError::Succession { index: 100, .. }), "{refused}");
    let refused = verify(&copy_by(&entries, 7, &successions[1..]), key_of(7).verifier()).unwrap_err();
    assert!(matches!(refused, CopyError::Succession { index: 100, .. }), "{refused}");
    // The keys are the same, and the history is another.
    let (others, theirs) = rotated(300, &[100, 200]);
    let refused = kept(&copy_by(&entries, 7, &[successions[0].clone(), theirs[1].clone()]));
    assert!(matches!(refused, CopyError::Succession { index: 200, .. }), "{refused}");
    let refused = kept(&copy_by(&others, 7, &successions));
    assert!(matches!(refused, CopyError::Succession { index: 100, .. }), "{refused}");
    // One that the log does not tell of.
    let refused = kept(&copy_by(&log(300), 7, &successions));
    assert!(matches!(refused, CopyError::Succession { index: 100, .. }), "{refused}");
    let mut files = copy_by(&entries, 7, &successions);
    files.0.get_mut(SUCCESSIONS).unwrap().pop();
    assert!(matches!(kept(&files), CopyError::Successions(SuccessionError::File)));
}
