//! A root store that is away: nothing is promised meanwhile, nothing else stands still, and nothing is lost.

use lethe_proto::v1::{ErasureState, RootStoreState};
use lethe_roots_testing::secret;
use lethe_tests::{Device, Vault};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::on_every_store;
use crate::stage::Stage;

on_every_store!(while_the_store_is_away:
    while_the_token_is_away = Device::token(),
    while_the_server_is_away = Device::server_on_disk(),
    while_the_tpm_is_away = Device::tpm(),
);

async fn while_the_store_is_away(mut device: Device) {
    let setup =
        device.alone(Vault::setup()).metrics().set("limits.deadline_ms", 10_000).set("root.probe_interval_s", 1);
    let mut stage = Stage::with(setup).await;
    for _ in 0..4 {
        stage.enroll().await;
    }
    stage.erase().await;
    let status = stage.root_status().await;
    assert_eq!(
        (status.state(), status.pending_count, status.claimed),
        (RootStoreState::Working, 0, true),
        "{status:?}"
    );
    assert_eq!((status.store.as_str(), status.moving_from.as_str(), status.epoch), (device.name(), "", 1));
    for code in device.statements().unwrap() {
        assert!(status.medium_statements.iter().any(|said| said == code), "{code}: {status:?}");
    }

    // Nobody needs it yet, and whoever runs the vault hears of it all the same.
    device.take_away();
    stage.roots_are(ServingStatus::NotServing).await;
    let status = stage.root_status().await;
    assert_eq!((status.state(), status.pending_count), (RootStoreState::Failing, 0), "{status:?}");
    assert!(status.fault.contains(device.complaint()), "{status:?}");

    let pending = stage.ask_to_erase(true).await;
    stage.logs("an epoch cannot be committed").await;
    stage.logs(device.complaint()).await;
    assert_eq!(stage.state(&pending).await, ErasureState::Pending);
    // Who waits is told the truth, too.
    let waited = stage.bank.privacy_officer().erase(&Stage::id(2)).await.unwrap();
    assert_eq!(waited.state(), ErasureState::Pending);
    assert!(!stage.finds(2).await);
    // Everybody else is served.
    let new = stage.enroll().await;
    assert!(stage.finds(new).await && stage.recognises(new).await && stage.recognises(3).await);
    for service in ["", "lethe.v1.Mirrors", "lethe.v1.IdentificationService"] {
        assert_eq!(stage.vault.health(service).await, ServingStatus::Serving, "{service}");
    }
    assert_eq!(stage.vault.health("lethe.v1.Roots").await, ServingStatus::NotServing);
    assert_eq!(stage.state(&pending).await, ErasureState::Pending);
    let status = stage.root_status().await;
    assert_eq!((status.state(), status.pending_count), (RootStoreState::Failing, 2), "{status:?}");
    let metrics = stage.vault.metrics().await;
    for (name, value) in [("erasures_pending", 2.0), ("root_store_failing", 1.0), ("epochs_ended_total", 1.0)] {
        assert_eq!(metrics.value(&format!("lethe_{name}")), value, "{name}");
    }
    for name in ["erasures_oldest_pending_seconds", "root_store_failing_for_seconds", "root_store_failures_total"] {
        assert!(metrics.value(&format!("lethe_{name}")) > 0.0, "{name}");
    }

    device.bring_back();
    stage.shredded(&pending).await;
    stage.shredded(&waited.receipt).await;
    stage.roots_are(ServingStatus::Serving).await;
    let status = stage.root_status().await;
    assert_eq!(
        (status.state(), status.pending_count, status.claimed),
        (RootStoreState::Working, 0, true),
        "{status:?}"
    );
    assert!(status.fault.contains(device.complaint()), "what was is still told: {status:?}");
    let metrics = stage.vault.metrics().await;
    assert_eq!((metrics.value("lethe_erasures_pending"), metrics.value("lethe_root_store_failing")), (0.0, 0.0));

    // It goes again, and the server with it, which does not start without it.
    let last = {
        device.take_away();
        let request = stage.bank.privacy_officer().erasure(&Stage::id(3));
        let request = lethe_proto::v1::EraseSubjectRequest { no_wait: true, ..request };
        stage.bank.privacy_officer().ask(request).await.unwrap().receipt
    };
    stage.vault.kill().await;
    let refused = stage.vault.refuses_to_start().await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.log.contains(device.complaint()), "{}", refused.log);
    assert!(refused.log.contains("the vault starts when the root store can be used"), "{}", refused.log);
    let checked = stage.vault.run(&["root", "check"]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.log.contains(device.complaint()), "{}", checked.log);

    device.bring_back();
    stage.vault.start().await;
    stage.shredded(&last).await;
    assert!(!stage.finds(3).await && stage.finds(new).await);
    stage.vault.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_the_server_that_is_not_valid_any_more() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let device = Device::server();
    let mut stage = Stage::on(&device).await;
    stage.enroll().await;
    stage.enroll().await;
    secret(&device.bao().token_file(), "no such token");
    let pending = stage.ask_to_erase(true).await;
    stage.logs("renew the token in the token file").await;
    assert_eq!(stage.state(&pending).await, ErasureState::Pending);
    // A server that cannot get rid of its erasures stops all the same.
    stage.vault.stop().await;
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("renew the token in the token file"), "{}", refused.log);
    assert!(!stage.vault.log().contains("no such token"), "the log quotes the token");

    device.bao().renew_token();
    stage.vault.start().await;
    stage.shredded(&pending).await;
    stage.everything_is_as_it_must_be().await;
}

