//! What the adversary keeps: each file of each image, once.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::seen::Seen;
use super::wal;
use crate::residue::files;

/// How often an image is taken anew because files came and went meanwhile.
const ATTEMPTS: usize = 50;

/// Images of data directories, of mirrors and of backups: of any folder.
///
/// A file that only grows is kept once, at its longest; an image knows how long it was. So thousands of images cost
/// little more than the bytes that were ever written.
pub(super) struct Images {
    store: TempDir,
    files: Vec<File>,
    /// The newest version of each path.
    newest: HashMap<PathBuf, usize>,
    /// Tables by inode: none is given to another file as long as its table is kept.
    tables: HashMap<u64, usize>,
    images: Vec<Image>,
}

/// Files of one image: their names below the folder, and how long they were.
pub(super) type Image = Vec<(PathBuf, Version)>;

/// A file as it was at a moment.
#[derive(Clone, Copy)]
pub(super) struct Version {
    file: usize,
    length: u64,
}

struct File {
    /// Where it is kept.
    kept: PathBuf,
    length: u64,
    /// Where it was, and what tells whether it is still the same.
    origin: PathBuf,
    stamp: Stamp,
    /// Its bytes until here were searched for rows.
    read: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl Images {
    pub(super) fn new() -> Self {
        let store = tempfile::Builder::new().prefix("lethe-images-").tempdir().unwrap();
        Self { store, files: Vec::new(), newest: HashMap::new(), tables: HashMap::new(), images: Vec::new() }
    }

    /// Images folders below a home, one after the other, whatever is being done to them.
    pub(super) fn take(&mut self, home: &Path, folders: &[&str]) {
        let mut listed = list(home, folders);
        for _ in 0..ATTEMPTS {
            let mut image = Image::new();
            for path in &listed {
                match self.keep(path) {
                    Ok(version) => image.push((path.strip_prefix(home).unwrap().to_owned(), version)),
                    // Dropped between the listing and the copy, as it happens to any imager.
                    Err(failure) if failure.kind() == io::ErrorKind::NotFound => {}
                    Err(failure) => panic!("cannot image {}: {failure}", path.display()),
                }
            }
            // Of a folder whose files changed names meanwhile no database may open.
            let now = list(home, folders);
            if now == listed {
                self.images.push(image);
                return;
            }
            listed = now;
        }
        panic!("{} does not come to rest", home.display());
    }

    fn keep(&mut self, path: &Path) -> io::Result<Version> {
        let metadata = fs::metadata(path)?;
        let stamp =
            Stamp { inode: metadata.ino(), length: metadata.len(), changed: (metadata.mtime(), metadata.mtime_nsec()) };
        if is_table(path) {
            return self.link(path, stamp);
        }
        if let Some(&file) = self.newest.get(path)
            && self.files[file].stamp == stamp
        {
            return Ok(Version { file, length: stamp.length });
        }
        let bytes = fs::read(path)?;
        let length = bytes.len() as u64;
        if let Some(&file) = self.newest.get(path) {
            let known = &mut self.files[file];
            let old = fs::read(&known.kept)?;
            if bytes.starts_with(&old) || old.starts_with(&bytes) {
                if bytes.len() > old.len() {
                    fs::write(&known.kept, &bytes)?;
                    known.length = length;
                }
                known.stamp = stamp;
                return Ok(Version { file, length });
            }
        }
        let kept = self.place();
        fs::write(&kept, &bytes)?;
        Ok(self.add(path, kept, stamp, length))
    }

    /// Tables are written once: another name for the same bytes will do.
    fn link(&mut self, path: &Path, stamp: Stamp) -> io::Result<Version> {
        if let Some(&file) = self.tables.get(&stamp.inode) {
            return Ok(Version { file, length: stamp.length });
        }
        let kept = self.place();
        fs::hard_link(path, &kept)?;
        let version = self.add(path, kept, stamp, stamp.length);
        self.tables.insert(stamp.inode, version.file);
        Ok(version)
    }

    fn place(&self) -> PathBuf {
        self.store.path().join(self.files.len().to_string())
    }

    fn add(&mut self, path: &Path, kept: PathBuf, stamp: Stamp, length: u64) -> Version {
        let file = self.files.len();
        self.files.push(File { kept, length, origin: path.to_owned(), stamp, read: 0 });
        self.newest.insert(path.to_owned(), file);
        Version { file, length }
    }

    /// Number of images.
    pub(super) fn len(&self) -> usize {
        self.images.len()
    }

    /// Files that differ, and their bytes.
    pub(super) fn kept(&self) -> (usize, u64) {
        (self.files.len(), self.files.iter().map(|file| file.length).sum())
    }

    /// The contents of every file that was ever there, with the name it had.
    pub(super) fn contents(&self) -> impl Iterator<Item = (&Path, Vec<u8>)> {
        self.files.iter().map(|file| (file.origin.as_path(), fs::read(&file.kept).unwrap()))
    }

    /// Makes the folder of an image again, to be used.
    pub(super) fn lay_out(&self, image: usize, folder: &Path) {
        self.lay_out_below(image, folder, "");
    }

    /// The same of what was below a part of it.
    pub(super) fn lay_out_below(&self, image: usize, folder: &Path, part: &str) {
        for (name, version) in self.images[image].iter().filter(|(name, _)| name.starts_with(part)) {
            let (path, kept) = (folder.join(name), &self.files[version.file].kept);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if is_table(name) {
                fs::hard_link(kept, &path).unwrap();
                continue;
            }
            // A copy: whoever opens it may change it.
            let bytes = fs::read(kept).unwrap();
            let length = usize::try_from(version.length).unwrap();
            fs::write(&path, &bytes[..length.min(bytes.len())]).unwrap();
        }
    }

    /// Reads every row of every write-ahead log that was imaged since it was last asked.
    pub(super) fn read_into(&mut self, seen: &mut Seen) {
        for file in &mut self.files {
            if is_log(&file.origin) && file.read < file.length {
                for batch in wal::batches(&fs::read(&file.kept).unwrap()) {
                    batch.puts.iter().for_each(|(key, value)| seen.add(key, value));
                }
                file.read = file.length;
            }
        }
    }
}

/// Files below these folders, each once, in the order of the folders. One that is not there has none.
fn list(home: &Path, folders: &[&str]) -> Vec<PathBuf> {
    let mut known = HashSet::new();
    let mut listed = Vec::new();
    for folder in folders.iter().map(|folder| home.join(folder)) {
        let found = loop {
            match files(&folder) {
                Ok(found) => break found,
                Err(failure) if failure.kind() == io::ErrorKind::NotFound && !folder.exists() => break Vec::new(),
                // A folder in it went on the way.
                Err(failure) if failure.kind() == io::ErrorKind::NotFound => {}
                Err(failure) => panic!("cannot list {}: {failure}", folder.display()),
            }
        };
        listed.extend(found.into_iter().filter(|path| known.insert(path.clone())));
    }
    listed
}

fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sst")
}

