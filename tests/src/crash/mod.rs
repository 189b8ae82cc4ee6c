//! A vault that is killed at work again and again, in one data directory, and what must be true of it all the
//! same.
//!
//! Clients enroll, replace, delete and erase a few subjects at the same time, so that their calls collide. Every
//! call and answer is written down. After each restart everything is looked for, and a checker of
//! linearizability tells whether any order of the calls explains what was answered before and is found now.

mod clients;
mod evidence;
mod history;
mod inspect;
mod ledger;
mod linear;
mod work;

use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Setup, Tenant, Vault};
use clients::Clients;
pub use ledger::Counts;
use ledger::Ledger;

/// Components of the embeddings: as few as there may be, so that lives are short.
const DIMENSION: usize = 64;
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
    setup: Setup,
    clients: Arc<Clients>,
    random: ChaCha8Rng,
}

impl Storm {
    /// A new vault with a tenant.
    pub async fn begin(seed: u64) -> Self {
        // The longest there is: who waits for an erasure is answered when it is shredded, however slow the machine.
        let setup = Vault::setup().set("limits.deadline_ms", 600_000);
        let vault = setup.clone().start().await;
        let tenant: Tenant = vault.tenant("bank").with_model(DIMENSION).judging(0.9, 0.9).await;
        let ids = (0..SUBJECTS).map(|number| format!("applicant-{}", char::from(b'a' + number as u8)));
        let clients = Arc::new(Clients::of(&vault, &tenant, Ledger::of(ids), seed).await);
        Self { vault, setup, clients, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// One life: work, `kill -9` in the middle of it, sometimes another during the recovery, and a look at what is
    /// left.
    pub async fn live_and_die(&mut self) {
        {
            let mut ledger = self.clients.ledger();
            ledger.life = ledger.requests.len();
        }
        let after = Duration::from_millis(self.random.random_range(LIFE));
        let pid = self.vault.pid().await;
        work::until_killed(&self.clients, self.random.random(), after, async || kill(pid)).await;
        self.vault.died().await;
        let kills = {
            let mut ledger = self.clients.ledger();
            ledger.counts.kills += 1;
            ledger.counts.kills
        };
        self.look_at_the_files(kills % CHECK_EVERY == 0);
        while self.random.random_bool(0.25) {
            let after = Duration::from_millis(self.random.random_range(RECOVERY));
            let mut process = self.setup.spawn(self.vault.home());
            tokio::time::sleep(after).await;
            process.kill().await;
            self.clients.ledger().counts.kills_in_recovery += 1;
            self.look_at_the_files(false);
        }
        self.vault.start().await;
        self.look_at_the_vault(false).await;
    }

    /// Looks once more at everything there ever was, after an orderly stop.
    pub async fn finish(mut self) -> Counts {
        self.vault.stop().await;
        self.look_at_the_files(true);
        self.vault.start().await;
        {
            let mut ledger = self.clients.ledger();
            ledger.life = ledger.requests.len();
        }
        self.look_at_the_vault(true).await;
        inspect::receipts(&self.clients, true).await;
        self.vault.stop().await;
        self.look_at_the_files(true);
        self.clients.ledger().counts.clone()
    }

    fn look_at_the_files(&self, check: bool) {
        evidence::destroyed_roots_are_gone(&self.clients, self.vault.home());
        if check {
            evidence::root_check(self.vault.home());
        }
    }

    async fn look_at_the_vault(&mut self, at_everything: bool) {
        evidence::logs_grew(&self.clients, &mut self.random).await;
        inspect::everything(&self.clients, &mut self.random, at_everything).await;
        inspect::repeat(&self.clients, &mut self.random).await;
        inspect::receipts(&self.clients, false).await;
    }
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}
