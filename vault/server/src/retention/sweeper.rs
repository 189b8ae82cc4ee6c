use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use lethe_crypto::log::entry::{Entry, Event, Glance};
use lethe_crypto::log::json::Value;
use lethe_crypto::tree::TreeId;
use lethe_domain::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::sweep::{Swept, sweep};
use super::trust::{Believed, Trust};
use crate::attestation;
use crate::audit;
use crate::case;
use crate::clock::Clock;
use crate::config;
use crate::error::Result;
use crate::evidence;
use crate::hold;
use crate::limitation;
use crate::notification;
use crate::request;
use crate::store::{Key, RowKind, StoreError};
use crate::vault::Vault;
use crate::watchlist;

/// A sweep that erased nobody is logged so often: it shows that there were sweeps.
const LOGGED_EVERY: i64 = 3_600_000;

/// The first sweep comes after this part of the interval.
const FIRST: u32 = 10;

/// Entries of the vault's log that are read at a time, looking back for the last sweep.
const ENTRIES: u64 = 4096;
/// What the log calls a sweep, and where its entry says which time was believed.
const OPERATION: &str = "retention.sweep";
const BELIEVED: &str = "believed";
/// Whether the clock said something else.
const DOUBTED: &str = "doubted";

/// How sweeps stand, for whoever watches the vault.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// When the last one ended.
    pub(crate) swept_at: Option<Timestamp>,
    /// What it did.
    pub(crate) last: Swept,
    /// Litigation holds when they were last counted, and of them those whose review was overdue.
    pub(crate) holds: Option<hold::Reviews>,
    /// Whether the clock is not believed: what is due is erased late, or not at all.
    pub(crate) doubts: bool,
}

/// How sweeps stand, and what of the clock is believed, for who asks.
#[derive(Debug, Default)]
pub(crate) struct Board {
    standing: Mutex<Standing>,
    trust: Mutex<Option<Trust>>,
}

impl Board {
    /// How they stand now.
    pub(crate) fn standing(&self) -> Standing {
        *self.standing.lock()
    }

    /// The times between which the time is: whatever is destroyed unasked must have ended at both, so that no clock that jumps
    /// destroys anything early.
    pub(crate) fn bounds(&self, clock: &Clock) -> [Timestamp; 2] {
        let says = clock.now();
        // A sweep decides what is believed from now on; who asks in between does not.
        let Some(mut trust) = self.trust.lock().clone() else { return [says, says] };
        let believed = match trust.believe(says, clock.elapsed()) {
            Believed::Now(now) | Believed::Slower(now) => now,
            Believed::Unknown => trust.last().unwrap_or_default(),
        };
        [believed, says]
    }

    fn believe(&self, clock: &Clock) -> Believed {
        let mut trust = self.trust.lock();
        trust.as_mut().map_or(Believed::Unknown, |trust| trust.believe(clock.now(), clock.elapsed()))
    }

    /// What the next start may believe when `now` is believed: a time that has certainly come.
    fn witness(&self, now: Timestamp) -> Timestamp {
        self.trust.lock().as_ref().and_then(Trust::last).map_or(now, |last| last.max(now))
    }

    fn doubt(&self, doubts: bool) {
        self.standing.lock().doubts = doubts;
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
    logged_at: Option<Timestamp>,
}

impl Rounds {
    /// Of a vault that has just been opened; its clock is right until then, if anybody said so.
    pub(crate) fn of(vault: &Arc<Vault>, right_until: Option<Timestamp>) -> Self {
        let last = last_word(vault).unwrap_or_else(|error| {
            tracing::error!(%error, "the vault's log does not say when it was last at work");
            None
        });
        let (last, said) = last.unzip();
        *vault.sweeps.trust.lock() = Some(Trust::new(last, right_until).disbelieving(said.flatten()));
        Self { vault: Arc::clone(vault), logged_at: None }
    }

    /// Counts the holds that somebody has to look at, by the clock as it is: nothing is destroyed by it.
    async fn remind(&self) {
        let (reader, now) = (Arc::clone(&self.vault), self.vault.clock.now());
        match tokio::task::spawn_blocking(move || hold::reviews(&reader, now)).await {
            Ok(Ok(holds)) => {
                if holds.overdue > 0 {
                    let overdue = holds.overdue;
                    tracing::warn!(overdue, "litigation holds whose review is overdue: `lethe hold list --overdue`");
                }
                self.vault.sweeps.standing.lock().holds = Some(holds);
            }
            Ok(Err(error)) => tracing::error!(%error, "litigation holds could not be counted"),
            Err(_) => {}
        }
    }

