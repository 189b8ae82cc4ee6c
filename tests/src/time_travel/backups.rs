//! Backups: made, verified and pruned while the vault serves.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rand::Rng;
use rand::seq::IteratorRandom;

use lethe_proto::v1::{BackupState, VerificationState};

use super::history::History;
use super::ledger::Person;

/// Backups that are kept, at most.
const MOST: usize = 8;
/// What a panic leaves in the log of a thread of backups.
const PANICS: &str = "panic; the message is withheld";

impl History {
    /// Makes a backup; old ones go when there are many.
    pub(super) async fn back_up(&mut self) -> &'static str {
        self.make_a_backup().await;
        if self.backups.len() > MOST {
            let name = self.prune_backups().await;
            self.count(name);
        }
        "backups"
    }

    async fn make_a_backup(&mut self) {
        let made = self.vault.operator().back_up().await.expect("a backup is made");
        assert_eq!(made.state(), BackupState::Done, "{made:?}");
        self.note_backups().await;
    }

    pub(super) async fn verify_a_backup(&mut self) -> &'static str {
        let number = self.some_backup().await;
        let verified = self.vault.operator().verify_backup(&format!("backups/{number}")).await;
        let verified = verified.expect("a backup is verified").verification.expect("it says how it stands");
        assert_eq!(verified.state(), VerificationState::Done, "{verified:?}");
        "backups verified"
    }

    pub(super) async fn prune_backups(&mut self) -> &'static str {
        self.two_backups().await;
        let keep = self.random.random_range(1..self.backups.len());
        let pruned = self.vault.operator().prune_backups(i32::try_from(keep).unwrap()).await;
        assert_eq!(pruned.expect("old backups are deleted").kept.len(), keep);
        self.note_backups().await;
        assert_eq!(self.backups.len(), keep);
        "backups pruned"
    }

    /// A last backup has people who are there at the end, and one who is not: who is erased at the last reckoning.
    pub(super) async fn something_to_drill(&mut self) {
        self.two_backups().await;
        let first = self.somebody_with_a_template(&[]).await;
        let second = self.somebody_with_a_template(&[first]).await;
        self.somebody_with_a_template(&[first, second]).await;
        let name = self.back_up().await;
        self.count(name);
        self.two_backups().await;
    }

    /// Any of the backups that there are.
    async fn some_backup(&mut self) -> u32 {
        if self.backups.is_empty() {
            self.make_a_backup().await;
        }
        self.backups.keys().copied().choose(&mut self.random).expect("one was made")
    }

    async fn two_backups(&mut self) {
        while self.backups.len() < 2 {
            self.make_a_backup().await;
        }
    }

    /// Takes in which backups there are. One that is new has what the clients know now: nothing happened since it was begun.
    async fn note_backups(&mut self) {
        let listed = self.vault.operator().backups().await.expect("backups are listed");
        let done = listed.iter().filter(|backup| backup.state() == BackupState::Done);
        let numbers: BTreeSet<u32> = done.map(|backup| backup.name["backups/".len()..].parse().unwrap()).collect();
        self.backups.retain(|number, _| numbers.contains(number));
        let folder = self.vault.home().backups();
        for number in numbers {
            if self.backups.contains_key(&number) {
                continue;
            }
            let own = shared_files(&folder, number);
            let others = self.backups.keys().any(|other| !shared_files(&folder, *other).is_disjoint(&own));
            self.counts.incremental += usize::from(others);
            let then: Vec<Person> = self.people.clone();
            self.backups.insert(number, then);
        }
    }

    /// A backup is made, or old ones are deleted, and its thread ends at a step of that; then the server is killed. And once
    /// more.
    pub(super) async fn die_in_a_backup(&mut self, failpoint: &'static str) {
        self.two_backups().await;
        let prunes = failpoint.contains("prune");
        for _ in 0..2 {
            self.stop().await;
            self.arm(Some(&format!("{failpoint}=panic")));
            self.vault.start().await;
            let panics = self.vault.log().matches(PANICS).count();
            let operator = self.vault.operator();
            // Whatever is answered: the work is not done to its end.
            match prunes {
                true => drop(operator.prune_backups(1).await),
                false => drop(operator.back_up().await),
            }
            assert!(self.vault.log().matches(PANICS).count() > panics, "{failpoint} was not reached");
            self.vault.kill().await;
            self.died();
            self.arm(None);
            self.start().await;
            self.note_backups().await;
            self.two_backups().await;
        }
        self.count("deaths at a step");
        self.image();
    }
}

/// Table files of a backup, which others may have, too.
fn shared_files(folder: &Path, number: u32) -> BTreeSet<String> {
    let listed = fs::read_to_string(folder.join("meta").join(number.to_string())).unwrap();
    let files = listed.lines().filter(|line| line.starts_with("shared_checksum/"));
    files.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
