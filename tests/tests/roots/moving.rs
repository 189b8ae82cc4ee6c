//! From one root store to another, by `lethe root migrate` or while serving.

use lethe_proto::v1::ErasureState;
use lethe_tests::failpoints::FAILPOINTS;
use lethe_tests::{Device, Home, Vault, lethe_failpoints};

use crate::stage::{Stage, logs_again, statements};

/// What a server says when its roots have arrived.
pub(crate) const ARRIVED: &str = "the roots have moved";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journey_over_all_kinds_of_stores() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let mut old = Device::files();
    let mut stage = Stage::on(&old).await;
    for _ in 0..12 {
        stage.enroll().await;
    }
    let stops = [Device::token(), Device::server(), Device::files(), Device::tpm(), Device::files(), Device::files()];
    for (hop, new) in stops.into_iter().enumerate() {
        stage.vault.stop().await;
        not_before(&stage, &new).await;
        let keys = old.root_keys();
        stage.vault.reconfigure(|setup| new.coming_from(&old, setup));
        let checked = stage.vault.run(&["root", "check"]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        assert_eq!((&checked.answer["store"], &checked.answer["from"]), (&new.name().into(), &old.name().into()));
        if hop % 2 == 0 {
            by_command(&stage, &old, &new)
        } else {
            while_serving(&mut stage, &old, &new).await
        }
        old.is_empty(&keys);
        not_any_more(&stage, &old).await;

        stage.vault.reconfigure(|setup| new.alone(setup));
        stage.vault.start().await;
        assert_eq!(stage.erase().await.destruction.store.to_string(), new.kind());
        stage.enroll().await;
        stage.everything_is_as_it_must_be().await;
        old = new;
    }
}

/// Stops the server, moves its roots by the command, and lets it serve and erase with the new store alone.
pub(crate) async fn moves(stage: &mut Stage, old: &Device, new: &Device) {
    stage.vault.stop().await;
    let keys = old.root_keys();
    stage.vault.reconfigure(|setup| new.coming_from(old, setup));
    by_command(stage, old, new);
    old.is_empty(&keys);
    stage.vault.reconfigure(|setup| new.alone(setup));
    stage.vault.start().await;
    stage.erase().await;
    stage.everything_is_as_it_must_be().await;
}

fn by_command(stage: &Stage, old: &Device, new: &Device) {
    // The second time there is nothing left to do.
    let mut epoch = None;
    for _ in 0..2 {
        let moved = stage.vault.run(&["root", "migrate"]);
        assert_eq!(moved.code, Some(0), "{moved:?}");
        assert_eq!((&moved.answer["from"], &moved.answer["to"]), (&old.name().into(), &new.name().into()));
        assert_eq!(moved.answer["moved"], true, "{moved:?}");
        let known = epoch.get_or_insert_with(|| moved.answer["epoch"].clone());
        assert_eq!(*known, moved.answer["epoch"]);
    }
}

async fn while_serving(stage: &mut Stage, old: &Device, new: &Device) {
    let before = stage.vault.log().matches(ARRIVED).count();
    stage.vault.start().await;
    let told = stage.vault.told().await;
    assert_eq!((&told["root_store"], &told["root_from"]), (&new.name().into(), &old.name().into()));
    // Nobody has to be erased for it, and nobody has to wait for it.
    stage.enroll().await;
    stage.erase().await;
    logs_again(&stage.vault, ARRIVED, before).await;
    assert_eq!(stage.erase().await.destruction.store.to_string(), new.kind());
    stage.vault.restart().await;
    stage.everything_is_as_it_must_be().await;
    stage.vault.stop().await;
}

/// With the new store alone a vault does not start before its roots are there.
async fn not_before(stage: &Stage, new: &Device) {
    stage.vault.reconfigure(|setup| new.alone(setup));
    let refused = stage.vault.refuses_to_start().await;
    if let Some(file) = new.file() {
        assert!(refused.log.contains("there is no such file; is its medium there?"), "{}", refused.log);
        assert!(!file.exists(), "an empty store was made");
        return;
    }
    assert!(refused.log.contains("nothing was destroyed"), "{}", refused.log);
    assert!(refused.log.contains("nobody has claimed the root store"), "{}", refused.log);
    assert!(refused.log.contains("name that other in root.from until the vault has arrived"), "{}", refused.log);
}

/// With the old store alone it does not start once they are gone.
async fn not_any_more(stage: &Stage, old: &Device) {
    stage.vault.reconfigure(|setup| old.alone(setup));
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("nothing was destroyed"), "{}", refused.log);
    assert!(refused.log.contains("if the vault has moved on to another store"), "{}", refused.log);
}

