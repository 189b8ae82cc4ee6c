//! Who is in a gallery twice: every template against every other one (O8).
//!
//! Templates are taken in the order of their rows, a thousand at a time, and each is compared with those before it: so a pair is
//! compared once, and a place in that order is all that is needed to go on. The pairs whose estimate is near enough are scored
//! exactly, with both templates opened.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lethe_crypto::tree::SlotRef;
use lethe_crypto::wiping;
use lethe_domain::{Band, Invalid, ModelId, Reason, SubjectId, TemplateId};
use lethe_index::{OperatingPoint, Query, Stop, cosine};
use lethe_policy::operation::SweepDuplicates;
use lethe_policy::{Authorized, Cleared};
use rayon::prelude::*;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::judge::Judge;
use super::rerank::Searcher;
use super::{LOOKS, operating_point};
use crate::error::{Error, Result};
use crate::records::TemplateRecord;
use crate::silo::{Answering, Census, CompactAt, Model, SiloRef};
use crate::store::{Key, RowKind, SUBJECTS, StoreError, TemplateAt};
use crate::templates;
use crate::vault::Vault;

/// Templates that are in memory in clear at a time, or a few more: those of one subject stay together. The more they are, the
/// fewer times a candidate of several of them is opened.
const STEP: usize = 1024;

/// Templates that are looked up tables at a time, of some 20 KB each; as many as pass over the gallery together.
const PROBES: usize = 16;

/// Rows that one thread opens in a row.
const ROWS: usize = 64;

/// Candidates that make a step shorter than it might be, so that their pairs fit into memory.
const KEPT: usize = 1 << 16;

/// Candidates that are opened before others have their turn at the threads.
const TURN: usize = 1024;

/// Pairs of one answer: some hundred bytes each on the wire.
const PAIRS: usize = 1000;

/// How long a judgement holds: a consent may end by itself.
const STALE: Duration = Duration::from_secs(1);

/// When it is tried again whether an answer may be given.
const RETRY: Duration = Duration::from_millis(1);

/// Times that those who were replaced during a step are looked at again, each of which takes a part of the time of the one
/// before.
const ROUNDS: usize = 32;

/// What is to be swept.
pub struct Wanted {
    /// The model whose gallery it is.
    pub model: ModelId,
    /// Cosine at and above which pairs are wanted; the tenant's review threshold if `None`.
    pub threshold: Option<f32>,
    /// Probability of missing a pair exactly at the threshold; the profile's if `None`.
    pub miss_probability: Option<f64>,
}

/// One of a pair.
pub struct Party {
    /// Whose template it is.
    pub subject: SubjectId,
    /// Which.
    pub template: TemplateId,
    /// Whose slot it is.
    slot: SlotRef,
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
    /// What it found since the last one, the most alike first.
    pub pairs: Vec<Pair>,
    /// Templates that were compared with all before them, since the sweep began.
    pub compared: usize,
    /// Templates in the gallery.
    pub gallery_size: usize,
    /// Pairs that were scored exactly, since the sweep began.
    pub candidates: usize,
    /// Where to go on; `None` where everything has been compared. Several steps may have the same, where there are many pairs.
    pub next: Option<u64>,
    /// The threshold, cosine.
    pub threshold: f32,
    /// Probability that a pair exactly at the threshold was missed; less above it.
    pub miss_probability: f64,
    /// The version of the thresholds that judge.
    pub policy_version: u32,
    judge: Judge,
    /// What was recorded when the pairs were judged, and when that was: consents end by themselves.
    judged: u64,
    judged_at: Instant,
}

impl Step {
    /// Takes out the pairs of whom they must not name any more, when it is about to be given to the caller: from then on, as long
    /// as what this gives is held, nobody's withdrawal is answered.
    ///
    /// # Errors
    /// If a dossier cannot be read.
    pub(crate) async fn last_look(&mut self) -> Result<Answering> {
        let silo = Arc::clone(&self.judge.silo);
        let mut looks = 0;
        loop {
            // It does not queue: a caller that reads no more leaves this unpolled, and all others would wait for it.
            let Some(answering) = silo.rights().try_answering() else {
                sleep(RETRY).await;
                continue;
            };
            let now = silo.rights().changes();
            // Whom it came upon and who must not be here goes (O15).
            self.judge.follow_up();
            if now == self.judged && self.judged_at.elapsed() < STALE {
                return Ok(answering);
            }
            (self.judged, self.judged_at) = (now, Instant::now());
            let (judge, pairs) = (self.judge.clone(), std::mem::take(&mut self.pairs));
            let again = move || wiping::of_a_task(|| judge_again(&judge, pairs));
            looks += 1;
            if looks > LOOKS {
                // It is recorded faster than this is judged: whoever records waits for once.
                self.pairs = tokio::task::block_in_place(again)?;
                self.judge.follow_up();
                return Ok(answering);
            }
            drop(answering);
            self.pairs = tokio::task::spawn_blocking(again).await.map_err(|_| Error::TaskLost)??;
        }
    }
}

