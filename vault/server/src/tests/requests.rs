//! Lists of requests, by what is read for them.

use lethe_domain::{
    Jurisdiction, Period, Purpose, RequestKind, RequestOutcome, Requester, RightsRequest, RightsRequestId, Role,
    TenantId, Timestamp,
};
use lethe_policy::operation::{CountRequests, ListRequests, UpdateTenantPolicy};
use lethe_policy::request as terms;

use super::Open;
use crate::error::Result;
use crate::limitation;
use crate::request::{self, Filter, Page};
use crate::store::{Change, Key};
use crate::tenant::{self, Wished};

fn id(number: u16) -> RightsRequestId {
    let mut bytes = [0; 16];
    bytes[6..8].copy_from_slice(&number.to_be_bytes());
    RightsRequestId::from_bytes(bytes)
}

/// Puts requests with the ids from 0 on, answered or not.
async fn file(open: &Open, tenant: &TenantId, numbers: std::ops::Range<u16>, is_answered: bool) {
    let (silo, now) = (open.silo(tenant), Timestamp::now());
    let law = Jurisdiction::EuropeanUnion;
    let opened = terms::open(RequestKind::Erasure, law, Requester::Subject, None, now, now);
    let closed = |request: &RightsRequest| {
        let verified = Some(lethe_domain::Verification::Account);
        terms::close(request, RequestOutcome::Fulfilled, None, verified, now).unwrap()
    };
    let filed = if is_answered { closed(&opened) } else { opened };
    let mut change = Change::new();
    for number in numbers {
        request::put(&open.vault, &silo, id(number), &filed, &mut change).unwrap();
    }
    open.vault.store.commit(change).await.unwrap();
}

/// Whoever reads this one finds out.
async fn damage(open: &Open, tenant: &TenantId, number: u16) {
    let mut change = Change::new();
    change.put(Key::Request { tree: open.silo(tenant).tree, request: id(number) }, b"nonsense".to_vec());
    open.vault.store.commit(change).await.unwrap();
}

async fn list(open: &Open, tenant: &TenantId, unanswered: bool, from: u64, size: usize) -> Result<Page> {
    let call = open.may::<ListRequests>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    request::list(&open.vault, call, Filter { unanswered, ..Filter::default() }, from, size).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_request_is_kept_for_the_limitation_period_and_one_that_is_not_for_ever() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    file(&open, &bank, 0..2, true).await;
    file(&open, &bank, 2..4, false).await;
    damage(&open, &bank, 1).await;
    let silo = open.silo(&bank);
    let after = |days: i64| Timestamp::from_millis(Timestamp::now().millis() + days * 86_400_000);
    let expire = async |days| limitation::expire(&open.vault, &silo, &request::LEDGER, after(days)).await.unwrap();
    assert_eq!(expire(5 * 365).await, 0);
    // The client's own period counts from the moment it is said.
    let call = open.may::<UpdateTenantPolicy>(&bank, Role::TenantAdmin, Purpose::Administration).await;
    let limitation = Some(Some(Period::months(24)));
    tenant::update_policy(&open.vault, call, Wished { limitation, ..Wished::default() }).await.unwrap();
    assert_eq!(expire(729).await, 0);
    // What cannot be read keeps nothing else here.
    assert_eq!(expire(732).await, 1);
    assert_eq!(expire(36_500).await, 0);
    let left = list(&open, &bank, true, 2, 100).await.unwrap();
    assert_eq!(left.requests.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(2), id(3)]);
    assert!(open.vault.store.get(&Key::Request { tree: silo.tree, request: id(0) }).unwrap().is_none());
    open.vault.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_costs_what_it_gives() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    file(&open, &bank, 0..6, false).await;
    damage(&open, &bank, 4).await;
    // One more is read, as it says whether there is another page.
    let page = list(&open, &bank, false, 0, 3).await.unwrap();
    let ids: Vec<_> = page.requests.iter().map(|(id, _)| *id).collect();
    assert_eq!((ids, page.next), (vec![id(0), id(1), id(2)], Some(3)));
    assert!(list(&open, &bank, false, 0, 4).await.is_err(), "the fifth row is read");
    assert!(list(&open, &bank, false, 3, 3).await.is_err());
    let page = list(&open, &bank, false, 5, 3).await.unwrap();
    assert_eq!((page.requests.len(), page.next), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_what_is_rare_reads_a_bounded_number_of_rows() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    file(&open, &bank, 0..1001, true).await;
    file(&open, &bank, 1001..1003, false).await;
    damage(&open, &bank, 1003).await;
    let page = list(&open, &bank, true, 0, 2).await.unwrap();
    assert_eq!((page.requests.len(), page.next), (0, Some(1000)), "what comes after 1000 rows is another page's");
    assert!(list(&open, &bank, true, 1000, 2).await.is_err(), "it goes on behind the two, to the row that is damaged");
    let page = list(&open, &bank, true, 1000, 1).await.unwrap();
    assert_eq!((page.requests.len(), page.next), (1, Some(1002)));

    let count = || async {
        let call = open.may::<CountRequests>(&bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
        request::count(&open.vault, call).await
    };
    assert!(count().await.is_err(), "all are counted");
    file(&open, &bank, 1003..1004, false).await;
    let (_, counts) = count().await.unwrap();
    let [(RequestKind::Erasure, counted)] = &counts[..] else { panic!("{counts:?}") };
    assert_eq!((counted.received, counted.fulfilled, counted.open), (1004, 1001, 3));
}
