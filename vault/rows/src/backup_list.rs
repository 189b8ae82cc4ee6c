//! What a backup is made of, by its list of files: RocksDB writes it, beside the files.

use std::path::{Component, Path, PathBuf};

/// Folders of the files in a list.
const PARTS: [&str; 3] = ["private", "shared", "shared_checksum"];

/// A backup, by its list of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFiles {
    /// Its number.
    pub number: u32,
    /// When it was made, in seconds since 1970 UTC.
    pub created_at: i64,
    /// Its files, below the folder of backups.
    pub files: Vec<PathBuf>,
}

impl BackupFiles {
    /// Schema 1: time, sequence number, perhaps metadata, number of files, and a line for each with its checksum.
    pub fn parse(number: u32, text: &str) -> Option<Self> {
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

    /// The files, each with the name that it had in the database; none if it has no name that a file could have.
    pub fn names(&self) -> impl Iterator<Item = (&Path, Option<String>)> {
        self.files.iter().map(|file| (file.as_path(), name_in_database(file)))
    }
}

/// A path that stays in the folder of backups, whatever the list says.
fn path(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    let mut components = path.components();
    let part = matches!(components.next(), Some(Component::Normal(first)) if PARTS.iter().any(|part| first == *part));
    let below = components.clone().next().is_some();
    let stays = components.all(|component| matches!(component, Component::Normal(_)));
    (part && below && stays).then_some(path)
}

/// The name that a file had: tables that backups share are told apart by what follows their number.
fn name_in_database(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let name = match (name.split_once('_'), name.rsplit_once('.')) {
        (Some((number, _)), Some((_, kind))) if !file.starts_with("private") => format!("{number}.{kind}"),
        _ => name.to_owned(),
    };
    // Or it would be the name of a folder.
    (name != "." && name != "..").then_some(name)
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
        let names: Vec<_> = list.names().map(|(_, name)| name.unwrap()).collect();
        assert_eq!(names, ["MANIFEST-000005", "CURRENT", "000010.sst"]);
    }

    #[test]
    fn a_list_that_leads_elsewhere_is_none() {
        for file in ["/etc/passwd", "private/../../x", "../private/x", "other/x", "private", "shared/"] {
            assert_eq!(BackupFiles::parse(1, &format!("1\n2\n1\n{file} crc32 1\n")), None, "{file}");
        }
        let list = BackupFiles::parse(1, "1\n2\n1\nshared/._x. crc32 1\n").unwrap();
        assert!(list.names().all(|(_, name)| name.is_none()), "it would lead out of the folder");
        for text in ["", "1\n", "1\n2\n", "1\n2\n2\nprivate/1/CURRENT crc32 1\n", "x\n2\n0\n"] {
            assert_eq!(BackupFiles::parse(1, text), None, "{text:?}");
        }
    }
}
