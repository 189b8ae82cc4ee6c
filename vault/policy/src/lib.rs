//! Who may do what, and for which purpose: pure functions over one table, no I/O.
//!
//! Every call passes [`authorize`], which knows nothing of any person. What touches a person's templates asks [`judge`]
//! too, through [`Authorized::licence`]. What they yield, [`Authorized`] and [`Cleared`], is the only thing use cases accept,
//! and nothing outside this crate can make one:
//!
//! ```compile_fail
//! use lethe_policy::{Authorized, operation::Search};
//! let forged: Authorized<Search> = Authorized { grant: unreachable!(), operation: std::marker::PhantomData };
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod approval;
mod attestation;
mod automation;
pub mod case;
mod check;
mod disclosure;
mod document;
pub mod evidence;
mod gate;
mod law;
pub mod notification;
pub mod operation;
mod person;
mod principal;
pub mod request;
mod retention;
mod table;
mod transfer;
pub mod watchlist;

pub use approval::{
    ActRule, Approved, Decision, Deed, Disclosing, Offboarding, Party, RotatingLogKey, RotatingVaultLogKey, approve,
    redeem, reject,
};
pub use attestation::{
    Attested, CLOCKS_DIFFER, Called, CaptureFacts, Presented, Said, Spent, attest, judged_age, remembered_until,
};
pub use automation::{GroundRule, decider};
pub use check::check;
pub use disclosure::allows_disclosure;
pub use document::document;
pub use gate::{Authorized, Denial, Site, Target, authorize, sees_scores};
pub use law::Law;
pub use person::{
    Cleared, Duty, Judged, Licence, is_child_alone, is_left_baseless, judge, past_its_time, was_left_baseless,
};
pub use principal::{Owner, Principal, SecondFactor};
pub use retention::{Cause, End, Keeper, Limits, end_of_person, keeper};
pub use table::{Effect, Operation, Rule, Scope};
pub use transfer::{Border, Carries, SafeguardRule, allows_archive, allows_handover};
