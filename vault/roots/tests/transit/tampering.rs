//! What others do on the server behind the store's back.

use lethe_crypto::Error;
use lethe_crypto::root::{Incarnation, RootStore as _};
use serde_json::{Value, json};

use crate::conformance::*;
use crate::server::Bao;

#[test]
fn an_engine_that_is_gone_is_not_taken_for_roots_that_are_destroyed() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let (store, claim) = open_claimed(&bao);
    let root = wait(store.create(&claim)).unwrap();
    // Moved, so that the key lives on elsewhere.
    bao.api("POST", "sys/remount", &json!({ "from": "transit", "to": "elsewhere" }));
    while bao.try_api("GET", "sys/mounts/transit/tune", &Value::Null).0 == 200 {
        std::thread::yield_now();
    }
    let destroyed = wait(store.destroy(&claim, root));
    assert!(matches!(destroyed, Err(Error::RootStore { .. })), "{destroyed:?}");
    assert!(wait(store.epochs()).is_err());
}

#[test]
fn wrapping_never_makes_a_key_that_is_not_there() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let (store, claim) = open_claimed(&bao);
    let root = wait(store.create(&claim)).unwrap();
    let key = format!("transit/keys/lethe-{root}");
    bao.api("POST", &format!("{key}/config"), &json!({ "deletion_allowed": true }));
    bao.api("DELETE", &key, &Value::Null);
    assert!(matches!(wait(store.wrap(&claim, root, &vault_key(7), b"")), Err(Error::NoSuchRoot(_))));
    assert_eq!(bao.try_api("GET", &key, &Value::Null).0, 404);
    assert_eq!(wait(store.epochs()).unwrap(), [root], "the register still knows of it");
    assert!(wait(store.destroy(&claim, root)).unwrap().was_absent);
    assert!(wait(store.epochs()).unwrap().is_empty());
}

#[test]
fn a_key_that_somebody_changed_wraps_nothing() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let (store, claim) = open_claimed(&bao);
    let changes = [("rotate", json!({})), ("config", json!({ "exportable": true }))];
    for (verb, change) in changes.into_iter().chain([("config", json!({ "allow_plaintext_backup": true }))]) {
        let root = wait(store.create(&claim)).unwrap();
        bao.api("POST", &format!("transit/keys/lethe-{root}/{verb}"), &change);
        let refused = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap_err();
        assert!(words(&refused).contains("somebody else changed it"), "{}", words(&refused));
        assert!(!wait(store.destroy(&claim, root)).unwrap().was_absent);
    }
}

#[test]
fn a_register_that_was_deleted_gives_its_roots_to_nobody() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let (store, held) = open_claimed(&bao);
    let root = wait(store.create(&held)).unwrap();
    // Deleted, so that it could be undone; and for good.
    for path in ["secret/data/lethe/roots", "secret/metadata/lethe/roots"] {
        bao.api("DELETE", path, &Value::Null);
        assert_eq!(wait(store.claimed()).unwrap(), None);
        let refused = wait(store.claim(OTHER_VAULT, &[], SECOND)).unwrap_err();
        assert!(words(&refused).contains("no claim says whose"), "{}", words(&refused));
        assert!(matches!(wait(store.destroy(&held, root)), Err(Error::Unclaimed)));
        assert_eq!(wait(store.epochs()).unwrap(), [root]);
    }
    // Once the operator has removed the roots, too, the name is free.
    let key = format!("transit/keys/lethe-{root}");
    bao.api("POST", &format!("{key}/config"), &json!({ "deletion_allowed": true }));
    bao.api("DELETE", &key, &Value::Null);
    wait(store.claim(OTHER_VAULT, &[], SECOND)).unwrap();
}

#[test]
fn a_register_of_another_format_is_refused_not_overwritten() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let (store, held) = open_claimed(&bao);
    bao.api("POST", "secret/data/lethe/roots", &json!({ "data": { "somebody": "else's" } }));
    assert!(wait(store.claimed()).is_err());
    assert!(wait(store.claim(VAULT, &[FIRST], SECOND)).is_err());
    assert!(wait(store.create(&held)).is_err());
    let content = bao.api("GET", "secret/data/lethe/roots", &Value::Null);
    assert_eq!(content["data"]["data"]["somebody"], "else's");
}

#[test]
fn keys_that_only_look_like_roots_are_nobodys() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let (store, claim) = open_claimed(&bao);
    for name in ["lethe-", "lethe-backup", "lethe-0123456789abcdef", "other-0123456789abcdef0123456789abcdef"] {
        bao.try_api("POST", &format!("transit/keys/{name}"), &json!({}));
    }
    assert!(wait(store.epochs()).unwrap().is_empty());
    let root = wait(store.create(&claim)).unwrap();
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
}

#[test]
fn of_many_who_claim_at_once_exactly_one_wins() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let (store, _) = open_claimed(&bao);
    let mut current = FIRST;
    for round in 0..10_u8 {
        let start = std::sync::Barrier::new(4);
        let winners: Vec<Incarnation> = std::thread::scope(|scope| {
            let claimants = [0, 1, 2, 3].map(|who: u8| {
                let next = Incarnation::from_bytes([16 + round * 4 + who; 16]);
                let (store, start) = (bao.store(), &start);
                scope.spawn(move || {
                    start.wait();
                    wait(store.claim(VAULT, &[current], next)).is_ok().then_some(next)
                })
            });
            claimants.into_iter().filter_map(|claimant| claimant.join().unwrap()).collect()
        });
        assert_eq!(winners.len(), 1, "round {round}");
        current = winners[0];
        assert_eq!(wait(store.claimed()).unwrap(), Some(claim(current)));
    }
}
