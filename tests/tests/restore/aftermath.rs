//! What a restored vault must be, to whoever knew it before.

use std::collections::BTreeMap;

use lethe_crypto::log::merkle::{Hash, verify_inclusion};
use lethe_crypto::log::receipt::Receipt;
use lethe_proto::v1::{ErasureState, ErrorReason, MirrorState};
use lethe_tests::{Caller, Refused, Tenant, Vault};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use tonic::Code;

use crate::history::{DIMENSION, History, World};

/// A score of a template with the embedding that it was enrolled from.
const SAME: f32 = 1e-6;

/// The people who call a restored vault: their keys are those of before.
struct Callers {
    enroller: Caller,
    officer: Caller,
    analyst: Caller,
    authenticator: Caller,
    auditor: Caller,
    operator: Caller,
}

impl Callers {
    fn of(vault: &Vault, bank: &Tenant) -> Self {
        let same = |before: &Caller| vault.caller(before.key().map(str::to_owned)).on(bank.id());
        Self {
            enroller: same(&bank.enroller()),
            officer: same(&bank.privacy_officer()),
            analyst: same(&bank.analyst()),
            authenticator: same(&bank.authenticator()),
            auditor: same(&bank.auditor()),
            operator: vault.operator(),
        }
    }
}

/// Holds a restored vault against what it must have.
pub(crate) async fn check(vault: &Vault, bank: &Tenant, history: &History, expected: &World, random: &mut ChaCha8Rng) {
    let callers = Callers::of(vault, bank);
    people(&callers, history, expected).await;
    receipts(&callers, history).await;
    logs(&callers, history, random).await;
    for mirror in callers.operator.mirrors().await.unwrap() {
        assert_ne!(mirror.state(), MirrorState::Failing, "{mirror:?}");
    }
}

/// Who is back is back with the very templates; nobody knows anybody else.
async fn people(callers: &Callers, history: &History, expected: &World) {
    let mut ids: Vec<_> = history.ever.iter().map(|(id, ..)| id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        match expected.people.get(id) {
            Some(person) => {
                callers.officer.subject(id).await.unwrap();
                let listed: Vec<_> =
                    callers.enroller.templates(id).await.unwrap().into_iter().map(|template| template.name).collect();
                let mut names: Vec<_> = person.templates.keys().cloned().collect();
                names.sort_unstable();
                let mut sorted = listed.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, names, "the templates of {id}");
            }
            None => {
                let unknown = callers.officer.subject(id).await.refused();
                unknown.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
            }
        }
    }
    let alive: BTreeMap<&str, &str> = expected
        .people
        .iter()
        .flat_map(|(id, person)| person.templates.keys().map(|name| (name.as_str(), id.as_str())))
        .collect();
    let mut verified = std::collections::BTreeSet::new();
    for (id, name, face) in &history.ever {
        let found = callers.analyst.search(face).await.unwrap();
        let completeness = found.completeness.unwrap();
        assert!(completeness.complete);
        assert_eq!(completeness.gallery_size, i64::try_from(alive.len()).unwrap());
        if alive.contains_key(name.as_str()) {
            assert_eq!(found.matches.len(), 1, "{name} is found, and nobody else");
            assert_eq!(found.matches[0].template, *name);
            assert!((found.matches[0].score - 1.0).abs() <= SAME, "{name} came back changed: {:?}", found.matches);
            // One comparison a subject: attempts are counted.
            if verified.insert(id) {
                let same = callers.analyst.verify(id, face).await.unwrap();
                assert!((same.score.unwrap() - 1.0).abs() <= SAME, "{name}: {same:?}");
            }
        } else {
            assert!(found.matches.is_empty(), "{name} is gone, and is found: {:?}", found.matches);
            if verified.insert(id) {
                let verdict = callers.authenticator.verify(id, face).await.unwrap();
                assert_eq!(verdict.band(), lethe_proto::v1::DecisionBand::NoMatch, "{name} is gone, and matches");
            }
        }
    }
}

/// What was promised to be shredded still is, with its proof, also if that was after the backup.
async fn receipts(callers: &Callers, history: &History) {
    for name in &history.receipts {
        let receipt = callers.auditor.receipt(name).await.unwrap();
        assert_eq!(receipt.state(), ErasureState::Shredded, "{name}");
        let verified = Receipt::verify(&receipt.document, &history.vault_key).unwrap();
        assert!(name.ends_with(&format!("/{}", verified.step().receipt)));
    }
}

/// Everything that was ever signed over is still there, entry by entry: the logs were continued, not forked.
async fn logs(callers: &Callers, history: &History, random: &mut ChaCha8Rng) {
    for held in history.checkpoints.iter().filter(|held| held.size > 0) {
        let caller = if held.log == "vault/log" { &callers.operator } else { &callers.auditor };
        for leaf in [held.size - 1, random.random_range(0..held.size)] {
            let (index, size) = (i64::try_from(leaf).unwrap(), i64::try_from(held.size).unwrap());
            let proof = caller.proof(&held.log, index, size).await.unwrap();
            let path: Vec<_> =
                proof.hashes.iter().map(|hash| Hash::from_bytes(hash.as_slice().try_into().unwrap())).collect();
            let proved = verify_inclusion(&Hash::leaf(&proof.entry), leaf, held.size, &path, &held.root);
            assert!(proved.is_ok(), "{}: entry {leaf} of {} is another one: {proved:?}", held.log, held.size);
        }
    }
    let newest = callers.operator.checkpoint("vault/log").await.unwrap();
    let entry = callers.operator.proof("vault/log", newest.tree_size - 1, newest.tree_size).await.unwrap();
    assert!(!entry.entry.is_empty());
}

/// Life goes on: people come, are found, are erased, and backups are made, also after another start.
pub(crate) async fn goes_on(vault: &Vault, bank: &Tenant, random: &mut ChaCha8Rng) {
    let callers = Callers::of(vault, bank);
    let face: Vec<f32> = (0..DIMENSION).map(|_| random.random_range(-1.0..1.0)).collect();
    callers.enroller.enroll("newcomer", &face).await.unwrap();
    let found = callers.analyst.search(&face).await.unwrap().matches;
    assert!(found.len() == 1 && found[0].subject.ends_with("/newcomer"), "{found:?}");
    let erasure = callers.officer.erase("newcomer").await.unwrap();
    assert_eq!(erasure.state(), ErasureState::Shredded);
    callers.enroller.enroll("latecomer", &face).await.unwrap();
    callers.operator.back_up().await.unwrap();
    vault.crash().await;
    let found = callers.analyst.search(&face).await.unwrap().matches;
    assert!(found.len() == 1 && found[0].subject.ends_with("/latecomer"), "{found:?}");
    let receipt = callers.auditor.receipt(&erasure.receipt).await.unwrap();
    assert_eq!(receipt.state(), ErasureState::Shredded);
}
