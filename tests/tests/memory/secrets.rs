//! What is looked for of somebody.

use lethe_crypto::secret::{SlotKey, TransformSeed};
use lethe_crypto::transform::KeyedTransform;
use lethe_tests::DIMENSION;
use lethe_tests::memory::Sketches;
use lethe_tests::residue::{Needles, Scanner, Subject};
use lethe_tests::time_travel::Person;

/// Bytes of a sketch's row before its signs.
const SKETCH_HEADER: usize = 4;

/// Everything that is looked for, by name.
#[derive(Default)]
pub(crate) struct Secrets {
    needles: Needles,
    sketches: Sketches,
}

impl Secrets {
    /// A person: id, so many captures in all forms, keys, sketches.
    pub(crate) fn person(&mut self, name: &str, subject: &Subject, known: &Person, captures: u32) {
        subject.look_for(&mut self.needles, name, captures);
        let transform = transform(known);
        for capture in 0..captures {
            let rotated = transform.rotate(&subject.kept(capture)).unwrap();
            self.needles.embedding(&format!("{name}: face {capture}, rotated"), &rotated);
        }
        for (what, key) in &known.keys {
            self.key(&format!("{name}: {what}"), key);
        }
        for number in 0..known.templates.len() {
            self.template(&format!("{name}: template {number}"), known, number);
        }
    }

    /// One template of somebody's.
    pub(crate) fn template(&mut self, name: &str, known: &Person, number: usize) {
        let template = &known.templates[number];
        for (what, key) in &template.keys {
            self.key(&format!("{name}: {what}"), key);
        }
        self.needles.embedding(&format!("{name}: components"), &template.components);
        self.needles.embedding(&format!("{name}: rotated"), &transform(known).rotate(&template.components).unwrap());
        let signs = &template.sketch[SKETCH_HEADER..][..DIMENSION / 8];
        self.needles.bytes(&format!("{name}: sketch"), signs);
        self.sketches.add(&format!("{name}: sketch"), signs);
        self.needles.bytes(&format!("{name}: template id"), &template.id);
    }

    /// A key, also as HMAC holds it.
    pub(crate) fn key(&mut self, name: &str, key: &[u8]) {
        self.needles.bytes(name, key);
        for pad in [0x36, 0x5c] {
            let padded: Vec<u8> = key.iter().map(|byte| byte ^ pad).collect();
            self.needles.bytes(&format!("{name} in an HMAC block"), &padded);
        }
    }

    /// Ready to be looked for.
    pub(crate) fn ready(self) -> (Scanner, Sketches) {
        println!("looking for {:?}", self.needles);
        (self.needles.scanner(), self.sketches)
    }
}

fn transform(known: &Person) -> KeyedTransform {
    let seed = TransformSeed::derive(&SlotKey::from_fn(|key| key.copy_from_slice(&known.own)), 0);
    KeyedTransform::new(&seed, DIMENSION).unwrap()
}