/// The old store lets nothing be destroyed: the vault has moved and its old root is still there, until that can go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_old_root_stays() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let (old, new) = (Device::server(), Device::files());
    let mut stage = Stage::on(&old).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    stage.vault.stop().await;
    old.bao().forbid_deletion();
    stage.vault.reconfigure(|setup| new.coming_from(&old, setup));
    stage.vault.start().await;
    stage.logs("an old root cannot be destroyed").await;
    stage.logs("renew the token in the token file, or extend its policy").await;
    let pending = stage.ask_to_erase(true).await;
    assert_eq!(stage.state(&pending).await, ErasureState::Pending);
    let new_one = stage.enroll().await;
    assert!(stage.finds(new_one).await);
    assert!(!stage.vault.log().contains(ARRIVED));
    let status = stage.root_status().await;
    assert_eq!((status.store.as_str(), status.moving_from.as_str()), ("file", "transit"), "{status:?}");
    stage.vault.stop().await;

    // The new store alone has the current root. It is too early all the same: the old one would be forgotten.
    stage.vault.reconfigure(|setup| new.alone(setup));
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("on its way to it from another root store"), "{}", refused.log);
    assert!(refused.log.contains("in root.from until it has arrived"), "{}", refused.log);
    let checked = stage.vault.run(&["root", "check"]);
    assert_eq!((checked.code, &checked.answer["claimed"]), (Some(5), &false.into()), "{checked:?}");
    not_any_more(&stage, &old).await;

    stage.vault.reconfigure(|setup| new.coming_from(&old, setup));
    let checked = stage.vault.run(&["root", "check"]);
    assert_eq!((checked.code, checked.answer["retiring"]["epoch"].clone()), (Some(0), 0.into()), "{checked:?}");
    stage.vault.start().await;
    old.bao().allow();
    stage.shredded(&pending).await;
    stage.logs(ARRIVED).await;
    stage.root_status_is(|status| status.moving_from.is_empty()).await;
    old.is_empty(&[]);
    stage.vault.reconfigure(|setup| new.alone(setup));
    stage.vault.restart().await;
    stage.everything_is_as_it_must_be().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_is_refused_where_there_is_nothing_to_move() {
    let (old, new) = (Device::files(), Device::files());
    let mut stage = Stage::on(&old).await;
    stage.enroll().await;
    let moved = stage.vault.run(&["root", "migrate"]);
    assert!(moved.code == Some(2) && moved.log.contains("root.from is not set"), "{moved:?}");
    stage.vault.stop().await;

    let (setup, empty) = (new.coming_from(&old, Vault::setup()), Home::new());
    let moved = setup.run(&empty, &["root", "migrate"]);
    assert!(moved.code == Some(1) && moved.log.contains("there is no vault"), "{moved:?}");
    assert!(!empty.data().join("db").exists() && !new.file().unwrap().exists(), "a vault was founded by the way");

    // Not under a server that runs.
    stage.vault.start().await;
    stage.vault.reconfigure(|setup| new.coming_from(&old, setup));
    let moved = stage.vault.run(&["root", "migrate"]);
    assert!(moved.code == Some(1) && moved.log.contains("locked by another process"), "{moved:?}");
    stage.vault.reconfigure(|setup| old.alone(setup));
    stage.erase().await;
    stage.vault.restart().await;
    stage.everything_is_as_it_must_be().await;
}

/// A snapshot of the data and of the old store from before a move, started as if it were still to move.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_from_before_the_move_is_fenced_out() {
    let (old, new) = (Device::files(), Device::files());
    let mut stage = Stage::on(&old).await;
    for _ in 0..4 {
        stage.enroll().await;
    }
    stage.vault.stop().await;
    let snapshots = [Home::copy_of(stage.vault.home().path()), Home::copy_of(stage.vault.home().path())];
    let theirs = old.copy();

    stage.vault.reconfigure(|setup| new.coming_from(&old, setup));
    by_command(&stage, &old, &new);
    stage.vault.reconfigure(|setup| new.alone(setup));
    stage.vault.start().await;
    stage.erase().await;
    stage.vault.stop().await;
    let before = std::fs::read(new.file().unwrap()).unwrap();

    let setup = new.coming_from(&theirs, Vault::setup());
    let [checked, started] = snapshots;
    let report = setup.run(&checked, &["root", "check"]);
    let said = |field: &str| report.answer[field].clone();
    assert_eq!((report.code, said("sound"), said("claimed")), (Some(5), false.into(), false.into()), "{report:?}");
    assert!(said("orphans").as_array().unwrap().is_empty(), "the live root is nobody's orphan: {report:?}");
    let refused = setup.clone().refuses_to_start_in(started).await;
    assert!(refused.log.contains("the vault lives in the root store that it is told to move to"), "{}", refused.log);
    assert!(refused.log.contains("Take root.from out of the configuration"), "{}", refused.log);
    // With the new store alone it is too old, and is not told to name another.
    let refused = new.alone(setup).refuses_to_start_in(checked).await;
    assert!(refused.log.contains("does not hold root"), "{}", refused.log);
    assert!(refused.log.contains("lethe restore") && !refused.log.contains("root.from"), "{}", refused.log);

    assert_eq!(std::fs::read(new.file().unwrap()).unwrap(), before, "nothing was changed");
    stage.vault.start().await;
    stage.erase().await;
    stage.everything_is_as_it_must_be().await;
}

