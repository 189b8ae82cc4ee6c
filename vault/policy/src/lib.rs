//! Who may do what, and for which purpose: pure functions over one table, no I/O.
//!
//! Every call passes [`authorize`]. What it yields, an [`Authorized`] witness, is the only thing a use
//! case accepts, and nothing outside this crate can make one:
//!
//! ```compile_fail
//! use lethe_policy::{Authorized, operation::Search};
//! let forged: Authorized<Search> = Authorized { grant: unreachable!(), operation: std::marker::PhantomData };
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod gate;
pub mod operation;
mod principal;
mod table;

pub use gate::{Authorized, Denial, Target, authorize, sees_scores};
pub use principal::{Owner, Principal};
pub use table::{Operation, Rule, Scope};
