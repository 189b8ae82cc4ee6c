//! How fast Lethe is, always against something.
//!
//! Every figure is a ratio measured in one run against a peer or a physical limit: runs alternate
//! A B A B, the ratio is the median over the pairs of neighbouring runs, at least five of them, and
//! the spread stands beside it. Absolute numbers are for orientation only; on a shared machine they
//! move, the ratio of two neighbours much less.
//!
//! The vault under test and its gRPC peer are processes of their own, started from this very
//! program; the load generator is a third. Where a server answers many calls at once (`verify`) it and the
//! load generator have half of the cores each; elsewhere they share all of them, since a search uses all.
//!
//! Data come from [`lethe_dataset`]'s generator, which has the statistics of real embeddings.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod bytes;
pub mod child;
pub mod client;
mod error;
pub mod fixtures;
pub mod host;
mod leaving;
pub mod load;
pub mod measure;
pub mod peers;
pub mod pin;
pub mod record;
pub mod report;
pub mod scenario;
pub mod vault;

pub use error::Error;