    /// One sweep, if the clock is believed.
    pub(crate) async fn go(&mut self) -> Result<()> {
        self.remind().await;
        for silo in self.vault.silos.all() {
            // Where a process ended before it had followed the tenant's law (O16): that asks for no time.
            if let Err(error) = watchlist::follow_law(&self.vault, &silo).await {
                tracing::error!(%error, "entries of watch lists that a law forbids could not be shredded; the next sweep tries again");
            }
        }
        let sweeps = &self.vault.sweeps;
        let now = match sweeps.believe(&self.vault.clock) {
            Believed::Now(now) => {
                sweeps.doubt(false);
                now
            }
            Believed::Slower(now) => {
                tracing::warn!(
                    "the clock jumped ahead: until it is put right, or retention.clock_right_until says that it is, people are kept as if it had not"
                );
                sweeps.doubt(true);
                now
            }
            Believed::Unknown => {
                tracing::warn!(
                    "the vault stood still for more than 30 days, or its clock is wrong: nobody is erased unasked until retention.clock_right_until says that it is right"
                );
                sweeps.doubt(true);
                return Ok(());
            }
        };
        let swept = sweep(&self.vault, now).await?;
        for silo in self.vault.silos.all() {
            // Evidence of consents has an end of its own (O29).
            if let Err(error) = evidence::expire(&self.vault, &silo, now).await {
                tracing::error!(%error, "evidence that is over could not be shredded; the next sweep tries again");
            }
            // And entries of watch lists (O40).
            if let Err(error) = watchlist::expire(&self.vault, &silo, now).await {
                tracing::error!(%error, "entries of watch lists that are over could not be shredded; the next sweep tries again");
            }
            // And what people asked for (O26), and what came of telling recipients (O41).
            for ledger in [&request::LEDGER, &notification::LEDGER] {
                if let Err(error) = limitation::expire(&self.vault, &silo, ledger, now).await {
                    tracing::error!(%error, operation = ledger.operation, "rows that are over could not be deleted; the next sweep tries again");
                }
            }
            // And which attestations were used that nobody could use any more (O6).
            if let Err(error) = attestation::expire(&self.vault, &silo, now).await {
                tracing::error!(%error, "attestations that are over could not be forgotten; the next sweep tries again");
            }
            // And questions that were answered (O11).
            if let Err(error) = case::expire(&self.vault, &silo, now).await {
                tracing::error!(%error, "cases that are over could not be deleted; the next sweep tries again");
            }
        }
        let is_news = swept.erased + swept.templates + swept.failed > 0;
        if is_news || self.logged_at.is_none_or(|then| (now.millis() - then.millis()).abs() >= LOGGED_EVERY) {
            let counts = [
                ("looked_at", swept.looked_at),
                ("erased", swept.erased),
                ("templates", swept.templates),
                ("kept", swept.kept),
                ("failed", swept.failed),
                // What the next start compares its clock with.
                (DOUBTED, u64::from(sweeps.standing().doubts)),
                (BELIEVED, u64::try_from(sweeps.witness(now).millis()).unwrap_or(0)),
            ];
            let entry = audit::by_the_vault(OPERATION, self.vault.clock.now())?;
            self.vault.record(TreeId::VAULT, audit::counting(entry, "RETENTION_SWEPT", &counts)?).await?;
            self.logged_at = Some(now);
        }
        let mut standing = sweeps.standing.lock();
        (standing.swept_at, standing.last) = (Some(now), swept);
        Ok(())
    }
}

/// The time that the last sweep believed, and what the clock said then, if that was something else; of a vault that was never swept,
/// the time of its last entry. `None` if there is none. What cannot be read is passed over.
fn last_word(vault: &Vault) -> Result<Option<(Timestamp, Option<Timestamp>)>> {
    let tree = TreeId::VAULT;
    let whole = Key::prefix_of_tree(RowKind::LogEntry, tree);
    let (mut end, mut latest) = (audit::log_of(vault, tree)?.size, None);
    while end > 0 {
        let begin = end.saturating_sub(ENTRIES);
        let (mut swept, mut in_part) = (None, None);
        let start = Key::LogEntry { tree, index: begin }.encode();
        vault.store.scan_from(RowKind::LogEntry, &whole, &start, |key, line| {
            if !matches!(key, Key::LogEntry { index, .. } if index < end) {
                return Ok(ControlFlow::Break(()));
            }
            if let Ok(entry) = Glance::read(line) {
                if entry.operation == OPERATION {
                    swept = Entry::decode(line).ok().or(swept.take());
                } else {
                    in_part = Some(entry.time);
                }
            }
            Ok::<_, StoreError>(ControlFlow::Continue(()))
        })?;
        if let Some(entry) = swept {
            let said = millis(entry.time);
            let believed = number(&entry, BELIEVED).map_or(said, millis);
            let is_doubted = number(&entry, DOUBTED).is_some_and(|doubted| doubted > 0);
            return Ok(Some((believed, is_doubted.then_some(said))));
        }
        latest = latest.or(in_part);
        end = begin;
    }
    Ok(latest.map(|time| (millis(time), None)))
}

fn millis(millis: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn number(entry: &Entry, field: &str) -> Option<u64> {
    let Some(Event::Other(event)) = &entry.event else { return None };
    event.fields().iter().find_map(|(name, value)| match value {
        Value::Number(millis) if name == field => Some(*millis),
        Value::Number(_) | Value::String(_) | Value::List(_) | Value::Object(_) => None,
    })
}
