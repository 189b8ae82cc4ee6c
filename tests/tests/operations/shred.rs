//! Shredding a tenant (O27).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use lethe_crypto::log::entry::Scope;
use lethe_crypto::log::receipt::Receipt;
use lethe_proto::v1::{self, DecisionBand, ErasureState, ErrorReason, Purpose};
use lethe_tests::{Caller, Faces, Person, ROLES, Refused, Tenant, Vault, request_id};
use tonic::Code;

use crate::proof::{events, log, verified};

const ADMINISTRATION: i32 = Purpose::Administration as i32;

/// Enrolls people, each under a number.
async fn populate(tenant: &Tenant, people: &[Person]) {
    for (number, person) in people.iter().enumerate() {
        tenant.enroller().enroll(&format!("person-{number}"), &person.selfie()).await.unwrap();
    }
}

/// Every credential of a tenant is refused, by every kind of call.
async fn expect_locked_out(tenant: &Tenant, person: &Person, receipt: &str) {
    let callers = ROLES.map(|role| tenant.who_is(role)).into_iter().chain([tenant.admin()]);
    for caller in callers {
        let name = tenant.name();
        let refusals = [
            caller.subject("person-0").await.refused(),
            caller.verify("person-0", &person.again()).await.refused(),
            caller.search(&person.again()).await.refused(),
            caller.enroll("person-0", &person.selfie()).await.refused(),
            caller.erase("person-0").await.refused(),
            caller.receipt(receipt).await.refused(),
            caller.checkpoint(&tenant.log()).await.refused(),
            caller.ask(v1::GetTenantRequest { name, purpose: ADMINISTRATION }).await.refused(),
        ];
        for refusal in refusals {
            refusal.assert_is(Code::Unauthenticated, ErrorReason::CredentialInvalid);
        }
    }
}

