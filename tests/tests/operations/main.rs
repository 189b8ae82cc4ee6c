//! What operators do to silos and keys while the vault serves: shredding a tenant, rotating what wraps keys, and how
//! erasures come to share epochs; and what they see of it all.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod command;
mod metrics;
mod pace;
mod proof;
mod rotate;
mod shred;
