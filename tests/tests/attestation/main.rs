//! A capture is believed only if a service that the tenant trusts signed what it saw, a moment ago, and once (O6).

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod ages;
mod keys;
mod replays;
mod uses;
