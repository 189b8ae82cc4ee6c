//! A root store that holds a root beside the vault's own: of nobody's making, or of a commit that never was. It is never
//! taken up, it is destroyed, and nothing is shredded while it is there.

use lethe_proto::v1::{ErasureState, RootStoreState};
use lethe_tests::{Device, Vault};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::on_every_store;
use crate::stage::Stage;

on_every_store!(a_second_root_is_destroyed:
    a_second_root_in_a_file = Device::files(),
    a_second_root_in_a_token = Device::token(),
    a_second_root_on_a_server = Device::server(),
);

async fn a_second_root_is_destroyed(device: Device) {
    let setup = device.alone(Vault::setup()).metrics().set("root.probe_interval_s", 1);
    let mut stage = Stage::with(setup).await;
    for _ in 0..4 {
        stage.enroll().await;
    }
    stage.erase().await;
    device.plant([0xa5; 16]);
    assert_eq!(device.roots(), 2);
    // It is seen before the next epoch, and hurts nobody.
    let status = stage.root_status_is(|status| status.orphan_count == 1).await;
    assert_eq!((status.state(), status.claimed), (RootStoreState::Working, true), "{status:?}");
    assert_eq!(stage.vault.metrics().await.value("lethe_root_store_orphans"), 1.0);
    assert_eq!(stage.vault.health("lethe.v1.Roots").await, ServingStatus::Serving);
    stage.everything_is_as_it_must_be().await;

    let verified = stage.erase().await;
    assert_eq!(device.roots(), 1, "the new one alone");
    for root in [verified.step().from_root.to_string(), verified.step().to_root.to_string()] {
        assert_ne!(root, "a5".repeat(16));
    }
    let status = stage.root_status().await;
    assert_eq!((status.orphan_count, status.pending_count), (0, 0), "{status:?}");
    // One that is there when the vault is started does not live until it serves.
    stage.vault.stop().await;
    device.plant([0x5a; 16]);
    stage.vault.start().await;
    assert_eq!(device.roots(), 1);
    stage.erase().await;
    stage.everything_is_as_it_must_be().await;
}

/// This one serves one connection, so nobody puts anything into it while the vault is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_root_in_a_tpm() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let device = Device::tpm();
    let mut stage = Stage::on(&device).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    stage.erase().await;
    stage.vault.stop().await;
    device.plant([0xa5; 16]);
    assert_eq!(device.roots(), 2);
    stage.vault.start().await;
    stage.erase().await;
    stage.everything_is_as_it_must_be().await;
    stage.vault.stop().await;
    assert_eq!(device.roots(), 1, "the new one alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_shredded_while_a_second_root_cannot_be_destroyed() {
    if lethe_roots_testing::skipped() {
        return;
    }
    let device = Device::server();
    let mut stage = Stage::with(device.alone(Vault::setup()).metrics()).await;
    for _ in 0..4 {
        stage.enroll().await;
    }
    stage.erase().await;
    device.plant([0xa5; 16]);
    device.bao().forbid_deletion();
    let pending = stage.ask_to_erase(true).await;
    stage.roots_are(ServingStatus::NotServing).await;
    let status = stage.root_status().await;
    assert_eq!((status.state(), status.pending_count), (RootStoreState::Failing, 1), "{status:?}");
    assert!(status.fault.contains("the server forbids"), "{status:?}");
    assert_eq!(stage.state(&pending).await, ErasureState::Pending);
    let new = stage.enroll().await;
    assert!(stage.finds(new).await && stage.recognises(new).await);

    device.bao().allow();
    stage.shredded(&pending).await;
    stage.roots_are(ServingStatus::Serving).await;
    assert_eq!(device.roots(), 1, "the new one alone");
    stage.everything_is_as_it_must_be().await;
}
