use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a look at the disk counts where there is plenty of room.
const LOOK: Duration = Duration::from_millis(100);

/// The room on the disk that the database is on.
pub(super) struct Disk {
    path: PathBuf,
    /// Bytes that must stay free.
    pub(super) reserve: u64,
    looked: Option<(Instant, u64)>,
}

impl Disk {
    pub(super) fn new(path: &Path, reserve: u64) -> Self {
        Self { path: path.to_owned(), reserve, looked: None }
    }

    /// Bytes free for us; `None` where the file system does not say. Asked anew each time where room is short.
    pub(super) fn free(&mut self) -> Option<u64> {
        if let Some((when, free)) = self.looked
            && when.elapsed() < LOOK
            && free / 2 > self.reserve
        {
            return Some(free);
        }
        let free = free_bytes(&self.path)?;
        self.looked = Some((Instant::now(), free));
        Some(free)
    }
}

/// Bytes the file system of `path` has free for us; `None` where it does not say.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let stats = rustix::fs::statvfs(path).ok()?;
    stats.f_bavail.checked_mul(stats.f_frsize)
}

/// Makes a folder, and those above it, that only their owner may enter. Each has its name for good then: what is synced
/// in a folder is lost all the same if its own name is.
///
/// # Errors
/// It cannot be made, or what was made cannot be synced.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        // By whoever was cut short before the sync, or by an operator, whose folders may be closed to us.
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
            drop(sync_folder(above));
            return Ok(());
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound && above != path => {
            make_folder(above)?;
            return make_folder(path);
        }
        Err(cause) => return Err(cause),
    }
    sync_folder(above)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// It cannot be opened or synced.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}
