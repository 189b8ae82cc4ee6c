//! Keys and how to forget them: the lazy key tree, erasable root stores, record sealing, the keyed
//! transform, the Merkle log and erasure receipts. Pure Rust; no other crate of the workspace is used.
//!
//! The promise, once an epoch is destroyed: whoever holds every past image of the disk and may unwrap
//! under the current root cannot decrypt anything that was sealed under an erased slot. The eight
//! rules it rests on are named where they are enforced ("rule 1" … "rule 8").
//!
//! Read top-down: [`epoch`] drives a commit, [`tree`] rewrites keys, [`root`] is what is physically
//! erased, [`record`] seals rows under what the tree gives out, [`aead`] and [`kdf`] are the only
//! places that touch a cipher or a hash.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod aead;
mod canonical;
pub mod epoch;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod kdf;
pub mod log;
mod random;
pub mod record;
#[cfg(test)]
mod residue;
pub mod root;
pub mod secret;
pub mod tag;
pub mod transform;
pub mod tree;
pub mod wiping;

pub use error::{BoxError, Error, Result};
