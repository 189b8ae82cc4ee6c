use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lethe_crypto::tree::SlotRef;
use lethe_crypto::wiping;
use lethe_domain::{Band, Decider, Embedding, Reason, Risk, SubjectId};
use lethe_index::{Candidate, Candidates, Gallery, cosine};
use rayon::prelude::*;
use tokio::task::JoinSet;

use super::judge::Judge;
use super::{Completeness, Found, Match};
use crate::error::{Error, Result};
use crate::records::{SubjectRecord, TemplateRecord};
use crate::silo::{Census, CompactAt, Model, Silos};
use crate::store::{Key, RowKind, SUBJECTS, StoreError, TemplateAt};
use crate::templates;
use crate::watchlist::Watched;

/// Batches of candidates that are read at a time, on any machine: reading waits for the disk more than it computes, and a disk
/// answers many at once. Candidates are anywhere among a gallery's rows, and some of those are not in the page cache.
pub const RERANKERS: usize = 16;

/// Templates that are read together: so few that as many batches are read as may be, and so many that a batch shares its cost.
const BATCH: RangeInclusive<usize> = 8..=64;

/// Ends a search whose caller has gone: dropped before [`Waits::answered`], it sets the flag.
#[derive(Default)]
pub(super) struct Waits {
    gone: Arc<AtomicBool>,
    answered: bool,
}

impl Waits {
    pub(super) fn gone(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.gone)
    }

    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if !self.answered {
            self.gone.store(true, Ordering::Relaxed);
        }
    }
}

/// What was so as a pass began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    pub(super) sequence: u64,
    pub(super) census: Census,
}

/// What a pass found for one search.
pub(super) struct Scanned {
    pub(super) began: Began,
    /// Templates that were there from its beginning to its end.
    pub(super) gallery_size: usize,
    pub(super) candidates: Candidates<CompactAt>,
}

/// One search.
pub(super) struct Searcher {
    pub(super) model: Model,
    /// Whose gallery it is, and who in it may be found.
    pub(super) judge: Judge,
    /// Stays in memory as long as the search lasts.
    pub(super) gallery: Arc<Gallery<CompactAt>>,
}

/// A template at or above the threshold, before it is known whose it is.
struct Hit {
    at: TemplateAt,
    template: lethe_domain::TemplateId,
    score: f32,
}

/// What became of a batch of candidates.
#[derive(Default)]
struct Reranked {
    hits: Vec<Hit>,
    /// Candidates that were opened and compared.
    scored: usize,
    /// Whose templates went while the search ran.
    gone: Vec<SlotRef>,
}

fn hit(at: TemplateAt, record: &TemplateRecord, probe: &Embedding, threshold: f32) -> Option<Hit> {
    let score = cosine(record.embedding.components(), probe.components());
    (score >= threshold).then_some(Hit { at, template: record.facts.id, score })
}

impl Searcher {
    /// Of a gallery that is brought into memory if it is not there.
    pub(super) async fn of(model: &Model, judge: Judge) -> Result<Self> {
        let gallery = Silos::ready(&judge.vault.silos, &judge.vault.store, &judge.silo, model).await?;
        Ok(Self { model: model.clone(), judge, gallery })
    }

    /// Makes an answer of what a pass found, on the threads that scanned.
    pub(super) fn judge_here(
        &self,
        probe: &Embedding,
        limit: usize,
        scanned: &Scanned,
        stop: &AtomicBool,
    ) -> Result<Found> {
        self.expect_all(scanned)?;
        let (items, threshold) = (&scanned.candidates.items, scanned.candidates.threshold);
        let batch = items.len().div_ceil(2 * rayon::current_num_threads()).clamp(*BATCH.start(), *BATCH.end());
        let rerank = |batch: &[_]| wiping::of_a_task(|| self.rerank(batch, probe, threshold, stop));
        let reranked = items.par_chunks(batch).map(rerank).collect::<Result<_>>()?;
        wiping::of_a_task(|| self.finish(probe, limit, scanned, reranked))
    }

