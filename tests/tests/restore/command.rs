//! `lethe backup` and `lethe restore`, as somebody types them.

use std::path::{Path, PathBuf};

use lethe_tests::{Cli, Faces, Home, Vault};

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_looks_after_backups_from_the_command_line() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    bank.enroller().enroll("ada", &Faces::seeded(76).person(0).selfie()).await.unwrap();
    let ask = async |arguments: &[&str]| Cli::new(arguments).operator(&vault).await.run();
    assert_eq!(ask(&["backup", "verify"]).await.code(), 4, "there is none yet");
    for number in 1..=3 {
        let made = ask(&["backup", "create"]).await.one();
        assert_eq!(
            (made["name"].as_str(), made["state"].as_str()),
            (Some(&*format!("backups/{number}")), Some("DONE"))
        );
    }
    let listed = ask(&["backup", "list"]).await;
    assert_eq!((listed.code(), listed.said.len()), (0, 3));
    let verified = ask(&["backup", "verify"]).await.one();
    assert_eq!(
        (verified["name"].as_str(), verified["verification"]["state"].as_str()),
        (Some("backups/3"), Some("DONE"))
    );
    let pruned = ask(&["backup", "prune", "--keep", "2"]).await.one();
    assert_eq!(pruned["deleted"], serde_json::json!(["backups/1"]));
    assert_eq!(ask(&["backup", "verify", "1"]).await.code(), 4);
    let unwanted = ask(&["backup", "prune", "--keep", "0"]).await;
    assert_eq!(unwanted.code(), 2);

    // The same without the server, as on another machine.
    let folder = vault.home().backups();
    vault.stop().await;
    let here = |arguments: &[&str]| Cli::new(arguments).arg("--folder").arg(&folder);
    let listed = here(&["backup", "list"]).run();
    let names: Vec<_> = listed.said.iter().map(|backup| backup["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["backups/2", "backups/3"]);
    let elsewhere = vault.home().path().join("elsewhere");
    let verified = here(&["backup", "verify", "2"]).arg("--scratch").arg(&elsewhere).run().one();
    assert!(verified["verified_rows"].as_u64().unwrap() > 0);
    assert_eq!(here(&["backup", "verify"]).run().one()["name"], "backups/3");
    assert_eq!(here(&["backup", "verify", "1"]).run().code(), 4);
    let nowhere = vault.home().path().join("nowhere");
    let typo = Cli::new(["backup", "list", "--folder"]).arg(&nowhere).run();
    assert!(typo.code() == 1 && typo.errors.contains("does not exist") && !nowhere.exists(), "{typo:?}");
}

/// Whatever byte of a backup is damaged, it is not called sound, and not restored.
#[tokio::test(flavor = "multi_thread")]
async fn a_byte_of_any_file_of_a_backup_is_missed() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let faces = Faces::seeded(78);
    bank.enroller().enroll("ada", &faces.person(0).selfie()).await.unwrap();
    // Closed and opened: some rows are in table files, and the rest in the write-ahead log.
    vault.restart().await;
    bank.enroller().enroll("ben", &faces.person(1).selfie()).await.unwrap();
    vault.operator().back_up().await.unwrap();
    vault.stop().await;
    let home = vault.home();
    let files = files(&home.backups());
    let of = |part: &str| files.iter().filter(|file| file.to_string_lossy().contains(part)).count();
    assert!(of("/shared_checksum/") > 0 && of("/private/1/MANIFEST") > 0 && of(".log") > 0, "{files:?}");
    home.lose_data();
    let mut damaged = 0;
    for file in files.iter().filter(|file| file.file_name().unwrap() != "vault") {
        let sound = std::fs::read(file).unwrap();
        // A list of files begins with two lines that nothing depends on: a time and a sequence number.
        let is_list = file.parent().is_some_and(|parent| parent.ends_with("meta"));
        let first =
            if is_list { sound.split_inclusive(|byte| *byte == b'\n').take(2).map(<[u8]>::len).sum() } else { 0 };
        let places = [first, first + (sound.len() - first) / 2, sound.len().saturating_sub(2)];
        for at in places.into_iter().filter(|at| *at < sound.len()) {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            std::fs::write(file, bytes).unwrap();
            let verified = Cli::new(["backup", "verify", "1", "--folder"]).arg(home.backups()).run();
            assert!(!verified.status.success(), "byte {at} of {}: {verified:?}", file.display());
            let restored = Cli::new(["restore", "--backup"]).arg(home.backups()).offline(home).run();
            assert!(!restored.status.success(), "byte {at} of {}: {restored:?}", file.display());
            assert!(!home.data().join("db").exists(), "byte {at} of {}", file.display());
            damaged += 1;
        }
        std::fs::write(file, sound).unwrap();
    }
    assert!(damaged > 9, "{damaged}");
    Cli::new(["backup", "verify", "1", "--folder"]).arg(home.backups()).run().one();
    let restored = Cli::new(["restore", "--backup"]).arg(home.backups()).offline(home).run().one();
    assert_eq!(restored["back"]["templates"], 2);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_says_what_is_missing_and_leaves_everything() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    bank.enroller().enroll("ada", &Faces::seeded(77).person(0).selfie()).await.unwrap();
    vault.operator().back_up().await.unwrap();
    let home = vault.home();
    let restore = |extra: &[&str]| {
        Cli::new(["restore", "--backup"])
            .arg(home.backups())
            .offline(home)
            .arg("--log-filter")
            .arg("warn")
            .run_with(extra)
    };
    // A server is at work.
    let busy = restore(&[]);
    assert!(busy.code() == 1 && busy.errors.contains("stop the server"), "{busy:?}");
    vault.stop().await;
    let in_the_way = restore(&[]);
    assert!(in_the_way.code() == 1 && in_the_way.errors.contains("move it away"), "{in_the_way:?}");

    home.lose_data();
    let wrong = restore(&["--number", "7"]);
    assert!(wrong.code() == 1 && wrong.errors.contains("no backup 7"), "{wrong:?}");
    let empty = Cli::new(["restore", "--backup"]).arg(home.path().join("roots")).offline(home).run();
    assert!(empty.code() == 1 && empty.errors.contains("no folder of backups"), "{empty:?}");
    let aside = home.path().join("aside");
    std::fs::rename(home.mirror(), &aside).unwrap();
    let mirrorless = restore(&[]);
    assert!(mirrorless.code() == 1 && mirrorless.errors.contains("mirror.paths"), "{mirrorless:?}");
    std::fs::rename(&aside, home.mirror()).unwrap();
    assert!(!home.data().join("db").exists(), "a restore that is refused leaves nothing");

    let restored = restore(&[]).one();
    assert_eq!((restored["back"]["subjects"].as_u64(), restored["back"]["templates"].as_u64()), (Some(1), Some(1)));
    assert_eq!(restored["corrupt"]["templates"], 0);
    vault.start().await;
    bank.privacy_officer().subject("ada").await.unwrap();
}

/// A mirror that was away while the vault was started once more: the root keys know of that start, and it does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_missed_a_start_is_gone_by_only_when_told_so() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    bank.enroller().enroll("ada", &Faces::seeded(79).person(0).selfie()).await.unwrap();
    vault.operator().back_up().await.unwrap();
    vault.stop().await;
    let home = vault.home();
    let kept = Home::copy_of(&home.mirror());
    vault.start().await;
    vault.kill().await;
    home.lose_data();
    std::fs::remove_dir_all(home.mirror()).unwrap();
    std::fs::rename(kept.path(), home.mirror()).unwrap();

    let restore = || Cli::new(["restore", "--backup"]).arg(home.backups()).offline(home);
    let fenced = restore().run();
    assert!(fenced.code() == 1 && fenced.errors.contains("--take-over"), "{fenced:?}");
    let unfinished = vault.refuses_to_start().await;
    assert!(unfinished.log.contains("was not finished"), "{}", unfinished.log);
    let restored = restore().arg("--take-over").run().one();
    assert_eq!(restored["back"]["templates"], 1);
    vault.start().await;
    bank.privacy_officer().subject("ada").await.unwrap();
}
