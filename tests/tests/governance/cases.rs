//! What is unclear goes to a person, who answers; who contests an answer gets another human (O11).

use std::time::Duration;

use lethe_proto::v1::{
    self, Case, CaseKind, CaseReason, CaseState, CaseStep, DecisionBand, ErrorReason, Purpose, RestrictionGround,
    RightsRequestKind, Role,
};
use lethe_tests::{Caller, Face, Faces, MATCH, REVIEW, Refused, Tenant, Vault, cosine, request_id};
use tonic::Code;

use crate::disclosure::{entries, said};
use crate::export::{archive, opened, read};

/// Between the thresholds.
const UNCLEAR: f32 = (MATCH + REVIEW) / 2.0;
/// How long what nobody waits for may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A face so far from another one, in the direction of a third.
fn from(face: &[f32], other: &[f32], score: f32) -> Face {
    let along = cosine(face, other);
    let norm = |face: &[f32]| face.iter().map(|x| x * x).sum::<f32>().sqrt();
    let (unit, of_other) = (norm(face), norm(other));
    let across: Face = face.iter().zip(other).map(|(a, b)| b / of_other - along * a / unit).collect();
    let length = norm(&across);
    face.iter().zip(&across).map(|(a, b)| score * a / unit + (1.0 - score * score).sqrt() * b / length).collect()
}

