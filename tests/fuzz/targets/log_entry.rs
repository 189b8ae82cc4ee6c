//! Entries of the log, and the canonical JSON that they are: one spelling each, which every JSON parser reads alike.
#![no_main]

use lethe_crypto::log::entry::{Entry, Glance, MAX_ENTRY};
use lethe_crypto::log::json::{self, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parsed = json::parse(bytes);
    if let Ok(value) = &parsed {
        assert_eq!(value.write().as_bytes(), bytes, "a document has two spellings");
        let general: serde_json::Value = serde_json::from_slice(bytes).expect("what is canonical is JSON");
        agrees(value, &general);
    }
    drop(Glance::read(bytes));
    if let Ok(entry) = Entry::decode(bytes) {
        assert!(parsed.is_ok() && bytes.len() <= MAX_ENTRY);
        assert_eq!(entry.encode(), bytes, "an entry has two spellings");
        assert_eq!(entry.leaf(), lethe_crypto::log::merkle::Hash::leaf(bytes), "a leaf is not its line");
        let glance = Glance::read(bytes).expect("what is read whole is read at a glance");
        assert_eq!((glance.time, glance.operation), (entry.time, entry.operation.as_str()));
        assert_eq!((glance.outcome, glance.pseudonym), (entry.outcome, entry.pseudonym));
        for (seen, read) in
            [(glance.credential, &entry.credential), (glance.purpose, &entry.purpose), (glance.reason, &entry.reason)]
        {
            assert_eq!(seen, read.as_ref().map(|token| token.as_str()));
        }
        let again = Entry::decode(&entry.encode());
        assert_eq!(again.expect("what was written is read"), entry);
    }
});

/// Is it the same to a general parser?
fn agrees(value: &Value, general: &serde_json::Value) {
    match (value, general) {
        (Value::String(ours), serde_json::Value::String(theirs)) => assert_eq!(ours, theirs),
        (Value::Number(ours), serde_json::Value::Number(theirs)) => assert_eq!(Some(*ours), theirs.as_u64()),
        (Value::List(ours), serde_json::Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            ours.iter().zip(theirs).for_each(|(ours, theirs)| agrees(ours, theirs));
        }
        (Value::Object(ours), serde_json::Value::Object(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "a key twice");
            ours.iter().for_each(|(key, ours)| agrees(ours, &theirs[key]));
        }
        _ => panic!("{value:?} is {general:?} to others"),
    }
}
