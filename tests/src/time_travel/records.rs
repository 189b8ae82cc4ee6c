//! What keys open: sealed rows, and what log entries tell of whom.

use std::collections::{BTreeMap, HashMap};

use lethe_proto::v1;
use ring::hmac;

use super::crypto::{Key, SealKey, canonical, derive, expand, unseal};
use super::reach::Reach;
use super::rows::{Home, Slot, Tree, kind};
use super::seen::{Entry, Sealed, Seen};
use super::tried::Pair;

/// Opens rows with whatever keys are within reach.
pub(super) struct Opener<'a> {
    seen: &'a Seen,
    reach: &'a Reach,
    /// Models by tenant and number of their profile, as `id@version`.
    models: BTreeMap<(Tree, u32), String>,
}

impl<'a> Opener<'a> {
    pub(super) fn new(seen: &'a Seen, reach: &'a Reach) -> Self {
        let mut opener = Self { seen, reach, models: BTreeMap::new() };
        for row in seen.sealed.iter().filter(|row| row.home.kind == kind::PROFILE) {
            if let Some(profile) = opener.open(row) {
                let profile: serde_json::Value = serde_json::from_slice(&profile).expect("a profile is JSON");
                let text = |field: &str| profile[field].as_str().expect("a profile has a model").to_owned();
                let number = u32::from_be_bytes(row.key[13..].try_into().unwrap());
                opener.models.insert((row.home.tree, number), format!("{}@{}", text("model"), text("version")));
            }
        }
        opener
    }

    /// What a row holds, if any of the keys opens it.
    pub(super) fn open(&self, row: &Sealed) -> Option<Vec<u8>> {
        self.pairs(row).find_map(|pair| self.open_with(row, &pair))
    }

    /// Whether these keys open a row.
    pub(super) fn opens(&self, row: &Sealed, pair: &Pair) -> bool {
        self.open_with(row, pair).is_some()
    }

    /// Keys within reach that a row may be sealed under; none where its model is not known.
    pub(super) fn pairs(&self, row: &Sealed) -> impl Iterator<Item = Pair> {
        let Home { tree, subject, thing, .. } = row.home;
        let subject = subject.unwrap_or(Slot { number: 0, generation: 0 });
        let subjects = self.reach.of(tree, subject).filter(|_| self.model(row).is_some());
        subjects.flat_map(move |subject| {
            let things = thing.into_iter().flat_map(move |thing| self.reach.of(tree, thing));
            let alone = thing.is_none().then_some((*subject, None));
            things.map(|thing| (*subject, Some(*thing))).chain(alone)
        })
    }

    fn open_with(&self, row: &Sealed, (subject, thing): &Pair) -> Option<Vec<u8>> {
        let keys = [&subject[..], thing.as_ref().map_or(&[][..], |thing| &thing[..])].concat();
        open_record(row, &keys, self.model(row)?)
    }

    /// The model that a row's AAD names.
    fn model(&self, row: &Sealed) -> Option<&str> {
        match row.home.profile {
            Some(profile) => self.models.get(&(row.home.tree, profile)).map(String::as_str),
            None => Some(""),
        }
    }

    /// Whom entries of the logs are about, as far as it can be told: places in [`Seen::entries`], with the subject's slot
    /// and what is sealed in it.
    pub(super) fn entries(&self) -> HashMap<usize, (u64, Option<Vec<u8>>)> {
        let keys: BTreeMap<Tree, Vec<(u64, Key, hmac::Key)>> =
            self.reach.by_tree().into_iter().map(|(tree, slots)| (tree, self.audit_keys(tree, slots))).collect();
        let mut told = HashMap::new();
        for (place, entry) in self.seen.entries.iter().enumerate() {
            let origin = self.seen.origins[&entry.tree].as_bytes();
            let whose = keys.get(&entry.tree).into_iter().flatten();
            for (slot, key, mac) in whose {
                if tells(self.seen, mac, entry) {
                    told.insert(place, (*slot, sealed_fields(entry, key, origin)));
                }
            }
        }
        told
    }

    fn audit_keys(&self, tree: Tree, slots: Vec<(u64, Key)>) -> Vec<(u64, Key, hmac::Key)> {
        let subjects = self.seen.subjects.get(&tree);
        let of_subjects = slots.into_iter().filter(|(slot, _)| subjects.is_some_and(|known| known.contains(slot)));
        let audit = of_subjects.map(|(slot, key)| {
            let key = audit_key(&key);
            (slot, key, hmac::Key::new(hmac::HMAC_SHA256, &key))
        });
        audit.collect()
    }
}

