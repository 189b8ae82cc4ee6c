//! How long people are kept, on a clock that the tests set (O15, O17, O21, O28).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lethe_domain::{
    AgeBand, Consent, ConsentId, DeferralReason, Giver, Jurisdiction, Label, LawfulBasis, Manner, ModelId, Notice,
    Period, PostMortem, Purpose, PurposeBasis, Reason, RequestId, RestrictionGround, Retention, Role, Roles, SubjectId,
    TenantId, TenantPolicy, Timestamp,
};
use lethe_policy::operation::{
    CreateTenant, EraseSubject, GetReceipt, GetSubject, LiftRestriction, PlaceHold, PreviewErasures, RecordConsent,
    ReleaseHold, RestrictSubject, Search, UpdateSubject, Verify,
};
use lethe_policy::{Cause, Keeper, Owner};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config as Cases, TestRunner};

use super::{Open, capture, config, principal, soon};
use crate::access::ApiKey;
use crate::audit::get_receipt;
use crate::authentication::verify;
use crate::clock::{Clock, Hands};
use crate::identification::{Query, search};
use crate::retention::{Rounds, Swept, preview, sweep};
use crate::subject::{Deferment, Description, Erased};
use crate::vault::Aim;
use crate::{Error, consent, hold, opening, subject, tenant};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Noon of a day.
fn noon(year: i32, month: u8, day: u8) -> Timestamp {
    let date = time::Date::from_calendar_date(year, time::Month::try_from(month).unwrap(), day).unwrap();
    let moment = date.with_hms(12, 0, 0).unwrap().assume_utc();
    Timestamp::from_millis(moment.unix_timestamp() * 1000)
}

fn face(number: usize) -> Vec<f32> {
    (0..64).map(|i| if i == number % 64 { 1.0 } else { 0.01 * (number / 64) as f32 }).collect()
}

fn id(text: &str) -> SubjectId {
    SubjectId::parse(text).unwrap()
}

/// A vault on a clock of its own.
struct Aged {
    open: Open,
    hands: Arc<Hands>,
    tenant: TenantId,
    model: ModelId,
}

impl Aged {
    async fn keeping(began: Timestamp, retention: Retention) -> Self {
        Self::ruled(began, |policy| policy.retention = retention).await
    }

    async fn ruled(began: Timestamp, rule: impl FnOnce(&mut TenantPolicy)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hands = Hands::showing(began);
        let vault = Self::open(folder.path(), &hands).await;
        let open = Open { vault, folder };
        let operator = principal(Owner::Vault, Roles::only(Role::Operator));
        let call = open.vault.admit::<CreateTenant>(&operator, Aim::Vault, Some(Purpose::Administration)).await;
        let purposes = [Purpose::Authentication, Purpose::DuplicateDetection];
        let purposes = purposes.map(|purpose| PurposeBasis { purpose, basis: LawfulBasis::LegalObligation });
        let mut policy = TenantPolicy { attestation: super::exempt(), ..TenantPolicy::of(purposes.to_vec()) };
        rule(&mut policy);
        let tenant = TenantId::parse("bank").unwrap();
        tenant::create(&open.vault, call.unwrap(), tenant.clone(), policy, None, None).await.unwrap();
        let model = open.model(&tenant, "model", 64, None).await;
        Self { open, hands, tenant, model }
    }

    async fn open(folder: &std::path::Path, hands: &Arc<Hands>) -> Arc<crate::vault::Vault> {
        let clock = Clock::Set(Arc::clone(hands));
        opening::open_by(&config(folder), Box::new(|| Ok(ApiKey::generate())), clock).await.unwrap().vault
    }

    async fn restart(self) -> Self {
        let Self { open: Open { vault, folder }, hands, tenant, model } = self;
        vault.close().await;
        drop(vault);
        let vault = Self::open(folder.path(), &hands).await;
        Self { open: Open { vault, folder }, hands, tenant, model }
    }

    async fn enroll(&self, subject: &str, number: usize) {
        self.open.enroll(&self.tenant, subject, &self.model, &face(number)).await;
    }

