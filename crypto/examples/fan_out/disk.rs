//! A journal in memory that counts what it is given.

use std::collections::HashMap;

use async_trait::async_trait;
use lethe_crypto::BoxError;
use lethe_crypto::epoch::{Commit, Destruction, EpochState, Journal};
use lethe_crypto::tree::{PageAddress, PageSource, View};
use parking_lot::Mutex;

/// A row's key: one byte for its kind, and for a page its address.
const STATE_KEY: u64 = 1;
const PAGE_KEY: u64 = 1 + PageAddress::LENGTH as u64;

/// What was written and read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Pages put.
    pub(crate) pages: u64,
    /// Bytes of all rows that were put or deleted: pages, the epoch's state, both with their keys.
    pub(crate) written: u64,
    /// Pages read.
    pub(crate) reads: u64,
    /// Their bytes.
    pub(crate) read: u64,
}

#[derive(Default)]
pub(crate) struct Disk(Mutex<Content>);

#[derive(Default)]
struct Content {
    state: Option<Vec<u8>>,
    pages: HashMap<PageAddress, Vec<u8>>,
    counts: Counts,
}

impl Disk {
    pub(crate) fn counts(&self) -> Counts {
        self.0.lock().counts
    }

    fn put_state(content: &mut Content, state: &EpochState) -> Result<(), BoxError> {
        let bytes = state.encode()?;
        content.counts.written += STATE_KEY + bytes.len() as u64;
        content.state = Some(bytes);
        Ok(())
    }
}

impl PageSource for Disk {
    fn page(&self, address: &PageAddress) -> Result<Option<Vec<u8>>, BoxError> {
        let content = &mut *self.0.lock();
        let page = content.pages.get(address).cloned();
        content.counts.reads += 1;
        content.counts.read += page.as_ref().map_or(0, Vec::len) as u64;
        Ok(page)
    }
}

#[async_trait]
impl Journal for Disk {
    type Batch = ();

    async fn load(&self) -> Result<Option<EpochState>, BoxError> {
        Ok(self.0.lock().state.as_deref().map(EpochState::decode).transpose()?)
    }

    async fn save(&self, state: &EpochState) -> Result<(), BoxError> {
        Self::put_state(&mut self.0.lock(), state)
    }

    async fn commit(&self, commit: Commit<'_>, (): &()) -> Result<(), BoxError> {
        let content = &mut *self.0.lock();
        for page in &commit.rewrite.put {
            content.counts.pages += 1;
            content.counts.written += PAGE_KEY + page.bytes.len() as u64;
            content.pages.insert(page.address, page.bytes.clone());
        }
        Self::put_state(content, commit.state)
    }

    async fn publish(&self, _state: &EpochState, _view: &View) -> Result<(), BoxError> {
        Ok(())
    }

    async fn destroyed(&self, destruction: Destruction<'_>) -> Result<(), BoxError> {
        let content = &mut *self.0.lock();
        for page in &destruction.retired.pages {
            content.counts.written += PAGE_KEY;
            content.pages.remove(page);
        }
        Self::put_state(content, destruction.state)
    }
}
