//! Searches that come while their gallery is being scanned share the next pass over it, which then reads memory once for all of
//! them. Nobody waits for others to come: a search waits for the pass at work, if there is one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lethe_crypto::wiping;
use lethe_domain::Embedding;
use lethe_index::Query;
use parking_lot::Mutex;
use rayon::prelude::*;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::Found;
use super::rerank::{Began, Scanned, Searcher};
use crate::error::Result;
use crate::vault::Vault;

/// Searches that share a pass.
const TOGETHER: usize = 16;

/// So few candidates of a search are judged on the scanning threads. Of more, some have rows that are not in the page cache, and the
/// others need not wait for those.
const FEW: usize = 64;

/// A search that waits for a pass.
pub(super) struct Asked {
    pub(super) searcher: Arc<Searcher>,
    pub(super) probe: Arc<Embedding>,
    pub(super) query: Query,
    pub(super) limit: usize,
    /// Set when nobody waits for the answer any more.
    pub(super) gone: Arc<AtomicBool>,
    pub(super) answer: oneshot::Sender<Result<Outcome>>,
}

/// What comes of a pass for one search.
pub(super) enum Outcome {
    /// The answer.
    Found(Found),
    /// Many candidates, that are to be judged where others need not wait.
    Many(Scanned),
}

impl Asked {
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Judges a few candidates here, where threads are awake and what they need is at hand, and leaves many to others.
    fn go_on(self, scanned: Result<Scanned>) {
        let Self { searcher, probe, query, limit, gone, answer } = self;
        drop(query);
        let outcome = scanned.and_then(|scanned| match scanned.candidates.items.len() {
            ..=FEW => searcher.judge_here(&probe, limit, &scanned, &gone).map(Outcome::Found),
            _ => Ok(Outcome::Many(scanned)),
        });
        // Whoever hears it may be the last to need the vault.
        drop((searcher, probe));
        drop(answer.send(outcome));
    }
}

/// Searches that wait for a pass, by where their gallery is in memory: it stays there as long as they wait. A gallery has an entry
/// from when a pass over it is about to begin until nobody waits for another.
#[derive(Default)]
pub struct Passes {
    waiting: Mutex<HashMap<usize, Vec<Asked>>>,
    begun: AtomicU64,
}

impl Passes {
    /// Passes that began since the start.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().values().map(Vec::len).sum()
    }

    /// Joins those who wait; true for the first, who has to see to a pass.
    fn join(&self, gallery: usize, asked: Asked) -> bool {
        let mut waiting = self.waiting.lock();
        let is_first = !waiting.contains_key(&gallery);
        let waiting = waiting.entry(gallery).or_default();
        // Who gave up has no place among a tenant's calls any more, and shall have none here.
        waiting.retain(|asked| !asked.is_gone());
        waiting.push(asked);
        is_first
    }

    /// Those whose turn it is.
    fn take(&self, gallery: usize) -> Vec<Asked> {
        let mut waiting = self.waiting.lock();
        let Some(waiting) = waiting.get_mut(&gallery) else { return Vec::new() };
        waiting.retain(|asked| !asked.is_gone());
        let together: Vec<Asked> = waiting.drain(..waiting.len().min(TOGETHER)).collect();
        self.begun.fetch_add(u64::from(!together.is_empty()), Ordering::Relaxed);
        together
    }

    /// Whether anybody waits for another pass. If nobody does, whoever comes next is the first again.
    fn go_on(&self, gallery: usize) -> bool {
        let mut waiting = self.waiting.lock();
        let go_on = waiting.get(&gallery).is_some_and(|waiting| !waiting.is_empty());
        if !go_on {
            waiting.remove(&gallery);
        }
        go_on
    }
}

/// Has a search take part in the next pass over its gallery.
pub(super) fn ask(vault: &Arc<Vault>, asked: Asked) {
    let gallery = Arc::as_ptr(&asked.searcher.gallery).addr();
    if vault.passes.join(gallery, asked) {
        begin(Arc::clone(vault), Handle::current(), gallery);
    }
}

/// One pass after another, each a job of its own behind those that came before: other galleries' passes, and sweeps.
fn begin(vault: Arc<Vault>, runtime: Handle, gallery: usize) {
    let pool = vault.pool.clone();
    pool.spawn(move || {
        let together = vault.passes.take(gallery);
        let scanned = scan(&together);
        if vault.passes.go_on(gallery) {
            // What one of the pool's threads gives the pool is done before all that others gave it: so somebody else has to.
            let on = runtime.clone();
            runtime.spawn(async move { begin(vault, on, gallery) });
        } else {
            drop(vault);
        }
        together.into_par_iter().zip(scanned).for_each(|(asked, scanned)| asked.go_on(scanned));
    });
}

/// One pass: what it found for each.
fn scan(together: &[Asked]) -> Vec<Result<Scanned>> {
    let Some(Asked { searcher, .. }) = together.first() else { return Vec::new() };
    let Searcher { judge, model, gallery } = &**searcher;
    let began = Began { sequence: judge.silo.sequence(), census: model.census() };
    let queries: Vec<Query> = together.iter().map(|asked| asked.query.clone()).collect();
    let stop = || together.iter().all(Asked::is_gone);
    let found = wiping::of_a_task(|| gallery.candidates_batch(&queries, &stop));
    let gallery_size = model.stayed(began.census);
    match found {
        Ok(found) => found.into_iter().map(|candidates| Ok(Scanned { began, gallery_size, candidates })).collect(),
        Err(error) => together.iter().map(|_| Err(error.clone().into())).collect(),
    }
}
