//! How erasures and the root store stand: kept by the one writer of epochs, for health, metrics and operators.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lethe_crypto::Error;
use lethe_domain::Timestamp;
use parking_lot::Mutex;

use super::asked::Asked;
use crate::error::causes;

/// How long the root store may owe an answer before it counts as failing: a device that hangs gives no error.
const HANGS: Duration = Duration::from_secs(5);

/// How erasures and the root store stand. Rotations count as erasures: they are epochs like those.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Erasures that are accepted, and whose old root is not destroyed.
    pub pending: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
    /// The committed epoch.
    pub epoch: u64,
    /// Epochs that ended in this run: their roots are destroyed, and that is logged.
    pub ended: u64,
    /// Tries in this run to commit or to end an epoch that failed, whatever at.
    pub failed: u64,
    /// The root store.
    pub roots: RootStanding,
}

/// How the root store stands.
#[derive(Debug, Clone, PartialEq)]
pub struct RootStanding {
    /// Set while it cannot be used.
    pub failing: Option<Failing>,
    /// Its last fault in this run, also if that is over.
    pub last_fault: Option<Fault>,
    /// Calls that it failed in this run.
    pub failures: u64,
    /// It is claimed for this run of the vault, as far as it was asked.
    pub is_ours: bool,
    /// Roots that it held beside those of epochs when it was last looked at. The next epoch destroys them.
    pub orphans: u64,
    /// The vault is on its way to it from another store.
    pub moving: bool,
}

/// A root store that cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Failing {
    /// Since when.
    pub since: Timestamp,
    /// How long that is.
    pub lasts: Duration,
    /// Why not, for a person.
    pub why: String,
}

/// What was wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// When.
    pub at: Timestamp,
    /// What, for a person.
    pub text: String,
}

/// Where the epoch writer writes it down.
#[derive(Debug)]
pub(crate) struct Board {
    asked: Arc<Asked>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Erasures that are pending, by when they were accepted.
    pending: BTreeMap<Timestamp, u64>,
    /// Of these, those whose epoch is committed: they end with the old root.
    leaving: Vec<Timestamp>,
    epoch: u64,
    ended: u64,
    failed: u64,
    failing: Option<Since>,
    last_fault: Option<Fault>,
    /// Failures of the store that are accounted for.
    seen: u64,
    is_ours: bool,
    orphans: usize,
    moving: bool,
}

#[derive(Debug, Clone, Copy)]
struct Since {
    instant: Instant,
    /// Found by a look, so that a look may find it over. What an epoch failed at is over when an epoch succeeds.
    by_looking: bool,
}

impl Board {
    /// Of a vault at this epoch.
    pub(crate) fn new(asked: Arc<Asked>, epoch: u64, moving: bool) -> Self {
        let seen = asked.failures();
        let state = State {
            pending: BTreeMap::new(),
            leaving: Vec::new(),
            epoch,
            ended: 0,
            failed: 0,
            failing: None,
            last_fault: None,
            seen,
            is_ours: true,
            orphans: 0,
            moving,
        };
        Self { asked, state: Mutex::new(state) }
    }

    /// Who watches what the root store is asked.
    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// How things stand.
    pub(super) fn standing(&self) -> Standing {
        let (unanswered, failures) = (self.asked.unanswered(), self.asked.failures());
        let state = self.state.lock();
        let since = |lasts| Timestamp::from_millis(Timestamp::now().millis().saturating_sub(millis(lasts)));
        let failing = |lasts: Duration, why| Failing { since: since(lasts), lasts, why };
        let known = state.failing.map(|known| {
            let why = state.last_fault.as_ref().map(|fault| fault.text.clone());
            failing(known.instant.elapsed(), why.unwrap_or_default())
        });
        let hanging = unanswered
            .filter(|time| *time >= HANGS)
            .map(|lasts| failing(lasts, format!("it has not answered for {} s", lasts.as_secs())));
        Standing {
            pending: state.pending.values().sum(),
            oldest: state.pending.keys().next().copied(),
            epoch: state.epoch,
            ended: state.ended,
            failed: state.failed,
            roots: RootStanding {
                failing: known.or(hanging),
                last_fault: state.last_fault.clone(),
                failures,
                is_ours: state.is_ours,
                orphans: state.orphans as u64,
                moving: state.moving,
            },
        }
    }

