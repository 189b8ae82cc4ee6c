//! What a backup is made of, by its list of files. RocksDB's engine is not asked: it tidies up where it is opened.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::Path;

use lethe_rows::BackupFiles;

use super::StoreError;

/// Where the lists are.
const META: &str = "meta";

/// A backup's number, and its files if their list can be read.
pub(crate) type Listed = (u32, Result<BackupFiles, StoreError>);

/// Is this a folder of backups?
pub(crate) fn are_in(folder: &Path) -> bool {
    folder.join(META).is_dir()
}

/// All backups of a folder, oldest first, and the lists that cannot be read.
pub(crate) fn list(folder: &Path) -> Result<Vec<Listed>, StoreError> {
    let meta = folder.join(META);
    let entries = fs::read_dir(&meta).map_err(|cause| StoreError::Folder { path: meta.clone(), cause })?;
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut found: Vec<_> = numbers.map(|number| (number, read(&meta, number))).collect();
    found.sort_by_key(|(number, _)| *number);
    Ok(found)
}

fn read(meta: &Path, number: u32) -> Result<BackupFiles, StoreError> {
    let path = meta.join(number.to_string());
    let wrong = || StoreError::corrupt("list of a backup's files", path.display().to_string());
    let text = fs::read_to_string(&path).map_err(|_| wrong())?;
    BackupFiles::parse(number, &text).ok_or_else(wrong)
}

/// Bytes of the files that are there, and those that are not.
pub(crate) fn sizes<'a>(files: &'a BackupFiles, folder: &Path) -> (u64, Vec<&'a Path>) {
    let (mut bytes, mut missing) = (0, Vec::new());
    for file in &files.files {
        match fs::metadata(folder.join(file)) {
            Ok(metadata) => bytes += metadata.len(),
            Err(_) => missing.push(file.as_path()),
        }
    }
    (bytes, missing)
}

/// Makes a folder that shows the backup as the database it was: of links, so that nothing is copied.
pub(crate) fn lay_out(files: &BackupFiles, folder: &Path, into: &Path) -> Result<(), StoreError> {
    let fault = |cause| StoreError::Folder { path: into.to_owned(), cause };
    let folder = folder.canonicalize().map_err(fault)?;
    fs::DirBuilder::new().mode(0o700).create(into).map_err(fault)?;
    // A link that leads nowhere would keep RocksDB from opening the rest; what is missing is told apart.
    for (file, name) in files.names().filter(|(file, _)| folder.join(file).exists()) {
        let name = name.ok_or_else(|| StoreError::corrupt("backup", file.display().to_string()))?;
        symlink(folder.join(file), into.join(name)).map_err(fault)?;
    }
    Ok(())
}
