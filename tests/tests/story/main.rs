//! What Lethe is for, told as assertions: people are enrolled, recognised and forgotten, by two clients that
//! never meet, on a real server over the real wire.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod forgetting;
mod people;
mod proofs;
mod repeats;
mod service;
mod sweeps;
