//! The keys of the current epoch, and the slots they are in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::record::{self, RecordContext, RecordKeys, RecordKind};
use lethe_crypto::secret::SlotKey;
use lethe_crypto::tree::{Lease, SlotAllocator, SlotRef, TreeId, View, Walk, WeakView};
use parking_lot::{Mutex, RwLock};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::store::{Change, GalleryId, Key, RowKind, SUBJECTS, Store, StoreError};

/// Version of the sealed rows.
const RECORD_VERSION: u32 = 1;

/// Slots made durable at a time. A crash burns those that were not used; they are redrawn by the next epoch.
const RESERVED_AT_ONCE: u64 = 1024;

/// The slot of a tree that is its owner's own.
const OWN: SlotRef = SlotRef::first(0);

/// The keys of the current epoch: looks slots up, seals rows, opens rows, and hands out slots.
pub struct Keyring {
    store: Arc<Store>,
    view: RwLock<View>,
    allocators: Mutex<HashMap<TreeId, SlotAllocator>>,
    /// One reservation at a time: two would raise the same mark.
    reserving: tokio::sync::Mutex<()>,
}

/// Opens and seals many rows in a row: rows whose slots lie side by side share the way down to them.
///
/// It shows the epoch in which it was made, and still opens what was erased since; an epoch is destroyed only after its
/// readers are gone. So it is made for what is done at once, without waiting for anybody, and dropped with that.
pub struct Opener<'a> {
    keyring: &'a Keyring,
    view: View,
    walk: Option<(TreeId, Walk<'a>)>,
}

/// S, and T if the row has one.
type Keys = (SlotKey, Option<SlotKey>);

/// Whose keys a row is sealed under.
struct Home {
    tree: TreeId,
    gallery: GalleryId,
    subject: SlotRef,
    thing: Option<SlotRef>,
    kind: RowKind,
}

impl Keyring {
    /// The keyring of an opened vault.
    pub fn new(store: Arc<Store>, view: View) -> Self {
        let reserving = tokio::sync::Mutex::new(());
        Self { store, view: RwLock::new(view), allocators: Mutex::new(HashMap::new()), reserving }
    }

    /// The tree of the current epoch. Hold it briefly: an epoch is destroyed only after its readers are gone.
    pub fn view(&self) -> View {
        self.view.read().clone()
    }

    /// Serves the next epoch's tree. What is returned tells when the last reader of the old one is gone.
    pub fn replace(&self, view: View) -> WeakView {
        let old = std::mem::replace(&mut *self.view.write(), view);
        old.downgrade()
    }

    /// The key of a slot; `None` if it was erased.
    pub fn slot(&self, tree: TreeId, slot: SlotRef) -> Result<Option<SlotKey>> {
        self.view().open_slot(self.store.pages(), tree, slot).map_err(Error::crypto("look a key up"))
    }

    /// The key of a tree's own slot.
    pub fn own(&self, tree: TreeId) -> Result<SlotKey> {
        let slot = self.view().slot_key(self.store.pages(), tree, OWN.slot);
        slot.map(|slot| slot.key).map_err(Error::crypto("look a key up"))
    }

