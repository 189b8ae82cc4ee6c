//! Rows that are lost behind the vault's back.

use lethe_crypto::tree::TreeId;
use lethe_domain::{Purpose, Reason, RequestId, Role, SubjectId};
use lethe_policy::operation::{EraseSubject, Search};

use super::{Open, capture, soon};
use crate::erasure::ErasureState;
use crate::error::Error;
use crate::identification::{Query, search};
use crate::store::{Change, Key, RowKind};
use crate::{subject, templates};

/// The rows of a kind, by key.
fn keys(open: &Open, kind: RowKind) -> Vec<Key> {
    let mut keys = Vec::new();
    let scanned = open.vault.store.scan(kind, &Key::prefix(kind), |key, _| {
        keys.push(key);
        Ok::<_, Error>(())
    });
    scanned.unwrap();
    keys
}

fn mark(open: &Open, tree: TreeId) -> u64 {
    let bytes = open.vault.store.get(&Key::HighWater { tree }).unwrap().unwrap();
    u64::from_be_bytes(bytes.try_into().unwrap())
}

/// A gallery is rebuilt from sketches. Where one is lost, the gallery must not answer from what is left, and the
/// template, which nothing in memory speaks for any more, must not be taken for a slot that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_sketch_takes_the_gallery_out_of_service_and_costs_no_template() {
    let open = Open::fresh().await;
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    let faces: Vec<Vec<f32>> =
        (0..3).map(|face| (0..64).map(|i| if i % 3 == face { 1.0 } else { 0.1 }).collect()).collect();
    for (subject, face) in ["ann", "ben", "cia"].into_iter().zip(&faces) {
        open.enroll(&tenant, subject, &model, face).await;
    }
    let mut lost = Change::new();
    lost.delete(keys(&open, RowKind::Sketch)[1].clone());
    open.vault.store.commit(lost).await.unwrap();

    let open = open.reopen().await;
    let call = open.may::<Search>(&tenant, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
    let query =
        Query { subject: None, probe: capture(&model, &faces[0]), threshold: None, miss_probability: None, limit: 0 };
    let refused = search(&open.vault, call, query).await.map(|found| found.matches.len());
    assert!(matches!(&refused, Err(Error::Unavailable(Reason::GalleryNotReady, why)) if why.contains("2 sketches")));

    let call = open.may::<EraseSubject>(&tenant, Role::PrivacyOfficer, Purpose::DataSubjectRequest).await;
    let cia = SubjectId::parse("cia").unwrap();
    let erased = subject::erase(&open.vault, call, &cia, RequestId::random(), None, soon()).await.unwrap();
    assert_eq!(erased.state, ErasureState::Shredded);

    let silo = open.silo(&tenant);
    for subject in ["ann", "ben"] {
        let slot = silo.subject(&SubjectId::parse(subject).unwrap()).unwrap();
        let found = templates::of_subject(&open.vault.store, &open.vault.keys, &silo, slot, None).unwrap();
        assert_eq!(found.len(), 1, "{subject}");
    }
}

/// Slots are reserved many at a time; a clean end gives back those that were not needed, so that the next start does
/// not take them for slots that a crash burnt.
#[tokio::test(flavor = "multi_thread")]
async fn a_clean_end_leaves_no_slot_to_redraw() {
    let open = Open::fresh().await;
    let tenant = open.tenant("bank").await;
    let model = open.model(&tenant, "model", 64, None).await;
    open.enroll(&tenant, "ann", &model, &[0.5; 64]).await;
    let tree = open.silo(&tenant).tree;
    let reserved = mark(&open, tree);
    let open = open.reopen().await;
    assert!(mark(&open, tree) < reserved);
    // Slot 0 is the tenant's own, 1 and 2 are the subject's and the template's.
    assert_eq!(mark(&open, tree), 3);
    open.enroll(&tenant, "ben", &model, &[0.5; 64]).await;
    let slots: Vec<u64> = keys(&open, RowKind::Subject)
        .into_iter()
        .filter_map(|key| if let Key::Subject { subject, .. } = key { Some(subject.slot) } else { None })
        .collect();
    assert_eq!(slots, [1, 3]);
}
