//! What a backup is made of, by its list of files. RocksDB's engine is not asked: it tidies up where it is opened.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use super::StoreError;

/// Where the lists are.
const META: &str = "meta";
/// Folders of the files in them.
const PARTS: [&str; 3] = ["private", "shared", "shared_checksum"];

/// A backup, by its list of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackupFiles {
    /// Its number.
    pub(crate) number: u32,
    /// When it was made, in seconds since 1970 UTC.
    pub(crate) created_at: i64,
    /// Its files, below the folder of backups.
    pub(crate) files: Vec<PathBuf>,
}

/// A backup's number, and its files if their list can be read.
pub(crate) type Listed = (u32, Result<BackupFiles, StoreError>);

impl BackupFiles {
    /// Is this a folder of backups?
    pub(crate) fn are_in(folder: &Path) -> bool {
        folder.join(META).is_dir()
    }

    /// All backups of a folder, oldest first, and the lists that cannot be read.
    pub(crate) fn list(folder: &Path) -> Result<Vec<Listed>, StoreError> {
        let meta = folder.join(META);
        let entries = fs::read_dir(&meta).map_err(|cause| StoreError::Folder { path: meta.clone(), cause })?;
        let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut found: Vec<_> = numbers.map(|number| (number, Self::read(&meta, number))).collect();
        found.sort_by_key(|(number, _)| *number);
        Ok(found)
    }

    fn read(meta: &Path, number: u32) -> Result<Self, StoreError> {
        let path = meta.join(number.to_string());
        let wrong = || StoreError::corrupt("list of a backup's files", path.display().to_string());
        let text = fs::read_to_string(&path).map_err(|_| wrong())?;
        Self::parse(number, &text).ok_or_else(wrong)
    }

    /// Schema 1: time, sequence number, perhaps metadata, number of files, and a line for each with its checksum.
    fn parse(number: u32, text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let created_at = lines.next()?.parse().ok()?;
        lines.next()?.parse::<u64>().ok()?;
        let mut count = lines.next()?;
        if count.starts_with("metadata ") {
            count = lines.next()?;
        }
        let files: Vec<_> = lines.map(|line| path(line.split(' ').next()?)).collect::<Option<_>>()?;
        (count.parse() == Ok(files.len())).then_some(Self { number, created_at, files })
    }

    /// Bytes of the files that are there, and those that are not.
    pub(crate) fn sizes(&self, folder: &Path) -> (u64, Vec<&Path>) {
        let (mut bytes, mut missing) = (0, Vec::new());
        for file in &self.files {
            match fs::metadata(folder.join(file)) {
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => missing.push(file.as_path()),
            }
        }
        (bytes, missing)
    }

    /// Makes a folder that shows the backup as the database it was: of links, so that nothing is copied.
    pub(crate) fn lay_out(&self, folder: &Path, into: &Path) -> Result<(), StoreError> {
        let fault = |cause| StoreError::Folder { path: into.to_owned(), cause };
        let folder = folder.canonicalize().map_err(fault)?;
        fs::DirBuilder::new().mode(0o700).create(into).map_err(fault)?;
        // A link that leads nowhere would keep RocksDB from opening the rest; what is missing is told apart.
        for file in self.files.iter().filter(|file| folder.join(file).exists()) {
            let name =
                name_in_database(file).ok_or_else(|| StoreError::corrupt("backup", file.display().to_string()))?;
            symlink(folder.join(file), into.join(name)).map_err(fault)?;
        }
        Ok(())
    }
}

/// A path that stays in the folder of backups, whatever the list says.
fn path(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    let mut components = path.components();
    let part = matches!(components.next(), Some(Component::Normal(first)) if PARTS.iter().any(|part| first == *part));
    let stays = components.all(|component| matches!(component, Component::Normal(_)));
    (part && stays).then_some(path)
}

/// The name that a file had: tables that backups share are told apart by what follows their number.
fn name_in_database(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    if file.starts_with("private") {
        return Some(name.to_owned());
    }
    match (name.split_once('_'), name.rsplit_once('.')) {
        (Some((number, _)), Some((_, kind))) => Some(format!("{number}.{kind}")),
        _ => Some(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_rocksdb_writes_it() {
        let text = "1795354379\n42\n3\nprivate/2/MANIFEST-000005 crc32 1\nprivate/2/CURRENT crc32 2\n\
                    shared_checksum/000010_sABCDEF_2211.sst crc32 3\n";
        let list = BackupFiles::parse(2, text).unwrap();
        assert_eq!((list.created_at, list.files.len()), (1_795_354_379, 3));
        let names: Vec<_> = list.files.iter().map(|file| name_in_database(file).unwrap()).collect();
        assert_eq!(names, ["MANIFEST-000005", "CURRENT", "000010.sst"]);
    }

    #[test]
    fn a_list_that_leads_elsewhere_is_none() {
        for file in ["/etc/passwd", "private/../../x", "../private/x", "other/x"] {
            assert_eq!(BackupFiles::parse(1, &format!("1\n2\n1\n{file} crc32 1\n")), None, "{file}");
        }
        for text in ["", "1\n", "1\n2\n", "1\n2\n2\nprivate/1/CURRENT crc32 1\n", "x\n2\n0\n"] {
            assert_eq!(BackupFiles::parse(1, text), None, "{text:?}");
        }
    }
}
