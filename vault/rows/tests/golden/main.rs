//! Fixed bytes of what the database holds: a change here is a change of the format.
//!
//! They were written by hand and with Python's `struct` and `json` from `docs/FORMAT.md`, not taken from the code.
#![allow(clippy::unwrap_used, missing_docs)]

mod clear;
mod keys;
mod sealed;
