//! Deaths at the durable steps, and power cuts.

use std::fs::OpenOptions;

use rand::Rng;
use rand::seq::IteratorRandom;

use super::history::{History, is_death};
use super::images::newest_log;
use super::ledger::Change;
use super::wal;
use crate::failpoints::{OF_BACKUPS, OF_RESTORES, deadly};

/// Steps at which the last batch was written and not synced.
const UNSYNCED: [&str; 2] = ["commit-before-follow", "commit-before-sync"];
/// Changes asked for until a failpoint is reached.
const TRIES: usize = 8;

/// Batches that a life of one change writes, at most.
const BATCHES: usize = 16;
/// How long an epoch waits for others that are to join it.
const WINDOW_MS: u64 = 400;

impl History {
    /// Dies at a failpoint, the `nth` time it is reached; then once more there, in the recovery, if it gets there.
    pub(super) async fn die_at(&mut self, failpoint: &'static str, nth: u32) {
        if OF_BACKUPS.contains(&failpoint) {
            self.die_in_a_backup(failpoint).await;
        } else if OF_RESTORES.contains(&failpoint) {
            let name = self.restore(Some(failpoint)).await;
            self.count(name);
            self.count("deaths at a step");
            self.image();
        } else {
            self.die_in_a_change(failpoint, nth).await;
        }
    }

    async fn die_in_a_change(&mut self, failpoint: &'static str, nth: u32) {
        self.stop().await;
        let deadly = deadly(failpoint);
        self.arm(Some(&format!("{failpoint}={}*off->{deadly}", nth - 1)));
        let mut unanswered = None;
        match self.vault.try_start().await {
            Ok(()) => {
                for attempt in 0..TRIES {
                    let change = self.deadly_change(attempt).await;
                    let Ok(change) = change else { break };
                    match self.attempt(&change).await {
                        Ok(()) => self.image(),
                        Err(refusal) => {
                            assert!(is_death(&refusal), "{refusal}");
                            unanswered = Some(change);
                            break;
                        }
                    }
                }
                match unanswered {
                    Some(_) => drop(self.vault.died().await),
                    None => {
                        self.counts.unreached.push((failpoint, nth));
                        self.vault.kill().await;
                    }
                }
            }
            Err(exited) => assert!(!exited.status.success(), "{failpoint}: ended well"),
        }
        self.died();
        if UNSYNCED.contains(&failpoint) && unanswered.is_some() && self.random.random_bool(0.7) {
            self.cut_the_power(0x04);
        }
        self.arm(Some(&format!("{failpoint}={deadly}")));
        match self.vault.try_start().await {
            Ok(()) => self.vault.kill().await,
            Err(exited) => assert!(!exited.status.success(), "{failpoint}: ended well"),
        }
        self.died();
        self.arm(None);
        self.start().await;
        if let Some(change) = unanswered {
            self.perform(change).await;
        }
        self.count("deaths at a step");
        self.image();
    }

    /// Erasures first: most steps are theirs.
    async fn deadly_change(&mut self, attempt: usize) -> Result<Change, ()> {
        let Some(person) = self.somebody(&[]) else {
            let person = self.random.random_range(0..self.people.len());
            return Ok(self.new_enrolment(person));
        };
        Ok(match (attempt % 4, self.people[person].live_templates().first()) {
            (0, _) => self.new_erasure(person, false),
            (1, Some(&place)) => self.new_replacement(person, place),
            (2, _) => self.new_rotation(person),
            _ => self.new_enrolment(person),
        })
    }

    /// An epoch that was on the disk and is lost to a power cut, twice; then others join it.
    pub(super) async fn abort_and_grow(&mut self) {
        let first = self.somebody_with_a_template(&[]).await;
        let erasure = self.new_erasure(first, false);
        self.stop().await;
        self.lose(Some(&erasure), 0x04).await;
        // The intent is there: the next life takes it up by itself.
        self.lose(None, 0x04).await;
        self.vault.reconfigure(|setup| setup.set("erasure.window_ms", WINDOW_MS));
        self.start().await;
        let second = self.somebody_with_a_template(&[first]).await;
        let third = self.somebody_with_a_template(&[first, second]).await;
        let place = self.people[third].live_templates()[0];
        let others = [self.new_erasure(second, false), self.new_deletion(third, place)];
        let (a, b, c) = tokio::join!(erasure.ask(), others[0].ask(), others[1].ask());
        for (change, answer) in [&erasure, &others[0], &others[1]].into_iter().zip([a, b, c]) {
            self.take_in(change, answer).expect("nothing keeps the server from answering");
        }
        self.vault.reconfigure(|setup| setup.set("erasure.window_ms", 5));
        self.count("aborted epochs that grow");
        self.image();
    }

    /// An enrolment that was on the disk and is lost to a power cut: its slots are burnt.
    pub(super) async fn burn(&mut self) {
        // Whoever is not enrolled has a subject's slot burnt, too.
        let strangers = (0..self.people.len()).filter(|person| self.people[*person].alive().is_none());
        let person = strangers.choose(&mut self.random).unwrap_or(0);
        let enrolment = self.new_enrolment(person);
        self.stop().await;
        self.lose(Some(&enrolment), 0x21).await;
        self.start().await;
        self.perform(enrolment).await;
        self.count("burnt enrolments");
        self.image();
    }

    /// Asks for a change, if there is one, and has the server die of one batch after the other that it writes in a life, until it is one
    /// with a row of this kind. Each of them was on the disk, and is lost to a power cut.
    async fn lose(&mut self, change: Option<&Change>, kind: u8) {
        for nth in 0..BATCHES {
            self.arm(Some(&format!("commit-before-follow={nth}*off->panic")));
            match self.vault.try_start().await {
                Ok(()) => {
                    self.image();
                    if let Some(change) = change {
                        let refusal = self.attempt(change).await.expect_err("the server dies of it");
                        assert!(is_death(&refusal), "{refusal}");
                    }
                    self.vault.died().await;
                }
                Err(exited) => assert!(!exited.status.success(), "ended well"),
            }
            self.died();
            if self.cut_the_power(kind) {
                self.arm(None);
                return;
            }
        }
        panic!("no batch has a row of the kind {kind:02x}");
    }

    /// Takes the last batch back that was written and not synced, or a part of it, as a power cut does. Whether it had a
    /// row of this kind.
    fn cut_the_power(&mut self, kind: u8) -> bool {
        let path = newest_log(&self.vault.data_dir());
        let log = std::fs::read(&path).unwrap();
        let Some(last) = wal::batches(&log).pop() else { return false };
        let length = self.random.random_range(last.begin..last.end) as u64;
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        self.image_closed();
        let has = |kind| last.puts.iter().any(|(key, _)| key[0] == kind);
        self.counts.aborted += usize::from(has(0x04));
        self.counts.burnt += usize::from(has(0x21));
        has(kind)
    }
}
