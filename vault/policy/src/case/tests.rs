use lethe_domain::{
    Band, Case, CaseId, CaseKind, CaseReason, CaseState, CredentialId, Login, ModelId, Period, Question, Reason, Role,
    Roles, Seen, TenantId, Timestamp,
};

use super::{Answer, contest, decide, gives_way, is_over};
use crate::approval::Party;
use crate::principal::{Owner, Principal, SecondFactor};

const DAY: i64 = 86_400_000;

fn at(day: i64) -> Timestamp {
    Timestamp::from_millis(day * DAY)
}

fn party(id: u8, made_by: Option<u8>) -> Party {
    let credential = |id| CredentialId::from_bytes([id; 16]);
    let principal = Principal {
        credential: credential(id),
        owner: Owner::Tenant(TenantId::parse("bank").unwrap()),
        roles: Roles::only(Role::Reviewer),
        expires: None,
        factor: SecondFactor::NotAsked,
    };
    Party { principal, created_at: at(0), made_by: made_by.map(credential), login: None, is_shut: false }
}

fn case(kind: CaseKind) -> Case {
    let seen = Seen { band: Band::Review, score: 0.4, policy_version: 1 };
    let model = ModelId::parse("m", "1").unwrap();
    let question = match kind {
        CaseKind::VerificationUnclear => Question::Unclear { model, seen },
        CaseKind::PossibleDuplicate => Question::Duplicate { other: None, model, seen },
        CaseKind::DecisionContested => Question::Contested { request: None },
    };
    Case::opened(CaseId::from_bytes([1; 16]), question, at(1))
}

/// Decides, as somebody of whom earlier deciders are on record as they are made by [`party`].
fn answered(case: &mut Case, answer: Answer, who: &Party, earlier: &[Party]) -> Result<bool, Reason> {
    let said = decide(case, answer, CaseReason::PersonHeard, who, earlier, at(2)).map_err(|denial| denial.reason)?;
    case.decisions.extend(said);
    Ok(said.is_some())
}

fn contested(case: &mut Case) -> Result<bool, Reason> {
    let said = contest(case, &party(9, None), at(3)).map_err(|denial| denial.reason)?;
    case.decisions.extend(said);
    Ok(said.is_some())
}

#[test]
fn a_case_is_decided_once_and_the_same_word_again_changes_nothing() {
    for kind in [CaseKind::VerificationUnclear, CaseKind::PossibleDuplicate] {
        let mut case = case(kind);
        assert_eq!(contested(&mut case), Err(Reason::CaseUndecided));
        assert_eq!(answered(&mut case, Answer::Confirmed, &party(1, None), &[]), Ok(true));
        assert_eq!(case.state(), CaseState::Confirmed);
        assert_eq!(answered(&mut case, Answer::Confirmed, &party(1, None), &[]), Ok(false));
        for (answer, who) in [(Answer::Distinct, 1), (Answer::Confirmed, 2), (Answer::Escalate, 2)] {
            assert_eq!(answered(&mut case, answer, &party(who, None), &[]), Err(Reason::CaseClosed));
        }
        assert_eq!(case.decisions.len(), 1);
    }
}

#[test]
fn who_decided_before_does_not_decide_on_what_is_escalated_or_contested() {
    let mut case = case(CaseKind::VerificationUnclear);
    assert_eq!(answered(&mut case, Answer::Escalate, &party(1, None), &[]), Ok(true));
    assert_eq!(case.state(), CaseState::Escalated);
    assert_eq!(contested(&mut case), Err(Reason::CaseUndecided));
    let dependent = Err(Reason::ReviewerNotIndependent);
    assert_eq!(answered(&mut case, Answer::Confirmed, &party(1, None), &[party(1, None)]), dependent);
    assert_eq!(answered(&mut case, Answer::Confirmed, &party(2, None), &[party(1, None)]), Ok(true));
    assert_eq!(contested(&mut case), Ok(true));
    assert_eq!(contested(&mut case), Ok(false));
    assert_eq!(case.state(), CaseState::Contested);
    let earlier = [party(1, None), party(2, None)];
    for who in [1, 2] {
        for answer in [Answer::Confirmed, Answer::Distinct, Answer::Escalate] {
            assert_eq!(answered(&mut case, answer, &party(who, None), &earlier), dependent);
        }
    }
    assert_eq!(answered(&mut case, Answer::Distinct, &party(3, None), &earlier), Ok(true));
    assert_eq!(case.state(), CaseState::Distinct);
    // Nor does who contested for the person.
    assert_eq!(contested(&mut case), Ok(true));
    assert_eq!(answered(&mut case, Answer::Confirmed, &party(9, None), &earlier), dependent);
    assert_eq!(answered(&mut case, Answer::Confirmed, &party(4, None), &earlier), Ok(true));
}

#[test]
fn one_person_with_two_credentials_is_not_another_human() {
    let dependent = Err(Reason::ReviewerNotIndependent);
    let mut case = case(CaseKind::PossibleDuplicate);
    assert_eq!(answered(&mut case, Answer::Escalate, &party(1, Some(7)), &[]), Ok(true));
    let earlier = [party(1, Some(7))];
    assert_eq!(answered(&mut case, Answer::Confirmed, &party(2, Some(1)), &earlier), dependent);
    assert_eq!(answered(&mut case, Answer::Confirmed, &party(7, None), &earlier), dependent);
    // Both were made by an administrator, as all are.
    assert_eq!(answered(&mut case, Answer::Confirmed, &party(2, Some(7)), &earlier), Ok(true));
}

