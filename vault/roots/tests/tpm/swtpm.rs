//! A software TPM with a store in it.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::root::{RootStore, StoreKind};
use lethe_roots::tpm::{TpmOptions, TpmRootStore};
pub(crate) use lethe_roots_testing::{SECRET, free_ports, secret};

use crate::conformance::*;

pub(crate) struct Swtpm(lethe_roots_testing::Swtpm);

impl Swtpm {
    pub(crate) fn new() -> Self {
        Self(lethe_roots_testing::Swtpm::new())
    }

    pub(crate) fn options(&self) -> TpmOptions {
        TpmOptions { tcti: self.tcti(), min_interval: Duration::ZERO, ..TpmOptions::new(self.auth_file()) }
    }

    pub(crate) fn store(&self) -> TpmRootStore {
        TpmRootStore::open(self.options()).unwrap()
    }

    /// What the store derives from its file.
    pub(crate) fn auth(&self) -> Vec<u8> {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        ring::hmac::sign(&key, b"lethe/v1/root/tpm-auth").as_ref().to_vec()
    }

    /// The key of the root in the first index for roots. No store may be open.
    pub(crate) fn root_key(&self) -> Vec<u8> {
        let file = self.folder().join("read");
        let auth = format!("hex:{}", hex::encode(self.auth()));
        let (index, path) = ("0x018a4c01", file.display().to_string());
        self.tool("tpm2_nvread", &[index, "-C", index, "-P", &auth, "-o", &path]);
        let root = fs::read(file).unwrap();
        assert_eq!(root.len(), 58);
        root[26..].to_vec()
    }
}

impl Deref for Swtpm {
    type Target = lethe_roots_testing::Swtpm;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Swtpm {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Fixture for Swtpm {
    fn open(&self) -> Arc<dyn RootStore> {
        Arc::new(self.store())
    }

    fn kind(&self) -> StoreKind {
        StoreKind::Tpm
    }

    fn debug(&self) -> String {
        format!("{:?} {:?}", self.store(), self.options())
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }
}