/// Whom a sweep answers.
pub trait Answers {
    /// Waits until the next step can be given at once, to somebody who may still have it.
    ///
    /// # Errors
    /// Ends the sweep.
    fn ready(&mut self) -> Result<()>;

    /// Takes a step.
    ///
    /// # Errors
    /// Ends the sweep.
    fn give(&mut self, step: Step) -> Result<()>;
}

/// A sweep that may begin.
pub struct Plan {
    vault: Arc<Vault>,
    silo: SiloRef,
    model: Model,
    point: OperatingPoint,
    judge: Judge,
}

/// A sweep on its way. The tenant has one at a time.
pub struct Sweep {
    plan: Plan,
    runtime: Handle,
    from: u64,
    before: Census,
    compared: usize,
    candidates: usize,
    /// Found in the step at hand, and not given yet.
    hits: Vec<Hit>,
    /// What was given of it.
    given: BTreeSet<[TemplateAt; 2]>,
    /// The tenant's, until it is over.
    place: Option<OwnedSemaphorePermit>,
}

/// A template of the step at hand, in clear.
struct Swept {
    at: TemplateAt,
    record: TemplateRecord,
}

/// A template that may make a pair with one of the step's, by its number.
type Candidate = (TemplateAt, usize);

/// A row, sealed as it is.
type Sealed = (TemplateAt, Vec<u8>);

/// A pair at or above the threshold, before it is known whose templates they are.
struct Hit {
    at: [TemplateAt; 2],
    templates: [TemplateId; 2],
    score: f32,
}

impl Plan {
    /// A sweep of the tenant's own gallery, and no other (O4).
    ///
    /// # Errors
    /// `Invalid` for a model that there is not, a threshold below the profile's, a miss probability out of range.
    pub fn of(vault: &Arc<Vault>, call: &Authorized<SweepDuplicates>, wanted: &Wanted) -> Result<Self> {
        let silo = vault.silo(call)?;
        let model = silo.model(&wanted.model, "model")?;
        let point = operating_point(&model, wanted.threshold, wanted.miss_probability)?;
        let judge = Judge::new(vault, &silo, call.licence());
        Ok(Self { vault: Arc::clone(vault), silo, model, point, judge })
    }

    /// The threshold and the miss probability.
    pub fn point(&self) -> OperatingPoint {
        self.point
    }

    /// Begins, at the beginning or where an earlier sweep of the same plan ended: at its last step's [`next`](Step::next).
    ///
    /// # Errors
    /// `Limited` while another sweep of the tenant's is at work.
    pub async fn begin(self, call: &Authorized<SweepDuplicates>, from: u64) -> Result<Sweep> {
        let place = Some(self.silo.enter_sweep()?);
        self.model.expect_whole()?;
        self.vault.note(self.silo.tree, call).await?;
        let (before, runtime) = (self.model.census(), Handle::current());
        let (hits, given) = (Vec::new(), BTreeSet::new());
        Ok(Sweep { plan: self, runtime, from, before, compared: 0, candidates: 0, hits, given, place })
    }
}