/// Cases, once there are some of which that is so.
async fn until(caller: &Caller, is_so: impl Fn(&[Case]) -> bool) -> Vec<Case> {
    let found = async {
        loop {
            let cases = caller.cases().await.unwrap();
            if is_so(&cases) {
                return cases;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("there are no such cases")
}

/// Two people, of whom each has a face that is unclear.
async fn enrolled(bank: &Tenant, seed: u64) -> [Face; 2] {
    let faces = Faces::seeded(seed).strangers(2);
    let [ada, bea] = [faces[0].selfie(), faces[1].selfie()];
    bank.enroller().enroll("ada", &ada).await.unwrap();
    bank.enroller().enroll("bea", &bea).await.unwrap();
    [from(&ada, &bea, UNCLEAR), from(&bea, &ada, UNCLEAR)]
}

/// A case about somebody, which the vault opened.
async fn unclear(bank: &Tenant, subject: &str, face: &Face) -> Case {
    assert_eq!(bank.authenticator().verify(subject, face).await.unwrap().band(), DecisionBand::Review);
    let about = bank.reviewer().subject_name(subject);
    let cases = until(&bank.reviewer(), |cases| cases.iter().any(|case| case.name.starts_with(&about))).await;
    cases.into_iter().find(|case| case.name.starts_with(&about)).unwrap()
}

const HEARD: CaseReason = CaseReason::PersonHeard;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_verification_leaves_unclear_is_asked_once_and_counted() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let [ada, _] = enrolled(&bank, 471).await;
    let (reviewer, officer) = (bank.reviewer(), bank.privacy_officer());
    // Nothing is asked of what is clear, nor of who is nobody.
    bank.authenticator().verify("bea", &Faces::seeded(471).strangers(2)[1].again()).await.unwrap();
    bank.authenticator().verify("nobody", &ada).await.unwrap();
    bank.authenticator().verify("bea", &ada).await.unwrap();
    let case = unclear(&bank, "ada", &ada).await;
    assert_eq!((case.kind(), case.state(), case.attempts), (CaseKind::VerificationUnclear, CaseState::Open, 1));
    assert_eq!((case.band(), case.policy_version), (DecisionBand::Review, 1));
    assert!((case.score.unwrap() - UNCLEAR).abs() < 1e-4, "{case:?}");
    assert!(case.other_subject.is_empty() && !case.other_erased && case.decisions.is_empty());
    assert_eq!(reviewer.cases().await.unwrap().len(), 1);
    // Who sees no scores sees none here.
    assert_eq!(officer.case(&case.name).await.unwrap(), Case { score: None, ..case.clone() });
    assert_eq!(bank.analyst().cases().await.unwrap(), std::slice::from_ref(&case));

    // Many at once are each counted.
    let analyst = bank.analyst();
    let attempts = (0..24).map(|_| {
        let (analyst, ada) = (analyst.clone(), ada.clone());
        tokio::spawn(async move { analyst.verify("ada", &ada).await.unwrap() })
    });
    for attempt in attempts.collect::<Vec<_>>() {
        assert_eq!(attempt.await.unwrap().band(), DecisionBand::Review);
    }
    let cases = until(&reviewer, |cases| cases[0].attempts == 25).await;
    assert_eq!((cases.len(), &cases[0].name, &cases[0].open_time), (1, &case.name, &case.open_time));
    vault.restart().await;
    assert_eq!(reviewer.cases().await.unwrap(), cases);
    vault.crash().await;
    assert_eq!(reviewer.cases().await.unwrap(), cases);

    // One entry, about the person by pseudonym; what was seen is sealed.
    let log = entries(&bank).await.iter().map(said).collect::<Vec<_>>();
    let about: Vec<_> = log.iter().filter(|entry| entry["event"]["type"] == "CASE_OPENED").collect();
    assert_eq!(about.len(), 1, "{about:?}");
    assert_eq!(about[0]["event"], serde_json::json!({"type": "CASE_OPENED"}));
    assert!(about[0]["pseudonym"].is_string() && !about[0].to_string().contains("score"), "{}", about[0]);

    // It is answered; what comes then is asked anew.
    let done = reviewer.decide(&case.name, CaseStep::Confirmed, CaseReason::ImagesCompared).await.unwrap();
    assert_eq!((done.state(), done.attempts), (CaseState::Confirmed, 25));
    bank.analyst().verify("ada", &ada).await.unwrap();
    let cases = until(&reviewer, |cases| cases.len() == 2).await;
    assert_eq!(cases.iter().map(|case| case.attempts).sum::<i64>(), 26);

    // It dies with its person.
    officer.erase("ada").await.unwrap();
    assert!(reviewer.cases().await.unwrap().is_empty());
    reviewer.case(&case.name).await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    bank.enroller().enroll("ada", &Faces::seeded(471).strangers(2)[0].selfie()).await.unwrap();
    reviewer.case(&case.name).await.refused().assert_is(Code::NotFound, ErrorReason::CaseNotFound);
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_of_whom_the_policy_protects() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let [ada, bea] = enrolled(&bank, 472).await;
    bank.privacy_officer().restrict("ada", RestrictionGround::Other).await.unwrap();
    assert_eq!(bank.authenticator().verify("ada", &ada).await.unwrap().band(), DecisionBand::NoMatch);
    // What was asked before is read and answered all the same: it touches no template.
    let case = unclear(&bank, "bea", &bea).await;
    bank.privacy_officer().hold("bea").await.unwrap();
    assert_eq!(bank.reviewer().case(&case.name).await.unwrap(), case);
    bank.authenticator().verify("bea", &bea).await.unwrap();
    let done = bank.reviewer().decide(&case.name, CaseStep::Distinct, HEARD).await.unwrap();
    assert_eq!((done.state(), done.attempts), (CaseState::Distinct, 1));
    assert_eq!(bank.reviewer().cases().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_is_compared_by_the_vault_and_forgets_whoever_is_erased() {
    let vault = Vault::setup().apart().start().await;
    let bank = vault.tenant("bank").await;
    let (analyst, reviewer, officer) = (bank.analyst(), bank.reviewer(), bank.privacy_officer());
    let faces = Faces::seeded(473).strangers(3);
    let ada = faces[0].selfie();
    let twin = from(&ada, &faces[1].selfie(), 0.8);
    for (subject, face) in [("ada", &ada), ("bea", &faces[1].selfie()), ("bea", &twin), ("cid", &faces[2].selfie())] {
        bank.enroller().enroll(subject, face).await.unwrap();
    }
    bank.enroller().describe("dan", v1::Jurisdiction::Other, v1::AgeBand::Adult).await.unwrap();

    let request = analyst.pairing("ada", "bea");
    let case = analyst.ask(request.clone()).await.unwrap();
    assert_eq!((case.kind(), case.state()), (CaseKind::PossibleDuplicate, CaseState::Open));
    assert!(case.name.starts_with(&analyst.subject_name("ada")));
    assert_eq!((&case.other_subject, case.other_erased), (&analyst.subject_name("bea"), false));
    // The best of all their templates.
    assert!((case.score.unwrap() - 0.8).abs() < 1e-4 && case.band() == DecisionBand::Match, "{case:?}");
    // Both are told that they were compared, and neither of the other.
    let log = entries(&bank).await.iter().map(said).collect::<Vec<_>>();
    let told: Vec<_> = log.iter().filter(|entry| entry["operation"] == "case.create_pair").collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0]["event"]["type"] == "CASE_OPENED" && told[1]["event"].is_null(), "{told:?}");
    assert!(told.iter().all(|entry| entry["pseudonym"].is_string()) && told[0]["pseudonym"] != told[1]["pseudonym"]);
    for again in [request.clone(), analyst.pairing("ada", "bea"), analyst.pairing("bea", "ada")] {
        assert_eq!(analyst.ask(again).await.unwrap(), case, "a pair has one case that is open");
    }
    let far = analyst.ask(analyst.pairing("ada", "cid")).await.unwrap();
    assert_eq!(far.band(), DecisionBand::NoMatch, "it is the vault's word, not the caller's");
    let reused = v1::CreatePairCaseRequest { other_subject: analyst.subject_name("cid"), ..request.clone() };
    analyst.ask(reused).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
    let refused = |request| async { analyst.ask(request).await.refused() };
    refused(analyst.pairing("ada", "dan")).await.assert_is(Code::NotFound, ErrorReason::TemplateNotFound);
    refused(analyst.pairing("ada", "nobody")).await.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    refused(analyst.pairing("nobody", "ada")).await.assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
    refused(analyst.pairing("ada", "ada")).await.assert_field("other_subject");
    let other_subject = "tenants/rival/subjects/bea".to_owned();
    refused(v1::CreatePairCaseRequest { other_subject, ..request.clone() }).await.assert_field("other_subject");
    refused(v1::CreatePairCaseRequest { model: None, ..analyst.pairing("ada", "bea") }).await.assert_field("model");
    refused(v1::CreatePairCaseRequest { request_id: String::new(), ..request.clone() })
        .await
        .assert_field("request_id");

    // Either's right stands in the way.
    for protected in ["bea", "cid"] {
        officer.restrict(protected, RestrictionGround::Other).await.unwrap();
        for (one, other) in [("bea", "cid"), ("cid", "bea")] {
            let refused = refused(analyst.pairing(one, other)).await;
            refused.assert_is(Code::FailedPrecondition, ErrorReason::SubjectRestricted);
        }
        officer.lift_restriction(protected).await.unwrap();
    }
    officer.object("bea", Purpose::DuplicateDetection).await.unwrap();
    refused(analyst.pairing("cid", "bea")).await.assert_is(Code::FailedPrecondition, ErrorReason::PurposeObjected);

    // A decided pair may be asked about anew, by another request.
    let done = reviewer.decide(&far.name, CaseStep::Distinct, CaseReason::DocumentChecked).await.unwrap();
    assert_eq!(done.decisions.len(), 1);
    let again = analyst.ask(analyst.pairing("cid", "ada")).await.unwrap();
    assert_ne!(again.name, far.name);

    // The second one goes: the case stays, and leads nowhere.
    officer.erase("bea").await.unwrap();
    let left = reviewer.case(&case.name).await.unwrap();
    assert_eq!(left, Case { other_subject: String::new(), other_erased: true, ..case.clone() });
    vault.crash().await;
    assert_eq!(reviewer.case(&case.name).await.unwrap(), left);
    bank.enroller().enroll("bea", &twin).await.unwrap();
    assert_eq!(reviewer.case(&case.name).await.unwrap(), left, "somebody of the same name is somebody else");
    let decided = reviewer.decide(&case.name, CaseStep::Confirmed, HEARD).await.unwrap();
    assert!(decided.other_erased && decided.other_subject.is_empty());
    // The first one goes, and the case with it.
    officer.erase("ada").await.unwrap();
    let listed = reviewer.cases().await.unwrap();
    assert_eq!(listed.iter().map(|case| &case.name).collect::<Vec<_>>(), [&again.name]);
    assert!(listed[0].other_erased, "{listed:?}");
    assert!(!vault.log().contains("ERROR"), "{}", vault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_given_once_and_who_contests_it_gets_another_human() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let [ada, _] = enrolled(&bank, 474).await;
    let officer = bank.privacy_officer();
    let [first, second, third] =
        [bank.reviewer(), bank.with_roles(&[Role::Reviewer]).await, bank.with_roles(&[Role::Reviewer]).await];
    let name = unclear(&bank, "ada", &ada).await.name;
    officer.contest(&name).await.refused().assert_is(Code::FailedPrecondition, ErrorReason::CaseUndecided);
    let escalated = first.decide(&name, CaseStep::Escalated, CaseReason::ReviewerInvolved).await.unwrap();
    assert_eq!(escalated.state(), CaseState::Escalated);
    let again = first.decide(&name, CaseStep::Escalated, CaseReason::ReviewerInvolved).await.unwrap();
    assert_eq!(again, escalated, "the same again changes nothing");
    let dependent = |refused: lethe_tests::Refusal| {
        refused.assert_is(Code::PermissionDenied, ErrorReason::ReviewerNotIndependent);
    };
    dependent(first.decide(&name, CaseStep::Confirmed, HEARD).await.refused());
    let confirmed = second.decide(&name, CaseStep::Confirmed, HEARD).await.unwrap();
    assert_eq!((confirmed.state(), confirmed.decisions.len()), (CaseState::Confirmed, 2));
    let by: Vec<_> = confirmed.decisions.iter().map(|decision| &decision.credential).collect();
    assert!(by[0] != by[1] && by[0].starts_with(&format!("{}/credentials/", bank.name())), "{by:?}");
    let closed = third.decide(&name, CaseStep::Distinct, HEARD).await.refused();
    closed.assert_is(Code::FailedPrecondition, ErrorReason::CaseClosed);

    let contested = officer.contest(&name).await.unwrap();
    assert_eq!((contested.state(), contested.decisions.len()), (CaseState::Contested, 3));
    assert_eq!(officer.contest(&name).await.unwrap(), contested);
    for one in [&first, &second] {
        dependent(one.decide(&name, CaseStep::Distinct, HEARD).await.refused());
    }
    // Nor by a credential that is made when the answer is known: it may be for one of them.
    let late = bank.with_roles(&[Role::Reviewer]).await;
    dependent(late.decide(&name, CaseStep::Distinct, HEARD).await.refused());
    // Nor by a credential that one of them made.
    let chief = bank.with_roles(&[Role::Reviewer, Role::TenantAdmin]).await;
    let other = unclear_of_bea(&bank).await;
    chief.decide(&other, CaseStep::Escalated, HEARD).await.unwrap();
    let request = v1::CreateCredentialRequest {
        parent: bank.name(),
        purpose: Purpose::Administration.into(),
        request_id: request_id(),
        credential: Some(v1::Credential { roles: vec![Role::Reviewer.into()], ..Default::default() }),
    };
    let made = bank.with_key(Some(&chief.ask(request).await.unwrap().api_key));
    dependent(made.decide(&other, CaseStep::Distinct, HEARD).await.refused());
    assert_eq!(third.decide(&name, CaseStep::Distinct, HEARD).await.unwrap().state(), CaseState::Distinct);

    // Each step is in the log, and what was refused.
    let log = entries(&bank).await.iter().map(said).collect::<Vec<_>>();
    let steps: Vec<_> = log.iter().filter(|entry| entry["event"]["step"].is_string()).collect();
    let told: Vec<_> = steps.iter().filter_map(|entry| entry["event"]["step"].as_str()).collect();
    assert_eq!(told, ["escalated", "confirmed", "contested", "escalated", "distinct"]);
    // Which case, nobody can tell without the person's key.
    for name in [&name, &other] {
        let id = name.rsplit('/').next().unwrap();
        assert!(log.iter().all(|entry| !entry.to_string().contains(id)), "{id} is in the log in clear");
    }
    assert!(steps.iter().all(|entry| entry["pseudonym"].is_string()), "{steps:?}");
    let refused: Vec<_> = log.iter().filter(|entry| entry["reason"] == "REVIEWER_NOT_INDEPENDENT").collect();
    assert_eq!(refused.len(), 5, "{refused:?}");

    for (field, step, reason) in [("step", 0, 3), ("step", 4, 3), ("step", 9, 3), ("reason", 1, 0), ("reason", 1, 8)] {
        let (name, purpose) = (name.clone(), Purpose::Authentication.into());
        let request = v1::DecideCaseRequest { name, purpose, request_id: String::new(), step, reason };
        first.ask(request).await.refused().assert_field(field);
    }
    // Another tenant has none of it.
    let rival = vault.tenant("rival").await;
    assert!(rival.reviewer().cases().await.unwrap().is_empty());
    rival.reviewer().case(&name).await.refused().assert_is(Code::PermissionDenied, ErrorReason::TenantMismatch);
    let theirs = name.replace("tenants/bank", &rival.name());
    rival.reviewer().case(&theirs).await.refused().assert_is(Code::NotFound, ErrorReason::SubjectNotFound);
}

async fn unclear_of_bea(bank: &Tenant) -> String {
    bank.analyst().ask(bank.analyst().pairing("bea", "ada")).await.unwrap().name
}

#[tokio::test(flavor = "multi_thread")]
async fn who_contests_a_decision_has_a_case_and_takes_it_along() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let [ada, _] = enrolled(&bank, 475).await;
    let officer = bank.privacy_officer();
    let contest = officer.opens(RightsRequestKind::DecisionContest, Some("ada")).await.unwrap().name;
    let access = officer.opens(RightsRequestKind::Access, Some("ada")).await.unwrap().name;
    let theirs = officer.opens(RightsRequestKind::DecisionContest, Some("bea")).await.unwrap().name;
    let asking =
        |request: &str| v1::CreateContestedCaseRequest { request: request.to_owned(), ..officer.contesting("ada") };
    officer.ask(asking(&access)).await.refused().assert_field("request");
    let refused = officer.ask(asking(&theirs)).await.refused();
    refused.assert_is(Code::NotFound, ErrorReason::RequestNotFound);
    let request = asking(&contest);
    let case = officer.ask(request.clone()).await.unwrap();
    assert_eq!((case.kind(), case.state()), (CaseKind::DecisionContested, CaseState::Contested));
    assert_eq!((&case.request, case.band, case.model.as_ref()), (&contest, 0, None));
    assert_eq!(officer.ask(request.clone()).await.unwrap(), case);
    let changed = v1::CreateContestedCaseRequest { request: String::new(), ..request };
    officer.ask(changed).await.refused().assert_is(Code::AlreadyExists, ErrorReason::RequestIdReused);
    bank.reviewer().decide(&case.name, CaseStep::Distinct, CaseReason::ClientRecords).await.unwrap();
    unclear(&bank, "ada", &ada).await;
    bank.analyst().ask(bank.analyst().pairing("ada", "bea")).await.unwrap();

    // The person takes all along, but nothing of anybody else.
    let key = age::x25519::Identity::generate();
    let clear = opened(&archive(&officer, "ada", &key).await, &key).unwrap();
    let told = read(&vault, &clear).unwrap();
    let cases = told["manifest"]["cases"].as_array().unwrap();
    let kinds: Vec<_> = cases.iter().map(|case| case["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["decision_contested", "verification_unclear", "possible_duplicate"]);
    assert_eq!(
        (&cases[0]["state"], &cases[0]["decisions"][0]["reason"]),
        (&"distinct".into(), &"client_records".into())
    );
    assert!(contest.ends_with(cases[0]["request"].as_str().unwrap()));
    assert_eq!((&cases[1]["band"], &cases[1]["attempts"]), (&"review".into(), &1.into()));
    let manifest = told["manifest"].to_string();
    assert!(!manifest.contains("bea") && !manifest.contains("\"by\""), "{manifest}");

    // Filters, and pages of any size.
    let all = bank.reviewer().cases().await.unwrap();
    assert_eq!(all.len(), 3);
    for size in [1, 2, 3] {
        assert_eq!(bank.reviewer().cases_by(size).await.unwrap(), all);
    }
    let filtered = |state: CaseState, kind: CaseKind| v1::ListCasesRequest {
        parent: bank.name(),
        purpose: Purpose::DataSubjectRequest.into(),
        state: state.into(),
        kind: kind.into(),
        ..Default::default()
    };
    for (state, kind, count) in [
        (CaseState::Open, CaseKind::Unspecified, 2),
        (CaseState::Distinct, CaseKind::Unspecified, 1),
        (CaseState::Unspecified, CaseKind::PossibleDuplicate, 1),
        (CaseState::Distinct, CaseKind::PossibleDuplicate, 0),
    ] {
        let page = bank.reviewer().ask(filtered(state, kind)).await.unwrap();
        assert_eq!(page.cases.len(), count, "{state:?} {kind:?}");
    }
    let wrong = v1::ListCasesRequest { state: 9, ..filtered(CaseState::Open, CaseKind::Unspecified) };
    bank.reviewer().ask(wrong).await.refused().assert_field("state");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_cases_the_oldest_that_is_decided_gives_way_unless_its_person_is_kept() {
    let vault = Vault::fresh().await;
    let bank = vault.tenant("bank").await;
    let [ada, _] = enrolled(&bank, 476).await;
    let (officer, reviewer) = (bank.privacy_officer(), bank.reviewer());
    let mut names = Vec::new();
    for _ in 0..64 {
        names.push(officer.ask(officer.contesting("ada")).await.unwrap().name);
    }
    let full = officer.ask(officer.contesting("ada")).await.refused();
    full.assert_is(Code::ResourceExhausted, ErrorReason::RecordsLimited);
    bank.analyst().ask(bank.analyst().pairing("ada", "bea")).await.refused();
    // What is unclear is in the log alone.
    assert_eq!(bank.authenticator().verify("ada", &ada).await.unwrap().band(), DecisionBand::Review);
    for name in [&names[9], &names[3]] {
        reviewer.decide(name, CaseStep::Confirmed, HEARD).await.unwrap();
    }
    let hold = officer.hold("ada").await.unwrap().name;
    officer
        .ask(officer.contesting("ada"))
        .await
        .refused()
        .assert_is(Code::ResourceExhausted, ErrorReason::RecordsLimited);
    officer.release(&hold).await.unwrap();
    officer.ask(officer.contesting("ada")).await.unwrap();
    let left: Vec<_> = reviewer.cases_by(10).await.unwrap().into_iter().map(|case| case.name).collect();
    assert_eq!(left.len(), 64);
    assert!(!left.contains(&names[3]) && left.contains(&names[9]), "the one that was opened first");
}
