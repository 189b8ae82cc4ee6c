//! Root files that are lost for good: the way out, what receipts say of it, and what becomes of one that turns up after all.

use std::path::{Path, PathBuf};

use lethe_crypto::log::entry::Entry;
use lethe_roots_testing::secret;
use lethe_tests::failpoints::{FAILPOINTS, OF_ABANDONMENTS};
use lethe_tests::{Device, Home, Ran, Vault, lethe_failpoints};

use crate::stage::{Stage, statements};

const SAID: &str = "ROOT_REPLICA_ABANDONED";

fn abandon(stage: &Stage, files: &[&Path]) -> Ran {
    let files = files.iter().map(|file| file.to_str().unwrap());
    let arguments: Vec<_> = ["root", "abandon-replica"].into_iter().chain(files).chain(["--yes"]).collect();
    stage.vault.run(&arguments)
}

fn is_refused(ran: &Ran, words: &str) {
    assert!(ran.code == Some(1) && ran.log.contains(words), "{words}: {ran:?}");
}

/// How often the vault's log says that something was abandoned, and with what counts the last time.
async fn logged(stage: &Stage) -> (usize, Option<(u64, u64)>) {
    let operator = stage.vault.operator();
    let size = operator.checkpoint("vault/log").await.unwrap().tree_size;
    let (mut times, mut counts) = (0, None);
    for leaf in 0..size {
        let line = operator.proof("vault/log", leaf, size).await.unwrap().entry;
        Entry::decode(&line).unwrap();
        let entry: serde_json::Value = serde_json::from_slice(&line).unwrap();
        if entry["operation"] == "root.abandon_replica" {
            assert_eq!(entry["event"]["type"], SAID, "{entry}");
            times += 1;
            counts = entry["event"]["abandoned"].as_u64().zip(entry["event"]["left"].as_u64());
        }
    }
    (times, counts)
}

fn lose(file: &Path, home: &Home) -> PathBuf {
    let away = home.path().join("away");
    std::fs::rename(file, &away).unwrap();
    away
}

/// The keys of the roots in a file.
fn keys(file: &Path) -> Vec<Vec<u8>> {
    let content = std::fs::read(file).unwrap();
    content
        .chunks(4096)
        .skip(2)
        .filter(|slot| slot.starts_with(b"LETHE-RT"))
        .map(|slot| slot[32..64].to_vec())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_lost_is_abandoned_on_the_record_and_may_turn_up() {
    let mut stage = Stage::with(Vault::setup().replicas(2)).await;
    for _ in 0..6 {
        stage.enroll().await;
    }
    assert!(!statements(&stage.erase().await).contains(&SAID.to_owned()));
    let (left, lost) = (stage.vault.home().root(0), stage.vault.home().root(1));
    is_refused(&abandon(&stage, &[&lost]), "is locked by another process");
    stage.vault.stop().await;
    is_refused(&abandon(&stage, &[&lost]), "can be opened: it is not lost");
    is_refused(&abandon(&stage, &[&left, &lost]), "no replica of the root store would be left");
    let none = stage.vault.home().path().join("none");
    is_refused(&abandon(&stage, &[&none]), "is no file of the root store, which is");

    let away = lose(&lost, stage.vault.home());
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("lethe root abandon-replica"), "{}", refused.log);
    let asked = stage.vault.run(&["root", "abandon-replica", lost.to_str().unwrap()]);
    assert!(asked.code == Some(2) && asked.log.contains("--yes"), "{asked:?}");
    stage.vault.refuses_to_start().await;

    let done = abandon(&stage, &[&lost]);
    assert_eq!((done.code, &done.answer["logged"], &done.answer["before"]), (Some(0), &true.into(), &false.into()));
    assert_eq!(done.answer["left"], serde_json::json!([left.to_str().unwrap()]));
    let again = abandon(&stage, &[&lost]);
    assert_eq!((again.code, &again.answer["before"]), (Some(0), &true.into()), "{again:?}");
    stage.vault.reconfigure(|setup| setup.replicas(1));
    let checked = stage.vault.run(&["root", "check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.answer["medium"].as_array().unwrap().contains(&SAID.into()), "{checked:?}");
    stage.vault.start().await;
    assert_eq!(logged(&stage).await, (1, Some((1, 1))));
    let receipt = stage.erase().await;
    assert!(statements(&receipt).contains(&SAID.to_owned()) && receipt.destruction.replicas == 1, "{receipt:?}");
    stage.everything_is_as_it_must_be().await;
    stage.vault.stop().await;

    // It turns up, with a root that was destroyed since. By itself it is no root store; beside the other it gives up what it has.
    std::fs::rename(&away, &lost).unwrap();
    let past = keys(&lost);
    assert!(!past.is_empty() && !past.contains(&keys(&left)[0]), "its root is one of the past");
    let alone = |setup: lethe_tests::Setup| setup.replicas(0).set("root.replicas", lost.display());
    stage.vault.reconfigure(alone);
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("is missing while others exist"), "{}", refused.log);
    // In front of the other.
    let both = format!("{}:{}", lost.display(), left.display());
    stage.vault.reconfigure(|setup| setup.set("root.replicas", &both));
    let checked = stage.vault.run(&["root", "check"]);
    assert_eq!((&checked.answer["opens"], checked.answer["orphans"].as_array().unwrap().len()), (&true.into(), 1));
    stage.vault.start().await;
    stage.everything_is_as_it_must_be().await;
    let receipt = stage.erase().await;
    assert!(statements(&receipt).contains(&SAID.to_owned()) && receipt.destruction.replicas == 2, "{receipt:?}");
    stage.everything_is_as_it_must_be().await;
    stage.vault.stop().await;
    assert_eq!(keys(&lost), keys(&left), "it is a replica like any");
    for file in [&lost, &left] {
        let content = std::fs::read(file).unwrap();
        for key in past.iter().flat_map(|key| key.chunks(8)) {
            assert!(!content.windows(8).any(|bytes| bytes == key), "a destroyed root is in {}", file.display());
        }
    }
    assert_eq!(stage.vault.run(&["root", "check"]).code, Some(0));
}

/// Cut short anywhere it is run again; until it is done the start is refused, and once it is done the log has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandonment_that_is_killed_is_run_again() {
    let elsewhere = tempfile::tempdir().unwrap();
    let passphrase = elsewhere.path().join("passphrase");
    secret(&passphrase, "korrekt Pferd Batterie Heftklammer");
    let setup = Vault::setup().binary(lethe_failpoints()).replicas(3);
    let mut stage = Stage::with(setup.set("root.passphrase_file", passphrase.display())).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    stage.erase().await;
    stage.vault.stop().await;
    let files = [0, 1, 2].map(|number| stage.vault.home().root(number));
    lose(&files[2], stage.vault.home());
    let [logs, writes] = OF_ABANDONMENTS;
    stage.vault.reconfigure(|setup| setup.env(FAILPOINTS, &format!("{logs}=panic")));
    assert_ne!(abandon(&stage, &[&files[2]]).code, Some(0));
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("is missing while others exist"), "{}", refused.log);
    // One of the two that are left has it, the other not.
    stage.vault.reconfigure(|setup| setup.env(FAILPOINTS, &format!("{writes}=panic")));
    assert_ne!(abandon(&stage, &[&files[2]]).code, Some(0));
    stage.vault.reconfigure(|setup| setup.without_env(FAILPOINTS));
    assert_ne!(std::fs::read(&files[0]).unwrap(), std::fs::read(&files[1]).unwrap());
    let done = abandon(&stage, &[&files[2]]);
    assert_eq!((done.code, &done.answer["before"]), (Some(0), &true.into()), "{done:?}");

    // Another medium takes the lost one's place.
    stage.vault.start().await;
    assert_eq!(logged(&stage).await, (2, Some((1, 2))), "once for each time that it was not cut short before");
    let receipt = stage.erase().await;
    assert!(statements(&receipt).contains(&SAID.to_owned()) && receipt.destruction.replicas == 3, "{receipt:?}");
    stage.everything_is_as_it_must_be().await;
}

