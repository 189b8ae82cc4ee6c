//! How far a collector has a log, in a file: what it acknowledged, and no more.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use lethe_crypto::log::text::Origin;
use serde::{Deserialize, Serialize};

use crate::cli::command::audit::folder::{cannot, replace};
use crate::cli::exit::Failure;

/// Names the format, and its version.
const FORMAT: &str = "lethe-log-position";
const VERSION: u32 = 1;

/// The file, which nobody else writes to meanwhile.
pub(super) struct Position {
    path: PathBuf,
    /// The file beside it that is locked as long as this one is in use.
    _lock: File,
}

/// What is in it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    format: String,
    version: u32,
    /// The origin of the log.
    log: String,
    /// Index of the first entry that was not acknowledged.
    next: i64,
}

impl Position {
    /// The file, which need not be there yet.
    ///
    /// # Errors
    /// One that somebody else writes to, or a folder that cannot be written to.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let at = beside(path, ".lock");
        let lock = File::create(&at).map_err(|error| cannot("make", &at, &error))?;
        lock.try_lock().map_err(|_| Failure::failed(format!("{} is another's who follows a log", path.display())))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The first entry of a log that was not acknowledged; `None` if the file is not there.
    ///
    /// # Errors
    /// A file of another kind or version, or of another log.
    pub(super) fn read(&self, origin: &Origin) -> Result<Option<i64>, Failure> {
        let refuse = |why: &str| Failure::usage(format!("the position in {}: {why}", self.path.display()));
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", &self.path, &error)),
        };
        let content: Content = serde_json::from_str(&text).map_err(|_| refuse("is none that this version reads"))?;
        if (content.format.as_str(), content.version) != (FORMAT, VERSION) || content.next < 0 {
            return Err(refuse("is none that this version reads"));
        }
        if content.log != origin.as_str() {
            return Err(refuse(&format!("is of the log {}, and this one is {origin}", content.log)));
        }
        Ok(Some(content.next))
    }

    /// Remembers, durably, that everything before an entry was acknowledged.
    pub(super) fn advance(&self, origin: &Origin, next: i64) -> Result<(), Failure> {
        let content = Content { format: FORMAT.into(), version: VERSION, log: origin.to_string(), next };
        let mut text = serde_json::to_vec(&content)
            .map_err(|error| Failure::failed(format!("the position cannot be written: {error}")))?;
        text.push(b'\n');
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        replace(&self.path, &beside(&self.path, ".new"), folder, &text)
            .map_err(|error| cannot("write", &self.path, &error))
    }
}

fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    #[test]
    fn what_was_acknowledged_is_remembered_of_one_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acme.position");
        let (acme, globex): (Origin, Origin) = ("lethe/acme/log".parse().unwrap(), "lethe/globex/log".parse().unwrap());
        let position = Position::open(&path).unwrap();
        assert_eq!(position.read(&acme).unwrap(), None);
        position.advance(&acme, 7).unwrap();
        position.advance(&acme, 12).unwrap();
        assert_eq!(position.read(&acme).unwrap(), Some(12));
        let failure = position.read(&globex).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("lethe/acme/log"), "{failure}");
        assert!(Position::open(&path).is_err(), "two would overtake each other");
        drop(position);
        let position = Position::open(&path).unwrap();
        for damaged in
            ["", "12", "{}", r#"{"format":"lethe-log-position","version":2,"log":"lethe/acme/log","next":1}"#]
        {
            fs::write(&path, damaged).unwrap();
            assert_eq!(position.read(&acme).unwrap_err().exit, Exit::Usage, "{damaged}");
        }
    }
}
