//! The life of a vault, and its images.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rand::distr::{Alphanumeric, SampleString};
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::images::Images;
use super::known::{Known, Unanswered};
use super::ledger::{Change, Message, Person, State, What};
use super::moment::Moment;
use super::roots::{Place, Roots};
use super::seen::Seen;
use super::tried::Tried;
use crate::failpoints::FAILPOINTS;
use crate::{Caller, Device, Refusal, Setup, Tenant, Vault, request_id};
use lethe_proto::v1::{self, ErasureState, ErrorReason};

/// Components of the embeddings: as few as the search for residues takes.
pub(super) const DIMENSION: usize = 128;
/// Tenants of the vault.
pub(super) const TENANTS: [&str; 3] = ["bank", "casino", "exchange"];
/// Applicant ids of each.
const PEOPLE: usize = 9;
/// Templates that one may have.
const TEMPLATES: usize = 4;
/// What a vault has below its home that others may get at: backups, two mirrors, the data with its write-ahead log. A mirror
/// is imaged before the data, so that no image has one that is newer.
pub(super) const SOURCES: [&str; 4] = ["backups", "mirror", "data/mirror", "data"];
/// The mirrors: one is lost with the data.
const MIRRORS: &str = "data/mirror:mirror";
/// States of the data that may be put back.
const CALM: usize = 8;
/// The failpoint of an epoch that erases nothing.
const REDRAWS_NOTHING: &str = "epoch-redraws-nothing=return";

/// A vault that lives through a history, while every state of its data is imaged.
pub struct History {
    pub(super) vault: Vault,
    pub(super) setup: Setup,
    /// Where its roots are, and what is done there after each death.
    pub(super) roots: Place,
    tidy: Option<Box<dyn Fn() + Send + Sync>>,
    pub(super) tenants: Vec<Tenant>,
    /// Tenants that were shredded.
    pub(super) former: Vec<Tenant>,
    /// Ids of those that may not be shredded yet, with their receipts; and of those that are.
    pub(super) pending_tenants: Vec<(String, String)>,
    pub(super) gone: BTreeSet<String>,
    pub(super) people: Vec<Person>,
    pub(super) random: ChaCha8Rng,
    seed: u64,
    faces: u64,
    /// What is armed in every life.
    pub(super) always: Option<&'static str>,
    pub(super) has_failpoints: bool,
    pub(super) images: Images,
    /// The first image of this life.
    pub(super) life: usize,
    /// Images that were taken while the database was closed.
    pub(super) closed: Vec<usize>,
    /// Images of a vault that is all there.
    pub(super) whole: Vec<usize>,
    /// Images of a vault that was stopped with nothing on its way, and what the clients knew then.
    pub(super) calm: VecDeque<(usize, Vec<Person>)>,
    /// The data is lost, and not restored yet.
    pub(super) disaster: bool,
    /// What the clients knew when each backup was made that is kept.
    pub(super) backups: BTreeMap<u32, Vec<Person>>,
    /// What RocksDB said of compactions.
    pub(super) compactions: HashSet<String>,
    pub(super) seen: Seen,
    pub(super) tried: Tried,
    pub(super) known: Known,
    pub(super) unanswered: Unanswered,
    /// Every root there ever was. The adversary has no part of it: with them it is found out what there is to be
    /// opened.
    pub(super) all_roots: Roots,
    pub(super) moments: Vec<Moment>,
    /// Receipts that were called shredded, and the root store at that very moment.
    pub(super) shredded: Vec<(String, Roots)>,
    pub(super) counts: Counts,
    pub(super) begun: Instant,
}

/// What happened, in numbers.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    /// Everything that was done, to or in the vault.
    pub operations: usize,
    /// By what it was.
    pub by_name: BTreeMap<&'static str, usize>,
    /// Processes that ended at a failpoint, or were killed.
    pub deaths: usize,
    /// Batches of epochs that a cut of the log took back, after they were on the disk.
    pub aborted: usize,
    /// Enrolments that a cut of the log took back, after they were on the disk.
    pub burnt: usize,
    /// Failpoints that were not reached, with how often they should have been.
    pub unreached: Vec<(&'static str, u32)>,
    /// Backups that share files with another.
    pub incremental: usize,
    /// Compactions of the database, and rows that they left behind: superseded, or deleted.
    pub compactions: usize,
    /// See there.
    pub left_behind: u64,
}

