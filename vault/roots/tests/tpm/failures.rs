//! A TPM that is stopped, refuses, or is used by others at the same time.

use std::time::Duration;

use lethe_crypto::Error;
use lethe_crypto::root::RootStore as _;
use lethe_roots::tpm::{TpmOptions, TpmRootStore};

use crate::conformance::*;
use crate::proxy::Proxy;
use crate::swtpm::{Swtpm, secret};

#[test]
fn a_tpm_that_is_stopped_and_comes_back() {
    if skipped() {
        return;
    }
    let mut tpm = Swtpm::new();
    let (store, claim) = open_claimed(&tpm);
    let old = wait(store.create(&claim)).unwrap();
    let root = wait(store.create(&claim)).unwrap();
    let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();

    tpm.kill();
    assert!(matches!(wait(store.destroy(&claim, old)), Err(Error::RootStore { .. })));
    assert!(matches!(wait(store.epochs()), Err(Error::RootStore { .. })));
    assert!(TpmRootStore::open(tpm.options()).is_err());

    tpm.start();
    let mut roots = [old, root];
    roots.sort_unstable();
    assert_eq!(wait(store.epochs()).unwrap(), roots);
    assert!(!wait(store.destroy(&claim, old)).unwrap().was_absent);
    // Stopped between two calls, so that the session is unknown to the TPM when the next one comes.
    tpm.kill();
    tpm.start();
    assert_eq!(wait(store.unwrap(root, &wrapped, b"")).unwrap().to_root_store(), &[7; 32]);
    tpm.kill();
    tpm.start();
    let next = wait(store.create(&claim)).unwrap();
    assert!(matches!(wait(store.wrap(&claim, root, &vault_key(8), b"")), Err(Error::AlreadyWrapped(_))));
    wait(store.wrap(&claim, next, &vault_key(8), b"")).unwrap();
}

#[test]
fn another_authorisation_opens_nothing() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let (store, claim) = open_claimed(&tpm);
    wait(store.create(&claim)).unwrap();
    drop(store);
    let other = tpm.folder().join("other");
    secret(&other, "something else of enough bytes");
    let store = TpmRootStore::open(TpmOptions { auth_file: other.clone(), ..tpm.options() }).unwrap();
    for _ in 0..40 {
        // More often than a TPM's lockout allows: these do not count.
        let refused = words(&wait(store.claimed()).unwrap_err());
        assert!(refused.contains("not the values that the store was made with"), "{refused}");
    }
    drop(store);
    assert_eq!(wait(tpm.store().claimed()).unwrap(), Some(claim));

    secret(&other, "short");
    let refused = TpmRootStore::open(TpmOptions { auth_file: other, ..tpm.options() }).unwrap_err();
    assert!(words(&refused).contains("at least 16 bytes"), "{}", words(&refused));
}

#[test]
fn an_owner_authorisation_is_needed_where_there_is_one() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let (store, claim) = open_claimed(&tpm);
    drop(store);
    tpm.tool("tpm2_changeauth", &["-c", "owner", "the-owner"]);
    let store = tpm.store();
    let refused = words(&wait(store.create(&claim)).unwrap_err());
    assert!(refused.contains("owner authorisation"), "{refused}");
    drop(store);
    let owner = tpm.folder().join("owner");
    secret(&owner, "the-owner\n");
    let store = TpmRootStore::open(TpmOptions { owner_auth_file: Some(owner), ..tpm.options() }).unwrap();
    let root = wait(store.create(&claim)).unwrap();
    assert!(!wait(store.destroy(&claim, root)).unwrap().was_absent);
}

/// Somebody else's command, right before a change: the TPM refuses the change, and the store looks anew.
#[test]
fn a_change_is_not_made_on_an_old_sight() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let proxy = Proxy::to(tpm.port());
    let timeout = Duration::from_secs(20);
    let store = TpmRootStore::open(TpmOptions { tcti: proxy.tcti(), timeout, ..tpm.options() }).unwrap();
    let held = claim(FIRST);
    let mut disturbed = 0;
    let mut expect_disturbed = |more: usize| {
        disturbed += more;
        assert_eq!(proxy.disturbed(), disturbed);
    };
    proxy.disturb(2);
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    expect_disturbed(2);
    proxy.disturb(3);
    let root = wait(store.create(&held)).unwrap();
    expect_disturbed(3);
    proxy.disturb(1);
    let wrapped = wait(store.wrap(&held, root, &vault_key(7), b"")).unwrap();
    expect_disturbed(1);
    assert_eq!(wait(store.unwrap(root, &wrapped, b"")).unwrap().to_root_store(), &[7; 32]);
    proxy.disturb(2);
    assert!(!wait(store.destroy(&held, root)).unwrap().was_absent);
    expect_disturbed(2);

    // Always: nothing is changed, and the store says why.
    proxy.disturb(usize::MAX);
    let busy = words(&wait(store.create(&held)).unwrap_err());
    assert!(busy.contains("others use the TPM"), "{busy}");
    proxy.disturb(0);
    assert!(wait(store.epochs()).unwrap().is_empty());
    assert_eq!(wait(store.claimed()).unwrap(), Some(held));
}

#[test]
fn a_listener_on_the_bus_hears_neither_roots_nor_authorisations() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let proxy = Proxy::to(tpm.port());
    let store = TpmRootStore::open(TpmOptions { tcti: proxy.tcti(), ..tpm.options() }).unwrap();
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    let root = wait(store.create(&claim(FIRST))).unwrap();
    let wrapped = wait(store.wrap(&claim(FIRST), root, &vault_key(7), b"")).unwrap();
    wait(store.unwrap(root, &wrapped, b"")).unwrap();
    drop(store);
    let key = tpm.root_key();
    assert!(!proxy.heard(&key) && !proxy.heard(&key[..16]));
    assert!(!proxy.heard(&tpm.auth()) && !proxy.heard(&tpm.auth()[..16]));
    assert!(!proxy.heard(root.as_bytes()), "headers are encrypted like keys");
    // The proxy does hear.
    assert!(proxy.heard(&0x018a_4c01_u32.to_be_bytes()));
}