/// A write-ahead log: `db/000123.log`. (`LOG` is what RocksDB tells of itself.)
fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// The write-ahead log that is being written: the newest one.
pub(super) fn newest_log(data: &Path) -> PathBuf {
    let logs = files(&data.join("db")).unwrap().into_iter().filter(|path| is_log(path));
    logs.max().expect("an open database has a write-ahead log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let (log, table) = (folder.path().join("db/1.log"), folder.path().join("db/2.sst"));
        fs::create_dir(folder.path().join("db")).unwrap();
        let mut images = Images::new();
        let contents: [&[u8]; 5] = [b"", b"one", b"one, two", b"one, t", b"one, three"];
        for content in contents {
            fs::write(&log, content).unwrap();
            images.take(folder.path(), &["db"]);
        }
        fs::write(&table, b"table").unwrap();
        fs::remove_file(&log).unwrap();
        images.take(folder.path(), &["db"]);
        fs::remove_file(&table).unwrap();
        images.take(folder.path(), &["db"]);
        let read = |image, name| {
            let folder = tempfile::tempdir().unwrap();
            images.lay_out(image, folder.path());
            fs::read(folder.path().join(name)).ok()
        };
        for (image, content) in contents.into_iter().enumerate() {
            assert_eq!(read(image, "db/1.log").as_deref(), Some(content), "image {image}");
        }
        assert_eq!((read(5, "db/1.log"), read(5, "db/2.sst")), (None, Some(b"table".to_vec())));
        assert_eq!((read(6, "db/1.log"), read(6, "db/2.sst")), (None, None));
        assert_eq!((images.len(), images.kept().0), (7, 3), "what only grows is kept once");
    }
}
