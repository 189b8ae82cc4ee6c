//! API keys and tokens on their way in and out: never echoed, and in files only for their owner.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::exit::Failure;
use super::output::remark;

/// The variable that an API key is taken from.
pub(super) const KEY_VARIABLE: &str = "LETHE_KEY";

/// The variable that a token of an identity provider is taken from.
pub(super) const TOKEN_VARIABLE: &str = "LETHE_LOGIN_TOKEN";

/// Longest file of a key or a token worth reading: servers take no longer token.
const MAX_FILE: u64 = 8192;

/// What shows who calls: an API key, or a token of an identity provider. Shared, not copied, when the argument parser clones it.
#[derive(Clone)]
pub(super) struct ApiKey(Arc<Zeroizing<String>>);

impl ApiKey {
    /// The key itself, for the header it is sent in.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// A key of text, without the white space around it.
    pub(super) fn new(text: &str) -> Self {
        Self(Arc::new(Zeroizing::new(text.trim().to_owned())))
    }

    /// Reads a file that holds a key and nothing else.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        Self::read_as("key", path)
    }

    /// Reads a file that holds a token and nothing else.
    pub(super) fn read_token(path: &Path) -> Result<Self, Failure> {
        Self::read_as("token", path)
    }

    fn read_as(what: &str, path: &Path) -> Result<Self, Failure> {
        let refuse =
            |error: io::Error| Failure::usage(format!("cannot read the {what} file {}: {error}", path.display()));
        let file = File::open(path).map_err(refuse)?;
        let mode = file.metadata().map_err(refuse)?.permissions().mode();
        if mode & 0o077 != 0 {
            remark(&format!("the {what} file {} is open to other users: chmod 600", path.display()));
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_FILE as usize + 1));
        // One byte more than there may be, so that what is too long is seen to be.
        file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(refuse)?;
        if text.len() as u64 > MAX_FILE {
            return Err(Failure::usage(format!("the {what} file {} is longer than {MAX_FILE} bytes", path.display())));
        }
        let key = Self::new(&text);
        if key.expose().is_empty() {
            return Err(Failure::usage(format!("the {what} file {} is empty", path.display())));
        }
        Ok(key)
    }
}

impl FromStr for ApiKey {
    type Err = std::convert::Infallible;

    /// Takes anything: an error of the argument parser would show the text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(<secret>)")
    }
}

/// Writes a secret to a new file that only its owner can read, synced.
pub(super) fn write_private(path: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // In one write: a power cut leaves all of it, or nothing.
    file.write_all(Zeroizing::new(format!("{secret}\n")).as_bytes())?;
    file.sync_all()?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_shows() {
        let key = ApiKey::new(" k3y\n");
        assert_eq!(key.expose(), "k3y");
        assert!(!format!("{key:?}").contains("k3y"));
    }

    #[test]
    fn a_key_file_is_private_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_private(&path, "k3y").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(ApiKey::read(&path).unwrap().expose(), "k3y");
        let again = write_private(&path, "other").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(ApiKey::read(&path).unwrap().expose(), "k3y");
    }

    #[test]
    fn an_empty_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_private(&path, "  ").unwrap();
        assert!(ApiKey::read(&path).unwrap_err().message.contains("empty"));
        assert!(ApiKey::read(Path::new("/nonexistent")).is_err());
    }
}
