//! A SoftHSM token with a store in it.

use std::ops::Deref;
use std::process::Command;
use std::sync::Arc;

use lethe_crypto::root::{RootStore, StoreKind};
use lethe_roots::pkcs11::{Pkcs11Options, Pkcs11RootStore};
use lethe_roots_testing::LABEL;
pub(crate) use lethe_roots_testing::{PIN, module, secret};

use crate::conformance::*;

/// Tells the test's own process, started again, where its token is.
const PLACE: &str = "LETHE_TEST_SOFTHSM";

pub(crate) struct SoftHsm(lethe_roots_testing::SoftHsm);

impl SoftHsm {
    pub(crate) fn options(&self) -> Pkcs11Options {
        Pkcs11Options::new(module(), LABEL, self.pin_file())
    }

    pub(crate) fn store(&self) -> Pkcs11RootStore {
        Pkcs11RootStore::open(self.options()).unwrap()
    }

    /// Opens the store, which must fail, and gives its words.
    pub(crate) fn refusal(&self, options: Pkcs11Options) -> String {
        words(&Pkcs11RootStore::open(options).expect_err("the store must not open"))
    }
}

impl Deref for SoftHsm {
    type Target = lethe_roots_testing::SoftHsm;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Fixture for SoftHsm {
    fn open(&self) -> Arc<dyn RootStore> {
        Arc::new(self.store())
    }

    fn kind(&self) -> StoreKind {
        StoreKind::Pkcs11
    }

    fn shared(&self) -> bool {
        true
    }

    fn debug(&self) -> String {
        format!("{:?} {:?}", self.store(), self.options())
    }

    fn secrets(&self) -> Vec<String> {
        vec![PIN.to_owned()]
    }
}

/// SoftHSM finds its tokens by an environment variable, read when the module is loaded: so the test is run in
/// a process of its own, with a directory of tokens of its own.
pub(crate) fn with(name: &str, case: impl FnOnce(&SoftHsm)) {
    if skipped() {
        return;
    }
    if let Ok(place) = std::env::var(PLACE) {
        return case(&SoftHsm(lethe_roots_testing::SoftHsm::at(place.into())));
    }
    let token = lethe_roots_testing::SoftHsm::new();
    let run = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", token.configuration())
        .env(PLACE, token.place())
        .output()
        .unwrap();
    let said = [run.stdout, run.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}
