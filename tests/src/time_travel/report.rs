//! A whole history, and what came of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

use lethe_domain::Embedding;
use rand::Rng;
use rand::seq::IteratorRandom;

use super::crypto::Key;
use super::database;
use super::drill::Drill;
use super::history::{Counts, DIMENSION, History};
use super::judge::Truth;
use super::ledger::{State, Template};
use super::moment::Moment;
use super::reach::Effort;
use super::records::{remembered, request_digest, template};
use super::reported::Record;
use super::rows::{RowKey, Wrapped, kind};
use super::verdict::Verdict;
use crate::residue::{Needles, Scanner};

/// Moments at which the adversary tries.
const RECKONINGS: usize = 6;
/// Images of an open database, and of a closed one, that RocksDB opens.
const OPENED: usize = 24;
/// Operations from one blow to the next, at most: a death at a step, an aborted epoch, a clone.
const SPACING: usize = 12;
/// Moments that are shown, of those that are wrong.
const SHOWN: usize = 5;
/// People and faces that are looked for in clear.
const LOOKED_FOR: usize = 16;

/// What came of a history.
#[derive(Debug)]
pub struct Report {
    /// What happened.
    pub counts: Counts,
    /// What the adversary opened, at each moment of which nothing was on its way; the last is the end.
    pub verdicts: Vec<Verdict>,
    /// The same at each image, whatever was on its way: how many there were, and what was opened at all of them.
    pub amid: (usize, Verdict),
    /// Images at which something was open that must not be, or closed that must not be. A vault that erases by deleting
    /// rows has some.
    pub wrong: Vec<Verdict>,
    /// What became of each record and each log entry that was ever written.
    pub every: Vec<Record>,
    /// What came of restoring each backup, from the same end.
    pub drills: Vec<Drill>,
    /// Images that were taken.
    pub images: usize,
    /// Files that differ, and their bytes.
    pub kept: (usize, u64),
    /// Images that RocksDB opened, all of whose rows had been read from the logs.
    pub opened: usize,
    /// Records about people that were ever written.
    pub records: usize,
    /// Embeddings that were recovered, component by component as they were enrolled.
    pub embeddings: usize,
    /// Answers that the adversary could open about templates that are erased, while their subject is there, and with which
    /// a guess of the erased face can be confirmed.
    pub confirmed: usize,
    /// Keys that were looked for in all files, and in vain.
    pub keys: usize,
    /// Answers `SHREDDED`, each given when the root store held no root of the epoch that was left.
    pub shredded: usize,
    /// How long the history took, and what came after it.
    pub took: [Duration; 2],
    /// What was found in clear.
    pub residues: Vec<String>,
}

impl Report {
    /// What the adversary opened at the end.
    #[must_use]
    pub fn last(&self) -> &Verdict {
        self.verdicts.last().expect("the adversary tries at the end")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { operations, by_name, deaths, aborted, burnt, unreached, incremental, compactions, left_behind } =
            &self.counts;
        let by_name: Vec<String> = by_name.iter().map(|(name, number)| format!("{number} {name}")).collect();
        let (files, bytes) = self.kept;
        writeln!(f, "{operations} operations: {}", by_name.join(", "))?;
        writeln!(f, "{deaths} deaths; {aborted} epochs and {burnt} enrolments lost to a power cut")?;
        writeln!(f, "{} failpoints not reached: {unreached:?}", unreached.len())?;
        writeln!(f, "{incremental} backups share files with another")?;
        writeln!(f, "{compactions} compactions of the database, which left {left_behind} superseded rows behind")?;
        writeln!(f, "{} images of {files} files, {} KiB; {} opened by RocksDB", self.images, bytes >> 10, self.opened)?;
        writeln!(f, "{} records about people; {} embeddings recovered", self.records, self.embeddings)?;
        writeln!(f, "{} guesses of erased faces confirmed by what is remembered of a request", self.confirmed)?;
        writeln!(f, "{} answers SHREDDED, each after the root was gone", self.shredded)?;
        writeln!(f, "{} keys looked for in clear, {} residues", self.keys, self.residues.len())?;
        let [lived, judged] = self.took;
        writeln!(f, "{} s of history, {} s of judgement", lived.as_secs(), judged.as_secs())?;
        for verdict in &self.verdicts {
            writeln!(f, "{verdict}")?;
        }
        let (images, amid) = &self.amid;
        writeln!(f, "at each of {images} images, added up, and {} of them wrong: {amid}", self.wrong.len())?;
        for verdict in self.wrong.iter().take(SHOWN) {
            writeln!(f, "wrong: {verdict}")?;
        }
        for drill in &self.drills {
            writeln!(f, "{drill}")?;
        }
        Ok(())
    }
}

