//! What is left of a tenant that was shredded, row by row (O27).

use std::collections::BTreeMap;
use std::sync::Arc;

use lethe_crypto::log::entry::{Entry, Event};
use lethe_crypto::log::json::Value;
use lethe_crypto::log::merkle::Frontier;
use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_domain::{ModelId, ProposalId, Purpose, Reason, RequestId, Role, Roles, TenantId, TenantPolicy};
use lethe_policy::Owner;
use lethe_policy::operation::ShredTenant;

use super::{Open, principal, soon};
use crate::erasure::{Erasure, ErasureState};
use crate::store::{Change, Key, RowKind, StoreError};
use crate::tenant;
use crate::vault::Aim;

pub(super) async fn populated(open: &Open, id: &str, people: usize) -> TenantId {
    let purposes = [Purpose::Authentication, Purpose::DuplicateDetection, Purpose::FraudPrevention];
    let tenant = open.tenant_for(id, &purposes).await;
    open.credential(&tenant).await;
    let model = open.model(&tenant, "model", 64, None).await;
    for person in 0..people {
        let face: Vec<f32> = (0..64).map(|i| ((i * (person + 1)) as f32).sin() + 0.1).collect();
        open.enroll(&tenant, &format!("person-{person}"), &model, &face).await;
    }
    tenant
}

pub(super) async fn shred(open: &Open, tenant: &TenantId) -> Erasure {
    let agreed = open.agree(tenant).await;
    shred_as(open, tenant, agreed).await
}

/// Shreds a tenant as two persons agreed.
async fn shred_as(open: &Open, tenant: &TenantId, agreed: ProposalId) -> Erasure {
    let operator = principal(Owner::Vault, Roles::only(Role::Operator));
    let call = open.vault.admit::<ShredTenant>(&operator, Aim::Vault, Some(Purpose::Administration)).await;
    tenant::shred(&open.vault, call.unwrap(), tenant, Some(agreed), RequestId::random(), soon()).await.unwrap()
}

