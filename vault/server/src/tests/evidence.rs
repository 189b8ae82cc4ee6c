//! Evidence of consents, looked at from inside (O29).

use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_domain::{Consent, ConsentId, Evidence, Purpose, RequestId, Role, SubjectId, TenantId, Timestamp};
use lethe_policy::operation::{EraseSubject, GetEvidence, RecordConsent, WithdrawConsent};

use super::{Open, agreed, soon};
use crate::erasure::ErasureState;
use crate::error::Result;
use crate::store::{Key, RowKind};
use crate::{consent, evidence, subject};

const DAY: i64 = 86_400_000;
/// Five years, and a day for leap days to differ in.
const FIVE_YEARS: std::ops::Range<i64> = 5 * 365 * DAY..(5 * 366 + 1) * DAY;

async fn shown(open: &Open, tenant: &TenantId, id: ConsentId) -> Result<Evidence> {
    let call = open.may::<GetEvidence>(tenant, Role::Auditor, Purpose::Audit).await;
    evidence::get(&open.vault, call, id).await
}

async fn given(open: &Open, tenant: &TenantId, subject: &str, consent: Consent) -> Consent {
    let call = open.may::<RecordConsent>(tenant, Role::Enroller, Purpose::Administration).await;
    let subject = SubjectId::parse(subject).unwrap();
    consent::record(&open.vault, call, &subject, consent, RequestId::random()).await.unwrap()
}

