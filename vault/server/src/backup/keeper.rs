use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lethe_crypto::root::VaultId;
use lethe_domain::{Reason, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::{Done, Number, Report, Soundness, State, Verification};
use crate::error::{Error, Result};
use crate::store::{Backup, Backups, Store, StoreError};

/// When whoever finds a job at work may try again.
const LATER: Duration = Duration::from_secs(5);

/// Knows the folder of backups, and what is being done there: one thing at a time. The folder may be on a disk that
/// hangs, so files are touched on threads of their own, and with no lock held.
pub struct Keeper {
    path: Option<PathBuf>,
    vault: VaultId,
    /// Bytes that a backup leaves free.
    reserve: u64,
    /// How long a look into the folder may take. A disk that hangs has the folder unusable, and nobody waits for it.
    patience: Duration,
    board: Mutex<Board>,
    /// The folder was there in this run: one that is empty now is a disk that is not mounted.
    seen: AtomicBool,
    /// Counts how often who is at work, or at what, was another.
    moved: watch::Sender<u64>,
}

#[derive(Default)]
struct Board {
    /// What the folder had when it was last looked into.
    known: Vec<Backup>,
    damaged: Vec<Number>,
    at_work: Option<Work>,
    /// The last backup that could not be made, until another is begun.
    failed: Option<(Number, Timestamp, String)>,
    verified: HashMap<Number, Verification>,
}

/// Who has the one place at work.
#[derive(Clone, Copy)]
struct Work {
    since: Timestamp,
    /// What is done, and with which backup; nothing as long as the folder is looked into.
    at: Option<(Task, Number)>,
}

/// What can be done with backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Create,
    Verify(Number),
    /// How many are kept.
    Prune(usize),
}

impl Keeper {
    /// For backups in this folder, of this vault; without a folder there are none. A look into it may take as long as
    /// `patience`.
    pub(crate) fn new(path: Option<PathBuf>, vault: VaultId, reserve: u64, patience: Duration) -> Self {
        Self {
            path,
            vault,
            reserve,
            patience,
            board: Mutex::default(),
            seen: AtomicBool::new(false),
            moved: watch::Sender::new(0),
        }
    }

    /// Looks whether the folder can be used, and says so in the log. Nobody waits: a vault serves without backups, too.
    pub(crate) fn look(self: &Arc<Self>, data_dir: &Path) {
        let (Some(path), Ok(place)) = (self.path.clone(), Place::take(self)) else { return };
        let data_dir = data_dir.to_owned();
        drop(on_a_thread(move || {
            // `look` logs a fault.
            if let Ok((_, backups)) = place.look() {
                let count = backups.list().len();
                tracing::info!(path = %path.display(), count, "backups");
                if device(&path).is_some_and(|own| Some(own) == device(&data_dir)) {
                    tracing::warn!(path = %path.display(), "backups are on the data's own device, and lost with it");
                }
            }
        }));
    }

    /// Takes the one place at work, after a look into the folder. It is given back with the job.
    pub(super) async fn begin(keeper: &Arc<Self>, task: Task) -> Result<Job> {
        let (place, backups) = Self::look_alone(keeper).await?;
        let number = place.work(task, backups.next())?;
        Ok(Job { place, backups: Some(backups), task, number })
    }

    /// Waits, at most until then, until nothing is being done with a backup.
    pub(super) async fn ended(&self, number: Number, limit: Instant) {
        self.until(limit, |work| work.at.is_none_or(|(_, at_work)| at_work != number)).await;
    }

    /// Waits, at most for so long, until nothing is being done with any backup; whether that is so.
    pub(crate) async fn stop(&self, limit: Duration) -> bool {
        self.until(Instant::now() + limit, |work| work.at.is_none()).await
    }

    /// Waits, at most until then, until nobody is at work but who may be; whether that is so.
    async fn until(&self, limit: Instant, may: impl Fn(Work) -> bool) -> bool {
        let mut moved = self.moved.subscribe();
        let over = moved.wait_for(|_| self.board.lock().at_work.is_none_or(&may));
        matches!(tokio::time::timeout_at(limit, over).await, Ok(Ok(_)))
    }