/// Rows of a tree by kind.
fn rows(open: &Open, tree: TreeId) -> BTreeMap<RowKind, usize> {
    let mut rows = BTreeMap::new();
    for kind in RowKind::ALL {
        open.vault
            .store
            .scan(kind, &Key::prefix(kind), |key, _| {
                if key.tree() == Some(tree) {
                    *rows.entry(kind).or_default() += 1;
                }
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_shredded_tenant_but_its_log() {
    let mut open = Open::fresh().await;
    let (bank, shop) = (populated(&open, "bank", 20).await, populated(&open, "shop", 5).await);
    for tenant in [&bank, &shop] {
        open.describe(tenant, "somebody-known").await;
        open.outlasting(tenant, "somebody-known").await;
        open.notified(tenant, "person-0").await;
        open.watched(tenant, &["person-1"]).await;
        open.contested(tenant, "person-0").await;
        let camera = open.camera(tenant).await;
        let model = ModelId::parse("model", "1").unwrap();
        open.attested(tenant, &camera, "person-2", &model).await;
    }
    let agreed = open.agree(&bank).await;
    let (tree, neighbour) = (open.silo(&bank).tree, open.silo(&shop).tree);
    let silo = Arc::downgrade(&open.silo(&bank));
    let (before, others) = (rows(&open, tree), rows(&open, neighbour));
    // Nobody is under a hold: such a tenant is not shredded.
    for kind in RowKind::OF_TENANT.into_iter().filter(|kind| *kind != RowKind::Held) {
        assert!(before.contains_key(&kind), "{kind:?}");
    }
    let erasure = shred_as(&open, &bank, agreed).await;
    assert_eq!(erasure.state, ErasureState::Shredded);

    for _ in ["at once", "after a restart"] {
        let left = rows(&open, tree);
        let expected = [RowKind::Shredded, RowKind::LogHead, RowKind::LogEntry, RowKind::LogNode];
        assert_eq!(left.keys().copied().collect::<Vec<_>>(), expected, "{left:?}");
        assert_eq!(left[&RowKind::LogEntry], before[&RowKind::LogEntry] + 1, "the last entry is the shredding's");
        assert_eq!(rows(&open, neighbour), others, "the neighbour has what it had");
        for slot in 0..64 {
            assert!(open.vault.keys.slot(tree, SlotRef::first(slot)).unwrap().is_none(), "slot {slot} has a key");
        }
        assert!(open.vault.silos.find(&bank).is_none() && open.vault.silos.is_spent(&bank));
        assert!(open.vault.silos.find(&shop).is_some() && !open.vault.silos.is_spent(&shop));
        let credentials = open.vault.silos.credentials_of(tree);
        assert!(credentials.is_empty(), "{credentials:?}");
        // Whatever still wanted to write to it comes too late.
        for key in [Key::HighWater { tree }, Key::Tenant { tenant: tree.as_tenant().unwrap() }, Key::LogKey { tree }] {
            let mut change = Change::new();
            change.put(key, vec![0; 8]);
            let refused = open.vault.store.commit(change).await.unwrap_err();
            assert!(matches!(refused, StoreError::Shredded), "{refused}");
        }
        open = open.reopen().await;
    }
    assert!(silo.upgrade().is_none(), "its galleries are still in memory");
}

/// Its own key, which signed its log, is gone: the vault's log holds it to what it was.
#[tokio::test(flavor = "multi_thread")]
async fn the_vaults_log_tells_where_a_shredded_tenants_log_ends() {
    let open = Open::fresh().await;
    let bank = populated(&open, "bank", 3).await;
    let tree = open.silo(&bank).tree;
    let agreed = open.agree(&bank).await;
    let erasure = shred_as(&open, &bank, agreed).await;
    let store = &open.vault.store;
    let head = crate::audit::log_of(&open.vault, tree).unwrap();
    let root = Frontier::from_nodes(head.size, &store.nodes(tree)).unwrap().root();
    let mut closed = Vec::new();
    let of_vault = Key::prefix_of_tree(RowKind::LogEntry, TreeId::VAULT);
    store
        .scan(RowKind::LogEntry, &of_vault, |_, line| {
            if let Some(Event::Other(event)) = Entry::decode(line).unwrap().event
                && event.kind().as_str() == "TENANT_CLOSED"
            {
                closed.push(event.fields().to_vec());
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let text = |name: &str, value: String| (name.to_owned(), Value::String(value));
    let expected = vec![
        text("receipt", erasure.receipt.to_string()),
        text("proposal", agreed.to_string()),
        text("log", head.origin.to_string()),
        ("size".to_owned(), Value::Number(head.size)),
        text("root", root.to_string()),
    ];
    assert_eq!(closed, [expected]);
}

/// The database's sequence counts what is written: a thousand people more cost nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_tenant_is_shredded_in_as_many_writes_as_a_small_one() {
    let open = Open::fresh().await;
    let (small, large) = (populated(&open, "small", 1).await, populated(&open, "large", 400).await);
    let mut written = Vec::new();
    for tenant in [&small, &large] {
        // So that both epochs find the same to do.
        let erasure = shred(&open, &populated(&open, &format!("before-{tenant}"), 1).await).await;
        assert_eq!(erasure.state, ErasureState::Shredded);
        let agreed = open.agree(tenant).await;
        let before = open.vault.store.barrier().await.unwrap();
        shred_as(&open, tenant, agreed).await;
        written.push(open.vault.store.barrier().await.unwrap() - before);
    }
    // The nodes of two logs vary with their lengths, by a few.
    assert!(written[0].abs_diff(written[1]) < 16 && written[1] < 100, "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_shredded_tenant_is_not_given_again() {
    let mut open = Open::fresh().await;
    let bank = populated(&open, "bank", 1).await;
    shred(&open, &bank).await;
    for _ in ["at once", "after a restart"] {
        let operator = principal(Owner::Vault, Roles::only(Role::Operator));
        let call = open.vault.admit(&operator, Aim::Vault, Some(Purpose::Administration)).await.unwrap();
        let Err(refusal) =
            tenant::create(&open.vault, call, bank.clone(), TenantPolicy::of(Vec::new()), None, None).await
        else {
            panic!("the name was given again");
        };
        assert_eq!(refusal.reason(), Reason::TenantExists);
        open = open.reopen().await;
    }
    populated(&open, "bank-2", 1).await;
}