/// Its epoch is committed, and the old root stays. Whoever counts must not forget it with a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_root_that_stays_is_counted_after_a_restart_too() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let device = Device::server();
    let mut stage = Stage::on(&device).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    device.bao().forbid_deletion();
    let committed = stage.ask_to_erase(true).await;
    stage.logs("an old root cannot be destroyed").await;
    let accepted = stage.ask_to_erase(true).await;
    let oldest = stage.root_status_is(|status| status.pending_count == 2).await.oldest_pending_time;
    stage.vault.restart().await;
    let status = stage.root_status_is(|status| status.state() == RootStoreState::Failing).await;
    assert_eq!((status.pending_count, status.oldest_pending_time), (2, oldest), "{status:?}");
    assert!(status.fault.contains("the server forbids"), "{status:?}");
    device.bao().allow();
    stage.shredded(&committed).await;
    stage.shredded(&accepted).await;
    assert_eq!(stage.root_status_is(|status| status.pending_count == 0).await.orphan_count, 0);
    stage.everything_is_as_it_must_be().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_the_right_one() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let device = Device::token();
    let mut stage = Stage::on(&device).await;
    stage.enroll().await;
    stage.vault.stop().await;
    let Device::Token(token) = &device else { unreachable!() };
    token.add("another");
    let wrong = token.place().join("wrong");
    secret(&wrong, "not the pin");
    for (key, value, words) in [
        ("pkcs11.token", "a third".to_owned(), "a third"),
        ("pkcs11.token", "another".to_owned(), "nobody has claimed the root store"),
        ("pkcs11.name", "another".to_owned(), "is it another token, server, mount or name than before"),
        ("pkcs11.pin_file", wrong.display().to_string(), "refused the PIN"),
        ("pkcs11.module", "/nonexistent.so".to_owned(), "loading the PKCS#11 module"),
    ] {
        stage.vault.reconfigure(|setup| setup.set(key, &value));
        let refused = stage.vault.refuses_to_start().await;
        assert!(refused.log.contains(words), "{key}: {}", refused.log);
        assert!(!refused.log.contains("not the pin"), "the log quotes the PIN");
        stage.vault.reconfigure(|setup| device.alone(setup.unset("pkcs11.name")));
    }
    stage.vault.start().await;
    stage.everything_is_as_it_must_be().await;
}

/// A TPM's memory wears out, so epochs have a pace. Erasures wait for it together, and nobody is alarmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tpm_that_must_last() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let device = Device::tpm();
    let mut stage = Stage::with(device.alone(Vault::setup()).set("tpm.min_interval_s", 15)).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    let first = stage.ask_to_erase(true).await;
    let second = stage.ask_to_erase(true).await;
    let (first, second) = (stage.shredded(&first).await, stage.shredded(&second).await);
    assert_eq!(first.step().to, second.step().to, "they share an epoch");
    let third = stage.ask_to_erase(true).await;
    stage.logs("the root store's memory must last").await;
    assert!(!stage.vault.log().contains("erasures stay pending"));
    // A vault that waits for it can stop, and goes on waiting when it is started again.
    stage.vault.restart().await;
    stage.shredded(&third).await;
    stage.everything_is_as_it_must_be().await;
}

/// Of a file store's replicas none may be missing: it could come back with roots that were destroyed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_away() {
    let mut stage = Stage::with(Vault::setup().replicas(2)).await;
    stage.enroll().await;
    stage.enroll().await;
    assert_eq!(stage.erase().await.destruction.replicas, 2);
    stage.vault.stop().await;
    let (replica, away) = (stage.vault.home().root(1), stage.vault.home().path().join("away"));
    std::fs::rename(&replica, &away).unwrap();
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("is missing while others exist: bring its medium back"), "{}", refused.log);
    let checked = stage.vault.run(&["root", "check"]);
    assert!(checked.code == Some(1) && checked.log.contains("is its medium there?"), "{checked:?}");
    assert!(!replica.exists(), "an empty one in its place");
    std::fs::rename(&away, &replica).unwrap();

    // One that is damaged is named.
    let whole = std::fs::read(&replica).unwrap();
    let mut torn = whole.clone();
    let slot = whole.chunks(4096).skip(2).position(|slot| slot[0] != 0).unwrap();
    torn[(2 + slot) * 4096 + 40] ^= 1;
    std::fs::write(&replica, torn).unwrap();
    let checked = stage.vault.run(&["root", "check"]);
    assert_eq!((checked.code, &checked.answer["opens"]), (Some(5), &true.into()), "{checked:?}");
    let sound: Vec<_> =
        checked.answer["replicas"].as_array().unwrap().iter().map(|replica| replica["sound"] == true).collect();
    assert_eq!(sound, [true, false]);
    // The other has it, so a start repairs it.
    stage.vault.start().await;
    stage.everything_is_as_it_must_be().await;
    stage.vault.stop().await;
    assert_eq!(stage.vault.run(&["root", "check"]).code, Some(0));
}
