//! Silos: what each tenant has in memory. All of it follows from committed rows; see [`Silos`].

mod compact;
mod directory;
mod held;
mod load;
mod model;
mod replacements;
mod rights;
mod room;
mod signing_keys;
mod subjects;
mod unanswered;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_domain::{ModelId, Reason, SubjectId, TenantId, TenantPolicy, Timestamp};
use parking_lot::RwLock;
use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::access::Attempts;
use crate::config::Limits;
use crate::error::{Error, Result};
use crate::store::{LogHead, ProfileNumber};

pub(crate) use compact::CompactAt;
pub use directory::{Credential, Silos};
pub use load::Loaded;
pub(crate) use model::Census;
pub use model::Model;
pub(crate) use rights::{Answering, Rights};
pub use signing_keys::SigningKey;
pub(crate) use signing_keys::{Held, InUse, SigningKeys};
use subjects::Subjects;
pub use unanswered::{Pressing, Unanswered};

/// Locks that changes of one subject share.
const STRIPES: usize = 256;
/// From one stand-in to the next: odd, so that among a power of two they differ.
const STRIDE: u128 = 0x9e37_79b9_7f4a_7c15;

/// One tenant: its tree, its models with their galleries, and which slot each subject has (O4).
pub struct Silo {
    /// The tenant.
    pub id: TenantId,
    /// Its key tree, which also names its log and the prefix of its rows.
    pub tree: TreeId,
    /// When it was created.
    pub created_at: Timestamp,
    /// 1:1 attempts on its subjects.
    pub attempts: Attempts,
    /// Entries of its log whose change memory has followed.
    followed: AtomicU64,
    policy: RwLock<Arc<TenantPolicy>>,
    rights: Rights,
    models: RwLock<BTreeMap<ProfileNumber, Model>>,
    subjects: RwLock<Subjects>,
    stripes: Vec<Mutex<()>>,
    administration: Mutex<()>,
    /// Shared by who writes evidence of consents, alone with who shreds it.
    evidence: tokio::sync::RwLock<()>,
    /// Alone with who writes again, or shreds, what is on watch lists.
    entries: Mutex<()>,
    /// Minors whom nobody consented for, whom somebody is erasing.
    pub(crate) alone: parking_lot::Mutex<BTreeSet<SlotRef>>,
    /// Requests of data subjects that are not answered.
    pub unanswered: Unanswered,
    calls: Arc<Semaphore>,
    sweep: Arc<Semaphore>,
    /// Whose attestations are believed.
    pub(crate) signing_keys: SigningKeys,
    /// Attestations that calls at work use.
    pub(crate) in_use: Arc<InUse>,
    /// Templates of one model that a subject may have.
    pub(crate) most_templates: usize,
}

impl Silo {
    fn new(id: TenantId, tree: TreeId, policy: TenantPolicy, created_at: Timestamp, limits: &Limits) -> Self {
        Self {
            id,
            tree,
            policy: RwLock::new(Arc::new(policy)),
            rights: Rights::default(),
            created_at,
            attempts: Attempts::default(),
            alone: parking_lot::Mutex::default(),
            followed: AtomicU64::new(0),
            models: RwLock::default(),
            subjects: RwLock::default(),
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            administration: Mutex::new(()),
            evidence: tokio::sync::RwLock::default(),
            entries: Mutex::new(()),
            unanswered: Unanswered::default(),
            calls: Arc::new(Semaphore::new(limits.concurrency)),
            sweep: Arc::new(Semaphore::new(1)),
            signing_keys: SigningKeys::default(),
            in_use: Arc::default(),
            most_templates: limits.templates,
        }
    }

    /// What the tenant allows now (O1).
    pub fn policy(&self) -> Arc<TenantPolicy> {
        Arc::clone(&self.policy.read())
    }

    /// What people may ask for, against answers that are on their way.
    pub(crate) const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// The model a caller named.
    pub fn model(&self, model: &ModelId, field: &str) -> Result<Model> {
        let models = self.models.read();
        models.values().find(|known| known.profile.model() == model).cloned().ok_or_else(|| {
            lethe_domain::Invalid::new(field, Reason::ModelUnknown, format!("the tenant has no profile of {model}"))
                .into()
        })
    }

    /// The model rows name by number.
    pub fn model_numbered(&self, number: ProfileNumber) -> Option<Model> {
        self.models.read().get(&number).cloned()
    }

    /// All models, by number.
    pub fn models(&self) -> Vec<Model> {
        self.models.read().values().cloned().collect()
    }

