//! Lethe's search index: fast, complete, forgetful.
//!
//! A gallery keeps one *sketch* of each template in memory: the sign of every coordinate after a
//! keyed rotation. A search compares a probe with all of them and returns each template whose
//! estimated similarity reaches the threshold less a margin; the margin follows from the wanted
//! probability of missing a mate. Exact scores, computed elsewhere from the sealed templates with
//! [`cosine`], decide (O8).
//!
//! * [`Quantizer`] turns rotated vectors into [`Sketch`]es and [`Probe`]s.
//! * [`Gallery`] holds sketches under keys and answers with [`Candidates`].
//! * [`OperatingPoint`] names the threshold and the miss probability of a search, [`Query`] a probe at one.
//! * [`cosine`] is the one exact score; [`exact`] is the brute-force oracle for tests.
//!
//! The crate never rotates: it sees rotated, padded, unit vectors only. It writes nothing anywhere.
//! All calls block and use the processor: keep them off an async runtime.

// Unsafe code lives in `planes`, for vector registers and huge pages, and in the test of the heap; nowhere else.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod cpu;
pub mod exact;

mod error;
mod gallery;
#[cfg(test)]
mod heap;
mod margin;
mod moments;
mod planes;
mod pool;
mod probe;
mod quantizer;
mod query;
mod score;

pub use error::Error;
pub use gallery::{Candidate, Candidates, Gallery, Stop};
pub use lethe_sketch::{MAX_DIM, MIN_DIM, Malformed, Sketch};
pub use margin::{DEFAULT_MISS, OperatingPoint};
pub use pool::Pool;
pub use probe::Probe;
pub use quantizer::Quantizer;
pub use query::Query;
pub use score::cosine;
