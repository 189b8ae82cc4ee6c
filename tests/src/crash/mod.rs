//! A vault that is killed at work again and again, in one data directory, and what must be true of it all the
//! same.
//!
//! Clients enroll, replace, delete and erase a few subjects at the same time, so that their calls collide; beside them
//! other tenants are shredded, and wrappings are rotated. Every call and answer is written down. After each restart
//! everything is looked for, and a checker of linearizability tells whether any order of the calls explains what was
//! answered before and is found now.

mod clients;
mod evidence;
mod history;
mod inspect;
mod ledger;
mod linear;
pub mod matrix;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::failpoints::{FAILPOINTS, deadly};
use crate::{Device, Home, PATIENCE, Setup, Tenant, Vault};
use clients::Clients;
use evidence::End;
pub use ledger::Counts;
use ledger::Ledger;
use work::Death;

/// Components of the embeddings: as few as there may be, so that lives are short.
const DIMENSION: usize = 64;
/// Whose they are.
const TENANT: &str = "bank";
/// Applicant ids: few, so that calls collide.
const SUBJECTS: usize = 10;
/// Faces of a subject that clients go on with.
const KEPT: usize = 5;
/// How long a server lives, in milliseconds.
const LIFE: std::ops::Range<u64> = 20..300;
/// How long a server recovers before it is killed again, where that happens, in milliseconds.
const RECOVERY: std::ops::Range<u64> = 0..250;
/// `lethe root check` is run after every so many kills.
const CHECK_EVERY: usize = 10;

/// A vault whose server is killed again and again.
pub struct Storm {
    vault: Vault,
    /// Files that roots are in, or were: what is destroyed must be in no byte of them.
    files: Vec<PathBuf>,
    /// Stores of any kind: it must be in none of them.
    devices: Vec<Arc<Device>>,
    /// What is done after each death.
    tidy: Option<Box<dyn Fn() + Send + Sync>>,
    clients: Arc<Clients>,
    random: ChaCha8Rng,
}

impl Storm {
    /// A new vault with a tenant.
    pub async fn begin(seed: u64) -> Self {
        Self::begin_with(Vault::setup(), seed).await
    }

    /// A new vault with a tenant, served by a binary that was built with failpoints.
    pub async fn begin_with_failpoints(binary: PathBuf, seed: u64) -> Self {
        Self::begin_with(Vault::setup().binary(binary), seed).await
    }

