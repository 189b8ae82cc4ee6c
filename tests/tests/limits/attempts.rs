//! Too often: nobody climbs the score, and the back-off tells nothing either.

use lethe_proto::v1::{DecisionBand, ErrorReason};
use lethe_tests::{Answer, Caller, Faces, Refusal, Refused, Vault};
use tonic::Code;

/// More than enough failures for anyone.
const MANY: usize = 40;

/// Tries until it is refused; how often it was answered first.
async fn try_in_vain(caller: &Caller, subject: &str, face: &[f32]) -> (usize, Refusal) {
    for answered in 0..MANY {
        let answer: Answer<_> = caller.verify(subject, face).await;
        match answer {
            Ok(seen) => assert_eq!((seen.band(), seen.score), (DecisionBand::NoMatch, None)),
            Err(refusal) => return (answered, refusal),
        }
    }
    panic!("{MANY} failed attempts in a row were answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_attempts_are_limited_alike_for_those_who_are_enrolled_and_those_who_are_not() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(95).strangers(3);
    for subject in ["enrolled", "erased", "untouched"] {
        bank.enroller().enroll(subject, &people[0].selfie()).await.unwrap();
    }
    bank.privacy_officer().erase("erased").await.unwrap();
    let impostor = people[1].selfie();
    let mut told = Vec::new();
    for subject in ["enrolled", "erased", "never-heard-of"] {
        let (answered, refusal) = try_in_vain(&bank.authenticator(), subject, &impostor).await;
        refusal.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
        let delay = refusal.retry_after().expect("the refusal says when to come back");
        assert!(!delay.is_zero());
        told.push((answered, refusal.status().message().to_owned(), refusal.metadata()));
    }
    assert_eq!(told[0], told[1], "erased");
    assert_eq!(told[0], told[2], "never heard of");
    assert_eq!(told[0].0, 10, "ten failures are free");

    // The face that would match waits as well: the answer would tell.
    let refusal = bank.authenticator().verify("enrolled", &people[0].again()).await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
    // Another credential of the same role is no way round.
    let second = bank.with_roles(&[lethe_proto::v1::Role::Authenticator]).await;
    let waiting = second.verify("enrolled", &impostor).await.refused();
    waiting.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
    // Others are not made to wait, and who sees scores is counted apart.
    assert_eq!(bank.authenticator().verify("untouched", &people[0].again()).await.unwrap().band(), DecisionBand::Match);
    assert_eq!(bank.analyst().verify("enrolled", &people[0].again()).await.unwrap().band(), DecisionBand::Match);

    // After the wait the person comes in, and is forgiven.
    loop {
        match bank.authenticator().verify("enrolled", &people[0].again()).await {
            Ok(seen) => {
                assert_eq!(seen.band(), DecisionBand::Match);
                break;
            }
            Err(refusal) => {
                refusal.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
                tokio::time::sleep(refusal.retry_after().unwrap()).await;
            }
        }
    }
    bank.authenticator().verify("enrolled", &impostor).await.unwrap();
}

/// Many attempts at once are as many attempts: nobody gets more answers by asking in parallel.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_side_by_side_count_too() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(96).strangers(2);
    bank.enroller().enroll("ada", &people[0].selfie()).await.unwrap();
    let (one_by_one, _) = try_in_vain(&bank.authenticator(), "somebody", &people[1].selfie()).await;
    let calls: Vec<_> = (0..MANY)
        .map(|_| {
            let (caller, face) = (bank.authenticator(), people[1].selfie());
            tokio::spawn(async move { caller.verify("ada", &face).await })
        })
        .collect();
    let mut answered = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => answered += 1,
            Err(refusal) => {
                refusal.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
            }
        }
    }
    assert!(answered <= one_by_one, "{answered} answers at once, {one_by_one} one by one");
    assert!(answered > 0);
}

/// Logins that succeed are never limited, also many of one person side by side.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_recognised_never_waits() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let ada = Faces::seeded(97).strangers(1).remove(0);
    bank.enroller().enroll("ada", &ada.selfie()).await.unwrap();
    for _ in 0..MANY {
        assert_eq!(bank.authenticator().verify("ada", &ada.again()).await.unwrap().band(), DecisionBand::Match);
    }
    for _ in 0..MANY {
        let (one, other) = (bank.authenticator(), bank.authenticator());
        let again = ada.again();
        let (one, other) = tokio::join!(one.verify("ada", &again), other.verify("ada", &again));
        assert_eq!((one.unwrap().band(), other.unwrap().band()), (DecisionBand::Match, DecisionBand::Match));
    }
}

/// Who sees scores could have a template read out, a score a dimension: there are so many an hour, matches among them.
#[tokio::test(flavor = "multi_thread")]
async fn scores_of_one_subject_are_limited() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(90).strangers(2);
    for (subject, person) in ["ada", "bob"].iter().zip(&people) {
        bank.enroller().enroll(subject, &person.selfie()).await.unwrap();
    }
    for attempt in 0..100 {
        let face = people[attempt % 2].again();
        assert!(bank.analyst().verify("ada", &face).await.unwrap().score.is_some());
    }
    let log = bank.log();
    let before = bank.auditor().checkpoint(&log).await.unwrap().tree_size;
    for _ in 0..20 {
        let refusal = bank.analyst().verify("ada", &people[0].again()).await.refused();
        refusal.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
        let delay = refusal.retry_after().expect("the refusal says when to come back");
        assert!(delay.as_secs() > 60 && delay.as_secs() <= 3600, "{delay:?}");
    }
    // The checkpoint before, and one refusal of the twenty.
    assert_eq!(bank.auditor().checkpoint(&log).await.unwrap().tree_size, before + 2);
    // Neither others, nor who sees no scores, are held up.
    bank.analyst().verify("bob", &people[1].again()).await.unwrap();
    bank.authenticator().verify("ada", &people[0].again()).await.unwrap();
}

/// What one tenant's callers do makes nobody forget another's: each tenant has counters of its own.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_on_one_tenants_subjects_are_not_anothers() {
    let vault = Vault::fresh().await;
    let (bank, shop) = (vault.tenant("bank").await, vault.tenant("shop").await);
    let face = Faces::seeded(89).person(0).selfie();
    try_in_vain(&bank.authenticator(), "somebody", &face).await;
    assert_eq!(shop.authenticator().verify("somebody", &face).await.unwrap().band(), DecisionBand::NoMatch);
    bank.authenticator().verify("somebody", &face).await.refused();
}
