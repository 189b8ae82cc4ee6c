//! A SoftHSM token for one test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use lethe_crypto::root::{RootStore, StoreKind};
use lethe_roots::pkcs11::{Pkcs11Options, Pkcs11RootStore};

use crate::conformance::*;

/// Tells the test's own process, started again, where its token is.
const PLACE: &str = "LETHE_TEST_SOFTHSM";
pub(crate) const PIN: &str = "shibboleth-1234";

pub(crate) struct SoftHsm {
    pub(crate) place: PathBuf,
}

impl SoftHsm {
    pub(crate) fn options(&self) -> Pkcs11Options {
        Pkcs11Options::new(module(), "roots", self.place.join("pin"))
    }

    pub(crate) fn store(&self) -> Pkcs11RootStore {
        Pkcs11RootStore::open(self.options()).unwrap()
    }

    /// Opens the store, which must fail, and gives its words.
    pub(crate) fn refusal(&self, options: Pkcs11Options) -> String {
        words(&Pkcs11RootStore::open(options).expect_err("the store must not open"))
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

pub(crate) fn module() -> PathBuf {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so"].map(PathBuf::from);
    let found = places.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("libsofthsm2.so is not installed: run .ci/setup, or set LETHE_SKIP_ROOT_STORES=1"))
}

pub(crate) fn secret(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn make_token(place: &Path, label: &str) {
    let made = Command::new(program("softhsm2-util"))
        .args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-87654321"])
        .env("SOFTHSM2_CONF", place.join("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// SoftHSM finds its tokens by an environment variable, read when the module is loaded: so the test is run in
/// a process of its own, with a directory of tokens of its own.
pub(crate) fn with(name: &str, case: impl FnOnce(&SoftHsm)) {
    if skipped() {
        return;
    }
    if let Ok(place) = std::env::var(PLACE) {
        return case(&SoftHsm { place: place.into() });
    }
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let tokens = place.join("tokens");
    fs::create_dir(&tokens).unwrap();
    let configuration =
        format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    fs::write(place.join("softhsm2.conf"), configuration).unwrap();
    secret(&place.join("pin"), &format!("{PIN}\n"));
    make_token(place, "roots");
    let run = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", place.join("softhsm2.conf"))
        .env(PLACE, place)
        .output()
        .unwrap();
    let said = [run.stdout, run.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}
