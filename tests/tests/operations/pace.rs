//! How erasures come to share epochs, and what a receipt says meanwhile.

use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use lethe_crypto::log::entry::Scope;
use lethe_proto::v1::{self, ErasureState};
use lethe_tests::{Faces, Person, Tenant, Vault};

use crate::proof::{shredded, verified};

/// From the beginning of one epoch to that of the next, at least.
const LEAST_INTERVAL: Duration = Duration::from_secs(15);
/// How often it is tried, where the machine takes longer than that for what must come before the next epoch.
const ROUNDS: usize = 4;
/// People of a round.
const PEOPLE: usize = 5;

/// Where roots are dear, whoever comes meanwhile waits, and shares the next epoch.
#[tokio::test(flavor = "multi_thread")]
async fn erasures_share_an_epoch_where_epochs_are_far_apart() {
    let vault = Vault::setup().set("erasure.least_interval_ms", LEAST_INTERVAL.as_millis()).start().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(95).strangers(ROUNDS * PEOPLE);
    for (round, people) in people.chunks(PEOPLE).enumerate() {
        if share_an_epoch(&vault, &bank, round, people).await {
            return;
        }
        // The first epoch after a start waits for no other.
        vault.restart().await;
    }
    panic!("in {ROUNDS} rounds not all came before the next epoch");
}

/// Whether all came in time to share an epoch.
async fn share_an_epoch(vault: &Vault, bank: &Tenant, round: usize, people: &[Person]) -> bool {
    let id = |number: usize| format!("person-{round}-{number}");
    let mut templates = Vec::new();
    for (number, person) in people.iter().enumerate() {
        let enrolled = bank.enroller().enroll(&id(number), &person.selfie()).await.unwrap();
        templates.push(enrolled.template.unwrap().name);
    }
    // The next epoch begins no sooner than the interval after this.
    let (asked, began) = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap(), Instant::now());
    // The first need not wait for anybody.
    let first = bank.privacy_officer().erase(&id(0)).await.unwrap();
    assert_eq!(first.state(), ErasureState::Shredded);
    let no_wait = v1::EraseSubjectRequest { no_wait: true, ..bank.privacy_officer().erasure(&id(1)) };
    let mut receipts = vec![bank.privacy_officer().ask(no_wait).await.unwrap()];
    let pending = bank.auditor().receipt(&receipts[0].receipt).await.unwrap();
    if began.elapsed() >= LEAST_INTERVAL {
        return false;
    }
    assert_eq!(receipts[0].state(), ErasureState::Pending);
    assert!(pending.state() == ErasureState::Pending && pending.document.is_empty() && pending.shred_time.is_none());
    // Nobody is found while they wait, and whoever waits for the end is told when it has come: a deleted template's and a
    // replaced one's keys go as a person's do.
    assert!(bank.analyst().found(&people[1].again()).await.is_empty());
    let accepted = async {
        while there(bank, [id(2), id(3), id(4)]).await.iter().any(|name| templates.contains(name)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed() < LEAST_INTERVAL
    };
    let (erased, deleted, replaced, in_time) = tokio::join!(
        async { bank.privacy_officer().erase(&id(2)).await },
        async { bank.enroller().delete(&templates[3]).await },
        async { bank.enroller().replace(&templates[4], &people[3].again()).await },
        accepted,
    );
    let replaced = replaced.unwrap().erasure.unwrap();
    for erasure in [erased.unwrap(), deleted.unwrap(), replaced] {
        assert_eq!(erasure.state(), ErasureState::Shredded);
        receipts.push(erasure);
    }
    if !in_time {
        return false;
    }
    let auditor = bank.auditor();
    let (_, first) = verified(vault, &auditor, &first.receipt).await;
    let proofs = join_all(receipts.iter().map(|erasure| verified(vault, &auditor, &erasure.receipt))).await;
    let scopes: Vec<_> = proofs.iter().map(|(_, proof)| proof.erasure().unwrap().scope).collect();
    assert_eq!(scopes, [Scope::Subject, Scope::Subject, Scope::Template, Scope::Template]);
    for (_, proof) in &proofs {
        assert_eq!(proof.step().from, first.step().to, "all share the epoch after the first");
        assert_eq!(proof.destruction, proofs[0].1.destruction, "one root is destroyed for all of them");
        let soonest = (asked + LEAST_INTERVAL).as_millis();
        assert!(u128::from(proof.committed_at) >= soonest, "{soonest}: {proof:?}");
    }
    true
}

/// Names of the templates that these people have.
async fn there(bank: &Tenant, people: [String; 3]) -> Vec<String> {
    let enroller = bank.enroller();
    let lists = join_all(people.iter().map(|person| enroller.templates(person))).await;
    lists.into_iter().flat_map(|list| list.unwrap_or_default()).map(|template| template.name).collect()
}

/// Who waits is not kept longer than a call may last.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_waits_is_told_that_it_is_pending() {
    let setup = Vault::setup().set("erasure.least_interval_ms", 3_600_000).set("limits.deadline_ms", 10_000);
    let vault = setup.start().await;
    let (bank, operator) = (vault.tenant("bank").await, vault.operator());
    let people = Faces::seeded(96).strangers(2);
    for (number, person) in people.iter().enumerate() {
        bank.enroller().enroll(&format!("person-{number}"), &person.selfie()).await.unwrap();
    }
    // The first does not wait for an epoch, but for the disk it may.
    let first = bank.privacy_officer().erase("person-0").await.unwrap();
    shredded(&bank.auditor(), &first.receipt).await;
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
