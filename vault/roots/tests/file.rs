//! The file store through the cases that every store must pass.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[macro_use]
mod conformance;

use std::sync::Arc;

use conformance::Fixture;
use lethe_crypto::root::{FileRootStore, FileRootStoreOptions, RootStore, StoreKind};

struct Files(tempfile::TempDir);

impl Files {
    fn store(&self) -> FileRootStore {
        FileRootStore::open(FileRootStoreOptions::new(self.0.path().join("roots"), self.0.path())).unwrap()
    }
}

impl Fixture for Files {
    fn open(&self) -> Arc<dyn RootStore> {
        Arc::new(self.store())
    }

    fn kind(&self) -> StoreKind {
        StoreKind::File
    }

    fn debug(&self) -> String {
        format!("{:?}", self.store())
    }
}

fn with(_: &str, case: impl FnOnce(&dyn Fixture)) {
    case(&Files(tempfile::tempdir().unwrap()));
}

conformance!(with);
