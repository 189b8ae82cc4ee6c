//! Copies of a data directory: of two that share a root store only the one that was started last goes on.

use lethe_tests::{Device, Home};

use crate::on_every_store;
use crate::stage::Stage;

on_every_store!(copies_are_fenced_out:
    copies_on_files_are_fenced_out = Device::files(),
    copies_on_a_token_are_fenced_out = Device::token(),
    copies_on_a_server_are_fenced_out = Device::server(),
    copies_on_a_tpm_are_fenced_out = Device::tpm(),
);

async fn copies_are_fenced_out(device: Device) {
    let mut stage = Stage::on(&device).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    stage.vault.stop().await;
    let setup = device.alone(lethe_tests::Vault::setup());
    let copy = Home::copy_of(stage.vault.home().path());
    let (clone, later) = (Home::copy_of(copy.path()), Home::copy_of(copy.path()));

    // The original is started: a copy from before is a clone, and is refused, and disturbs nobody.
    stage.vault.start().await;
    if !device.is_shared() {
        stage.vault.stop().await;
    }
    let checked = setup.run(&clone, &["root", "check"]);
    assert_eq!(checked.code, Some(5), "{checked:?}");
    assert_eq!((&checked.answer["opens"], &checked.answer["claimed"]), (&true.into(), &false.into()));
    let refused = setup.clone().refuses_to_start_in(clone).await;
    assert!(refused.log.contains("fenced out"), "{}", refused.log);
    if !device.is_shared() {
        stage.vault.start().await;
    }
    stage.erase().await;
    stage.everything_is_as_it_must_be().await;

    // After an erasure the copy's root is gone: nothing opens it any more.
    stage.vault.stop().await;
    let checked = setup.run(&later, &["root", "check"]);
    assert_eq!((checked.code, &checked.answer["opens"]), (Some(5), &false.into()), "{checked:?}");
    assert!(checked.answer["orphans"].as_array().unwrap().is_empty(), "the newer root is nobody's orphan");
    let refused = setup.clone().refuses_to_start_in(later).await;
    assert!(refused.log.contains("does not hold root") && refused.log.contains("lethe restore"), "{}", refused.log);
    assert!(!refused.log.contains("root.from"), "{}", refused.log);

    // Who is started later goes on, and the other one is the clone then.
    let successor = setup.clone().start_on_copy_of(stage.vault.home().path()).await;
    successor.stop().await;
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("fenced out"), "{}", refused.log);
    drop(copy);

    // Another vault finds the store taken, and is told what keeps vaults apart.
    let refused = setup.refuses_to_start_in(Home::new()).await;
    assert!(refused.log.contains("belongs to another vault"), "{}", refused.log);
    let apart = match device.name() {
        "file" => "root.replicas",
        "pkcs11" => "pkcs11.name",
        "transit" => "transit.name",
        _ => "tpm.first_index",
    };
    assert!(refused.log.contains(apart), "{}", refused.log);
}
