//! The demo's folder: private, and gone afterwards unless it is kept.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;
use crate::cli::output::remark;

/// A new folder that only its owner may enter.
pub(super) struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Folder {
    /// Creates it; what is there already is never touched.
    pub(super) fn create(path: &Path, kept: bool) -> Result<Self, Failure> {
        DirBuilder::new().mode(0o700).create(path).map_err(|error| {
            let exists = error.kind() == ErrorKind::AlreadyExists;
            let hint = if exists { "; remove it, or name another with --folder" } else { "" };
            Failure::usage(format!("cannot create the folder {}: {error}{hint}", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), kept })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept
    }

    /// Where the vault is.
    pub(super) fn vault(&self) -> PathBuf {
        self.path.join("vault")
    }

    /// A folder below it.
    pub(super) fn below(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::failed(format!("cannot create {}: {error}", path.display())))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            remark(&format!("cannot remove {}: {error}", self.path.display()));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_unless_it_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("demo");
        let folder = Folder::create(&path, false).unwrap();
        fs::write(folder.below("x").unwrap().join("y"), "z").unwrap();
        drop(folder);
        assert!(!path.exists());

        drop(Folder::create(&path, true).unwrap());
        assert!(path.exists());
        let failure = Folder::create(&path, false).map(drop).unwrap_err();
        assert!(failure.message.contains("--folder"), "{failure}");
        assert!(path.exists());
    }
}
