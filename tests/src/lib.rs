//! The end-to-end harness: real servers, real disks, real wire.
//!
//! A test starts the real `lethe serve` as a process of its own, in a folder of its own, on a port of its
//! own, and talks gRPC to it:
//!
//! ```no_run
//! # use lethe_tests::{Faces, Vault};
//! # async fn story() {
//! let vault = Vault::fresh().await;
//! let bank = vault.tenant("bank").await;
//! let ada = Faces::seeded(1).person(0);
//! bank.enroller().enroll("a-1", &ada.selfie()).await.unwrap();
//! assert!(bank.analyst().finds("a-1", &ada.again()).await);
//! vault.kill().await;
//! vault.start().await;
//! assert!(bank.analyst().finds("a-1", &ada.again()).await);
//! # }
//! ```
//!
//! Nothing of the server is linked in, so these tests compile in seconds; the binary is looked for next
//! to the test executable, or where `LETHE_BIN` says. A server ends with its [`Vault`]; if the test failed,
//! what the server logged is printed.

#![deny(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness fails by panicking: its caller is always a test"
)]

pub mod aftermath;
mod binary;
mod call;
mod caller;
mod camera;
mod cli;
pub mod crash;
mod device;
mod disk;
mod faces;
pub mod failpoints;
mod home;
mod media;
pub mod memory;
pub mod metrics;
mod process;
mod raw;
mod refusal;
mod requests;
pub mod residue;
mod run;
mod running;
mod setup;
mod tenant;
pub mod time_travel;
mod vault;
mod wire;

pub use binary::{lethe, lethe_failpoints};
pub use call::Call;
pub use caller::Caller;
pub use camera::Camera;
pub use cli::{Cli, Told};
pub use device::{Device, Files};
pub use faces::{DIMENSION, Face, Faces, MATCH, Person, REVIEW, cosine};
pub use home::Home;
pub use metrics::Metrics;
pub use process::Exited;
pub use refusal::{Answer, Refusal, Refused};
pub use requests::{basis, capture, exempt, guarded, now, request_id};
pub use run::{fresh_seed, variable};
pub use running::Running;
pub use setup::{Ran, Setup};
pub use tenant::{NewTenant, ROLES, Tenant};
pub use vault::Vault;

/// How long anything may be waited for before the test fails. It guards against hanging, not slowness.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(180);
