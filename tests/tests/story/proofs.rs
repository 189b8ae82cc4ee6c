//! The logs prove themselves to whoever holds their public keys.

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::entry::{Entry, Event, Outcome};
use lethe_crypto::log::merkle::{Hash, verify_inclusion};
use lethe_crypto::log::note::VerifierKey;
use lethe_proto::v1::ErrorReason;
use lethe_tests::{Caller, Faces, Refused, Vault};
use tonic::Code;

/// Opens a log's newest checkpoint.
async fn checkpoint(caller: &Caller, log: &str) -> (Checkpoint, VerifierKey) {
    let answer = caller.checkpoint(log).await.unwrap();
    let key: VerifierKey = answer.verifier_key.parse().unwrap();
    let checkpoint = Checkpoint::open(answer.note.as_bytes(), &key).unwrap();
    assert_eq!((answer.log.as_str(), answer.tree_size), (log, i64::try_from(checkpoint.size).unwrap()));
    assert_eq!(key.name(), checkpoint.origin.to_string());
    (checkpoint, key)
}

/// Reads every entry that a checkpoint covers, and holds each against the checkpoint.
async fn entries(caller: &Caller, log: &str, checkpoint: &Checkpoint) -> Vec<Entry> {
    let mut entries = Vec::new();
    for index in 0..checkpoint.size {
        let (leaf, size) = (i64::try_from(index).unwrap(), i64::try_from(checkpoint.size).unwrap());
        let answer = caller.proof(log, leaf, size).await.unwrap();
        assert_eq!((answer.leaf_index, answer.tree_size), (leaf, size));
        let path: Vec<_> =
            answer.hashes.iter().map(|hash| Hash::from_bytes(hash.as_slice().try_into().unwrap())).collect();
        let hash = Hash::leaf(&answer.entry);
        verify_inclusion(&hash, index, checkpoint.size, &path, &checkpoint.root).unwrap();
        let changed = Hash::leaf(&[answer.entry.as_slice(), b" "].concat());
        assert!(verify_inclusion(&changed, index, checkpoint.size, &path, &checkpoint.root).is_err());
        let entry = Entry::decode(&answer.entry).unwrap();
        assert_eq!(entry.encode(), answer.entry, "an entry is canonical");
        entries.push(entry);
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_log_proves_what_was_done_and_names_nobody() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let ada = Faces::seeded(41).person(0);
    bank.enroller().enroll("applicant-ada", &ada.selfie()).await.unwrap();
    bank.authenticator().verify("applicant-ada", &ada.again()).await.unwrap();
    bank.analyst().search(&ada.again()).await.unwrap();
    let denied = bank.enroller().search(&ada.again()).await.refused();
    denied.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    bank.privacy_officer().erase("applicant-ada").await.unwrap();

    let (checkpoint, key) = checkpoint(&bank.auditor(), &bank.log()).await;
    let log = entries(&bank.auditor(), &bank.log(), &checkpoint).await;
    let done = |operation: &str, outcome: Outcome| {
        let count =
            log.iter().filter(|entry| entry.operation.to_string() == operation && entry.outcome == outcome).count();
        assert_eq!(count, 1, "{operation} {outcome:?}");
    };
    done("enrollment.enroll", Outcome::Allowed);
    done("authentication.verify", Outcome::Allowed);
    done("identification.search", Outcome::Allowed);
    done("identification.search", Outcome::Denied);
    done("subject.erase", Outcome::Allowed);
    for entry in &log {
        let text = String::from_utf8(entry.encode()).unwrap();
        assert!(!text.contains("applicant-ada"), "{text}");
    }
    let search = log.iter().find(|entry| entry.outcome == Outcome::Denied).unwrap();
    assert_eq!(search.reason.as_ref().unwrap().to_string(), "ROLE_REQUIRED");

    // What was proved stays proved: later trees contain the earlier one.
    vault.crash().await;
    bank.enroller().enroll("another", &ada.selfie()).await.unwrap();
    entries(&bank.auditor(), &bank.log(), &checkpoint).await;
    let (later, same) = self::checkpoint(&bank.auditor(), &bank.log()).await;
    assert!(later.size > checkpoint.size);
    assert_eq!(same.to_string(), key.to_string(), "a log keeps its key");
    entries(&bank.auditor(), &bank.log(), &later).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vaults_log_proves_epochs_and_is_read_by_the_operator() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    bank.enroller().enroll("ada", &Faces::seeded(42).person(0).selfie()).await.unwrap();
    let erasure = bank.privacy_officer().erase("ada").await.unwrap();

    let (checkpoint, key) = checkpoint(&vault.operator(), "vault/log").await;
    let log = entries(&vault.operator(), "vault/log", &checkpoint).await;
    let committed = log.iter().find_map(|entry| match &entry.event {
        Some(Event::ErasureCommitted(event)) => Some(event.clone()),
        Some(Event::EpochDestroyed(_) | Event::KeysRotated(_) | Event::LogKeyRotated(_) | Event::Other(_)) | None => {
            None
        }
    });
    let committed = committed.unwrap();
    assert!(erasure.receipt.ends_with(&committed.receipt.to_string()));
    let destroyed = log.iter().find_map(|entry| match &entry.event {
        Some(Event::EpochDestroyed(event)) => Some(event.clone()),
        Some(Event::ErasureCommitted(_) | Event::KeysRotated(_) | Event::LogKeyRotated(_) | Event::Other(_)) | None => {
            None
        }
    });
    assert_eq!(destroyed.unwrap().root.to_string(), committed.from_root.to_string());

    // Whoever holds a receipt may have the checkpoint; the entries are about other clients, too.
    let (_, same) = self::checkpoint(&bank.auditor(), "vault/log").await;
    assert_eq!(same.to_string(), key.to_string());
    let refusal = bank.auditor().proof("vault/log", 0, 0).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    // And the tenant's own log is open to the operator, who finds nobody in it.
    self::checkpoint(&vault.operator(), &bank.log()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_what_is_not_there_is_refused() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let (checkpoint, _) = checkpoint(&bank.auditor(), &bank.log()).await;
    let size = i64::try_from(checkpoint.size).unwrap();
    let auditor = bank.auditor();
    for (leaf, tree) in [(size, size), (0, size + 1_000), (i64::MAX, 0)] {
        let refusal = auditor.proof(&bank.log(), leaf, tree).await.refused();
        refusal.assert_is(Code::NotFound, ErrorReason::LogNotFound);
    }
    for (leaf, tree, field) in [(-1, 0, "leaf_index"), (0, -1, "tree_size")] {
        let refusal = auditor.proof(&bank.log(), leaf, tree).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange).assert_field(field);
    }
    let receipt = format!("{}/receipts/{}", bank.name(), "0".repeat(32));
    auditor.receipt(&receipt).await.refused().assert_is(Code::NotFound, ErrorReason::ReceiptNotFound);
}
