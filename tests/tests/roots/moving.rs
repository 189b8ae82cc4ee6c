//! From one root store to another, by `lethe root migrate` or while serving.

use lethe_proto::v1::ErasureState;
use lethe_tests::Home;

use crate::device::Device;
use crate::stage::{Stage, logs_again};

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

fn by_command(stage: &Stage, old: &Device, new: &Device) {
    // The second time there is nothing left to do.
    let mut epoch = None;
    for _ in 0..2 {
        let moved = stage.vault.run(&["root", "migrate"]);
        assert_eq!(moved.code, Some(0), "{moved:?}");
        assert_eq!((&moved.answer["from"], &moved.answer["to"]), (&old.name().into(), &new.name().into()));
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
    assert!(refused.log.contains("nothing was destroyed"), "{}", refused.log);
    assert!(refused.log.contains("name that in root.from until it has arrived"), "{}", refused.log);
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
    stage.vault.stop().await;

    // The new store alone has the current root. It is too early all the same: the old one would be forgotten.
    stage.vault.reconfigure(|setup| new.alone(setup));
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("fenced out"), "{}", refused.log);
    assert!(refused.log.contains("name that in root.from until it has arrived"), "{}", refused.log);
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

    let (setup, empty) = (new.coming_from(&old, lethe_tests::Vault::setup()), Home::new());
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
