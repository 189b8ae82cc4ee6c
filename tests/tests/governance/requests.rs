//! What people ask for is kept with its deadline, answered, and counted (O26); and changes no answer (O37).

use lethe_proto::v1::{
    CloseRightsRequestRequest, EraseSubjectRequest, ErasureState, ErrorReason, ExtendRightsRequestRequest,
    ExtensionReason, GetRequestStatisticsRequest, GetRightsRequestRequest, Jurisdiction, ListRightsRequestsRequest,
    OpenRightsRequestRequest, Purpose, RequesterVerification, RightsRefusalReason, RightsRequest, RightsRequestKind,
    RightsRequestOutcome, RightsRequestState,
};
use lethe_tests::{Caller, Cli, Faces, Refused, Tenant, Vault, now, request_id};
use prost_types::Timestamp;
use tonic::Code;

const DAY: i64 = 86_400;

fn ago(days: i64) -> Timestamp {
    Timestamp { seconds: now().seconds - days * DAY, nanos: 0 }
}

fn received(officer: &Caller, kind: RightsRequestKind, subject: Option<&str>, days: i64) -> OpenRightsRequestRequest {
    let mut request = officer.opening(kind, subject);
    request.request.as_mut().unwrap().receive_time = Some(ago(days));
    request
}

fn extension(name: &str) -> ExtendRightsRequestRequest {
    ExtendRightsRequestRequest {
        name: name.to_owned(),
        purpose: Purpose::DataSubjectRequest.into(),
        request_id: String::new(),
        reason: ExtensionReason::Complexity.into(),
    }
}

async fn listed(caller: &Caller, parent: &str, change: impl FnOnce(&mut ListRightsRequestsRequest)) -> Vec<String> {
    let purpose = Purpose::DataSubjectRequest.into();
    let mut request =
        ListRightsRequestsRequest { parent: parent.to_owned(), purpose, page_size: 2, ..Default::default() };
    change(&mut request);
    let mut names = Vec::new();
    loop {
        let page = caller.ask(request.clone()).await.unwrap();
        names.extend(page.requests.into_iter().map(|request| request.name));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            names.sort();
            return names;
        }
    }
}

async fn get(caller: &Caller, name: &str) -> RightsRequest {
    let purpose = Purpose::DataSubjectRequest.into();
    caller.ask(GetRightsRequestRequest { name: name.to_owned(), purpose }).await.unwrap()
}