async fn erased(open: &Open, tenant: &TenantId, subject: &str) {
    let call = open.may::<EraseSubject>(tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    let subject = SubjectId::parse(subject).unwrap();
    let erasure = subject::erase(&open.vault, call, &subject, RequestId::random(), None, soon()).await.unwrap();
    assert_eq!(erasure.state, ErasureState::Shredded);
}

/// Slots of evidence, in the order of their tags.
fn slots(open: &Open, tree: TreeId) -> Vec<SlotRef> {
    let mut slots = Vec::new();
    let prefix = Key::prefix_of_tree(RowKind::Evidence, tree);
    open.vault
        .store
        .scan(RowKind::Evidence, &prefix, |key, _| {
            if let Key::Evidence { slot, .. } = key {
                slots.push(slot);
            }
            Ok::<_, crate::Error>(())
        })
        .unwrap();
    slots
}

fn has_key(open: &Open, tree: TreeId, slot: SlotRef) -> bool {
    open.vault.keys.slot(tree, slot).unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_outlives_its_subject_by_its_own_key_and_goes_at_its_own_time() {
    let mut open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let tree = open.silo(&bank).tree;
    let kept = given(&open, &bank, "ada", agreed()).await;
    let ending = Consent { expires_at: Some(Timestamp::from_millis(kept.given_at.millis() + DAY)), ..agreed() };
    let ending = given(&open, &bank, "ada", ending).await;
    let neighbour = given(&open, &bank, "bea", agreed()).await;
    assert_eq!(shown(&open, &bank, kept.id).await.unwrap(), Evidence { consent: kept.clone(), keep_until: None });
    assert_eq!(slots(&open, tree).len(), 3);
    let subject = open.silo(&bank).subject(&SubjectId::parse("ada").unwrap()).unwrap();

    erased(&open, &bank, "ada").await;
    for restarted in [false, true] {
        if restarted {
            // Its slots have owners: no start takes them for burnt, and no epoch redraws them.
            open = open.reopen().await;
            erased(&open, &bank, "bea").await;
        }
        assert!(!has_key(&open, tree, subject));
        let found = shown(&open, &bank, kept.id).await.unwrap();
        assert_eq!(found.consent, kept);
        let left = found.keep_until.unwrap().millis() - Timestamp::now().millis();
        assert!(FIVE_YEARS.contains(&left), "{left}");
        assert_eq!(found.keep_until.unwrap().millis() % DAY, 0, "it does not tell when she was erased");
        assert_eq!(shown(&open, &bank, ending.id).await.unwrap().consent, ending);
        assert_eq!(slots(&open, tree).len(), 3);
    }

    // Nothing is over yet; then all of it is.
    let silo = open.silo(&bank);
    let before = slots(&open, tree);
    assert_eq!(evidence::expire(&open.vault, &silo, Timestamp::now()).await.unwrap(), 0);
    let then = Timestamp::from_millis(Timestamp::now().millis() + FIVE_YEARS.end);
    assert_eq!(evidence::expire(&open.vault, &silo, then).await.unwrap(), 3);
    assert!(slots(&open, tree).is_empty());
    for id in [kept.id, ending.id, neighbour.id] {
        let missing = shown(&open, &bank, id).await.unwrap_err();
        assert_eq!(missing.reason(), lethe_domain::Reason::EvidenceNotFound);
    }
    // Their keys go with the next epoch, which is on its way.
    let gone = async {
        while before.iter().any(|slot| has_key(&open, tree, *slot)) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, gone).await.expect("the keys of what is over are destroyed");
}

/// Whoever has every row, and every key that is left, finds evidence and a request, and nobody's name.
#[tokio::test(flavor = "multi_thread")]
async fn what_outlives_a_person_leads_to_nobody() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let name = "an-applicant-id-that-is-like-no-other";
    let (consent, request) = open.outlasting(&bank, name).await;
    let readable = || {
        let mut found = Vec::new();
        for kind in RowKind::ALL {
            open.vault
                .store
                .scan(kind, &Key::prefix(kind), |key, value| {
                    found.push((kind, value.to_vec()));
                    if let Ok(Some(opened)) = open.vault.keys.open(&key, "", value) {
                        found.push((kind, opened.to_vec()));
                    }
                    Ok::<_, crate::Error>(())
                })
                .unwrap();
        }
        found
    };
    let says = |row: &[u8], needle: &str| row.windows(needle.len()).any(|window| window == needle.as_bytes());
    let kinds = |needle: &str| {
        let rows = readable();
        rows.iter().filter(|(_, row)| says(row, needle)).map(|(kind, _)| *kind).collect::<Vec<_>>()
    };
    let (consent, request) = (consent.id.to_string(), request.0.to_string());
    assert_eq!(kinds(name), [RowKind::Subject]);
    assert_eq!(kinds(&consent), [RowKind::Dossier, RowKind::Evidence]);
    assert_eq!(kinds(&request), [RowKind::Asked, RowKind::LogEntry]);
    erased(&open, &bank, name).await;
    assert!(kinds(name).is_empty());
    assert_eq!(kinds(&consent), [RowKind::Evidence]);
    // In the log it stands beside a pseudonym whose key is gone.
    assert_eq!(kinds(&request), [RowKind::LogEntry]);
    assert!(
        open.vault
            .keys
            .open(&Key::Asked { tree: open.silo(&bank).tree, subject: SlotRef::first(1) }, "", &[])
            .unwrap()
            .is_none()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_is_in_the_evidence_and_begins_its_time() {
    let open = Open::fresh().await;
    let bank = open.tenant("bank").await;
    let consent = given(&open, &bank, "ada", agreed()).await;
    let ada = SubjectId::parse("ada").unwrap();
    let call = open.may::<WithdrawConsent>(&bank, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    let withdrawn = consent::withdraw(&open.vault, call, &ada, consent.id, RequestId::random(), soon()).await.unwrap();
    let withdrawn = withdrawn.consent.unwrap();
    let found = shown(&open, &bank, consent.id).await.unwrap();
    assert_eq!(found.consent, withdrawn);
    let until = found.keep_until.unwrap();
    let length = until.millis() - withdrawn.withdrawn_at.unwrap().millis();
    assert!(FIVE_YEARS.contains(&length), "{length}");
    // Her erasure does not make it last longer.
    erased(&open, &bank, "ada").await;
    assert_eq!(
        shown(&open, &bank, consent.id).await.unwrap(),
        Evidence { consent: withdrawn, keep_until: Some(until) }
    );
    // One that was over long ago is kept by nobody.
    let ago = |years: i64| Timestamp::from_millis(Timestamp::now().millis() - years * 366 * DAY);
    let over = Consent { given_at: ago(9), expires_at: Some(ago(6)), ..agreed() };
    let over = given(&open, &bank, "bea", over).await;
    assert!(shown(&open, &bank, over.id).await.is_err());
    assert_eq!(slots(&open, open.silo(&bank).tree).len(), 1);
}

/// Another tenant's key makes another name of the same id.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_found_by_its_tenant_alone() {
    let open = Open::fresh().await;
    let (bank, shop) = (open.tenant("bank").await, open.tenant("shop").await);
    let consent = given(&open, &bank, "ada", agreed()).await;
    assert!(shown(&open, &shop, consent.id).await.is_err());
    assert!(shown(&open, &bank, ConsentId::from_bytes([9; 16])).await.is_err());
    assert!(shown(&open, &bank, consent.id).await.is_ok());
}
