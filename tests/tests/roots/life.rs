//! A vault's life on each kind of root store.

use lethe_tests::Device;

use crate::on_every_store;
use crate::stage::{Stage, statements};

on_every_store!(a_whole_life:
    a_whole_life_on_files = Device::files(),
    a_whole_life_on_a_token = Device::token(),
    a_whole_life_on_a_server = Device::server(),
    a_whole_life_on_a_tpm = Device::tpm(),
);

async fn a_whole_life(device: Device) {
    let mut stage = Stage::on(&device).await;
    let told = stage.vault.told().await;
    assert_eq!(told["root_store"], device.name(), "{told}");
    assert_eq!(told["root_replicas"].is_null(), device.file().is_none(), "{told}");
    for _ in 0..4 {
        stage.enroll().await;
    }
    stage.everything_is_as_it_must_be().await;

    let verified = stage.erase().await;
    assert_eq!((verified.destruction.store.to_string().as_str(), verified.destruction.replicas), (device.kind(), 1));
    let (said, locked) = (statements(&verified), stage.memory_is_locked().await);
    assert_eq!(said.contains(&"MEMORY_NOT_LOCKED".to_owned()), !locked, "{said:?}");
    let of_medium: Vec<_> = said.into_iter().filter(|code| code != "MEMORY_NOT_LOCKED").collect();
    if let Some(expected) = device.statements() {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(of_medium, expected);
    }

    // After a crash, and after an orderly end, with erasures in between.
    stage.vault.crash().await;
    stage.everything_is_as_it_must_be().await;
    stage.erase().await;
    stage.vault.restart().await;
    stage.enroll().await;
    stage.erase().await;
    stage.everything_is_as_it_must_be().await;

    stage.vault.stop().await;
    let checked = stage.vault.run(&["root", "check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let report = &checked.answer;
    assert_eq!((&report["sound"], &report["claimed"], &report["opens"]), (&true.into(), &true.into(), &true.into()));
    assert_eq!((&report["store"], &report["epoch"]), (&device.name().into(), &3.into()), "{report}");
    let mut medium: Vec<_> = report["medium"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    medium.retain(|code| *code != "MEMORY_NOT_LOCKED");
    medium.sort_unstable();
    assert_eq!(medium, of_medium, "a check says of the medium what receipts say");
    // It changed nothing.
    stage.vault.start().await;
    stage.everything_is_as_it_must_be().await;
}
