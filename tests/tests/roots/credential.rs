//! Roots in files that are sealed under a credential besides.

use std::os::unix::fs::PermissionsExt as _;

use lethe_roots_testing::secret;
use lethe_tests::Device;

use crate::moving::moves;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roots_in_the_file_alone_do_not_open_the_vault() {
    let elsewhere = tempfile::tempdir().unwrap();
    let right = elsewhere.path().join("credential");
    secret(&right, [7; 32]);
    let device = Device::sealed_files(right.clone());
    let mut stage = Stage::on(&device).await;
    stage.enroll().await;
    stage.enroll().await;
    stage.erase().await;
    stage.vault.crash().await;
    stage.everything_is_as_it_must_be().await;
    stage.vault.stop().await;

    let file = |name: &str, content: &[u8], mode: u32| {
        let path = elsewhere.path().join(name);
        secret(&path, content);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    for (path, words) in [
        (file("other", &[8; 32], 0o600), "credential is not the one the store was made with"),
        (file("short", &[7; 31], 0o600), "has 31 bytes; a root credential is 32 random bytes"),
        (file("long", &[7; 33], 0o600), "has 33 bytes"),
        (file("open", &[7; 32], 0o644), "has mode 644; it must be accessible to its owner only"),
        (elsewhere.path().join("absent"), "No such file"),
    ] {
        stage.vault.reconfigure(|setup| setup.set("root.credential_file", path.display()));
        let refused = stage.vault.refuses_to_start().await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(refused.log.contains(words), "{words}: {}", refused.log);
        let checked = stage.vault.run(&["root", "check"]);
        assert!(checked.code == Some(1) && checked.log.contains(words), "{words}: {checked:?}");
    }
    stage.vault.reconfigure(|setup| setup.unset("root.credential_file"));
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("credential is missing"), "{}", refused.log);

    stage.vault.reconfigure(|setup| device.alone(setup));
    stage.vault.start().await;
    stage.everything_is_as_it_must_be().await;
}

/// A vault gets a credential, another one, and none, by moving between files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_given_changed_and_taken_by_moving() {
    let elsewhere = tempfile::tempdir().unwrap();
    let credential = |name: &str, fill: u8| {
        let path = elsewhere.path().join(name);
        secret(&path, [fill; 32]);
        path
    };
    let mut old = Device::files();
    let mut stage = Stage::on(&old).await;
    for _ in 0..4 {
        stage.enroll().await;
    }
    for new in [Device::sealed_files(credential("one", 1)), Device::sealed_files(credential("two", 2)), Device::files()]
    {
        moves(&mut stage, &old, &new).await;
        old = new;
    }
}