    /// An erasure is accepted.
    pub(super) fn accepted(&self, at: Timestamp) {
        *self.state.lock().pending.entry(at).or_default() += 1;
    }

    /// An earlier run committed the epoch of this erasure, and did not end the one before.
    pub(super) fn resumed(&self, at: Timestamp) {
        self.accepted(at);
        self.state.lock().leaving.push(at);
    }

    /// The epoch of these erasures is committed.
    pub(super) fn committed(&self, accepted: Vec<Timestamp>, epoch: u64) {
        let mut state = self.state.lock();
        state.leaving.extend(accepted);
        state.epoch = epoch;
        // Whatever belonged to no epoch was destroyed before.
        state.orphans = 0;
        state.is_ours = true;
    }

    /// The root of the epoch before this one is destroyed, and that is logged.
    pub(super) fn ended(&self, epoch: u64) {
        let mut state = self.state.lock();
        for at in std::mem::take(&mut state.leaving) {
            if let Some(count) = state.pending.get_mut(&at) {
                *count -= 1;
                if *count == 0 {
                    state.pending.remove(&at);
                }
            }
        }
        state.epoch = epoch;
        state.ended += 1;
        state.orphans = 0;
        self.is_well(&mut state);
    }

    /// An epoch cannot be committed, or not be ended; maybe the root store is to blame.
    pub(super) fn failed(&self, failure: &Error) {
        let mut state = self.state.lock();
        state.failed += 1;
        let waited = self.news(&mut state);
        if waited.is_some() || says_so_itself(failure) {
            state.is_unwell(failure, waited).by_looking = false;
        }
    }

    /// The root store wants time for its medium, so it is well.
    pub(super) fn must_wait(&self) {
        self.is_well(&mut self.state.lock());
    }

    /// The root store was looked at while there was nothing to do: how many roots it holds that belong to no epoch.
    /// Whether that ends what was wrong with it.
    pub(super) fn looked(&self, orphans: usize) -> bool {
        let mut state = self.state.lock();
        state.orphans = orphans;
        match state.failing {
            Some(failing) if failing.by_looking => {
                self.is_well(&mut state);
                true
            }
            Some(_) | None => false,
        }
    }

    /// It was looked at and cannot be used. Whether that is new.
    pub(super) fn looked_in_vain(&self, failure: &Error) -> bool {
        let mut state = self.state.lock();
        let waited = self.news(&mut state);
        let was_well = state.failing.is_none();
        state.is_unwell(failure, waited).by_looking |= was_well;
        was_well
    }

    /// The vault is where it was to move.
    pub(super) fn arrived(&self) {
        self.state.lock().moving = false;
    }

    /// Whether a call failed that nobody accounted for yet: how long ago it began.
    fn news(&self, state: &mut State) -> Option<Duration> {
        let failures = self.asked.failures();
        let news = failures > std::mem::replace(&mut state.seen, failures);
        self.asked.failed().filter(|_| news)
    }

    fn is_well(&self, state: &mut State) {
        state.seen = self.asked.failures();
        state.failing = None;
        state.is_ours = true;
    }
}

impl State {
    /// It fails, and has failed since it was asked what it was `waited` for.
    fn is_unwell(&mut self, failure: &Error, waited: Option<Duration>) -> &mut Since {
        self.last_fault = Some(Fault { at: Timestamp::now(), text: causes(failure) });
        self.is_ours = !matches!(failure, Error::Fenced | Error::ForeignVault | Error::Unclaimed);
        let now = Instant::now();
        let instant = waited.and_then(|waited| now.checked_sub(waited)).unwrap_or(now);
        self.failing.get_or_insert(Since { instant, by_looking: false })
    }
}

