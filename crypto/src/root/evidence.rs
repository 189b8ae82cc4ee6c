//! What a root store says when it has destroyed a root.

use std::fmt;

use super::RootId;
use super::medium::Medium;

/// Which kind of root store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreKind {
    /// Slots of a file, overwritten in place.
    File,
    /// A hardware security module behind PKCS#11.
    Pkcs11,
    /// A transit key of OpenBao or Vault.
    Transit,
    /// An NV index of a TPM 2.0.
    Tpm,
}

impl StoreKind {
    /// The kind as log entries name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Pkcs11 => "pkcs11",
            Self::Transit => "transit",
            Self::Tpm => "tpm2",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A root store's statement that a root exists in no place the store keeps roots in, read back after
/// destroying it. It says what was done; it cannot prove the physics of a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The kind of store.
    pub store: StoreKind,
    /// The root that is gone.
    pub root: RootId,
    /// In how many places it was destroyed and read back.
    pub replicas: u32,
    /// Was the root gone already when this call began? So it is after a crash between destroying and
    /// logging, and then this call only read back.
    pub was_absent: bool,
    /// What the medium cannot promise.
    pub medium: Medium,
}
