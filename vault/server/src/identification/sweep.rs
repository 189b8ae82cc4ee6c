//! Who is in a gallery twice: every template against every other one (O8).
//!
//! Templates are taken in the order of their rows, some hundred at a time, and each is compared with those before it: so a pair
//! is compared once, and a position in that order is all that is needed to go on. The pairs whose estimate is near enough
//! are scored exactly, with both templates opened.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use lethe_crypto::tree::SlotRef;
use lethe_crypto::wiping;
use lethe_domain::{Band, ModelId, Reason, SubjectId, TemplateId};
use lethe_index::{OperatingPoint, Stop, cosine};
use lethe_policy::Authorized;
use lethe_policy::operation::SweepDuplicates;
use rayon::prelude::*;
use tokio::sync::OwnedSemaphorePermit;

use super::operating_point;
use super::rerank::Searcher;
use crate::error::{Error, Result};
use crate::records::TemplateRecord;
use crate::silo::Census;
use crate::store::{Key, RowKind, SUBJECTS, TemplateAt};
use crate::vault::Vault;

/// Templates that are in memory in clear at a time, or a few more: those of one subject stay together. The more they are, the
/// fewer times a candidate of several of them is opened.
const STEP: usize = 1024;

/// Templates that are looked up tables at a time, of 15 KB each.
const PROBES: usize = 64;

/// Rows that one thread opens in a row.
const ROWS: usize = 64;

/// Candidates that are opened before others have their turn at the threads.
const TURN: usize = 1024;

/// What is to be swept.
pub struct Wanted {
    /// The model whose gallery it is.
    pub model: ModelId,
    /// Cosine at and above which pairs are wanted; the tenant's review threshold if `None`.
    pub threshold: Option<f32>,
    /// Probability of missing a pair exactly at the threshold; the profile's if `None`.
    pub miss_probability: Option<f64>,
    /// Where to begin: what an earlier [`Step::next`] said, or 0.
    pub from: u64,
}

/// One of a pair.
pub struct Party {
    /// Whose template it is.
    pub subject: SubjectId,
    /// Which.
    pub template: TemplateId,
}

/// Templates of two subjects, at or above the threshold.
pub struct Pair {
    /// The two; the second is the one whose row comes first.
    pub parties: [Party; 2],
    /// Their exact cosine.
    pub score: f32,
    /// The band, by the tenant's thresholds.
    pub band: Band,
}

/// What a sweep has come to.
pub struct Step {
    /// What it found since the last step, the most alike first.
    pub pairs: Vec<Pair>,
    /// Templates that were compared with all before them, since the sweep began.
    pub compared: usize,
    /// Templates in the gallery.
    pub gallery_size: usize,
    /// Pairs that were scored exactly, since the sweep began.
    pub candidates: usize,
    /// Where to go on; `None` where everything has been compared.
    pub next: Option<u64>,
    /// The threshold, cosine.
    pub threshold: f32,
    /// Probability that a pair exactly at the threshold was missed; less above it.
    pub miss_probability: f64,
    /// The version of the thresholds that judge.
    pub policy_version: u32,
}

/// A sweep on its way. The tenant has one at a time.
pub struct Sweep {
    searcher: Searcher,
    point: OperatingPoint,
    from: u64,
    before: Census,
    compared: usize,
    candidates: usize,
    _place: OwnedSemaphorePermit,
}

/// A template of the step at hand, in clear.
struct Swept {
    at: TemplateAt,
    record: TemplateRecord,
}

/// A template that may make a pair with one of the step's, by its number.
type Candidate = (TemplateAt, usize);

/// A pair at or above the threshold, before it is known whose templates they are.
struct Hit {
    at: [TemplateAt; 2],
    templates: [TemplateId; 2],
    score: f32,
}

impl Sweep {
    /// Begins a sweep of the tenant's own gallery, and no other (O4).
    ///
    /// # Errors
    /// `Limited` while another sweep of the tenant's is at work.
    pub async fn begin(vault: &Arc<Vault>, call: &Authorized<SweepDuplicates>, wanted: Wanted) -> Result<Self> {
        let silo = vault.silo(call)?;
        let model = silo.model(&wanted.model, "model")?;
        let point = operating_point(&model, wanted.threshold, wanted.miss_probability)?;
        let place = silo.enter_sweep()?;
        let searcher = Searcher::of(vault, &silo, &model).await?;
        vault.note(silo.tree, call).await?;
        let before = model.census();
        Ok(Self { searcher, point, from: wanted.from, before, compared: 0, candidates: 0, _place: place })
    }

