//! What stores of this crate keep on their media, byte by byte: pure functions, which are fuzzed.

#[cfg(any(feature = "pkcs11", feature = "fuzzing"))]
pub(crate) mod claim;
#[cfg(any(feature = "tpm", feature = "fuzzing"))]
pub(crate) mod nv;
pub(crate) mod refusals;
#[cfg(any(feature = "transit", feature = "fuzzing"))]
pub(crate) mod register;