impl Sweep {
    /// Compares all that is left and gives what it finds; ends where `gone` or the answers say so, or when the vault is about to close.
    /// It blocks its thread for as long as it takes, and works on the scanning threads, by turns with searches.
    ///
    /// # Errors
    /// `GalleryNotReady` and `SearchIncomplete`: a gallery that is not whole has no answer. What was given is right
    /// all the same, and a sweep from the last step's [`next`](Step::next) goes on.
    pub fn run(mut self, gone: &Stop<'_>, answers: &mut impl Answers) -> Result<()> {
        let vault = Arc::clone(&self.plan.vault);
        let stop = || gone() || vault.silos.is_closing();
        let mut from = Some(self.from);
        while let Some(start) = from {
            // Nobody is waited for with a gallery or templates in hand: others may need the room.
            let next = self.step(&self.searcher()?, start, &stop)?;
            while self.hits.len() > PAIRS {
                let some = self.hits.split_off(self.hits.len() - PAIRS);
                self.give(some, Some(start), &stop, answers)?;
            }
            if next.is_none() {
                // Whoever has the last answer may begin another.
                self.place = None;
            }
            let rest = std::mem::take(&mut self.hits);
            self.give(rest, next, &stop, answers)?;
            self.given.clear();
            from = next;
        }
        Ok(())
    }

    /// The gallery, which is brought into memory if it is not there.
    fn searcher(&self) -> Result<Searcher> {
        let Plan { model, judge, .. } = &self.plan;
        self.runtime.block_on(Searcher::of(model, judge.clone()))
    }

    /// Compares the next thousand, keeps their pairs, those that are most alike last, and says where those after them begin.
    fn step(&mut self, searcher: &Searcher, start: u64, stop: &Stop<'_>) -> Result<Option<u64>> {
        let model = self.plan.model.clone();
        model.expect_whole()?;
        let mut mark = model.census();
        let (rows, mut next) = self.read(start, stop)?;
        let (mut swept, protected) = self.open(searcher, rows)?;

        let (mut candidates, mut done) = (Vec::new(), 0);
        while done < swept.len() {
            let end = (done + PROBES).min(swept.len());
            self.find(searcher, &swept[done..end], done, &mut candidates, stop)?;
            done = end;
            let subject = |number: usize| swept.get(number).map(|swept| swept.at.subject.slot);
            // A subject's templates are not parted.
            if candidates.len() >= KEPT && subject(done) != subject(done - 1) {
                next = subject(done).or(next);
                swept.truncate(done);
            }
        }
        self.score(searcher, &swept, candidates, stop)?;

        // Who was replaced meanwhile may have been passed over, with the old template or with the new one.
        let mut rounds = 0..ROUNDS;
        loop {
            // What is on its way is not looked at again and again.
            self.plan.vault.store.catch_up();
            let since = mark;
            mark = model.census();
            let moved: BTreeSet<SlotRef> = model.moved(since).ok_or_else(restless)?.into_iter().collect();
            if moved.is_empty() {
                break;
            }
            rounds.next().ok_or_else(restless)?;
            let own = |slot: u64| slot >= start && next.is_none_or(|next| slot < next);
            let moved = searcher.judge.allowed(moved)?;
            self.look_again(searcher, &mut swept, &moved, own, stop)?;
        }
        // Who must not be compared is not missing.
        let protected = protected.iter().filter(|at| next.is_none_or(|next| at.subject.slot < next)).count();
        self.compared += swept.len() + protected;

        if next.is_none() && self.from == 0 && self.compared < model.stayed(self.before) {
            // Of those who went some may not have been followed yet.
            self.plan.vault.store.catch_up();
            let stayed = model.stayed(self.before);
            if self.compared < stayed {
                let message = format!("{} of {stayed} templates were compared", self.compared);
                return Err(Error::Unavailable(Reason::SearchIncomplete, message));
            }
        }
        self.hits.sort_by_key(|hit| hit.at);
        self.hits.dedup_by_key(|hit| hit.at);
        self.hits.sort_by(|a, b| a.score.total_cmp(&b.score));
        Ok(next)
    }

    /// What a sweep ends with that was stopped.
    fn given_up(&self) -> Error {
        if self.plan.vault.silos.is_closing() { StoreError::Closed.into() } else { Error::TaskLost }
    }

