//! What may happen to a vault, one thing after the other.

use rand::Rng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rustix::process::{Pid, Signal, kill_process};

use super::history::History;
use super::ledger::{Change, What};

/// Changes that are asked for at the same time.
const BURST: std::ops::Range<usize> = 3..9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Change,
    Rotation,
    Erasure,
    Read,
    Shredding,
    Burst,
    KilledBurst,
    Restart,
    Kill,
    TwoKills,
    RefusedClone,
    Clone,
    Compaction,
    Backup,
    Verification,
    Pruning,
    Restore,
}

/// How often each happens, of a hundred operations.
const OFTEN: [(Kind, u32); 17] = [
    (Kind::Change, 49),
    (Kind::Rotation, 3),
    (Kind::Erasure, 4),
    (Kind::Read, 13),
    (Kind::Shredding, 1),
    (Kind::Burst, 7),
    (Kind::KilledBurst, 3),
    (Kind::Restart, 3),
    (Kind::Kill, 3),
    (Kind::TwoKills, 2),
    (Kind::RefusedClone, 2),
    (Kind::Clone, 1),
    (Kind::Compaction, 1),
    (Kind::Backup, 5),
    (Kind::Verification, 1),
    (Kind::Pruning, 1),
    (Kind::Restore, 1),
];

/// What each is counted as, and in every history there is one of each. Of changes there are several kinds.
const KINDS: [(&str, Kind); 21] = [
    ("enrolments", Kind::Change),
    ("replacements", Kind::Change),
    ("deletions", Kind::Change),
    ("erasures", Kind::Erasure),
    ("rotations", Kind::Rotation),
    ("reads", Kind::Read),
    ("tenants shredded", Kind::Shredding),
    ("bursts", Kind::Burst),
    ("bursts, killed", Kind::KilledBurst),
    ("restarts", Kind::Restart),
    ("kills", Kind::Kill),
    ("kills, twice in a row", Kind::TwoKills),
    ("clones refused", Kind::RefusedClone),
    ("clones that took over", Kind::Clone),
    ("compactions", Kind::Compaction),
    ("backups", Kind::Backup),
    ("backups verified", Kind::Verification),
    ("backups pruned", Kind::Pruning),
    ("losses of the database restored", Kind::Restore),
    ("losses of everything restored", Kind::Restore),
    ("databases put back and restored", Kind::Restore),
];

/// Names of what happens in every history.
pub const OPERATIONS: [&str; 18] = {
    let mut names = [""; 18];
    let mut number = 0;
    while number < names.len() {
        names[number] = KINDS[number].0;
        number += 1;
    }
    names
};

/// Names of what happens besides, where a binary with failpoints erases as it should.
pub const BLOWS: [&str; 9] = [
    "deaths at a step",
    "deaths amid a tenant's shredding",
    "aborted epochs that grow",
    "burnt enrolments",
    "losses of the database restored",
    "losses of everything restored",
    "databases put back and restored",
    "erasures of who came back",
    "reckonings",
];

impl History {
    /// One thing that happens, chosen at random, and an image.
    pub(super) async fn operation(&mut self) {
        let (kind, _) = *OFTEN.choose_weighted(&mut self.random, |(_, often)| *often).expect("something can happen");
        self.happens(kind).await;
    }

    /// What chance has left out.
    pub(super) async fn what_is_missing(&mut self) {
        for (name, kind) in KINDS {
            let is_left_out = kind == Kind::Restore && self.always.is_some();
            while !is_left_out && !self.counts.by_name.contains_key(name) {
                self.happens(kind).await;
            }
        }
        // Of two backups with nothing in between the second has the tables of the first.
        while self.counts.incremental == 0 {
            for kind in [Kind::Restart, Kind::Backup, Kind::Backup] {
                self.happens(kind).await;
            }
        }
    }

