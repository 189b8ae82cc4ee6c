//! What outlives a server: its root store, and the checkpoints and receipts it gave out.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use lethe_crypto::log::merkle::{Hash, verify_inclusion};
use rand::Rng;
use rand::seq::IteratorRandom;
use rand_chacha::ChaCha8Rng;

use super::clients::{Clients, VAULT_LOG};
use crate::{Caller, Device, Vault};

/// Checkpoints that are kept for later.
const KEPT: usize = 24;
/// Leaves that are proved against each.
const LEAVES: usize = 3;

/// No receipt says of a root that it is destroyed while a root store still holds it, as its medium shows.
pub(super) fn destroyed_roots_are_on_no_device(clients: &Clients, devices: &[Arc<Device>]) {
    for device in devices {
        let held = device.root_ids();
        for (name, proof) in &clients.ledger().receipts {
            if let Some(proof) = proof {
                let gone = held.iter().all(|id| proof.root.as_slice() != id);
                assert!(gone, "{name} says destroyed, but the root is in the {}", device.name());
            }
        }
    }
}

/// No receipt says of a root that it is destroyed while a root file still holds it.
pub(super) fn destroyed_roots_are_gone(clients: &Clients, files: &[PathBuf]) {
    for path in files.iter().filter(|path| path.exists()) {
        let file = std::fs::read(path).unwrap();
        let held: HashSet<&[u8]> = file.windows(16).collect();
        let ledger = clients.ledger();
        for (name, proof) in &ledger.receipts {
            if let Some(proof) = proof {
                assert!(!held.contains(proof.root.as_slice()), "{name} says destroyed, but the root is in the file");
            }
        }
    }
}

/// How a server ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was told to stop.
    Orderly,
    /// In the middle of something: of wiping a root, too, which leaves a slot of its file damaged until the next start.
    Sudden,
}

/// `lethe root check` finds that the root keys fit the data.
pub(super) fn root_check(vault: &Vault, end: End) {
    let checked = vault.run(&["root", "check"]);
    let report = &checked.answer;
    assert_eq!(checked.code == Some(0), report["sound"] == true, "{report} {}", checked.log);
    assert!(report["opens"] == true, "{report} {}", checked.log);
    let whole = |replica: &serde_json::Value| {
        let fault = replica["fault"].as_str();
        replica["holds_root"] == true && fault.is_none_or(|fault| fault == "1 of its slots are damaged")
    };
    let sound = report["sound"] == true;
    // Stores that are no files are never torn.
    let replicas = report["replicas"].as_array().unwrap();
    let sudden = end == End::Sudden && !replicas.is_empty() && replicas.iter().all(whole);
    assert!(sound || sudden, "{report}");
}

/// The logs grew: what earlier checkpoints were signed over is still there, entry by entry.
pub(super) async fn logs_grew(clients: &Clients, random: &mut ChaCha8Rng) {
    clients.take_checkpoint(true).await.expect("nobody kills the server now");
    clients.take_checkpoint(false).await.expect("nobody kills the server now");
    let held = clients.ledger().checkpoints.clone();
    for log in [VAULT_LOG, clients.tenant_log.as_str()] {
        let of_log = || held.iter().filter(|held| held.log == log);
        let newest = of_log().next_back().expect("one was just taken").size;
        let largest = of_log().map(|held| held.size).max();
        assert_eq!(largest, Some(newest), "{log} lost entries that were signed over");
        let caller: &Caller = if log == VAULT_LOG { &clients.operator } else { &clients.auditor };
        for checkpoint in of_log().filter(|held| held.size > 0) {
            let leaves: Vec<u64> = (1..LEAVES).map(|_| random.random_range(0..checkpoint.size)).collect();
            for leaf in leaves.into_iter().chain([checkpoint.size - 1]) {
                let (index, size) = (i64::try_from(leaf).unwrap(), i64::try_from(checkpoint.size).unwrap());
                let proof = caller.proof(log, index, size).await.unwrap();
                let hashes: Vec<Hash> = proof.hashes.iter().map(|hash| Hash::from_bytes(to_array(hash))).collect();
                let proved =
                    verify_inclusion(&Hash::leaf(&proof.entry), leaf, checkpoint.size, &hashes, &checkpoint.root);
                assert!(proved.is_ok(), "{log}: entry {leaf} is not the one that was signed over: {proved:?}");
            }
            clients.ledger().counts.proofs += LEAVES;
        }
    }
    // Some of every age.
    let kept = held.into_iter().choose_multiple(random, KEPT);
    clients.ledger().checkpoints = kept;
}

fn to_array(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().expect("a hash of 32 bytes")
}