impl History {
    /// Lives through a history of so many operations, with a death at each durable step if the binary has failpoints,
    /// and lets the adversary try at several moments and at the end.
    pub async fn live(&mut self, operations: usize, with_failpoints: bool) {
        let steps = self.roots.steps();
        let round = steps.len() + 4;
        let rounds = usize::from(with_failpoints);
        let spacing = (operations / (round + 4)).clamp(1, SPACING);
        let (mut reckonings, mut blows) = (1, 0);
        while self.counts.operations < operations || blows < rounds * round {
            let done = self.counts.operations;
            if done >= reckonings * operations / RECKONINGS {
                self.reckon(Effort::Derived).await;
                reckonings += 1;
            } else if with_failpoints && done >= blows * spacing {
                // At the first time, and when they come round again, at some later one.
                let nth = if blows < round { 1 } else { self.random.random_range(1..6) };
                let blow = blows % round;
                match blow.checked_sub(steps.len()) {
                    None => self.die_at(steps[blow], nth).await,
                    Some(0) => self.abort_and_grow().await,
                    Some(1) => self.burn().await,
                    Some(2) => {
                        let step = self.roots.at_work().into_iter().choose(&mut self.random);
                        let step = step.expect("there are steps");
                        self.shred(Some(step)).await;
                        self.count("deaths amid a tenant's shredding");
                        self.image();
                    }
                    Some(_) => self.meet_clones().await,
                }
                blows += 1;
            } else {
                self.operation().await;
            }
        }
        self.what_is_missing().await;
        self.something_to_drill().await;
    }

    /// Ends the history, and reports.
    pub async fn conclude(mut self) -> Report {
        self.reckon(Effort::Everything).await;
        self.stop().await;
        let (lived, ended) = (self.begun.elapsed(), Instant::now());
        self.images.read_into(&mut self.seen);
        let last = self.images.len() - 1;
        let truth = Truth::of(&self);
        let (mut verdicts, mut amid, mut wrong) = (Vec::new(), (0, Verdict::default()), Vec::new());
        for (number, moment) in self.moments.iter().enumerate() {
            let verdict = truth.judge(&self.seen, &self.known, number, moment);
            if !moment.amid {
                verdicts.push(verdict);
                continue;
            }
            amid.0 += 1;
            amid.1.sum(&verdict);
            if !verdict.nothing_erased() || !verdict.everything_live() {
                wrong.push(verdict);
            }
        }
        // Where keys stay, whoever was erased would come back.
        let drills = if self.always.is_none() { self.drill(&truth).await } else { Vec::new() };
        let scanner = self.needles().scanner();
        let residues = self.look_in_clear(&scanner, &truth);
        let shredded = self.roots_were_gone();
        Report {
            opened: self.open_with_rocksdb(last, &truth),
            counts: self.counts.clone(),
            images: self.images.len(),
            kept: self.images.kept(),
            records: self.seen.sealed.iter().filter(|row| row.is_personal()).count(),
            embeddings: self.recovered(&truth),
            confirmed: self.confirmed(&truth),
            keys: truth.keys.len(),
            shredded,
            took: [lived, ended.elapsed()],
            residues,
            every: self.every_record(&truth),
            verdicts,
            amid,
            wrong,
            drills,
        }
    }

    /// The last moment of which nothing was on its way, and its place.
    pub(super) fn last(&self) -> (usize, &Moment) {
        let mut settled = self.moments.iter().enumerate().filter(|(_, moment)| !moment.amid);
        settled.next_back().expect("the adversary tries at the end")
    }

    /// Opens images with RocksDB. Every row that they show was read from the logs, so what is searched is complete; and
    /// the last one shows exactly the templates that the clients know to be there.
    fn open_with_rocksdb(&self, last: usize, truth: &Truth) -> usize {
        let all: Vec<usize> = (0..self.images.len()).collect();
        let some = |images: &[usize]| -> Vec<usize> {
            images.iter().copied().step_by(images.len().div_ceil(OPENED).max(1)).collect()
        };
        let chosen: BTreeSet<usize> = [some(&all), some(&self.closed), vec![last]].concat().into_iter().collect();
        for &image in &chosen {
            let folder = tempfile::tempdir().unwrap();
            self.images.lay_out(image, folder.path());
            let rows = database::rows(folder.path());
            assert!(!rows.is_empty(), "image {image} is empty");
            for (_, key, value) in &rows {
                // A restore opens the database several times, and each time its log becomes tables.
                let known = matches!(RowKey::parse(key), RowKey::Plain) || self.seen.knows(key, value);
                assert!(known, "a row of image {image} was in no log: {key:02x?}");
            }
            if image == last {
                let data = folder.path().join("data/db");
                let keys = rows.iter().filter(|(database, ..)| *database == data).map(|(_, key, _)| key);
                let templates = keys
                    .filter(|key| matches!(RowKey::parse(key), RowKey::Sealed(home) if home.kind == kind::TEMPLATE));
                let shown: HashSet<[u8; 16]> = templates
                    .map(|key| {
                        let row = self.seen.sealed.iter().position(|row| row.key == *key).unwrap();
                        template(&truth.rows[row]).0
                    })
                    .collect();
                assert_eq!(shown, self.live_templates(), "what is there is what the clients know to be there");
            }
        }
        chosen.len()
    }

