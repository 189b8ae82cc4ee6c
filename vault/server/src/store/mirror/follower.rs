use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::held::Held;
use super::set::expect_past;
use super::{MirrorId, Position, copy, row_of_position};
use crate::store::StoreError;
use crate::store::change::Row;
use crate::store::commit::EndWithPanic;
use crate::store::db::Database;
use crate::store::history::place_of;

/// How long a mirror may be behind while nobody waits for it.
const LAG: Duration = Duration::from_millis(50);
/// Bytes that may wait for a mirror before it is cut off and copied to later.
const BACKLOG: usize = 64 << 20;
/// How long a mirror may take to write what waits when the store is closed.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first and the longest wait before a mirror that fails is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// A mirror, followed on a thread of its own.
pub(in crate::store) struct Mirror {
    id: MirrorId,
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How a mirror stands.
#[derive(Debug, Clone)]
pub(in crate::store) enum Standing {
    /// It is being brought up to the store.
    CatchingUp,
    /// It has every row up to this sequence, synced.
    At(u64),
    /// It cannot be written.
    Failing(Arc<str>),
}

struct Shared {
    backlog: Mutex<Backlog>,
    changed: Condvar,
    standing: watch::Sender<Standing>,
    /// What it had last, also while it cannot be written.
    reached: AtomicU64,
}

impl Shared {
    fn reach(&self, sequence: u64) {
        self.reached.store(sequence, Ordering::Release);
        self.standing.send_replace(Standing::At(sequence));
    }
}

/// What waits to be written.
#[derive(Default)]
struct Backlog {
    batches: Vec<(u64, Arc<Vec<Row>>)>,
    bytes: usize,
    /// Since when something waits.
    since: Option<Instant>,
    /// Somebody waits for the mirror.
    urgent: bool,
    /// It may be written to: whoever opened the store has seen that this is the vault, and not a copy of it.
    begun: bool,
    /// The mirror does not follow now: nothing is kept for it, as it will be copied to.
    cut_off: bool,
    closed: bool,
    /// The thread has let go of the mirror.
    ended: bool,
}

impl Mirror {
    /// Follows `main` once it is told to begin. An open `mirror` is copied to first; without one that is tried until it can be
    /// opened, but never made anew: it was there, and somebody has to say that it is gone.
    pub(in crate::store) fn follow(
        id: MirrorId,
        path: &Path,
        mirror: Option<Database>,
        main: Arc<Database>,
    ) -> Result<Self, StoreError> {
        let backlog = Mutex::new(Backlog { cut_off: true, ..Backlog::default() });
        let standing = watch::Sender::new(Standing::CatchingUp);
        let shared = Arc::new(Shared { backlog, changed: Condvar::new(), standing, reached: AtomicU64::new(0) });
        let follower = Follower { id, path: path.to_owned(), main, shared: Arc::clone(&shared) };
        let run = move || {
            let shared = Arc::clone(&follower.shared);
            follower.run(mirror);
            shared.backlog.lock().ended = true;
            shared.changed.notify_all();
        };
        let thread = std::thread::Builder::new().name("lethe-mirror".to_owned()).spawn(run);
        let thread = Mutex::new(Some(thread.map_err(|_| StoreError::Closed)?));
        Ok(Self { id, path: path.to_owned(), shared, thread })
    }

    pub(in crate::store) fn id(&self) -> MirrorId {
        self.id
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::store) fn standing(&self) -> Standing {
        self.shared.standing.borrow().clone()
    }

    /// The sequence up to which it had every row when it was last written in this run; 0 if it was not.
    pub(in crate::store) fn reached(&self) -> u64 {
        self.shared.reached.load(Ordering::Acquire)
    }

    /// Takes rows that the store has synced, all up to `sequence`.
    pub(in crate::store) fn send(&self, sequence: u64, rows: &Arc<Vec<Row>>) {
        let mut backlog = self.shared.backlog.lock();
        if backlog.cut_off {
            return;
        }
        backlog.bytes += rows.iter().map(Row::size).sum::<usize>();
        if backlog.bytes > BACKLOG {
            backlog.cut_off();
        } else {
            backlog.batches.push((sequence, Arc::clone(rows)));
            backlog.since.get_or_insert_with(Instant::now);
        }
        self.shared.changed.notify_one();
    }

    /// From here on the mirror is written to.
    pub(in crate::store) fn begin(&self) {
        self.shared.backlog.lock().begun = true;
        self.shared.changed.notify_one();
    }

    /// Returns once the mirror has everything up to `sequence`, synced; or at once, if it was not told to begin.
    ///
    /// # Errors
    /// `Mirror` if it cannot be written now, or does not keep up within `patience`. It is tried again by itself.
    pub(in crate::store) async fn has(&self, sequence: u64, patience: Duration) -> Result<(), StoreError> {
        let mut standing = self.shared.standing.subscribe();
        {
            let mut backlog = self.shared.backlog.lock();
            if !backlog.begun {
                return Ok(());
            }
            backlog.urgent = true;
        }
        self.shared.changed.notify_one();
        let failing = |fault: String| StoreError::Mirror { path: self.path.clone(), fault };
        let until = tokio::time::Instant::now() + patience;
        loop {
            match &*standing.borrow_and_update() {
                Standing::At(reached) if *reached >= sequence => return Ok(()),
                Standing::Failing(fault) => return Err(failing(fault.to_string())),
                Standing::At(_) | Standing::CatchingUp => {}
            }
            match tokio::time::timeout_at(until, standing.changed()).await {
                Ok(changed) => changed.map_err(|_| StoreError::Closed)?,
                Err(_) => return Err(failing("it does not keep up".to_owned())),
            }
        }
    }