#[test]
fn a_credential_that_is_made_after_a_step_may_be_of_who_took_it() {
    let dependent = Err(Reason::ReviewerNotIndependent);
    let mut case = case(CaseKind::VerificationUnclear);
    // Anybody may be the first.
    let late = |id, created_at| Party { created_at, ..party(id, None) };
    assert_eq!(answered(&mut case, Answer::Escalate, &late(1, at(9)), &[]), Ok(true));
    // Also where the first is on record no more.
    for earlier in [&[][..], &[party(1, None)]] {
        for created_at in [at(2), at(3)] {
            assert_eq!(answered(&mut case, Answer::Distinct, &late(2, created_at), earlier), dependent);
        }
    }
    let just_before = Timestamp::from_millis(at(2).millis() - 1);
    assert_eq!(answered(&mut case, Answer::Distinct, &late(2, just_before), &[]), Ok(true));
}

#[test]
fn a_login_is_one_person_whatever_credentials_it_shows() {
    let login = |subject| Some(Login::parse("login", "https://id.bank.example", subject).unwrap());
    let [one, again] = [1, 2].map(|id| Party { login: login("a1"), ..party(id, None) });
    let mut case = case(CaseKind::DecisionContested);
    assert_eq!(answered(&mut case, Answer::Escalate, &one, &[]), Ok(true));
    let earlier = [one];
    assert_eq!(answered(&mut case, Answer::Confirmed, &again, &earlier), Err(Reason::ReviewerNotIndependent));
    let another = Party { login: login("b2"), ..party(3, None) };
    assert_eq!(answered(&mut case, Answer::Confirmed, &another, &earlier), Ok(true));
    // Keys are no logins.
    assert_eq!(contested(&mut case), Ok(true));
    let earlier = [earlier[0].clone(), party(4, None)];
    assert_eq!(answered(&mut case, Answer::Confirmed, &party(5, None), &earlier), Ok(true));
}

#[test]
fn a_contested_decision_is_contested_from_birth_and_anybody_may_be_the_first_human() {
    let mut case = case(CaseKind::DecisionContested);
    assert_eq!(contested(&mut case), Ok(false));
    assert_eq!(answered(&mut case, Answer::Distinct, &party(1, None), &[]), Ok(true));
    assert_eq!(contested(&mut case), Ok(true));
    assert_eq!(
        answered(&mut case, Answer::Confirmed, &party(1, None), &[party(1, None)]),
        Err(Reason::ReviewerNotIndependent)
    );
}

#[test]
fn a_case_takes_so_many_steps() {
    let mut case = case(CaseKind::DecisionContested);
    for who in 1..=Case::MOST_STEPS {
        assert_eq!(answered(&mut case, Answer::Escalate, &party(who as u8, None), &[]), Ok(true));
    }
    assert_eq!(answered(&mut case, Answer::Escalate, &party(100, None), &[]), Err(Reason::RecordsLimited));
    // What ends it has room, and it is not opened again then.
    assert_eq!(answered(&mut case, Answer::Distinct, &party(100, None), &[]), Ok(true));
    assert_eq!(contested(&mut case), Err(Reason::RecordsLimited));
}

#[test]
fn what_is_decided_is_over_some_time_after_the_decision() {
    let month = Some(Period::days(30));
    for kind in [CaseKind::VerificationUnclear, CaseKind::PossibleDuplicate, CaseKind::DecisionContested] {
        let mut case = case(kind);
        let said = decide(&case, Answer::Confirmed, CaseReason::PersonHeard, &party(1, None), &[], at(100)).unwrap();
        case.decisions.extend(said);
        // However long before it was opened: there is as much time to contest it.
        assert!(!is_over(&case, month, at(129)) && is_over(&case, month, at(130)));
        assert!(!is_over(&case, None, at(800)) && is_over(&case, None, at(831)));
        contested(&mut case).unwrap();
        assert!(!is_over(&case, month, at(10_000)));
    }
}

#[test]
fn nobody_waits_for_ever_for_an_answer_that_nobody_asked_for() {
    let month = Some(Period::days(30));
    let mut case = case(CaseKind::VerificationUnclear);
    case.last_seen_at = at(50);
    assert!(!is_over(&case, month, at(79)) && is_over(&case, month, at(80)));
    let said = decide(&case, Answer::Escalate, CaseReason::PersonHeard, &party(1, None), &[], at(60)).unwrap();
    case.decisions.extend(said);
    assert!(!is_over(&case, month, at(89)) && is_over(&case, month, at(90)));
    for asked in [CaseKind::PossibleDuplicate, CaseKind::DecisionContested] {
        assert!(!is_over(&self::case(asked), month, at(10_000)));
    }
}

#[test]
fn of_as_many_as_may_be_the_oldest_decided_gives_way() {
    let open = |day, id: u8| {
        let question = Question::Contested { request: None };
        Case::opened(CaseId::from_bytes([id; 16]), question, at(day))
    };
    let mut cases: Vec<_> = (0..Case::MOST as u8).map(|id| open(i64::from(id), id)).collect();
    assert!(gives_way(cases.iter()).is_none());
    for decided in [9, 4, 30] {
        answered(&mut cases[decided], Answer::Confirmed, &party(1, None), &[]).unwrap();
    }
    assert_eq!(gives_way(cases.iter()).map(|case| case.id), Some(CaseId::from_bytes([4; 16])));
    cases.pop();
    assert!(gives_way(cases.iter()).is_none());
}