    /// A new vault with a tenant, served as `setup` says.
    pub async fn begin_with(setup: Setup, seed: u64) -> Self {
        // The longest there is: who waits for an erasure is answered when it is shredded, however slow the machine.
        let setup = setup.set("limits.deadline_ms", 600_000);
        let vault = setup.start().await;
        let tenant: Tenant = vault.tenant(TENANT).with_model(DIMENSION).judging(0.9, 0.9).await;
        let ids = (b'a'..).take(SUBJECTS).map(|letter| format!("applicant-{}", char::from(letter)));
        let clients = Arc::new(Clients::of(&vault, &tenant, Ledger::of(ids), seed).await);
        let files = vec![vault.home().root(0)];
        Self { vault, files, devices: Vec::new(), tidy: None, clients, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Has a store looked into for roots that should be gone.
    pub fn roots_may_be_on(&mut self, device: &Arc<Device>) {
        self.files.extend(device.file());
        self.devices.push(Arc::clone(device));
    }

    /// Has something done whenever a server was killed: what its surroundings would do.
    pub fn after_each_death(&mut self, tidy: Option<impl Fn() + Send + Sync + 'static>) {
        self.tidy = tidy.map(|tidy| Box::new(tidy) as _);
    }

    /// One life: work, `kill -9` in the middle of it, sometimes another during the recovery, and a look at what is
    /// left.
    pub async fn live_and_die(&mut self) {
        let mut recoveries = 0;
        while self.random.random_bool(0.25) {
            recoveries += 1;
        }
        self.live_and_die_in_recovery(recoveries).await;
    }

    /// The same, with so many deaths during the recovery.
    pub async fn live_and_die_in_recovery(&mut self, deaths: usize) {
        let after = Duration::from_millis(self.random.random_range(LIFE));
        let death = Death::Killed(self.vault.pid().await, after);
        self.work_until(death).await;
        for _ in 0..deaths {
            let after = Duration::from_millis(self.random.random_range(RECOVERY));
            self.vault.start_and_kill_after(after).await;
            self.clients.ledger().counts.kills_in_recovery += 1;
            self.look_at_the_files(None);
        }
        self.vault.start().await;
        self.look_at_the_vault(false).await;
    }

    /// Lives and dies until the clients have done enough, however slow the machine; how often that was.
    ///
    /// # Panics
    /// When they hardly get on.
    pub async fn live_until(&mut self, enough: impl Fn(&Counts) -> bool) -> usize {
        let (mut lives, until) = (0, Instant::now() + PATIENCE);
        loop {
            let counts = self.clients.ledger().counts.clone();
            if enough(&counts) {
                return lives;
            }
            assert!(Instant::now() < until, "the clients hardly work: {counts}");
            self.live_and_die().await;
            lives += 1;
        }
    }

    /// One life that ends at a failpoint, at the `nth` time it is reached; then one that ends there while it
    /// recovers, if it gets there; and a look at what is left.
    pub async fn live_and_die_at(&mut self, failpoint: &str, nth: u32) {
        if self.vault.is_running().await {
            self.vault.stop().await;
        }
        let deadly = deadly(failpoint);
        let action = format!("{failpoint}={}*off->{deadly}", nth - 1);
        self.vault.reconfigure(|setup| setup.env(FAILPOINTS, &action));
        match self.vault.try_start().await {
            Ok(()) => self.work_until(Death::OfItself).await,
            Err(exited) => {
                assert!(!exited.status.success(), "{failpoint}: ended well");
                // What the life before has left is recovered here, and that has the same steps.
                self.clients.ledger().counts.kills_in_recovery += 1;
            }
        }
        self.look_at_the_files(Some(End::Sudden));
        self.vault.reconfigure(|setup| setup.env(FAILPOINTS, &format!("{failpoint}={deadly}")));
        match self.vault.try_start().await {
            Ok(()) => self.vault.kill().await,
            Err(_) => self.clients.ledger().counts.kills_in_recovery += 1,
        }
        self.look_at_the_files(None);
        self.vault.reconfigure(|setup| setup.without_env(FAILPOINTS));
        self.vault.start().await;
        self.look_at_the_vault(false).await;
    }

    async fn work_until(&mut self, death: Death) {
        {
            let mut ledger = self.clients.ledger();
            ledger.life = ledger.requests.len();
        }
        work::until_the_end(&self.clients, self.random.random(), death).await;
        self.vault.died().await;
        let kills = {
            let mut ledger = self.clients.ledger();
            ledger.counts.kills += 1;
            ledger.counts.kills
        };
        self.look_at_the_files((kills % CHECK_EVERY == 0).then_some(End::Sudden));
    }

    /// Looks once more at everything there ever was, after an orderly stop.
    pub async fn finish(mut self) -> Counts {
        self.vault.stop().await;
        self.look_at_the_files(Some(End::Orderly));
        self.vault.start().await;
        {
            let mut ledger = self.clients.ledger();
            ledger.life = ledger.requests.len();
        }
        self.look_at_the_vault(true).await;
        inspect::receipts(&self.clients, true).await;
        self.vault.stop().await;
        self.look_at_the_files(Some(End::Orderly));
        self.clients.ledger().counts.clone()
    }

    fn look_at_the_files(&self, check: Option<End>) {
        if let Some(tidy) = &self.tidy {
            tidy();
        }
        evidence::destroyed_roots_are_gone(&self.clients, &self.files);
        evidence::destroyed_roots_are_on_no_device(&self.clients, &self.devices);
        if let Some(end) = check {
            evidence::root_check(&self.vault, end);
        }
    }

    async fn look_at_the_vault(&mut self, at_everything: bool) {
        evidence::logs_grew(&self.clients, &mut self.random).await;
        inspect::everything(&self.clients, &mut self.random, at_everything).await;
        inspect::repeat(&self.clients, &mut self.random).await;
        inspect::silos(&self.clients, at_everything).await;
        inspect::receipts(&self.clients, false).await;
    }
}

/// A vault whose founding ends at a failpoint is founded by a later start.
pub async fn founded_after_all(binary: PathBuf, failpoint: &str) {
    let setup = Vault::setup().binary(binary).env(FAILPOINTS, &format!("{failpoint}=panic"));
    let vault = Vault::new(setup, Home::new());
    let exited = vault.refuses_to_start().await;
    assert!(exited.log.contains("panic"), "{failpoint} was not reached: {}", exited.log);
    // Some steps are not taken again by the second try; it dies all the same.
    if vault.try_start().await.is_ok() {
        vault.kill().await;
    }
    vault.reconfigure(|setup| setup.without_env(FAILPOINTS));
    vault.start().await;
    vault.tenant("bank").await;
    vault.stop().await;
    evidence::root_check(&vault, End::Orderly);
}