/// An empty store in the place of the old one would say that the old root is gone; and nobody needs the old one once
/// the vault has moved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_that_the_vault_comes_from_is_never_made_anew() {
    let (old, new) = (Device::files(), Device::files());
    let mut stage = Stage::with(old.alone(Vault::setup()).binary(lethe_failpoints())).await;
    for _ in 0..4 {
        stage.enroll().await;
    }
    stage.vault.stop().await;
    // The commit is durable, the old root is still there.
    stage.vault.reconfigure(|setup| new.coming_from(&old, setup).env(FAILPOINTS, "root-migrating-destroyed=panic"));
    assert!(stage.vault.run(&["root", "migrate"]).code != Some(0));
    stage.vault.reconfigure(|setup| setup.without_env(FAILPOINTS));

    let (file, away) = (old.file().unwrap(), stage.vault.home().path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    for command in [["root", "check"], ["root", "migrate"]] {
        let refused = stage.vault.run(&command);
        assert!(refused.code == Some(1) && refused.log.contains("is its medium there?"), "{command:?} {refused:?}");
    }
    stage.vault.reconfigure(|setup| new.alone(setup));
    let refused = stage.vault.run(&["restore", "--take-over"]);
    assert!(refused.code == Some(1) && refused.log.contains("on its way to it from another"), "{refused:?}");
    assert!(!refused.log.contains("add --take-over"), "{refused:?}");
    assert!(!file.exists(), "an empty store in the place of the old one");

    std::fs::rename(&away, &file).unwrap();
    stage.vault.reconfigure(|setup| new.coming_from(&old, setup));
    // The restore was begun, and brings nothing up but what is there.
    let restored = stage.vault.run(&["restore"]);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    by_command(&stage, &old, &new);
    // Disposed of, as it may be; root.from may stay.
    std::fs::remove_file(&file).unwrap();
    let checked = stage.vault.run(&["root", "check"]);
    assert_eq!((checked.code, &checked.answer["sound"]), (Some(0), &true.into()), "{checked:?}");
    stage.vault.start().await;
    stage.erase().await;
    stage.everything_is_as_it_must_be().await;
    stage.vault.stop().await;
    assert!(!file.exists(), "an empty store was made");
}

/// Who has an old root has the keys of most who are enrolled today, so no better store takes back what one let out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_after_a_move_say_what_the_old_store_let_out() {
    if lethe_roots_testing::skipped() {
        return;
    }
    // A file beside the data, as it is unless something else is configured.
    let (old, new) = (Device::files(), Device::token());
    let mut stage = Stage::on(&old).await;
    for _ in 0..5 {
        stage.enroll().await;
    }
    stage.vault.stop().await;
    let alone = |setup| new.alone(setup).set("pkcs11.stands_alone", true);
    stage.vault.reconfigure(|setup| new.coming_from(&old, setup).set("pkcs11.stands_alone", true));
    by_command(&stage, &old, &new);
    stage.vault.reconfigure(alone);
    for _ in 0..2 {
        stage.vault.start().await;
        let said = statements(&stage.erase().await);
        for code in ["MEDIUM_NOT_SEPARATE", "ROOT_DEVICE_VIRTUAL"] {
            assert!(said.iter().any(|other| other == code), "{code}: {said:?}");
        }
        assert!(!said.iter().any(|code| code == "ROOT_STORE_KEEPS_BACKUPS"), "{said:?}");
        stage.vault.stop().await;
    }
    let checked = stage.vault.run(&["root", "check"]);
    assert!(checked.answer["medium"].as_array().unwrap().contains(&"MEDIUM_NOT_SEPARATE".into()), "{checked:?}");
}

/// The root file is apart from the data, and beside a mirror or the backups.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_beside_a_mirror_or_backups_is_not_separate() {
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else { return };
    let device = |path: &std::path::Path| std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(path).unwrap());
    let (files, folder) = (Device::files_in(tempfile::tempdir_in(memory.path()).unwrap()), memory.path());
    let apart = Home::new();
    if device(folder) == device(apart.path()) {
        return println!("one device only: nothing to tell apart");
    }
    for key in [None, Some("mirror.paths"), Some("backup.path")] {
        let setup =
            key.iter().fold(files.alone(Vault::setup()), |setup, key| setup.set(key, folder.join(key).display()));
        let mut stage = Stage::with(setup).await;
        stage.enroll().await;
        let said = statements(&stage.erase().await);
        let separate = !said.iter().any(|code| code == "MEDIUM_NOT_SEPARATE");
        assert_eq!(separate, key.is_none(), "{key:?}: {said:?}");
        stage.vault.stop().await;
        std::fs::remove_file(files.file().unwrap()).unwrap();
    }
}