    /// The same on threads that may wait.
    pub(super) async fn judge(
        self: Arc<Self>,
        probe: Arc<Embedding>,
        limit: usize,
        scanned: Scanned,
        stop: Arc<AtomicBool>,
    ) -> Result<Found> {
        self.expect_all(&scanned)?;
        let (items, threshold) = (&scanned.candidates.items, scanned.candidates.threshold);
        let batch = items.len().div_ceil(RERANKERS).clamp(*BATCH.start(), *BATCH.end());
        let mut reading = JoinSet::new();
        for batch in items.chunks(batch) {
            let place = Arc::clone(&self.judge.vault.rerankers).acquire_owned().await.map_err(|_| Error::TaskLost)?;
            let (this, probe, stop, batch) = (Arc::clone(&self), Arc::clone(&probe), Arc::clone(&stop), batch.to_vec());
            reading.spawn_blocking(move || {
                let _place = place;
                wiping::of_a_task(|| this.rerank(&batch, &probe, threshold, &stop))
            });
        }
        let mut reranked = Vec::with_capacity(reading.len());
        while let Some(batch) = reading.join_next().await {
            reranked.push(batch.map_err(|_| Error::TaskLost)??);
        }
        let finish = move || wiping::of_a_task(|| self.finish(&probe, limit, &scanned, reranked));
        tokio::task::spawn_blocking(finish).await.map_err(|_| Error::TaskLost)?
    }

    /// A search never answers from half a gallery.
    fn expect_all(&self, Scanned { candidates, gallery_size, .. }: &Scanned) -> Result<()> {
        self.model.expect_whole()?;
        if candidates.scanned < *gallery_size {
            let message = format!("{} of {gallery_size} templates were compared", candidates.scanned);
            return Err(Error::Unavailable(Reason::SearchIncomplete, message));
        }
        Ok(())
    }

