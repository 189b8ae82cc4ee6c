//! Roots in SoftHSM: the cases that every store must pass, and what only tokens do.
#![cfg(feature = "pkcs11")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../conformance/mod.rs"]
#[macro_use]
mod conformance;
mod objects;
mod token;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use conformance::*;
use lethe_crypto::Error;
use lethe_crypto::root::{MediumStatement, RootStore as _};
use lethe_roots::pkcs11::{Pkcs11Options, Pkcs11RootStore};
use token::{PIN, secret, with};

fn with_any(name: &str, case: impl FnOnce(&dyn Fixture)) {
    with(name, |token| case(token));
}

conformance!(with_any);

#[test]
fn a_soft_token_says_what_it_is() {
    with("a_soft_token_says_what_it_is", |token| {
        let medium = token.store().medium();
        for statement in [MediumStatement::Virtual, MediumStatement::KeepsBackups, MediumStatement::RetainsDeleted] {
            assert!(medium.states(statement));
        }
        let alone = Pkcs11RootStore::open(Pkcs11Options { stands_alone: true, ..token.options() }).unwrap();
        assert!(!alone.medium().states(MediumStatement::KeepsBackups));
        assert!(alone.medium().states(MediumStatement::Virtual));
    });
}

#[test]
fn a_wrong_pin_is_tried_once() {
    with("a_wrong_pin_is_tried_once", |token| {
        let (pin, wrong) = (token.pin_file(), token.place().join("wrong"));
        secret(&wrong, "not the pin");
        let refusal = token.refusal(Pkcs11Options { pin_file: wrong, ..token.options() });
        assert!(refusal.contains("refused the PIN") && !refusal.contains("not the pin"), "{refusal}");

        fs::set_permissions(&pin, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Pkcs11RootStore::open(token.options());
        assert!(matches!(refused, Err(Error::Permissions { mode: 0o644, .. })));
        fs::remove_file(&pin).unwrap();
        assert!(matches!(Pkcs11RootStore::open(token.options()), Err(Error::Io { .. })));
    });
}

/// Processes that are started again and again with a wrong PIN lock no token.
#[test]
fn a_wrong_pin_is_not_tried_again_by_the_next_process() {
    with("a_wrong_pin_is_not_tried_again_by_the_next_process", |token| {
        let (wrong, refusals) = (token.place().join("wrong"), token.place().join("refused"));
        let options = || Pkcs11Options { pin_file: wrong.clone(), refusals: Some(refusals.clone()), ..token.options() };
        let same_length = "x".repeat(PIN.len());
        secret(&wrong, &same_length);
        let modified = fs::metadata(&wrong).unwrap().modified().unwrap();
        assert!(token.refusal(options()).contains("refused the PIN"));
        // The right one in the place of the wrong one, and nothing to tell that: had it been tried, it would open.
        let file = fs::OpenOptions::new().write(true).open(&wrong).unwrap();
        std::io::Write::write_all(&mut &file, PIN.as_bytes()).unwrap();
        file.set_modified(modified).unwrap();
        assert!(token.refusal(options()).contains("not tried again until the PIN file changes"));
        // Now it is seen to have changed.
        file.set_modified(modified + std::time::Duration::from_secs(1)).unwrap();
        drop(Pkcs11RootStore::open(options()).unwrap());
        assert!(!refusals.exists(), "what was refused before the last login counts no more");

        // A file that is made anew with every start, as credentials often are, is not tried for ever, either.
        for (text, later) in [("wrong 1", 2), ("wrong 2", 3)] {
            secret(&wrong, text);
            // The clock of files may tick more slowly than that.
            let file = fs::OpenOptions::new().write(true).open(&wrong).unwrap();
            file.set_modified(modified + std::time::Duration::from_secs(later)).unwrap();
            assert!(token.refusal(options()).contains("refused the PIN"));
        }
        secret(&wrong, PIN);
        let said = token.refusal(options());
        assert!(said.contains("refused 2 PINs") && said.contains("refused is removed"), "{said}");
        // Somebody logs in elsewhere, which the token shows; or the operator vouches for it.
        drop(token.store());
        drop(Pkcs11RootStore::open(options()).unwrap());
    });
}

#[test]
fn what_is_not_there_is_named() {
    with("what_is_not_there_is_named", |token| {
        let refusal = token.refusal(Pkcs11Options { token: "another".into(), ..token.options() });
        assert!(refusal.contains("\"another\"") && refusal.contains("\"roots\""), "{refusal}");
        let refusal = token.refusal(Pkcs11Options { serial: Some("0000".into()), ..token.options() });
        assert!(refusal.contains("0000"), "{refusal}");
        let refusal = token.refusal(Pkcs11Options { module: "/nonexistent.so".into(), ..token.options() });
        assert!(refusal.contains("loading the PKCS#11 module"), "{refusal}");
    });
}

#[test]
fn names_keep_stores_apart_in_one_token() {
    with("names_keep_stores_apart_in_one_token", |token| {
        let (one, claim) = open_claimed(token);
        let root = wait(one.create(&claim)).unwrap();
        let other = Pkcs11RootStore::open(Pkcs11Options { name: "other".into(), ..token.options() }).unwrap();
        assert_eq!(wait(other.claimed()).unwrap(), None);
        assert!(wait(other.epochs()).unwrap().is_empty());
        wait(other.claim(OTHER_VAULT, &[], FIRST)).unwrap();
        assert!(matches!(wait(other.unwrap(root, &[1; 93], b"")), Err(Error::NoSuchRoot(_))));
        assert_eq!(wait(one.claimed()).unwrap(), Some(claim));
    });
}

#[test]
fn two_tokens_of_one_label_need_a_serial_number() {
    with("two_tokens_of_one_label_need_a_serial_number", |token| {
        // Made before the module is loaded, which is when SoftHSM looks.
        token.add("roots");
        let refusal = token.refusal(token.options());
        assert!(refusal.contains("2 tokens have label \"roots\""), "{refusal}");
    });
}

/// The token is away while the store is open, and comes back: calls fail, then succeed again.
#[test]
fn a_token_that_goes_and_comes_back() {
    with("a_token_that_goes_and_comes_back", |token| {
        let (store, claim) = open_claimed(token);
        let root = wait(store.create(&claim)).unwrap();
        let wrapped = wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
        token.take_away();
        assert!(wait(store.create(&claim)).is_err());
        assert!(!matches!(wait(store.destroy(&claim, root)), Ok(evidence) if evidence.was_absent));
        token.bring_back();

        assert_eq!(wait(store.epochs()).unwrap(), [root]);
        assert!(wait(store.unwrap(root, &wrapped, b"")).is_ok());
        assert!(!wait(store.destroy(&claim, root)).unwrap().was_absent);
    });
}

/// Nothing that a destroyed root needs is left in what SoftHSM keeps: the object's file is gone.
#[test]
fn a_destroyed_root_leaves_no_object() {
    with("a_destroyed_root_leaves_no_object", |token| {
        let (store, claim) = open_claimed(token);
        let count = || token.objects();
        let before = count();
        let root = wait(store.create(&claim)).unwrap();
        wait(store.wrap(&claim, root, &vault_key(7), b"")).unwrap();
        assert_eq!((count(), token.keys()), (before + 2, 1), "a key and a mark");
        wait(store.destroy(&claim, root)).unwrap();
        assert_eq!((count(), token.keys()), (before, 0));
    });
}