    /// For opening and sealing many rows in a row.
    pub fn opener(&self) -> Opener<'_> {
        Opener { keyring: self, view: self.view(), walk: None }
    }

    /// [`Opener::seal`] of one row.
    ///
    /// # Errors
    /// As there.
    pub fn seal(&self, key: &Key, model: &str, plaintext: &[u8]) -> Result<Vec<u8>> {
        self.opener().seal(key, model, plaintext)
    }

    /// [`Opener::open`] of one row, whose keys are looked up one by one: it takes as long wherever they lie.
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, key: &Key, model: &str, sealed: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let home = Home::of(key)?;
        let Some(keys) = home.keys(|slot| self.slot(home.tree, slot))? else { return Ok(None) };
        home.open(&keys, key, model, sealed).map(Some)
    }

    /// Hands out `count` slots of a tree that were never used (rule 3). A lease that is dropped uncommitted
    /// burns its slot.
    pub async fn allocate(&self, tree: TreeId, count: usize) -> Result<Vec<Lease>> {
        let mut leases = Vec::with_capacity(count);
        while leases.len() < count {
            let allocator = self.allocator(tree)?;
            match allocator.allocate() {
                Some(lease) => leases.push(lease),
                None => self.reserve(tree, &allocator).await?,
            }
        }
        Ok(leases)
    }

    /// The allocator of a tree, resumed at its durable mark. Slot 0 is the tree's own and never handed out.
    pub fn allocator(&self, tree: TreeId) -> Result<SlotAllocator> {
        let mut allocators = self.allocators.lock();
        if let Some(allocator) = allocators.get(&tree) {
            return Ok(allocator.clone());
        }
        let allocator = SlotAllocator::resume(self.durable_mark(tree)?);
        allocators.insert(tree, allocator.clone());
        Ok(allocator)
    }

    /// Gives back the slots that are reserved and were never handed out: the next start need not take them for burnt.
    /// To be called last, when nothing is allocated any more.
    pub async fn release(&self) -> Result<()> {
        let Ok(_one) = tokio::time::timeout(self.patience(), self.reserving.lock()).await else { return Ok(()) };
        let mut change = Change::new().starting();
        for (tree, allocator) in self.allocators() {
            if let Some(released) = allocator.release() {
                change.put(Key::HighWater { tree }, released.mark().to_be_bytes().to_vec());
            }
        }
        self.store.commit(change).await?;
        Ok(())
    }

    /// Every allocator in use.
    pub fn allocators(&self) -> Vec<(TreeId, SlotAllocator)> {
        self.allocators.lock().iter().map(|(tree, allocator)| (*tree, allocator.clone())).collect()
    }

    /// Hands out no slot of a tree any more: its tenant is gone, and takes those that were burnt with it.
    pub fn forget(&self, tree: TreeId) {
        self.allocators.lock().remove(&tree);
    }

    /// How long a call waits for others that reserve slots: whoever is at it may wait for a mirror, after a commit.
    fn patience(&self) -> Duration {
        self.store.patience() * 2
    }

    fn durable_mark(&self, tree: TreeId) -> Result<u64> {
        let Some(bytes) = self.store.get(&Key::HighWater { tree })? else { return Ok(OWN.slot + 1) };
        let bytes: [u8; 8] = bytes.try_into().map_err(|_| StoreError::corrupt("high-water mark", format!("{tree}")))?;
        Ok(u64::from_be_bytes(bytes))
    }

    async fn reserve(&self, tree: TreeId, allocator: &SlotAllocator) -> Result<()> {
        let before = allocator.mark();
        // Who waits for a mirror does so under this lock; the next ones do not wait for ever.
        let one = tokio::time::timeout(self.patience(), self.reserving.lock()).await;
        let _one = one.map_err(|_| StoreError::Overloaded)?;
        if allocator.mark() > before {
            return Ok(());
        }
        let reservation = allocator.reservation(RESERVED_AT_ONCE).map_err(Error::crypto("reserve slots"))?;
        let mut change = Change::new();
        change.put(Key::HighWater { tree }, reservation.mark().to_be_bytes().to_vec());
        let committed = self.store.commit(change).await?;
        // A vault restored from a mirror must know of every slot that may have been used.
        self.store.mirrored(committed.sequence).await?;
        allocator.reserved(reservation);
        Ok(())
    }
}

impl Opener<'_> {
    /// Seals what a row holds, bound to the row's key: nothing sealed for one row opens as another.
    ///
    /// # Errors
    /// A row whose keys were erased cannot be written any more.
    pub fn seal(&mut self, key: &Key, model: &str, plaintext: &[u8]) -> Result<Vec<u8>> {
        let home = Home::of(key)?;
        let (subject, thing) = home.keys(|slot| self.slot(home.tree, slot))?.ok_or_else(|| {
            Error::NotFound(lethe_domain::Reason::SubjectNotFound, "the subject was erased meanwhile".to_owned())
        })?;
        let keys = RecordKeys { subject: &subject, other: None, thing: thing.as_ref() };
        let id = key.encode();
        let sealed = record::seal(keys, &home.context(&id, model), plaintext).map_err(Error::crypto("seal a row"))?;
        Ok(sealed.into_bytes())
    }

    /// Opens a row; `None` if its keys were erased.
    ///
    /// # Errors
    /// `Crypto` for a row that is not authentic in its place: damaged, or put there from elsewhere.
    pub fn open(&mut self, key: &Key, model: &str, sealed: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let home = Home::of(key)?;
        let Some(keys) = home.keys(|slot| self.slot(home.tree, slot))? else { return Ok(None) };
        home.open(&keys, key, model, sealed).map(Some)
    }

    /// The key of a slot; `None` if it was erased.
    pub fn slot(&mut self, tree: TreeId, slot: SlotRef) -> Result<Option<SlotKey>> {
        let walk = match &mut self.walk {
            Some((of, walk)) if *of == tree => walk,
            other => &mut other.insert((tree, self.view.walk(self.keyring.store.pages(), tree))).1,
        };
        walk.open_slot(slot).map_err(Error::crypto("look a key up"))
    }
}