impl History {
    /// A new vault of several tenants.
    pub async fn begin(seed: u64) -> Self {
        Self::begin_with(Vault::setup(), None, None, seed).await
    }

    /// The same, served by a binary that was built with failpoints.
    pub async fn begin_with_failpoints(binary: PathBuf, seed: u64) -> Self {
        let history = Self::begin_with(Vault::setup().binary(binary), None, None, seed).await;
        Self { has_failpoints: true, ..history }
    }

    /// The same, with its roots on a device.
    pub async fn begin_on(device: Device, binary: PathBuf, seed: u64) -> Self {
        let setup = device.alone(Vault::setup().binary(binary));
        let history = Self::begin_with(setup, Some(device), None, seed).await;
        Self { has_failpoints: true, ..history }
    }

    /// The same, but no epoch of it redraws a slot: rows are deleted, and that is called erasure. Without a device the
    /// roots are in a file.
    pub async fn begin_naively(device: Option<Device>, binary: PathBuf, seed: u64) -> Self {
        let setup = Vault::setup().binary(binary).env(FAILPOINTS, REDRAWS_NOTHING);
        let setup = device.iter().fold(setup, |setup, device| device.alone(setup));
        Self::begin_with(setup, device, Some(REDRAWS_NOTHING), seed).await
    }

    async fn begin_with(setup: Setup, device: Option<Device>, always: Option<&'static str>, seed: u64) -> Self {
        // By names that hold wherever the vault's folder is: a vault knows its mirrors by their places, too.
        let setup = setup.set("mirror.paths", MIRRORS).set("backup.path", "backups").set("limits.deadline_ms", 600_000);
        let vault = setup.clone().start().await;
        let mut tenants = Vec::new();
        for id in TENANTS {
            tenants.push(new_tenant(&vault, id).await);
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let people = (0..TENANTS.len() * PEOPLE).map(|number| Person {
            tenant: number % TENANTS.len(),
            id: Alphanumeric.sample_string(&mut random, 40),
            lives: Vec::new(),
        });
        let people = people.collect();
        let roots = match device {
            None => Place::File(vault.home().root(0)),
            Some(device) => Place::On(Arc::new(device)),
        };
        let tidy = roots.tidy();
        let mut history = Self {
            vault,
            setup,
            roots,
            tidy,
            tenants,
            former: Vec::new(),
            pending_tenants: Vec::new(),
            gone: BTreeSet::new(),
            people,
            random,
            seed,
            faces: 0,
            always,
            has_failpoints: false,
            images: Images::new(),
            life: 0,
            closed: Vec::new(),
            whole: Vec::new(),
            calm: VecDeque::new(),
            disaster: false,
            backups: BTreeMap::new(),
            compactions: HashSet::new(),
            seen: Seen::default(),
            tried: Tried::default(),
            known: Known::default(),
            unanswered: Unanswered::default(),
            all_roots: Roots::default(),
            moments: Vec::new(),
            shredded: Vec::new(),
            counts: Counts::default(),
            begun: Instant::now(),
        };
        history.image();
        history
    }

    // ── images ──────────────────────────────────────────────────────────────────────────────────────

    /// Images everything that the adversary can get at, and lets them try.
    pub(super) fn image(&mut self) {
        // A file that is read while an epoch ends may show neither root.
        let mut roots = self.note_roots();
        self.images.take(self.vault.home().path(), &SOURCES);
        roots.extend(self.note_roots());
        if !self.disaster {
            self.whole.push(self.images.len() - 1);
        }
        self.reckon_amid(&roots);
    }

    /// The same, while no process has the database open.
    pub(super) fn image_closed(&mut self) {
        self.closed.push(self.images.len());
        self.image();
    }

    /// The roots as they are now; the judge keeps them all.
    fn note_roots(&mut self) -> Roots {
        let roots = self.roots_now();
        self.all_roots.extend(roots.clone());
        roots
    }

    /// What the root store holds now.
    pub(super) fn roots_now(&self) -> Roots {
        self.roots.now()
    }

    // ── lives ───────────────────────────────────────────────────────────────────────────────────────

    /// Starts the server.
    pub(super) async fn start(&mut self) {
        self.life = self.images.len();
        self.vault.start().await;
        self.image();
        self.note_compactions();
    }

    pub(super) async fn stop(&mut self) {
        self.vault.stop().await;
        self.image_closed();
        if self.unanswered.is_none() {
            self.calm.push_back((self.images.len() - 1, self.people.clone()));
            self.calm.drain(..self.calm.len().saturating_sub(CALM));
        }
    }

    /// Arms failpoints for the next start, beside those that always are.
    pub(super) fn arm(&self, failpoints: Option<&str>) {
        let all: Vec<&str> = self.always.into_iter().chain(failpoints).collect();
        self.vault.reconfigure(|setup| match all.is_empty() {
            true => setup.without_env(FAILPOINTS),
            false => setup.env(FAILPOINTS, &all.join(";")),
        });
    }

    /// Notes that a process ended in the middle of something.
    pub(super) fn died(&mut self) {
        self.counts.deaths += 1;
        if let Some(tidy) = &self.tidy {
            tidy();
        }
        self.image_closed();
    }

    // ── changes ─────────────────────────────────────────────────────────────────────────────────────

    /// The vector of a face: any two are far from alike, and none is of unit length.
    pub(super) fn vector(&self, face: u64) -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(face + 1);
        (0..DIMENSION).map(|_| random.random_range(-3.0..3.0)).collect()
    }

