//! Keys of nobody, for measuring parts of the vault by themselves.

use lethe_crypto::secret::{SlotKey, TransformSeed};
use lethe_crypto::transform::KeyedTransform;

use crate::Error;

/// A slot key that depends on `number` alone.
#[must_use]
pub fn slot_key(number: u8) -> SlotKey {
    SlotKey::from_fn(|bytes| bytes.fill(number))
}

/// The keyed transform of a tenant that does not exist.
///
/// # Errors
/// [`Error::Crypto`] for a dimension that the transform does not take.
pub fn rotation(dimension: usize) -> Result<KeyedTransform, Error> {
    Ok(KeyedTransform::new(&TransformSeed::derive(&slot_key(1), 0), dimension)?)
}
