//! A random life of a vault, and what the backups in between saw of it.

use std::collections::BTreeMap;
use std::time::Duration;

use lethe_crypto::log::checkpoint::Checkpoint;
use lethe_crypto::log::merkle::Hash;
use lethe_crypto::log::note::VerifierKey;
use lethe_proto::v1::{self, BackupState, ErasureState};
use lethe_tests::{Call, Caller, Face, Tenant, Vault};
use rand::seq::{IndexedRandom as _, IteratorRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Components of an embedding: so many that no two random ones look alike.
pub(crate) const DIMENSION: usize = 128;
/// People who come, are erased, and come back under the same id.
const IDS: u32 = 12;

/// Who is known, and by which templates.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) people: BTreeMap<String, Person>,
}

/// Somebody, from the first enrolment to the erasure.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Which of those who had this id.
    pub(crate) life: u32,
    /// Embeddings, by the templates' names.
    pub(crate) templates: BTreeMap<String, Face>,
}

/// A log as somebody saw it, signed.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) log: String,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// All that a history leaves behind.
pub(crate) struct History {
    pub(crate) now: World,
    /// What each backup has, by its number.
    pub(crate) backups: BTreeMap<u32, World>,
    /// Every template that there ever was: whose, its name, its embedding.
    pub(crate) ever: Vec<(String, String, Face)>,
    /// Every erasure's receipt.
    pub(crate) receipts: Vec<String>,
    pub(crate) checkpoints: Vec<Held>,
    pub(crate) vault_key: VerifierKey,
    tenant_key: VerifierKey,
    lives: u32,
    random: ChaCha8Rng,
}

impl History {
    /// Lives for so many steps, with so many backups on the way and one at the end; the last steps come after them all.
    pub(crate) async fn of(vault: &Vault, bank: &Tenant, seed: u64, steps: usize, backups: usize) -> Self {
        let tenant_key = bank.auditor().checkpoint(&bank.log()).await.unwrap().verifier_key.parse().unwrap();
        let mut history = Self {
            now: World::default(),
            backups: BTreeMap::new(),
            ever: Vec::new(),
            receipts: Vec::new(),
            checkpoints: Vec::new(),
            vault_key: vault.verifier_key().await,
            tenant_key,
            lives: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
        };
        let every = steps / backups;
        for step in 1..=steps {
            history.step(vault, bank).await;
            // Never as the last step: each backup is of another time than the loss.
            if step % every == every / 2 {
                history.back_up(vault, bank).await;
            }
        }
        history.hold(vault, bank).await;
        history
    }

    async fn step(&mut self, vault: &Vault, bank: &Tenant) {
        match self.random.random_range(0..100) {
            0..45 => self.enroll(vault, bank).await,
            45..58 => self.replace(vault, bank).await,
            58..66 => self.delete(vault, bank).await,
            66..80 => self.erase(vault, bank).await,
            80..88 => self.hold(vault, bank).await,
            88..93 => vault.restart().await,
            _ => vault.crash().await,
        }
    }

    async fn enroll(&mut self, vault: &Vault, bank: &Tenant) {
        let id = format!("applicant-{}", self.random.random_range(0..IDS));
        let face = self.face();
        let request = bank.enroller().enrolment(&id, &face);
        if self.now.people.get(&id).is_some_and(|person| person.templates.len() >= 4) {
            return;
        }
        let name = self.ask(vault, &bank.enroller(), request).await.template.unwrap().name;
        self.lives += 1;
        let born = Person { life: self.lives, templates: BTreeMap::new() };
        self.ever.push((id.clone(), name.clone(), face.clone()));
        self.now.people.entry(id).or_insert(born).templates.insert(name, face);
    }

    async fn replace(&mut self, vault: &Vault, bank: &Tenant) {
        let Some((id, old)) = self.some_template() else { return };
        let face = self.face();
        let request = bank.enroller().replacement(&old, &face);
        let answer = self.ask(vault, &bank.enroller(), request).await;
        self.receipt(&answer.erasure.unwrap());
        let name = answer.template.unwrap().name;
        self.ever.push((id.clone(), name.clone(), face.clone()));
        let templates = &mut self.now.people.get_mut(&id).unwrap().templates;
        templates.remove(&old).unwrap();
        templates.insert(name, face);
    }