    fn enroller(&self, person: usize) -> Caller {
        self.tenants[self.people[person].tenant].enroller()
    }

    fn next_face(&mut self) -> u64 {
        self.faces += 1;
        self.faces
    }

    pub(super) fn new_enrolment(&mut self, person: usize) -> Change {
        let (face, caller) = (self.next_face(), self.enroller(person));
        let message = Message::Enroll(caller.enrolment(&self.people[person].id, &self.vector(face)));
        Change { person, what: What::Enroll { face }, message, caller }
    }

    pub(super) fn new_replacement(&mut self, person: usize, old: usize) -> Change {
        let (face, caller) = (self.next_face(), self.enroller(person));
        let message = caller.replacement(&self.template_name(person, old), &self.vector(face));
        let message = Message::Replace(v1::ReplaceTemplateRequest { no_wait: self.no_wait(), ..message });
        Change { person, what: What::Replace { old, face }, message, caller }
    }

    pub(super) fn new_deletion(&mut self, person: usize, place: usize) -> Change {
        let caller = self.enroller(person);
        let message = caller.deletion(&self.template_name(person, place));
        let message = Message::Delete(v1::DeleteTemplateRequest { no_wait: self.no_wait(), ..message });
        Change { person, what: What::Delete(place), message, caller }
    }

    pub(super) fn new_erasure(&mut self, person: usize, no_wait: bool) -> Change {
        let caller = self.tenants[self.people[person].tenant].privacy_officer();
        let message = caller.erasure(&self.people[person].id);
        let message = Message::Erase(v1::EraseSubjectRequest { no_wait, request_id: request_id(), ..message });
        Change { person, what: What::Erase, message, caller }
    }

    /// Of what wraps the keys of the person's tenant, or of the vault.
    pub(super) fn new_rotation(&mut self, person: usize) -> Change {
        let caller = self.vault.operator();
        let of_vault = self.random.random_bool(0.4);
        let name = if of_vault { "vault".to_owned() } else { self.tenants[self.people[person].tenant].name() };
        let message = Message::Rotate(v1::RotateKeysRequest { no_wait: self.no_wait(), ..caller.rotation(&name) });
        Change { person, what: What::Rotate, message, caller }
    }

    fn template_name(&self, person: usize, place: usize) -> String {
        self.people[person].alive().expect("the person is enrolled").templates[place].name.clone()
    }

    fn no_wait(&mut self) -> bool {
        self.random.random_bool(0.3)
    }

    /// Any change of this person that is possible now.
    pub(super) fn some_change(&mut self, person: usize) -> Change {
        let templates = self.people[person].live_templates();
        let chosen = templates.choose(&mut self.random).copied();
        match (self.random.random_range(0..10), chosen) {
            (0..2, Some(old)) => self.new_replacement(person, old),
            (2..4, Some(place)) => self.new_deletion(person, place),
            (4..6, Some(_)) => {
                let no_wait = self.no_wait();
                self.new_erasure(person, no_wait)
            }
            (_, Some(place)) if templates.len() >= TEMPLATES => self.new_replacement(person, place),
            _ => self.new_enrolment(person),
        }
    }

