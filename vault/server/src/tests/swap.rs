//! The swap matrix: no sealed row opens in another's place.
#![allow(clippy::wildcard_enum_match_arm, reason = "the kinds that matter are counted")]

use std::collections::BTreeMap;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    CaseId, CredentialId, DisclosureId, ModelId, NotificationId, ProposalId, Purpose, RightsRequestId, WatchlistEntryId,
};

use super::{Open, shredding};
use crate::store::keys::TemplateAt;
use crate::store::{Key, RowKind};

const SEALED: [RowKind; 21] = [
    RowKind::Tenant,
    RowKind::Credential,
    RowKind::Profile,
    RowKind::TenantRequest,
    RowKind::LogKey,
    RowKind::Shredded,
    RowKind::Watchlist,
    RowKind::Subject,
    RowKind::Template,
    RowKind::Sketch,
    RowKind::SubjectRequest,
    RowKind::Dossier,
    RowKind::WatchlistEntry,
    RowKind::Listed,
    RowKind::Proposal,
    RowKind::Disclosure,
    RowKind::Evidence,
    RowKind::Request,
    RowKind::Asked,
    RowKind::Notification,
    RowKind::Case,
];

/// Two tenants, each with two models, two subjects that something is known of, two templates of each model, and two answers of administration that
/// are remembered; two such answers of the vault's own; and two tenants that are shredded.
async fn populated() -> Open {
    let open = Open::fresh().await;
    for _ in 0..2 {
        open.operator().await;
    }
    for id in ["bank", "shop"] {
        let purposes = [Purpose::Authentication, Purpose::DuplicateDetection, Purpose::FraudPrevention];
        let tenant = open.tenant_for(id, &purposes).await;
        for _ in 0..2 {
            open.credential(&tenant).await;
        }
        for name in ["one", "two"] {
            let model: ModelId = open.model(&tenant, name, 64, None).await;
            for (subject, seed) in [("ann", 1), ("ann", 2), ("bob", 3), ("bob", 4)] {
                let face: Vec<f32> = (0..64).map(|i| ((i * seed) as f32).sin() + 0.1).collect();
                open.enroll(&tenant, subject, &model, &face).await;
            }
        }
        open.watched(&tenant, &["ann", "bob"]).await;
        for subject in ["ann", "bob"] {
            open.describe(&tenant, subject).await;
            open.outlasting(&tenant, subject).await;
            open.notified(&tenant, subject).await;
            open.contested(&tenant, subject).await;
        }
    }
    for id in ["gone", "left"] {
        let tenant = shredding::populated(&open, id, 1).await;
        shredding::shred(&open, &tenant).await;
    }
    open
}

fn rows(open: &Open) -> Vec<(Key, String, Vec<u8>)> {
    let mut rows = Vec::new();
    for kind in SEALED {
        open.vault
            .store
            .scan(kind, &Key::prefix(kind), |key, value| {
                rows.push((key.clone(), model_of(open, &key), value.to_vec()));
                Ok::<_, crate::Error>(())
            })
            .unwrap();
    }
    rows
}

fn model_of(open: &Open, key: &Key) -> String {
    match key {
        Key::Template { tree, profile, .. } | Key::Sketch { tree, profile, .. } => {
            let silo = open.vault.silos.of_tree(*tree).unwrap();
            silo.model_numbered(*profile).unwrap().profile.model().to_string()
        }
        _ => String::new(),
    }
}

