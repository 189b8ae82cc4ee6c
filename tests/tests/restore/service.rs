//! `BackupService`: what it makes, tells and refuses.

use std::time::Duration;

use futures::future::join_all;
use lethe_proto::v1::{self, BackupState, ErrorReason, MirrorState, Purpose, VerificationState};
use lethe_tests::{Caller, Cli, Faces, Home, PATIENCE, Refused, Vault, request_id};
use tonic::Code;

/// The events of the vault's log, in order.
async fn events(operator: &Caller) -> Vec<String> {
    let size = operator.checkpoint("vault/log").await.unwrap().tree_size;
    let mut events = Vec::new();
    for leaf in 0..size {
        let entry = operator.proof("vault/log", leaf, size).await.unwrap().entry;
        let entry: serde_json::Value = serde_json::from_slice(&entry).unwrap();
        events.extend(entry["event"]["type"].as_str().map(str::to_owned));
    }
    events
}

/// Waits until a backup is not at work any more.
async fn ended(operator: &Caller, name: &str) -> v1::Backup {
    let asked = async {
        loop {
            let backup = operator.backup(name).await.unwrap();
            if backup.state() != BackupState::Running {
                return backup;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("a backup ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_made_listed_verified_and_pruned_on_the_record() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let operator = vault.operator();
    assert!(operator.backups().await.unwrap().is_empty());
    bank.enroller().enroll("ada", &Faces::seeded(71).person(0).selfie()).await.unwrap();

    let request = operator.new_backup();
    let first = operator.ask(request.clone()).await.unwrap();
    assert_eq!((first.name.as_str(), first.state()), ("backups/1", BackupState::Done), "{first:?}");
    assert!(first.size_bytes > 0 && first.file_count > 0 && first.create_time.is_some() && first.fault.is_empty());
    assert_eq!(operator.ask(request.clone()).await.unwrap(), first, "the same request makes no second one");
    bank.enroller().enroll("ben", &Faces::seeded(71).person(1).selfie()).await.unwrap();
    let mut all = vec![first];
    for number in 2..=5 {
        let backup = operator.back_up().await.unwrap();
        assert_eq!(backup.name, format!("backups/{number}"));
        all.push(backup);
    }
    assert_eq!(operator.backups().await.unwrap(), all);
    assert_eq!(operator.backup("backups/3").await.unwrap(), all[2]);

    let mut rows = Vec::new();
    for name in ["backups/1", "backups/2"] {
        let verified = operator.verify_backup(name).await.unwrap();
        let verification = verified.verification.clone().unwrap();
        assert_eq!(verification.state(), VerificationState::Done, "{verification:?}");
        assert!(verification.verify_time.is_some());
        rows.push(verification.row_count);
        assert_eq!(operator.backup(name).await.unwrap(), verified);
    }
    assert!(rows[1] > rows[0], "{rows:?}");
    assert!(!vault.home().backups().join("scratch").exists());

    let pruned = operator.prune_backups(2).await.unwrap();
    assert_eq!(pruned.deleted, ["backups/1", "backups/2", "backups/3"]);
    assert_eq!(pruned.kept, ["backups/4", "backups/5"]);
    assert_eq!(operator.backups().await.unwrap(), all[3..]);
    assert!(operator.prune_backups(2).await.unwrap().deleted.is_empty());
    for refused in [operator.backup("backups/1").await.refused(), operator.verify_backup("backups/1").await.refused()] {
        refused.assert_is(Code::NotFound, ErrorReason::BackupNotFound);
    }
    // What was made by a request is told also when it is gone; and the request makes no other.
    operator.ask(request).await.refused().assert_is(Code::NotFound, ErrorReason::BackupNotFound);
    // A number does not come again, and the next server knows them all.
    vault.restart().await;
    assert_eq!(operator.back_up().await.unwrap().name, "backups/6");
    let told: Vec<_> = operator.backups().await.unwrap().into_iter().map(|backup| backup.name).collect();
    assert_eq!(told, ["backups/4", "backups/5", "backups/6"]);

    let events = events(&operator).await;
    let count = |kind: &str| events.iter().filter(|event| *event == kind).count();
    assert_eq!((count("BACKUP_BEGUN"), count("BACKUP_MADE"), count("BACKUP_FAILED")), (6, 6, 0), "{events:?}");
    assert_eq!((count("BACKUP_VERIFIED"), count("BACKUPS_PRUNED")), (2, 2), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_backup_is_refused_by_field() {
    let vault = Vault::setup().apart().start().await;
    let operator = vault.operator();
    for keep in [0, -1, i32::MIN] {
        let refusal = operator.prune_backups(keep).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("keep");
    }
    for name in ["backups/0", "backups/01", "backups/x", "backups/-1", "backups/9999999999", "backup/1", "backups/1/x"]
    {
        for refusal in [operator.backup(name).await.refused(), operator.verify_backup(name).await.refused()] {
            refusal.assert_is(Code::InvalidArgument, ErrorReason::NameMalformed).assert_field("name");
        }
    }
    operator.backup("").await.refused().assert_is(Code::InvalidArgument, ErrorReason::FieldMissing);
    operator.backup("backups/4294967295").await.refused().assert_is(Code::NotFound, ErrorReason::BackupNotFound);
    let malformed = v1::CreateBackupRequest { request_id: "mine".to_owned(), ..operator.new_backup() };
    operator.ask(malformed).await.refused().assert_is(Code::InvalidArgument, ErrorReason::RequestIdMalformed);
    let purpose = Purpose::Administration.into();
    let stranger = v1::ListBackupsRequest { purpose, page_size: 1, page_token: "00".repeat(24) };
    let refusal = operator.ask(stranger).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::PageTokenMalformed).assert_field("page_token");
    assert!(operator.backups().await.unwrap().is_empty(), "nothing was made by any of these");
}

/// A vault without a folder of backups says so, and serves all the same.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_folder_each_method_says_what_is_missing() {
    let vault = Vault::fresh().await;
    let operator = vault.operator();
    let refusals = [
        operator.back_up().await.refused(),
        operator.backups().await.refused(),
        operator.backup("backups/1").await.refused(),
        operator.verify_backup("backups/1").await.refused(),
        operator.prune_backups(1).await.refused(),
    ];
    for refusal in refusals {
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::BackupNotConfigured);
    }
    let mirrors = operator.mirrors().await.unwrap();
    assert_eq!(mirrors.len(), 1);
    assert_eq!(mirrors[0].path, vault.data_dir().join("mirror").display().to_string());
    assert_ne!(mirrors[0].state(), MirrorState::Failing);
}

/// A disk of backups that is away keeps nobody from logging in, and is used once it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_used_fails_the_calls_and_not_the_start() {
    let home = Home::new();
    std::fs::write(home.backups(), "in the way").unwrap();
    let vault = Vault::setup().apart().start_in(home).await;
    let operator = vault.operator();
    for refusal in [operator.back_up().await.refused(), operator.backups().await.refused()] {
        refusal.assert_is(Code::Unavailable, ErrorReason::BackupFolderUnusable);
        assert!(refusal.retry_after().is_some());
    }
    assert!(vault.log().contains("the folder of backups cannot be used"), "{}", vault.log());
    std::fs::remove_file(vault.home().backups()).unwrap();
    assert_eq!(operator.back_up().await.unwrap().state(), BackupState::Done);

    // Where backups were and none are, a disk is not mounted: they are not begun anew in its place.
    let aside = vault.home().path().join("aside");
    std::fs::rename(vault.home().backups(), &aside).unwrap();
    std::fs::create_dir(vault.home().backups()).unwrap();
    operator.back_up().await.refused().assert_is(Code::Unavailable, ErrorReason::BackupFolderUnusable);
    assert!(vault.log().contains("is its disk mounted?"), "{}", vault.log());
    std::fs::remove_dir(vault.home().backups()).unwrap();
    std::fs::rename(&aside, vault.home().backups()).unwrap();
    assert_eq!(operator.backups().await.unwrap().len(), 1);

    // Another vault's backups are none of ours.
    let other = Vault::setup().set("backup.path", vault.home().backups().display()).start().await;
    other.operator().back_up().await.refused().assert_is(Code::Unavailable, ErrorReason::BackupFolderUnusable);
    assert!(other.log().contains("another vault"), "{}", other.log());
    assert_eq!(operator.backups().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_thing_is_done_at_a_time_and_the_vault_goes_on() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let operator = vault.operator();
    let faces = Faces::seeded(72);
    // Slots are reserved then: who comes beside a backup needs not wait for the mirror.
    bank.enroller().enroll("first", &faces.person(24).selfie()).await.unwrap();
    let attempts = join_all((0..24).map(|_| operator.back_up()));
    let enrolments = join_all((0..24).map(|number| {
        let (enroller, face) = (bank.enroller(), faces.person(number).selfie());
        async move { enroller.enroll(&format!("p-{number}"), &face).await }
    }));
    let (attempts, enrolments) = tokio::join!(attempts, enrolments);
    enrolments.into_iter().for_each(|enrolled| drop(enrolled.unwrap()));
    let mut made = Vec::new();
    let mut refused = 0;
    for attempt in attempts {
        match attempt {
            Ok(backup) => made.push((backup.state(), backup.name)),
            Err(refusal) => {
                refusal.assert_is(Code::ResourceExhausted, ErrorReason::BackupBusy);
                assert!(refusal.retry_after().is_some());
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && !made.is_empty(), "{made:?}, {refused} refused");
    assert!(made.iter().all(|(state, _)| *state == BackupState::Done), "{made:?}");
    made.sort_by_key(|(_, name)| name["backups/".len()..].parse::<u32>().unwrap());
    let listed: Vec<_> = operator.backups().await.unwrap().into_iter().map(|b| (b.state(), b.name)).collect();
    assert_eq!(listed, made);
    for (_, name) in made {
        let verified = operator.verify_backup(&name).await.unwrap().verification.unwrap();
        assert_eq!(verified.state(), VerificationState::Done, "{name}: {verified:?}");
    }
}

/// A disk of backups that hangs holds up backups, and neither administration nor the end of the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_does_not_answer_holds_up_backups_alone() {
    let vault = Vault::setup().apart().start().await;
    let operator = vault.operator();
    operator.back_up().await.unwrap();
    vault.stop().await;
    // A sixth of that, for a look.
    vault.reconfigure(|setup| setup.set("limits.deadline_ms", 60_000));
    vault.start().await;
    assert_eq!(operator.backups().await.unwrap().len(), 1);
    // Who opens it waits for somebody who writes to it.
    let file = vault.home().backups().join("meta").join("1");
    std::fs::rename(&file, vault.home().path().join("aside")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    let (refused, ()) = tokio::join!(operator.back_up(), async {
        let bank = vault.tenant("bank").await;
        bank.enroller().enroll("ada", &Faces::seeded(74).person(0).selfie()).await.unwrap();
    });
    refused.refused().assert_is(Code::Unavailable, ErrorReason::BackupFolderUnusable);
    operator.backups().await.refused().assert_is(Code::Unavailable, ErrorReason::BackupFolderUnusable);
    assert!(vault.log().contains("does not answer"), "{}", vault.log());
    vault.stop().await;
    assert!(!vault.log().contains("a backup is still at work"), "{}", vault.log());

    std::fs::remove_file(&file).unwrap();
    std::fs::rename(vault.home().path().join("aside"), &file).unwrap();
    vault.reconfigure(|setup| setup.set("limits.deadline_ms", 600_000));
    vault.start().await;
    assert_eq!(vault.operator().backups().await.unwrap().len(), 1);
}

/// The next attempt takes the number of one that failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_made_says_why() {
    let vault = Vault::setup().apart().start().await;
    let operator = vault.operator();
    assert_eq!(operator.back_up().await.unwrap().state(), BackupState::Done);
    // A folder where a file must go.
    let in_the_way = vault.home().backups().join("meta").join(".2.tmp").join("x");
    std::fs::create_dir_all(&in_the_way).unwrap();
    let failed = operator.back_up().await.unwrap();
    assert_eq!((failed.name.as_str(), failed.state()), ("backups/2", BackupState::Failed), "{failed:?}");
    assert!(!failed.fault.is_empty() && failed.size_bytes == 0, "{failed:?}");
    assert_eq!(operator.backup("backups/2").await.unwrap(), failed);
    assert_eq!(operator.backups().await.unwrap().len(), 2);
    operator.verify_backup("backups/2").await.refused().assert_is(Code::NotFound, ErrorReason::BackupNotFound);

    std::fs::remove_dir_all(in_the_way.parent().unwrap()).unwrap();
    // While it is made it is not the one that failed.
    let begun = operator.ask(v1::CreateBackupRequest { no_wait: true, ..operator.new_backup() }).await.unwrap();
    assert!(begun.name == "backups/2" && begun.state() != BackupState::Failed, "{begun:?}");
    let made = ended(&operator, "backups/2").await;
    assert_eq!((made.name.as_str(), made.state()), ("backups/2", BackupState::Done), "{made:?}");
    assert_eq!(operator.backups().await.unwrap().len(), 2);
    let events = events(&operator).await;
    assert_eq!(events.iter().filter(|event| *event == "BACKUP_FAILED").count(), 1);
}

/// A damaged table file: what `BACKUP_VERIFIED` is worth.
#[tokio::test(flavor = "multi_thread")]
async fn a_verification_finds_what_a_restore_would_stumble_over() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    bank.enroller().enroll("ada", &Faces::seeded(73).person(0).selfie()).await.unwrap();
    // Closed and opened, so that rows are in table files, too.
    vault.restart().await;
    let operator = vault.operator();
    operator.back_up().await.unwrap();
    for file in std::fs::read_dir(vault.home().backups().join("shared_checksum")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let verified = operator.verify_backup("backups/1").await.unwrap();
    assert_eq!(verified.state(), BackupState::Done);
    let verification = verified.verification.unwrap();
    assert_eq!((verification.state(), verification.row_count), (VerificationState::Failed, 0));
    assert!(!verification.fault.is_empty());
    assert!(!vault.home().backups().join("scratch").exists());
}

/// A backup that RocksDB does not list any more is told, and not passed over: who verifies the newest hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_list_is_damaged_is_told() {
    let vault = Vault::setup().apart().start().await;
    let operator = vault.operator();
    for _ in 0..3 {
        operator.back_up().await.unwrap();
    }
    let folder = vault.home().backups();
    std::fs::write(folder.join("meta").join("3"), "").unwrap();
    let cli = async |command: &str| Cli::new(["backup", command]).operator(&vault).await.run();
    let here = |command: &str| Cli::new(["backup", command, "--folder"]).arg(&folder).run();
    let states = |said: &[serde_json::Value]| said.iter().map(|backup| backup["state"].clone()).collect::<Vec<_>>();
    for listed in [cli("list").await, here("list")] {
        assert_eq!((listed.code(), states(&listed.said)), (0, vec!["DONE".into(), "DONE".into(), "DAMAGED".into()]));
        assert_eq!(listed.said[2]["name"], "backups/3");
    }
    for verified in [cli("verify").await, here("verify")] {
        assert_eq!(verified.code(), 5, "{verified:?}");
    }
    let damaged = operator.backup("backups/3").await.unwrap();
    assert_eq!((damaged.state(), damaged.create_time), (BackupState::Damaged, None), "{damaged:?}");
    assert_eq!(damaged.verification.unwrap().state(), VerificationState::Failed);

    // It is not among those that are kept, and gives its number to no other.
    let pruned = operator.prune_backups(1).await.unwrap();
    assert_eq!((pruned.deleted, pruned.kept), (vec!["backups/1".to_owned()], vec!["backups/2".to_owned()]));
    assert_eq!(operator.back_up().await.unwrap().name, "backups/4");
    let names: Vec<_> = operator.backups().await.unwrap().into_iter().map(|backup| backup.name).collect();
    assert_eq!(names, ["backups/2", "backups/3", "backups/4"]);
    assert_eq!(cli("verify").await.code(), 0);
}

/// A server that ends in the middle of a backup leaves the others, and the next one is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_end_while_a_backup_is_made() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let faces = Faces::seeded(74);
    for round in 0..8_u64 {
        bank.enroller().enroll(&format!("p-{round}"), &faces.person(round).selfie()).await.unwrap();
        let operator = vault.operator();
        let before = operator.backups().await.unwrap();
        let begun = operator.ask(v1::CreateBackupRequest { no_wait: true, ..operator.new_backup() }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(round * 3)).await;
        if round.is_multiple_of(2) {
            vault.kill().await;
        } else {
            // Waits for it.
            vault.stop().await;
        }
        vault.start().await;
        let after = operator.backups().await.unwrap();
        let made = after.iter().any(|backup| backup.name == begun.name);
        assert!(made || round.is_multiple_of(2), "a server that is stopped ends a backup first");
        assert_eq!(after.len(), before.len() + usize::from(made));
    }
    let operator = vault.operator();
    let last = operator.back_up().await.unwrap();
    assert_eq!(last.state(), BackupState::Done);
    for backup in operator.backups().await.unwrap() {
        let verification = operator.verify_backup(&backup.name).await.unwrap().verification.unwrap();
        assert_eq!(verification.state(), VerificationState::Done, "{backup:?}: {verification:?}");
    }
}

/// Whoever does not wait is told how it goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_runs_to_its_end_without_its_caller() {
    let vault = Vault::setup().apart().start().await;
    let operator = vault.operator();
    let request = v1::CreateBackupRequest { no_wait: true, request_id: request_id(), ..operator.new_backup() };
    let begun = operator.ask(request.clone()).await.unwrap();
    assert_eq!(begun.name, "backups/1");
    let made = ended(&operator, &begun.name).await;
    assert_eq!(made.state(), BackupState::Done);
    assert_eq!(operator.ask(request).await.unwrap(), made);
}
