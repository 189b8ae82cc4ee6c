//! Looking at many entries of a log: from one index to another, some at a time, on threads that may wait for the disk. No
//! log is held in memory, and whoever commits waits for nobody who looks.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::log::entry::Glance;
use lethe_crypto::tree::TreeId;
use lethe_domain::{Reason, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};
use crate::store::{Key, RowKind, Store, StoreError};
use crate::vault::Vault;

/// Entries that are looked at in a row.
pub(super) const STRIDE: u64 = 10_000;

/// How far the clock may ever have been set back: where a time begins in a log is searched by halves, and an entry that is
/// out of order by more may be missed. In milliseconds.
const SET_BACK: u64 = 60 * 60 * 1000;

/// Who looks through logs from end to end at a time: it takes a processor, and is asked for now and then.
const SURVEYS: usize = 4;

/// Streams of entries at a time, of all logs.
const FOLLOWERS: usize = 64;

/// Streams of entries at a time, of one log.
const FOLLOWERS_OF_ONE: usize = 4;

/// Who reads many rows at a time, and can wait for a turn.
const READERS: usize = 4;

/// Places for who looks at much of a log, or at many rows.
pub struct Looking {
    surveys: Places,
    followers: Places,
    readers: Arc<Semaphore>,
}

/// Places of all, of which one log may take a few: no tenant takes them from others.
struct Places {
    all: Arc<Semaphore>,
    of_one: usize,
    by_log: Mutex<HashMap<TreeId, Arc<Semaphore>>>,
}

/// A place, until it is dropped.
pub(super) type Place = [OwnedSemaphorePermit; 2];

impl Default for Looking {
    fn default() -> Self {
        let (surveys, followers) = (Places::new(SURVEYS, 1), Places::new(FOLLOWERS, FOLLOWERS_OF_ONE));
        Self { surveys, followers, readers: Arc::new(Semaphore::new(READERS)) }
    }
}

impl Looking {
    /// A place for looking through a whole log, or, as the vault's, through those of all.
    pub(super) fn survey(&self, tree: TreeId) -> Result<Place> {
        self.surveys.take(tree, 5, "as many are looking through the log, or logs, as may")
    }

    /// A place for following a log.
    pub(super) fn follow(&self, tree: TreeId) -> Result<Place> {
        self.followers.take(tree, 30, "as many follow the log, or logs, as may")
    }

    /// Reads rows on a thread that may wait for the disk, when it is its turn; turns come in the order in which they are asked for.
    /// For what is over soon: what takes long takes a turn for each part, and others have theirs in between.
    pub(crate) async fn in_turn<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.readers).acquire_owned().await.map_err(|_| Error::TaskLost)?;
        let task = tokio::task::spawn_blocking(move || {
            // Whoever asked may be gone; the turn lasts as long as the reading.
            let _turn = turn;
            read()
        });
        task.await.map_err(|_| Error::TaskLost)?
    }
}

impl Places {
    fn new(all: usize, of_one: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_one, by_log: Mutex::default() }
    }

    /// There is none to wait for: overload sheds.
    fn take(&self, tree: TreeId, seconds: u64, message: &str) -> Result<Place> {
        let of_one = {
            let mut logs = self.by_log.lock();
            Arc::clone(logs.entry(tree).or_insert_with(|| Arc::new(Semaphore::new(self.of_one))))
        };
        let free = |_| Error::Limited {
            reason: Reason::Overloaded,
            retry_after: Duration::from_secs(seconds),
            message: message.to_owned(),
        };
        let one = of_one.try_acquire_owned().map_err(free)?;
        Ok([one, Arc::clone(&self.all).try_acquire_owned().map_err(free)?])
    }
}

/// A span of time; either end may be open. In milliseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    /// The first moment.
    pub start: Option<u64>,
    /// The first moment after it.
    pub end: Option<u64>,
}

impl Window {
    /// From one moment until another; what is before 1970 counts as 1970.
    pub fn of(start: Option<Timestamp>, end: Option<Timestamp>) -> Self {
        let millis = |time: Timestamp| u64::try_from(time.millis()).unwrap_or(0);
        Self { start: start.map(millis), end: end.map(millis) }
    }

