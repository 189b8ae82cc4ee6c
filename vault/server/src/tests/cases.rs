//! Questions about people, looked at from inside (O11).

use std::time::Duration;

use lethe_domain::{
    Band, CaseReason, Label, Period, Purpose, RequestId, RestrictionGround, Role, SubjectId, TenantId, Timestamp,
};
use lethe_policy::case::Answer;
use lethe_policy::operation::{
    ContestCase, DecideCase, Kind, ListCases, PlaceHold, ReleaseHold, RestrictSubject, UpdateTenantPolicy, Verify,
};
use lethe_policy::{Authorized, Principal};

use super::{Open, PATIENCE, capture};
use crate::authentication::verify;
use crate::case::{self, Filed, Filter};
use crate::store::{Change, Key, RowKind};
use crate::tenant::Wished;
use crate::vault::Aim;
use crate::{hold, subject, tenant};

/// So many days from now.
fn after(days: i64) -> Timestamp {
    Timestamp::from_millis(Timestamp::now().millis() + days * 86_400_000)
}

async fn may<O: Kind>(open: &Open, who: &Principal, tenant: &TenantId) -> Authorized<O> {
    open.vault.admit::<O>(who, Aim::Tenant(tenant), Some(Purpose::DataSubjectRequest)).await.unwrap()
}

async fn listed(open: &Open, tenant: &TenantId) -> Vec<Filed> {
    let reviewer = open.person(tenant, Role::Reviewer).await;
    let call = may::<ListCases>(open, &reviewer, tenant).await;
    case::list(&open.vault, call, Filter::default(), 0, 100).await.unwrap().cases
}

async fn expired(open: &Open, tenant: &TenantId, now: Timestamp) -> usize {
    case::expire(&open.vault, &open.silo(tenant), now).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_goes_by_itself_and_what_somebody_asked_does_not() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let reviewer = open.person(&bank, Role::Reviewer).await;
    let [ada, bea, cid] = ["ada", "bea", "cid"].map(|id| SubjectId::parse(id).unwrap());
    for subject in ["ada", "bea", "cid"] {
        open.describe(&bank, subject).await;
    }
    let decide = async |subject: &SubjectId, id| {
        let call = may::<DecideCase>(&open, &reviewer, &bank).await;
        let (answer, reason) = (Answer::Distinct, CaseReason::PersonHeard);
        case::decide(&open.vault, call, subject, id, answer, reason).await.unwrap();
    };
    let open_one = open.contested(&bank, "ada").await;
    let done = open.contested(&bank, "ada").await;
    decide(&ada, done).await;
    let kept = open.contested(&bank, "bea").await;
    decide(&bea, kept).await;
    let contested = open.contested(&bank, "cid").await;
    decide(&cid, contested).await;
    let officer = open.person(&bank, Role::PrivacyOfficer).await;
    let call = may::<ContestCase>(&open, &officer, &bank).await;
    case::contest(&open.vault, call, &cid, contested).await.unwrap();

    // Nothing of somebody who is under a hold is destroyed.
    let officer_call = open.may::<PlaceHold>(&bank, Role::PrivacyOfficer, Purpose::LegalClaims).await;
    let label = Label::parse("case", "case-1").unwrap();
    let placed = hold::place(&open.vault, officer_call, &bea, label, after(1), RequestId::random());
    let hold = placed.await.unwrap().id;
    assert_eq!(expired(&open, &bank, after(729)).await, 0);
    assert_eq!(listed(&open, &bank).await.len(), 4);
    assert_eq!(expired(&open, &bank, after(735)).await, 1);
    assert_eq!(expired(&open, &bank, after(735)).await, 0);
    let left = |cases: Vec<Filed>| cases.into_iter().map(|filed| filed.case.id).collect::<Vec<_>>();
    assert!(!left(listed(&open, &bank).await).contains(&done));
    let call = open.may::<ReleaseHold>(&bank, Role::PrivacyOfficer, Purpose::LegalClaims).await;
    hold::release(&open.vault, call, &bea, hold).await.unwrap();
    assert_eq!(expired(&open, &bank, after(735)).await, 1);
    let mut left = left(listed(&open, &bank).await);
    left.sort();
    let mut expected = [open_one, contested];
    expected.sort();
    assert_eq!(left, expected, "nobody decided, and somebody contests");
    assert_eq!(expired(&open, &bank, after(40_000)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_keeps_data_for_a_time_keeps_cases_for_that() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let call = open.may::<UpdateTenantPolicy>(&bank, Role::TenantAdmin, Purpose::Administration).await;
    let wished = Wished { keep: Some(Some(Period::days(30))), ..Wished::default() };
    tenant::update_policy(&open.vault, call, wished).await.unwrap();
    let reviewer = open.person(&bank, Role::Reviewer).await;
    open.describe(&bank, "ada").await;
    let id = open.contested(&bank, "ada").await;
    let call = may::<DecideCase>(&open, &reviewer, &bank).await;
    let ada = SubjectId::parse("ada").unwrap();
    case::decide(&open.vault, call, &ada, id, Answer::Confirmed, CaseReason::ClientRecords).await.unwrap();
    assert_eq!(expired(&open, &bank, after(29)).await, 0);
    assert_eq!(expired(&open, &bank, after(31)).await, 1);
}

/// A case that cannot be read hides no other's, and holds up nobody's erasure.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_case_hides_no_other() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    for subject in ["ada", "bea"] {
        open.describe(&bank, subject).await;
    }
    let damaged = open.contested(&bank, "ada").await;
    let whole = open.contested(&bank, "bea").await;
    let mut change = Change::new();
    let scanned = open.vault.store.scan(RowKind::Case, &Key::prefix(RowKind::Case), |key, sealed| {
        if matches!(key, Key::Case { case, .. } if case == damaged) {
            let mut bytes = sealed.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            change.put(key, bytes);
        }
        Ok::<_, crate::Error>(())
    });
    scanned.unwrap();
    open.vault.store.commit(change).await.unwrap();
    let cases = listed(&open, &bank).await;
    assert_eq!(cases.iter().map(|filed| filed.case.id).collect::<Vec<_>>(), [whole]);
    assert_eq!(expired(&open, &bank, after(4000)).await, 0);
    super::notifications::erased(&open, &bank, "ada").await;
    let mut rows = 0;
    let scanned = open.vault.store.scan(RowKind::Case, &Key::prefix(RowKind::Case), |_, _| {
        rows += 1;
        Ok::<_, crate::Error>(())
    });
    scanned.unwrap();
    assert_eq!(rows, 1);
}