    fn finish(&self, probe: &Embedding, limit: usize, scanned: &Scanned, reranked: Vec<Reranked>) -> Result<Found> {
        let Scanned { began, gallery_size, candidates } = scanned;
        // Whom the policy protects leaves no trace in the counts: they would tell how alike a face is to the probe.
        let scored = reranked.iter().map(|batch| batch.scored).sum();
        let mut hits = self.follow_replacements(reranked, began.census, probe, candidates.threshold)?;
        let allowed = self.judge.allowed(hits.iter().map(|hit| hit.at.subject).collect())?;
        hits.retain(|hit| allowed.contains_key(&hit.at.subject));
        // Best first; where scores are equal, oldest first, so that the order does not depend on chance.
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.at.cmp(&b.at)));
        let completeness = Completeness {
            gallery_size: candidates.scanned.max(*gallery_size),
            searched: candidates.scanned,
            candidates: scored,
            re_ranked: scored,
            matched: hits.len(),
            threshold: candidates.threshold,
            margin: candidates.margin,
            miss_probability: candidates.miss,
            sequence: began.sequence,
        };
        hits.truncate(limit);
        let matches = hits.into_iter().map(|hit| self.name(hit)).collect::<Result<Vec<_>>>()?;
        let matches = matches.into_iter().flatten().collect();
        let policy_version = self.model.profile.policy_version();
        let watched = Watched::default();
        Ok(Found { matches, completeness, watched, policy_version, decider: Decider::Person, answering: None })
    }

    /// Opens candidates and keeps those at or above the threshold. What is opened is wiped with the batch at the latest.
    fn rerank(
        &self,
        batch: &[Candidate<CompactAt>],
        probe: &Embedding,
        threshold: f32,
        stop: &AtomicBool,
    ) -> Result<Reranked> {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::TaskLost);
        }
        let places: Vec<TemplateAt> = batch.iter().map(|candidate| candidate.key.into()).collect();
        let (mut hits, mut scored) = (Vec::new(), 0);
        let gone = self.open(&places, |at, record| {
            scored += 1;
            hits.extend(hit(places[at], record, probe, threshold));
        })?;
        Ok(Reranked { hits, scored, gone: gone.into_iter().map(|at| at.subject).collect() })
    }

    /// Opens those candidates whom the policy lets be compared, and gives each with its number; returns those that went
    /// meanwhile.
    pub(super) fn open(
        &self,
        candidates: &[TemplateAt],
        mut each: impl FnMut(usize, &TemplateRecord),
    ) -> Result<Vec<TemplateAt>> {
        let keys: Vec<Key> = candidates.iter().map(|&at| self.key(at)).collect();
        // Before the rows are read: who is erased in between has none.
        let allowed = self.judge.allowed(candidates.iter().map(|at| at.subject).collect())?;
        let rows = self.judge.vault.store.multi_get(RowKind::Template, &keys)?;
        let mut gone = Vec::new();
        let mut opener = self.judge.vault.keys.opener();
        let model = self.model.profile.model();
        let name = model.to_string();
        for (number, ((&at, key), sealed)) in candidates.iter().zip(&keys).zip(rows).enumerate() {
            let cleared = allowed.get(&at.subject);
            if sealed.is_some() && cleared.is_none() {
                continue;
            }
            let opened = match sealed {
                Some(sealed) => opener.open(key, &name, &sealed)?,
                None => None,
            };
            match opened {
                Some(opened) => {
                    let record = TemplateRecord::decode(&opened, model)?;
                    // One that is past its time is there until a sweep comes by, and is not compared.
                    if cleared.is_some_and(|cleared| cleared.keeps(record.facts.enrolled_at)) {
                        each(number, &record);
                    }
                }
                None => gone.push(at),
            }
        }
        // Nobody is waited for with an opener in hand.
        drop(opener);
        gone.iter().try_for_each(|&at| self.excuse(at))?;
        Ok(gone)
    }

    /// Does the gallery have this template?
    pub(super) fn holds(&self, at: TemplateAt) -> bool {
        CompactAt::try_from(at).is_ok_and(|at| self.gallery.contains(&at))
    }

    /// A template's row.
    pub(super) fn key(&self, at: TemplateAt) -> Key {
        Key::Template { tree: self.judge.silo.tree, gallery: SUBJECTS, at, profile: self.model.number }
    }

    /// The hits of all batches. A candidate that went while the search ran may have been replaced by a template that
    /// the scan had passed already: its subject's templates are scored as they are now.
    fn follow_replacements(
        &self,
        reranked: Vec<Reranked>,
        before: Census,
        probe: &Embedding,
        threshold: f32,
    ) -> Result<Vec<Hit>> {
        let mut hits = Vec::new();
        let mut gone = BTreeSet::new();
        // Also those whose old template the scan did not come to any more, and whose new one it had passed already.
        let moved = self.model.moved(before).ok_or_else(|| {
            let message = "more templates were replaced meanwhile than can be followed".to_owned();
            Error::Unavailable(Reason::SearchIncomplete, message)
        })?;
        gone.extend(moved);
        for batch in reranked {
            hits.extend(batch.hits);
            gone.extend(batch.gone);
        }
        for (subject, cleared) in self.judge.allowed(gone)? {
            let (store, keys) = (&self.judge.vault.store, &self.judge.vault.keys);
            for found in templates::of_subject(store, keys, &self.judge.silo, subject, Some(self.model.number))? {
                let is_kept = cleared.keeps(found.record.facts.enrolled_at);
                if is_kept && !hits.iter().any(|hit| hit.at == found.at) {
                    hits.extend(hit(found.at, &found.record, probe, threshold));
                }
            }
        }
        Ok(hits)
    }

    /// A candidate without a row: erased while the search ran, or the search is not complete.
    fn excuse(&self, at: TemplateAt) -> Result<()> {
        if self.holds(at) {
            // Its row is gone, and the gallery is about to learn of it.
            self.judge.vault.store.catch_up();
        }
        if self.holds(at) {
            let message = format!("the template in {} cannot be read", at.thing);
            return Err(Error::Unavailable(Reason::SearchIncomplete, message));
        }
        Ok(())
    }

    /// Takes out of an answer whom it must not name any more.
    pub(super) fn judge_again(&self, found: &mut Found) -> Result<()> {
        let named: Vec<_> = found.matches.iter().map(|hit| [(&hit.subject, hit.at.subject)]).collect();
        let still = self.judge.still(&named)?;
        let before = found.matches.len();
        let mut still = still.into_iter();
        found.matches.retain(|_| still.next().unwrap_or_default());
        found.completeness.matched -= before - found.matches.len();
        found.watched.look_again(&self.judge.vault, &self.judge.silo)
    }

    fn name(&self, hit: Hit) -> Result<Option<Match>> {
        let subject = self.subject_of(hit.at)?;
        let band = Band::of(hit.score, self.model.profile.thresholds());
        Ok(subject.map(|subject| Match {
            subject,
            template: hit.template,
            score: hit.score,
            band,
            risk: Risk::of_encounter(band),
            at: hit.at,
        }))
    }

    /// Says whose a template is; `None` if the subject was erased meanwhile.
    pub(super) fn subject_of(&self, at: TemplateAt) -> Result<Option<SubjectId>> {
        let key = Key::Subject { tree: self.judge.silo.tree, subject: at.subject };
        let Some(sealed) = self.judge.vault.store.get(&key)? else {
            self.excuse(at)?;
            return Ok(None);
        };
        let Some(opened) = self.judge.vault.keys.open(&key, "", &sealed)? else { return Ok(None) };
        let record =
            SubjectRecord::decode(&opened).map_err(|_| StoreError::corrupt("subject record", "in a search"))?;
        Ok(Some(record.id))
    }
}
