//! Roots in OpenBao: the cases that every store must pass, and what only servers do.
#![cfg(feature = "transit")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../conformance/mod.rs"]
#[macro_use]
mod conformance;
mod failures;
mod server;
mod tampering;

use conformance::*;
use lethe_crypto::root::{MediumStatement, RootStore as _};
use lethe_roots::transit::{TransitOptions, TransitRootStore};
use server::Bao;

fn with(_: &str, case: impl FnOnce(&dyn Fixture)) {
    if !skipped() {
        case(&Bao::in_memory());
    }
}

conformance!(with);

#[test]
fn a_server_says_what_it_keeps() {
    if skipped() {
        return;
    }
    // Nothing is asked of the server for this.
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    server::secret(&token, "token");
    let store = TransitRootStore::open(TransitOptions::new("http://127.0.0.1:1", token)).unwrap();
    assert!(store.medium().states(MediumStatement::KeepsBackups));
    assert!(store.medium().states(MediumStatement::RetainsDeleted));
}

#[test]
fn tls_with_the_authority_that_was_named_and_no_other() {
    if skipped() {
        return;
    }
    let (bao, other) = (Bao::with_tls(), Bao::with_tls());
    let options = |ca_file| TransitOptions {
        address: format!("https://127.0.0.1:{}", bao.port()),
        ca_file: Some(ca_file),
        ..bao.options()
    };
    let store = TransitRootStore::open(options(bao.ca_file())).unwrap();
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    let root = wait(store.create(&claim(FIRST))).unwrap();
    let wrapped = wait(store.wrap(&claim(FIRST), root, &vault_key(7), b"context")).unwrap();
    assert_eq!(wait(store.unwrap(root, &wrapped, b"context")).unwrap().to_root_store(), &[7; 32]);

    let store = TransitRootStore::open(options(other.ca_file())).unwrap();
    let refused = words(&wait(store.claimed()).unwrap_err());
    assert!(refused.contains("certificate"), "{refused}");
    let plain = TransitOptions { address: format!("http://127.0.0.1:{}", bao.port()), ca_file: None, ..bao.options() };
    assert!(wait(TransitRootStore::open(plain).unwrap().claimed()).is_err());
    for unfit in [bao.token_file(), "/nonexistent/ca.pem".into()] {
        let refused = words(&TransitRootStore::open(options(unfit)).unwrap_err());
        assert!(refused.contains("CA file"), "{refused}");
    }
}

#[test]
fn names_keep_stores_apart_on_one_server() {
    if skipped() {
        return;
    }
    let bao = Bao::in_memory();
    let (one, held) = open_claimed(&bao);
    let root = wait(one.create(&held)).unwrap();
    server::secret(&bao.token_file(), server::ROOT_TOKEN);
    // A longer name that begins like the other.
    let other = TransitRootStore::open(TransitOptions { name: "lethe-two".into(), ..bao.options() }).unwrap();
    assert_eq!(wait(other.claimed()).unwrap(), None);
    assert!(wait(other.epochs()).unwrap().is_empty());
    wait(other.claim(OTHER_VAULT, &[], FIRST)).unwrap();
    let foreign = lethe_crypto::root::Claim { vault: OTHER_VAULT, incarnation: FIRST };
    let theirs = wait(other.create(&foreign)).unwrap();
    assert_eq!(wait(one.epochs()).unwrap(), [root]);
    assert_eq!(wait(other.epochs()).unwrap(), [theirs]);
    assert_eq!(wait(one.claimed()).unwrap(), Some(held));
}