    async fn delete(&mut self, vault: &Vault, bank: &Tenant) {
        let Some((id, name)) = self.some_template() else { return };
        let request = bank.enroller().deletion(&name);
        let erasure = self.ask(vault, &bank.enroller(), request).await;
        self.receipt(&erasure);
        self.now.people.get_mut(&id).unwrap().templates.remove(&name).unwrap();
    }

    async fn erase(&mut self, vault: &Vault, bank: &Tenant) {
        let Some(id) = self.now.people.keys().choose(&mut self.random).cloned() else { return };
        let request = bank.privacy_officer().erasure(&id);
        let erasure = self.ask(vault, &bank.privacy_officer(), request).await;
        self.receipt(&erasure);
        self.now.people.remove(&id).unwrap();
    }

    /// Sends a request; now and then the server is killed on the way, and the request repeated until it is answered.
    async fn ask<C: Call + Clone>(&mut self, vault: &Vault, caller: &Caller, request: C) -> C::Response {
        if self.random.random_range(0..10) == 0 {
            let delay = Duration::from_millis(self.random.random_range(0..15));
            let killed = async {
                tokio::time::sleep(delay).await;
                vault.crash().await;
            };
            // In this order: it is on its way before the server is gone. Whatever it is answered, it is asked again.
            drop(tokio::join!(caller.ask(request.clone()), killed));
        }
        caller.ask(request).await.unwrap()
    }

    async fn back_up(&mut self, vault: &Vault, bank: &Tenant) {
        let before = self.now.clone();
        let made = vault.operator().back_up().await.unwrap();
        assert_eq!(made.state(), BackupState::Done, "{made:?}");
        let number = made.name["backups/".len()..].parse().unwrap();
        self.backups.insert(number, before);
        self.hold(vault, bank).await;
    }

    /// Keeps signed checkpoints.
    async fn hold(&mut self, vault: &Vault, bank: &Tenant) {
        let logs = [(vault.operator(), "vault/log".to_owned()), (bank.auditor(), bank.log())];
        for (caller, log) in logs {
            let note = caller.checkpoint(&log).await.unwrap().note;
            let key = if log == "vault/log" { &self.vault_key } else { &self.tenant_key };
            let Checkpoint { size, root, .. } = Checkpoint::open(note.as_bytes(), key).unwrap();
            self.checkpoints.push(Held { log, size, root });
        }
    }

    fn receipt(&mut self, erasure: &v1::Erasure) {
        assert_eq!(erasure.state(), ErasureState::Shredded, "an erasure that is waited for is done");
        self.receipts.push(erasure.receipt.clone());
    }

    fn some_template(&mut self) -> Option<(String, String)> {
        let all: Vec<_> = self
            .now
            .people
            .iter()
            .flat_map(|(id, person)| person.templates.keys().map(|name| (id.clone(), name.clone())))
            .collect();
        all.choose(&mut self.random).cloned()
    }

    fn face(&mut self) -> Face {
        (0..DIMENSION).map(|_| self.random.random_range(-1.0..1.0)).collect()
    }
}

impl World {
    /// What a restore of a backup that has this world makes of it when it is `now`: who is alive in both, with the
    /// templates that are in both.
    pub(crate) fn restored(&self, now: &Self) -> Self {
        let mut people = BTreeMap::new();
        for (id, then) in &self.people {
            let Some(today) = now.people.get(id).filter(|today| today.life == then.life) else { continue };
            let mut person = then.clone();
            person.templates.retain(|name, _| today.templates.contains_key(name));
            people.insert(id.clone(), person);
        }
        Self { people }
    }

    /// How many templates there are.
    pub(crate) fn templates(&self) -> usize {
        self.people.values().map(|person| person.templates.len()).sum()
    }
}
