use proptest::prelude::*;

use super::*;
use crate::random::dangerous::Counting;
use crate::tree::SlotRef;

fn slot(fill: u8) -> SlotKey {
    SlotKey::from_fn(|key| key.fill(fill))
}

fn at(slot: u64, generation: u32) -> SlotRef {
    SlotRef { slot, generation }
}

const TEMPLATE: RecordKind = RecordKind(2);

fn context() -> RecordContext<'static> {
    RecordContext {
        gallery: 1,
        thing: Some(at(8, 0)),
        version: 3,
        model: "arcface@1",
        ..RecordContext::new(at(1, 0), at(7, 0), TEMPLATE, b"template-1")
    }
}

fn refused(result: Result<Zeroizing<Vec<u8>>>) -> bool {
    matches!(result, Err(Error::NotAuthentic))
}

/// The swap matrix: a record opens in its own place and in no other.
#[test]
fn a_record_opens_in_no_other_place() {
    let (s, t) = (slot(1), slot(2));
    let keys = RecordKeys::of_thing(&s, &t);
    let sealed = seal(keys, &context(), b"embedding").unwrap();
    assert_eq!(open(keys, &context(), &sealed).unwrap().as_slice(), b"embedding");

    let here = context();
    let elsewhere = [
        RecordContext { tenant: at(2, 0), ..here },
        RecordContext { tenant: at(1, 1), ..here },
        RecordContext { gallery: 0, ..here },
        RecordContext { subject: at(6, 0), ..here },
        RecordContext { subject: at(7, 1), ..here },
        RecordContext { thing: Some(at(9, 0)), ..here },
        RecordContext { thing: Some(at(8, 1)), ..here },
        RecordContext { kind: RecordKind(3), ..here },
        RecordContext { id: b"template-2", ..here },
        RecordContext { id: b"template-1\0", ..here },
        RecordContext { id: b"", ..here },
        RecordContext { version: 4, ..here },
        RecordContext { model: "arcface@2", ..here },
        RecordContext { model: "", ..here },
    ];
    for place in elsewhere {
        assert!(refused(open(keys, &place, &sealed)), "{place:?}");
    }
}

#[test]
fn a_record_opens_under_no_other_keys() {
    let (s, t, other) = (slot(1), slot(2), slot(3));
    let sealed = seal(RecordKeys::of_thing(&s, &t), &context(), b"embedding").unwrap();
    for (a, b) in [(&t, &s), (&s, &other), (&other, &t), (&s, &s)] {
        assert!(refused(open(RecordKeys::of_thing(a, b), &context(), &sealed)));
    }
}

/// The same two keys in two roles: S and T, or two subjects.
#[test]
fn a_thing_is_no_second_subject() {
    let (a, b) = (slot(1), slot(2));
    let two = RecordContext { thing: None, other: Some(at(8, 0)), ..context() };
    let sealed = seal(RecordKeys::of_two(&a, &b), &two, b"case").unwrap();
    assert_eq!(open(RecordKeys::of_two(&a, &b), &two, &sealed).unwrap().as_slice(), b"case");
    assert!(refused(open(RecordKeys::of_two(&b, &a), &two, &sealed)));
    assert!(refused(open(RecordKeys::of_thing(&a, &b), &context(), &sealed)));
}

/// Rule 6: a record about two subjects dies with either, one of a thing with the thing or the subject.
#[test]
fn every_key_of_a_record_is_needed() {
    let (s, o, t, redrawn) = (slot(1), slot(2), slot(3), slot(4));
    let context = RecordContext { other: Some(at(9, 0)), ..context() };
    let keys = RecordKeys { subject: &s, other: Some(&o), thing: Some(&t) };
    let sealed = seal(keys, &context, b"x").unwrap();
    assert!(open(keys, &context, &sealed).is_ok());
    assert!(refused(open(RecordKeys { subject: &redrawn, ..keys }, &context, &sealed)));
    assert!(refused(open(RecordKeys { other: Some(&redrawn), ..keys }, &context, &sealed)));
    assert!(refused(open(RecordKeys { thing: Some(&redrawn), ..keys }, &context, &sealed)));
}

#[test]
fn keys_and_context_must_name_the_same() {
    let (s, t) = (slot(1), slot(2));
    for keys in [RecordKeys::of_subject(&s), RecordKeys::of_two(&s, &t)] {
        assert!(matches!(seal(keys, &context(), b""), Err(Error::Context(_))));
    }
    let alone = RecordContext { thing: None, ..context() };
    assert!(matches!(seal(RecordKeys::of_thing(&s, &t), &alone, b""), Err(Error::Context(_))));
}

#[test]
fn stored_bytes_that_are_no_record_are_refused() {
    assert!(SealedRecord::from_bytes(vec![1; OVERHEAD - 1]).is_err());
    assert!(SealedRecord::from_bytes(vec![2; OVERHEAD + 1]).is_err());
    assert_eq!(SealedRecord::from_bytes(vec![1; OVERHEAD + 5]).unwrap().plaintext_len(), 5);
}

/// Fixed keys and fixed randomness give fixed bytes; opened with Python's `cryptography` as well.
#[test]
fn a_sealed_record_is_fixed() {
    let (s, t) = (slot(1), slot(2));
    let keys = RecordKeys::of_thing(&s, &t);
    let sealed = seal_with(&Counting::new("record"), keys, &context(), b"embedding").unwrap();
    assert_eq!(hex::encode(sealed.as_bytes()), SEALED);
    assert_eq!(open(keys, &context(), &sealed).unwrap().as_slice(), b"embedding");
    assert_eq!(hex::encode(context().associated_data()), ASSOCIATED_DATA);
}

const SEALED: &str = "0127bf868182884f1f7942c591b90c16522c5635bd4884509d15b552d816e2ef0e3bcf6b0bf8a83c45c3d1e8e8228b9b\
    2295e2b7c9498589d08a316a6b818eef20c0aa244d23b11816a3a858b76e10ae63f92f9b009dab6ef637ef843e113d10\
    06e1ad25f353";
const ASSOCIATED_DATA: &str = "0000000f6c657468652f76312f7265636f72640000000c00000000000000010000000000000004000000010000000c00\
    0000000000000700000000000000000000000c00000000000000080000000000000001020000000a74656d706c617465\
    2d31000000040000000300000009617263666163654031";

proptest! {
    #[test]
    fn records_of_any_size_round_trip(plaintext in prop::collection::vec(any::<u8>(), 0..3000), id: Vec<u8>) {
        let s = slot(9);
        let context = RecordContext::new(at(3, 2), at(1, 0), TEMPLATE, &id);
        let sealed = seal(RecordKeys::of_subject(&s), &context, &plaintext).unwrap();
        prop_assert_eq!(sealed.as_bytes().len(), plaintext.len() + OVERHEAD);
        let stored = SealedRecord::from_bytes(sealed.into_bytes()).unwrap();
        let opened = open(RecordKeys::of_subject(&s), &context, &stored).unwrap();
        prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
    }

    #[test]
    fn arbitrary_bytes_never_open_and_never_panic(bytes: Vec<u8>) {
        let s = slot(9);
        let context = RecordContext::new(at(3, 2), at(1, 0), TEMPLATE, b"");
        prop_assert!(open_bytes(RecordKeys::of_subject(&s), &context, &bytes).is_err());
    }
}
