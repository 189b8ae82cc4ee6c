//! Comparing a probe with the entries of a tenant's watch lists, exactly (O9).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lethe_crypto::wiping;
use lethe_domain::{
    Band, Embedding, EntryState, Purpose, Reason, Watchlist, WatchlistEntryId, WatchlistId, WatchlistKind,
};
use lethe_index::cosine;
use lethe_policy::Authorized;
use lethe_policy::operation::Search;

use super::book;
use crate::error::{Error, Result};
use crate::records::WatchlistEntryRecord;
use crate::silo::{Model, Silo, SiloRef};
use crate::store::{Key, RowKind, StoreError, WatchlistNumber};
use crate::vault::Vault;

/// Entries that are opened in a row: then an epoch that ended meanwhile can be destroyed.
const STRIDE: usize = 1024;

/// An entry at or above the threshold.
pub struct Hit {
    /// Its list.
    pub list: WatchlistId,
    /// Its id.
    pub entry: WatchlistEntryId,
    /// What the list is of.
    pub kind: WatchlistKind,
    /// Its exact cosine to the probe.
    pub score: f32,
    /// The band, by the tenant's thresholds.
    pub band: Band,
    key: Key,
}

/// What a comparison with all watch lists came to.
#[derive(Default)]
pub struct Watched {
    /// Best first; of equal scores by list and id.
    pub hits: Vec<Hit>,
    /// Entries that were compared.
    pub compared: usize,
}

/// What is compared, with what.
struct Comparison {
    vault: Arc<Vault>,
    silo: SiloRef,
    model: Model,
    probe: Arc<Embedding>,
    threshold: f32,
    /// Set when nobody waits any more.
    gone: Arc<AtomicBool>,
}

/// Compares a search's probe with every active entry of its model, if the search is against fraud; with none, if it is not.
///
/// # Errors
/// `SearchIncomplete` where an entry cannot be read: no answer is given from some of them.
pub(crate) async fn against(
    vault: &Arc<Vault>,
    silo: &SiloRef,
    call: &Authorized<Search>,
    model: &Model,
    (probe, threshold): (Arc<Embedding>, f32),
    gone: Arc<AtomicBool>,
) -> Result<Watched> {
    if call.purpose() != Purpose::FraudPrevention {
        return Ok(Watched::default());
    }
    let place = Arc::clone(&vault.rerankers).acquire_owned().await.map_err(|_| Error::TaskLost)?;
    let (vault, silo, model) = (Arc::clone(vault), Arc::clone(silo), model.clone());
    let comparison = Comparison { vault, silo, model, probe, threshold, gone };
    let compared = tokio::task::spawn_blocking(move || {
        let _place = place;
        comparison.run()
    });
    compared.await.map_err(|_| Error::TaskLost)?
}

impl Comparison {
    fn run(&self) -> Result<Watched> {
        let lists: BTreeMap<_, _> = book::lists(&self.vault, &self.silo).map_err(incomplete)?.into_iter().collect();
        let mut watched = Watched::default();
        let mut from = Some(Key::prefix_of_tree(RowKind::WatchlistEntry, self.silo.tree));
        while let Some(start) = from {
            if self.gone.load(Ordering::Relaxed) {
                return Err(Error::TaskLost);
            }
            from = wiping::of_a_task(|| self.stride(&lists, &start, &mut watched)).map_err(incomplete)?;
        }
        watched.hits.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then_with(|| a.list.cmp(&b.list)).then_with(|| a.entry.cmp(&b.entry))
        });
        Ok(watched)
    }

    /// Compares with some entries from a key on, and says where the next begin.
    fn stride(
        &self,
        lists: &BTreeMap<WatchlistNumber, Watchlist>,
        start: &[u8],
        watched: &mut Watched,
    ) -> Result<Option<Vec<u8>>> {
        let (mut next, mut seen) = (None, 0);
        let now = self.vault.clock.now();
        let whole = Key::prefix_of_tree(RowKind::WatchlistEntry, self.silo.tree);
        let mut keys = self.vault.keys.opener();
        self.vault.store.scan_from(RowKind::WatchlistEntry, &whole, start, |key, sealed| {
            let Key::WatchlistEntry { list: number, entry: id, .. } = key else {
                return Ok(ControlFlow::Continue(()));
            };
            if seen == STRIDE {
                next = Some(key.encode());
                return Ok(ControlFlow::Break(()));
            }
            seen += 1;
            // What was shredded meanwhile is nobody's concern.
            let named = |fault| book::unreadable(&self.vault, &self.silo, number, id, fault);
            let opened = book::open(&mut keys, &key, sealed).map_err(named)?;
            let Some(WatchlistEntryRecord { entry, embedding }) = opened else {
                return Ok(ControlFlow::Continue(()));
            };
            if entry.model != *self.model.profile.model() || entry.state(now) != EntryState::Active {
                return Ok(ControlFlow::Continue(()));
            }
            watched.compared += 1;
            let score = cosine(embedding.components(), self.probe.components());
            if score >= self.threshold {
                // It may be of a list that was created meanwhile.
                let known = lists.get(&number).cloned();
                let list =
                    known.map_or_else(|| book::list_numbered(&self.vault, &self.silo, number), |list| Ok(Some(list)));
                let missing = || StoreError::corrupt("entry of a watch list", "its list is not there").into();
                let list = list.and_then(|list| list.ok_or_else(missing)).map_err(named)?;
                let band = Band::of(score, self.model.profile.thresholds());
                watched.hits.push(Hit { list: list.id, entry: id, kind: list.kind, score, band, key });
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
        Ok(next)
    }
}

impl Watched {
    /// Takes out what was contested, removed or is over by now.
    ///
    /// # Errors
    /// `SearchIncomplete` where an entry cannot be read.
    pub(crate) fn look_again(&mut self, vault: &Vault, silo: &Silo) -> Result<()> {
        if self.hits.is_empty() {
            return Ok(());
        }
        if silo.rights().is_over() {
            self.hits.clear();
            return Ok(());
        }
        let now = vault.clock.now();
        let mut keys = vault.keys.opener();
        let mut still = Vec::with_capacity(self.hits.len());
        for hit in &self.hits {
            let sealed = vault.store.get(&hit.key).map_err(|fault| incomplete(fault.into()))?;
            let opened = sealed.map(|sealed| book::open(&mut keys, &hit.key, &sealed)).transpose();
            let opened = opened.map_err(|fault| {
                let Key::WatchlistEntry { list, .. } = hit.key else { return incomplete(fault) };
                book::unreadable(vault, silo, list, hit.entry, fault)
            })?;
            let is_active = |record: WatchlistEntryRecord| record.entry.state(now) == EntryState::Active;
            still.push(opened.flatten().is_some_and(is_active));
        }
        let mut still = still.into_iter();
        self.hits.retain(|_| still.next().unwrap_or_default());
        Ok(())
    }
}

/// What cannot be read leaves no answer from the rest.
fn incomplete(fault: Error) -> Error {
    if let Error::Store(StoreError::Closed | StoreError::Shredded) | Error::Unavailable(..) | Error::TaskLost = fault {
        return fault;
    }
    tracing::error!(%fault, "watch lists cannot be read");
    let message = "the tenant's watch lists cannot be read".to_owned();
    Error::Unavailable(Reason::SearchIncomplete, message)
}
