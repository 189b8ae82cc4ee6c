use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::report::{BackupPart, FolderKind};
use super::{InspectError, Question};
use crate::store::backup_files;

/// Why a folder is nothing that can be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{path} {why}", path = path.display())]
pub struct NoSuchPlace {
    path: PathBuf,
    why: String,
}

/// What a folder is, and where its database is.
pub(super) struct Place {
    kind: FolderKind,
    folder: PathBuf,
    database: PathBuf,
    backup: Option<BackupPart>,
    /// Links that show a backup as a database.
    _links: Option<Links>,
}

/// A folder that goes with this.
struct Links(PathBuf);

impl Drop for Links {
    fn drop(&mut self) {
        if let Err(fault) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%fault, folder = %self.0.display(), "a folder of links is left");
        }
    }
}

impl Place {
    /// Finds out what a folder is.
    pub(super) fn find(question: &Question<'_>) -> Result<Self, InspectError> {
        let folder = question.folder;
        let is =
            |kind, database: PathBuf| Self { kind, folder: folder.to_owned(), database, backup: None, _links: None };
        if is_database(&folder.join("db")) {
            return Ok(is(FolderKind::Vault, folder.join("db")));
        }
        if backup_files::are_in(folder) {
            return Self::backup(question);
        }
        if is_database(folder) {
            // A mirror says so itself; see `census`.
            return Ok(is(FolderKind::Database, folder.to_owned()));
        }
        let why = if folder.join("db.restoring").is_dir() {
            "has no database yet, only a backup's files that are being written: the restore was cut short; run it again"
        } else if folder.exists() {
            "is no vault, no mirror and no folder of backups"
        } else {
            "does not exist"
        };
        Err(no_such_place(folder, why).into())
    }

    fn backup(question: &Question<'_>) -> Result<Self, InspectError> {
        let folder = question.folder;
        let all = backup_files::list(folder)?;
        let numbers: Vec<u32> = all.iter().map(|(number, _)| *number).collect();
        let mut listed = all.into_iter();
        let found = match question.number {
            None => listed.next_back(),
            Some(wanted) => listed.find(|(number, _)| *number == wanted),
        };
        let (number, files) = found.ok_or_else(|| no_such_place(folder, "has no such backup"))?;
        let files = files?;
        let (bytes, missing) = backup_files::sizes(&files, folder);
        let owner = std::fs::read_to_string(folder.join("vault")).ok();
        let part = BackupPart {
            number,
            of: numbers,
            made_at: files.created_at,
            files: files.files.len(),
            bytes,
            missing: missing.into_iter().map(|path| path.display().to_string()).collect(),
            folder_of_vault: owner.map(|owner| owner.trim().to_owned()),
        };
        let mut name = [0; 8];
        SystemRandom::new().fill(&mut name).map_err(|_| no_such_place(&question.scratch, "cannot be named"))?;
        let links = question.scratch.join(format!("lethe-inspect-{}", hex::encode(name)));
        backup_files::lay_out(&files, folder, &links)?;
        Ok(Self {
            kind: FolderKind::Backup,
            folder: folder.to_owned(),
            database: links.clone(),
            backup: Some(part),
            _links: Some(Links(links)),
        })
    }

    pub(super) fn kind(&self) -> FolderKind {
        self.kind
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where RocksDB is to look.
    pub(super) fn database(&self) -> &Path {
        &self.database
    }

    pub(super) fn backup_part(&self) -> Option<&BackupPart> {
        self.backup.as_ref()
    }
}

fn is_database(folder: &Path) -> bool {
    folder.join("CURRENT").is_file()
}

fn no_such_place(path: &Path, why: &str) -> NoSuchPlace {
    NoSuchPlace { path: path.to_owned(), why: why.to_owned() }
}
