//! What is looked for of somebody.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lethe_crypto::secret::{SlotKey, TransformSeed};
use lethe_crypto::transform::KeyedTransform;
use lethe_tests::DIMENSION;
use lethe_tests::memory::Sketches;
use lethe_tests::residue::{Needles, Scanner, Subject};
use lethe_tests::time_travel::Person;

/// Bytes of a sketch's row before its signs.
const SKETCH_HEADER: usize = 4;

/// Rounds of AES-256.
const ROUNDS: usize = 14;

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
        // A gallery has them as the encoding does: one after the other.
        let magnitudes = &template.sketch[SKETCH_HEADER + DIMENSION / 8..];
        assert_eq!(magnitudes.len(), DIMENSION / 8);
        self.needles.bytes(&format!("{name}: magnitudes"), magnitudes);
        self.needles.bytes(&format!("{name}: template id"), &template.id);
    }

    /// A key, also as HMAC holds it, as the hash that gave it does, and as AES does: from its last round keys all others can be
    /// computed.
    pub(crate) fn key(&mut self, name: &str, key: &[u8]) {
        self.needles.bytes(name, key);
        for pad in [0x36, 0x5c] {
            let padded: Vec<u8> = key.iter().map(|byte| byte ^ pad).collect();
            self.needles.bytes(&format!("{name} in an HMAC block"), &padded);
        }
        if let Ok(key) = key.try_into() {
            for half in hash_state(key) {
                self.needles.bytes(&format!("{name}, as SHA instructions hold it"), &half);
            }
            for (number, round_key) in round_keys(key).iter().enumerate().skip(ROUNDS - 1) {
                self.needles.bytes(&format!("{name}, round key {number} of it"), round_key);
            }
        }
    }

    /// The secret in an API key, and the text that it comes in. Its digest is what is kept of it, and is not looked for.
    pub(crate) fn api_key(&mut self, name: &str, key: &str) {
        let secret = key.splitn(3, '_').nth(2).unwrap();
        self.needles.text(name, secret);
        for half in URL_SAFE_NO_PAD.decode(secret).unwrap().chunks(16) {
            self.needles.bytes(name, half);
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

/// A hash in two registers, as SHA instructions end with it: its words F, E, B, A, and H, G, D, C.
fn hash_state(hash: &[u8; 32]) -> [[u8; 16]; 2] {
    let word = |number: usize| hash[4 * number..][..4].iter().rev().copied();
    [[5, 4, 1, 0], [7, 6, 3, 2]].map(|words| words.into_iter().flat_map(word).collect::<Vec<_>>().try_into().unwrap())
}

/// The round keys of AES-256 (FIPS 197, section 5.2).
fn round_keys(key: &[u8; 32]) -> [[u8; 16]; ROUNDS + 1] {
    let mut words: Vec<[u8; 4]> = key.chunks(4).map(|word| word.try_into().unwrap()).collect();
    let mut constant = 1;
    while words.len() < 4 * (ROUNDS + 1) {
        let (at, mut word) = (words.len(), words[words.len() - 1]);
        if at % 8 == 0 {
            word.rotate_left(1);
        }
        if at % 4 == 0 {
            word = word.map(substituted);
        }
        if at % 8 == 0 {
            word[0] ^= constant;
            constant = doubled(constant);
        }
        let before = words[at - 8];
        words.push(std::array::from_fn(|byte| word[byte] ^ before[byte]));
    }
    std::array::from_fn(|round| words[4 * round..][..4].concat().try_into().unwrap())
}

/// The S-box: the inverse in the field of 256 elements, through an affine map.
fn substituted(byte: u8) -> u8 {
    let inverse = (0..=u8::MAX).find(|other| multiplied(byte, *other) == 1).unwrap_or(0);
    (0..5).fold(0x63, |sum, by| sum ^ inverse.rotate_left(by))
}

fn multiplied(a: u8, b: u8) -> u8 {
    let powers = std::iter::successors(Some(a), |power| Some(doubled(*power)));
    powers.take(8).enumerate().filter(|(bit, _)| b >> bit & 1 == 1).fold(0, |sum, (_, power)| sum ^ power)
}

fn doubled(a: u8) -> u8 {
    a << 1 ^ if a & 0x80 != 0 { 0x1b } else { 0 }
}

/// FIPS 197, appendix A.3.
#[test]
fn round_keys_are_those_of_the_standard() {
    let key = hex::decode("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4").unwrap();
    let last = round_keys(key.as_slice().try_into().unwrap()).map(hex::encode);
    assert_eq!(last[13..], ["cafaaae3e4d59b349adf6acebd10190d", "fe4890d1e6188d0b046df344706c631e"]);
}
