//! Epoch commits: the order in which an erasure becomes final, and what a crash leaves to do.
//!
//! [`EpochWriter`] drives one commit at a time through a [`Journal`] (the store's disk) and a
//! [`RootStore`](crate::root::RootStore), in the order of rule 4:
//!
//! 1. `create` a root; rewrite the tree in memory; the new root wraps the new vault key, once.
//! 2. [`Journal::commit`]: one synced batch. From here the new epoch is the vault's, and the old root is
//!    *retiring*: erasures are pending, whatever happens.
//! 3. [`Journal::publish`]: mirrors acknowledge, readers of the old view drain.
//! 4. Read back what is on disk, open and authenticate it under the new root (rule 5).
//! 5. `destroy` the old root; the store must then hold the new one alone.
//! 6. [`Journal::destroyed`]: the second synced batch. Only now may anybody say `SHREDDED`.
//!
//! Steps 3 to 6 are [`EpochWriter::finish`], which may be repeated until it succeeds, also after a
//! restart. What a crash leaves before step 2 is an orphan root, destroyed at the next start and never
//! used (rule 5).

mod journal;
mod state;
mod writer;

pub use journal::{Commit, Destruction, Journal};
pub use state::{Epoch, EpochState, Retiring};
pub use writer::{EpochWriter, Outcome, Takeover, admits};

#[cfg(test)]
mod tests;
