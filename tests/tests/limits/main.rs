//! Where the server says no to whoever may: too much at once, too often, no room, not encrypted.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod attempts;
mod full_disk;
mod load;
mod transport;