    /// Compares all that is left and gives each step to `each`; ends where `stop` or `each` says so. It blocks its thread for as
    /// long as it takes, and works on the scanning threads, by turns with searches.
    ///
    /// # Errors
    /// `GalleryNotReady` and `SearchIncomplete`: a gallery that is not whole has no answer. What was given is right
    /// all the same, and a sweep from the last step's [`next`](Step::next) goes on.
    pub fn run(mut self, stop: &Stop<'_>, mut each: impl FnMut(Step) -> Result<()>) -> Result<()> {
        let (threshold, miss_probability) = (self.point.threshold(), self.point.miss());
        let mut from = Some(self.from);
        while let Some(start) = from {
            self.searcher.model.expect_whole()?;
            let (rows, next) = self.read(start, stop)?;
            let swept = self.open(&rows)?;
            drop(rows);
            self.compared += swept.len();
            let hits = self.compare(&swept, stop)?;
            drop(swept);
            let gallery_size = self.searcher.model.stayed(self.before);
            if next.is_none() && self.from == 0 && self.compared < gallery_size {
                let message = format!("{} of {gallery_size} templates were compared", self.compared);
                return Err(Error::Unavailable(Reason::SearchIncomplete, message));
            }
            let pairs = hits.into_iter().map(|hit| self.name(hit)).collect::<Result<Vec<_>>>()?;
            each(Step {
                pairs: pairs.into_iter().flatten().collect(),
                compared: self.compared,
                gallery_size: self.searcher.model.rows(),
                candidates: self.candidates,
                next,
                threshold,
                miss_probability,
                policy_version: self.searcher.model.profile.policy_version(),
            })?;
            from = next;
        }
        Ok(())
    }

