//! The demo's folder: private, and gone afterwards unless it is kept.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;
use crate::cli::output::remark;
use crate::cli::request_id;

/// A new folder that only its owner may enter.
pub(super) struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Folder {
    /// Creates the folder that is to be kept, or one in the system's place for temporary files.
    pub(super) fn create(keep: Option<&Path>) -> Result<Self, Failure> {
        let path = match keep {
            Some(path) => path.to_owned(),
            None => std::env::temp_dir().join(format!("lethe-demo-{}", request_id::random()?)),
        };
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::usage(format!("cannot create the folder {}: {error}", path.display())))?;
        Ok(Self { path, kept: keep.is_some() })
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
        let folder = Folder::create(None).unwrap();
        let path = folder.path().to_owned();
        fs::write(folder.below("x").unwrap().join("y"), "z").unwrap();
        drop(folder);
        assert!(!path.exists());

        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("kept");
        drop(Folder::create(Some(&path)).unwrap());
        assert!(path.exists());
        // What is there already is not touched.
        assert!(Folder::create(Some(&path)).is_err());
    }
}
