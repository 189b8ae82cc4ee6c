//! Roots in files that are sealed under a passphrase besides.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lethe_roots_testing::secret;
use lethe_tests::Device;
use lethe_tests::memory::{Memory, Sketches, may_be_seen};
use lethe_tests::residue::Needles;

use crate::moving::moves;
use crate::stage::Stage;

const WORDS: &str = "korrekt Pferd Batterie Heftklammer";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roots_in_the_file_do_not_open_the_vault_without_the_passphrase() {
    let elsewhere = tempfile::tempdir().unwrap();
    let right = elsewhere.path().join("passphrase");
    secret(&right, format!("{WORDS}\n"));
    let device = Device::files_with_passphrase(right.clone());
    let mut stage = Stage::on(&device).await;
    stage.enroll().await;
    stage.enroll().await;
    stage.erase().await;
    stage.vault.crash().await;
    stage.everything_is_as_it_must_be().await;
    stage.vault.stop().await;
    let file = device.file().unwrap();
    let before = std::fs::read(&file).unwrap();
    assert_eq!(before[8], 2, "version of a header with a passphrase");

    let written = |name: &str, content: &[u8], mode: u32| {
        let path = elsewhere.path().join(name);
        secret(&path, content);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let inspects = ["inspect", "--open"];
    for (path, words) in [
        (
            written("other", b"korrekt Pferd Batterie Heftzwecke", 0o600),
            "passphrase is not the one the store was made with",
        ),
        (written("lines", format!("{WORDS}\n\n").as_bytes(), 0o600), "the passphrase in it is not one line of text"),
        (written("bytes", &[0xfe; 32], 0o600), "the passphrase in it is not one line of text"),
        (written("empty", b"\n", 0o600), "the passphrase in it is empty"),
        (written("long", &[b'x'; 2000], 0o600), "the passphrase in it is longer than 1024 bytes"),
        (written("open", WORDS.as_bytes(), 0o644), "has mode 644; it must be accessible to its owner only"),
        (elsewhere.path().join("absent"), "No such file"),
    ] {
        stage.vault.reconfigure(|setup| setup.set("root.passphrase_file", path.display()));
        let refused = stage.vault.refuses_to_start().await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(refused.log.contains(words), "{words}: {}", refused.log);
        assert!(!refused.log.contains("Pferd"), "a passphrase in the log: {}", refused.log);
        for command in [&["root", "check"], &inspects] {
            let asked = stage.vault.run(command);
            assert!(asked.code == Some(1) && asked.log.contains(words), "{words}: {asked:?}");
        }
    }
    let credential = written("credential", &[7; 32], 0o600);
    stage.vault.reconfigure(|setup| setup.unset("root.passphrase_file"));
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("passphrase is missing"), "{}", refused.log);
    stage.vault.reconfigure(|setup| setup.set("root.credential_file", credential.display()));
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.log.contains("the store is sealed under a passphrase"), "{}", refused.log);
    stage.vault.reconfigure(|setup| setup.set("root.passphrase_file", right.display()));
    let refused = stage.vault.refuses_to_start().await;
    assert!(refused.status.code() == Some(2) && refused.log.contains("exclude each other"), "{}", refused.log);
    assert!(std::fs::read(&file).unwrap() == before, "something that was refused has changed the roots");

    stage.vault.reconfigure(|setup| device.alone(setup));
    for command in [&["root", "check"], &inspects] {
        let asked = stage.vault.run(command);
        assert_eq!((asked.code, &asked.answer["sound"]), (Some(0), &true.into()), "{command:?} {asked:?}");
    }
    let issued = stage.vault.run(&["key", "new-operator"]);
    assert_eq!(issued.code, Some(0), "{issued:?}");
    stage.vault.start().await;
    stage.everything_is_as_it_must_be().await;
    the_server_has_forgotten_it(&stage, &right).await;
    stage.vault.stop().await;
    // Neither in the data, nor in what servers and commands say.
    let mut needles = Needles::new();
    needles.text("passphrase", WORDS);
    let found = needles.scanner().scan_folder(stage.vault.home().path()).unwrap();
    assert!(found.is_empty(), "{found:?}");
}