/// To the operator there is no such tenant, and there will not be one.
async fn expect_unknown(operator: &Caller, id: &str) {
    let request = v1::GetTenantRequest { name: format!("tenants/{id}"), purpose: ADMINISTRATION };
    operator.ask(request).await.refused().assert_is(Code::NotFound, ErrorReason::TenantNotFound);
    let refusal = operator.checkpoint(&format!("tenants/{id}/log")).await.refused();
    refusal.assert_is(Code::NotFound, ErrorReason::TenantNotFound);
    let refusal = operator.ask(operator.creation(id)).await.refused();
    refusal.assert_is(Code::AlreadyExists, ErrorReason::TenantExists);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shredded_tenant_is_gone_at_once_and_for_good_and_its_neighbour_stays() {
    let vault = Vault::setup().apart().start().await;
    let (bank, casino, operator) = (vault.tenant("bank").await, vault.tenant("casino").await, vault.operator());
    let people = Faces::seeded(81).strangers(6);
    populate(&bank, &people).await;
    populate(&casino, &people).await;
    let key = vault.verifier_key().await;
    // A receipt that the bank got in its day.
    let erased = bank.privacy_officer().erase("person-5").await.unwrap().receipt;
    let document = bank.auditor().receipt(&erased).await.unwrap().document;
    let logged = bank.auditor().checkpoint(&bank.log()).await.unwrap();

    let erasure = operator.shred(&bank).await.unwrap();
    assert_eq!(erasure.state(), ErasureState::Shredded);
    assert!(erasure.receipt.starts_with("vault/receipts/"), "{}", erasure.receipt);
    let (receipt, proof) = verified(&vault, &operator, &erasure.receipt).await;
    let attested = proof.erasure().unwrap();
    assert_eq!((attested.scope, attested.slots), (Scope::Tenant, 1), "one slot, whatever the tenant's size");

    for _ in ["at once", "after a crash", "after a restart"] {
        expect_locked_out(&bank, &people[0], &erased).await;
        expect_unknown(&operator, "bank").await;
        assert_eq!(operator.receipt(&erasure.receipt).await.unwrap().state(), ErasureState::Shredded);
        Receipt::verify(&document, &key).expect("what was attested stays so");
        Receipt::verify(&receipt.document, &key).expect("what was attested stays so");
        // Nobody else noticed.
        for (number, person) in people.iter().enumerate() {
            let subject = format!("person-{number}");
            assert_eq!(casino.analyst().found(&person.again()).await, [subject.as_str()]);
            let band = casino.authenticator().verify(&subject, &person.again()).await.unwrap().band();
            assert_eq!(band, DecisionBand::Match);
        }
        vault.crash().await;
        vault.restart().await;
    }
    casino.privacy_officer().erase("person-0").await.unwrap();
    assert!(casino.analyst().found(&people[0].again()).await.is_empty());

    // The vault's log says who did it, and holds the tenant's log to what it was.
    let log = log(&operator).await;
    let closed = events(&log, "TENANT_CLOSED");
    assert_eq!(closed.len(), 1);
    assert!(closed[0]["size"].as_i64().unwrap() > logged.tree_size, "{closed:?}");
    assert!(logged.note.starts_with(closed[0]["log"].as_str().unwrap()), "{closed:?}");
    assert!(erasure.receipt.ends_with(closed[0]["receipt"].as_str().unwrap()), "{closed:?}");
    let entry = log.iter().find(|entry| entry.operation.to_string() == "tenant.shred").unwrap();
    assert_eq!(entry.purpose.as_ref().unwrap().to_string(), "administration");
    assert!(operator.key().unwrap().contains(&entry.credential.as_ref().unwrap().to_string()));
    // No tenant reads the vault's receipts, neither the one that is left nor one by another name.
    let refusal = casino.auditor().receipt(&erasure.receipt).await.refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    vault.stop().await;
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shredded_is_refused_by_name() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let operator = vault.operator();
    let named = |name: &str| v1::ShredTenantRequest { name: name.to_owned(), ..operator.shredding("bank") };
    for name in ["bank", "tenants/", "tenants/Bank", "tenants/bank/", "tenants/bank/subjects/ada", "vault", "tenants/é"]
    {
        let refusal = operator.ask(named(name)).await.refused();
        refusal.assert_is(Code::InvalidArgument, ErrorReason::NameMalformed).assert_field("name");
    }
    let refusal = operator.ask(named("")).await.refused();
    refusal.assert_is(Code::InvalidArgument, ErrorReason::FieldMissing).assert_field("name");
    operator.ask(operator.shredding("nobody")).await.refused().assert_is(Code::NotFound, ErrorReason::TenantNotFound);
    for (id, reason) in [("", ErrorReason::FieldMissing), ("once", ErrorReason::RequestIdMalformed)] {
        let request = v1::ShredTenantRequest { request_id: id.to_owned(), ..operator.shredding("bank") };
        operator.ask(request).await.refused().assert_is(Code::InvalidArgument, reason).assert_field("request_id");
    }
    // A tenant's credential does not do, of whatever role and whosever.
    for role in ROLES {
        let request = operator.shredding("bank");
        let refusal = bank.who_is(role).ask(request).await.refused();
        refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
    }
    bank.enroller().enroll("ada", &Faces::seeded(82).person(0).selfie()).await.unwrap();
    let none = format!("vault/receipts/{}", "0".repeat(32));
    operator.receipt(&none).await.refused().assert_is(Code::NotFound, ErrorReason::ReceiptNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_shredding_gives_the_same_receipt() {
    let vault = Vault::fresh().await;
    let (bank, casino, operator) = (vault.tenant("bank").await, vault.tenant("casino").await, vault.operator());
    let request = operator.agreed(&bank).await;
    let first = operator.ask(request.clone()).await.unwrap();
    for _ in ["at once", "after a crash"] {
        assert_eq!(operator.ask(request.clone()).await.unwrap(), first);
        vault.crash().await;
    }
    let fresh = v1::ShredTenantRequest { request_id: request_id(), ..request.clone() };
    operator.ask(fresh).await.refused().assert_is(Code::NotFound, ErrorReason::TenantNotFound);
    // The request that made the tenant does not make it again.
    operator.ask(operator.creation("bank")).await.refused();
    // For another tenant the id stands for another shredding.
    let other = v1::ShredTenantRequest { request_id: request.request_id, ..operator.agreed(&casino).await };
    let second = operator.ask(other).await.unwrap();
    assert_ne!(second.receipt, first.receipt);
    expect_unknown(&operator, "casino").await;
}

/// Calls that are under way when their tenant is shredded write nothing any more, and tell nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_comes_too_late() {
    let vault = Vault::fresh().await;
    let (casino, operator) = (vault.tenant("casino").await, vault.operator());
    let people = Faces::seeded(83).strangers(8);
    populate(&casino, &people).await;
    for round in 0..4 {
        let bank = vault.tenant(&format!("bank-{round}")).await;
        populate(&bank, &people).await;
        let told = &AtomicUsize::new(0);
        let clients = (0..12_usize).map(|number| {
            let (bank, person) = (bank.clone(), people[number % people.len()].clone());
            async move {
                let mut answered = 0;
                // Until somebody is told that the tenant is gone.
                loop {
                    let subject = format!("newcomer-{number}-{answered}");
                    let answer = match (number + answered) % 5 {
                        0 => bank.analyst().search(&person.again()).await.map(drop),
                        1 => bank.authenticator().verify("person-0", &person.again()).await.map(drop),
                        2 => bank.privacy_officer().erase(&format!("person-{number}")).await.map(drop),
                        _ => bank.enroller().enroll(&subject, &person.selfie()).await.map(drop),
                    };
                    match answer.map_err(|refusal| (refusal.reason(), refusal)) {
                        // Too many looked at one person: that is an answer, too.
                        Ok(()) | Err((Some(ErrorReason::SubjectNotFound | ErrorReason::AttemptsLimited), _)) => {
                            answered += 1;
                            told.fetch_add(1, Ordering::Relaxed);
                        }
                        Err((Some(ErrorReason::CredentialInvalid | ErrorReason::TenantNotFound), _)) => return,
                        // A scan whose templates went while it ran.
                        Err((Some(ErrorReason::SearchIncomplete), _)) => {}
                        Err((_, refusal)) => panic!("{refusal}"),
                    }
                }
            }
        });
        let shredding = async {
            // Somebody is under way.
            while told.load(Ordering::Relaxed) <= 12 * round {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            operator.shred(&bank).await.unwrap()
        };
        let (_, erasure) = tokio::join!(join_all(clients), shredding);
        assert_eq!(erasure.state(), ErasureState::Shredded);
        expect_unknown(&operator, bank.id()).await;
        if round % 2 == 0 { vault.crash().await } else { vault.restart().await }
    }
    for (number, person) in people.iter().enumerate() {
        assert_eq!(casino.analyst().found(&person.again()).await, [format!("person-{number}")]);
    }
    // No row was left behind by anybody: a start would stumble over it.
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

/// Accepted, and killed before any epoch: the intent is taken up again, and nobody of the tenant is found meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_shredding_that_was_accepted_survives_a_kill() {
    // Epochs are far apart, so that the second erasure of a life stays pending.
    let vault = Vault::setup().set("erasure.least_interval_ms", 3_600_000).start().await;
    let (bank, casino, operator) = (vault.tenant("bank").await, vault.tenant("casino").await, vault.operator());
    let people = Faces::seeded(84).strangers(3);
    populate(&bank, &people).await;
    populate(&casino, &people).await;
    casino.privacy_officer().erase("person-0").await.unwrap();
    // One of the bank's own is still on its way when the bank goes.
    let going = v1::EraseSubjectRequest { no_wait: true, ..bank.privacy_officer().erasure("person-1") };
    assert_eq!(bank.privacy_officer().ask(going).await.unwrap().state(), ErasureState::Pending);
    let request = v1::ShredTenantRequest { no_wait: true, ..operator.agreed(&bank).await };
    let accepted = operator.ask(request.clone()).await.unwrap();
    assert_eq!(accepted.state(), ErasureState::Pending);
    let pending = operator.receipt(&accepted.receipt).await.unwrap();
    assert!(pending.state() == ErasureState::Pending && pending.document.is_empty() && pending.create_time.is_some());
    expect_locked_out(&bank, &people[0], &accepted.receipt).await;
    expect_unknown(&operator, "bank").await;

    vault.crash().await;
    let (_, proof) = verified(&vault, &operator, &accepted.receipt).await;
    assert_eq!(proof.erasure().unwrap().scope, Scope::Tenant);
    assert_eq!(operator.ask(request).await.unwrap().receipt, accepted.receipt);
    expect_locked_out(&bank, &people[0], &accepted.receipt).await;
    expect_unknown(&operator, "bank").await;
    assert_eq!(casino.analyst().found(&people[1].again()).await, ["person-1"]);
    let scopes: Vec<_> = events(&log(&operator).await, "ERASURE_COMMITTED");
    assert!(scopes.iter().any(|event| event["scope"] == "subject" && event["slots"] == 2), "{scopes:?}");
    vault.restart().await;
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

/// A backup from before has every row of the tenant; restored, it brings nobody back.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_does_not_bring_a_shredded_tenant_back() {
    let vault = Vault::setup().apart().start().await;
    let (bank, casino, operator) = (vault.tenant("bank").await, vault.tenant("casino").await, vault.operator());
    let people = Faces::seeded(85).strangers(4);
    populate(&bank, &people).await;
    populate(&casino, &people).await;
    operator.back_up().await.unwrap();
    let erasure = operator.shred(&bank).await.unwrap();
    vault.stop().await;
    std::fs::remove_dir_all(vault.home().data().join("db")).unwrap();

    let backups = vault.home().backups();
    let restored = lethe_tests::Cli::new(["restore", "--backup"]).arg(&backups).offline(vault.home()).run().one();
    assert_eq!(restored["back"]["subjects"], 4, "{restored}");
    assert_eq!(restored["erased"]["subjects"], 4, "{restored}");
    vault.start().await;
    expect_locked_out(&bank, &people[0], &erasure.receipt).await;
    expect_unknown(&operator, "bank").await;
    verified(&vault, &operator, &erasure.receipt).await;
    for (number, person) in people.iter().enumerate() {
        assert_eq!(casino.analyst().found(&person.again()).await, [format!("person-{number}")]);
    }
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}