    pub(super) async fn report(self: &Arc<Self>, number: Number) -> Result<Report> {
        let found = self.reports().await?.into_iter().find(|report| report.number == number);
        found.ok_or_else(|| not_found(number))
    }

    /// All backups, by number, the one that is being made and the one that was not among them. While something is done
    /// with one nobody looks into the folder: what it had when that was begun is known.
    pub(super) async fn reports(self: &Arc<Self>) -> Result<Vec<Report>> {
        match Self::look_alone(self).await {
            Ok(_) | Err(Error::Limited { .. }) => Ok(self.board.lock().reports()),
            Err(fault) => Err(fault),
        }
    }

    /// The same as they were when somebody last looked: without a look into the folder, which may be on a disk that hangs.
    pub(crate) fn last_seen(&self) -> Vec<Report> {
        self.board.lock().reports()
    }

    /// Looks into the folder once nobody else does, and keeps the place at work.
    async fn look_alone(keeper: &Arc<Self>) -> Result<(Place, Backups)> {
        loop {
            match Place::take(keeper) {
                Ok(place) => return place.look_within().await,
                Err(busy) if keeper.board.lock().at_work.is_some_and(|work| work.at.is_some()) => return Err(busy),
                Err(_) if keeper.until(Instant::now() + keeper.patience, |work| work.at.is_some()).await => {}
                Err(_) => return Err(unusable()),
            }
        }
    }

    /// Tells those who wait that the place at work is another's, or for something else.
    fn move_on(&self) {
        self.moved.send_modify(|moved| *moved += 1);
    }

    fn open(&self) -> Result<Backups> {
        let Some(path) = &self.path else {
            let message = "the server's configuration names no folder of backups (backup.path)".to_owned();
            return Err(Error::Precondition(Reason::BackupNotConfigured, message));
        };
        let opened = Backups::own(path, &self.vault, self.seen.load(Ordering::Acquire));
        if opened.is_ok() {
            self.seen.store(true, Ordering::Release);
        }
        opened.map_err(|fault| {
            let cause = std::error::Error::source(&fault).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%fault, cause, "the folder of backups cannot be used");
            unusable()
        })
    }
}

impl Board {
    /// Whether there is such a backup, whatever is the matter with it.
    fn has(&self, number: Number) -> bool {
        self.damaged.contains(&number) || self.known.iter().any(|backup| backup.number == number)
    }

    fn reports(&self) -> Vec<Report> {
        let done = self.known.iter().map(|backup| Report {
            number: backup.number,
            state: State::Done { bytes: backup.bytes, files: backup.files },
            at: Some(Timestamp::from_millis(backup.created_at.saturating_mul(1000))),
            verification: self.verified.get(&backup.number).cloned(),
        });
        let damaged = self.damaged.iter().map(|number| Report {
            number: *number,
            state: State::Damaged,
            at: None,
            verification: self.verified.get(number).cloned(),
        });
        let mut reports: Vec<_> = done.chain(damaged).collect();
        reports.sort_unstable_by_key(|report| report.number);
        let other = |number: Number, at: Timestamp, state| Report { number, state, at: Some(at), verification: None };
        if let Some((number, at, fault)) = &self.failed {
            reports.push(other(*number, *at, State::Failed(fault.clone())));
        }
        match self.at_work {
            Some(Work { since, at: Some((Task::Create, number)) }) => {
                reports.push(other(number, since, State::Running))
            }
            Some(Work { since, at: Some((Task::Verify(number), _)) }) => {
                let running = Verification { outcome: Soundness::Running, at: since };
                let of = reports.iter_mut().find(|report| report.number == number);
                of.into_iter().for_each(|report| report.verification = Some(running.clone()));
            }
            Some(Work { at: Some((Task::Prune(_), _)) | None, .. }) | None => {}
        }
        reports
    }
}

/// The one place at work. It is given back when this is dropped.
struct Place(Arc<Keeper>);

