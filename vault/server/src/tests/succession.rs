//! A log's key and its successions, as they are beside each other in the store.

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::succession::Keys;
use lethe_crypto::tree::TreeId;
use lethe_domain::{Purpose, RequestId, Role, TenantId};
use lethe_policy::operation::{ApproveProposal, ListKeySuccessions, ProposeKeyRotation};

use super::{Duration, Open};
use crate::error::Error;
use crate::store::{Change, Key, RowKind, StoreError};
use crate::{approval, audit};

/// Two persons give the tenant's log another key.
async fn rotate(open: &Open, tenant: &TenantId) {
    let approver = open.person(tenant, Role::Auditor).await;
    let proposer = open.person(tenant, Role::TenantAdmin).await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    let call = open.call::<ProposeKeyRotation>(&proposer, tenant).await;
    let proposal = audit::propose_rotation(&open.vault, call, RequestId::random()).await.unwrap().stored.proposal;
    let call = open.call::<ApproveProposal>(&approver, tenant).await;
    approval::approve(&open.vault, call, proposal.id, proposal.digest).await.unwrap();
}

async fn put(open: &Open, key: Key, row: Vec<u8>) {
    let mut change = Change::new();
    change.put(key, row);
    open.vault.store.commit(change).await.unwrap();
}

fn rows(open: &Open, kind: RowKind, tree: TreeId) -> Vec<(Key, Vec<u8>)> {
    let mut found = Vec::new();
    let each = |key, row: &[u8]| {
        found.push((key, row.to_vec()));
        Ok::<_, StoreError>(())
    };
    open.vault.store.scan(kind, &Key::prefix_of_tree(kind, tree), each).unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_is_not_the_newest_signs_nothing() {
    let open = Open::fresh().await;
    let tenant = open.tenant("bank").await;
    let tree = open.silo(&tenant).tree;
    let before = rows(&open, RowKind::LogKey, tree);
    let first = audit::checkpoint(&open.vault, tree).await.unwrap().verifier;
    rotate(&open, &tenant).await;
    rotate(&open, &tenant).await;
    let after = rows(&open, RowKind::LogKey, tree);
    assert!(before.len() == 1 && after.len() == 1 && before != after, "there is one seed, and another");
    let signed = audit::checkpoint(&open.vault, tree).await.unwrap();
    let call = open.may::<ListKeySuccessions>(&tenant, Role::Auditor, Purpose::Audit).await;
    let (successions, next) = audit::list_successions(&open.vault, &call, tree, 0, 9).await.unwrap();
    assert_eq!((successions.len(), next), (2, None));
    let keys = Keys::follow(&first, &successions).unwrap();
    assert_eq!(*keys.newest(), signed.verifier);
    Checkpoint::open(signed.note.as_bytes(), keys.newest()).unwrap();
    let (page, next) = audit::list_successions(&open.vault, &call, tree, 0, 1).await.unwrap();
    assert_eq!((&page[..], next), (&successions[..1], Some(1)));

    // The old seed is put back, by whoever can write to the disk.
    put(&open, before[0].0.clone(), before[0].1.clone()).await;
    let refused = audit::checkpoint(&open.vault, tree).await.map(drop).unwrap_err();
    assert!(matches!(refused, Error::Store(StoreError::Corrupt(_))), "{refused}");
    let proposer = open.person(&tenant, Role::TenantAdmin).await;
    let call = open.call::<ProposeKeyRotation>(&proposer, &tenant).await;
    assert!(audit::propose_rotation(&open.vault, call, RequestId::random()).await.is_err());
    put(&open, after[0].0.clone(), after[0].1.clone()).await;
    audit::checkpoint(&open.vault, tree).await.unwrap();

    // A succession that is of more than there is, or of nothing, or damaged, ends in an error and not in a loop.
    let newest = rows(&open, RowKind::LogSuccession, tree).pop().unwrap();
    for (key, row) in [
        (Key::LogSuccession { tree, size: 1 << 40 }, newest.1.clone()),
        (newest.0.clone(), b"none".to_vec()),
        (newest.0.clone(), vec![0xff]),
    ] {
        put(&open, key.clone(), row).await;
        let refused = audit::checkpoint(&open.vault, tree).await.map(drop).unwrap_err();
        assert!(matches!(refused, Error::Store(StoreError::Corrupt(_))), "{refused}");
        let mut change = Change::new();
        change.delete(key);
        open.vault.store.commit(change).await.unwrap();
        put(&open, newest.0.clone(), newest.1.clone()).await;
    }
    audit::checkpoint(&open.vault, tree).await.unwrap();
    let open = open.reopen().await;
    assert_eq!(audit::checkpoint(&open.vault, tree).await.unwrap().verifier, signed.verifier);
}