    pub(super) fn has(&self, time: u64) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time < end)
    }

    /// The entries of a log of `size` among which are all of the window, by halves: times go up, but for calls that overtook
    /// each other and a clock that was set back.
    pub(super) fn narrow(&self, store: &Store, tree: TreeId, size: u64) -> Result<Range<u64>> {
        let first_from = |least: u64| {
            let (mut low, mut high) = (0, size);
            while low < high {
                let middle = low + (high - low) / 2;
                if time_of(store, tree, middle)? < least {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            Ok::<_, Error>(low)
        };
        let start = self.start.map_or(Ok(0), |start| first_from(start.saturating_sub(SET_BACK)))?;
        let end = self.end.map_or(Ok(size), |end| first_from(end.saturating_add(SET_BACK)))?;
        Ok(start..end.max(start))
    }
}

fn time_of(store: &Store, tree: TreeId, index: u64) -> Result<u64> {
    let line = store.get(&Key::LogEntry { tree, index })?;
    let line = line.ok_or_else(|| missing(index))?;
    Ok(Glance::read(&line).map_err(StoreError::from)?.time)
}

fn missing(index: u64) -> StoreError {
    StoreError::corrupt("log", format!("entry {index} is missing"))
}

/// Looks at entries of a log in their order, until it is enough. None may be missing.
pub(super) fn look(
    store: &Store,
    tree: TreeId,
    entries: Range<u64>,
    mut each: impl FnMut(u64, &[u8]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let (whole, start) =
        (Key::prefix_of_tree(RowKind::LogEntry, tree), Key::LogEntry { tree, index: entries.start }.encode());
    let (mut expected, mut enough) = (entries.start, entries.is_empty());
    if !enough {
        store.scan_from(RowKind::LogEntry, &whole, &start, |key, line| {
            let Key::LogEntry { index, .. } = key else { return Ok(ControlFlow::Continue(())) };
            if index != expected {
                return Err(missing(expected).into());
            }
            expected += 1;
            enough = each(index, line)?.is_break() || expected == entries.end;
            Ok::<_, Error>(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
    }
    if enough { Ok(()) } else { Err(missing(expected).into()) }
}

/// Whether one of these entries of a log is wanted, however many they are: in strides, each when it is its turn. Between two it can
/// be dropped.
pub(crate) async fn has(
    vault: &Vault,
    tree: TreeId,
    entries: Range<u64>,
    is_wanted: impl Fn(&[u8]) -> Result<bool> + Clone + Send + 'static,
) -> Result<bool> {
    let mut at = entries.start;
    while at < entries.end {
        let until = entries.end.min(at + STRIDE);
        let (store, is_wanted) = (Arc::clone(&vault.store), is_wanted.clone());
        let stride = move || {
            let (whole, start) =
                (Key::prefix_of_tree(RowKind::LogEntry, tree), Key::LogEntry { tree, index: at }.encode());
            let mut found = false;
            store.scan_from(RowKind::LogEntry, &whole, &start, |key, line| {
                if !matches!(key, Key::LogEntry { index, .. } if index < until) {
                    return Ok(ControlFlow::Break(()));
                }
                found = is_wanted(line)?;
                Ok::<_, Error>(if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            Ok(found)
        };
        if vault.looking.in_turn(stride).await? {
            return Ok(true);
        }
        at = until;
    }
    Ok(false)
}

/// Counts over entries of a log, however many, in strides: between two it can be dropped, and others have the thread.
pub(super) async fn survey<T: Send + 'static>(
    store: &Arc<Store>,
    tree: TreeId,
    entries: Range<u64>,
    mut tally: T,
    each: impl Fn(&mut T, u64, &Glance<'_>) -> Result<()> + Clone + Send + 'static,
) -> Result<T> {
    let mut at = entries.start;
    while at < entries.end {
        let until = entries.end.min(at + STRIDE);
        let (store, each) = (Arc::clone(store), each.clone());
        let stride = move || {
            look(&store, tree, at..until, |index, line| {
                each(&mut tally, index, &Glance::read(line).map_err(StoreError::from)?)?;
                Ok(ControlFlow::Continue(()))
            })?;
            Ok::<_, Error>(tally)
        };
        tally = tokio::task::spawn_blocking(stride).await.map_err(|_| Error::TaskLost)??;
        at = until;
    }
    Ok(tally)
}
