//! A server that is down, sealed, slow, forbids, or whose answers are lost.

use std::net::TcpListener;
use std::time::Duration;

use lethe_crypto::Error;
use lethe_crypto::root::RootStore as _;
use lethe_roots::transit::{TransitOptions, TransitRootStore};
use lethe_roots_testing::Proxy;
use serde_json::{Value, json};

use crate::conformance::*;
use crate::server::{Bao, secret};

#[test]
fn a_server_that_is_killed_and_comes_back_sealed_and_then_unsealed() {
    if skipped() {
        return;
    }
    let mut bao = Bao::on_disk();
    let (store, claim) = open_claimed(&bao);
    let old = wait(store.create(&claim)).unwrap();
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();

    bao.kill();
    let down = wait(store.destroy(&claim, old)).unwrap_err();
    assert!(words(&down).contains("is the server up"), "{}", words(&down));
    for failed in [wait(store.claimed()).is_err(), wait(store.epochs()).is_err(), wait(store.create(&claim)).is_err()] {
        assert!(failed);
    }

    bao.start();
    let sealed = wait(store.destroy(&claim, old)).unwrap_err();
    assert!(words(&sealed).contains("unseal"), "{}", words(&sealed));
    assert!(wait(store.epochs()).is_err());

    bao.unseal();
    let mut roots = [old, root];
    roots.sort_unstable();
    assert_eq!(wait(store.epochs()).unwrap(), roots);
    assert!(!wait(store.destroy(&claim, old)).unwrap().was_absent);

    bao.kill();
    bao.start();
    bao.unseal();
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
    assert_eq!(wait(store.unwrap(root, &wrapped, b"")).unwrap().to_root_store(), &[7; 32]);
    assert!(matches!(wait(store.wrap(&claim, root, &vault_key(8), b"")), Err(Error::AlreadyWrapped(_))));
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    secret(&token, "token");
    let address = format!("http://{}", listener.local_addr().unwrap());
    let options = TransitOptions { timeout: Duration::from_millis(50), ..TransitOptions::new(address, token) };
    let store = TransitRootStore::open(options).unwrap();
    let refused = wait(store.claimed()).unwrap_err();
    assert!(words(&refused).contains("no answer within 50ms"), "{}", words(&refused));
}

#[test]
fn a_token_that_ends_is_said_and_a_new_one_taken_up() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let (store, claim) = open_claimed(&bao);
    let root = wait(store.create(&claim)).unwrap();
    let token = std::fs::read_to_string(bao.token_file()).unwrap().trim().to_owned();
    bao.api("POST", "auth/token/revoke", &json!({ "token": token }));
    let denied = words(&wait(store.destroy(&claim, root)).unwrap_err());
    assert!(denied.contains("renew the token") && !denied.contains(&token), "{denied}");
    assert!(wait(store.epochs()).is_err());
    bao.renew_token();
    assert!(!wait(store.destroy(&claim, root)).unwrap().was_absent);
}

/// The answer to every change of a call is lost in turn: the call fails, though it may have taken effect.
/// Repeating it, or going on as an epoch would, is right.
#[test]
fn answers_that_are_lost() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let proxy = Proxy::to(bao.port());
    let options = TransitOptions { address: format!("http://127.0.0.1:{}", proxy.port()), ..bao.options() };
    let store = TransitRootStore::open(options).unwrap();

    proxy.lose_after(0);
    assert!(wait(store.claim(VAULT, &[], FIRST)).is_err());
    proxy.lose_nothing();
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    let held = claim(FIRST);

    // Two changes: the register, the key.
    for answers in 0..2 {
        proxy.lose_after(answers);
        assert!(wait(store.create(&held)).is_err());
        proxy.lose_nothing();
        let orphans = wait(store.epochs()).unwrap();
        assert_eq!(orphans.len(), 1, "it may exist, so it is listed");
        wait(store.destroy(&held, orphans[0])).unwrap();
        assert!(wait(store.epochs()).unwrap().is_empty());
    }
    // Two changes: the register, the use of the key.
    for answers in 0..2 {
        let root = wait(store.create(&held)).unwrap();
        proxy.lose_after(answers);
        assert!(wait(store.wrap(&held, root, &vault_key(7), b"")).is_err());
        proxy.lose_nothing();
        assert!(matches!(wait(store.wrap(&held, root, &vault_key(7), b"")), Err(Error::AlreadyWrapped(_))));
        wait(store.destroy(&held, root)).unwrap();
    }
    // Four changes: the register, the permission, the deletion, the register.
    for answers in 0..4 {
        let root = wait(store.create(&held)).unwrap();
        let wrapped = wait(store.wrap(&held, root, &vault_key(7), b"")).unwrap();
        proxy.lose_after(answers);
        assert!(wait(store.destroy(&held, root)).is_err());
        proxy.lose_nothing();
        assert!(matches!(wait(store.unwrap(root, &wrapped, b"")), Err(Error::NoSuchRoot(_))), "it has begun");
        let evidence = wait(store.destroy(&held, root)).unwrap();
        assert_eq!(evidence.was_absent, answers >= 2);
        assert!(wait(store.epochs()).unwrap().is_empty());
        assert_eq!(bao.try_api("LIST", "transit/keys", &Value::Null).0, 404);
    }
}
