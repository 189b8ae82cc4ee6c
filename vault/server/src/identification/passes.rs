//! Searches that come while their gallery is being scanned share the next pass over it: sixteen probes take a pass little longer
//! than eight do alone. Nobody waits for others to come: a search waits for the pass at work, if there is one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use lethe_crypto::wiping;
use lethe_domain::Embedding;
use lethe_index::Query;
use parking_lot::Mutex;
use rayon::prelude::*;
use tokio::sync::oneshot;

use super::Found;
use super::rerank::{Began, Searcher};
use crate::error::Result;
use crate::vault::Vault;

/// Searches that share a pass.
const TOGETHER: usize = 16;

/// One search, from its probe to its answer.
pub(super) struct Asked {
    pub(super) searcher: Searcher,
    pub(super) probe: Embedding,
    pub(super) query: Query,
    pub(super) limit: usize,
    /// Set when nobody waits for the answer any more.
    pub(super) gone: Arc<AtomicBool>,
    pub(super) answer: oneshot::Sender<Result<Found>>,
}

impl Asked {
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
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
        waiting.entry(gallery).or_default().push(asked);
        is_first
    }

    /// Those whose turn it is.
    fn take(&self, gallery: usize) -> Vec<Asked> {
        let mut waiting = self.waiting.lock();
        let Some(waiting) = waiting.get_mut(&gallery) else { return Vec::new() };
        self.begun.fetch_add(1, Ordering::Relaxed);
        waiting.retain(|asked| !asked.is_gone());
        waiting.drain(..waiting.len().min(TOGETHER)).collect()
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

/// Has a search answered from the next pass over its gallery.
pub(super) fn ask(vault: &Arc<Vault>, asked: Asked) {
    let gallery = Arc::as_ptr(&asked.searcher.gallery).addr();
    if vault.passes.join(gallery, asked) {
        begin(vault, gallery);
    }
}

/// One pass after another, each a job of its own: other galleries' come in between.
fn begin(vault: &Arc<Vault>, gallery: usize) {
    let on = Arc::clone(vault);
    vault.pool.spawn(move || {
        pass(on.passes.take(gallery));
        if on.passes.go_on(gallery) {
            begin(&on, gallery);
        }
    });
}

fn pass(together: Vec<Asked>) {
    let Some(first) = together.first() else { return };
    let Searcher { silo, model, gallery, .. } = &first.searcher;
    let began = Began { sequence: silo.sequence(), census: model.census() };
    let queries: Vec<Query> = together.iter().map(|asked| asked.query.clone()).collect();
    let found = gallery.candidates_batch(&queries, &|| together.iter().all(Asked::is_gone));
    let gallery_size = model.stayed(began.census);
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            together.into_iter().for_each(|asked| drop(asked.answer.send(Err(error.clone().into()))));
            return;
        }
    };
    together.into_par_iter().zip(found).for_each(|(asked, candidates)| {
        let Asked { searcher, probe, limit, gone, answer, .. } = asked;
        let found = wiping::of_a_task(|| searcher.judge(&probe, limit, began, gallery_size, &candidates, &gone));
        drop(answer.send(found));
    });
}