    /// The slot of a subject.
    pub fn subject(&self, id: &SubjectId) -> Option<SlotRef> {
        self.subjects.read().find(id)
    }

    /// Subjects in the silo.
    pub fn subject_count(&self) -> usize {
        self.subjects.read().len()
    }

    /// Excludes other changes of the same subject for as long as the guard lives. Commits of different subjects
    /// run side by side and share their syncs.
    pub async fn lock_subject(&self, id: &SubjectId) -> MutexGuard<'_, ()> {
        self.stripes[self.stripe(id)].lock().await
    }

    /// The same for two at once. Whoever takes both takes them in one order, so that no two wait for each other.
    pub async fn lock_subjects(&self, one: &SubjectId, other: &SubjectId) -> Vec<MutexGuard<'_, ()>> {
        let (one, other) = (self.stripe(one), self.stripe(other));
        let mut locked = vec![self.stripes[one.min(other)].lock().await];
        if one != other {
            locked.push(self.stripes[one.max(other)].lock().await);
        }
        locked
    }

    fn stripe(&self, id: &SubjectId) -> usize {
        (self.subjects.read().digest(id) % STRIPES as u128) as usize
    }

    /// Excludes other changes of the tenant's models and credentials.
    pub async fn lock_administration(&self) -> MutexGuard<'_, ()> {
        self.administration.lock().await
    }

    /// Keeps evidence of consents from being shredded for as long as the guard lives.
    pub(crate) async fn keep_evidence(&self) -> tokio::sync::RwLockReadGuard<'_, ()> {
        self.evidence.read().await
    }

    /// Keeps evidence of consents from being written for as long as the guard lives.
    pub(crate) async fn lock_evidence(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.evidence.write().await
    }

    /// Excludes other changes of entries of watch lists that are there for as long as the guard lives. Taken after a subject's lock and
    /// the administration's, and before that of evidence.
    pub(crate) async fn lock_entries(&self) -> MutexGuard<'_, ()> {
        self.entries.lock().await
    }

    /// A place among the tenant's calls at work. There is none to wait for: overload sheds.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit> {
        place(&self.calls, Duration::from_millis(100), "the tenant has as many calls at work as it may")
    }

    /// The tenant's place for a sweep.
    pub fn enter_sweep(&self) -> Result<OwnedSemaphorePermit> {
        place(&self.sweep, Duration::from_secs(60), "the tenant has a sweep at work, and may have one")
    }

    /// The tenant's sequence: how many entries of its log stand for changes that memory has followed. What is searched
    /// from here on has seen them. It counts this tenant's doings alone, and shows nothing of another's (O35).
    pub fn sequence(&self) -> u64 {
        self.followed.load(Ordering::Acquire)
    }

    fn follow_log(&self, head: &[u8]) -> Result<()> {
        self.followed.store(LogHead::decode(head)?.size, Ordering::Release);
        Ok(())
    }

    /// Slots that stand in for those of somebody who has none: where in the tree they lie depends on the id alone, and
    /// looking one up costs what looking up anybody's does.
    pub(crate) fn stand_ins(&self, id: &SubjectId) -> impl Iterator<Item = SlotRef> {
        let templates: usize = self.models.read().values().map(Model::rows).sum();
        let subjects = self.subjects.read();
        // As many slots have owners, so all these have been handed out; a power of two, so that an id keeps its
        // stand-ins, and what is warm stays so, while others are enrolled.
        let owned = (subjects.len() + templates).max(1);
        let (digest, among) = (subjects.digest(id), 1_u128 << owned.ilog2());
        // Slot 0 is the tenant's own.
        (0..).map(move |number| SlotRef::first(1 + (digest.wrapping_add(number * STRIDE) % among) as u64))
    }

    /// Takes every gallery of the tenant out of service.
    fn fail(&self, fault: &str) {
        for model in self.models.read().values() {
            model.fail(fault);
        }
    }
}

fn place(places: &Arc<Semaphore>, retry_after: Duration, full: &str) -> Result<OwnedSemaphorePermit> {
    let shed = |_| Error::Limited { reason: Reason::Overloaded, retry_after, message: full.to_owned() };
    Arc::clone(places).try_acquire_owned().map_err(shed)
}

/// Shared by everything that serves a tenant.
pub type SiloRef = Arc<Silo>;

fn corrupt(what: &'static str, place: String) -> Error {
    crate::store::StoreError::corrupt(what, place).into()
}
