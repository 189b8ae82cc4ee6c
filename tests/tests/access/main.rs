//! Who may do what, and for what purpose: every method that the server says it serves, against every way
//! not to be allowed.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod allowed;
mod denied;
mod logins;
mod operators;
mod people;
mod second_factor;
mod silence;
mod stage;
mod table;
