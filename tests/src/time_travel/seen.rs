//! Everything that was ever written, by kind.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use super::rows::{Home, Place, RowKey, Tree, VAULT, Wrapped, epoch_state, kind};

/// A row under keys: every (key, value) that was ever seen is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sealed {
    pub(super) key: Vec<u8>,
    pub(super) home: Home,
    pub(super) value: Vec<u8>,
}

/// A log entry that names a subject.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) tree: Tree,
    pub(super) index: u64,
    pub(super) pseudonym: [u8; 32],
    pub(super) sealed: Option<Vec<u8>>,
}

/// Every distinct row of all images.
#[derive(Clone, Default)]
pub(super) struct Seen {
    known: HashSet<[u64; 2]>,
    pub(super) wrapped: Vec<Wrapped>,
    pub(super) pages: HashMap<Place, Vec<(u64, Vec<u8>)>>,
    pub(super) sealed: Vec<Sealed>,
    pub(super) entries: Vec<Entry>,
    /// Of the tenants' logs.
    pub(super) origins: BTreeMap<Tree, String>,
    /// The epoch that each committed erasure leaves, by its receipt.
    pub(super) receipts: HashMap<[u8; 16], u64>,
    /// Slots that rows name, by tree, and each tree's own.
    pub(super) slots: BTreeMap<Tree, BTreeSet<u64>>,
    /// Slots of subjects.
    pub(super) subjects: BTreeMap<Tree, BTreeSet<u64>>,
}

impl Seen {
    /// Takes in a row, if it is new.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        if !self.known.insert(fingerprint(key, value)) {
            return;
        }
        match RowKey::parse(key) {
            RowKey::Epoch => self.wrapped.extend(epoch_state(value)),
            RowKey::Page { place, epoch } => self.pages.entry(place).or_default().push((epoch, value.to_vec())),
            RowKey::Receipt(receipt) => {
                let row: serde_json::Value = serde_json::from_slice(value).expect("the state of an erasure is JSON");
                let leaves = row.get("committed").map(|committed| committed["leaves_epoch"].as_u64().unwrap());
                self.receipts.extend(leaves.map(|leaves| (receipt, leaves)));
            }
            // A founding that was cut short is done again, as another vault: its log may have had another origin. No
            // entry of it is about a subject.
            RowKey::LogHead(tree) if tree == VAULT => {}
            RowKey::LogHead(tree) => {
                let origin = std::str::from_utf8(&value[8..]).expect("an origin is text").to_owned();
                let known = self.origins.entry(tree).or_insert_with(|| origin.clone());
                assert_eq!(*known, origin, "a log has one origin");
            }
            RowKey::LogEntry { tree, index } => self.entries.extend(entry(tree, index, value)),
            RowKey::Sealed(home) => {
                self.slots.entry(VAULT).or_default().insert(home.tree.number);
                let slots = self.slots.entry(home.tree).or_default();
                slots.insert(0);
                slots.extend([home.subject, home.thing].into_iter().flatten().map(|slot| slot.number));
                if let Some(subject) = home.subject {
                    self.subjects.entry(home.tree).or_default().insert(subject.number);
                }
                self.sealed.push(Sealed { key: key.to_vec(), home, value: value.to_vec() });
            }
            RowKey::Plain => {}
        }
    }

    /// Whether this row was taken in.
    pub(super) fn knows(&self, key: &[u8], value: &[u8]) -> bool {
        self.known.contains(&fingerprint(key, value))
    }

    /// Versions of pages.
    pub(super) fn page_versions(&self) -> usize {
        self.pages.values().map(Vec::len).sum()
    }
}

impl Sealed {
    /// Whether it is about a person.
    pub(super) fn is_personal(&self) -> bool {
        matches!(self.home.kind, kind::SUBJECT | kind::TEMPLATE | kind::SKETCH | kind::REMEMBERED)
    }
}

fn fingerprint(key: &[u8], value: &[u8]) -> [u64; 2] {
    [1_u8, 2].map(|seed| {
        let mut hasher = DefaultHasher::new();
        (seed, key, value).hash(&mut hasher);
        hasher.finish()
    })
}

fn entry(tree: Tree, index: u64, line: &[u8]) -> Option<Entry> {
    use base64::Engine;
    let line: serde_json::Value = serde_json::from_slice(line).expect("a log entry is JSON");
    assert_eq!(line["version"], 1, "version of a log entry");
    let pseudonym = hex::decode(line.get("pseudonym")?.as_str()?).expect("a pseudonym is hexadecimal");
    let sealed = line.get("sealed").and_then(|sealed| sealed.as_str());
    let sealed = sealed.map(|text| base64::engine::general_purpose::STANDARD.decode(text).expect("base64"));
    Some(Entry { tree, index, pseudonym: pseudonym.try_into().expect("a pseudonym has 32 bytes"), sealed })
}
