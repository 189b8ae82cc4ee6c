use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A server's folder: its data, its root files, its operator's key and its log. It is deleted with the
/// value.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

impl Home {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::of(tempfile::Builder::new().prefix("lethe-test-").tempdir().unwrap())
    }

    /// An empty one below another folder, such as one of another file system.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        Self::of(tempfile::Builder::new().prefix("lethe-test-").tempdir_in(folder).unwrap())
    }

    fn of(folder: TempDir) -> Self {
        fs::create_dir(folder.path().join("roots")).unwrap();
        Self { folder }
    }

    /// A copy of a folder, byte by byte: a clone, or the image of a disk.
    #[must_use]
    pub fn copy_of(other: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("lethe-test-").tempdir().unwrap();
        copy(other, folder.path());
        Self { folder }
    }

    /// The folder of it all.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The root store's file of replica `number`, counting from 0.
    #[must_use]
    pub fn root(&self, number: usize) -> PathBuf {
        self.path().join("roots").join(format!("{number}.root"))
    }

    /// Where a mirror is that a loss of the data directory does not take along: see [`crate::Setup::apart`].
    #[must_use]
    pub fn mirror(&self) -> PathBuf {
        self.path().join("mirror")
    }

    /// Where backups go: see [`crate::Setup::apart`].
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.path().join("backups")
    }

    /// The data directory is lost, whole.
    pub fn lose_data(&self) {
        fs::remove_dir_all(self.data()).unwrap();
    }

    /// Where the first start writes the operator's key.
    #[must_use]
    pub fn operator_key(&self) -> PathBuf {
        self.path().join("operator.key")
    }

    /// What the servers of this folder wrote to standard error, one after the other.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.path().join("server.log")
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            // A server at work may drop a file between the listing and the copy, as under a real imager.
            match fs::copy(entry.path(), &target) {
                Ok(_) => {}
                Err(failure) if failure.kind() == std::io::ErrorKind::NotFound => {}
                Err(failure) => panic!("cannot copy {}: {failure}", entry.path().display()),
            }
        }
    }
}
