//! Too often: nobody climbs the score, and the back-off tells nothing either.

use std::time::{Duration, Instant};

use lethe_proto::v1::{DecisionBand, ErrorReason};
use lethe_tests::{Answer, Caller, Faces, Refusal, Refused, Vault};
use tonic::Code;

/// More than enough failures for anyone.
const MANY: usize = 40;

/// The wait after the last failure that is free.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Attempts that came to an end.
struct Limited {
    /// How often somebody was answered first.
    answered: usize,
    refusal: Refusal,
    /// Until when every attempt must be refused, at least.
    until: Instant,
}

/// Tries until it is refused. Nothing, where the machine was so slow that a wait may have been over between two attempts.
async fn try_in_vain(caller: &Caller, subject: &str, face: &[f32]) -> Option<Limited> {
    let mut last = Instant::now();
    for answered in 0..MANY {
        let began = Instant::now();
        let answer: Answer<_> = caller.verify(subject, face).await;
        match answer {
            Ok(seen) => assert_eq!((seen.band(), seen.score), (DecisionBand::NoMatch, None)),
            Err(refusal) => {
                refusal.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
                let delay = refusal.retry_after().expect("the refusal says when to come back");
                assert!(!delay.is_zero());
                return Some(Limited { answered, refusal, until: began + delay });
            }
        }
        if last.elapsed() >= FIRST_WAIT {
            return None;
        }
        last = began;
    }
    panic!("{MANY} failed attempts in a row were answered");
}

/// The same, with somebody else as often as it takes; who it was, too.
async fn try_in_vain_on_any(caller: &Caller, name: &str, face: &[f32]) -> (String, Limited) {
    for round in 0.. {
        let subject = format!("{name}-{round}");
        if let Some(limited) = try_in_vain(caller, &subject, face).await {
            return (subject, limited);
        }
    }
    unreachable!("there are always others")
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_attempts_are_limited_alike_for_those_who_are_enrolled_and_those_who_are_not() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(95).strangers(3);
    bank.enroller().enroll("untouched", &people[0].selfie()).await.unwrap();
    let second = bank.with_roles(&[lethe_proto::v1::Role::Authenticator]).await;
    let impostor = people[1].selfie();
    let told = |limited: &Limited| {
        (limited.answered, limited.refusal.status().message().to_owned(), limited.refusal.metadata())
    };
    let mut rounds = 0..;
    let (enrolled, told_of_enrolled) = loop {
        let subject = format!("enrolled-{}", rounds.next().unwrap());
        bank.enroller().enroll(&subject, &people[0].selfie()).await.unwrap();
        let Some(limited) = try_in_vain(&bank.authenticator(), &subject, &impostor).await else { continue };
        // Another credential of the same role is no way round; and the face that would match waits as well: the answer
        // would tell.
        let answers =
            [second.verify(&subject, &impostor).await, bank.authenticator().verify(&subject, &people[0].again()).await];
        let over = Instant::now() >= limited.until;
        let let_in = answers.into_iter().filter_map(|answer| match answer {
            Ok(seen) => Some(seen.band()),
            Err(refusal) => {
                refusal.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
                None
            }
        });
        let let_in: Vec<_> = let_in.collect();
        if let_in.is_empty() {
            break (subject, told(&limited));
        }
        assert!(over, "let in before the wait was over: {let_in:?}");
    };
    assert_eq!(told_of_enrolled.0, 10, "ten failures are free");
    let told_of_erased = loop {
        let subject = format!("erased-{}", rounds.next().unwrap());
        bank.enroller().enroll(&subject, &people[0].selfie()).await.unwrap();
        bank.privacy_officer().erase(&subject).await.unwrap();
        if let Some(limited) = try_in_vain(&bank.authenticator(), &subject, &impostor).await {
            break told(&limited);
        }
    };
    assert_eq!(told_of_enrolled, told_of_erased, "erased");
    let (_, unknown) = try_in_vain_on_any(&bank.authenticator(), "never-heard-of", &impostor).await;
    assert_eq!(told_of_enrolled, told(&unknown), "never heard of");

    // Others are not made to wait, and who sees scores is counted apart.
    assert_eq!(bank.authenticator().verify("untouched", &people[0].again()).await.unwrap().band(), DecisionBand::Match);
    assert_eq!(bank.analyst().verify(&enrolled, &people[0].again()).await.unwrap().band(), DecisionBand::Match);

    // After the wait the person comes in, and is forgiven.
    loop {
        match bank.authenticator().verify(&enrolled, &people[0].again()).await {
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
    bank.authenticator().verify(&enrolled, &impostor).await.unwrap();
}

/// Many attempts at once are as many attempts: nobody gets more answers by asking in parallel.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_side_by_side_count_too() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let people = Faces::seeded(96).strangers(2);
    bank.enroller().enroll("ada", &people[0].selfie()).await.unwrap();
    let impostor = people[1].selfie();
    let (_, one_by_one) = try_in_vain_on_any(&bank.authenticator(), "somebody", &impostor).await;
    let began = Instant::now();
    let calls: Vec<_> = (0..MANY)
        .map(|_| {
            let (caller, face) = (bank.authenticator(), impostor.clone());
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
    // Waits that may have been over meanwhile, each twice the one before: one more after a second, two after three.
    let waits = (began.elapsed().div_duration_f64(FIRST_WAIT) + 1.0).log2() as usize;
    let most = one_by_one.answered + waits;
    assert!(answered <= most, "{answered} answers at once, {} one by one, {waits} waits", one_by_one.answered);
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
    loop {
        let (somebody, limited) = try_in_vain_on_any(&bank.authenticator(), "somebody", &face).await;
        let elsewhere = shop.authenticator().verify(&somebody, &face).await.unwrap();
        assert_eq!(elsewhere.band(), DecisionBand::NoMatch);
        match bank.authenticator().verify(&somebody, &face).await {
            Err(refusal) => {
                refusal.assert_is(Code::ResourceExhausted, ErrorReason::AttemptsLimited);
                break;
            }
            Ok(_) => assert!(Instant::now() >= limited.until, "let in before the wait was over"),
        }
    }
}
