//! How erasures come to share epochs, and what a receipt says meanwhile.

use futures::future::join_all;
use lethe_crypto::log::entry::Scope;
use lethe_proto::v1::{self, ErasureState};
use lethe_tests::{Faces, Vault};

use crate::proof::verified;

/// Where roots are dear, whoever comes meanwhile waits, and shares the next epoch.
#[tokio::test(flavor = "multi_thread")]
async fn erasures_share_an_epoch_where_epochs_are_far_apart() {
    const LEAST_INTERVAL_MS: u64 = 2_000;
    let vault = Vault::setup().set("erasure.least_interval_ms", LEAST_INTERVAL_MS).start().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(95).strangers(5);
    let mut templates = Vec::new();
    for (number, person) in people.iter().enumerate() {
        let enrolled = bank.enroller().enroll(&format!("person-{number}"), &person.selfie()).await.unwrap();
        templates.push(enrolled.template.unwrap().name);
    }
    // The first need not wait for anybody.
    let first = bank.privacy_officer().erase("person-0").await.unwrap();
    let (_, first) = verified(&vault, &bank.auditor(), &first.receipt).await;
    let no_wait = v1::EraseSubjectRequest { no_wait: true, ..bank.privacy_officer().erasure("person-1") };
    let mut receipts = vec![bank.privacy_officer().ask(no_wait).await.unwrap()];
    assert_eq!(receipts[0].state(), ErasureState::Pending);
    let pending = bank.auditor().receipt(&receipts[0].receipt).await.unwrap();
    assert!(pending.state() == ErasureState::Pending && pending.document.is_empty() && pending.shred_time.is_none());
    // Nobody is found while they wait, and whoever waits for the end is told when it has come: a deleted template's and a
    // replaced one's keys go as a person's do.
    assert!(bank.analyst().found(&people[1].again()).await.is_empty());
    let (erased, deleted, replaced) = tokio::join!(
        async { bank.privacy_officer().erase("person-2").await },
        async { bank.enroller().delete(&templates[3]).await },
        async { bank.enroller().replace(&templates[4], &people[3].again()).await },
    );
    let replaced = replaced.unwrap().erasure.unwrap();
    for erasure in [erased.unwrap(), deleted.unwrap(), replaced] {
        assert_eq!(erasure.state(), ErasureState::Shredded);
        receipts.push(erasure);
    }
    let auditor = bank.auditor();
    let proofs = join_all(receipts.iter().map(|erasure| verified(&vault, &auditor, &erasure.receipt))).await;
    let scopes: Vec<_> = proofs.iter().map(|(_, proof)| proof.erasure().unwrap().scope).collect();
    assert_eq!(scopes, [Scope::Subject, Scope::Subject, Scope::Template, Scope::Template]);
    for (_, proof) in &proofs {
        assert_eq!(proof.step().from, first.step().to, "all share the epoch after the first");
        assert_eq!(proof.destruction, proofs[0].1.destruction, "one root is destroyed for all of them");
        // From the beginning of an epoch to that of the next; an entry is made a little after the beginning.
        assert!(proof.committed_at + 500 >= first.committed_at + LEAST_INTERVAL_MS, "{proof:?}");
    }
}

/// Who waits is not kept longer than a call may last.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_waits_is_told_that_it_is_pending() {
    let setup = Vault::setup().set("erasure.least_interval_ms", 3_600_000).set("limits.deadline_ms", 1_000);
    let vault = setup.start().await;
    let (bank, operator) = (vault.tenant("bank").await, vault.operator());
    let people = Faces::seeded(96).strangers(2);
    for (number, person) in people.iter().enumerate() {
        bank.enroller().enroll(&format!("person-{number}"), &person.selfie()).await.unwrap();
    }
    assert_eq!(bank.privacy_officer().erase("person-0").await.unwrap().state(), ErasureState::Shredded);
    let waiting = bank.privacy_officer().erase("person-1").await.unwrap();
    assert_eq!(waiting.state(), ErasureState::Pending);
    let rotation = operator.rotate("vault").await.unwrap();
    assert_eq!(rotation.state(), ErasureState::Pending);
    assert!(bank.analyst().found(&people[1].again()).await.is_empty());
    // An orderly stop does not leave them for later.
    vault.stop().await;
    vault.start().await;
    assert_eq!(bank.auditor().receipt(&waiting.receipt).await.unwrap().state(), ErasureState::Shredded);
    let (_, erased) = verified(&vault, &bank.auditor(), &waiting.receipt).await;
    let (_, rotated) = verified(&vault, &operator, &rotation.receipt).await;
    assert_eq!(erased.step().to, rotated.step().to, "they shared an epoch");
}