/// The same key with one of its fields changed, each in turn, or of another kind with the same fields.
fn neighbours(key: &Key) -> Vec<Key> {
    let other = |slot: SlotRef| SlotRef { slot: slot.slot + 1, ..slot };
    let others =
        |at: TemplateAt| [TemplateAt { subject: other(at.subject), ..at }, TemplateAt { thing: other(at.thing), ..at }];
    let mut changed = Vec::new();
    match *key {
        Key::Template { tree, gallery, at, profile } => {
            changed.extend(others(at).map(|at| Key::Template { tree, gallery, at, profile }));
            changed.push(Key::Template { tree, gallery: gallery + 1, at, profile });
            changed.push(Key::Template { tree, gallery, at, profile: profile + 1 });
            changed.push(Key::Sketch { tree, gallery, profile, at });
        }
        Key::Sketch { tree, gallery, profile, at } => {
            changed.extend(others(at).map(|at| Key::Sketch { tree, gallery, profile, at }));
            changed.push(Key::Sketch { tree, gallery: gallery + 1, profile, at });
            changed.push(Key::Sketch { tree, gallery, profile: profile + 1, at });
            changed.push(Key::Template { tree, gallery, at, profile });
        }
        Key::Subject { tree, subject } => {
            changed.push(Key::Subject { tree, subject: other(subject) });
            changed.push(Key::SubjectRequest { tree, subject, tag: [0; 16] });
            changed.push(Key::Dossier { tree, subject });
        }
        Key::Dossier { tree, subject } => {
            changed.push(Key::Dossier { tree, subject: other(subject) });
            changed.push(Key::Subject { tree, subject });
            changed.push(Key::Asked { tree, subject });
        }
        Key::Asked { tree, subject } => {
            changed.push(Key::Asked { tree, subject: other(subject) });
            changed.push(Key::Dossier { tree, subject });
            changed.push(Key::Evidence { tree, tag: [0; 16], slot: subject });
        }
        Key::Evidence { tree, tag, slot } => {
            changed.push(Key::Evidence { tree, tag, slot: other(slot) });
            changed.push(Key::Evidence { tree, tag: [0; 16], slot });
            changed.push(Key::SubjectRequest { tree, subject: slot, tag });
        }
        Key::WatchlistEntry { tree, list, entry, slot } => {
            changed.push(Key::WatchlistEntry { tree, list: list + 1, entry, slot });
            changed.push(Key::WatchlistEntry { tree, list, entry: WatchlistEntryId::from_bytes([0; 16]), slot });
            changed.push(Key::WatchlistEntry { tree, list, entry, slot: other(slot) });
            changed.push(Key::Evidence { tree, tag: *entry.as_bytes(), slot });
        }
        Key::Listed { tree, subject } => {
            changed.push(Key::Listed { tree, subject: other(subject) });
            changed.push(Key::Asked { tree, subject });
        }
        Key::Watchlist { tree, number } => {
            changed.push(Key::Watchlist { tree, number: number + 1 });
            changed.push(Key::Profile { tree, number });
        }
        Key::Request { tree, request } => {
            changed.push(Key::Request { tree, request: RightsRequestId::from_bytes([0; 16]) });
            changed.push(Key::TenantRequest { tree, tag: *request.as_bytes() });
        }
        Key::Notification { tree, notification } => {
            changed.push(Key::Notification { tree, notification: NotificationId::from_bytes([0; 16]) });
            changed.push(Key::Request { tree, request: RightsRequestId::from_bytes(*notification.as_bytes()) });
        }
        Key::SubjectRequest { tree, subject, tag } => {
            changed.push(Key::SubjectRequest { tree, subject: other(subject), tag });
            changed.push(Key::SubjectRequest { tree, subject, tag: [0; 16] });
            changed.push(Key::TenantRequest { tree, tag });
        }
        Key::Profile { tree, number } => changed.push(Key::Profile { tree, number: number + 1 }),
        Key::Credential { tree, credential } => {
            changed.push(Key::Credential { tree, credential: CredentialId::from_bytes([0; 16]) });
            changed.push(Key::TenantRequest { tree, tag: *credential.as_bytes() });
        }
        Key::TenantRequest { tree, tag } => {
            changed.push(Key::TenantRequest { tree, tag: [0; 16] });
            changed.push(Key::Credential { tree, credential: CredentialId::from_bytes(tag) });
        }
        Key::Proposal { tree, proposal } => {
            changed.push(Key::Proposal { tree, proposal: ProposalId::from_bytes([0; 16]) });
            changed.push(Key::TenantRequest { tree, tag: *proposal.as_bytes() });
        }
        Key::Disclosure { tree, subject, disclosure } => {
            changed.push(Key::Disclosure { tree, subject: other(subject), disclosure });
            changed.push(Key::Disclosure { tree, subject, disclosure: DisclosureId::from_bytes([0; 16]) });
            changed.push(Key::SubjectRequest { tree, subject, tag: *disclosure.as_bytes() });
        }
        Key::Case { tree, subject, case } => {
            changed.push(Key::Case { tree, subject: other(subject), case });
            changed.push(Key::Case { tree, subject, case: CaseId::from_bytes([0; 16]) });
            changed.push(Key::Disclosure { tree, subject, disclosure: DisclosureId::from_bytes(*case.as_bytes()) });
        }
        Key::Shredded { tenant } => changed.push(Key::Shredded { tenant: other(tenant) }),
        _ => {}
    }
    changed
}

