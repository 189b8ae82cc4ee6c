//! `lethe inspect`: what is left of a vault is told, and nothing of it is touched.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod damage;
mod places;
mod scene;
