use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lethe_crypto::epoch::{EpochWriter, Outcome, Takeover};
use lethe_crypto::root::{MigratingRootStore, RootStore};
use lethe_crypto::tree::{Redraw, SlotRef, TreeId};

use super::journal::{Erasures, StoreJournal};
use super::task::redraw;
use super::{Eraser, too_soon};
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
    /// When the root store is to be looked at, unless it is needed before.
    look_at: Instant,
}

/// How erasures come to share epochs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long an epoch waits for more erasures to share it, while they come in company.
    pub(crate) window: Duration,
    /// From the beginning of one epoch to that of the next, at least.
    pub(crate) least_interval: Duration,
    /// How often the root store is looked at while it is not needed.
    pub(crate) look_every: Duration,
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
    let (own, look_at) = (Arc::clone(&eraser), Instant::now() + pace.look_every);
    let worker = Worker { eraser: own, writer, journal, roots, keys, pace, begun, shared, moving, look_at };
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
                    self.put_off("an old root cannot be destroyed; erasures stay pending", &failure, &mut wait).await;
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
                    self.committed(&work);
                    self.eraser.end(self.writer.epoch().number);
                }
                Ok(Outcome::Pending(failure)) => {
                    wait = RETRY.0;
                    self.begun = Some(began);
                    self.committed(&work);
                    self.eraser.board.failed(&failure);
                    let failure = causes(&failure);
                    tracing::warn!(failure, "an old root cannot be destroyed; erasures stay pending");
                }
                Err(failure) => {
                    self.take_back(work);
                    self.put_off("an epoch cannot be committed; erasures stay pending", &failure, &mut wait).await;
                    if self.stopping() {
                        break;
                    }
                }
            }
            self.shared = company.then(Instant::now);
            self.look_at = Instant::now() + self.pace.look_every;
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
        while !self.is_asked()? {
            self.look().await;
        }
        // Roots may be dear: erasures wait, and share the next one. What waits when the vault stops does not wait longer.
        if let Some(begun) = self.begun {
            self.rest(self.pace.least_interval.saturating_sub(begun.elapsed())).await;
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

    /// Waits for erasures; `false` if it is time to look at the root store before there are any, `None` to stop.
    fn is_asked(&self) -> Option<bool> {
        let mut inbox = self.eraser.inbox.lock();
        loop {
            if !inbox.accepted.is_empty() || inbox.due {
                return Some(true);
            }
            if inbox.stop {
                return None;
            }
            if self.eraser.arrived.wait_until(&mut inbox, self.look_at).timed_out() {
                return Some(false);
            }
        }
    }

    /// Looks at the root store, so that whoever runs the vault hears of a store that is away before it is needed.
    async fn look(&mut self) {
        let looked = self.writer.look().await;
        self.look_at = Instant::now() + self.pace.look_every;
        let board = &self.eraser.board;
        match looked {
            Ok(orphans) => {
                if board.looked(orphans) {
                    tracing::info!("the root store can be used again");
                }
            }
            Err(failure) => {
                if board.looked_in_vain(&failure) {
                    let failure = causes(&failure);
                    tracing::warn!(failure, "the root store cannot be used; erasures would stay pending");
                }
            }
        }
    }

    /// The epoch is committed: its erasures end with the old root, and burnt slots are no longer to be redrawn.
    fn committed(&self, work: &Work) {
        let accepted = work.erasures.accepted.iter().map(|erasure| erasure.accepted_at).collect();
        self.eraser.board.committed(accepted, self.writer.epoch().number);
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
        match self.eraser.board.asked().answer(moving.is_done()).await {
            Ok(true) => {
                tracing::info!("the roots have moved, and the old root store is empty: take root.from out");
                self.eraser.board.arrived();
                self.moving = None;
            }
            Ok(false) => {}
            Err(failure) => tracing::warn!(failure = causes(&failure), "cannot tell whether the roots have moved"),
        }
    }

    async fn put_off(&mut self, what: &str, failure: &lethe_crypto::Error, wait: &mut Duration) {
        if let Some(time) = too_soon(failure) {
            self.eraser.board.must_wait();
            tracing::info!(next_epoch_in = ?time, "the root store's memory must last: erasures wait, and share an epoch");
            return self.rest(time).await;
        }
        self.eraser.board.failed(failure);
        tracing::warn!(failure = causes(failure), retry_in = ?*wait, "{what}");
        self.wait_until(Instant::now() + *wait);
        *wait = (*wait * 2).min(RETRY.1);
    }

    /// Waits as long as the root store, or the configuration, wants it, and looks at the store now and then.
    async fn rest(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while !self.wait_until(until.min(self.look_at)) && Instant::now() < until {
            self.look().await;
        }
    }

    /// Until then, or the vault stops, which it tells: then nobody waits for a root store that is away.
    fn wait_until(&self, until: Instant) -> bool {
        let mut inbox = self.eraser.inbox.lock();
        while !inbox.stop && !self.eraser.arrived.wait_until(&mut inbox, until).timed_out() {}
        inbox.stop
    }

    fn stopping(&self) -> bool {
        self.eraser.inbox.lock().stop
    }
}

fn slots_of(redraw: &Redraw, tree: TreeId) -> BTreeSet<u64> {
    redraw.iter().filter(|(of, _)| *of == tree).map(|(_, slot)| slot.slot).collect()
}
