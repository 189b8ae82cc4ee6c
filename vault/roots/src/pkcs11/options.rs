//! What a PKCS#11 root store is opened with.

use std::path::PathBuf;
use std::time::Duration;

use lethe_crypto::Result;

use crate::Error;

/// Where a PKCS#11 root store is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Options {
    /// The token's PKCS#11 module, a shared library.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// Its serial number, if several tokens have that label.
    pub serial: Option<String>,
    /// File with the user PIN: mode 0600, one line.
    pub pin_file: PathBuf,
    /// First word of the labels of everything that this store puts into the token. One vault, one name.
    pub name: String,
    /// The operator vouches that the token stands alone: that it is in no cluster, and nobody backs it up.
    pub stands_alone: bool,
    /// File to count refused PINs in, so that a process that is started again and again does not lock the token.
    pub refusals: Option<PathBuf>,
    /// After how long a call is given up.
    pub timeout: Duration,
}

impl Pkcs11Options {
    /// With the name `lethe`, a token that may keep backups, no memory of refused PINs beyond the process, and a minute
    /// for each call.
    #[must_use]
    pub fn new(module: impl Into<PathBuf>, token: impl Into<String>, pin_file: impl Into<PathBuf>) -> Self {
        Self {
            module: module.into(),
            token: token.into(),
            serial: None,
            pin_file: pin_file.into(),
            name: "lethe".to_owned(),
            stands_alone: false,
            refusals: None,
            timeout: Duration::from_secs(60),
        }
    }

    /// Checks what can be checked without opening the store.
    ///
    /// # Errors
    /// [`lethe_crypto::Error::RootStore`] with [`Error::Options`] as its source.
    pub fn check(&self) -> Result<()> {
        // A relative name would be looked for along the loader's path, where others may have put theirs.
        if !self.module.is_absolute() {
            return Err(Error::option("the PKCS#11 module", "must be an absolute path"));
        }
        // CK_TOKEN_INFO has 32 bytes for the label, filled up with blanks.
        if self.token.is_empty() || self.token.len() > 32 || self.token.trim_end() != self.token {
            return Err(Error::option("the token's label", "must be 1 to 32 bytes without blanks at the end"));
        }
        let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if self.name.is_empty() || self.name.len() > 64 || !plain(&self.name) {
            return Err(Error::option("the name", "must be 1 to 64 letters, digits, or any of - _ ."));
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
        let good = Pkcs11Options::new("/lib/module.so", "token", "/etc/pin");
        assert!(good.check().is_ok());
        let bad = [
            ("module", Pkcs11Options { module: "module.so".into(), ..good.clone() }),
            ("label", Pkcs11Options { token: String::new(), ..good.clone() }),
            ("label", Pkcs11Options { token: "x".repeat(33), ..good.clone() }),
            ("label", Pkcs11Options { token: "blank ".into(), ..good.clone() }),
            ("name", Pkcs11Options { name: String::new(), ..good.clone() }),
            ("name", Pkcs11Options { name: "two words".into(), ..good.clone() }),
            ("timeout", Pkcs11Options { timeout: Duration::ZERO, ..good }),
        ];
        for (word, options) in bad {
            let error = options.check().unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains(word), "{source}");
        }
    }
}
