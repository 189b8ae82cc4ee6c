//! A root store that is there and answers nothing: a device that hangs.

use lethe_proto::v1::{ErasureState, RootStoreState};
use lethe_tests::failpoints::FAILPOINTS;
use lethe_tests::{Device, Vault, lethe_failpoints};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::on_every_store;
use crate::stage::Stage;

on_every_store!(while_the_store_hangs:
    while_the_server_hangs = Device::server(),
    while_the_tpm_hangs = Device::tpm(),
);

async fn while_the_store_hangs(device: Device) {
    let setup = device.alone(Vault::setup()).metrics().set("root.probe_interval_s", 1);
    let mut stage = Stage::with(setup).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    device.hang();
    let pending = stage.ask_to_erase(true).await;
    everything_else_goes_on(&mut stage, &pending).await;
    device.go_on();
    stage.shredded(&pending).await;
    stage.roots_are(ServingStatus::Serving).await;
    stage.everything_is_as_it_must_be().await;
    stage.vault.stop().await;
    assert_eq!(device.roots(), 1);
}

/// A disk can hang, too. Who waits for it can do nothing else meanwhile, not even say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_file_hangs() {
    let device = Device::files();
    let mut stage = Stage::with(device.alone(Vault::setup().binary(lethe_failpoints())).metrics()).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    stage.vault.stop().await;
    stage.vault.reconfigure(|setup| setup.env(FAILPOINTS, "root-file-replica-written=1*sleep(40000)"));
    stage.vault.start().await;
    let pending = stage.ask_to_erase(true).await;
    everything_else_goes_on(&mut stage, &pending).await;
    stage.shredded(&pending).await;
    stage.roots_are(ServingStatus::Serving).await;
    stage.everything_is_as_it_must_be().await;
    assert_eq!(device.roots(), 1);
}

async fn everything_else_goes_on(stage: &mut Stage, pending: &str) {
    stage.roots_are(ServingStatus::NotServing).await;
    let status = stage.root_status().await;
    assert_eq!((status.state(), status.pending_count), (RootStoreState::Failing, 1), "{status:?}");
    assert_eq!(stage.vault.metrics().await.value("lethe_root_store_failing"), 1.0);
    let new = stage.enroll().await;
    assert!(stage.finds(new).await && stage.recognises(new).await);
    assert_eq!(stage.vault.health("").await, ServingStatus::Serving);
    assert_eq!(stage.state(pending).await, ErasureState::Pending);
}
