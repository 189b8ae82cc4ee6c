//! The vault: use cases over one store, and the gRPC server and command line in front of them.
//!
//! Read top-down: [`server`] binds and serves; `grpc` turns messages into calls; each use case has a folder
//! of its own and takes a witness from the gate ([`vault::Vault::admit`]); a use case builds one
//! [`store::Change`]; [`silo`] follows from what was committed; [`erasure`] drives epochs.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod access;
pub mod approval;
pub mod attestation;
pub mod audit;
pub mod authentication;
pub mod backup;
pub mod case;
pub mod cli;
mod clock;
pub mod config;
pub mod consent;
pub mod disclosure;
mod dossiers;
pub mod enrollment;
pub mod erasure;
mod error;
pub mod evidence;
mod export;
mod grpc;
pub mod hold;
mod idempotency;
pub mod identification;
pub mod inspection;
pub mod keyring;
mod limitation;
pub mod memory;
mod metrics;
mod mirrors;
pub mod notification;
pub mod opening;
pub mod request;
pub mod restoration;
mod retention;
mod root_abandon;
mod root_check;
mod root_status;
mod root_stores;
pub mod server;
pub mod silo;
pub mod store;
pub mod subject;
pub mod templates;
pub mod tenant;
mod transfer;
pub mod vault;
pub mod watchlist;

/// Memory is wiped when it is freed, whoever used it: messages as they were received and their decoded copies pass through
/// libraries that know nothing of secrets. The C library's heap does it, which `lethe_index` replaces (`index/shim/heap.cpp`);
/// Rust must use that one.
#[global_allocator]
static MEMORY: std::alloc::System = std::alloc::System;

#[cfg(test)]
mod tests;

pub use error::{Error, Result};
pub use lethe_rows::records;
pub use mirrors::{drop_mirror, list_mirrors};
pub use root_abandon::{Abandoned, abandon_replicas};
pub use root_check::{ReplicaReport, RootReport, move_roots, root_check};
