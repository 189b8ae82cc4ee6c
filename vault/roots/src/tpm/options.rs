//! What a TPM root store is opened with.

use std::path::PathBuf;
use std::time::Duration;

use lethe_crypto::Result;

use crate::Error;

/// Roots that there is room for: the current, the one before, and orphans of crashes in a row.
pub(super) const SLOTS: u32 = 8;

/// NV indices that belong to the owner (TCG registry of reserved handles).
const OWNERS: std::ops::RangeInclusive<u32> = 0x0180_0000..=0x01bf_ffff;

/// Where a TPM root store is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmOptions {
    /// How the TPM is reached, as the TSS library names it: `device:/dev/tpmrm0`, `tabrmd`,
    /// `swtpm:host=…,port=…`.
    pub tcti: String,
    /// File with the secret that the indices' authorisation values are derived from: mode 0600, 32 random
    /// bytes or more. Whoever has it and the TPM has the roots; without it they are lost.
    pub auth_file: PathBuf,
    /// File with the owner authorisation, if the TPM has one: it is needed to define and undefine.
    pub owner_auth_file: Option<PathBuf>,
    /// The first of nine consecutive NV indices: the claim, then eight for roots. One vault, one range.
    pub first_index: u32,
    /// The least time between two roots.
    pub min_interval: Duration,
    /// After how long a call is given up.
    pub timeout: Duration,
}

impl TpmOptions {
    /// The kernel's resource manager, indices from `0x018a4c00`, an hour between two roots, and a minute for
    /// each call.
    #[must_use]
    pub fn new(auth_file: impl Into<PathBuf>) -> Self {
        Self {
            tcti: "device:/dev/tpmrm0".to_owned(),
            auth_file: auth_file.into(),
            owner_auth_file: None,
            first_index: 0x018a_4c00,
            min_interval: Duration::from_secs(3600),
            timeout: Duration::from_secs(60),
        }
    }

    /// Checks what can be checked without opening the store.
    ///
    /// # Errors
    /// [`lethe_crypto::Error::RootStore`] with [`Error::Options`] as its source.
    pub fn check(&self) -> Result<()> {
        if self.tcti.is_empty() || self.tcti.contains('\0') {
            return Err(Error::option("the TCTI", "must name how the TPM is reached, like device:/dev/tpmrm0"));
        }
        let last = self.first_index.checked_add(SLOTS);
        if !OWNERS.contains(&self.first_index) || !last.is_some_and(|last| OWNERS.contains(&last)) {
            return Err(Error::option("the first index", "must be in the owner's range, 0x01800000 to 0x01bffff7"));
        }
        if self.timeout.is_zero() {
            return Err(Error::option("the timeout", "must not be zero"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let good = TpmOptions::new("/etc/auth");
        assert!(good.check().is_ok());
        assert!(TpmOptions { first_index: 0x01bf_fff7, ..good.clone() }.check().is_ok());
        let bad = [
            ("TCTI", TpmOptions { tcti: String::new(), ..good.clone() }),
            ("first index", TpmOptions { first_index: 0x017f_ffff, ..good.clone() }),
            ("first index", TpmOptions { first_index: 0x01bf_fff8, ..good.clone() }),
            ("first index", TpmOptions { first_index: u32::MAX, ..good.clone() }),
            ("timeout", TpmOptions { timeout: Duration::ZERO, ..good }),
        ];
        for (word, options) in bad {
            let error = options.check().unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains(word), "{source}");
        }
    }
}
