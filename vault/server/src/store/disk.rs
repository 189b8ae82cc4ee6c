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
