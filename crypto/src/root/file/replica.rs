//! One replica: a file that is locked, private, and only ever overwritten in place.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, OFlags, fadvise};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::layout::{self, BLOCK, Block, FILE, HEADERS, Header, SLOTS, Slot};
use crate::error::{Error, Result};
use crate::random::{Random as _, System};

/// An open, locked replica.
#[derive(Debug)]
pub(super) struct Replica {
    path: PathBuf,
    file: File,
}

/// A replica's content, as it was read.
pub(super) struct Image {
    /// The newer of the two headers; `None` if neither is whole.
    pub(super) header: Option<Header>,
    pub(super) slots: Vec<Slot>,
}

impl Replica {
    /// Opens a replica, or gives `None` if there is no such file.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        let fail = io_error("opening", path);
        let file = match OpenOptions::new().read(true).write(true).custom_flags(no_follow()).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let replica = Self { path: path.to_owned(), file };
        replica.lock()?;
        replica.expect_shape()?;
        Ok(Some(replica))
    }

    fn expect_shape(&self) -> Result<()> {
        let path = &self.path;
        let metadata = self.file.metadata().map_err(io_error("reading", path))?;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::Permissions { path: path.to_owned(), mode });
        }
        if metadata.len() != FILE as u64 {
            return Err(Error::corrupt("root store file", format!("{}: not {FILE} bytes", path.display())));
        }
        Ok(())
    }

    /// Opens a replica to look at it: it may be in use, and nothing can be written through this.
    pub(super) fn look(path: &Path) -> Result<Self> {
        let opened = OpenOptions::new().read(true).custom_flags(no_follow()).open(path);
        let file = opened.map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return Error::ReplicaMissing(path.to_owned());
            }
            io_error("opening", path)(error)
        })?;
        let replica = Self { path: path.to_owned(), file };
        replica.expect_shape()?;
        Ok(replica)
    }

    /// Makes a replica with this header and no root; it has its name only once it is whole.
    pub(super) fn create(path: &Path, header: &Header) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let temporary = PathBuf::from(name);
        let fail = |action| io_error(action, &temporary);
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail("removing")(error)),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(&temporary)
            .map_err(fail("creating"))?;
        file.write_all(&vec![0; FILE]).map_err(fail("writing"))?;
        file.write_all_at(header.encode().as_slice(), header.offset()).map_err(fail("writing"))?;
        file.sync_all().map_err(fail("syncing"))?;
        let replica = Self { path: path.to_owned(), file };
        replica.lock()?;
        fail::fail_point!("root-file-before-name");
        fs::rename(&temporary, path).map_err(io_error("creating", path))?;
        sync_directory_of(path)?;
        fail::fail_point!("root-file-created");
        Ok(replica)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Reads everything.
    pub(super) fn read(&self) -> Result<Image> {
        let mut bytes = Zeroizing::new(vec![0; FILE]);
        self.let_go(0, FILE);
        self.file.read_exact_at(&mut bytes, 0).map_err(self.fail("reading"))?;
        let mut blocks = bytes.chunks_exact(BLOCK);
        let mut header: Option<Header> = None;
        for block in blocks.by_ref().take(HEADERS) {
            if let Some(read) = Header::decode(block)?
                && header.as_ref().is_none_or(|newest| newest.sequence < read.sequence)
            {
                header = Some(read);
            }
        }
        let slots = blocks.take(SLOTS).map(layout::slot).collect::<Result<_>>()?;
        Ok(Image { header, slots })
    }

    pub(super) fn write_header(&self, header: &Header) -> Result<()> {
        self.write(header.offset(), &header.encode())
    }

    /// Writes a root and reads it back.
    pub(super) fn write_root(&self, slot: usize, root: &layout::Root) -> Result<()> {
        let block = root.encode();
        self.write(layout::offset(slot), &block)?;
        self.expect(slot, &block)
    }

    /// Overwrites a slot with random bytes, then with zeros, and reads the zeros back.
    pub(super) fn wipe(&self, slot: usize) -> Result<()> {
        let mut noise = layout::zeros();
        System.fill(noise.as_mut_slice())?;
        self.write(layout::offset(slot), &noise)?;
        fail::fail_point!("root-file-overwritten");
        let zeros = layout::zeros();
        self.write(layout::offset(slot), &zeros)?;
        self.expect(slot, &zeros)
    }

    fn write(&self, offset: u64, block: &Block) -> Result<()> {
        self.file.write_all_at(block.as_slice(), offset).map_err(self.fail("writing"))?;
        fail::fail_point!("root-file-before-sync");
        // A failed sync may have dropped what was written, and the next one would not say so again: whoever
        // repeats the call writes the block again.
        self.file.sync_data().map_err(self.fail("syncing"))
    }

    /// Reads a slot back.
    fn expect(&self, slot: usize, block: &Block) -> Result<()> {
        let offset = layout::offset(slot);
        self.let_go(offset, BLOCK);
        let mut read = layout::zeros();
        self.file.read_exact_at(read.as_mut_slice(), offset).map_err(self.fail("reading back"))?;
        if bool::from(read.as_slice().ct_eq(block.as_slice())) {
            Ok(())
        } else {
            Err(Error::corrupt("root store slot", format!("{}: not what was written", self.path.display())))
        }
    }

    /// Has the next read answered by the device. After a failed sync the system's copy may say what the
    /// device does not. This is advice: where it is not taken, the copy answers.
    fn let_go(&self, offset: u64, length: usize) {
        let _ = fadvise(&self.file, offset, std::num::NonZeroU64::new(length as u64), Advice::DontNeed);
    }

    fn lock(&self) -> Result<()> {
        match self.file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(Error::Locked(self.path.clone())),
            Err(TryLockError::Error(error)) => Err(self.fail("locking")(error)),
        }
    }

    fn fail(&self, action: &'static str) -> impl FnOnce(io::Error) -> Error {
        io_error(action, &self.path)
    }
}

fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

fn sync_directory_of(path: &Path) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    File::open(directory).and_then(|file| file.sync_all()).map_err(io_error("syncing", directory))
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}
