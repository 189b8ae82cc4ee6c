use proptest::prelude::*;

use super::*;
use crate::random::{System, dangerous::Counting};

fn key(fill: u8) -> [u8; 32] {
    [fill; 32]
}

fn seal(keys: &[&[u8; 32]], label: Label, info: &[&[u8]], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
    seal_with(&System, keys, label, info, aad, plaintext)
}

fn gcm(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut buffer = plaintext.to_vec();
    let tag = Aes256Gcm::new(key.into())
        .encrypt_inout_detached(&Nonce::from(*nonce), aad, buffer.as_mut_slice().into())
        .unwrap();
    (buffer, tag.to_vec())
}

/// McGrew & Viega, "The Galois/Counter Mode of Operation", test cases 13–16 (the AES-256 cases with a
/// 96-bit IV that NIST took over): (key, IV, AAD, plaintext, ciphertext, tag).
const GCM_VECTORS: [[&str; 6]; 4] = [
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "",
        "",
        "",
        "530f8afbc74536b9a963b4f1c4cb738b",
    ],
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "",
        "00000000000000000000000000000000",
        "cea7403d4d606b6e074ec5d3baf39d18",
        "d0d1c8a799996bf0265b98b5d48ab919",
    ],
    [
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
        "b094dac5d93471bdec1a502270e3cc6c",
    ],
    [
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ],
];

#[test]
fn aes_256_gcm_gives_the_published_vectors() {
    for vector in GCM_VECTORS {
        let [key, iv, aad, plaintext, ciphertext, tag] = vector.map(|text| hex::decode(text).unwrap());
        let key: [u8; 32] = key.try_into().unwrap();
        let iv: [u8; 12] = iv.try_into().unwrap();
        assert_eq!(gcm(&key, &iv, &aad, &plaintext), (ciphertext, tag));
    }
}

#[test]
fn a_changed_bit_anywhere_is_refused() {
    let message = seal(&[&key(1)], Label::RECORD, &[b"info"], b"aad", b"a template").unwrap();
    for bit in 0..message.len() * 8 {
        let mut changed = message.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&[&key(1)], Label::RECORD, &[b"info"], b"aad", &changed).is_err(), "bit {bit}");
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let message = seal(&[&key(1)], Label::RECORD, &[], b"", b"a template").unwrap();
    for length in 0..message.len() {
        assert!(open(&[&key(1)], Label::RECORD, &[], b"", &message[..length]).is_err(), "length {length}");
    }
    let longer = [message.as_slice(), &[0]].concat();
    assert!(open(&[&key(1)], Label::RECORD, &[], b"", &longer).is_err());
}

#[test]
fn any_other_key_label_info_or_associated_data_is_refused() {
    let (s, t) = (key(1), key(2));
    let message = seal(&[&s, &t], Label::RECORD, &[b"a"], b"aad", b"x").unwrap();
    assert_eq!(open(&[&s, &t], Label::RECORD, &[b"a"], b"aad", &message).unwrap().as_slice(), b"x");

    type Other<'a> = (&'a [&'a [u8; 32]], Label, &'a [u8], &'a [u8]);
    let refused: [Other<'_>; 7] = [
        (&[&s], Label::RECORD, b"a", b"aad"),
        (&[&t], Label::RECORD, b"a", b"aad"),
        (&[&t, &s], Label::RECORD, b"a", b"aad"),
        (&[&s, &t, &t], Label::RECORD, b"a", b"aad"),
        (&[&s, &t], Label::LOG_FIELD, b"a", b"aad"),
        (&[&s, &t], Label::RECORD, b"b", b"aad"),
        (&[&s, &t], Label::RECORD, b"a", b"aae"),
    ];
    for (keys, label, info, aad) in refused {
        assert!(matches!(open(keys, label, &[info], aad, &message), Err(Error::NotAuthentic)));
    }
}

#[test]
fn the_same_plaintext_never_gives_the_same_bytes() {
    let seal = || seal(&[&key(1)], Label::RECORD, &[], b"", &[0; 64]).unwrap();
    let (a, b) = (seal(), seal());
    assert_ne!(a[1..33], b[1..33], "salt");
    assert_ne!(a[33..65], b[33..65], "commitment");
    assert_ne!(a[65..77], b[65..77], "nonce");
    assert_ne!(a[77..], b[77..], "ciphertext");
}

#[test]
fn a_message_of_another_version_is_refused_by_name() {
    let mut message = seal(&[&key(1)], Label::RECORD, &[], b"", b"x").unwrap();
    message[0] = 2;
    let error = open(&[&key(1)], Label::RECORD, &[], b"", &message).unwrap_err();
    assert!(error.to_string().contains("unknown version"), "{error}");
}

/// A second implementation: HKDF and AES-256-GCM of ring.
fn ring_seal(ikm: &[u8; 32], salt: &[u8], nonce: [u8; 12], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    struct Length;
    impl ring::hkdf::KeyType for Length {
        fn len(&self) -> usize {
            64
        }
    }
    let mut okm = [0; 64];
    let prk = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, salt).extract(ikm);
    prk.expand(&[b"lethe/v1/record"], Length).unwrap().fill(&mut okm).unwrap();

    let key = ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &okm[..32]).unwrap();
    let mut buffer = plaintext.to_vec();
    ring::aead::LessSafeKey::new(key)
        .seal_in_place_append_tag(
            ring::aead::Nonce::assume_unique_for_key(nonce),
            ring::aead::Aad::from(aad),
            &mut buffer,
        )
        .unwrap();
    [&[1], salt, &okm[32..], &nonce, &buffer].concat()
}

proptest! {
    #[test]
    fn sealing_round_trips_and_agrees_with_ring(
        ikm: [u8; 32],
        aad in prop::collection::vec(any::<u8>(), 0..80),
        plaintext in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let random = Counting::new("aead");
        let message = seal_with(&random, &[&ikm], Label::RECORD, &[], &aad, &plaintext).unwrap();
        let nonce = message[65..77].try_into().unwrap();
        prop_assert_eq!(&message, &ring_seal(&ikm, &message[1..33], nonce, &aad, &plaintext));

        let opened = open(&[&ikm], Label::RECORD, &[], &aad, &message).unwrap();
        prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
    }
}