/// The same key with each of its slot references in turn one generation on: the tenant's, the subject's, the template's.
fn later(key: &Key) -> Vec<Key> {
    let next = |slot: SlotRef| SlotRef { generation: slot.generation + 1, ..slot };
    let mut later = Vec::new();
    if let Some(tenant) = key.tree().and_then(|tree| tree.as_tenant()) {
        later.extend(of_tenant(key, next(tenant)));
    }
    let things =
        |at: TemplateAt| [TemplateAt { subject: next(at.subject), ..at }, TemplateAt { thing: next(at.thing), ..at }];
    match *key {
        Key::Subject { tree, subject } => later.push(Key::Subject { tree, subject: next(subject) }),
        Key::Dossier { tree, subject } => later.push(Key::Dossier { tree, subject: next(subject) }),
        Key::Asked { tree, subject } => later.push(Key::Asked { tree, subject: next(subject) }),
        Key::Listed { tree, subject } => later.push(Key::Listed { tree, subject: next(subject) }),
        Key::WatchlistEntry { tree, list, entry, slot } => {
            later.push(Key::WatchlistEntry { tree, list, entry, slot: next(slot) });
        }
        Key::Evidence { tree, tag, slot } => later.push(Key::Evidence { tree, tag, slot: next(slot) }),
        Key::Disclosure { tree, subject, disclosure } => {
            later.push(Key::Disclosure { tree, subject: next(subject), disclosure });
        }
        Key::Case { tree, subject, case } => later.push(Key::Case { tree, subject: next(subject), case }),
        Key::SubjectRequest { tree, subject, tag } => {
            later.push(Key::SubjectRequest { tree, subject: next(subject), tag });
        }
        Key::Template { tree, gallery, at, profile } => {
            later.extend(things(at).map(|at| Key::Template { tree, gallery, at, profile }));
        }
        Key::Sketch { tree, gallery, profile, at } => {
            later.extend(things(at).map(|at| Key::Sketch { tree, gallery, profile, at }));
        }
        _ => {}
    }
    later
}

/// The same key in a tenant's place: all sealed rows but the vault's own name it in the same bytes.
fn of_tenant(key: &Key, tenant: SlotRef) -> Option<Key> {
    if key.kind() == RowKind::Shredded {
        return None;
    }
    let mut bytes = key.encode();
    bytes[1..=SlotRef::LENGTH].copy_from_slice(&tenant.encode());
    Some(Key::decode(&bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_opens_in_anothers_place() {
    let open = populated().await;
    let rows = rows(&open);
    let keys = &open.vault.keys;
    for kind in SEALED {
        assert!(rows.iter().filter(|(key, ..)| key.kind() == kind).count() >= 2, "{kind:?}");
    }
    let mut refused = 0;
    for (key, model, value) in &rows {
        assert!(keys.open(key, model, value).unwrap().is_some(), "{key:?} opens in its own place");
        for (place, its_model, _) in rows.iter().filter(|(place, ..)| place != key) {
            assert!(keys.open(place, its_model, value).is_err(), "{key:?} opens as {place:?}");
            refused += 1;
        }
        for place in neighbours(key) {
            assert!(keys.open(&place, model, value).is_err(), "{key:?} opens as {place:?}");
            refused += 1;
        }
        assert!(keys.open(key, "three@1", value).is_err(), "{key:?} opens under another model");
    }
    println!("{} rows, {refused} swaps refused", rows.len());
    assert!(refused > rows.len() * (rows.len() - 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_generation_is_not_opened_and_not_invented() {
    let open = populated().await;
    let mut refused: BTreeMap<RowKind, usize> = BTreeMap::new();
    for (key, model, value) in rows(&open) {
        for place in later(&key) {
            assert!(open.vault.keys.open(&place, &model, &value).is_err(), "{key:?} opens as {place:?}");
            *refused.entry(key.kind()).or_default() += 1;
        }
    }
    // A shredded tenant's row is the vault's own, sealed under a slot that is never redrawn.
    let expected = SEALED.iter().filter(|kind| **kind != RowKind::Shredded);
    assert!(refused.keys().eq(expected), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_put_in_anothers_place_takes_its_gallery_out_of_service_by_name() {
    let open = populated().await;
    let tenant = lethe_domain::TenantId::parse("bank").unwrap();
    let sketches: Vec<_> = rows(&open).into_iter().filter(|(key, ..)| key.kind() == RowKind::Sketch).collect();
    let mut change = crate::store::Change::new();
    change.put(sketches[0].0.clone(), sketches[1].2.clone());
    open.vault.store.commit(change).await.unwrap();
    let open = open.reopen().await;
    let faults: Vec<_> = open.silo(&tenant).models().iter().filter_map(crate::silo::Model::fault).collect();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("Sketch"), "{faults:?}");
    let model = open.silo(&tenant).models().into_iter().find(|model| model.fault().is_some()).unwrap();
    assert!(model.expect_whole().is_err());
}
