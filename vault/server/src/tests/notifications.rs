//! Whom to tell what became of somebody's data, looked at from inside (O41).

use lethe_domain::{NotificationOutcome, Occasion, Purpose, RequestId, Role, SubjectId, TenantId, Timestamp};
use lethe_policy::operation::{CloseNotification, EraseSubject, ListNotifications};

use super::{Open, soon};
use crate::erasure::ErasureState;
use crate::error::Error;
use crate::limitation::expire;
use crate::notification::{self, Filed};
use crate::store::{Change, Key, RowKind};
use crate::subject;

pub(super) async fn erased(open: &Open, tenant: &TenantId, subject: &str) {
    let call = open.may::<EraseSubject>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    let subject = SubjectId::parse(subject).unwrap();
    let erasure = subject::erase(&open.vault, call, &subject, RequestId::random(), None, soon()).await.unwrap();
    assert_eq!(erasure.state, ErasureState::Shredded);
}

async fn listed(open: &Open, tenant: &TenantId) -> Vec<Filed> {
    let call = open.may::<ListNotifications>(tenant, Role::Auditor, Purpose::Audit).await;
    notification::list(&open.vault, call, false, 0, 100).await.unwrap().notifications
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_notification_goes_five_years_later_and_what_is_owed_never() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    for subject in ["ada", "bea"] {
        open.describe(&bank, subject).await;
        open.notified(&bank, subject).await;
    }
    let (told, owed) = (listed(&open, &bank).await.remove(0), listed(&open, &bank).await.remove(1));
    let call = open.may::<CloseNotification>(&bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    notification::close(&open.vault, call, told.0, NotificationOutcome::Told).await.unwrap();
    let silo = open.silo(&bank);
    let after = |years: i64| Timestamp::from_millis(Timestamp::now().millis() + years * 366 * 86_400_000);
    assert_eq!(expire(&open.vault, &silo, &notification::LEDGER, after(4)).await.unwrap(), 0);
    assert_eq!(listed(&open, &bank).await.len(), 2);
    assert_eq!(expire(&open.vault, &silo, &notification::LEDGER, after(6)).await.unwrap(), 1);
    assert_eq!(expire(&open.vault, &silo, &notification::LEDGER, after(60)).await.unwrap(), 0);
    assert_eq!(listed(&open, &bank).await, [owed]);
}

/// A disclosure that cannot be read keeps nobody here; the others' recipients are told.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_disclosure_holds_up_nobodys_erasure() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    open.describe(&bank, "ada").await;
    let ids = [open.disclosed(&bank, "ada").await, open.disclosed(&bank, "ada").await];
    let mut change = Change::new();
    let prefix = Key::prefix(RowKind::Disclosure);
    let scanned = open.vault.store.scan(RowKind::Disclosure, &prefix, |key, sealed| {
        if matches!(key, Key::Disclosure { disclosure, .. } if disclosure == ids[0]) {
            let mut damaged = sealed.to_vec();
            *damaged.last_mut().unwrap() ^= 1;
            change.put(key, damaged);
        }
        Ok::<_, Error>(())
    });
    scanned.unwrap();
    open.vault.store.commit(change).await.unwrap();
    erased(&open, &bank, "ada").await;
    let listed = listed(&open, &bank).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((listed[0].1.occasion, &listed[0].1.disclosures[..]), (Occasion::Erased, &ids[1..]));
}
