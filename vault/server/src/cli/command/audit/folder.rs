//! A copy of a log in a folder.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use lethe_crypto::BoxError;
use lethe_crypto::log::copy::Files;

use crate::cli::exit::Failure;
use crate::store::sync_folder;

/// The file of the log's verifier key, beside the files of the copy.
pub(super) const VERIFIER_KEY: &str = "verifier_key";

/// A folder with a copy, or for one.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The folder, made if it is not there. Nobody else writes to it as long as the file that comes with it is open.
    pub(super) fn to_write(path: &Path) -> Result<(Self, File), Failure> {
        fs::create_dir_all(path).map_err(|error| cannot("make", path, &error))?;
        let at = path.join(".lock");
        let lock = File::create(&at).map_err(|error| cannot("make", &at, &error))?;
        lock.try_lock().map_err(|_| Failure::failed(format!("{} is being written to", path.display())))?;
        Ok((Self::at(path), lock))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Is there nothing in it but what [`Self::to_write`] made?
    pub(super) fn is_empty(&self) -> Result<bool, Failure> {
        let listed = fs::read_dir(&self.path).map_err(|error| cannot("list", &self.path, &error))?;
        let names: Result<Vec<_>, _> = listed.map(|entry| entry.map(|entry| entry.file_name())).collect();
        let names = names.map_err(|error| cannot("list", &self.path, &error))?;
        Ok(names.iter().all(|name| name == ".lock"))
    }

    /// A small file's text; `None` if there is none.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        let path = self.path.join(name);
        match self.read(name, 1 << 16) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) => Err(Failure::failed(format!("cannot read {}: {error}", path.display()))),
        }
    }

    /// Writes a file whole: it is the old one or the new one, whatever happens.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(name);
        self.replace(&path, bytes).map_err(|error| cannot("write", &path, &error))
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("remove", &path, &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder)?;
        replace(path, &self.path.join(".new"), folder, bytes)
    }
}

/// Puts `bytes` in the place of a file in `folder`, by way of the file `new`.
pub(super) fn replace(path: &Path, new: &Path, folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    sync_folder(folder)
}

impl Files for Folder {
    fn read(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, BoxError> {
        let mut bytes = Vec::new();
        match File::open(self.path.join(path)) {
            Ok(file) => drop(file.take(most as u64 + 1).read_to_end(&mut bytes)?),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if bytes.len() > most {
            return Err("it is longer than it can be".into());
        }
        Ok(Some(bytes))
    }
}

pub(super) fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {verb} {}: {error}", path.display()))
}
