//! Key derivation: HKDF-SHA256 (RFC 5869) and HMAC-SHA256 (RFC 2104), with every label in one place.
//!
//! The crates wipe their own state. What their calls leave behind in dead stack frames is overwritten
//! by [`wiping`] before control goes back to the caller.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroize as _;

use crate::wiping;

/// What a derived key is for. Labels are fixed for ever and none is the beginning of another, so
/// what follows a label can never be read as a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(&'static str);

impl Label {
    /// Entry of a page that was never written: another page's key, or a slot's.
    pub const ENTRY: Self = Self("lethe/v1/entry");
    /// Sealing of a written page.
    pub const PAGE: Self = Self("lethe/v1/page");
    /// Sealing of a record (rule 6).
    pub const RECORD: Self = Self("lethe/v1/record");
    /// `K_audit(S)` (rule 7).
    pub const AUDIT: Self = Self("lethe/v1/audit");
    /// Sealing of a log entry's subject-related fields under `K_audit(S)` (rule 7).
    pub const LOG_FIELD: Self = Self("lethe/v1/log/field");
    /// Seed of a tenant's keyed transform.
    pub const TRANSFORM_SEED: Self = Self("lethe/v1/transform/seed");
    /// Sign flips of a keyed transform.
    pub const TRANSFORM_SIGNS: Self = Self("lethe/v1/transform/signs");
    /// Wrapping of the vault key by a root that a store keeps in its file.
    pub const WRAP: Self = Self("lethe/v1/wrap");
    /// Recognises the credential that a file root store is sealed under.
    pub const ROOT_CREDENTIAL: Self = Self("lethe/v1/root/credential");
    /// Key of a passphrase that a file root store is sealed under: Argon2's associated data, not HKDF's info.
    pub const ROOT_PASSPHRASE: Self = Self("lethe/v1/root/passphrase");
    /// Names that only the holder of a slot's key can make.
    pub const TAG: Self = Self("lethe/v1/tag");

    /// All labels.
    pub const ALL: [Self; 11] = [
        Self::ENTRY,
        Self::PAGE,
        Self::RECORD,
        Self::AUDIT,
        Self::LOG_FIELD,
        Self::TRANSFORM_SEED,
        Self::TRANSFORM_SIGNS,
        Self::WRAP,
        Self::ROOT_CREDENTIAL,
        Self::ROOT_PASSPHRASE,
        Self::TAG,
    ];

    /// The label as it stands in the HKDF info.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// The longest output of HKDF-SHA256, in bytes.
pub const MAX_OUTPUT: usize = 255 * 32;

/// How many parts of info may follow a label.
const MAX_PARTS: usize = 7;

/// HKDF-Expand: `out = HKDF-Expand(key, label ‖ info…)`, for keys that are already uniformly random.
///
/// # Panics
/// If `out` is longer than [`MAX_OUTPUT`], or `info` has more than seven parts; both are written into
/// this crate's code, never read from outside.
pub(crate) fn expand(key: &[u8; 32], label: Label, info: &[&[u8]], out: &mut [u8]) {
    wiping::after_hashing(|| expand_in_row(key, label, info, out));
}

/// As [`expand`], for callers that derive many keys in a row, within one [`wiping::after_hashing`].
pub(crate) fn expand_in_row(key: &[u8; 32], label: Label, info: &[&[u8]], out: &mut [u8]) {
    expand_with(&from_prk(key), label, info, out);
}

/// HKDF with both steps: `out = HKDF(salt, ikm₀ ‖ ikm₁ ‖ …, label ‖ info…)`. The inputs are 32 bytes
/// each, so that where one ends and the next begins is never in question.
///
/// # Panics
/// As [`expand`].
pub(crate) fn derive(keys: &[&[u8; 32]], salt: &[u8; 32], label: Label, info: &[&[u8]], out: &mut [u8]) {
    wiping::after_hashing(|| {
        let mut extract = hkdf::HkdfExtract::<Sha256>::new(Some(salt));
        for key in keys {
            extract.input_ikm(key.as_slice());
        }
        let (mut prk, hkdf) = extract.finalize();
        prk.as_mut_slice().zeroize();
        expand_with(&hkdf, label, info, out);
    });
}

/// HMAC-SHA256 over the parts of a message.
pub(crate) fn mac(key: &[u8; 32], message: &[&[u8]]) -> [u8; 32] {
    wiping::after_hashing(|| {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
        for part in message {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    })
}

#[allow(clippy::expect_used, reason = "32 bytes are what the hash gives, the least that is allowed")]
fn from_prk(key: &[u8; 32]) -> Hkdf<Sha256> {
    Hkdf::from_prk(key).expect("32 bytes")
}

#[allow(clippy::expect_used, reason = "lengths are this crate's own constants")]
fn expand_with(hkdf: &Hkdf<Sha256>, label: Label, info: &[&[u8]], out: &mut [u8]) {
    let mut parts: [&[u8]; MAX_PARTS + 1] = [&[]; MAX_PARTS + 1];
    parts[0] = label.0.as_bytes();
    parts[1..=info.len()].copy_from_slice(info);
    hkdf.expand_multi_info(&parts[..=info.len()], out).expect("at most MAX_OUTPUT bytes");
}

#[cfg(test)]
mod tests;
