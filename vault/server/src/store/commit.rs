use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lethe_crypto::log::merkle::NodeSource;
use lethe_crypto::tree::{Lease, PageSource, TreeId};
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::oneshot;

use super::StoreError;
use super::book::Book;
use super::census::{self, Census};
use super::change::{Change, Committed, Durability, Row};
use super::db::{Database, Nodes, Reach};
use super::disk::Disk;
use super::history::{next_run, place_of};
use super::keys::{GalleryId, Key, ProfileNumber, RowKind};
use super::mirror::{MirrorState, Mirrors, Opening, Registered, is_mirrored};

/// How long the audit of a read may stay unsynced.
const BUFFERED_AT_MOST: Duration = Duration::from_millis(50);

/// Changes that share one write.
const GROUP: usize = 512;

/// What memory follows from committed rows: galleries, id maps, caches.
pub trait Follow: Send + Sync {
    /// Called once for every committed change, in commit order, before the change is answered. At start it is
    /// called with the rows that are on the disk.
    fn follow(&self, rows: &[Row]);
}

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Bytes of RocksDB's block cache.
    pub cache_bytes: usize,
    /// Bytes of the disk that must stay free. The audit of reads may use a third of them, erasures two: forgetting must
    /// work when nothing else does.
    pub reserve_bytes: u64,
    /// Changes that may wait before more are refused.
    pub queue: usize,
    /// Folders of the mirrors.
    pub mirrors: Vec<PathBuf>,
    /// How long a call waits for them; a fifth of it, where it goes on without them, too.
    pub patience: Duration,
    /// What for. Only a restore opens a store whose restore is not finished: to finish it.
    pub opening: Opening,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            reserve_bytes: 512 << 20,
            queue: 4096,
            mirrors: Vec::new(),
            patience: Duration::from_secs(5),
            opening: Opening::Usual,
        }
    }
}