/// With the data's disk a replica is lost that was on it: the roots come first, then the restore.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_and_a_replica_are_lost_together() {
    let mut stage = Stage::with(Vault::setup().apart().replicas(2)).await;
    for _ in 0..4 {
        stage.enroll().await;
    }
    stage.vault.operator().back_up().await.unwrap();
    stage.erase().await;
    stage.vault.stop().await;
    stage.vault.home().lose_data();
    let lost = stage.vault.home().root(1);
    std::fs::remove_file(&lost).unwrap();
    let backups = stage.vault.home().backups();
    let restore = ["restore", "--backup", backups.to_str().unwrap()];
    is_refused(&stage.vault.run(&restore), "lethe root abandon-replica");
    let done = abandon(&stage, &[&lost]);
    assert_eq!((done.code, &done.answer["logged"]), (Some(0), &false.into()), "{done:?}");
    stage.vault.reconfigure(|setup| setup.replicas(1));
    let restored = stage.vault.run(&restore);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    stage.vault.start().await;
    assert!(statements(&stage.erase().await).contains(&SAID.to_owned()));
    stage.everything_is_as_it_must_be().await;
}

/// A vault that moves, and of whose old store a file is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_of_the_store_that_a_vault_leaves_is_lost() {
    let mut stage = Stage::with(Vault::setup().replicas(2)).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    stage.vault.stop().await;
    let (left, lost) = (stage.vault.home().root(0), stage.vault.home().root(1));
    let new = Device::files();
    let from = |setup: lethe_tests::Setup, files: String| {
        new.alone(setup).set("root.from", "file").set("root.from_replicas", files)
    };
    stage.vault.reconfigure(|setup| from(setup, format!("{}:{}", left.display(), lost.display())));
    std::fs::remove_file(&lost).unwrap();
    is_refused(&stage.vault.run(&["root", "migrate"]), "lethe root abandon-replica");
    let done = abandon(&stage, &[&lost]);
    assert_eq!((done.code, &done.answer["logged"]), (Some(0), &true.into()), "{done:?}");
    stage.vault.reconfigure(|setup| from(setup, left.display().to_string()));
    let moved = stage.vault.run(&["root", "migrate"]);
    assert_eq!((moved.code, &moved.answer["moved"]), (Some(0), &true.into()), "{moved:?}");
    stage.vault.reconfigure(|setup| new.alone(setup));
    stage.vault.start().await;
    let receipt = stage.erase().await;
    assert!(statements(&receipt).contains(&SAID.to_owned()), "the new store is no better: {receipt:?}");
    stage.everything_is_as_it_must_be().await;
}