    async fn try_enroll(&self, subject: &str, number: usize) -> crate::Result<crate::enrollment::Enrolled> {
        self.open.try_enroll(&self.tenant, subject, &self.model, &face(number)).await
    }

    async fn sweep(&self) -> Swept {
        sweep(&self.open.vault, self.open.vault.clock.now()).await.unwrap()
    }

    async fn describe(&self, subject: &str, said: Description) {
        let call = self.open.may::<UpdateSubject>(&self.tenant, Role::Enroller, Purpose::Administration).await;
        subject::update(&self.open.vault, call, &id(subject), said).await.unwrap();
    }

    async fn facts(&self, subject: &str) -> Option<subject::SubjectFacts> {
        let call = self.open.may::<GetSubject>(&self.tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        match subject::get(&self.open.vault, call, &id(subject)).await {
            Ok(facts) => Some(facts),
            Err(Error::NotFound(Reason::SubjectNotFound, _)) => None,
            Err(other) => panic!("{other}"),
        }
    }

    /// How many templates a subject has; `None` of one that is gone.
    async fn templates(&self, subject: &str) -> Option<usize> {
        self.facts(subject).await.map(|facts| facts.templates.values().sum())
    }

    /// Why a subject is not compared; `None` if it is.
    async fn refusal(&self, subject: &str, number: usize) -> Option<Reason> {
        let call = self.open.may::<Verify>(&self.tenant, Role::FraudAnalyst, Purpose::Authentication).await;
        let said = verify(&self.open.vault, call, &id(subject), capture(&self.model, &face(number))).await;
        said.err().map(|refused| refused.reason())
    }

    /// Who is found by a face.
    async fn found(&self, number: usize) -> Vec<String> {
        let call = self.open.may::<Search>(&self.tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
        let probe = capture(&self.model, &face(number));
        let query = Query { subject: None, probe, threshold: Some(0.9), miss_probability: None, limit: 0 };
        let found = search(&self.open.vault, call, query).await.unwrap();
        found.matches.iter().map(|hit| hit.subject.as_str().to_owned()).collect()
    }

    async fn erase(&self, subject: &str, request: RequestId, deferment: Option<Deferment>) -> crate::Result<Erased> {
        let call = self.open.may::<EraseSubject>(&self.tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        match deferment {
            None => {
                subject::erase(&self.open.vault, call, &id(subject), request, None, soon()).await.map(Erased::Accepted)
            }
            Some(deferment) => subject::put_off(&self.open.vault, call, &id(subject), request, deferment, soon()).await,
        }
    }

    /// Whether there is a receipt of that name, once what it is about is shredded.
    async fn has_receipt(&self, receipt: lethe_domain::ReceiptId) -> bool {
        let silo = self.open.silo(&self.tenant);
        if self.open.vault.eraser.state(silo.tree, receipt).unwrap().is_none() {
            return false;
        }
        self.open.vault.eraser.wait(silo.tree, receipt, soon().unwrap()).await.unwrap();
        let call = self.open.may::<GetReceipt>(&self.tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        get_receipt(&self.open.vault, call, receipt).await.unwrap().shredded.is_some()
    }

    async fn previewed(&self, until: Timestamp) -> Vec<(String, Option<Cause>, Option<Keeper>, usize)> {
        let (mut said, mut from) = (Vec::new(), Some(0));
        while let Some(start) = from {
            let role = Role::PrivacyOfficer;
            let call = self.open.may::<PreviewErasures>(&self.tenant, role, Purpose::Administration).await;
            let page = preview(&self.open.vault, call, until, start, 2).await.unwrap();
            said.extend(page.endings.into_iter().map(|ending| {
                let cause = ending.end.map(|end| end.cause);
                (ending.subject.as_str().to_owned(), cause, ending.keeper, ending.templates)
            }));
            from = page.next;
        }
        said
    }
}

fn keep(period: &str) -> Retention {
    Retention { keep: Some(Period::parse("keep", period).unwrap()), ..Retention::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_goes_by_its_own_age_and_the_person_with_the_last() {
    let aged = Aged::keeping(noon(2024, 2, 29), keep("P1Y")).await;
    aged.enroll("ada", 1).await;
    aged.hands.pass(100 * DAY);
    aged.enroll("ada", 2).await;
    aged.hands.jump(noon(2025, 2, 28));
    assert_eq!(aged.sweep().await, Swept { looked_at: 1, ..Swept::default() });
    // 2025 has no 29 February: it is the end of the last day.
    aged.hands.jump(Timestamp::from_millis(noon(2025, 3, 1).millis() - 12 * 3_600_000 - 1));
    assert_eq!(aged.sweep().await.templates, 0);
    assert_eq!(aged.found(1).await, ["ada"]);
    aged.hands.pass(Duration::from_millis(1));
    // Not compared from that moment on; the other one is.
    assert_eq!(aged.found(1).await, [""; 0]);
    assert_eq!(aged.found(2).await, ["ada"]);
    assert_eq!(aged.templates("ada").await, Some(2));
    assert_eq!(aged.sweep().await, Swept { looked_at: 1, templates: 1, ..Swept::default() });
    assert_eq!(aged.templates("ada").await, Some(1));
    assert_eq!(aged.refusal("ada", 2).await, None);

    aged.hands.jump(Timestamp::from_millis(noon(2025, 6, 8).millis()));
    assert_eq!(aged.refusal("ada", 2).await, Some(Reason::RetentionExpired));
    let told = aged.facts("ada").await.unwrap();
    assert_eq!(told.end.map(|end| end.cause), Some(Cause::Period));
    assert!(!aged.has_receipt(told.receipt).await);
    assert_eq!(aged.sweep().await, Swept { looked_at: 1, erased: 1, ..Swept::default() });
    assert_eq!(aged.templates("ada").await, None);
    assert!(aged.has_receipt(told.receipt).await, "the receipt that was told before is that of the erasure");
    // Who comes again is somebody new.
    aged.enroll("ada", 1).await;
    assert_eq!(aged.sweep().await.erased, 0);
    aged.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn laws_have_caps_whatever_a_client_says() {
    let aged = Aged::keeping(noon(2026, 1, 1), keep("P9Y")).await;
    let law = |law| Description { jurisdiction: Some(Some(law)), ..Description::default() };
    let adult = Description { age: Some(AgeBand::Adult), ..law(Jurisdiction::EuropeanUnion) };
    aged.enroll("ada", 1).await;
    aged.describe("ada", adult).await;
    // Illinois asks for a consent before anything is processed; who is there is kept for three years.
    aged.enroll("bob", 2).await;
    aged.describe("bob", law(Jurisdiction::Illinois)).await;
    let causes = aged.previewed(noon(2040, 1, 1)).await;
    assert_eq!(
        causes,
        [("ada".to_owned(), Some(Cause::Period), None, 0), ("bob".to_owned(), Some(Cause::Law), None, 0),]
    );
    assert_eq!(aged.previewed(noon(2030, 1, 1)).await.len(), 1);
    aged.hands.jump(Timestamp::from_millis(noon(2029, 1, 1).millis() - 1));
    assert_eq!(aged.sweep().await.erased, 0);
    aged.hands.pass(Duration::from_secs(60));
    assert_eq!(aged.sweep().await.erased, 1);
    assert_eq!((aged.templates("ada").await, aged.templates("bob").await), (Some(1), None));
    aged.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_kept_by_holds_restrictions_and_statutes_as_storage_only() {
    let minimum = Some(Period::parse("minimum", "P5Y").unwrap());
    let aged = Aged::keeping(noon(2026, 1, 1), Retention { minimum, ..keep("P1Y") }).await;
    aged.enroll("ada", 1).await;
    aged.hands.jump(noon(2027, 1, 2));
    // Nobody said that the contract is over: there is no end to the statute's time.
    assert_eq!(aged.sweep().await, Swept { looked_at: 1, kept: 1, ..Swept::default() });
    assert_eq!(aged.facts("ada").await.unwrap().keeper, Some(Keeper::Statute(None)));
    assert_eq!(aged.refusal("ada", 1).await, Some(Reason::RetentionExpired));
    let refused = aged.erase("ada", RequestId::random(), None).await.err().map(|error| error.reason());
    assert_eq!(refused, Some(Reason::StatutoryMinimum));
    let over = Description { contract_ended_at: Some(Some(noon(2027, 1, 2))), ..Description::default() };
    aged.describe("ada", over).await;
    assert_eq!(aged.facts("ada").await.unwrap().keeper, Some(Keeper::Statute(Some(noon(2032, 1, 2)))));

    aged.hands.jump(noon(2032, 1, 3));
    let call = aged.open.may::<PlaceHold>(&aged.tenant, Role::PrivacyOfficer, Purpose::LegalClaims).await;
    let (case, review) = (Label::parse("case", "case-1").unwrap(), noon(2033, 1, 1));
    let held = hold::place(&aged.open.vault, call, &id("ada"), case, review, RequestId::random()).await.unwrap();
    assert_eq!(aged.sweep().await.kept, 1);
    let call = aged.open.may::<RestrictSubject>(&aged.tenant, Role::PrivacyOfficer, Purpose::LegalClaims).await;
    subject::restrict(&aged.open.vault, call, &id("ada"), RestrictionGround::NeededForClaim).await.unwrap();
    let call = aged.open.may::<ReleaseHold>(&aged.tenant, Role::PrivacyOfficer, Purpose::LegalClaims).await;
    hold::release(&aged.open.vault, call, &id("ada"), held.id).await.unwrap();
    assert_eq!(aged.sweep().await.kept, 1);
    let call = aged.open.may::<LiftRestriction>(&aged.tenant, Role::PrivacyOfficer, Purpose::LegalClaims).await;
    subject::lift_restriction(&aged.open.vault, call, &id("ada")).await.unwrap();
    // The client's own reason is no right of the person's: it keeps nobody.
    let call = aged.open.may::<RestrictSubject>(&aged.tenant, Role::PrivacyOfficer, Purpose::LegalClaims).await;
    subject::restrict(&aged.open.vault, call, &id("ada"), RestrictionGround::ClientReason).await.unwrap();
    assert_eq!(aged.facts("ada").await.unwrap().keeper, None);
    assert_eq!(aged.sweep().await.erased, 1);
    assert_eq!(aged.templates("ada").await, None);
    aged.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_purpose_and_of_contract_ends_people_after_the_clients_time() {
    let after_end = Some(Period::parse("after_end", "P6M").unwrap());
    let aged = Aged::keeping(noon(2026, 8, 31), Retention { after_end, ..Retention::default() }).await;
    for (name, number) in [("ada", 1), ("bob", 2), ("cyd", 3)] {
        aged.enroll(name, number).await;
    }
    let now = Some(Some(noon(2026, 8, 31)));
    aged.describe("ada", Description { purpose_ended_at: now, ..Description::default() }).await;
    aged.describe("bob", Description { contract_ended_at: now, ..Description::default() }).await;
    assert_eq!(aged.refusal("ada", 1).await, None, "the client keeps it for half a year");
    // February is short: it ends with its last day.
    aged.hands.jump(noon(2027, 2, 28));
    assert_eq!(aged.sweep().await.erased, 0);
    // It was a mistake.
    aged.describe("bob", Description { contract_ended_at: Some(None), ..Description::default() }).await;
    aged.hands.jump(noon(2027, 3, 1));
    assert_eq!(aged.refusal("ada", 1).await, Some(Reason::RetentionExpired));
    let refused = aged.try_enroll("ada", 1).await.err().map(|error| error.reason());
    assert_eq!(refused, Some(Reason::RetentionExpired), "nothing is added to what has ended");
    assert_eq!(aged.sweep().await.erased, 1);
    let left = (aged.templates("ada").await, aged.templates("bob").await, aged.templates("cyd").await);
    assert_eq!(left, (None, Some(1), Some(1)));
    aged.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_put_off_once_and_for_ninety_days_at_most() {
    let aged = Aged::keeping(noon(2026, 1, 1), Retention::default()).await;
    aged.enroll("ada", 1).await;
    let request = RequestId::random();
    let asked = |until| Some(Deferment { reason: DeferralReason::LegalProcess, requested_at: noon(2026, 1, 1), until });
    for until in [noon(2026, 1, 1), Timestamp::from_millis(noon(2026, 4, 1).millis() + 1)] {
        match aged.erase("ada", request, asked(until)).await {
            Err(Error::Invalid(refused)) => assert_eq!(refused.field, "deferral.erase_time"),
            _ => panic!("put off until {until:?}"),
        }
    }
    let Ok(Erased::PutOff { receipt, until }) = aged.erase("ada", request, asked(noon(2026, 4, 1))).await else {
        panic!("not put off")
    };
    assert_eq!(until, noon(2026, 4, 1));
    assert_eq!(aged.refusal("ada", 1).await, Some(Reason::ErasureDeferred));
    assert_eq!(aged.found(1).await, [""; 0]);
    // A repeat is the same; another is not, and it is not renewed.
    assert!(matches!(aged.erase("ada", request, asked(until)).await, Ok(Erased::PutOff { .. })));
    for (request, until) in [(RequestId::random(), noon(2026, 4, 1)), (request, noon(2026, 3, 1))] {
        let refused = aged.erase("ada", request, asked(until)).await.err().map(|error| error.reason());
        assert_eq!(refused, Some(Reason::ErasureDeferred));
    }
    let aged = aged.restart().await;
    aged.hands.jump(Timestamp::from_millis(until.millis() - 1));
    assert_eq!(aged.sweep().await.erased, 0);
    assert!(!aged.has_receipt(receipt).await);
    aged.hands.jump(until);
    assert_eq!(aged.sweep().await.erased, 1);
    assert!(aged.has_receipt(receipt).await, "the receipt is the one that was told when it was asked for");
    // A repeat after it was done gives the erasure.
    match aged.erase("ada", request, asked(until)).await {
        Ok(Erased::Accepted(erasure)) => assert_eq!(erasure.receipt, receipt),
        _ => panic!("no erasure"),
    }
    // One that was put off may be done sooner.
    aged.enroll("bob", 2).await;
    let later = Some(Deferment { requested_at: until, until: noon(2026, 6, 1), ..asked(until).unwrap() });
    assert!(matches!(aged.erase("bob", RequestId::random(), later).await, Ok(Erased::PutOff { .. })));
    assert!(matches!(aged.erase("bob", RequestId::random(), None).await, Ok(Erased::Accepted(_))));
    aged.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_are_not_processed_and_go_as_they_wanted() {
    let aged = Aged::keeping(noon(2026, 1, 1), Retention::default()).await;
    let wishes = [
        ("ada", Some(PostMortem::Erase)),
        ("bob", Some(PostMortem::Keep(Period::months(1)))),
        ("cyd", Some(PostMortem::HandOver(Label::parse("trustee", "trustee-1").unwrap()))),
        ("dan", None),
    ];
    for (number, (name, wish)) in wishes.iter().enumerate() {
        aged.enroll(name, number).await;
        aged.describe(name, Description { post_mortem: Some(wish.clone()), ..Description::default() }).await;
    }
    assert_eq!(aged.sweep().await.erased, 0, "a wish is for after the death");
    assert_eq!(aged.refusal("ada", 0).await, None);
    for (name, _) in &wishes {
        aged.describe(name, Description { died_at: Some(Some(noon(2026, 1, 1))), ..Description::default() }).await;
    }
    for (number, (name, _)) in wishes.iter().enumerate() {
        assert_eq!(aged.refusal(name, number).await, Some(Reason::SubjectDeceased), "{name}");
    }
    assert_eq!(aged.sweep().await.erased, 1);
    aged.hands.jump(noon(2026, 2, 1));
    assert_eq!(aged.sweep().await.erased, 1);
    let mut left = Vec::new();
    for (name, _) in &wishes {
        left.extend(aged.templates(name).await.map(|_| *name));
    }
    assert_eq!(left, ["cyd", "dan"]);
    // It was somebody else.
    aged.describe("dan", Description { died_at: Some(None), ..Description::default() }).await;
    assert_eq!(aged.refusal("dan", 3).await, None);
    aged.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minor_whose_guardians_consent_runs_out_is_erased_by_the_next_sweep() {
    let aged = Aged::keeping(noon(2026, 1, 1), Retention::default()).await;
    let child = Description { age: Some(AgeBand::Under16), ..Description::default() };
    aged.describe("eve", child).await;
    let call = aged.open.may::<RecordConsent>(&aged.tenant, Role::Enroller, Purpose::Administration).await;
    let consent = Consent {
        id: ConsentId::from_bytes([0; 16]),
        purpose: Purpose::Authentication,
        notice: Notice { version: Label::parse("notice", "v1").unwrap(), sha256: [1; 32] },
        manner: Manner::Written,
        giver: Giver::Guardian,
        recipients: Vec::new(),
        countries: Vec::new(),
        given_at: noon(2026, 1, 1),
        expires_at: Some(noon(2026, 7, 1)),
        withdrawn_at: None,
    };
    consent::record(&aged.open.vault, call, &id("eve"), consent, RequestId::random()).await.unwrap();
    aged.enroll("eve", 1).await;
    aged.hands.jump(Timestamp::from_millis(noon(2026, 7, 1).millis() - 1));
    assert_eq!(aged.sweep().await.erased, 0);
    assert_eq!(aged.previewed(noon(2026, 8, 1)).await, []);
    aged.hands.pass(SECOND);
    assert_eq!(aged.previewed(noon(2026, 8, 1)).await, [("eve".to_owned(), Some(Cause::MinorAlone), None, 0)]);
    assert_eq!(aged.sweep().await.erased, 1);
    assert_eq!(aged.templates("eve").await, None);
    aged.open.vault.close().await;
}

/// A clock that was wrong when the vault stopped is no witness of itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_make_a_clock_right_that_jumped_ahead() {
    let aged = Aged::keeping(noon(2026, 1, 1), keep("P90D")).await;
    aged.enroll("ada", 1).await;
    let mut rounds = Rounds::of(&aged.open.vault, None);
    rounds.go().await.unwrap();
    aged.hands.pass(DAY / 12);
    aged.hands.jump(noon(2026, 6, 1));
    // The logs have the wrong time from here on.
    aged.enroll("eve", 2).await;
    rounds.go().await.unwrap();
    assert!(aged.open.vault.sweeps.standing().doubts);
    drop(rounds);
    let aged = aged.restart().await;
    aged.hands.pass(DAY / 24);
    let mut rounds = Rounds::of(&aged.open.vault, None);
    rounds.go().await.unwrap();
    assert!(aged.open.vault.sweeps.standing().doubts, "the restart made it right");
    assert_eq!(aged.templates("ada").await, Some(1));
    aged.hands.jump(noon(2026, 1, 2));
    rounds.go().await.unwrap();
    assert!(!aged.open.vault.sweeps.standing().doubts);
    aged.hands.pass(90 * DAY);
    rounds.go().await.unwrap();
    assert_eq!(aged.templates("ada").await, None);
    aged.open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_standstill_nobody_is_erased_until_the_clock_is_vouched_for() {
    let aged = Aged::keeping(noon(2026, 1, 1), keep("P90D")).await;
    aged.enroll("ada", 1).await;
    let aged = aged.restart().await;
    aged.hands.jump(noon(2026, 6, 1));
    let mut rounds = Rounds::of(&aged.open.vault, None);
    rounds.go().await.unwrap();
    assert!(aged.open.vault.sweeps.standing().doubts);
    assert_eq!(aged.templates("ada").await, Some(1));
    assert_eq!(aged.refusal("ada", 1).await, Some(Reason::RetentionExpired), "not processed all the same");
    let mut rounds = Rounds::of(&aged.open.vault, Some(noon(2026, 6, 2)));
    rounds.go().await.unwrap();
    assert!(!aged.open.vault.sweeps.standing().doubts);
    assert_eq!(aged.templates("ada").await, None);
    aged.open.vault.close().await;
}

/// What happens in a long life.
#[derive(Debug, Clone)]
enum Step {
    Enroll(u8),
    /// So many hours pass, and a sweep comes by.
    Pass(u16),
    /// The clock shows nonsense, so many hours ahead, while some time passes, and is put right.
    Jump(u16, u32),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u8..40).prop_map(Step::Enroll),
        6 => (1u16..700).prop_map(Step::Pass),
        1 => (1u16..48, 24u32..90_000).prop_map(|(passes, ahead)| Step::Jump(passes, ahead)),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 300)
}

/// A year later by the calendar of this test alone.
fn a_year_later(millis: i64) -> i64 {
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).unwrap();
    let later = match at.replace_year(at.year() + 1) {
        Ok(later) => later,
        // 29 February: the end of the 28th.
        Err(_) => {
            at.replace_day(28).unwrap().replace_year(at.year() + 1).unwrap().replace_time(time::Time::MIDNIGHT)
                + time::Duration::days(1)
        }
    };
    i64::try_from(later.unix_timestamp_nanos() / 1_000_000).unwrap()
}

/// Ten years and more: nobody goes before the time, and everybody at the first sweep from it on, whatever the clock showed in
/// between.
#[tokio::test(flavor = "multi_thread")]
async fn through_ten_years_nobody_goes_early_and_nobody_late() {
    let mut runner = TestRunner::new(Cases { failure_persistence: None, ..Cases::default() });
    let life = steps().new_tree(&mut runner).unwrap().current();
    let began = noon(2027, 12, 15);
    let mut aged = Aged::keeping(began, keep("P1Y")).await;
    let mut rounds = Rounds::of(&aged.open.vault, None);
    rounds.go().await.unwrap();
    // What the time is, whatever the clock shows; and when each person ends who is there.
    let (mut now, mut ends, mut erased) = (began.millis(), BTreeMap::<u8, i64>::new(), 0);
    let hour = |hours: u64| Duration::from_secs(3600 * hours);
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap();
    for step in life {
        match step {
            Step::Enroll(number) => {
                // Who is there gets no further template: a person lasts as long as the last.
                if let std::collections::btree_map::Entry::Vacant(vacant) = ends.entry(number) {
                    aged.enroll(&format!("person-{number}"), usize::from(number)).await;
                    vacant.insert(a_year_later(now));
                }
                continue;
            }
            Step::Pass(hours) => {
                let time = hour(hours.into());
                aged.hands.pass(time);
                now += millis(time);
                rounds.go().await.unwrap();
            }
            Step::Jump(passes, ahead) => {
                aged.hands.jump(Timestamp::from_millis(now + millis(hour(ahead.into()))));
                let time = hour(passes.into());
                aged.hands.pass(time);
                now += millis(time);
                rounds.go().await.unwrap();
                assert!(aged.open.vault.sweeps.standing().doubts, "a clock that jumped ahead is believed");
                aged.hands.jump(Timestamp::from_millis(now));
            }
            Step::Restart => {
                drop(rounds);
                aged = aged.restart().await;
                rounds = Rounds::of(&aged.open.vault, None);
                rounds.go().await.unwrap();
            }
        }
        let silo = aged.open.silo(&aged.tenant);
        ends.retain(|number, end| {
            let is_there = silo.subject(&id(&format!("person-{number}"))).is_some();
            assert_eq!(is_there, now < *end, "person {number}, which ends at {end}, at {now}");
            erased += usize::from(!is_there);
            is_there
        });
    }
    assert!(now - began.millis() > 3 * 366 * 86_400_000, "a short life: {now}");
    assert!(erased > 20, "{erased} people went");
    aged.open.vault.close().await;
}
