//! Rotating what wraps keys, while the vault serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lethe_crypto::log::entry::Rotated;
use lethe_crypto::log::receipt::{Committed, Verified};
use lethe_proto::v1::{self, ErasureState, ErrorReason};
use lethe_tests::{Faces, Person, ROLES, Refused, Tenant, Vault, request_id};
use tonic::Code;

use crate::proof::{events, log, verified};

fn scope(proof: &Verified) -> Rotated {
    match &proof.committed {
        Committed::Rotation(rotation) => rotation.scope,
        Committed::Erasure(erasure) => panic!("a rotation erases nothing: {erasure:?}"),
    }
}

async fn enroll(tenant: &Tenant, people: &[Person]) {
    for (number, person) in people.iter().enumerate() {
        tenant.enroller().enroll(&format!("person-{number}"), &person.selfie()).await.unwrap();
    }
}

/// Everybody is found, and nobody else.
async fn expect_all(tenant: &Tenant, people: &[Person]) {
    for (number, person) in people.iter().enumerate() {
        assert_eq!(tenant.analyst().found(&person.again()).await, [format!("person-{number}")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_leaves_an_epoch_and_erases_nothing() {
    let vault = Vault::fresh().await;
    let (bank, casino, operator) = (vault.tenant("bank").await, vault.tenant("casino").await, vault.operator());
    let people = Faces::seeded(91).strangers(4);
    enroll(&bank, &people).await;
    enroll(&casino, &people).await;
    let mut left = Vec::new();
    for name in ["tenants/bank", "vault", "tenants/bank", "vault", "tenants/casino"] {
        let rotation = operator.rotate(name).await.unwrap();
        assert_eq!(rotation.state(), ErasureState::Shredded);
        let (_, proof) = verified(&vault, &operator, &rotation.receipt).await;
        let expected = if name == "vault" { Rotated::Vault } else { Rotated::Tenant };
        assert_eq!((scope(&proof), proof.erasure()), (expected, None));
        left.push(proof.step());
        expect_all(&bank, &people).await;
        expect_all(&casino, &people).await;
        vault.crash().await;
    }
    // One epoch each, one after the other, each with a root of its own.
    for pair in left.windows(2) {
        assert_eq!((pair[0].to, pair[0].to_root), (pair[1].from, pair[1].from_root));
        assert_ne!(pair[0].from_root, pair[1].from_root);
    }
    // Erasing goes on under the new wrapping.
    let erased = bank.privacy_officer().erase("person-0").await.unwrap();
    let (_, proof) = verified(&vault, &bank.auditor(), &erased.receipt).await;
    assert_eq!(proof.step().from, left[left.len() - 1].to);
    assert!(bank.analyst().found(&people[0].again()).await.is_empty());
    expect_all(&casino, &people).await;
    let log = log(&operator).await;
    assert_eq!(events(&log, "KEYS_ROTATED").len(), 5);
    let asked =
        log.iter().filter(|entry| entry.operation.to_string() == "vault.rotate_keys" && entry.credential.is_some());
    assert_eq!(asked.count(), 5, "each is on the record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_rotation_rotates_once() {
    let vault = Vault::fresh().await;
    let (bank, operator) = (vault.tenant("bank").await, vault.operator());
    let request = operator.rotation("tenants/bank");
    let first = operator.ask(request.clone()).await.unwrap();
    for _ in ["at once", "after a crash"] {
        assert_eq!(operator.ask(request.clone()).await.unwrap(), first);
        vault.crash().await;
    }
    assert_eq!(events(&log(&operator).await, "KEYS_ROTATED").len(), 1);
    // For the vault the id stands for another rotation, and another id for another one, too.
    let of_vault = v1::RotateKeysRequest { name: "vault".to_owned(), ..request.clone() };
    assert_ne!(operator.ask(of_vault).await.unwrap().receipt, first.receipt);
    let fresh = v1::RotateKeysRequest { request_id: request_id(), ..request.clone() };
    assert_ne!(operator.ask(fresh).await.unwrap().receipt, first.receipt);
    assert_eq!(events(&log(&operator).await, "KEYS_ROTATED").len(), 3);

    // Of a tenant that is gone, what was done is still known, and nothing more is done.
    operator.shred(&bank).await.unwrap();
    assert_eq!(operator.ask(request).await.unwrap(), first);
    operator.rotate(&bank.name()).await.refused().assert_is(Code::NotFound, ErrorReason::TenantNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_rotated_is_refused_by_name() {
    let vault = Vault::fresh().await;
    let (bank, operator) = (vault.tenant("bank").await, vault.operator());
    for name in ["bank", "tenants", "tenants/", "tenants/Bank", "vault/", "vaults", "tenants/bank/log"] {
        let refusal = operator.rotate(name).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::NameMalformed).assert_field("name");
    }
    let refusal = operator.rotate("").await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldMissing).assert_field("name");
    operator.rotate("tenants/nobody").await.refused().assert_is(Code::NotFound, ErrorReason::TenantNotFound);
    let unnamed = v1::RotateKeysRequest { request_id: String::new(), ..operator.rotation("vault") };
    let refusal = operator.ask(unnamed).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldMissing).assert_field("request_id");
    for role in ROLES {
        for name in [bank.name(), "vault".to_owned()] {
            let refusal = bank.who_is(role).rotate(&name).await.refused();
            refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
        }
    }
    assert!(events(&log(&operator).await, "KEYS_ROTATED").is_empty());
}

/// Enrolments, erasures, verifications and searches go on while wrappings are rotated, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_on_while_keys_are_rotated() {
    let vault = Vault::fresh().await;
    let (bank, operator) = (vault.tenant("bank").await, vault.operator());
    let people = Faces::seeded(92).strangers(10);
    let (kept, others) = people.split_at(4);
    enroll(&bank, kept).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for (number, person) in others.iter().cloned().enumerate() {
        let (bank, done) = (bank.clone(), Arc::clone(&done));
        tasks.push(tokio::spawn(async move {
            let (id, mut rounds) = (format!("guest-{number}"), 0);
            while !done.load(Ordering::SeqCst) || rounds == 0 {
                bank.enroller().enroll(&id, &person.selfie()).await.unwrap();
                assert!(bank.analyst().finds(&id, &person.again()).await);
                let erasure = bank.privacy_officer().erase(&id).await.unwrap();
                assert_eq!(erasure.state(), ErasureState::Shredded);
                assert!(bank.analyst().found(&person.again()).await.is_empty());
                rounds += 1;
            }
            rounds
        }));
    }
    for (number, person) in kept.iter().enumerate() {
        let (bank, done, face) = (bank.clone(), Arc::clone(&done), person.again());
        tasks.push(tokio::spawn(async move {
            let mut rounds = 0;
            while !done.load(Ordering::SeqCst) || rounds == 0 {
                assert_eq!(bank.analyst().found(&face).await, [format!("person-{number}")]);
                rounds += 1;
            }
            rounds
        }));
    }
    let mut receipts = Vec::new();
    for number in 0..12 {
        let name = if number % 2 == 0 { bank.name() } else { "vault".to_owned() };
        let rotation = operator.rotate(&name).await.unwrap();
        assert_eq!(rotation.state(), ErasureState::Shredded);
        receipts.push(rotation.receipt);
    }
    done.store(true, Ordering::SeqCst);
    for task in tasks {
        assert!(task.await.unwrap() > 0);
    }
    for receipt in receipts {
        verified(&vault, &operator, &receipt).await;
    }
    vault.crash().await;
    expect_all(&bank, kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_accepted_survives_a_kill() {
    let vault = Vault::setup().set("erasure.least_interval_ms", 3_600_000).start().await;
    let (bank, operator) = (vault.tenant("bank").await, vault.operator());
    let people = Faces::seeded(93).strangers(3);
    enroll(&bank, &people).await;
    operator.rotate("vault").await.unwrap();
    let request = v1::RotateKeysRequest { no_wait: true, ..operator.rotation(&bank.name()) };
    let accepted = operator.ask(request.clone()).await.unwrap();
    assert_eq!(accepted.state(), ErasureState::Pending);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(operator.receipt(&accepted.receipt).await.unwrap().state(), ErasureState::Pending);
    vault.crash().await;
    let (_, proof) = verified(&vault, &operator, &accepted.receipt).await;
    assert_eq!(scope(&proof), Rotated::Tenant);
    assert_eq!(operator.ask(request).await.unwrap().receipt, accepted.receipt);
    expect_all(&bank, &people).await;
    assert_eq!(events(&log(&operator).await, "KEYS_ROTATED").len(), 2);
}
