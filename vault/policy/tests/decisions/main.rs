//! Decisions about people: whatever is known of a person, the engine decides as the obligations say.
//!
//! The oracle was written from the obligations without a look at the engine. Both judge millions of people, say when
//! they and their templates end, and let calls in; and some decisions are written out in full besides.
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test may panic, and its names say what it is about"
)]

mod comparison;
mod crossed;
mod dimensions;
mod oracle;
mod tally;
mod written_out;