    /// Writes what waits, and ends. A mirror whose disk hangs is left to itself: it catches up at the next start.
    pub(in crate::store) fn close(&self) {
        self.shared.backlog.lock().closed = true;
        self.shared.changed.notify_all();
        let Some(thread) = self.thread.lock().take() else { return };
        let until = Instant::now() + PATIENCE;
        let mut backlog = self.shared.backlog.lock();
        while !backlog.ended && !self.shared.changed.wait_until(&mut backlog, until).timed_out() {}
        let ended = backlog.ended;
        drop(backlog);
        if !ended {
            tracing::warn!(path = %self.path.display(), "a mirror hangs, and is left behind");
        } else if thread.join().is_err() {
            tracing::error!(path = %self.path.display(), "a mirror's thread panicked");
        }
    }
}

impl Backlog {
    fn cut_off(&mut self) {
        let Self { begun, closed, urgent, .. } = *self;
        *self = Self { cut_off: true, begun, closed, urgent, ..Self::default() };
    }
}

struct Follower {
    id: MirrorId,
    path: PathBuf,
    main: Arc<Database>,
    shared: Arc<Shared>,
}

impl Follower {
    fn run(self, mut open: Option<Database>) {
        let _whole = EndWithPanic;
        if !self.begins() {
            return;
        }
        let mut wait = RETRY.0;
        loop {
            let fault = match self.follow(open.take()) {
                Ok(()) => return,
                Err(fault) => fault,
            };
            let cause = std::error::Error::source(&fault).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(path = %self.path.display(), %fault, cause, retry_in = ?wait, "a mirror cannot be written; erasures stay pending");
            self.shared.backlog.lock().cut_off();
            self.shared.standing.send_replace(Standing::Failing(format!("{fault}: {cause}").into()));
            if self.closed_within(wait) {
                return;
            }
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Copies, then follows, until the store is closed or something fails.
    fn follow(&self, open: Option<Database>) -> Result<(), StoreError> {
        let mirror = match open {
            Some(mirror) => mirror,
            None => self.reopen()?,
        };
        while !self.shared.backlog.lock().closed {
            let mut reached = self.catch_up(&mirror)?;
            self.shared.reach(reached);
            // Ends when it is cut off, too: then it is copied to again.
            while let Some(batches) = self.next() {
                let fresh: Vec<_> = batches.iter().filter(|(sequence, _)| *sequence > reached).collect();
                let Some((last, _)) = fresh.last() else { continue };
                let position = [row_of_position(Position { id: self.id, sequence: *last, whole: true })];
                let rows: Vec<&[Row]> = fresh.iter().map(|(_, rows)| rows.as_slice()).chain([&position[..]]).collect();
                fail::fail_point!("mirror-before-write");
                mirror.write(&rows)?;
                fail::fail_point!("mirror-before-sync");
                mirror.sync()?;
                fail::fail_point!("mirror-synced");
                reached = *last;
                self.shared.reach(reached);
            }
        }
        Ok(())
    }

    /// Opens the mirror where it was not there, or failed. It may be another one by now, or tell that the store is not what
    /// it was.
    fn reopen(&self) -> Result<Database, StoreError> {
        let Some(held) = Held::look(&self.path)? else {
            let fault = "its folder is missing or empty".to_owned();
            return Err(StoreError::Mirror { path: self.path.clone(), fault });
        };
        if held.id().is_some_and(|id| id != self.id) {
            return Err(StoreError::corrupt("mirror", format!("{}: another mirror is there", self.path.display())));
        }
        expect_past(&self.main, &place_of(&self.main)?, &held)?;
        held.into_db_of(self.id)
    }

    fn catch_up(&self, mirror: &Database) -> Result<u64, StoreError> {
        // From here on everything that is newer than the snapshot is kept.
        self.shared.backlog.lock().cut_off = false;
        let snapshot = self.main.reader();
        let sequence = snapshot.sequence();
        // Nothing goes into a mirror that the store could still lose.
        self.main.sync()?;
        fail::fail_point!("mirror-before-copy");
        let started = Instant::now();
        let rows = copy::follow(&snapshot, mirror, Position { id: self.id, sequence, whole: true })?;
        fail::fail_point!("mirror-copied");
        tracing::info!(path = %self.path.display(), rows, took = ?started.elapsed(), "a mirror is up to date");
        Ok(sequence)
    }

    /// What is to be written next; `None` if the mirror was cut off, or to stop.
    fn next(&self) -> Option<Vec<(u64, Arc<Vec<Row>>)>> {
        let mut backlog = self.shared.backlog.lock();
        loop {
            if backlog.cut_off {
                return None;
            }
            let due = backlog.since.map(|since| since + LAG);
            let now = backlog.urgent || backlog.closed || due.is_some_and(|due| due <= Instant::now());
            if now && !backlog.batches.is_empty() {
                backlog.bytes = 0;
                backlog.since = None;
                backlog.urgent = false;
                return Some(std::mem::take(&mut backlog.batches));
            }
            if backlog.closed {
                return None;
            }
            match due {
                Some(due) if !now => drop(self.shared.changed.wait_until(&mut backlog, due)),
                _ => self.shared.changed.wait(&mut backlog),
            }
        }
    }

    /// Waits until the mirror may be written to; `false` if the store is closed before.
    fn begins(&self) -> bool {
        let mut backlog = self.shared.backlog.lock();
        while !backlog.begun && !backlog.closed {
            self.shared.changed.wait(&mut backlog);
        }
        backlog.begun
    }

    fn closed_within(&self, wait: Duration) -> bool {
        let mut backlog = self.shared.backlog.lock();
        let until = Instant::now() + wait;
        while !backlog.closed && !self.shared.changed.wait_until(&mut backlog, until).timed_out() {}
        backlog.closed
    }
}
