use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::log::entry::Entry;
use lethe_crypto::tree::TreeId;
use lethe_domain::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::sweep::{Swept, sweep};
use super::trust::{Believed, Trust};
use crate::audit;
use crate::config;
use crate::error::Result;
use crate::evidence;
use crate::store::{Key, StoreError};
use crate::vault::Vault;

/// A sweep that erased nobody is logged so often: it shows that there were sweeps.
const LOGGED_EVERY: i64 = 3_600_000;

/// The first sweep comes after this part of the interval.
const FIRST: u32 = 10;

/// How sweeps stand, for whoever watches the vault.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// When the last one ended.
    pub(crate) swept_at: Option<Timestamp>,
    /// What it did.
    pub(crate) last: Swept,
    /// Whether the clock is not believed: what is due is erased late, or not at all.
    pub(crate) doubts: bool,
}

/// How sweeps stand, for who asks.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Standing>);

impl Board {
    /// How they stand now.
    pub(crate) fn standing(&self) -> Standing {
        *self.0.lock()
    }
}

/// The task that comes by and erases what has ended.
pub(crate) struct Sweeper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sweeper {
    /// Ends after the subject that it is at.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        drop(self.task.await);
    }
}

/// Sweeps a tenth of the interval after the start, so that whoever upgrades can look who goes before, and then again and again.
pub(crate) fn start(vault: &Arc<Vault>, config: &config::Retention) -> Sweeper {
    let (stop, mut stopped) = watch::channel(false);
    let mut rounds = Rounds::of(vault, config.clock_right_until);
    let every = Duration::from_secs(config.interval_s);
    let task = tokio::spawn(async move {
        if tokio::time::timeout(every / FIRST, stopped.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
        loop {
            if let Err(error) = rounds.go().await {
                tracing::error!(%error, "a sweep for what is past its time failed; the next one begins anew");
            }
            if tokio::time::timeout(every, stopped.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
        }
    });
    Sweeper { stop, task }
}

/// Sweeps, one after the other.
pub(crate) struct Rounds {
    vault: Arc<Vault>,
    trust: Trust,
    logged_at: Option<Timestamp>,
}

impl Rounds {
    /// Of a vault that has just been opened; its clock is right until then, if anybody said so.
    pub(crate) fn of(vault: &Arc<Vault>, right_until: Option<Timestamp>) -> Self {
        let last = last_word(vault).unwrap_or_else(|error| {
            tracing::error!(%error, "the vault's log does not say when it was last at work");
            Timestamp::default()
        });
        Self { vault: Arc::clone(vault), trust: Trust::new(last, right_until), logged_at: None }
    }

    /// One sweep, if the clock is believed.
    pub(crate) async fn go(&mut self) -> Result<()> {
        let clock = &self.vault.clock;
        let now = match self.trust.believe(clock.now(), clock.elapsed()) {
            Believed::Now(now) => {
                self.vault.sweeps.0.lock().doubts = false;
                now
            }
            Believed::Slower(now) => {
                tracing::warn!(
                    "the clock jumped ahead: until it is put right, or the next start, people are kept as if it had not"
                );
                self.vault.sweeps.0.lock().doubts = true;
                now
            }
            Believed::Unknown => {
                tracing::warn!(
                    "the vault stood still for more than 30 days, or its clock is wrong: nobody is erased by age until retention.clock_right_until says that it is right"
                );
                self.vault.sweeps.0.lock().doubts = true;
                return Ok(());
            }
        };
        let swept = sweep(&self.vault, now).await?;
        for silo in self.vault.silos.all() {
            // Evidence of consents has an end of its own (O29).
            evidence::expire(&self.vault, &silo, now).await?;
        }
        let is_news = swept.erased + swept.templates + swept.failed > 0;
        if is_news || self.logged_at.is_none_or(|then| now.millis() - then.millis() >= LOGGED_EVERY) {
            let counts = [
                ("looked_at", swept.looked_at),
                ("erased", swept.erased),
                ("templates", swept.templates),
                ("kept", swept.kept),
                ("failed", swept.failed),
            ];
            let entry = audit::by_the_vault("retention.sweep", self.vault.clock.now())?;
            self.vault.record(TreeId::VAULT, audit::counting(entry, "RETENTION_SWEPT", &counts)?).await?;
            self.logged_at = Some(now);
        }
        let mut standing = self.vault.sweeps.0.lock();
        (standing.swept_at, standing.last) = (Some(now), swept);
        Ok(())
    }
}

/// When the vault last wrote anything into its own log.
fn last_word(vault: &Vault) -> Result<Timestamp> {
    let tree = TreeId::VAULT;
    let Some(index) = audit::log_of(vault, tree)?.size.checked_sub(1) else { return Ok(Timestamp::from_millis(0)) };
    let missing = || StoreError::corrupt("log", format!("entry {index} is missing"));
    let entry = vault.store.get(&Key::LogEntry { tree, index })?.ok_or_else(missing)?;
    let time = Entry::decode(&entry).map_err(StoreError::from)?.time;
    Ok(Timestamp::from_millis(i64::try_from(time).unwrap_or(i64::MAX)))
}
