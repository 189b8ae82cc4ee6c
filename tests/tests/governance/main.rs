//! Nothing biometric happens without a basis, and some things not without two persons: consents, restrictions, objections, holds, minors and laws, as clients and
//! privacy officers meet them, on a real server over the real wire.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod approvals;
mod cases;
mod consents;
mod deciders;
mod disclosure;
mod evidence;
mod export;
mod holds;
mod laws;
mod minors;
mod notifications;
mod offboarding;
mod policy;
mod protected;
mod requests;
mod retention;
mod rights;
mod transfers;
mod watchlists;