impl Home {
    fn of(key: &Key) -> Result<Self> {
        let own = |tree| Ok(Self { tree, gallery: SUBJECTS, subject: OWN, thing: None, kind: key.kind() });
        match *key {
            Key::Tenant { tenant } => own(tree_of(tenant)?),
            // It outlives its tenant.
            Key::Shredded { .. } => own(TreeId::VAULT),
            Key::Credential { tree, .. }
            | Key::Profile { tree, .. }
            | Key::Watchlist { tree, .. }
            | Key::SigningKey { tree, .. }
            | Key::TenantRequest { tree, .. }
            | Key::LogKey { tree }
            | Key::Request { tree, .. }
            | Key::Notification { tree, .. }
            | Key::Proposal { tree, .. } => own(tree),
            Key::Subject { tree, subject }
            | Key::SubjectRequest { tree, subject, .. }
            | Key::Dossier { tree, subject }
            | Key::Asked { tree, subject }
            | Key::Listed { tree, subject }
            | Key::Disclosure { tree, subject, .. }
            | Key::Case { tree, subject, .. }
            // These have a slot of their own, where others have their subject's.
            | Key::WatchlistEntry { tree, slot: subject, .. }
            | Key::Evidence { tree, slot: subject, .. } => {
                Ok(Self { tree, gallery: SUBJECTS, subject, thing: None, kind: key.kind() })
            }
            Key::Template { tree, gallery, at, .. } | Key::Sketch { tree, gallery, at, .. } => {
                Ok(Self { tree, gallery, subject: at.subject, thing: Some(at.thing), kind: key.kind() })
            }
            Key::Format
            | Key::Epoch
            | Key::HighWater { .. }
            | Key::Page(_)
            | Key::Intent { .. }
            | Key::EpochEnd { .. }
            | Key::Position
            | Key::Mirror { .. }
            | Key::Restoring
            | Key::Statements
            | Key::History
            | Key::Receipt { .. }
            | Key::Census { .. }
            | Key::Held { .. }
            | Key::Attestation { .. }
            | Key::LogHead { .. }
            | Key::LogEntry { .. }
            | Key::LogNode { .. }
            | Key::LogSuccession { .. }
            | Key::TreeMark { .. }
            | Key::RowsMark { .. }
            | Key::LogMark { .. } => Err(StoreError::corrupt("row", "a row in clear was to be sealed").into()),
        }
    }

    /// The row's keys, each looked up so; `None` if one was erased.
    fn keys(&self, mut slot: impl FnMut(SlotRef) -> Result<Option<SlotKey>>) -> Result<Option<Keys>> {
        let Some(subject) = slot(self.subject)? else { return Ok(None) };
        match self.thing {
            None => Ok(Some((subject, None))),
            Some(thing) => Ok(slot(thing)?.map(|thing| (subject, Some(thing)))),
        }
    }

    fn open(&self, keys: &Keys, key: &Key, model: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let keys = RecordKeys { subject: &keys.0, other: None, thing: keys.1.as_ref() };
        let id = key.encode();
        record::open_bytes(keys, &self.context(&id, model), sealed).map_err(Error::crypto("open a row"))
    }

    fn context<'a>(&self, id: &'a [u8], model: &'a str) -> RecordContext<'a> {
        RecordContext {
            tenant: self.tree.as_tenant().unwrap_or_default(),
            gallery: self.gallery,
            subject: self.subject,
            other: None,
            thing: self.thing,
            kind: RecordKind(self.kind as u8),
            id,
            version: RECORD_VERSION,
            model,
        }
    }
}

/// The tree of a tenant.
pub(crate) fn tree_of(tenant: SlotRef) -> Result<TreeId> {
    TreeId::tenant(tenant).map_err(Error::crypto("name a tenant's tree"))
}