    /// Asks for a change, where nothing keeps the server from answering.
    pub(super) async fn perform(&mut self, change: Change) {
        if let Err(refusal) = self.attempt(&change).await {
            panic!("the server failed by itself at {:?}: {refusal}", change.what);
        }
    }

    /// Asks for a change; the server may die of it.
    pub(super) async fn attempt(&mut self, change: &Change) -> Result<(), Refusal> {
        let answer = change.ask().await;
        self.take_in(change, answer)
    }

    /// Takes in an answer, if there is one.
    pub(super) fn take_in(
        &mut self,
        change: &Change,
        answer: Result<super::ledger::Done, Refusal>,
    ) -> Result<(), Refusal> {
        match answer {
            Ok(done) => {
                self.unanswered.answered(change.person, change.what);
                if let Some(receipt) = done.shredded() {
                    self.shredded.push((receipt.to_owned(), self.roots_now()));
                }
                self.people[change.person].apply(change.what, done);
            }
            Err(refusal) if is_death(&refusal) => {
                self.unanswered.add(change.person, change.what);
                return Err(refusal);
            }
            Err(refusal) => panic!("{:?} was refused: {refusal}", change.what),
        }
        Ok(())
    }

    /// Somebody who is enrolled, not among those.
    pub(super) fn somebody(&mut self, but: &[usize]) -> Option<usize> {
        let enrolled = |person: &usize| self.people[*person].alive().is_some() && !but.contains(person);
        (0..self.people.len()).filter(enrolled).choose(&mut self.random)
    }

    /// Somebody who has a template, enrolled for it if there is nobody; not among those.
    pub(super) async fn somebody_with_a_template(&mut self, but: &[usize]) -> usize {
        let has = |person: &usize| !self.people[*person].live_templates().is_empty() && !but.contains(person);
        match (0..self.people.len()).filter(has).choose(&mut self.random) {
            Some(person) => person,
            None => {
                let others = (0..self.people.len()).filter(|person| !but.contains(person));
                let person = others.choose(&mut self.random).expect("there are more people");
                let change = self.new_enrolment(person);
                self.perform(change).await;
                person
            }
        }
    }

    pub(super) fn count(&mut self, name: &'static str) {
        self.counts.operations += 1;
        *self.counts.by_name.entry(name).or_default() += 1;
    }

    // ── endings ─────────────────────────────────────────────────────────────────────────────────────

    /// Waits until everything that was accepted is shredded.
    pub(super) async fn settle(&mut self) {
        self.settle_tenants().await;
        for person in 0..self.people.len() {
            let (auditor, operator) = (self.tenants[self.people[person].tenant].auditor(), self.vault.operator());
            let place = self.roots.clone();
            for state in self.people[person].going() {
                let State::Going(receipt) = state else { continue };
                let patience = tokio::time::Instant::now() + crate::PATIENCE;
                loop {
                    // A shredded tenant's is the vault's.
                    let reader = if receipt.starts_with("vault/") { &operator } else { &auditor };
                    let found = reader.receipt(receipt).await.expect("an accepted erasure has a receipt");
                    if found.state() == ErasureState::Shredded {
                        break;
                    }
                    assert!(tokio::time::Instant::now() < patience, "{receipt} stays pending");
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                self.shredded.push((receipt.clone(), place.now()));
                *state = State::Shredded;
            }
        }
    }

    /// API keys of everybody.
    pub(super) fn api_keys(&self) -> Vec<String> {
        let keys = self.tenants.iter().chain(&self.former).flat_map(|tenant| {
            let of_roles = crate::ROLES.map(|role| tenant.who_is(role));
            of_roles.into_iter().chain([tenant.admin()])
        });
        let keys = keys.filter_map(|caller| caller.key().map(str::to_owned));
        keys.chain([self.vault.operator_key()]).collect()
    }
}

/// A tenant of the history.
pub(super) async fn new_tenant(vault: &Vault, id: &str) -> Tenant {
    vault.tenant(id).with_model(DIMENSION).judging(0.9, 0.9).await
}

/// A refusal that a dying server gives, which says nothing of what became of the change.
pub(super) fn is_death(refusal: &Refusal) -> bool {
    refusal.reason().is_none_or(|reason| reason == ErrorReason::ShuttingDown)
}
