//! The `lethe` command as a process: what somebody types, what it prints, and how it ends.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod administration;
mod bank;
mod cases;
mod help;
mod import;
mod npy;
mod people;
mod readme;
mod refused;
mod session;
mod terminal;
mod two_persons;
