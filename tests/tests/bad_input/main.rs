//! Whatever a caller sends, the answer names what is wrong with it, and nothing else happens.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod captures;
mod fields;
mod ids;
mod messages;
mod scene;
mod streams;