impl Place {
    fn take(keeper: &Arc<Keeper>) -> Result<Self> {
        let mut board = keeper.board.lock();
        if board.at_work.is_some() {
            return Err(busy());
        }
        board.at_work = Some(Work { since: Timestamp::now(), at: None });
        Ok(Self(Arc::clone(keeper)))
    }

    /// Opens the folder, and notes what it has. Takes as long as the disk takes.
    fn look(self) -> Result<(Self, Backups)> {
        let backups = self.0.open()?;
        let (known, damaged) = (backups.list(), backups.damaged());
        if !damaged.is_empty() {
            tracing::error!(?damaged, "backups are damaged: nothing can be restored from them");
        }
        let mut board = self.0.board.lock();
        (board.known, board.damaged) = (known, damaged);
        drop(board);
        Ok((self, backups))
    }

    /// The same, or the refusal of a folder that does not answer: then the place is taken until it does.
    async fn look_within(self) -> Result<(Self, Backups)> {
        let patience = self.0.patience;
        let looked = on_a_thread(move || self.look())?;
        let Ok(looked) = tokio::time::timeout(patience, looked).await else {
            tracing::error!("the folder of backups does not answer");
            return Err(unusable());
        };
        looked.map_err(|_| Error::TaskLost)?
    }

    /// Says what is done from here on, and with which backup, which it gives. Whoever waited for the look to end learns
    /// that it did, and need not wait for the work.
    fn work(&self, task: Task, next: Number) -> Result<Number> {
        let mut board = self.0.board.lock();
        let number = match task {
            Task::Create => {
                board.failed = None;
                next
            }
            Task::Verify(number) if board.has(number) => number,
            Task::Verify(number) => return Err(not_found(number)),
            Task::Prune(_) => 0,
        };
        board.at_work = Some(Work { since: Timestamp::now(), at: Some((task, number)) });
        drop(board);
        self.0.move_on();
        Ok(number)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.board.lock().at_work = None;
        self.0.move_on();
    }
}

/// Does something on a thread of its own. Not one of the runtime's: the process would wait for it for ever before it ends.
pub(super) fn on_a_thread<T: Send + 'static>(
    does: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>> {
    let (told, done) = oneshot::channel();
    let thread = std::thread::Builder::new().name("lethe-backup".to_owned());
    let spawned = thread.spawn(move || drop(told.send(does())));
    spawned.map_err(|_| Error::TaskLost)?;
    Ok(done)
}

/// Something that is being done with backups. The place at work is given back with it.
pub(super) struct Job {
    place: Place,
    /// Until it ran.
    backups: Option<Backups>,
    task: Task,
    number: Number,
}

impl Job {
    /// Of the backup.
    pub(super) const fn number(&self) -> Number {
        self.number
    }

    /// Of all backups that there are.
    pub(super) fn numbers(&self) -> Vec<Number> {
        self.place.0.board.lock().known.iter().map(|backup| backup.number).collect()
    }

    /// Does it. Takes as long as it takes.
    pub(super) fn run(mut self, store: &Store) -> Finished {
        let reserve = self.place.0.reserve;
        let ran = match self.backups.take() {
            None => Err(StoreError::Closed),
            Some(backups) => match self.task {
                Task::Create => backups.create(store, reserve).map(Outcome::Made),
                Task::Verify(number) => backups.verify(number, None, reserve).map(Outcome::Read),
                Task::Prune(keep) => backups.prune(keep).map(|()| Outcome::Pruned),
            },
        };
        let outcome = ran.map_err(|fault| {
            let cause = std::error::Error::source(&fault).map(ToString::to_string);
            tracing::error!(%fault, ?cause, task = ?self.task, "a backup");
            cause.map_or_else(|| fault.to_string(), |cause| format!("{fault}: {cause}"))
        });
        Finished { job: self, outcome }
    }
}

enum Outcome {
    Made(Backup),
    Read(u64),
    Pruned,
}

/// A job that was done or failed, before anybody is told.
pub(super) struct Finished {
    job: Job,
    outcome: Result<Outcome, String>,
}

impl Finished {
    /// Whether there is a backup that was not there before.
    pub(super) const fn is_new(&self) -> bool {
        matches!(self.outcome, Ok(Outcome::Made(_)))
    }