    /// The next rows, sealed as they are, and where those after them begin.
    fn read(&self, start: u64, stop: &Stop<'_>) -> Result<(Vec<(TemplateAt, Vec<u8>)>, Option<u64>)> {
        let (tree, number) = (self.searcher.silo.tree, self.searcher.model.number);
        let (mut rows, mut next) = (Vec::<(TemplateAt, Vec<u8>)>::new(), None);
        let whole = Key::prefix_of_gallery(tree, SUBJECTS);
        let start = Key::prefix_of_templates(tree, SUBJECTS, SlotRef::first(start));
        self.searcher.vault.store.scan_from(RowKind::Template, &whole, &start, |key, sealed| {
            if stop() {
                return Err(Error::TaskLost);
            }
            let Key::Template { at, profile, .. } = key else { return Ok(ControlFlow::Continue(())) };
            // A subject's templates are not parted: where to go on is said by a subject's slot.
            if rows.len() >= STEP && rows.last().is_some_and(|(last, _)| last.subject.slot != at.subject.slot) {
                next = Some(at.subject.slot);
                return Ok(ControlFlow::Break(()));
            }
            if profile == number {
                rows.push((at, sealed.to_vec()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((rows, next))
    }

    /// Opens rows, but for those that were erased meanwhile.
    fn open(&self, rows: &[(TemplateAt, Vec<u8>)]) -> Result<Vec<Swept>> {
        let Searcher { vault, model, .. } = &self.searcher;
        let (of, name) = (model.profile.model(), model.profile.model().to_string());
        let open = |rows: &[(TemplateAt, Vec<u8>)]| -> Result<Vec<Swept>> {
            let mut opener = vault.keys.opener();
            let mut swept = Vec::with_capacity(rows.len());
            for (at, sealed) in rows {
                if let Some(opened) = opener.open(&self.searcher.key(*at), &name, sealed)? {
                    swept.push(Swept { at: *at, record: TemplateRecord::decode(&opened, of)? });
                }
            }
            Ok(swept)
        };
        let opened: Vec<Vec<Swept>> = vault
            .pool
            .run(|| rows.par_chunks(ROWS).map(|rows| wiping::of_a_task(|| open(rows))).collect::<Result<_>>())?;
        let mut swept: Vec<Swept> = opened.into_iter().flatten().collect();
        let gallery = &self.searcher.gallery;
        if !swept.iter().all(|swept| gallery.contains(&swept.at)) {
            // Enrolled or erased just now: the gallery is about to learn of it.
            vault.store.catch_up();
        }
        let mut lacking = Vec::new();
        for Swept { at, .. } in &swept {
            if gallery.contains(at) {
                continue;
            }
            if vault.store.get(&self.searcher.key(*at))?.is_some() {
                // Its pairs would be missed as others' candidate.
                let message = format!("the gallery lacks the template in {}", at.thing);
                return Err(Error::Unavailable(Reason::SearchIncomplete, message));
            }
            lacking.push(*at);
        }
        swept.retain(|swept| !lacking.contains(&swept.at));
        Ok(swept)
    }

    /// The pairs of the step's templates with those before them, the most alike first.
    fn compare(&mut self, swept: &[Swept], stop: &Stop<'_>) -> Result<Vec<Hit>> {
        let Searcher { vault, model, .. } = &self.searcher;
        let mut candidates: Vec<Candidate> = Vec::new();
        for (chunk, first) in swept.chunks(PROBES).zip((0..).step_by(PROBES)) {
            let probe = |swept: &Swept| wiping::of_a_task(|| model.probe(swept.record.embedding.components()));
            let probes: Vec<_> = vault.pool.run(|| chunk.par_iter().map(probe).collect::<Result<_>>())?;
            let keys: Vec<TemplateAt> = chunk.iter().map(|swept| swept.at).collect();
            let found = self.searcher.gallery.candidates_below(&probes, &keys, self.point, stop)?;
            for ((number, swept), found) in (first..).zip(chunk).zip(found) {
                let others = found.into_iter().map(|candidate| candidate.key);
                // Somebody's own templates are alike, and no duplicates.
                let others = others.filter(|other| other.subject != swept.at.subject);
                candidates.extend(others.map(|other| (other, number)));
            }
        }
        self.candidates += candidates.len();
        candidates.sort_unstable();
        let mut hits = Vec::new();
        for turn in turns(&candidates) {
            if stop() {
                return Err(Error::TaskLost);
            }
            let scored: Vec<Vec<Hit>> = vault.pool.run(|| {
                let parts: Vec<&[Candidate]> = turn.chunk_by(|one, other| one.0 == other.0).collect();
                let score = |parts: &[&[Candidate]]| wiping::of_a_task(|| self.score(swept, parts));
                parts.par_chunks(ROWS).map(score).collect::<Result<_>>()
            })?;
            hits.extend(scored.into_iter().flatten());
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.at.cmp(&b.at)));
        Ok(hits)
    }

    /// Opens each part's candidate and scores it.
    fn score(&self, swept: &[Swept], parts: &[&[Candidate]]) -> Result<Vec<Hit>> {
        let places: Vec<TemplateAt> = parts.iter().flat_map(|part| part.first()).map(|candidate| candidate.0).collect();
        let (mut hits, threshold) = (Vec::new(), self.point.threshold());
        // Who went meanwhile makes no pair.
        self.searcher.open(&places, |number, other| {
            for &(at, number) in parts[number] {
                let Swept { at: own, record } = &swept[number];
                let score = cosine(record.embedding.components(), other.embedding.components());
                if score >= threshold {
                    hits.push(Hit { at: [*own, at], templates: [record.facts.id, other.facts.id], score });
                }
            }
        })?;
        Ok(hits)
    }

    /// Says whose a pair is; `None` if either went meanwhile.
    fn name(&self, hit: Hit) -> Result<Option<Pair>> {
        let model = &self.searcher.model;
        let mut parties = Vec::with_capacity(2);
        for (at, template) in hit.at.into_iter().zip(hit.templates) {
            match self.searcher.subject_of(at)? {
                Some(subject) if self.searcher.gallery.contains(&at) => parties.push(Party { subject, template }),
                _ => return Ok(None),
            }
        }
        let band = Band::of(hit.score, model.profile.thresholds());
        Ok(parties.try_into().ok().map(|parties| Pair { parties, score: hit.score, band }))
    }
}

/// Cuts candidates, which are sorted, in parts of some, without parting those of one template.
fn turns(candidates: &[Candidate]) -> impl Iterator<Item = &[Candidate]> {
    let mut rest = 0..candidates.len();
    std::iter::from_fn(move || {
        let Range { start, end } = rest;
        let last = candidates.get((start + TURN).min(end).checked_sub(1)?).filter(|_| start < end)?;
        let until = start + candidates[start..].partition_point(|candidate| candidate.0 <= last.0);
        rest.start = until;
        Some(&candidates[start..until])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_cover_all_and_part_no_template() {
        let at = |slot| TemplateAt { subject: SlotRef::first(slot), thing: SlotRef::first(slot + 1) };
        for size in [0, 1, TURN - 1, TURN, TURN + 1, 5 * TURN] {
            for each in [1, 3, 2000] {
                let candidates: Vec<Candidate> = (0..size).map(|number| (at((number / each) as u64), number)).collect();
                let cut: Vec<&[Candidate]> = turns(&candidates).collect();
                assert_eq!(cut.concat(), candidates);
                assert!(cut.iter().all(|turn| !turn.is_empty() && turn.len() < TURN + each));
                assert!(cut.windows(2).all(|pair| pair[0].last().map(|c| c.0) < pair[1].first().map(|c| c.0)));
            }
        }
    }
}
