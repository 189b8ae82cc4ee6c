//! Secrets in files: a PIN, a token, an authorisation value. Read anew whenever one is needed, so that it is
//! in memory no longer than that, and may be renewed in place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use lethe_crypto::{Error, Result};
use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::formats::refusals::Stamp;

/// The longest secret that a file may hold, bytes.
const LONGEST: usize = 4096;

/// Reads a secret; one line feed at its end does not count.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let (mut file, length) = open(path)?;
    // Allocated at once: a vector that grows leaves its bytes behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    secret.resize(LONGEST + 1, 0);
    let mut filled = 0;
    while filled < secret.len() {
        match file.read(&mut secret[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(io_error("reading", path, source)),
        }
    }
    if secret[..filled].last() == Some(&b'\n') {
        filled -= 1;
    }
    secret.truncate(filled);
    if filled == 0 || filled > LONGEST || length > LONGEST as u64 {
        let why = format!("{}: empty, or longer than {LONGEST} bytes", path.display());
        return Err(Error::Corrupt { what: "secret's file", why });
    }
    Ok(secret)
}

/// Which version of the file is there.
#[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "tokens alone lock after wrong PINs"))]
pub(crate) fn stamp(path: &Path) -> Result<Stamp> {
    let metadata = std::fs::metadata(path).map_err(|source| io_error("reading", path, source))?;
    Ok(Stamp { modified: (metadata.mtime(), metadata.mtime_nsec()), inode: metadata.ino(), length: metadata.len() })
}

fn open(path: &Path) -> Result<(File, u64)> {
    // A pipe in its place must not stop us for ever. Links are followed: credentials are often handed out so.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(|source| io_error("opening", path, source))?;
    let metadata = file.metadata().map_err(|source| io_error("reading", path, source))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Permissions { path: path.to_owned(), mode });
    }
    Ok((file, metadata.len()))
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: PathBuf::from(path), source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn one_line_feed_at_the_end_does_not_count() {
        for (content, secret) in [(&b"1234\n"[..], &b"1234"[..]), (b"1234", b"1234"), (b"12\n\n", b"12\n")] {
            let (_directory, path) = file(content, 0o600);
            assert_eq!(read(&path).unwrap().as_slice(), secret);
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        for mode in [0o640, 0o604, 0o644, 0o620, 0o601] {
            let (_directory, path) = file(b"1234", mode);
            assert!(matches!(read(&path), Err(Error::Permissions { mode: found, .. }) if found == mode));
        }
        let (_directory, path) = file(b"1234", 0o400);
        assert!(read(&path).is_ok());
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        for content in [&b""[..], b"\n", &[b'x'; LONGEST + 1], &[b'x'; 3 * LONGEST]] {
            let (_directory, path) = file(content, 0o600);
            assert!(matches!(read(&path), Err(Error::Corrupt { .. })));
        }
        let (_directory, path) = file(&[b'x'; LONGEST], 0o600);
        assert_eq!(read(&path).unwrap().len(), LONGEST);
        assert!(matches!(read(Path::new("/nonexistent/secret")), Err(Error::Io { .. })));
    }

    #[test]
    fn a_changed_file_has_another_stamp() {
        let (directory, path) = file(b"1234", 0o600);
        let before = stamp(&path).unwrap();
        assert_eq!(stamp(&path).unwrap(), before);
        assert_eq!(Stamp::decode(&before.encode()), Some(before));
        let other = directory.path().join("other");
        fs::write(&other, b"1234").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_ne!(stamp(&path).unwrap(), before);
    }
}