    /// What the log calls what was done.
    pub(super) const fn operation(&self) -> &'static str {
        match self.job.task {
            Task::Create => "backup.create",
            Task::Verify(_) => "backup.verify",
            Task::Prune(_) => "backup.prune",
        }
    }

    /// What the log says of its end; what was deleted it says before.
    pub(super) fn event(&self) -> Option<(&'static str, Vec<(&'static str, u64)>)> {
        let number = ("backup", u64::from(self.job.number));
        match (&self.outcome, self.job.task) {
            (Ok(Outcome::Made(backup)), _) => {
                Some(("BACKUP_MADE", vec![number, ("bytes", backup.bytes), ("files", backup.files.into())]))
            }
            (Ok(Outcome::Read(rows)), _) => Some(("BACKUP_VERIFIED", vec![number, ("rows", *rows)])),
            (Err(_), Task::Create) => Some(("BACKUP_FAILED", vec![number])),
            (Err(_), Task::Verify(_)) => Some(("BACKUP_UNVERIFIED", vec![number])),
            (Ok(Outcome::Pruned) | Err(_), _) => None,
        }
    }

    /// Tells how it ended.
    pub(super) fn end(self) -> Done {
        let Self { job, outcome } = self;
        let (number, at) = (job.number, Timestamp::now());
        let mut board = job.place.0.board.lock();
        match (&outcome, job.task) {
            (Ok(Outcome::Made(backup)), _) => {
                board.failed = None;
                board.known.push(*backup);
            }
            (Err(fault), Task::Create) => board.failed = Some((number, at, fault.clone())),
            (Ok(Outcome::Read(rows)), _) => {
                board.verified.insert(number, Verification { outcome: Soundness::Sound(*rows), at });
            }
            (Err(fault), Task::Verify(_)) => {
                board.verified.insert(number, Verification { outcome: Soundness::Unsound(fault.clone()), at });
            }
            (Ok(Outcome::Pruned), _) | (Err(_), Task::Prune(_)) => {}
        }
        drop(board);
        outcome.map(drop)
    }
}

fn busy() -> Error {
    Error::Limited {
        reason: Reason::BackupBusy,
        retry_after: LATER,
        message: "a backup is being made or verified, or old ones are being deleted; one thing at a time".to_owned(),
    }
}

pub(super) fn unusable() -> Error {
    let message = "the folder of backups cannot be used now; the server's log has the details".to_owned();
    Error::Unavailable(Reason::BackupFolderUnusable, message)
}

fn not_found(number: Number) -> Error {
    Error::NotFound(Reason::BackupNotFound, format!("there is no backup {number}"))
}

fn device(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|metadata| metadata.dev())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Far longer than a look takes.
    const LOOK: Duration = Duration::from_secs(180);

    /// However long the work takes: that somebody is at it is no fault of the folder.
    #[tokio::test]
    async fn who_waits_for_a_look_is_refused_once_there_is_work() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = Arc::new(Keeper::new(Some(folder.path().to_owned()), VaultId::random().unwrap(), 0, LOOK));
        let (place, backups) = Place::take(&keeper).unwrap().look_within().await.unwrap();
        let waiting = tokio::spawn({
            let keeper = Arc::clone(&keeper);
            async move { Keeper::begin(&keeper, Task::Create).await.map(drop) }
        });
        // There is one thread: now the other is in the middle of its wait.
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let number = place.work(Task::Create, backups.next()).unwrap();
        let refused = waiting.await.unwrap().unwrap_err();
        assert!(matches!(refused, Error::Limited { reason: Reason::BackupBusy, .. }), "{refused}");

        // Nor does who asks about it wait for it to end.
        let reports = keeper.reports().await.unwrap();
        assert_eq!(reports.iter().map(|report| report.number).collect::<Vec<_>>(), [number]);
        assert_eq!(reports.first().map(|report| &report.state), Some(&State::Running));
        drop(place);
        assert_eq!(Keeper::begin(&keeper, Task::Create).await.unwrap().number(), number);
    }
}
