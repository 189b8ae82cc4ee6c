//! What an epoch commit needs of the store that keeps the data.

use async_trait::async_trait;

use super::state::{Epoch, EpochState, Retiring};
use crate::error::BoxError;
use crate::root::Evidence;
use crate::tree::{PageSource, Rewrite, View};

/// The durable side of an epoch commit, and the source of its pages.
///
/// Every method that writes returns only once its writes are synced. An error leaves open whether they
/// took effect: the writer then refuses to go on until the vault is opened again. An fsync that fails
/// should end the process.
#[async_trait]
pub trait Journal: PageSource {
    /// What else belongs into the batch of a commit: the erasures that it carries out, with their row
    /// deletions and log entries. Nothing here looks into it.
    type Batch: Send + Sync;

    /// The state last written, by [`Journal::save`], [`Journal::commit`] or [`Journal::destroyed`].
    ///
    /// # Errors
    /// If it cannot be read.
    async fn load(&self) -> Result<Option<EpochState>, BoxError>;

    /// Writes the state alone: when the vault is founded, and when an incarnation claims it.
    ///
    /// # Errors
    /// If it may not be durable.
    async fn save(&self, state: &EpochState) -> Result<(), BoxError>;

    /// The commit: one synced batch of the rewritten pages, the state, and whatever `batch` adds, among it
    /// `ERASURE_COMMITTED(from → to)`. All of it takes effect, or nothing.
    ///
    /// # Errors
    /// If it may not be durable.
    async fn commit(&self, commit: Commit<'_>, batch: &Self::Batch) -> Result<(), BoxError>;

    /// Brings the mirrors to the committed epoch and has them acknowledge; then gives `view` to all
    /// readers and returns when the last reader of the epoch before is done (see
    /// [`View::downgrade`]). May be called again for the same epoch.
    ///
    /// # Errors
    /// If a mirror did not acknowledge: erasures stay pending.
    async fn publish(&self, state: &EpochState, view: &View) -> Result<(), BoxError>;

    /// The second batch, synced: the state without the retired epoch, `EPOCH_DESTROYED` with the evidence,
    /// and the deletion of the pages that only the retired epoch used.
    ///
    /// # Errors
    /// If it may not be durable.
    async fn destroyed(&self, destruction: Destruction<'_>) -> Result<(), BoxError>;
}

/// What a commit writes.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The epoch that is left.
    pub from: &'a Epoch,
    /// The epoch that begins.
    pub to: &'a Epoch,
    /// The state to write, with `to` as current and `from` as retiring.
    pub state: &'a EpochState,
    /// The pages to put; those it drops are named in `state` and stay until the second batch.
    pub rewrite: &'a Rewrite,
}

/// What the second batch writes.
#[derive(Debug, Clone, Copy)]
pub struct Destruction<'a> {
    /// The state to write, in which nothing is retiring.
    pub state: &'a EpochState,
    /// The epoch whose root is gone, and the pages to delete.
    pub retired: &'a Retiring,
    /// What the root store says about it.
    pub evidence: &'a Evidence,
}
