//! Logs that somebody follows.

use std::time::Duration;

use lethe_crypto::log::entry::Entry;
use lethe_proto::v1::{ErrorReason, WatchResponse};
use lethe_tests::{Cli, Faces, Refusal, Refused, Vault};
use tokio::time::timeout;
use tonic::{Code, Streaming};

const PATIENCE: Duration = Duration::from_secs(60);

/// Takes messages until there are so many entries; the operations, and the index after the last.
async fn take(stream: &mut Streaming<WatchResponse>, next: &mut i64, count: usize) -> Vec<String> {
    let mut operations = Vec::new();
    while operations.len() < count {
        let answer = timeout(PATIENCE, stream.message()).await.expect("entries come").unwrap().expect("it goes on");
        for entry in &answer.entries {
            assert_eq!(entry.leaf_index, *next, "none is left out, and none comes twice");
            *next += 1;
            operations.push(Entry::decode(&entry.entry).unwrap().operation.to_string());
        }
        assert_eq!(answer.next_index, *next);
    }
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_log_gets_every_entry_once_also_after_a_crash() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let face = Faces::seeded(61).person(0).selfie();
    let (auditor, log) = (bank.auditor(), bank.log());
    let mut stream = auditor.watch(&log, 0, true).await.unwrap();
    let mut next = 0;
    let before = take(&mut stream, &mut next, 10).await;
    assert!(before.contains(&"tenant.create".to_owned()) || before.contains(&"tenant.create_credential".to_owned()));
    // What is done from here on comes as it is done; that somebody follows is an entry, each message is none.
    bank.enroller().enroll("ada", &face).await.unwrap();
    bank.authenticator().verify("ada", &face).await.unwrap();
    let mut seen = before;
    while !seen.contains(&"authentication.verify".to_owned()) {
        seen.extend(take(&mut stream, &mut next, 1).await);
    }
    assert_eq!(seen.iter().filter(|operation| *operation == "audit.watch").count(), 1, "{seen:?}");
    assert_eq!(seen.iter().filter(|operation| *operation == "enrollment.enroll").count(), 1, "{seen:?}");

    vault.crash().await;
    timeout(PATIENCE, stream.message()).await.expect("it ends").expect_err("the server is gone");
    bank.authenticator().verify("ada", &face).await.unwrap();
    let mut stream = auditor.watch(&log, next, true).await.unwrap();
    let more = take(&mut stream, &mut next, 2).await;
    assert_eq!(more, ["authentication.verify", "audit.watch"]);

    // Without `follow` it ends with what there is; behind the end there is no place to begin.
    let mut all = auditor.watch(&log, 0, false).await.unwrap();
    let mut count = 0;
    while let Some(answer) = all.message().await.unwrap() {
        count += i64::try_from(answer.entries.len()).unwrap();
    }
    assert!(count > next, "{count}");
    let refusal = auditor.watch(&log, count + 1_000, true).await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::LogNotFound);
    let refusal = auditor.watch(&log, -1, true).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field("start_index");
    let refusal = auditor.watch("vault/log", 0, false).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    vault.operator().watch("vault/log", 0, false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_credential_and_few_may_follow() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let log = bank.log();
    let issued = bank.issue(&[lethe_proto::v1::Role::Auditor], None).await;
    let follower = bank.with_key(Some(&issued.api_key));
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(follower.watch(&log, 0, true).await.unwrap());
    }
    let refusal = bank.auditor().watch(&log, 0, true).await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::Overloaded);
    // Others have places of their own.
    vault.operator().watch("vault/log", 0, true).await.unwrap();

    bank.revoke(&issued.credential.unwrap().name).await;
    for mut stream in streams {
        let ended = loop {
            match timeout(PATIENCE, stream.message()).await.expect("it ends") {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended well"),
                Err(status) => break Refusal::from(status),
            }
        };
        ended.assert_is(Code::Unauthenticated, ErrorReason::CredentialInvalid);
    }
    bank.auditor().watch(&log, 0, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_leaves_the_place_to_others() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let mut places = Vec::new();
    for _ in 0..4 {
        places.push(bank.auditor().watch(&bank.log(), 0, true).await.unwrap());
    }
    drop(places);
    let until = tokio::time::Instant::now() + PATIENCE;
    let mut again = Vec::new();
    while again.len() < 4 {
        match bank.auditor().watch(&bank.log(), 0, true).await {
            Ok(stream) => again.push(stream),
            Err(refusal) => {
                refusal.assert_is(Code::ResourceExhausted, ErrorReason::Overloaded);
                assert!(tokio::time::Instant::now() < until, "the places of who hung up are never free");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_an_object_a_line_and_says_where_to_go_on() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    bank.enroller().enroll("ada", &Faces::seeded(63).person(0).selfie()).await.unwrap();
    let key = bank.auditor().key().unwrap().to_owned();
    let follow = ["audit", "follow", "--once", "--from", "3", "--tenant", "bank"];
    let told = Cli::new(follow).holding(&vault, &key).await.run();
    assert!(told.status.success(), "{told:?}");
    for (index, line) in (3..).zip(&told.said) {
        assert_eq!(line["index"], index, "{line}");
        assert_eq!(line["log"], "tenants/bank/log");
        assert!(line["operation"].is_string() && line["time"].is_u64() && line["outcome"].is_string(), "{line}");
    }
    assert!(told.said.iter().any(|line| line["operation"] == "enrollment.enroll"), "{:?}", told.said);
}
