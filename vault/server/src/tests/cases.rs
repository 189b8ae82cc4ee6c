//! Questions about people, looked at from inside (O11).

use lethe_domain::{CaseReason, Label, Period, Purpose, RequestId, Role, SubjectId, TenantId, Timestamp};
use lethe_policy::case::Answer;
use lethe_policy::operation::{ContestCase, DecideCase, Kind, ListCases, PlaceHold, ReleaseHold, UpdateTenantPolicy};
use lethe_policy::{Authorized, Principal};

use super::Open;
use crate::case::{self, Filed, Filter};
use crate::store::{Change, Key, RowKind};
use crate::tenant::Wished;
use crate::vault::Aim;
use crate::{hold, tenant};

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
async fn what_is_decided_goes_by_itself_and_what_is_not_never() {
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