/// Reads rows, and commits changes in one order.
pub struct Store {
    db: Arc<Database>,
    follower: Arc<RwLock<Option<Arc<dyn Follow>>>>,
    /// The newest change that memory has followed.
    followed: Arc<AtomicU64>,
    mirrors: Arc<Mirrors>,
    patience: Duration,
    /// A run of its own was begun.
    begun: Mutex<bool>,
    /// Changes that found the queue full.
    shed: AtomicU64,
    queue: Mutex<Option<SyncSender<Pending>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Pending {
    change: Change,
    answer: Answer,
}

type Answer = oneshot::Sender<Result<Committed, StoreError>>;

impl Store {
    /// Opens the store in `path` and its mirrors, creating what is not there.
    ///
    /// # Errors
    /// Says the way out, and leaves everything as it was: see [`StoreError`].
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let db = Arc::new(Database::open(path, options.cache_bytes)?);
        if db.get(&Key::Restoring)?.is_some() && !matches!(options.opening, Opening::Restoring(_)) {
            return Err(StoreError::Unfinished { path: path.to_owned() });
        }
        let mirrors = Arc::new(Mirrors::open(&db, &options.mirrors, &options.opening)?);
        let (sender, receiver) = sync_channel(options.queue);
        let syncer = Arc::new(Syncer::new(Arc::clone(&mirrors)));
        let follower = Arc::new(RwLock::new(None));
        let followed = Arc::new(AtomicU64::new(db.sequence()));
        let committer = Committer {
            db: Arc::clone(&db),
            book: Book::load(&db)?,
            census: Census::load(&db)?,
            shredded: shredded(&db)?,
            follower: Arc::clone(&follower),
            followed: Arc::clone(&followed),
            syncer: Arc::clone(&syncer),
            disk: Disk::new(path, options.reserve_bytes),
        };
        let synced = Arc::clone(&db);
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|_| StoreError::Closed)
        };
        let threads = vec![
            spawn("lethe-commit", Box::new(move || committer.run(&receiver)))?,
            spawn("lethe-sync", Box::new(move || syncer.run(&synced)))?,
        ];
        let (queue, threads) = (Mutex::new(Some(sender)), Mutex::new(threads));
        let (patience, begun, shed) = (options.patience, Mutex::new(false), AtomicU64::new(0));
        Ok(Self { db, follower, followed, mirrors, patience, begun, shed, queue, threads })
    }

    /// Opens a store that is there, to read only: it commits nothing, and may be open elsewhere.
    pub fn read_only(path: &Path) -> Result<Self, StoreError> {
        let db = Arc::new(Database::read_only(path)?);
        let follower = Arc::new(RwLock::new(None));
        let followed = Arc::new(AtomicU64::new(db.sequence()));
        let (queue, threads, mirrors) = (Mutex::new(None), Mutex::new(Vec::new()), Arc::new(Mirrors::none()));
        let (patience, begun, shed) = (Duration::ZERO, Mutex::new(false), AtomicU64::new(0));
        Ok(Self { db, follower, followed, mirrors, patience, begun, shed, queue, threads })
    }

    /// Has `follower` see every change that is committed from here on. It has taken in what is on the
    /// disk before. Only the first one counts.
    pub fn follow_with(&self, follower: Arc<dyn Follow>) {
        *self.follower.write() = Some(follower);
    }

    /// Commits a change: whole, in one batch, in one order with all others. Concurrent changes share
    /// a write and a sync.
    ///
    /// # Errors
    /// `Full`, `Overloaded`, `Closed` and `Entry` leave everything as it was. Where the database itself fails, the
    /// process ends: what is on the disk is not known any more, and recovery finds out.
    pub async fn commit(&self, change: Change) -> Result<Committed, StoreError> {
        let (answer, answered) = oneshot::channel();
        let sender = self.queue.lock().clone().ok_or(StoreError::Closed)?;
        sender.try_send(Pending { change, answer }).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                self.shed.fetch_add(1, Ordering::Relaxed);
                StoreError::Overloaded
            }
            TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        drop(sender);
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Commits what is waiting, syncs, and refuses everything after.
    pub fn close(&self) {
        drop(self.queue.lock().take());
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
        self.mirrors.close();
        // The follower reads from this store: without this neither would ever be dropped.
        drop(self.follower.write().take());
    }

    /// Reads a row.
    pub fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get(key)
    }

    /// Reads rows of one kind, in the order asked.
    pub fn multi_get(&self, kind: RowKind, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.db.multi_get(kind, keys)
    }

    /// Gives the rows whose key starts with `prefix`, in order, where they are a handful.
    pub fn few<E: From<StoreError>>(
        &self,
        kind: RowKind,
        prefix: &[u8],
        each: impl FnMut(Key, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.db.scan(kind, prefix, Reach::Short, each)
    }

    /// Gives the rows whose key starts with `prefix`, in order, where they may be millions.
    pub fn scan<E: From<StoreError>>(
        &self,
        kind: RowKind,
        prefix: &[u8],
        each: impl FnMut(Key, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.db.scan(kind, prefix, Reach::Long, each)
    }

    /// The same from `start` on, a key that starts with `prefix` or `prefix` itself, until it is enough.
    pub fn scan_from<E: From<StoreError>>(
        &self,
        kind: RowKind,
        prefix: &[u8],
        start: &[u8],
        each: impl FnMut(Key, &[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        self.db.scan_from(kind, prefix, start, Reach::Long, each)
    }

    /// How many templates a gallery has by its template rows, however many sketches there are.
    pub fn census(&self, tree: TreeId, gallery: GalleryId, profile: ProfileNumber) -> Result<u64, StoreError> {
        self.get(&Key::Census { tree, gallery, profile })?.map_or(Ok(0), |count| census::decode(&count))
    }

    /// The sequence of the newest change that memory has followed: what is searched from here on has seen it.
    pub fn sequence(&self) -> u64 {
        self.followed.load(Ordering::Acquire)
    }

    /// Returns once everything that was readable when it was called is synced. What is signed must not be lost at
    /// a power cut, and rows can be read a little before they are durable.
    pub async fn barrier(&self) -> Result<u64, StoreError> {
        Ok(self.commit(Change::new().erasing()).await?.sequence)
    }

    /// Returns once every mirror has everything up to this sequence, synced.
    ///
    /// # Errors
    /// `Mirror` if one cannot be written now.
    pub async fn mirrored(&self, sequence: u64) -> Result<(), StoreError> {
        self.mirrored_within(sequence, self.patience).await
    }

    /// How long a call waits for the mirrors.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The same, with more patience: a mirror that is new, or was away, is copied to first.
    pub async fn mirrored_within(&self, sequence: u64, patience: Duration) -> Result<(), StoreError> {
        self.mirrors.have(sequence, patience).await
    }

    /// Waits for the mirrors, but not for long: what was accepted should outlive this disk, and must not depend on others.
    pub async fn mirrored_if_soon(&self, sequence: u64) {
        if let Err(fault) = self.mirrored_within(sequence, self.patience / 5).await {
            tracing::warn!(%fault, "what was accepted is not mirrored yet: it would be lost with this disk");
        }
    }

    /// Begins a run, once it is known that this is the vault, and not a copy of it that was left behind: before the first
    /// change is committed. From here on the mirrors follow. Only the first call counts.
    ///
    /// # Errors
    /// `Database`; the mirrors are as they were then.
    pub fn begin_mirroring(&self) -> Result<(), StoreError> {
        self.begin_alone()?;
        self.mirrors.begin();
        Ok(())
    }

    /// The same, where the mirrors are to be left as they are.
    ///
    /// # Errors
    /// `Database`.
    pub fn begin_alone(&self) -> Result<(), StoreError> {
        let mut begun = self.begun.lock();
        if !*begun {
            let sequence = self.db.write(&[&[next_run(&place_of(&self.db)?)?]])?;
            self.db.sync()?;
            // Nothing that memory knows of.
            self.followed.fetch_max(sequence, Ordering::AcqRel);
            *begun = true;
        }
        Ok(())
    }

    /// How the mirrors stand.
    pub fn mirrors(&self) -> Vec<MirrorState> {
        self.mirrors.states(self.db.sequence())
    }

    /// Changes that were refused because too many waited.
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// Mirrors that were made when the store was opened: the vault is still to put on record that it has them.
    pub fn new_mirrors(&self) -> &[Registered] {
        self.mirrors.new_ones()
    }

    /// Returns once memory has followed every row that could be read when it was called: rows can be read an instant
    /// before galleries and maps know of them. Gives up after a second, and says so with `false`.
    pub fn catch_up(&self) -> bool {
        let (written, until) = (self.db.sequence(), Instant::now() + Duration::from_secs(1));
        while self.followed.load(Ordering::Acquire) < written && Instant::now() < until {
            std::thread::yield_now();
        }
        self.followed.load(Ordering::Acquire) >= written
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        self.db.path()
    }

    pub(super) fn database(&self) -> &Database {
        &self.db
    }

    /// Written pages of the key trees.
    pub fn pages(&self) -> &dyn PageSource {
        &*self.db
    }

    /// The Merkle tree of a log.
    pub fn nodes(&self, tree: TreeId) -> impl NodeSource + '_ {
        Nodes(&self.db, tree)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

struct Committer {
    db: Arc<Database>,
    book: Book,
    census: Census,
    /// Trees of tenants that are gone: what takes its place after them and writes to one is refused.
    shredded: HashSet<TreeId>,
    follower: Arc<RwLock<Option<Arc<dyn Follow>>>>,
    followed: Arc<AtomicU64>,
    syncer: Arc<Syncer>,
    disk: Disk,
}

impl Committer {
    fn run(mut self, queue: &Receiver<Pending>) {
        let _whole = EndWithPanic;
        while let Ok(first) = queue.recv() {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = queue.try_recv()
            {
                group.push(next);
            }
            self.commit(group);
        }
        self.syncer.close();
    }

    fn commit(&mut self, group: Vec<Pending>) {
        let free = self.disk.free();
        let mut batch: Vec<Vec<Row>> = Vec::with_capacity(group.len());
        let mut answers: Vec<(Answer, Durability, Vec<u64>)> = Vec::with_capacity(group.len());
        let mut leases = Vec::new();
        for Pending { mut change, answer } in group {
            let durability = change.durability;
            let owned = std::mem::take(&mut change.leases);
            match self.prepare(change, free) {
                Ok((rows, leaves)) => {
                    batch.push(rows);
                    leases.extend(owned);
                    answers.push((answer, durability, leaves));
                }
                // Who asked may have gone away; the change was not made either way.
                Err(refusal) => drop(answer.send(Err(refusal))),
            }
        }
        if batch.is_empty() {
            return;
        }
        batch.push(self.book.heads());
        fail::fail_point!("commit-before-write");
        let slices: Vec<&[Row]> = batch.iter().map(Vec::as_slice).collect();
        let sequence = match self.db.write(&slices) {
            Ok(sequence) => sequence,
            Err(failure) => end_process("cannot write to the store", &failure),
        };
        leases.into_iter().for_each(Lease::commit);
        fail::fail_point!("commit-before-follow");
        if let Some(follower) = &*self.follower.read() {
            batch.iter().for_each(|rows| follower.follow(rows));
        }
        self.followed.store(sequence, Ordering::Release);
        let rows = batch.into_iter().flatten();
        let mirrored = rows.filter(|row| self.syncer.mirrors() && is_mirrored(row.kind())).collect();
        self.syncer.written(
            sequence,
            mirrored,
            answers.into_iter().map(|(answer, durability, leaves)| {
                let committed = Committed { sequence, leaves };
                (answer, durability, committed)
            }),
        );
    }

    fn prepare(&mut self, change: Change, free: Option<u64>) -> Result<(Vec<Row>, Vec<u64>), StoreError> {
        let reserve = change.room.of(self.disk.reserve);
        if let Some(free) = free.filter(|&free| free < reserve) {
            return Err(StoreError::Full { path: self.db.path().to_owned(), free, reserve });
        }
        if !self.shredded.is_empty() && self.writes_to_the_shredded(&change) {
            return Err(StoreError::Shredded);
        }
        let Change { mut rows, logs, entries, closing, succeeding, .. } = change;
        let leaves = self.book.write(logs, entries, closing, succeeding, &mut rows)?;
        self.census.count(&mut rows);
        self.shredded.extend(rows.iter().filter_map(|row| match row {
            Row::Put(key @ Key::Shredded { .. }, _) => key.tree(),
            Row::Put(..) | Row::Delete(_) | Row::DeleteTree(..) | Row::DeleteAttestations(..) => None,
        }));
        Ok((rows, leaves))
    }

    /// Whether a change writes rows of a tenant that is gone, or to its log. A call that was under way when its tenant
    /// was shredded comes too late, whatever it is.
    fn writes_to_the_shredded(&self, change: &Change) -> bool {
        let gone = |tree: Option<TreeId>| tree.is_some_and(|tree| self.shredded.contains(&tree));
        let writes = |row: &&Row| matches!(row, Row::Put(..)) && RowKind::OF_TENANT.contains(&row.kind());
        change.entries.iter().any(|entry| gone(Some(entry.tree)))
            || change.rows.iter().filter(writes).any(|row| gone(row.tree()))
    }
}

/// Trees of tenants that were shredded.
fn shredded(db: &Database) -> Result<HashSet<TreeId>, StoreError> {
    let mut trees = HashSet::new();
    db.scan(RowKind::Shredded, &Key::prefix(RowKind::Shredded), Reach::Long, |key, _| {
        trees.extend(key.tree());
        Ok::<_, StoreError>(())
    })?;
    Ok(trees)
}

/// Makes what the committer wrote durable, and answers. It runs beside the committer, so that writing goes on
/// while the disk syncs, and reads' audit never waits for a sync.
struct Syncer {
    mirrors: Arc<Mirrors>,
    state: Mutex<Unsynced>,
    changed: Condvar,
}

#[derive(Default)]
struct Unsynced {
    waiting: Vec<(Answer, Committed)>,
    /// What mirrors get once it is synced, and the newest of it.
    mirrored: Vec<Row>,
    sequence: u64,
    /// Since when something buffered is not synced.
    dirty: Option<Instant>,
    closed: bool,
}

impl Syncer {
    fn new(mirrors: Arc<Mirrors>) -> Self {
        Self { mirrors, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Are there mirrors?
    fn mirrors(&self) -> bool {
        !self.mirrors.are_none()
    }

    fn written(
        &self,
        sequence: u64,
        mirrored: Vec<Row>,
        answers: impl Iterator<Item = (Answer, Durability, Committed)>,
    ) {
        let mut state = self.state.lock();
        state.mirrored.extend(mirrored);
        state.sequence = sequence;
        for (answer, durability, committed) in answers {
            match durability {
                Durability::Synced => state.waiting.push((answer, committed)),
                Durability::Buffered => {
                    state.dirty.get_or_insert_with(Instant::now);
                    drop(answer.send(Ok(committed)));
                }
            }
        }
        self.changed.notify_one();
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }

    fn run(&self, db: &Database) {
        let _whole = EndWithPanic;
        loop {
            let Unsynced { waiting, mirrored, sequence, closed, .. } = self.wait();
            fail::fail_point!("commit-before-sync");
            if let Err(failure) = db.sync() {
                // After a failed fsync nobody knows what is on the disk; only recovery does.
                end_process("cannot sync the store", &failure);
            }
            fail::fail_point!("commit-synced");
            if self.mirrors() {
                self.mirrors.send(sequence, mirrored);
            }
            for (answer, committed) in waiting {
                drop(answer.send(Ok(committed)));
            }
            if closed {
                return;
            }
        }
    }

    /// Waits until there is something to sync that can wait no longer.
    fn wait(&self) -> Unsynced {
        let mut state = self.state.lock();
        loop {
            if !state.waiting.is_empty() || state.closed {
                break;
            }
            match state.dirty {
                None => self.changed.wait(&mut state),
                Some(since) => {
                    let due = since + BUFFERED_AT_MOST / 2;
                    if Instant::now() >= due || self.changed.wait_until(&mut state, due).timed_out() {
                        break;
                    }
                }
            }
        }
        let rest = Unsynced { sequence: state.sequence, closed: state.closed, ..Unsynced::default() };
        std::mem::replace(&mut *state, rest)
    }
}

/// A panic on a thread that everything waits for ends the process: recovery is better than a server that says it
/// serves and never answers.
pub(crate) struct EndWithPanic;

impl Drop for EndWithPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

fn end_process(what: &str, failure: &StoreError) -> ! {
    tracing::error!(error = %failure, cause = ?std::error::Error::source(failure), "{what}; the process ends, and recovers at its next start");
    std::process::abort()
}
