//! Nothing of who was erased, and no key that was destroyed, is in the memory of the server that goes on; what it has of
//! others is found there, by the same search.
//!
//! These tests read another process's memory, for which they need root with `CAP_SYS_PTRACE`. Who is somebody else sees them
//! skipped, and told so; where `LETHE_MUST_SEE_MEMORY` is set they fail instead.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod forgotten;
mod locked;
mod panics;
mod secrets;
