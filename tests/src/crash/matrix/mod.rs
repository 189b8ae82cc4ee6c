//! Every durable step, and every way in which it may be the last.
//!
//! Histories are recorded below real servers and commands: a vault's life from its founding, its move to another root
//! store, and a restore. From the trace the disks are built as they are after any durable step, under each fault: the process dies;
//! the power goes, and what no sync made sure is lost, kept or torn; the power goes, and one device had not done what it
//! acknowledged for a while. On these disks the real server is started, sometimes to be crashed again while it opens them. It must
//! open, or refuse and say the way out, which must lead there. Then all that clients were told before that step is held against it, and the adversary
//! of the time-travel test, who has every byte that was ever written and the root files of that moment, must find nothing
//! of what was shredded.

mod backups;
mod history;
mod judge;
mod known;
mod points;
mod report;
mod twice;
mod way_out;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt as _;
use rand::seq::IteratorRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::disk::{Device, Fault, Unsynced};
use crate::time_travel::Traced;
use history::Recording;
use judge::Case;
pub use points::Operation;
pub use report::{Cell, Report};

/// Cases that are judged at the same time.
const AT_ONCE: usize = 3;
/// How many points back a device began to lie, at most.
const LIES: usize = 60;
/// Steps of each operation at which there are two crashes in a row, where all steps are judged.
const TWICE: usize = 40;

/// What ends a vault's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Blow {
    Killed,
    /// The power goes; all devices did what they acknowledged.
    Torn,
    /// The power goes, and this one did not.
    Lied(Device),
    /// The process dies or the power goes, and once more while what is left is opened.
    Twice,
    /// None of them did.
    AllLied,
}

/// Histories that were recorded.
pub struct Matrix {
    recordings: Vec<Arc<Recording>>,
    traced: Arc<Traced>,
    random: ChaCha8Rng,
}

impl Matrix {
    /// Records servers and commands of a binary with failpoints.
    pub async fn record(binary: PathBuf, seed: u64) -> Self {
        let (recordings, traced) = history::record(&binary, seed).await;
        let recordings = recordings.into_iter().map(Arc::new).collect();
        Self { recordings, traced: Arc::new(traced), random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Durable steps that were recorded, by the operation that they are of.
    #[must_use]
    pub fn steps(&self) -> BTreeMap<Operation, usize> {
        let mut steps = BTreeMap::new();
        for point in self.recordings.iter().flat_map(|recording| &recording.points) {
            *steps.entry(point.operation).or_default() += 1;
        }
        steps
    }

    /// Failpoints that no recording has come by.
    #[must_use]
    pub fn unreached(&self) -> Vec<&'static str> {
        let points = || self.recordings.iter().flat_map(|recording| &recording.points);
        crate::failpoints::all().into_iter().filter(|name| !points().any(|point| point.step == *name)).collect()
    }

    /// Judges every operation under every fault: so many steps of each, or all. Twice in a row, where a server is recorded
    /// again for each, half as many, and `TWICE` of all.
    pub async fn judge(&mut self, steps: Option<usize>) -> Report {
        let mut cases = Vec::new();
        for recording in self.recordings.clone() {
            for blow in recording.blows() {
                let steps =
                    if blow == Blow::Twice { Some(steps.map_or(TWICE, |steps| steps.div_ceil(2))) } else { steps };
                cases.extend(self.choose(&recording, blow, steps));
            }
        }
        self.run(cases).await
    }

    /// Judges disks that no fault leaves: no device had done anything for a while. Whoever finds nothing is blind.
    pub async fn judge_the_impossible(&mut self, steps: usize) -> Report {
        let life = Arc::clone(&self.recordings[0]);
        let cases = self.choose(&life, Blow::AllLied, Some(steps));
        self.run(cases).await
    }

    fn choose(&mut self, recording: &Arc<Recording>, blow: Blow, steps: Option<usize>) -> Vec<Case> {
        let mut by_operation: BTreeMap<Operation, Vec<usize>> = BTreeMap::new();
        let points = recording.points.iter().enumerate();
        for (place, point) in points.filter(|(_, point)| recording.concerns(blow, point)) {
            // What lies in backups alone needs no more than what they are made of.
            if steps.is_some() && blow == Blow::Lied(Device::Backups) && point.operation != Operation::Backup {
                continue;
            }
            by_operation.entry(point.operation).or_default().push(place);
        }
        let mut cases = Vec::new();
        for places in by_operation.into_values() {
            let mut chosen = match steps {
                Some(steps) => places.into_iter().choose_multiple(&mut self.random, steps),
                None => places,
            };
            chosen.sort_unstable();
            for place in chosen {
                let fault = self.fault(recording, blow, place);
                cases.push(Case {
                    recording: Arc::clone(recording),
                    traced: Arc::clone(&self.traced),
                    place,
                    blow,
                    fault,
                });
            }
        }
        cases
    }

    fn fault(&mut self, recording: &Recording, blow: Blow, place: usize) -> Fault {
        let seed = self.random.random();
        let lost = [Unsynced::Dropped, Unsynced::Cut, Unsynced::Scattered];
        let lost = lost[self.random.random_range(0..lost.len())];
        let mut earliest = place.saturating_sub(LIES);
        if blow == Blow::Lied(Device::Backups) {
            // Since before there was one.
            let first = recording.first_backup();
            let first = recording.points.partition_point(|point| point.clock < first);
            earliest = earliest.min(first.saturating_sub(LIES));
        }
        let since = recording.points[self.random.random_range(earliest..=place)].at;
        match blow {
            Blow::Killed => Fault::death(seed),
            Blow::Torn => Fault::power_cut(lost, seed),
            Blow::Twice if self.random.random_bool(0.3) => Fault::death(seed),
            Blow::Twice => Fault::power_cut(lost, seed),
            Blow::Lied(device) => {
                let unsynced = [Unsynced::Kept, lost][self.random.random_range(0..2)];
                Fault { liar: Some((device, since)), ..Fault::power_cut(unsynced, seed) }
            }
            Blow::AllLied => Fault { deaf: Some(since), ..Fault::power_cut(Unsynced::Dropped, seed) },
        }
    }

    async fn run(&self, cases: Vec<Case>) -> Report {
        let judged = futures::stream::iter(cases).map(|case| async {
            let (operation, blow) = (case.recording.points[case.place].operation, case.blow);
            let verdict = tokio::spawn(judge::judge(case)).await.expect("a judge judges");
            (operation, blow, verdict)
        });
        let mut report = Report::default();
        let mut judged = judged.buffer_unordered(AT_ONCE);
        while let Some((operation, blow, verdict)) = judged.next().await {
            report.add(operation, blow, verdict);
        }
        report
    }
}