/// The key of log entries about a subject.
pub(super) fn audit_key(subject: &Key) -> Key {
    expand(subject, &[b"lethe/v1/audit"])
}

/// Whether an entry is about whose audit key this is.
pub(super) fn tells(seen: &Seen, audit: &hmac::Key, entry: &Entry) -> bool {
    let message = [seen.origins[&entry.tree].as_bytes(), &entry.index.to_be_bytes()].concat();
    hmac::sign(audit, &message).as_ref() == entry.pseudonym
}

fn open_record(row: &Sealed, keys: &[u8], model: &str) -> Option<Vec<u8>> {
    let Home { kind, tree, gallery, subject, thing, .. } = &row.home;
    let (key, sealed) = record_key(row, keys);
    let subject = subject.unwrap_or(Slot { number: 0, generation: 0 });
    let thing = thing.map(Slot::bytes);
    let aad = canonical(&[
        b"lethe/v1/record",
        &tree.bytes(),
        &gallery.to_be_bytes(),
        &subject.bytes(),
        &[],
        thing.as_ref().map_or(&[], |thing| &thing[..]),
        &[*kind],
        &row.key,
        &1_u32.to_be_bytes(),
        model.as_bytes(),
    ]);
    unseal(&key, &aad, sealed)
}

/// The key that a row is sealed under, with its commitment; and what is sealed.
pub(super) fn record_key<'a>(row: &'a Sealed, keys: &[u8]) -> (SealKey, &'a [u8]) {
    let scope = if row.home.thing.is_some() { 2 } else { 0 };
    let (&version, rest) = row.value.split_first().unwrap();
    assert_eq!(version, 1, "version of a record");
    let (salt, sealed) = rest.split_at(32);
    (derive(salt, keys, &[b"lethe/v1/record", &[row.home.kind, scope], &row.key]), sealed)
}

fn sealed_fields(entry: &Entry, audit: &Key, origin: &[u8]) -> Option<Vec<u8>> {
    let sealed = entry.sealed.as_ref()?;
    assert_eq!(sealed[0], 1, "version of sealed fields");
    let (salt, sealed) = sealed[1..].split_at(32);
    let key = derive(salt, audit, &[b"lethe/v1/log/field"]);
    let aad = canonical(&[b"lethe/v1/log/field", origin, &entry.index.to_be_bytes()]);
    Some(unseal(&key, &aad, sealed).expect("who is named can read what is sealed"))
}

/// The applicant id in a subject's row.
pub(super) fn applicant(subject: &[u8]) -> String {
    assert_eq!((subject[0], subject.len()), (1, 138), "a subject row");
    String::from_utf8(subject[10..10 + usize::from(subject[9])].to_vec()).expect("an applicant id is text")
}

/// The id and the components in a template's row.
pub(super) fn template(row: &[u8]) -> ([u8; 16], Vec<f32>) {
    assert_eq!(row[0], 1, "version of a template");
    let components = row[42..].chunks_exact(4).map(|x| f32::from_le_bytes(x.try_into().unwrap()));
    (row[1..17].try_into().unwrap(), components.collect())
}

/// The template that a remembered answer names, and the digest of what was asked.
pub(super) fn remembered(row: &[u8]) -> ([u8; 16], String) {
    let row: serde_json::Value = serde_json::from_slice(row).expect("a remembered answer is JSON");
    let id = hex::decode(row["answer"].as_str().expect("a template's id")).expect("hexadecimal");
    let digest = row["request_sha256"].as_str().unwrap_or_default().to_owned();
    (id.try_into().expect("a template's id has 16 bytes"), digest)
}

/// The digest that is remembered of a request: of whoever guesses all of it.
pub(super) fn request_digest(operation: &str, of: &str, capture: &v1::Capture) -> String {
    let model = capture.model.as_ref().expect("a capture names its model");
    let taken = capture.capture_time.expect("a capture has a time");
    let taken = taken.seconds * 1000 + i64::from(taken.nanos / 1_000_000);
    let model = format!("{}@{}", model.id, model.version);
    let fields: [&[u8]; 6] = [
        operation.as_bytes(),
        of.as_bytes(),
        model.as_bytes(),
        &[u8::try_from(capture.kind).expect("a kind of capture")],
        &capture.quality.expect("a capture has a quality").to_be_bytes(),
        &taken.to_be_bytes(),
    ];
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    for field in fields {
        digest.update(&(field.len() as u64).to_be_bytes());
        digest.update(field);
    }
    digest.update(&(capture.embedding.len() as u64).to_be_bytes());
    capture.embedding.iter().for_each(|component| digest.update(&component.to_le_bytes()));
    hex::encode(digest.finish())
}
