//! An OpenBao server with a store in it.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use lethe_crypto::root::{RootStore, StoreKind};
use lethe_roots::transit::{TransitOptions, TransitRootStore};
pub(crate) use lethe_roots_testing::{ROOT_TOKEN, secret};

use crate::conformance::*;

pub(crate) struct Bao(lethe_roots_testing::Bao);

impl Bao {
    pub(crate) fn in_memory() -> Self {
        Self(lethe_roots_testing::Bao::in_memory())
    }

    pub(crate) fn with_tls() -> Self {
        Self(lethe_roots_testing::Bao::with_tls())
    }

    pub(crate) fn on_disk() -> Self {
        Self(lethe_roots_testing::Bao::on_disk())
    }

    pub(crate) fn options(&self) -> TransitOptions {
        TransitOptions::new(format!("http://127.0.0.1:{}", self.port()), self.token_file())
    }

    pub(crate) fn store(&self) -> TransitRootStore {
        TransitRootStore::open(self.options()).unwrap()
    }
}

impl Deref for Bao {
    type Target = lethe_roots_testing::Bao;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Bao {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Fixture for Bao {
    fn open(&self) -> Arc<dyn RootStore> {
        Arc::new(self.store())
    }

    fn kind(&self) -> StoreKind {
        StoreKind::Transit
    }

    fn shared(&self) -> bool {
        true
    }

    fn debug(&self) -> String {
        format!("{:?} {:?}", self.store(), self.options())
    }

    fn secrets(&self) -> Vec<String> {
        vec![fs::read_to_string(self.token_file()).unwrap().trim().to_owned()]
    }
}
