//! Backups and what comes back of them, as operators see it: made while the vault serves, restored after a loss, never
//! a way to bring back who was erased (O19, O38).

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod aftermath;
mod command;
mod drill;
mod history;
mod mirrors;
mod service;
