//! What people ask for takes effect before it is answered, also for searches and sweeps that are at work (O23).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lethe_domain::{
    Band, Consent, ConsentId, Giver, Label, LawfulBasis, Manner, ModelId, Notice, Purpose, PurposeBasis, Reason,
    RequestId, RestrictionGround, Role, SubjectId, TenantId, Timestamp,
};
use lethe_policy::operation::{
    EraseSubject, LiftRestriction, RecordConsent, RestrictSubject, Search, SweepDuplicates, UpdateTenantPolicy, Verify,
    WithdrawConsent,
};

use super::{Open, capture};
use crate::authentication::verify;
use crate::identification::{Answers, Plan, Query, Step, Wanted, search};
use crate::{consent, subject, tenant};

/// Searches at a time.
const SEARCHERS: usize = 6;
/// Times that consent is given and withdrawn.
const ROUNDS: usize = 60;

fn face(number: usize) -> Vec<f32> {
    (0..64).map(|i| if i == number % 64 { 1.0 } else { 0.01 }).collect()
}

fn ada() -> SubjectId {
    SubjectId::parse("ada").unwrap()
}

async fn give_consent(open: &Open, tenant: &TenantId) -> ConsentId {
    let call = open.may::<RecordConsent>(tenant, Role::Enroller, Purpose::Administration).await;
    let consent = Consent {
        id: ConsentId::from_bytes([0; 16]),
        purpose: Purpose::DuplicateDetection,
        notice: Notice { version: Label::parse("notice", "v1").unwrap(), sha256: [1; 32] },
        manner: Manner::Electronic,
        giver: Giver::Subject,
        recipients: Vec::new(),
        countries: Vec::new(),
        given_at: Timestamp::now(),
        expires_at: None,
        withdrawn_at: None,
    };
    consent::record(&open.vault, call, &ada(), consent, RequestId::random()).await.unwrap().id
}

/// A tenant with two purposes, of which one rests on consent.
async fn asking(open: &Open) -> (TenantId, ModelId) {
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    let call = open.may::<UpdateTenantPolicy>(&tenant, Role::TenantAdmin, Purpose::Administration).await;
    let purposes = vec![
        PurposeBasis { purpose: Purpose::Authentication, basis: LawfulBasis::LegalObligation },
        PurposeBasis { purpose: Purpose::DuplicateDetection, basis: LawfulBasis::ExplicitConsent },
    ];
    let wished = tenant::Wished { purposes: Some(purposes), ..tenant::Wished::default() };
    tenant::update_policy(&open.vault, call, wished).await.unwrap();
    (tenant, model)
}