    /// The next rows, and where those after them begin.
    fn read(&self, start: u64, stop: &Stop<'_>) -> Result<(Vec<Sealed>, Option<u64>)> {
        let (tree, number) = (self.plan.silo.tree, self.plan.model.number);
        let (mut rows, mut next) = (Vec::<Sealed>::new(), None);
        let whole = Key::prefix_of_gallery(tree, SUBJECTS);
        let start = Key::prefix_of_templates(tree, SUBJECTS, SlotRef::first(start));
        self.plan.vault.store.scan_from(RowKind::Template, &whole, &start, |key, sealed| {
            if stop() {
                return Err(self.given_up());
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

    /// Opens rows, but for those that were erased meanwhile, and those whom the policy does not let be compared, which are the
    /// second value.
    fn open(&self, searcher: &Searcher, rows: Vec<Sealed>) -> Result<(Vec<Swept>, Vec<TemplateAt>)> {
        let Plan { vault, model, .. } = &self.plan;
        let allowed = searcher.judge.allowed(rows.iter().map(|(at, _)| at.subject).collect())?;
        let (rows, protected): (Vec<Sealed>, Vec<Sealed>) =
            rows.into_iter().partition(|(at, _)| allowed.contains_key(&at.subject));
        let mut protected: Vec<TemplateAt> = protected.into_iter().map(|(at, _)| at).collect();
        let (of, name) = (model.profile.model(), model.profile.model().to_string());
        let open = |rows: &[Sealed]| -> Result<Vec<Swept>> {
            let mut opener = vault.keys.opener();
            let mut swept = Vec::with_capacity(rows.len());
            for (at, sealed) in rows {
                if let Some(opened) = opener.open(&searcher.key(*at), &name, sealed)? {
                    swept.push(Swept { at: *at, record: TemplateRecord::decode(&opened, of)? });
                }
            }
            Ok(swept)
        };
        let opened: Vec<Vec<Swept>> = vault
            .pool
            .run(|| rows.par_chunks(ROWS).map(|rows| wiping::of_a_task(|| open(rows))).collect::<Result<_>>())?;
        // What is past its time is there until it is erased, and is not compared.
        let is_kept = |swept: &Swept| {
            allowed.get(&swept.at.subject).is_some_and(|cleared| cleared.keeps(swept.record.facts.enrolled_at))
        };
        let (mut swept, over): (Vec<Swept>, Vec<Swept>) = opened.into_iter().flatten().partition(is_kept);
        protected.extend(over.into_iter().map(|swept| swept.at));
        if !swept.iter().all(|swept| searcher.holds(swept.at)) {
            // Enrolled or erased just now: the gallery is about to learn of it.
            vault.store.catch_up();
        }
        let mut gone = BTreeSet::new();
        for Swept { at, .. } in &swept {
            if searcher.holds(*at) {
                continue;
            }
            if vault.store.get(&searcher.key(*at))?.is_some() {
                // Its pairs would be missed as others' candidate.
                let message = format!("the gallery lacks the template in {}", at.thing);
                return Err(Error::Unavailable(Reason::SearchIncomplete, message));
            }
            gone.insert(*at);
        }
        swept.retain(|swept| !gone.contains(&swept.at));
        Ok((swept, protected))
    }

    /// The candidates of some templates, numbered from `first`, among those before each.
    fn find(
        &self,
        searcher: &Searcher,
        chunk: &[Swept],
        first: usize,
        candidates: &mut Vec<Candidate>,
        stop: &Stop<'_>,
    ) -> Result<()> {
        let Plan { vault, model, point, .. } = &self.plan;
        let query = |swept: &Swept| {
            wiping::of_a_task(|| Ok(Query::new(model.probe(swept.record.embedding.components())?, *point)))
        };
        let queries: Vec<_> = vault.pool.run(|| chunk.par_iter().map(query).collect::<Result<_>>())?;
        let keys: Vec<CompactAt> =
            chunk.iter().map(|swept| swept.at.try_into()).collect::<std::result::Result<_, StoreError>>()?;
        let found = match searcher.gallery.candidates_below(&queries, &keys, stop) {
            Err(lethe_index::Error::TooMany { most }) => {
                let message = format!("is so low that it lets millions of pairs through at a time, more than {most}");
                return Err(Invalid::new("threshold", Reason::FieldOutOfRange, message).into());
            }
            Err(lethe_index::Error::Stopped) => return Err(self.given_up()),
            found => found?,
        };
        for ((number, swept), found) in (first..).zip(chunk).zip(found) {
            let others = found.into_iter().map(|candidate| TemplateAt::from(candidate.key));
            // Somebody's own templates are alike, and no duplicates.
            let others = others.filter(|other| other.subject != swept.at.subject);
            candidates.extend(others.map(|other| (other, number)));
        }
        Ok(())
    }

    /// Opens candidates, each once, and keeps the pairs at or above the threshold.
    fn score(
        &mut self,
        searcher: &Searcher,
        swept: &[Swept],
        mut candidates: Vec<Candidate>,
        stop: &Stop<'_>,
    ) -> Result<()> {
        candidates.sort_unstable();
        let threshold = self.plan.point.threshold();
        for turn in turns(&candidates) {
            if stop() {
                return Err(self.given_up());
            }
            let scored: Vec<(Vec<Hit>, usize)> = self.plan.vault.pool.run(|| {
                let parts: Vec<&[Candidate]> = turn.chunk_by(|one, other| one.0 == other.0).collect();
                let score = |parts: &[&[Candidate]]| wiping::of_a_task(|| score(searcher, swept, parts, threshold));
                parts.par_chunks(ROWS).map(score).collect::<Result<_>>()
            })?;
            for (hits, pairs) in scored {
                self.hits.extend(hits);
                self.candidates += pairs;
            }
        }
        Ok(())
    }

    /// Compares the templates that those who were replaced have now, in place of those that they had: with the step's templates
    /// after them, and with each other; and if they are of the step themselves, with all before them.
    fn look_again(
        &mut self,
        searcher: &Searcher,
        swept: &mut Vec<Swept>,
        moved: &BTreeMap<SlotRef, Cleared>,
        own: impl Fn(u64) -> bool,
        stop: &Stop<'_>,
    ) -> Result<()> {
        let threshold = self.plan.point.threshold();
        swept.retain(|swept| !moved.contains_key(&swept.at.subject));
        let mut fresh = self.templates_of(moved, stop)?;
        fresh.sort_by_key(|new| new.at);
        wiping::after_ciphers(|| {
            for (number, new) in fresh.iter().enumerate() {
                let after = swept.iter().filter(|after| after.at > new.at).chain(&fresh[number + 1..]);
                let others = after.filter(|after| after.at.subject != new.at.subject);
                self.hits.extend(others.filter_map(|after| pair(after, new.at, &new.record, threshold)));
            }
        });
        fresh.retain(|new| own(new.at.subject.slot));
        let mut candidates = Vec::new();
        for (chunk, first) in fresh.chunks(PROBES).zip((0..).step_by(PROBES)) {
            self.find(searcher, chunk, first, &mut candidates, stop)?;
        }
        self.score(searcher, &fresh, candidates, stop)?;
        swept.append(&mut fresh);
        Ok(())
    }

    /// Gives pairs when the caller can take them, the most alike first.
    fn give(&mut self, hits: Vec<Hit>, next: Option<u64>, stop: &Stop<'_>, answers: &mut impl Answers) -> Result<()> {
        answers.ready()?;
        // Only now: who was erased while the caller was waited for is in none.
        let searcher = self.searcher()?;
        let (judged, judged_at) = (self.plan.silo.rights().changes(), Instant::now());
        let mut pairs = Vec::with_capacity(hits.len());
        for hit in hits {
            if stop() {
                return Err(self.given_up());
            }
            self.name(&searcher, hit, &mut pairs, stop)?;
        }
        pairs.sort_by(|a, b| b.score.total_cmp(&a.score));
        answers.give(Step {
            pairs,
            compared: self.compared,
            gallery_size: self.plan.model.rows(),
            candidates: self.candidates,
            next,
            threshold: self.plan.point.threshold(),
            miss_probability: self.plan.point.miss(),
            policy_version: self.plan.model.profile.policy_version(),
            judge: self.plan.judge.clone(),
            judged,
            judged_at,
        })
    }

    /// Says whose a pair is, judged by the templates that they have now. None is said if either went.
    fn name(&mut self, searcher: &Searcher, hit: Hit, pairs: &mut Vec<Pair>, stop: &Stop<'_>) -> Result<()> {
        let mut hits = vec![hit];
        for _ in 0..ROUNDS {
            let Some(&Hit { at: [one, other], .. }) = hits.first() else { return Ok(()) };
            let Some(subject) = searcher.subject_of(one)? else { return Ok(()) };
            let Some(other_subject) = searcher.subject_of(other)? else { return Ok(()) };
            let mut of_one = searcher.judge.allowed([one.subject, other.subject].into())?;
            let of_other = of_one.split_off(&one.subject.max(other.subject));
            if of_one.is_empty() || of_other.is_empty() {
                return Ok(());
            }
            if hits.iter().flat_map(|hit| &hit.at).all(|at| searcher.holds(*at)) {
                for Hit { at, templates: [template, other_template], score } in hits {
                    let parties = [
                        Party { subject: subject.clone(), template, slot: one.subject },
                        Party { subject: other_subject.clone(), template: other_template, slot: other.subject },
                    ];
                    let band = Band::of(score, self.plan.model.profile.thresholds());
                    // Of those who were replaced, several pairs may come down to the same ones.
                    if self.given.insert(at) {
                        pairs.push(Pair { parties, score, band });
                    }
                }
                return Ok(());
            }
            // Replaced, or deleted, since they were compared.
            self.plan.vault.store.catch_up();
            let (of_one, of_other) = if one.subject < other.subject { (of_one, of_other) } else { (of_other, of_one) };
            let (of_one, of_other) = (self.templates_of(&of_one, stop)?, self.templates_of(&of_other, stop)?);
            let threshold = self.plan.point.threshold();
            hits = wiping::after_ciphers(|| {
                let all = of_one.iter().flat_map(|one| of_other.iter().map(move |other| (one, other)));
                all.filter_map(|(one, other)| pair(one, other.at, &other.record, threshold)).collect()
            });
        }
        Err(restless())
    }

    /// The templates that some subjects have now, in clear.
    fn templates_of(&self, subjects: &BTreeMap<SlotRef, Cleared>, stop: &Stop<'_>) -> Result<Vec<Swept>> {
        let Plan { vault, silo, model, .. } = &self.plan;
        let read = |subjects: &[(SlotRef, &Cleared)]| {
            let mut swept = Vec::new();
            for (subject, cleared) in subjects {
                let mut found = templates::of_subject(&vault.store, &vault.keys, silo, *subject, Some(model.number))?;
                found.retain(|found| cleared.keeps(found.record.facts.enrolled_at));
                swept.extend(found.into_iter().map(|found| Swept { at: found.at, record: found.record }));
            }
            Ok::<_, Error>(swept)
        };
        let read = |subjects: &[(SlotRef, &Cleared)]| wiping::of_a_task(|| read(subjects));
        let subjects: Vec<(SlotRef, &Cleared)> =
            subjects.iter().map(|(subject, cleared)| (*subject, cleared)).collect();
        let mut swept = Vec::new();
        for turn in subjects.chunks(TURN) {
            if stop() {
                return Err(self.given_up());
            }
            let parts: Vec<Vec<Swept>> = vault.pool.run(|| turn.par_chunks(ROWS).map(read).collect::<Result<_>>())?;
            swept.extend(parts.into_iter().flatten());
        }
        Ok(swept)
    }
}

/// The pairs of whom they may still name both.
fn judge_again(judge: &Judge, mut pairs: Vec<Pair>) -> Result<Vec<Pair>> {
    let named: Vec<_> =
        pairs.iter().map(|pair| pair.parties.each_ref().map(|party| (&party.subject, party.slot))).collect();
    let mut still = judge.still(&named)?.into_iter();
    pairs.retain(|_| still.next().unwrap_or_default());
    Ok(pairs)
}

/// What a sweep ends with whose gallery changes faster than it can be compared.
fn restless() -> Error {
    let message = "more templates were replaced meanwhile than can be followed".to_owned();
    Error::Unavailable(Reason::SearchIncomplete, message)
}

/// Opens each part's candidate and scores it; the second value is how many pairs that were.
fn score(searcher: &Searcher, swept: &[Swept], parts: &[&[Candidate]], threshold: f32) -> Result<(Vec<Hit>, usize)> {
    let places: Vec<TemplateAt> = parts.iter().flat_map(|part| part.first()).map(|candidate| candidate.0).collect();
    let (mut hits, mut scored) = (Vec::new(), 0);
    // Who went meanwhile makes no pair, nor does whom the policy protects.
    searcher.open(&places, |number, other| {
        scored += parts[number].len();
        for &(at, number) in parts[number] {
            hits.extend(pair(&swept[number], at, other, threshold));
        }
    })?;
    Ok((hits, scored))
}

fn pair(one: &Swept, at: TemplateAt, other: &TemplateRecord, threshold: f32) -> Option<Hit> {
    let score = cosine(one.record.embedding.components(), other.embedding.components());
    let templates = [one.record.facts.id, other.facts.id];
    (score >= threshold).then_some(Hit { at: [one.at, at], templates, score })
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
