//! Attestations: what a capture or document service signs about a capture, so that the vault need not believe who hands it on.
//!
//! One is a compact JSON Web Signature (RFC 7515) by Ed25519 (RFC 8037) of the type [`TYPE`], whose claims bind it to the very
//! floats of one embedding, one tenant and one vault. `docs/FORMAT.md` has every member. This crate knows form and signature:
//! [`verify`] says that a key signed these [`Claims`]. Whether they fit the call, are fresh, and were not used before is for
//! those who know the call, the time, and what was used.
//!
//! ```
//! use lethe_attestation::{Claims, Nonce, Signer, digest, key_id, verify};
//! use lethe_domain::{CaptureKind, ModelId, Quality, TenantId, Timestamp};
//!
//! let signer = Signer::generate("camera-1")?;
//! let embedding = vec![0.5_f32; 128];
//! let claims = Claims {
//!     tenant: TenantId::parse("bank")?,
//!     audience: "lethe".to_owned(),
//!     embedding: digest(&embedding),
//!     model: ModelId::parse("face", "1")?,
//!     kind: CaptureKind::DocumentPortrait,
//!     quality: Quality::parse("quality", 0.9)?,
//!     captured_at: Timestamp::from_millis(1_750_000_000_000),
//!     expires_at: Timestamp::from_millis(1_750_000_300_000),
//!     nonce: Nonce::random(),
//!     age: None,
//!     liveness: None,
//! };
//! let signed = signer.sign(&claims)?;
//! assert_eq!(key_id(&signed)?.as_str(), "camera-1");
//! assert_eq!(verify(&signed, signer.public())?, claims);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod claims;
pub mod jose;
mod key;
mod signer;
#[cfg(test)]
mod tests;
mod verify;

pub use claims::{Claims, Nonce, digest};
pub use key::{KeyFault, KeyId, VerifyingKey};
pub use signer::Signer;
pub use verify::{LONGEST, Refused, key_id, read_unverified, verify};

/// The `typ` of an attestation's header: a key that signs other things, too, makes none of them an attestation (RFC 8725,
/// section 3.11).
pub const TYPE: &str = "lethe-attestation+jwt";
