use proptest::prelude::*;

use super::*;

#[test]
fn no_label_begins_another() {
    for a in Label::ALL {
        for b in Label::ALL {
            assert!(a == b || !b.as_str().starts_with(a.as_str()), "{} begins {}", a.as_str(), b.as_str());
        }
    }
}

/// RFC 5869, appendix A: (IKM, salt, info, OKM).
const RFC5869: [(&str, &str, &str, &str); 3] = [
    (
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
        "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
        "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
        "",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
];

#[test]
fn hkdf_gives_the_vectors_of_rfc_5869() {
    for (ikm, salt, info, okm) in RFC5869 {
        let [ikm, salt, info, okm] = [ikm, salt, info, okm].map(|text| hex::decode(text).unwrap());
        let mut out = vec![0; okm.len()];
        Hkdf::<Sha256>::new(Some(&salt), &ikm).expand(&info, &mut out).unwrap();
        assert_eq!(out, okm);
    }
}

/// RFC 4231, test cases 1 and 2: (key, data, HMAC-SHA256).
#[test]
fn hmac_gives_the_vectors_of_rfc_4231() {
    let cases: [(&[u8], &[u8], &str); 2] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    ];
    for (key, data, tag) in cases {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(data);
        assert_eq!(hex::encode(mac.finalize().into_bytes()), tag);
    }
}

/// ring's HKDF as an independent second implementation.
fn ring_hkdf(salt: &[u8], ikm: &[u8], info: &[&[u8]], length: usize) -> Vec<u8> {
    struct Length(usize);
    impl ring::hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let prk = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, salt).extract(ikm);
    let mut out = vec![0; length];
    prk.expand(info, Length(length)).unwrap().fill(&mut out).unwrap();
    out
}

proptest! {
    #[test]
    fn derive_agrees_with_ring(
        keys in prop::collection::vec(any::<[u8; 32]>(), 1..4),
        salt: [u8; 32],
        info in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..MAX_PARTS),
        length in 1usize..512,
    ) {
        let info: Vec<&[u8]> = info.iter().map(Vec::as_slice).collect();
        let mut out = vec![0; length];
        derive(&keys.iter().collect::<Vec<_>>(), &salt, Label::RECORD, &info, &mut out);

        let mut labelled: Vec<&[u8]> = vec![Label::RECORD.as_str().as_bytes()];
        labelled.extend(&info);
        prop_assert_eq!(out, ring_hkdf(&salt, &keys.concat(), &labelled, length));
    }

    #[test]
    fn expand_agrees_with_ring(key: [u8; 32], info: [u8; 24], length in 1usize..MAX_OUTPUT) {
        struct Length(usize);
        impl ring::hkdf::KeyType for Length {
            fn len(&self) -> usize {
                self.0
            }
        }
        let mut out = vec![0; length];
        expand(&key, Label::ENTRY, &[&info], &mut out);

        let prk = ring::hkdf::Prk::new_less_safe(ring::hkdf::HKDF_SHA256, &key);
        let mut expected = vec![0; length];
        prk.expand(&[b"lethe/v1/entry", &info], Length(length)).unwrap().fill(&mut expected).unwrap();
        prop_assert_eq!(out, expected);
    }

    #[test]
    fn mac_agrees_with_ring(key: [u8; 32], message in prop::collection::vec(any::<u8>(), 0..200)) {
        let expected = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key), &message);
        let (a, b) = message.split_at(message.len() / 2);
        prop_assert_eq!(&mac(&key, &[a, b])[..], expected.as_ref());
    }
}
