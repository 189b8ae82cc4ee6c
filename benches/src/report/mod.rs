//! From stored lines to pages that people read: one a scenario, with plots, and an index that names
//! the machine and the build.

mod bounds;
mod page;
mod plot;
mod store;

use std::fs;
use std::path::Path;

pub use store::Store;

use crate::Error;

/// Who runs where, in a sentence.
pub const PINNING: &str = "For verification under load the load generator is pinned to one half of the cores and the \
                           server to the other; elsewhere they share all of them, since a search uses all.";

/// Writes the pages of everything stored in `from` into `to`, and returns the files' names.
///
/// # Errors
/// [`Error::Stored`] for a line that is no record, [`Error::Io`] if a file cannot be read or written,
/// [`Error::Invalid`] if nothing is stored.
pub fn write(from: &Path, to: &Path) -> Result<Vec<String>, Error> {
    let (hosts, records) = Store::open(from)?.read()?;
    fs::create_dir_all(to).map_err(Error::io(to.display().to_string()))?;
    let files = page::render(&hosts, &records);
    for (name, text) in &files {
        let path = to.join(name);
        fs::write(&path, text).map_err(Error::io(path.display().to_string()))?;
    }
    Ok(files.into_iter().map(|(name, _)| name).collect())
}
