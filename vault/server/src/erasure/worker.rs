use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lethe_crypto::epoch::{EpochWriter, Outcome, Takeover};
use lethe_crypto::root::{MigratingRootStore, RootStore};
use lethe_crypto::tree::{Redraw, SlotRef, TreeId};

use super::Eraser;
use super::journal::{Erasures, StoreJournal};
use super::task::redraw;
use crate::error::{Error, Result, causes};
use crate::keyring::Keyring;
use crate::store::EndWithPanic;

/// The first and the longest wait between tries.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// How long after an epoch that was shared the next erasure waits for others.
const COMPANY: Duration = Duration::from_secs(1);

/// The one writer of epochs, on a thread of its own: rewriting and syncing would stall a shared one.
struct Worker {
    eraser: Arc<Eraser>,
    writer: EpochWriter<StoreJournal>,
    journal: Arc<StoreJournal>,
    roots: Arc<dyn RootStore>,
    keys: Arc<Keyring>,
    pace: Pace,
    /// When the last epoch that was committed began.
    begun: Option<Instant>,
    /// When the last epoch ended, if several erasures shared it: then more may be on their way.
    shared: Option<Instant>,
    /// The vault moves to another root store, and nobody was told yet that it has.
    moving: Option<MigratingRootStore>,
}

/// How erasures come to share epochs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long an epoch waits for more erasures to share it, while they come in company.
    pub(crate) window: Duration,
    /// From the beginning of one epoch to that of the next, at least.
    pub(crate) least_interval: Duration,
}

/// What one epoch is about to do.
struct Work {
    erasures: Erasures,
    redraw: Redraw,
    burnt: Redraw,
    due: bool,
}

/// Starts the writer's thread.
pub(crate) fn start(
    eraser: Arc<Eraser>,
    writer: EpochWriter<StoreJournal>,
    journal: Arc<StoreJournal>,
    roots: Arc<dyn RootStore>,
    keys: Arc<Keyring>,
    pace: Pace,
    moving: Option<MigratingRootStore>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|_| Error::TaskLost)?;
    let (begun, shared) = (None, None);
    let worker = Worker { eraser: Arc::clone(&eraser), writer, journal, roots, keys, pace, begun, shared, moving };
    let run = move || runtime.block_on(worker.run());
    let thread = thread::Builder::new().name("lethe-epoch".to_owned()).spawn(run).map_err(|_| Error::TaskLost)?;
    *eraser.thread.lock() = Some(thread);
    Ok(())
}

impl Worker {
    async fn run(mut self) {
        let _whole = EndWithPanic;
        let mut wait = RETRY.0;
        loop {
            // What an earlier commit, or an earlier run, left to be destroyed comes first.
            match self.finish().await {
                Ok(true) => wait = RETRY.0,
                Ok(false) => {}
                Err(failure) => {
                    self.put_off("an old root cannot be destroyed; erasures stay pending", &failure, &mut wait);
                    if self.stopping() {
                        break;
                    }
                    continue;
                }
            }
            self.tell_of_the_move().await;
            let Some(work) = self.next().await else { break };
            let (company, began) = (work.erasures.accepted.len() > 1, Instant::now());
            match self.writer.run(&work.redraw, &work.erasures).await {
                Ok(Outcome::Destroyed(_)) => {
                    wait = RETRY.0;
                    self.begun = Some(began);
                    self.redrawn(&work);
                    self.eraser.end(self.writer.epoch().number);
                }
                Ok(Outcome::Pending(failure)) => {
                    wait = RETRY.0;
                    self.begun = Some(began);
                    self.redrawn(&work);
                    let failure = causes(&failure);
                    tracing::warn!(failure, "an old root cannot be destroyed; erasures stay pending");
                }
                Err(failure) => {
                    self.take_back(work);
                    self.put_off("an epoch cannot be committed; erasures stay pending", &failure, &mut wait);
                    if self.stopping() {
                        break;
                    }
                }
            }
            self.shared = company.then(Instant::now);
        }
        self.eraser.stopped.send_replace(true);
    }

