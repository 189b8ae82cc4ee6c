//! A server that does what it is asked, and whose answer is lost: whoever asks again finds it done.

use lethe_crypto::log::entry::Found;
use lethe_proto::v1::RootStoreState;
use lethe_roots_testing::Proxy;
use lethe_tests::{Device, Vault};

use crate::stage::Stage;

/// What an epoch asks of the server that may get lost: two each to make a root and to wrap with it, one to unwrap, four to
/// destroy a root.
const CHANGES: usize = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_are_asked_for_again() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let device = Device::server();
    let proxy = Proxy::to(device.bao().port());
    let address = format!("http://127.0.0.1:{}", proxy.port());
    let mut stage = Stage::with(device.alone(Vault::setup()).metrics().set("transit.address", address)).await;
    let mut found = Vec::new();
    for answers in 0..CHANGES {
        stage.enroll().await;
        stage.enroll().await;
        proxy.lose_after(answers);
        let pending = stage.ask_to_erase(true).await;
        let status = stage.root_status_is(|status| status.state() == RootStoreState::Failing).await;
        assert_eq!(status.pending_count, 1, "after {answers} answers: {status:?}");
        proxy.lose_nothing();
        found.push(stage.shredded(&pending).await.destruction.found);
        let status = stage.root_status_is(|status| status.state() == RootStoreState::Working).await;
        assert_eq!((status.pending_count, status.orphan_count), (0, 0), "after {answers} answers: {status:?}");
        assert_eq!(device.roots(), 1, "after {answers} answers");
    }
    // The key was deleted, and nobody heard: the receipt says that it was absent when it was looked for.
    assert!(found.contains(&Found::Absent) && found.contains(&Found::Present), "{found:?}");
    stage.everything_is_as_it_must_be().await;
    let metrics = stage.vault.metrics().await;
    assert!(metrics.value("lethe_root_store_failures_total") >= CHANGES as f64);
    assert_eq!(metrics.value("lethe_epochs_ended_total"), CHANGES as f64);
}