/// Once its key is derived, nothing of it is in the memory of a server any more. That the look is not blind is shown by the
/// name of its file.
async fn the_server_has_forgotten_it(stage: &Stage, file: &Path) {
    if !may_be_seen() {
        return;
    }
    let mut needles = Needles::new();
    needles.text("passphrase", WORDS).text("its file", file.to_str().unwrap());
    let found = Memory::freeze(stage.vault.pid().await).search(&needles.scanner(), &Sketches::new());
    assert!(found.of("its file").next().is_some(), "the scan finds nothing");
    found.assert_nothing_but(&["its file"], "in a server that serves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_is_not_founded_on_a_short_passphrase() {
    let elsewhere = tempfile::tempdir().unwrap();
    let short = elsewhere.path().join("passphrase");
    secret(&short, "password");
    let device = Device::files_with_passphrase(short.clone());
    let refused = device.alone(lethe_tests::Vault::setup()).refuses_to_start_in(lethe_tests::Home::new()).await;
    assert!(refused.log.contains("needs 16 characters or more"), "{}", refused.log);
    assert!(refused.log.contains("root.passphrase_file"), "{}", refused.log);
    assert!(!device.file().unwrap().exists());
}

/// A vault gets a passphrase, another one, a credential, a passphrase again, and none, by moving between files. The last two
/// are one and the same: a store of its own makes another key of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passphrase_is_given_changed_and_taken_by_moving() {
    let elsewhere = tempfile::tempdir().unwrap();
    let written = |name: &str, content: &[u8]| {
        let path = elsewhere.path().join(name);
        secret(&path, content);
        path
    };
    let (one, two) = (written("one", WORDS.as_bytes()), written("two", b"und noch einmal sechs andere Worte\r\n"));
    let mut old = Device::files();
    let mut stage = Stage::on(&old).await;
    for _ in 0..7 {
        stage.enroll().await;
    }
    for new in [
        Device::files_with_passphrase(one.clone()),
        Device::files_with_passphrase(two.clone()),
        Device::sealed_files(written("credential", &[3; 32])),
        Device::files_with_passphrase(two.clone()),
        Device::files_with_passphrase(two),
        Device::files(),
    ] {
        moves(&mut stage, &old, &new).await;
        old = new;
    }
}

/// The data are lost, and restored under a passphrase.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_takes_the_passphrase() {
    let elsewhere = tempfile::tempdir().unwrap();
    let (right, wrong) = (elsewhere.path().join("right"), elsewhere.path().join("wrong"));
    secret(&right, WORDS);
    secret(&wrong, "sechzehn andere Zeichen");
    let device = Device::files_with_passphrase(right);
    let mut stage = Stage::with(device.alone(lethe_tests::Vault::setup().apart())).await;
    for _ in 0..3 {
        stage.enroll().await;
    }
    stage.vault.operator().back_up().await.unwrap();
    stage.erase().await;
    stage.vault.stop().await;
    stage.vault.home().lose_data();
    let backups = stage.vault.home().backups();
    let restore = ["restore", "--backup", backups.to_str().unwrap()];
    stage.vault.reconfigure(|setup| setup.set("root.passphrase_file", wrong.display()));
    let refused = stage.vault.run(&restore);
    assert!(refused.code == Some(1) && refused.log.contains("passphrase is not the one"), "{refused:?}");
    stage.vault.reconfigure(|setup| device.alone(setup));
    let restored = stage.vault.run(&restore);
    assert_eq!(restored.code, Some(0), "{restored:?}");
    stage.vault.start().await;
    stage.everything_is_as_it_must_be().await;
}