fn face(along: f32) -> Vec<f32> {
    let across = (1.0 - along * along).sqrt();
    (0..64).map(|i| [along, across].get(i).copied().unwrap_or(0.0)).collect()
}

/// Who verifies has a place among those who answer, and who counts an attempt waits for the person: neither waits for the other, however
/// many they are.
#[tokio::test(flavor = "multi_thread")]
async fn many_attempts_that_are_unclear_hold_up_nobody_and_are_all_counted() {
    const ATTEMPTS: u32 = 90;
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let model = open.model(&bank, "model", 64, None).await;
    for (subject, along) in [("ada", 1.0), ("bea", -1.0)] {
        open.enroll(&bank, subject, &model, &face(along)).await;
    }
    let [ada, bea] = ["ada", "bea"].map(|id| SubjectId::parse(id).unwrap());
    let silo = open.silo(&bank);
    // Somebody is at work on the person, and all attempts wait for that.
    let alone = silo.lock_subject(&ada).await;
    let mut answers = Vec::new();
    for _ in 0..ATTEMPTS {
        let call = open.may::<Verify>(&bank, Role::FraudAnalyst, Purpose::Authentication).await;
        let said = verify(&open.vault, call, &ada, capture(&model, &face(0.4)));
        let said = tokio::time::timeout(PATIENCE, said).await.expect("an attempt waits for the one before").unwrap();
        assert_eq!(said.band, Band::Review);
        answers.push(said);
    }
    // Somebody else's right waits for those answers alone.
    let restricted = {
        let call = open.may::<RestrictSubject>(&bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        let vault = std::sync::Arc::clone(&open.vault);
        tokio::spawn(async move { subject::restrict(&vault, call, &bea, RestrictionGround::Other).await.map(drop) })
    };
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!restricted.is_finished(), "an answer that was judged before is on its way");
    drop(alone);
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(answers);
    tokio::time::timeout(PATIENCE, restricted).await.expect("a restriction waits for ever").unwrap().unwrap();
    let counted = async {
        loop {
            let cases = listed(&open, &bank).await;
            if cases.iter().map(|filed| filed.case.attempts).sum::<u32>() == ATTEMPTS {
                return cases;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let cases = tokio::time::timeout(PATIENCE, counted).await.expect("attempts are lost");
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].subject, ada);
}

/// A vault that closes waits for what was begun.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_unclear_when_the_vault_closes_is_counted() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let model = open.model(&bank, "model", 64, None).await;
    open.enroll(&bank, "ada", &model, &face(1.0)).await;
    let ada = SubjectId::parse("ada").unwrap();
    for _ in 0..20 {
        let call = open.may::<Verify>(&bank, Role::FraudAnalyst, Purpose::Authentication).await;
        verify(&open.vault, call, &ada, capture(&model, &face(0.4))).await.unwrap();
    }
    let open = open.reopen().await;
    let cases = listed(&open, &bank).await;
    assert_eq!(cases.iter().map(|filed| filed.case.attempts).collect::<Vec<_>>(), [20]);
}
