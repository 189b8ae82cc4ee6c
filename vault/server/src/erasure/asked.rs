//! The root store, with an eye on who owes whom an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lethe_crypto::Error;
use lethe_crypto::root::{Claim, Evidence, Incarnation, Medium, RootId, RootStore, VaultId};
use lethe_crypto::secret::VaultKey;
use parking_lot::Mutex;

use super::too_soon;

/// What the root store is asked, whatever for: since when it owes an answer, and how often it failed.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The one writer of epochs asks one thing at a time.
    since: Mutex<Option<Instant>>,
    failures: AtomicU64,
    /// When the last call that failed began: what has been waited for in vain has failed since then.
    failed: Mutex<Option<Instant>>,
}

impl Asked {
    /// How long it has owed an answer, if it does.
    pub(super) fn unanswered(&self) -> Option<Duration> {
        self.since.lock().map(|since| since.elapsed())
    }

    /// How long ago the last call that failed began.
    pub(super) fn failed(&self) -> Option<Duration> {
        self.failed.lock().map(|began| began.elapsed())
    }

    /// How many calls failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Acquire)
    }

    pub(super) async fn answer<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let began = Instant::now();
        let _asking = Asking::begin(self, began);
        let answer = call.await;
        // Who says that a medium must last is well.
        if answer.as_ref().is_err_and(|failure| too_soon(failure).is_none()) {
            *self.failed.lock() = Some(began);
            self.failures.fetch_add(1, Ordering::AcqRel);
        }
        answer
    }
}

/// A call, until it is answered or given up.
struct Asking<'a>(&'a Asked);

impl<'a> Asking<'a> {
    fn begin(asked: &'a Asked, now: Instant) -> Self {
        *asked.since.lock() = Some(now);
        Self(asked)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        *self.0.since.lock() = None;
    }
}

/// A root store whose calls are watched.
pub(crate) struct Watched {
    roots: Arc<dyn RootStore>,
    asked: Arc<Asked>,
}

impl Watched {
    pub(crate) fn over(roots: Arc<dyn RootStore>) -> (Arc<dyn RootStore>, Arc<Asked>) {
        let asked = Arc::new(Asked::default());
        (Arc::new(Self { roots, asked: Arc::clone(&asked) }), asked)
    }
}

#[async_trait]
impl RootStore for Watched {
    async fn claim(&self, vault: VaultId, known: &[Incarnation], next: Incarnation) -> Result<(), Error> {
        self.asked.answer(self.roots.claim(vault, known, next)).await
    }

    async fn claimed(&self) -> Result<Option<Claim>, Error> {
        self.asked.answer(self.roots.claimed()).await
    }

    async fn claims(&self) -> Result<Vec<Claim>, Error> {
        self.asked.answer(self.roots.claims()).await
    }

    async fn admits(&self, vault: VaultId, known: &[Incarnation]) -> Result<(), Error> {
        self.asked.answer(self.roots.admits(vault, known)).await
    }

    async fn create(&self, claim: &Claim) -> Result<RootId, Error> {
        self.asked.answer(self.roots.create(claim)).await
    }

    async fn wrap(&self, claim: &Claim, root: RootId, key: &VaultKey, context: &[u8]) -> Result<Vec<u8>, Error> {
        self.asked.answer(self.roots.wrap(claim, root, key, context)).await
    }

    async fn unwrap(&self, root: RootId, wrapped: &[u8], context: &[u8]) -> Result<VaultKey, Error> {
        self.asked.answer(self.roots.unwrap(root, wrapped, context)).await
    }

    async fn destroy(&self, claim: &Claim, root: RootId) -> Result<Evidence, Error> {
        self.asked.answer(self.roots.destroy(claim, root)).await
    }

    async fn epochs(&self) -> Result<Vec<RootId>, Error> {
        self.asked.answer(self.roots.epochs()).await
    }

    fn medium(&self) -> Medium {
        self.roots.medium()
    }
}
