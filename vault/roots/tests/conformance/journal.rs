//! A journal in memory, so that whole epochs run on the store under test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lethe_crypto::BoxError;
use lethe_crypto::epoch::{Commit, Destruction, EpochState, Journal};
use lethe_crypto::root::Evidence;
use lethe_crypto::tree::{PageAddress, PageSource, View};

/// What is "on disk".
#[derive(Clone, Default)]
pub struct Content {
    state: Option<Vec<u8>>,
    pages: BTreeMap<PageAddress, Vec<u8>>,
    pub destroyed: Vec<Evidence>,
}

#[derive(Default)]
pub struct Disk(pub Mutex<Content>);

impl Disk {
    pub fn copy(&self) -> Arc<Self> {
        Arc::new(Self(Mutex::new(self.0.lock().unwrap().clone())))
    }
}

impl PageSource for Disk {
    fn page(&self, address: &PageAddress) -> Result<Option<Vec<u8>>, BoxError> {
        Ok(self.0.lock().unwrap().pages.get(address).cloned())
    }
}

#[async_trait]
impl Journal for Disk {
    type Batch = ();

    async fn load(&self) -> Result<Option<EpochState>, BoxError> {
        Ok(self.0.lock().unwrap().state.as_deref().map(EpochState::decode).transpose()?)
    }

    async fn save(&self, state: &EpochState) -> Result<(), BoxError> {
        self.0.lock().unwrap().state = Some(state.encode()?);
        Ok(())
    }

    async fn commit(&self, commit: Commit<'_>, (): &()) -> Result<(), BoxError> {
        let mut content = self.0.lock().unwrap();
        content.pages.extend(commit.rewrite.put.iter().map(|page| (page.address, page.bytes.clone())));
        content.state = Some(commit.state.encode()?);
        Ok(())
    }

    async fn publish(&self, _: &EpochState, _: &View) -> Result<(), BoxError> {
        Ok(())
    }

    async fn destroyed(&self, destruction: Destruction<'_>) -> Result<(), BoxError> {
        let mut content = self.0.lock().unwrap();
        content.state = Some(destruction.state.encode()?);
        destruction.retired.pages.iter().for_each(|page| drop(content.pages.remove(page)));
        content.destroyed.push(destruction.evidence.clone());
        Ok(())
    }
}