/// Found by the epoch writer in what the root store answered, which was no error.
fn says_so_itself(failure: &Error) -> bool {
    matches!(
        failure,
        Error::RootsRemain(_) | Error::RootMissing { .. } | Error::Fenced | Error::ForeignVault | Error::Unclaimed
    )
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        Board::new(Arc::new(Asked::default()), 7, false)
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn erasures_are_pending_from_their_acceptance_to_the_end_of_the_old_root() {
        let board = board();
        board.resumed(at(3));
        for time in [5, 5, 9] {
            board.accepted(at(time));
        }
        let stands = || (board.standing().pending, board.standing().oldest.map(Timestamp::millis));
        assert_eq!(stands(), (4, Some(3)));
        board.ended(7);
        assert_eq!(stands(), (3, Some(5)));
        board.committed(vec![at(5), at(9)], 8);
        assert_eq!(stands(), (3, Some(5)), "the old root is still there");
        board.ended(8);
        assert_eq!(stands(), (1, Some(5)));
        board.committed(vec![at(5)], 9);
        board.ended(9);
        assert_eq!(stands(), (0, None));
        assert_eq!((board.standing().epoch, board.standing().ended), (9, 3));
    }

    #[test]
    fn what_an_epoch_failed_at_is_over_when_an_epoch_ends() {
        let board = board();
        board.failed(&Error::RootsRemain(1));
        board.looked(1);
        let standing = board.standing();
        assert!(standing.roots.failing.is_some() && standing.roots.is_ours, "it answers, and does not destroy");
        assert_eq!((standing.failed, standing.roots.orphans), (1, 1));
        board.ended(8);
        let standing = board.standing();
        assert!(standing.roots.failing.is_none() && standing.roots.last_fault.is_some());
        assert_eq!(standing.roots.orphans, 0);
    }

    #[test]
    fn what_a_look_found_is_over_when_another_finds_it_so() {
        let board = board();
        assert!(board.looked_in_vain(&Error::Fenced));
        assert!(!board.looked_in_vain(&Error::Fenced), "that is known");
        assert!(!board.standing().roots.is_ours);
        assert!(board.looked(0));
        assert!(board.standing().roots.failing.is_none() && board.standing().roots.is_ours);
        // An epoch fails at it, too: then looking does not help.
        board.looked_in_vain(&Error::Unclaimed);
        board.failed(&Error::Unclaimed);
        assert!(!board.looked(0) && board.standing().roots.failing.is_some());
        board.must_wait();
        assert!(board.standing().roots.failing.is_none());
    }

    #[test]
    fn what_is_not_the_root_stores_fault_is_not_held_against_it() {
        let board = board();
        board.failed(&Error::Journal { action: "publishing from", source: "a mirror".into() });
        assert_eq!((board.standing().failed, board.standing().roots.failing), (1, None));
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_fails_without_an_error() {
        let asked = Arc::new(Asked::default());
        let board = Board::new(Arc::clone(&asked), 0, false);
        assert_eq!(asked.unanswered(), None);
        let call = asked.answer(std::future::pending::<Result<(), Error>>());
        assert!(tokio::time::timeout(Duration::from_millis(10), call).await.is_err());
        assert_eq!((asked.unanswered(), asked.failures()), (None, 0), "who asked has given up");
        let slow = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err::<(), _>(Error::Fenced)
        };
        asked.answer(slow).await.unwrap_err();
        board.failed(&Error::MustReopen);
        let roots = board.standing().roots;
        assert_eq!(roots.failures, 1);
        assert!(roots.failing.unwrap().lasts >= Duration::from_millis(20), "since it was asked");
    }
}
