//! Rows in clear.

use lethe_domain::Timestamp;
use lethe_rows::records::{CommittedErasure, IntentRecord, ReceiptRecord, decode, encode};
use lethe_rows::{LogHead, MirrorId, Position};

#[test]
fn the_position_of_a_mirror_is_fixed() {
    let id = MirrorId::from_bytes(std::array::from_fn(|n| 0x51 + n as u8));
    for (position, expected) in [
        (Position { id, sequence: 0x0102, whole: true }, "5152535455565758595a5b5c5d5e5f60000000000000010201"),
        (Position::in_parts(id), "5152535455565758595a5b5c5d5e5f60000000000000000000"),
    ] {
        assert_eq!(hex::encode(position.encode()), expected);
        assert_eq!(Position::decode(&hex::decode(expected).unwrap()).unwrap(), position);
    }
    assert_eq!(id.to_string(), "5152535455565758595a5b5c5d5e5f60");
    for wrong in ["51", "5152535455565758595a5b5c5d5e5f60000000000000010202", ""] {
        assert!(Position::decode(&hex::decode(wrong).unwrap()).is_err(), "{wrong}");
    }
}

#[test]
fn the_head_of_a_log_is_fixed() {
    let head = LogHead { size: 0x0a0b, origin: "lethe/000102030405060708090a0b0c0d0e0f/tenants/1.0".parse().unwrap() };
    let expected =
        [&[0, 0, 0, 0, 0, 0, 0x0a, 0x0b][..], b"lethe/000102030405060708090a0b0c0d0e0f/tenants/1.0"].concat();
    assert_eq!(head.encode(), expected);
    assert_eq!(LogHead::decode(&expected).unwrap(), head);
}

#[test]
fn an_intent_is_fixed() {
    let expected = r#"{"scope":"subject","slots":[[3,0],[4,1]],"accepted_at":1795354379508}"#;
    let intent = IntentRecord { scope: "subject".into(), slots: vec![(3, 0), (4, 1)], accepted_at: 1_795_354_379_508 };
    assert_eq!(encode("intent", &intent).unwrap().as_slice(), expected.as_bytes());
    let read: IntentRecord = decode("intent", expected.as_bytes()).unwrap();
    assert_eq!((read.scope, read.slots, read.accepted_at), (intent.scope, intent.slots, intent.accepted_at));
}

#[test]
fn the_state_of_an_erasure_is_fixed() {
    let accepted_at = Timestamp::from_millis(1_795_354_379_508).millis();
    let pending = ReceiptRecord { accepted_at, committed: None };
    let committed = ReceiptRecord { accepted_at, committed: Some(CommittedErasure { leaf: 2, leaves_epoch: 0 }) };
    for (record, expected) in [
        (pending, r#"{"accepted_at":1795354379508}"#),
        (committed, r#"{"accepted_at":1795354379508,"committed":{"leaf":2,"leaves_epoch":0}}"#),
    ] {
        assert_eq!(encode("receipt", &record).unwrap().as_slice(), expected.as_bytes());
        let read: ReceiptRecord = decode("receipt", expected.as_bytes()).unwrap();
        assert_eq!(encode("receipt", &read).unwrap().as_slice(), expected.as_bytes());
    }
}