    /// Ends what is retiring, if anything is; after a failed write, from what is on the disk.
    async fn finish(&mut self) -> std::result::Result<bool, lethe_crypto::Error> {
        let ended = match self.writer.finish().await {
            Err(lethe_crypto::Error::MustReopen) => {
                let (journal, roots) = (Arc::clone(&self.journal), Arc::clone(&self.roots));
                let cache = Arc::clone(self.keys.view().cache());
                self.writer = EpochWriter::open(journal, roots, cache, Takeover::Refuse).await?;
                self.writer.finish().await?;
                true
            }
            finished => finished?.is_some(),
        };
        if ended {
            self.eraser.end(self.writer.epoch().number);
        }
        Ok(ended)
    }

    /// Waits for erasures, then a little longer for others to share the epoch. `None` to stop.
    async fn next(&mut self) -> Option<Work> {
        {
            let mut inbox = self.eraser.inbox.lock();
            while inbox.accepted.is_empty() && !inbox.due {
                if inbox.stop {
                    return None;
                }
                self.eraser.arrived.wait(&mut inbox);
            }
        }
        // Roots may be dear: erasures wait, and share the next one. What waits when the vault stops does not wait longer.
        if let Some(begun) = self.begun {
            self.pause(self.pace.least_interval.saturating_sub(begun.elapsed()));
        }
        // Who comes alone need not wait for others; who comes in company finds that they have.
        if self.shared.is_some_and(|ended| ended.elapsed() < COMPANY) {
            tokio::time::sleep(self.pace.window).await;
        }
        let (accepted, mut burnt, due) = {
            let mut inbox = self.eraser.inbox.lock();
            (std::mem::take(&mut inbox.accepted), std::mem::take(&mut inbox.burnt), std::mem::take(&mut inbox.due))
        };
        // Rule 3: burnt slots are redrawn before anything is called shredded.
        for (tree, allocator) in self.keys.allocators() {
            for slot in allocator.burnt() {
                burnt.erase(tree, SlotRef::first(slot));
            }
        }
        let redraw = redraw(&accepted, &burnt);
        let erasures = Erasures { accepted, burnt: burnt.len() as u64, told: None };
        Some(Work { erasures, redraw, burnt, due })
    }

    /// The epoch is committed: burnt slots are no longer to be redrawn.
    fn redrawn(&self, work: &Work) {
        for (tree, allocator) in self.keys.allocators() {
            allocator.redrawn(&slots_of(&work.burnt, tree));
        }
    }

    /// Nothing was committed: it is all still to be done.
    fn take_back(&self, work: Work) {
        let mut inbox = self.eraser.inbox.lock();
        inbox.accepted.splice(0..0, work.erasures.accepted);
        inbox.burnt.extend(&work.burnt);
        inbox.due |= work.due;
    }

    /// Says so once a move to another root store has ended.
    async fn tell_of_the_move(&mut self) {
        let Some(moving) = &self.moving else { return };
        match moving.is_done().await {
            Ok(true) => {
                tracing::info!("the roots have moved, and the old root store is empty: take root.from out");
                self.moving = None;
            }
            Ok(false) => {}
            Err(failure) => tracing::warn!(failure = causes(&failure), "cannot tell whether the roots have moved"),
        }
    }

    fn put_off(&self, what: &str, failure: &lethe_crypto::Error, wait: &mut Duration) {
        if let Some(time) = too_soon(failure) {
            tracing::info!(next_epoch_in = ?time, "the root store's memory must last: erasures wait, and share an epoch");
            return self.pause(time);
        }
        tracing::warn!(failure = causes(failure), retry_in = ?*wait, "{what}");
        self.pause(*wait);
        *wait = (*wait * 2).min(RETRY.1);
    }

    /// Until the time is over, or the vault stops: then nobody waits for a root store that is away.
    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut inbox = self.eraser.inbox.lock();
        while !inbox.stop && !self.eraser.arrived.wait_until(&mut inbox, until).timed_out() {}
    }

    fn stopping(&self) -> bool {
        self.eraser.inbox.lock().stop
    }
}

/// When the next root may be made, if that is all that is wrong.
fn too_soon(failure: &lethe_crypto::Error) -> Option<Duration> {
    let cause: &lethe_roots::Error = std::error::Error::source(failure)?.downcast_ref()?;
    if let lethe_roots::Error::TooSoon(time) = cause { Some(*time) } else { None }
}

fn slots_of(redraw: &Redraw, tree: TreeId) -> BTreeSet<u64> {
    redraw.iter().filter(|(of, _)| *of == tree).map(|(_, slot)| slot.slot).collect()
}