/// Ada's face is searched for all the time, by her own consent, which she gives and withdraws again and again. An answer is held
/// while it is read whether her last withdrawal has been answered: one that was may not have been answered before it.
async fn search_against_withdrawals(
    open: Arc<Open>,
    tenant: TenantId,
    model: ModelId,
    expected: &'static [&'static str],
) {
    let (over, withdrawn) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut searchers = Vec::new();
    for _ in 0..SEARCHERS {
        let (open, tenant, model) = (Arc::clone(&open), tenant.clone(), model.clone());
        let (over, withdrawn, answered) = (Arc::clone(&over), Arc::clone(&withdrawn), Arc::clone(&answered));
        searchers.push(tokio::spawn(async move {
            while !over.load(Ordering::Acquire) {
                let call = open.may::<Search>(&tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
                let query = Query {
                    subject: Some(ada()),
                    probe: capture(&model, &face(0)),
                    threshold: Some(0.9),
                    miss_probability: None,
                    limit: 0,
                };
                match search(&open.vault, call, query).await {
                    Ok(found) => {
                        assert!(!withdrawn.load(Ordering::Acquire), "answered after her withdrawal was");
                        let named: Vec<_> = found.matches.iter().map(|hit| hit.subject.as_str()).collect();
                        // Whom it found while she had withdrawn is in no answer, though she agreed again since.
                        assert!(named.is_empty() || named == expected, "{named:?}");
                        if named == expected {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Err(crate::Error::Denied(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        }));
    }
    for _ in 0..ROUNDS {
        withdrawn.store(false, Ordering::Release);
        let id = give_consent(&open, &tenant).await;
        let before = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
        let call = open.may::<WithdrawConsent>(&tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let gone = consent::withdraw(&open.vault, call, &ada(), id, RequestId::random(), None).await.unwrap();
        withdrawn.store(true, Ordering::Release);
        assert!(gone.erasure.is_none());
        tokio::task::yield_now().await;
    }
    over.store(true, Ordering::Release);
    for searcher in searchers {
        searcher.await.unwrap();
    }
    assert!(answered.load(Ordering::Relaxed) >= ROUNDS);
    open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_in_an_answer_that_is_given_after_a_withdrawal_was_answered() {
    let open = Arc::new(Open::fresh().await);
    let (tenant, model) = asking(&open).await;
    open.enroll(&tenant, "ada", &model, &face(0)).await;
    for number in 1..40 {
        open.enroll(&tenant, &format!("p-{number}"), &model, &face(number)).await;
    }
    search_against_withdrawals(open, tenant, model, &["ada"]).await;
}

/// Bob, who looks like her, never agreed, and is in no answer; that there is an answer rests on Ada's consent alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_answered_by_a_consent_whose_withdrawal_was_answered() {
    let open = Arc::new(Open::fresh().await);
    let (tenant, model) = asking(&open).await;
    open.enroll(&tenant, "bob", &model, &face(0)).await;
    search_against_withdrawals(open, tenant, model, &[]).await;
}

/// Restricts Ada before each answer of a sweep is given, and wants her in none.
struct Restricting {
    open: Arc<Open>,
    tenant: TenantId,
    runtime: tokio::runtime::Handle,
    pairs: usize,
    steps: usize,
}

impl Answers for Restricting {
    fn ready(&mut self) -> crate::Result<()> {
        let (open, tenant) = (&self.open, &self.tenant);
        self.runtime.block_on(async {
            let call = open.may::<RestrictSubject>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
            subject::restrict(&open.vault, call, &ada(), RestrictionGround::Other).await.unwrap();
        });
        Ok(())
    }

    fn give(&mut self, step: Step) -> crate::Result<()> {
        self.steps += 1;
        for pair in &step.pairs {
            assert!(pair.parties.iter().all(|party| party.subject != ada()), "a pair names who is restricted");
        }
        self.pairs += step.pairs.len();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_restricted_during_a_sweep_is_in_no_later_answer() {
    let open = Arc::new(Open::fresh().await);
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    for subject in ["ada", "bob", "cas"] {
        open.enroll(&tenant, subject, &model, &face(0)).await;
    }
    let wanted = Wanted { model, threshold: Some(0.9), miss_probability: None };
    let runtime = tokio::runtime::Handle::current();
    for (restricted_before, expected) in [(false, 1), (true, 1)] {
        let call = open.may::<LiftRestriction>(&tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        if !restricted_before {
            subject::lift_restriction(&open.vault, call, &ada()).await.unwrap();
        }
        let call = open.may::<SweepDuplicates>(&tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
        let sweep = Plan::of(&open.vault, &call, &wanted).unwrap().begin(&call, 0).await.unwrap();
        let (open, tenant, runtime) = (Arc::clone(&open), tenant.clone(), runtime.clone());
        let (pairs, steps) = tokio::task::spawn_blocking(move || {
            let mut answers = Restricting { open, tenant, runtime, pairs: 0, steps: 0 };
            sweep.run(&|| false, &mut answers).unwrap();
            (answers.pairs, answers.steps)
        })
        .await
        .unwrap();
        assert!(steps > 0);
        assert_eq!(pairs, expected, "bob and cas alone");
    }
    open.vault.close().await;
}

/// The same of logins and enrolments, against restrictions.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_recognised_or_enrolled_after_a_restriction_was_answered() {
    let open = Arc::new(Open::fresh().await);
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    open.enroll(&tenant, "ada", &model, &face(0)).await;
    let (over, restricted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let recognised = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for _ in 0..SEARCHERS {
        let (open, tenant, model) = (Arc::clone(&open), tenant.clone(), model.clone());
        let (over, restricted, recognised) = (Arc::clone(&over), Arc::clone(&restricted), Arc::clone(&recognised));
        callers.push(tokio::spawn(async move {
            while !over.load(Ordering::Acquire) {
                let call = open.may::<Verify>(&tenant, Role::Authenticator, Purpose::Authentication).await;
                let said = verify(&open.vault, call, &ada(), capture(&model, &face(0))).await;
                // A few failures in a row are refused for a while; a match is never followed by a wait.
                let Ok(said) = said else { continue };
                if said.band == Band::Match {
                    assert!(!restricted.load(Ordering::Acquire), "recognised after the restriction");
                    recognised.fetch_add(1, Ordering::Relaxed);
                }
            }
        }));
    }
    for _ in 0..4 {
        let before = recognised.load(Ordering::Relaxed);
        while recognised.load(Ordering::Relaxed) == before {
            tokio::task::yield_now().await;
        }
        let call = open.may::<RestrictSubject>(&tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        subject::restrict(&open.vault, call, &ada(), RestrictionGround::Other).await.unwrap();
        restricted.store(true, Ordering::Release);
        let refused = open.try_enroll(&tenant, "ada", &model, &face(0)).await;
        assert_eq!(refused.err().map(|error| error.reason()), Some(Reason::SubjectRestricted));
        restricted.store(false, Ordering::Release);
        let call = open.may::<LiftRestriction>(&tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        subject::lift_restriction(&open.vault, call, &ada()).await.unwrap();
    }
    over.store(true, Ordering::Release);
    for caller in callers {
        caller.await.unwrap();
    }
    open.vault.close().await;
}

/// Somebody who is erased, and enrolled again under the same id, is somebody else: what was found before is not named by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_comes_again_is_not_named_by_what_was_found_before() {
    let open = Arc::new(Open::fresh().await);
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    for subject in ["ada", "bob"] {
        open.enroll(&tenant, subject, &model, &face(0)).await;
    }
    let call = open.may::<SweepDuplicates>(&tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
    let wanted = Wanted { model: model.clone(), threshold: Some(0.9), miss_probability: None };
    let sweep = Plan::of(&open.vault, &call, &wanted).unwrap().begin(&call, 0).await.unwrap();
    let (steps, taken) = std::sync::mpsc::sync_channel(8);
    tokio::task::spawn_blocking(move || sweep.run(&|| false, &mut Keeping(steps)).unwrap()).await.unwrap();
    let mut step = taken.recv().unwrap();
    assert_eq!(step.pairs.len(), 1);
    // It lies there, and is not taken yet.
    let call = open.may::<EraseSubject>(&tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    subject::erase(&open.vault, call, &ada(), RequestId::random(), None, None).await.unwrap();
    open.enroll(&tenant, "ada", &model, &face(0)).await;
    let _answering = step.last_look().await.unwrap();
    assert!(step.pairs.is_empty(), "the pair is of somebody who was erased");
    open.vault.close().await;
}

/// Keeps what a sweep gives.
struct Keeping(std::sync::mpsc::SyncSender<Step>);

impl Answers for Keeping {
    fn ready(&mut self) -> crate::Result<()> {
        Ok(())
    }

    fn give(&mut self, step: Step) -> crate::Result<()> {
        self.0.send(step).unwrap();
        Ok(())
    }
}
