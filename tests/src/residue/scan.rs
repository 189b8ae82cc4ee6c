use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Scanner;

/// A needle that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace {
    /// Where: a file, `name of` a file, or what the caller said.
    pub place: String,
    /// Which secret.
    pub secret: String,
    /// In which form.
    pub form: &'static str,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {} in {}", self.secret, self.form, self.place)
    }
}

impl Scanner {
    /// What is found in `bytes`; each secret in each form once.
    #[must_use]
    pub fn scan(&self, place: &str, bytes: &[u8]) -> BTreeSet<Trace> {
        let found: BTreeSet<usize> =
            self.automaton.find_overlapping_iter(bytes).map(|found| found.pattern().as_usize()).collect();
        let trace = |pattern: usize| {
            let label = self.labels[pattern];
            Trace { place: place.to_owned(), secret: self.secrets[label.secret].clone(), form: label.form }
        };
        found.into_iter().map(trace).collect()
    }

    /// What is found in a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn scan_file(&self, path: &Path) -> io::Result<BTreeSet<Trace>> {
        Ok(self.scan(&path.display().to_string(), &fs::read(path)?))
    }

    /// What is found in all files below a folder, and in their names.
    ///
    /// # Errors
    /// If something cannot be read.
    pub fn scan_folder(&self, folder: &Path) -> io::Result<BTreeSet<Trace>> {
        let mut found = BTreeSet::new();
        for path in files(folder)? {
            let name = path.strip_prefix(folder).unwrap_or(&path).as_os_str().as_encoded_bytes();
            found.extend(self.scan(&format!("name of {}", path.display()), name));
            found.extend(self.scan_file(&path)?);
        }
        Ok(found)
    }
}

/// All files below a folder, by name.
///
/// # Errors
/// If a folder cannot be read.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    Ok(found)
}
