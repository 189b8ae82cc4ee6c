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
    assert!(told[0].0 >= 3, "an honest person may fail now and then");

    // The face that would match waits as well: the answer would tell.
    let refusal = bank.authenticator().verify("enrolled", &people[0].again()).await.refused();
    refusal.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
    // Another credential of the same role is no way round.
    let second = bank.with_roles(&[lethe_proto::v1::Role::Authenticator]).await;
    let waiting = second.verify("enrolled", &impostor).await.refused();
    waiting.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
    // Others are not made to wait, and who sees scores anyway is not limited.
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