async fn enrolled(bank: &Tenant, people: &[&str]) {
    for (number, person) in (0..).zip(people) {
        let face = Faces::seeded(711).person(number).selfie();
        bank.enroller().enroll_for(Purpose::Authentication, person, &face).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_are_those_of_the_persons_law_and_are_extended_once() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").under(Jurisdiction::EuropeanUnion).await;
    let officer = bank.privacy_officer();
    enrolled(&bank, &["ada", "cal"]).await;
    officer.describe("cal", Jurisdiction::California, lethe_proto::v1::AgeBand::Adult).await.unwrap();
    let kind = RightsRequestKind::Access;
    for (subject, law, least, most, in_all) in [
        (Some("ada"), Jurisdiction::EuropeanUnion, 28, 31, 89..=92),
        (Some("cal"), Jurisdiction::California, 45, 45, 90..=90),
        (None, Jurisdiction::EuropeanUnion, 28, 31, 89..=92),
    ] {
        let opened = officer.ask(received(&officer, kind, subject, 10)).await.unwrap();
        assert_eq!((opened.jurisdiction(), opened.state()), (law, RightsRequestState::Open));
        let days = |request: &RightsRequest| (request.due_time.unwrap().seconds - ago(10).seconds + DAY / 2) / DAY;
        assert!((least..=most).contains(&days(&opened)), "{}", days(&opened));
        let extended = officer.ask(extension(&opened.name)).await.unwrap();
        assert_eq!(extended.state(), RightsRequestState::Extended);
        assert_eq!(extended.extension_reason(), ExtensionReason::Complexity);
        assert!(in_all.contains(&days(&extended)), "{}", days(&extended));
        let again = officer.ask(extension(&opened.name)).await.refused();
        again.assert_is(Code::FailedPrecondition, ErrorReason::RequestNotExtendable);
        assert_eq!(get(&officer, &opened.name).await, extended);
    }
    // The caller may know better whose law counts.
    let mut other = officer.opening(kind, Some("ada"));
    other.request.as_mut().unwrap().jurisdiction = Jurisdiction::Texas.into();
    assert_eq!(officer.ask(other).await.unwrap().jurisdiction(), Jurisdiction::Texas);
    // A complaint gets no more time, and nothing does whose first time is over.
    let complaint = officer.opens(RightsRequestKind::Complaint, Some("cal")).await.unwrap();
    let late = officer.ask(received(&officer, kind, Some("ada"), 40)).await.unwrap();
    for name in [complaint.name, late.name] {
        let refusal = officer.ask(extension(&name)).await.refused();
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::RequestNotExtendable);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_for_whom_is_verified_and_refused_with_a_reason() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let mut stranger = officer.opening(RightsRequestKind::Access, None);
    stranger.request.as_mut().unwrap().verification = 0;
    let opened = officer.ask(stranger.clone()).await.unwrap();
    use RightsRequestOutcome::{Fulfilled, Partly, Refused as Refusal};
    let none = RightsRefusalReason::Unspecified;
    let unverified = officer.closes(&opened.name, Fulfilled, none).await.refused();
    unverified.assert_is(Code::FailedPrecondition, ErrorReason::RequesterUnverified);
    for (outcome, reason, expected) in [
        (Partly, none, ErrorReason::FieldMissing),
        (Refusal, none, ErrorReason::FieldMissing),
        (Fulfilled, RightsRefusalReason::Excessive, ErrorReason::FieldOutOfRange),
    ] {
        let refusal = officer.closes(&opened.name, outcome, reason).await.refused();
        refusal.assert_is(Code::InvalidArgument, expected);
        assert_eq!(refusal.metadata()["field"], "refusal_reason");
    }
    let closing = CloseRightsRequestRequest {
        name: opened.name.clone(),
        purpose: Purpose::DataSubjectRequest.into(),
        request_id: String::new(),
        outcome: Partly.into(),
        refusal_reason: RightsRefusalReason::RightsOfOthers.into(),
        verification: RequesterVerification::Document.into(),
    };
    let closed = officer.ask(closing.clone()).await.unwrap();
    assert_eq!((closed.state(), closed.outcome()), (RightsRequestState::Closed, Partly));
    assert_eq!(closed.refusal_reason(), RightsRefusalReason::RightsOfOthers);
    assert_eq!(closed.verification(), RequesterVerification::Document);
    // In the same words it stays as it is; in others it is too late.
    assert_eq!(officer.ask(closing).await.unwrap(), closed);
    for outcome in [Fulfilled, Refusal] {
        let reason = if outcome == Refusal { RightsRefusalReason::Repetitive } else { none };
        let refusal = officer.closes(&opened.name, outcome, reason).await.refused();
        refusal.assert_is(Code::FailedPrecondition, ErrorReason::RequestClosed);
    }
    officer
        .ask(extension(&opened.name))
        .await
        .refused()
        .assert_is(Code::FailedPrecondition, ErrorReason::RequestClosed);
    // A repeat of the first call finds it; one that says something else is another.
    assert_eq!(officer.ask(stranger.clone()).await.unwrap(), closed);
    stranger.request.as_mut().unwrap().kind = RightsRequestKind::Erasure.into();
    officer.ask(stranger).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_outlives_the_erasure_that_fulfils_it_and_leads_nowhere() {
    let vault = Vault::setup().metrics().apart().start().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    enrolled(&bank, &["ada", "bea"]).await;
    let erasure = officer.opens(RightsRequestKind::Erasure, Some("ada")).await.unwrap();
    let access = officer.ask(received(&officer, RightsRequestKind::Access, Some("ada"), 100)).await.unwrap();
    let others = officer.opens(RightsRequestKind::Erasure, Some("bea")).await.unwrap();
    let of_ada = |request: &mut ListRightsRequestsRequest| request.subject = officer.subject_name("ada");
    let mut expected = vec![erasure.name.clone(), access.name.clone()];
    expected.sort();
    assert_eq!(listed(&officer, &bank.name(), of_ada).await, expected);
    let metrics = vault.metrics().await;
    assert_eq!(metrics.value("lethe_requests_unanswered"), 3.0);
    assert_eq!(metrics.value("lethe_requests_overdue"), 1.0);

    // It has to be hers, and to ask for it.
    let fulfilling =
        |request: &str| EraseSubjectRequest { fulfils_request: request.to_owned(), ..officer.erasure("ada") };
    let wrong = officer.ask(fulfilling(&others.name)).await.refused();
    wrong.assert_is(Code::NotFound, ErrorReason::RequestNotFound);
    let wrong = officer.ask(fulfilling(&access.name)).await.refused();
    wrong.assert_is(Code::InvalidArgument, ErrorReason::FieldOutOfRange);
    let mut unverified = officer.opening(RightsRequestKind::Erasure, Some("ada"));
    unverified.request.as_mut().unwrap().verification = 0;
    let unverified = officer.ask(unverified).await.unwrap();
    let wrong = officer.ask(fulfilling(&unverified.name)).await.refused();
    wrong.assert_is(Code::FailedPrecondition, ErrorReason::RequesterUnverified);
    assert!(officer.subject("ada").await.is_ok());

    let request = fulfilling(&erasure.name);
    let shredded = officer.ask(request.clone()).await.unwrap();
    assert_eq!(shredded.state(), ErasureState::Shredded);
    assert_eq!(officer.ask(request).await.unwrap().receipt, shredded.receipt);
    for restarted in [false, true] {
        if restarted {
            vault.crash().await;
        }
        // Who holds its name is told of it; nobody is told whose it was.
        let closed = get(&bank.auditor(), &erasure.name).await;
        assert_eq!((closed.state(), closed.outcome()), (RightsRequestState::Closed, RightsRequestOutcome::Fulfilled));
        assert_eq!(get(&officer, &access.name).await, access);
        let gone = officer.ask(ListRightsRequestsRequest {
            parent: bank.name(),
            purpose: Purpose::DataSubjectRequest.into(),
            subject: officer.subject_name("ada"),
            ..Default::default()
        });
        gone.await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
        let metrics = vault.metrics().await;
        assert_eq!(metrics.value("lethe_requests_unanswered"), 3.0);
    }
    // Enrolled again she is another.
    enrolled(&bank, &["ada"]).await;
    let of_ada = |request: &mut ListRightsRequestsRequest| request.subject = officer.subject_name("ada");
    assert!(listed(&officer, &bank.name(), of_ada).await.is_empty());
    let refusal = bank
        .auditor()
        .ask(ListRightsRequestsRequest {
            parent: bank.name(),
            purpose: Purpose::DataSubjectRequest.into(),
            subject: officer.subject_name("bea"),
            ..Default::default()
        })
        .await
        .refused();
    refusal.assert_is(Code::PermissionDenied, ErrorReason::RoleRequired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_request_for_portability_in_a_year_is_refused_in_california() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").under(Jurisdiction::California).await;
    let officer = bank.privacy_officer();
    enrolled(&bank, &["ada", "bea", "eve"]).await;
    officer.describe("eve", Jurisdiction::EuropeanUnion, lethe_proto::v1::AgeBand::Adult).await.unwrap();
    let kind = RightsRequestKind::Portability;
    // One that is older than a year does not count.
    officer.ask(received(&officer, kind, Some("ada"), 370)).await.unwrap();
    let first = officer.ask(received(&officer, kind, Some("ada"), 300)).await.unwrap();
    officer.opens(kind, Some("ada")).await.unwrap();
    let exhausted = officer.opens(kind, Some("ada")).await.refused();
    exhausted.assert_is(Code::FailedPrecondition, ErrorReason::RequestsExhausted);
    // Other requests are not counted, nor other people's; nor one that was refused.
    officer.opens(RightsRequestKind::Access, Some("ada")).await.unwrap();
    officer.opens(kind, Some("bea")).await.unwrap();
    for _ in 0..4 {
        officer.opens(kind, Some("eve")).await.unwrap();
    }
    let reason = RightsRefusalReason::InsufficientDetail;
    officer.closes(&first.name, RightsRequestOutcome::Refused, reason).await.unwrap();
    officer.opens(kind, Some("ada")).await.unwrap();
    officer
        .opens(kind, Some("ada"))
        .await
        .refused()
        .assert_is(Code::FailedPrecondition, ErrorReason::RequestsExhausted);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_listed_by_what_presses_and_counted_by_kind() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    let mut names = Vec::new();
    for days in [0, 10, 20, 40, 400] {
        names.push(officer.ask(received(&officer, RightsRequestKind::Erasure, None, days)).await.unwrap().name);
    }
    let [fresh, known, pressing, late, old] = names.as_slice() else { panic!("five requests") };
    officer.closes(known, RightsRequestOutcome::Fulfilled, RightsRefusalReason::Unspecified).await.unwrap();
    officer.closes(old, RightsRequestOutcome::Refused, RightsRefusalReason::Repetitive).await.unwrap();
    let sorted = |names: &[&String]| {
        let mut names: Vec<_> = names.iter().map(|name| (*name).clone()).collect();
        names.sort();
        names
    };
    let bank_name = bank.name();
    assert_eq!(listed(&officer, &bank_name, |_| {}).await, sorted(&[fresh, known, pressing, late, old]));
    assert_eq!(listed(&officer, &bank_name, |it| it.unanswered = true).await, sorted(&[fresh, pressing, late]));
    assert_eq!(listed(&officer, &bank_name, |it| it.due_before = Some(ago(0))).await, sorted(&[late]));
    assert_eq!(listed(&officer, &bank_name, |it| it.due_before = Some(ago(-15))).await, sorted(&[pressing, late]));

    let purpose = Purpose::Audit.into();
    let counted = bank.auditor().ask(GetRequestStatisticsRequest { name: bank_name, purpose }).await.unwrap();
    assert_eq!(counted.counts.len(), 1);
    let erasures = counted.counts[0];
    assert_eq!(erasures.kind(), RightsRequestKind::Erasure);
    let figures = (erasures.received, erasures.fulfilled, erasures.refused, erasures.unanswered, erasures.late);
    assert_eq!(figures, (4, 1, 0, 3, 1));
    assert!((10.0..=11.0).contains(&erasures.median_days), "{erasures:?}");

    let ask = |arguments: &[&str]| {
        let tenant = ["--tenant".to_owned(), bank.id().to_owned()];
        Cli::new(["request".to_owned()]).args(arguments).args(tenant)
    };
    let key = officer.key().unwrap();
    let told = ask(&["list", "--overdue"]).holding(&vault, key).await.run().one();
    assert_eq!(told["name"], late.as_str());
    let id = request_id();
    let arguments = ["open", "rectification", "--by", "agent", "--verified", "mandate", "--request-id", &id];
    let opened = ask(&arguments).holding(&vault, key).await.run().one();
    let id = opened["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let extended = ask(&["extend", &id, "--reason", "number"]).holding(&vault, key).await.run().one();
    assert_eq!(extended["state"], "EXTENDED");
    let closed = ask(&["close", &id, "--outcome", "refused", "--reason", "agent_not_authorised"]);
    assert_eq!(closed.holding(&vault, key).await.run().one()["refusal_reason"], "AGENT_NOT_AUTHORISED");
    let told = ask(&["statistics"]).holding(&vault, key).await.run().one();
    assert_eq!(told["counts"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_by_field_and_no_answer_depends_on_one() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let officer = bank.privacy_officer();
    enrolled(&bank, &["ada"]).await;
    let with = |change: &dyn Fn(&mut OpenRightsRequestRequest)| {
        let mut request = officer.opening(RightsRequestKind::Access, Some("ada"));
        change(&mut request);
        request
    };
    let inner = |change: &'static dyn Fn(&mut RightsRequest)| with(&|it| change(it.request.as_mut().unwrap()));
    for (field, request) in [
        ("request", with(&|it| it.request = None)),
        ("request.kind", inner(&|it| it.kind = 0)),
        ("request.kind", inner(&|it| it.kind = 10)),
        ("request.requester", inner(&|it| it.requester = 0)),
        ("request.verification", inner(&|it| it.verification = 7)),
        ("request.jurisdiction", inner(&|it| it.jurisdiction = 9)),
        ("request.receive_time", inner(&|it| it.receive_time = Some(ago(-1)))),
        ("subject", with(&|it| it.subject = "tenants/shop/subjects/ada".to_owned())),
        ("request_id", with(&|it| it.request_id.clear())),
    ] {
        let refusal = officer.ask(request).await.refused();
        assert_eq!((refusal.code(), refusal.metadata()["field"].as_str()), (Code::InvalidArgument, field));
    }
    let unknown = officer.opens(RightsRequestKind::Access, Some("nobody")).await.refused();
    unknown.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);

    // Whatever she asks for, and however it is answered, she is judged as before.
    let face = Faces::seeded(711).person(0).again();
    let before = bank.analyst().verify("ada", &face).await.unwrap();
    for kind in 1..=9 {
        let kind = RightsRequestKind::try_from(kind).unwrap();
        let name = officer.opens(kind, Some("ada")).await.unwrap().name;
        if kind != RightsRequestKind::Erasure {
            officer.closes(&name, RightsRequestOutcome::Refused, RightsRefusalReason::Excessive).await.unwrap();
        }
    }
    assert_eq!(bank.analyst().verify("ada", &face).await.unwrap(), before);
    assert!(bank.analyst().finds("ada", &face).await);
}
