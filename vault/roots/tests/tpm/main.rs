//! Roots in a software TPM: the cases that every store must pass, and what only TPMs do.
#![cfg(feature = "tpm")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../conformance/mod.rs"]
#[macro_use]
mod conformance;
mod failures;
mod indices;
mod manager;
mod proxy;
mod swtpm;

use std::time::Duration;

use conformance::*;
use lethe_crypto::root::{MediumStatement, RootStore as _};
use lethe_roots::tpm::{TpmOptions, TpmRootStore};
use swtpm::Swtpm;

fn with(_: &str, case: impl FnOnce(&dyn Fixture)) {
    if !skipped() {
        case(&Swtpm::new());
    }
}

conformance!(with);

#[test]
fn a_software_tpm_says_what_it_is() {
    if skipped() {
        return;
    }
    let medium = Swtpm::new().store().medium();
    for statement in [MediumStatement::Virtual, MediumStatement::RetainsDeleted, MediumStatement::WearLevelling] {
        assert!(medium.states(statement));
    }
}

#[test]
fn roots_are_not_made_faster_than_the_memory_endures() {
    if skipped() {
        return;
    }
    let tpm = Swtpm::new();
    let hour = Duration::from_secs(3600);
    let open = || TpmRootStore::open(TpmOptions { min_interval: hour, ..tpm.options() }).unwrap();
    let store = open();
    assert_eq!(store.min_interval(), hour);
    wait(store.claim(VAULT, &[], FIRST)).unwrap();
    let root = wait(store.create(&claim(FIRST))).unwrap();
    let refused = words(&wait(store.create(&claim(FIRST))).unwrap_err());
    assert!(refused.contains("the next one may be made in"), "{refused}");
    drop(store);
    // The TPM remembers, not the process.
    let store = open();
    assert!(wait(store.create(&claim(FIRST))).is_err());
    assert_eq!(wait(store.epochs()).unwrap(), [root]);
    drop(store);
    assert!(wait(tpm.store().create(&claim(FIRST))).is_ok(), "another interval");
}
