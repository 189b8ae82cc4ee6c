//! What a restored vault must be, to whoever knew it before.

use lethe_crypto::log::merkle::{Hash, verify_inclusion};
use lethe_proto::v1::{ErasureState, MirrorState};
use lethe_tests::aftermath::{Knows, people, receipt};
use lethe_tests::{Caller, Tenant, Vault};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::history::{DIMENSION, History, World};

/// The people who call a restored vault: their keys are those of before.
fn knows(vault: &Vault, bank: &Tenant) -> Knows {
    Knows::with(|role| vault.caller(bank.who_is(role).key().map(str::to_owned)).on(bank.id()))
}

/// Holds a restored vault against what it must have.
pub(crate) async fn check(vault: &Vault, bank: &Tenant, history: &History, expected: &World, random: &mut ChaCha8Rng) {
    let (knows, operator) = (knows(vault, bank), vault.operator());
    let templates = expected.people.iter().map(|(id, person)| (id.clone(), person.templates.clone())).collect();
    people(&knows, &history.ever, &templates).await;
    for name in &history.receipts {
        receipt(&knows.auditor, name, &history.vault_key).await;
    }
    logs(&operator, &knows.auditor, history, random).await;
    for mirror in operator.mirrors().await.unwrap() {
        assert_ne!(mirror.state(), MirrorState::Failing, "{mirror:?}");
    }
}

/// Everything that was ever signed over is still there, entry by entry: the logs were continued, not forked.
async fn logs(operator: &Caller, auditor: &Caller, history: &History, random: &mut ChaCha8Rng) {
    for held in history.checkpoints.iter().filter(|held| held.size > 0) {
        let caller = if held.log == "vault/log" { operator } else { auditor };
        for leaf in [held.size - 1, random.random_range(0..held.size)] {
            let (index, size) = (i64::try_from(leaf).unwrap(), i64::try_from(held.size).unwrap());
            let proof = caller.proof(&held.log, index, size).await.unwrap();
            let path: Vec<_> =
                proof.hashes.iter().map(|hash| Hash::from_bytes(hash.as_slice().try_into().unwrap())).collect();
            let proved = verify_inclusion(&Hash::leaf(&proof.entry), leaf, held.size, &path, &held.root);
            assert!(proved.is_ok(), "{}: entry {leaf} of {} is another one: {proved:?}", held.log, held.size);
        }
    }
    let newest = operator.checkpoint("vault/log").await.unwrap();
    let entry = operator.proof("vault/log", newest.tree_size - 1, newest.tree_size).await.unwrap();
    assert!(!entry.entry.is_empty());
}

/// Life goes on: people come, are found, are erased, and backups are made, also after another start.
pub(crate) async fn goes_on(vault: &Vault, bank: &Tenant, random: &mut ChaCha8Rng) {
    let knows = knows(vault, bank);
    let face: Vec<f32> = (0..DIMENSION).map(|_| random.random_range(-1.0..1.0)).collect();
    knows.enroller.enroll("newcomer", &face).await.unwrap();
    let found = knows.analyst.search(&face).await.unwrap().matches;
    assert!(found.len() == 1 && found[0].subject.ends_with("/newcomer"), "{found:?}");
    let erasure = knows.officer.erase("newcomer").await.unwrap();
    assert_eq!(erasure.state(), ErasureState::Shredded);
    knows.enroller.enroll("latecomer", &face).await.unwrap();
    vault.operator().back_up().await.unwrap();
    vault.crash().await;
    let found = knows.analyst.search(&face).await.unwrap().matches;
    assert!(found.len() == 1 && found[0].subject.ends_with("/latecomer"), "{found:?}");
    let receipt = knows.auditor.receipt(&erasure.receipt).await.unwrap();
    assert_eq!(receipt.state(), ErasureState::Shredded);
}
