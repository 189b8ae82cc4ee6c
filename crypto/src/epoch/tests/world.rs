//! A disk that survives crashes, a fuse that causes them, and an application that starts over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::super::*;
use crate::error::{BoxError, Error, Result};
use crate::root::{
    Claim, Evidence, FileRootStore, FileRootStoreOptions, Incarnation, Medium, MigratingRootStore, RootId, RootStore,
    VaultId,
};
use crate::secret::VaultKey;
use crate::tree::{PageAddress, PageCache, PageSource, Redraw, SealedPage, SlotRef, TreeId, View};

/// A line of the vault's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Committed { erasure: &'static str, from: u64, to: u64 },
    Destroyed { epoch: u64, root: RootId },
}

/// What is on disk.
#[derive(Clone, Default)]
pub(super) struct Content {
    pub(super) state: Option<Vec<u8>>,
    pub(super) pages: BTreeMap<PageAddress, Vec<u8>>,
    pub(super) log: Vec<Entry>,
    pub(super) rows: Rows,
}

/// What a vault has beside the epochs, where a history needs it: people, by number, in one tree.
#[derive(Clone, Default)]
pub(super) struct Rows {
    /// The high-water mark.
    pub(super) mark: u64,
    /// By slot: whose, and the sealed row.
    pub(super) records: BTreeMap<u64, (u32, Vec<u8>)>,
    /// Accepted erasures whose epoch is not committed, with the slots that must go.
    pub(super) intents: BTreeMap<u32, Vec<u64>>,
    /// Erasures that were committed, with the epoch that each leaves.
    pub(super) committed: BTreeMap<u32, u64>,
}

/// Bytes of the tree that were ever on their way to a disk: an adversary has them, committed or torn.
#[derive(Default)]
pub(super) struct Images {
    pub(super) pages: Vec<SealedPage>,
    /// Epochs with their wrapped vault keys.
    pub(super) epochs: Vec<Epoch>,
}

impl Content {
    pub(super) fn state(&self) -> Option<EpochState> {
        self.state.as_deref().map(|bytes| EpochState::decode(bytes).unwrap())
    }
}

/// Lets so many steps happen, then nothing more: the process is dead.
#[derive(Default)]
pub(super) struct Fuse {
    left: Mutex<Option<u32>>,
    steps: Mutex<u32>,
}

impl Fuse {
    pub(super) fn set(&self, left: Option<u32>) {
        *self.left.lock() = left;
        *self.steps.lock() = 0;
    }

    pub(super) fn steps(&self) -> u32 {
        *self.steps.lock()
    }

