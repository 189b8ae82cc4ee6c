//! Receipts of the vault, verified by whoever has the public key alone.

use std::process::Command;

use lethe_crypto::log::entry::Entry;
use lethe_crypto::log::note::VerifierKey;
use lethe_crypto::log::receipt::{Receipt, Verified};
use lethe_proto::v1::{self, ErasureState};
use lethe_tests::{Caller, PATIENCE, Vault};

/// Waits until what has this receipt is shredded, and verifies it: here, and by the reader that was written from the
/// documentation alone.
pub(crate) async fn verified(vault: &Vault, reader: &Caller, name: &str) -> (v1::Receipt, Verified) {
    let receipt = shredded(reader, name).await;
    assert!(receipt.create_time.is_some() && receipt.shred_time.is_some());
    let key = vault.verifier_key().await;
    let verified = Receipt::verify(&receipt.document, &key).unwrap();
    assert!(name.ends_with(&format!("/{}", verified.step().receipt)), "{name} is another's");
    assert_eq!(verified.destruction.epoch, verified.step().from, "the root destroyed is not the one left");
    assert!(verified.checkpoint.origin.to_string().ends_with("/vault"), "it is the vault's log that attests");
    read_by_another(vault, &receipt.document, &key);
    (receipt, verified)
}

/// Waits until what has this receipt is shredded.
pub(crate) async fn shredded(reader: &Caller, name: &str) -> v1::Receipt {
    let asked = async {
        loop {
            let receipt = reader.receipt(name).await.unwrap();
            if receipt.state() == ErasureState::Shredded {
                return receipt;
            }
            assert_eq!((receipt.state(), receipt.document.len()), (ErasureState::Pending, 0));
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("what is accepted is shredded in the end")
}

/// `docs/verify_receipt.py` agrees, and refuses a document with a digit changed.
fn read_by_another(vault: &Vault, document: &[u8], key: &VerifierKey) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/verify_receipt.py");
    let path = vault.home().path().join("receipt-to-be-read");
    let read = |document: &[u8]| {
        std::fs::write(&path, document).unwrap();
        Command::new("python3").arg(script).arg(&path).arg(key.to_string()).output().unwrap()
    };
    let accepted = read(document);
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    let mut changed = document.to_vec();
    let digit = changed.iter().rposition(|byte| *byte == b'1').unwrap();
    changed[digit] = b'2';
    assert!(!read(&changed).status.success(), "a receipt with a digit changed is refused");
}

/// The entries of the vault's log.
pub(crate) async fn log(operator: &Caller) -> Vec<Entry> {
    let size = operator.checkpoint("vault/log").await.unwrap().tree_size;
    let mut entries = Vec::new();
    for leaf in 0..size {
        let entry = operator.proof("vault/log", leaf, size).await.unwrap().entry;
        entries.push(Entry::decode(&entry).unwrap());
    }
    entries
}

/// Events of a type, as they stand in the entries.
pub(crate) fn events(entries: &[Entry], kind: &str) -> Vec<serde_json::Value> {
    let lines = entries.iter().map(|entry| serde_json::from_slice::<serde_json::Value>(&entry.encode()).unwrap());
    lines.map(|line| line["event"].clone()).filter(|event| event["type"] == kind).collect()
}