    async fn happens(&mut self, kind: Kind) {
        let name = match kind {
            Kind::Change => self.change().await,
            Kind::Rotation => self.rotate().await,
            Kind::Erasure => self.erase_and_wait().await,
            Kind::Read => self.look().await,
            Kind::Shredding => self.shred(None).await,
            Kind::Burst => self.burst(false).await,
            Kind::KilledBurst => self.burst(true).await,
            Kind::Restart => self.restart().await,
            Kind::Kill => self.kill(1).await,
            Kind::TwoKills => self.kill(2).await,
            Kind::RefusedClone => self.refuse_a_clone().await,
            Kind::Clone => self.give_way_to_a_clone().await,
            Kind::Compaction => self.compact().await,
            Kind::Verification => self.verify_a_backup().await,
            Kind::Pruning => self.prune_backups().await,
            // Where keys stay, whoever was erased would come back.
            Kind::Restore if self.always.is_none() => self.restore(None).await,
            Kind::Backup | Kind::Restore => self.back_up().await,
        };
        self.count(name);
        self.image();
    }

    async fn change(&mut self) -> &'static str {
        let person = self.random.random_range(0..self.people.len());
        let change = self.some_change(person);
        let name = match change.what {
            What::Enroll { .. } => "enrolments",
            What::Replace { .. } => "replacements",
            What::Delete(_) => "deletions",
            What::Erase => "erasures",
            What::Rotate => "rotations",
        };
        self.perform(change).await;
        name
    }

    async fn rotate(&mut self) -> &'static str {
        let person = self.random.random_range(0..self.people.len());
        let change = self.new_rotation(person);
        self.perform(change).await;
        "rotations"
    }

    pub(super) async fn erase_and_wait(&mut self) -> &'static str {
        let person = self.somebody_with_a_template(&[]).await;
        let change = self.new_erasure(person, false);
        self.perform(change).await;
        "erasures"
    }

    /// A read: it leaves an entry in the log that is about a subject.
    async fn look(&mut self) -> &'static str {
        let person = self.somebody_with_a_template(&[]).await;
        let place = *self.people[person].live_templates().choose(&mut self.random).unwrap();
        let (tenant, id) = (&self.tenants[self.people[person].tenant], self.people[person].id.clone());
        let face = self.vector(self.people[person].alive().unwrap().templates[place].face);
        let found = match self.random.random_range(0..4) {
            0 => tenant.analyst().search(&face).await.map(drop),
            1 => tenant.privacy_officer().subject(&id).await.map(drop),
            _ => tenant.authenticator().verify(&id, &face).await.map(drop),
        };
        found.expect("a read is answered");
        "reads"
    }

    /// Changes of several people at the same time, which share batches and epochs; with the server killed in the
    /// middle of them, or not.
    async fn burst(&mut self, kill: bool) -> &'static str {
        let number = self.random.random_range(BURST);
        let people = (0..self.people.len()).choose_multiple(&mut self.random, number);
        let mut changes: Vec<Change> = people.into_iter().map(|person| self.some_change(person)).collect();
        let tasks: Vec<_> =
            changes.iter().cloned().map(|change| tokio::spawn(async move { change.ask().await })).collect();
        if kill {
            tokio::time::sleep(std::time::Duration::from_micros(self.random.random_range(0..25_000))).await;
            let process = i32::try_from(self.vault.pid().await).ok().and_then(Pid::from_raw).unwrap();
            kill_process(process, Signal::KILL).unwrap();
        }
        let mut unanswered = Vec::new();
        for (change, task) in changes.drain(..).zip(tasks) {
            let answer = task.await.unwrap();
            if let Err(refusal) = self.take_in(&change, answer) {
                assert!(kill, "the server failed by itself at {:?}: {refusal}", change.what);
                unanswered.push(change);
            }
        }
        if kill {
            self.vault.died().await;
            self.died();
            self.start().await;
        }
        // Who got no answer asks again.
        for change in unanswered {
            self.perform(change).await;
        }
        if kill { "bursts, killed" } else { "bursts" }
    }

    pub(super) async fn restart(&mut self) -> &'static str {
        self.stop().await;
        self.start().await;
        "restarts"
    }

    /// `kill -9`; with a second one, in the middle of the recovery.
    async fn kill(&mut self, times: usize) -> &'static str {
        self.vault.kill().await;
        self.died();
        for _ in 1..times {
            let mut process = self.setup.spawn(self.vault.home());
            tokio::time::sleep(std::time::Duration::from_millis(self.random.random_range(0..200))).await;
            process.kill().await;
            self.died();
        }
        self.start().await;
        if times > 1 { "kills, twice in a row" } else { "kills" }
    }
}