    fn step(&self) -> std::result::Result<(), BoxError> {
        *self.steps.lock() += 1;
        match &mut *self.left.lock() {
            None => Ok(()),
            Some(0) => Err("crashed".into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

/// What the disk can be made to refuse.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) mirror: Mutex<bool>,
    pub(super) destroy: Mutex<bool>,
    pub(super) commit: Mutex<bool>,
    pub(super) wrap: Mutex<bool>,
}

/// What has been read since the last commit or start: an epoch may be destroyed only on these grounds.
#[derive(Default)]
struct Witness {
    unwrapped: BTreeSet<RootId>,
    heads: BTreeSet<u64>,
}

/// One copy of a data directory, at one time used by one process.
pub(super) struct Disk {
    pub(super) content: Mutex<Content>,
    pub(super) fuse: Fuse,
    pub(super) faults: Faults,
    witness: Mutex<Witness>,
    pub(super) images: Mutex<Images>,
    /// The disk as it was after each step, for clones and old snapshots.
    snapshots: Mutex<Option<Vec<Content>>>,
}

impl Disk {
    pub(super) fn new(content: Content) -> Arc<Self> {
        Arc::new(Self {
            content: Mutex::new(content),
            fuse: Fuse::default(),
            faults: Faults::default(),
            witness: Mutex::default(),
            images: Mutex::default(),
            snapshots: Mutex::new(None),
        })
    }

    pub(super) fn keep_snapshots(&self) {
        *self.snapshots.lock() = Some(Vec::new());
    }

    pub(super) fn snapshots(&self) -> Vec<Content> {
        self.snapshots.lock().clone().unwrap_or_default()
    }

    pub(super) fn state(&self) -> Option<EpochState> {
        self.content.lock().state()
    }

    fn step(&self) -> std::result::Result<(), BoxError> {
        if let Some(snapshots) = &mut *self.snapshots.lock() {
            snapshots.push(self.content.lock().clone());
        }
        self.fuse.step()
    }

    fn root_step(&self) -> Result<()> {
        self.step().map_err(|source| Error::RootStore { action: "crashing", source })
    }

    /// A durable change: it happens or it does not, and nobody may know which.
    pub(super) fn change(&self, change: impl FnOnce(&mut Content)) -> std::result::Result<(), BoxError> {
        self.step()?;
        change(&mut self.content.lock());
        self.step()
    }

    /// The commit, with what else is in its batch.
    pub(super) fn commit_with(
        &self,
        commit: Commit<'_>,
        batch: impl FnOnce(&mut Content),
    ) -> std::result::Result<(), BoxError> {
        {
            // Torn or not, these bytes are where an adversary finds them.
            let mut images = self.images.lock();
            images.pages.extend_from_slice(&commit.rewrite.put);
            images.epochs.push(commit.to.clone());
        }
        self.fault(&self.faults.commit)?;
        let state = commit.state.encode()?;
        self.change(|content| {
            assert_eq!(content.state().unwrap().current.as_ref(), Some(commit.from));
            assert_eq!(commit.state.current.as_ref(), Some(commit.to));
            for page in &commit.rewrite.put {
                assert!(content.pages.insert(page.address, page.bytes.clone()).is_none());
            }
            content.state = Some(state);
            batch(content);
            *self.witness.lock() = Witness::default();
        })
    }

    fn fault(&self, fault: &Mutex<bool>) -> std::result::Result<(), BoxError> {
        if *fault.lock() { Err("refused".into()) } else { Ok(()) }
    }
}

impl PageSource for Disk {
    fn page(&self, address: &PageAddress) -> std::result::Result<Option<Vec<u8>>, BoxError> {
        let content = self.content.lock();
        if address.encode()[12] == 0 && address.tree() == TreeId::VAULT {
            self.witness.lock().heads.insert(address.epoch());
        }
        Ok(content.pages.get(address).cloned())
    }
}

#[async_trait]
impl Journal for Disk {
    type Batch = &'static str;

    async fn load(&self) -> std::result::Result<Option<EpochState>, BoxError> {
        self.step()?;
        Ok(self.state())
    }

    async fn save(&self, state: &EpochState) -> std::result::Result<(), BoxError> {
        self.images.lock().epochs.extend(state.current.clone());
        let state = state.encode()?;
        self.change(|content| content.state = Some(state))
    }

    async fn commit(&self, commit: Commit<'_>, erasure: &&'static str) -> std::result::Result<(), BoxError> {
        let (from, to) = (commit.from.number, commit.to.number);
        self.commit_with(commit, |content| content.log.push(Entry::Committed { erasure, from, to }))
    }

    async fn publish(&self, state: &EpochState, view: &View) -> std::result::Result<(), BoxError> {
        self.step()?;
        self.fault(&self.faults.mirror)?;
        assert_eq!(state.current.as_ref().map(|epoch| epoch.number), Some(view.epoch()));
        self.step()
    }

    async fn destroyed(&self, destruction: Destruction<'_>) -> std::result::Result<(), BoxError> {
        self.step()?;
        {
            let mut content = self.content.lock();
            assert!(destruction.state.retiring.is_none());
            assert_eq!(destruction.evidence.root, destruction.retired.root);
            content.state = Some(destruction.state.encode()?);
            for page in &destruction.retired.pages {
                assert!(content.pages.remove(page).is_some(), "{page} is not there to be dropped");
            }
            content.pages.retain(|page, _| !destruction.retired.trees.contains(&page.tree()));
            let (epoch, root) = (destruction.retired.number, destruction.retired.root);
            content.log.push(Entry::Destroyed { epoch, root });
        }
        self.step()
    }
}

/// The root store as one process sees it: with that process's fuse, and checks of what it is asked.
pub(super) struct Roots {
    store: Arc<dyn RootStore>,
    disk: Arc<Disk>,
}

#[async_trait]
impl RootStore for Roots {
    async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<()> {
        self.disk.root_step()?;
        self.store.claim(vault, known, next).await?;
        self.disk.root_step()
    }

    async fn claims(&self) -> Result<Vec<Claim>> {
        self.disk.root_step()?;
        self.store.claims().await
    }

    async fn admits(&self, vault: VaultId, known: &[Incarnation]) -> Result<()> {
        self.disk.root_step()?;
        self.store.admits(vault, known).await
    }

    async fn claimed(&self) -> Result<Option<Claim>> {
        self.disk.root_step()?;
        self.store.claimed().await
    }

    async fn create(&self, claim: &Claim) -> Result<RootId> {
        self.disk.root_step()?;
        let root = self.store.create(claim).await?;
        self.disk.root_step()?;
        Ok(root)
    }

    async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>> {
        self.disk.root_step()?;
        let fault = self.disk.fault(&self.disk.faults.wrap);
        fault.map_err(|source| Error::RootStore { action: "wrapping", source })?;
        let wrapped = self.store.wrap(claim, root, key, context).await?;
        self.disk.root_step()?;
        Ok(wrapped)
    }

    async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey> {
        self.disk.root_step()?;
        let key = self.store.unwrap(root, wrapped, context).await?;
        self.disk.witness.lock().unwrapped.insert(root);
        Ok(key)
    }

    /// Rule 5, checked at the only place where it can be broken.
    async fn destroy(&self, claim: &Claim, root: RootId) -> Result<Evidence> {
        self.disk.root_step()?;
        let fault = self.disk.fault(&self.disk.faults.destroy);
        fault.map_err(|source| Error::RootStore { action: "destroying", source })?;
        let state = self.disk.state().unwrap();
        if let Some(current) = &state.current {
            assert_ne!(root, current.root, "the committed root is never destroyed");
            let witness = self.disk.witness.lock();
            assert!(witness.unwrapped.contains(&current.root), "the committed key was not opened");
            assert!(current.number == 0 || witness.heads.contains(&current.number), "the tree was not read");
        } else {
            assert!(self.disk.content.lock().log.is_empty(), "a vault that was used is not founded again");
        }
        let evidence = self.store.destroy(claim, root).await?;
        self.disk.root_step()?;
        Ok(evidence)
    }

    async fn epochs(&self) -> Result<Vec<RootId>> {
        self.disk.root_step()?;
        self.store.epochs().await
    }

    fn medium(&self) -> Medium {
        self.store.medium()
    }
}

/// A data directory's disk and the root store, over any number of processes.
pub(super) struct World {
    pub(super) disk: Arc<Disk>,
    pub(super) store: Arc<dyn RootStore>,
    /// Another root store, to which the vault is moving.
    pub(super) target: Option<Arc<dyn RootStore>>,
    directory: Arc<tempfile::TempDir>,
}

/// The slots that are watched: (tree, slot).
fn watched() -> Vec<(TreeId, u64)> {
    let trees = [1, 2].map(|tenant| TreeId::tenant(SlotRef::first(tenant)).unwrap());
    trees.into_iter().flat_map(|tree| [0, 5, 6, 70, 5000].map(|slot| (tree, slot))).collect()
}

/// The erasures of the application's life, in order: a subject, the same page again, another subject and
/// a whole tenant.
pub(super) const ERASURES: [&str; 3] = ["subject 5", "subject 6", "subject 70 and tenant 2"];

pub(super) fn redraw(erasure: &str) -> Redraw {
    let tree = TreeId::tenant(SlotRef::first(1)).unwrap();
    let mut redraw = Redraw::new();
    match erasure {
        "subject 5" => redraw.erase(tree, SlotRef::first(5)),
        "subject 6" => redraw.erase(tree, SlotRef::first(6)),
        "subject 70 and tenant 2" => redraw.erase(tree, SlotRef::first(70)).erase(TreeId::VAULT, SlotRef::first(2)),
        other => unreachable!("{other}"),
    };
    redraw
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Content::default(), |_| ())
    }

    /// Another copy of the data directory and of the root store's file, as a snapshot of a disk has both.
    pub(super) fn copy(&self) -> Self {
        let copy = |file: &Path| {
            std::fs::copy(self.directory.path().join("roots"), file).unwrap();
        };
        Self::with(self.disk.content.lock().clone(), copy)
    }

    fn with(content: Content, prepare: impl FnOnce(&Path)) -> Self {
        // Memory, where there is some: these tests sync thousands of times.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let file = directory.path().join("roots");
        prepare(&file);
        let store = Arc::new(FileRootStore::open(FileRootStoreOptions::new(file, directory.path())).unwrap());
        Self { disk: Disk::new(content), store, target: None, directory: Arc::new(directory) }
    }

    /// Another copy of the data directory, with the same root store.
    pub(super) fn clone_from(&self, content: Content) -> Self {
        Self {
            disk: Disk::new(content),
            store: Arc::clone(&self.store),
            target: self.target.clone(),
            directory: Arc::clone(&self.directory),
        }
    }

    pub(super) async fn open(&self) -> Result<EpochWriter<Disk>> {
        self.open_with(Takeover::Refuse).await
    }

    pub(super) async fn open_with(&self, takeover: Takeover) -> Result<EpochWriter<Disk>> {
        self.open_sharing(Arc::new(PageCache::new(64)), takeover).await
    }

    pub(super) async fn open_sharing(&self, cache: Arc<PageCache>, takeover: Takeover) -> Result<EpochWriter<Disk>> {
        EpochWriter::open(Arc::clone(&self.disk), self.start(), cache, takeover).await
    }

    /// A process starts: it has read nothing, and sees the root store with its own fuse.
    pub(super) fn start(&self) -> Arc<dyn RootStore> {
        *self.disk.witness.lock() = Witness::default();
        let seen = |store: &Arc<dyn RootStore>| -> Arc<dyn RootStore> {
            Arc::new(Roots { store: Arc::clone(store), disk: Arc::clone(&self.disk) })
        };
        match &self.target {
            None => seen(&self.store),
            Some(target) => Arc::new(MigratingRootStore::new(seen(&self.store), seen(target))),
        }
    }

    pub(super) async fn roots(&self) -> Vec<RootId> {
        let mut roots = self.store.epochs().await.unwrap();
        if let Some(target) = &self.target {
            roots.extend(target.epochs().await.unwrap());
        }
        roots
    }

    pub(super) fn log(&self) -> Vec<Entry> {
        self.disk.content.lock().log.clone()
    }

    pub(super) fn is_committed(&self, erasure: &str) -> bool {
        self.log().iter().any(|entry| matches!(entry, Entry::Committed { erasure: name, .. } if *name == erasure))
    }
}

/// The values of the watched slots when the vault was first usable: what lives must keep them, for ever.
#[derive(Default)]
pub(super) struct Values(BTreeMap<(TreeId, u64), [u8; 32]>);

impl Values {
    /// Compares what can be read with what was committed.
    pub(super) fn check(&mut self, world: &World, view: &View) {
        let mut erased = Redraw::new();
        for erasure in ERASURES.into_iter().filter(|erasure| world.is_committed(erasure)) {
            erased.extend(&redraw(erasure));
        }
        let erased: BTreeSet<_> = erased.iter().map(|(tree, slot)| (tree, slot.slot)).collect();
        for (tree, slot) in watched() {
            let tenant = tree.as_tenant().unwrap();
            let now = view.open_slot(&*world.disk, tree, SlotRef::first(slot)).unwrap();
            let now = now.map(|key| *key.expose());
            if erased.contains(&(tree, slot)) || erased.contains(&(TreeId::VAULT, tenant.slot)) {
                assert_eq!(now, None, "{tree} slot {slot} was erased");
            } else {
                let value = self.0.entry((tree, slot)).or_insert_with(|| now.unwrap());
                assert_eq!(now.as_ref(), Some(&*value), "{tree} slot {slot} is lost");
            }
        }
    }
}

/// The application: opens the vault, finishes what was left, and carries out every erasure that is not yet
/// committed. Returns at the first error, as a process that dies; to be called again.
pub(super) async fn live(world: &World, values: &mut Values) -> Result<()> {
    let mut writer = world.open().await?;
    values.check(world, writer.view());
    writer.finish().await?;
    values.check(world, writer.view());
    for erasure in ERASURES {
        if !world.is_committed(erasure) {
            match writer.run(&redraw(erasure), &erasure).await? {
                Outcome::Destroyed(evidence) => {
                    // Nothing is reported as destroyed that is still there.
                    assert!(!world.roots().await.contains(&evidence.root));
                }
                Outcome::Pending(error) => return Err(error),
            }
        }
        values.check(world, writer.view());
    }
    Ok(())
}

/// How the world must look when all is done.
pub(super) async fn check_done(world: &World, values: &mut Values) {
    let mut writer = world.open().await.unwrap();
    assert!(writer.finish().await.unwrap().is_none());
    values.check(world, writer.view());
    assert_eq!(world.roots().await, [writer.epoch().root]);
    assert_eq!(writer.epoch().number, ERASURES.len() as u64);

    let log = world.log();
    let mut expected = Vec::new();
    for (number, erasure) in (0..).zip(ERASURES) {
        expected.push((Some(erasure), number));
        expected.push((None, number));
    }
    let found: Vec<_> = log
        .iter()
        .map(|entry| match entry {
            Entry::Committed { erasure, from, to } => {
                assert_eq!(from + 1, *to);
                (Some(*erasure), *from)
            }
            Entry::Destroyed { epoch, .. } => (None, *epoch),
        })
        .collect();
    assert_eq!(found, expected, "each epoch is committed once and destroyed once, in order");
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