    /// When an erasure was called shredded, no root of the epoch that it left was in the store any more, nor of one
    /// before. Gives how often that was looked at.
    fn roots_were_gone(&self) -> usize {
        let mut all = self.all_roots.clone();
        self.shredded.iter().for_each(|(_, roots)| all.extend(roots.clone()));
        let wrapped: HashSet<&Wrapped> = self.seen.wrapped.iter().collect();
        let epochs: HashMap<Key, u64> =
            wrapped.into_iter().filter_map(|wrapped| Some((all.unwrapped(wrapped)?.0, wrapped.epoch))).collect();
        let mut looked = 0;
        for (name, roots) in &self.shredded {
            let receipt = hex::decode(name.rsplit('/').next().unwrap()).unwrap();
            let left = self.seen.receipts[receipt.as_slice()];
            // A file that is read while an epoch ends may show neither root.
            let Some(oldest) = roots.keys().filter_map(|root| epochs.get(root)).min() else { continue };
            looked += 1;
            assert!(*oldest > left, "{name} left epoch {left}, and the root of epoch {oldest} was there");
        }
        looked
    }

    pub(super) fn live_templates(&self) -> HashSet<[u8; 16]> {
        let lives = self.people.iter().flat_map(|person| &person.lives).filter(|life| life.state == State::Live);
        let templates = lives.flat_map(|life| &life.templates).filter(|template| template.state == State::Live);
        templates.map(|template| template.id).collect()
    }

    /// Embeddings that the adversary has at the end: each is the one that was enrolled.
    fn recovered(&self, truth: &Truth) -> usize {
        let (_, last) = self.last();
        let mut recovered = 0;
        for (place, row) in self.seen.sealed.iter().enumerate() {
            if row.home.kind == kind::TEMPLATE && last.opened.contains(place) {
                let (id, components) = template(&truth.rows[place]);
                let lives = self.people.iter().flat_map(|person| &person.lives);
                let known = lives.flat_map(|life| &life.templates).find(|template| template.id == id);
                if let Some(known) = known {
                    assert_eq!(components, self.kept(known.face), "an embedding is what was enrolled");
                    recovered += 1;
                }
            }
        }
        recovered
    }

    /// Erased faces of live subjects that a guess finds again in the digest of the request that enrolled them.
    fn confirmed(&self, truth: &Truth) -> usize {
        let (_, last) = self.last();
        let opened = last.opened.iter().filter(|place| self.seen.sealed[*place].home.kind == kind::REMEMBERED);
        let answers: HashMap<[u8; 16], String> = opened.map(|place| remembered(&truth.rows[place])).collect();
        let mut confirmed = 0;
        for person in &self.people {
            for life in person.lives.iter().filter(|life| life.state == State::Live) {
                for template in life.templates.iter().filter(|template| template.state != State::Live) {
                    let Some(digest) = answers.get(&template.id) else { continue };
                    let capture = crate::capture(&self.vector(template.face));
                    let enrolled = request_digest("enrollment.enroll", &person.id, &capture);
                    let replaced =
                        |old: &Template| request_digest("enrollment.replace_template", &hex::encode(old.id), &capture);
                    let found = *digest == enrolled || life.templates.iter().any(|old| *digest == replaced(old));
                    confirmed += usize::from(found);
                }
            }
        }
        confirmed
    }

    /// A face as the vault keeps it.
    pub(super) fn kept(&self, face: u64) -> Vec<f32> {
        let embedding = Embedding::parse("", self.vector(face), DIMENSION).unwrap();
        embedding.components().to_vec()
    }

    /// Some applicant ids, faces as they were sent and as they are kept, and all API keys.
    fn needles(&mut self) -> Needles {
        let mut needles = Needles::new();
        for person in self.people.iter().take(LOOKED_FOR) {
            needles.text("an applicant id", &person.id);
        }
        let lives = self.people.iter().flat_map(|person| &person.lives);
        let faces = lives.flat_map(|life| &life.templates).map(|template| template.face);
        let faces: Vec<u64> = faces.choose_multiple(&mut self.random, LOOKED_FOR);
        for face in faces {
            needles.embedding("a face, as sent", &self.vector(face));
            needles.embedding("a face, as kept", &self.kept(face));
        }
        for key in self.api_keys() {
            needles.text("an API key", key.splitn(3, '_').nth(2).unwrap());
        }
        needles
    }

    /// Looks for needles, and for every key there ever was, in every file that was ever imaged, and in their names.
    fn look_in_clear(&self, scanner: &Scanner, truth: &Truth) -> Vec<String> {
        let keys: HashSet<&Key> = truth.keys.iter().chain(self.all_roots.keys()).collect();
        // By their first bytes.
        let begins: HashSet<&[u8]> = keys.iter().map(|key| &key[..8]).collect();
        let mut residues = BTreeSet::new();
        for (name, content) in self.images.contents() {
            let place = name.display().to_string();
            let found = scanner.scan(&place, &content).into_iter().chain(scanner.scan("a name", place.as_bytes()));
            residues.extend(found.map(|trace| trace.to_string()));
            for window in content.windows(32).filter(|window| begins.contains(&window[..8])) {
                if keys.iter().any(|key| key[..] == *window) {
                    residues.insert(format!("a key in {place}"));
                }
            }
        }
        residues.into_iter().collect()
    }
}
