//! The audit log, as auditors, privacy officers and operators use it: listed, copied, checked offline, followed, and counted;
//! on a real server over the real wire.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod breach;
mod collecting;
mod collector;
mod copies;
mod entries;
mod following;
mod forged;
mod growth;
mod succession;
mod usage;
