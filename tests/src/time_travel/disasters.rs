//! The data is lost, or put back, and restored under the mirror that is left. Then people who came back are erased.

use std::fs;

use rand::Rng;
use rand::seq::{IndexedRandom, IteratorRandom};
use serde_json::Value;

use super::history::History;
use super::known;
use super::ledger::{Person, State};
use crate::Ran;
use crate::failpoints::{OF_MIRRORS, OF_RESTORES, deadly};

/// People who must come back, at least: one of them is erased before it happens.
const BACK: usize = 2;
/// Who came after the backup is lost, however many they are.
const ACCEPT_LOST: [&str; 2] = ["--accept-lost", "1000000"];

/// What happens to the data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The whole data directory is lost, and the mirror in it.
    Everything,
    /// The database alone is.
    Database,
    /// The database is as it was at some earlier time.
    PutBack,
}

/// What a restore is made from.
#[derive(Clone, Copy)]
enum Source {
    Backup(u32),
    Image(usize),
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Everything => "losses of everything restored",
            Self::Database => "losses of the database restored",
            Self::PutBack => "databases put back and restored",
        }
    }
}

impl History {
    /// Disaster, restore, erasures of who came back. With a failpoint the restore dies there, twice if it gets there again, and is
    /// run once more.
    pub(super) async fn restore(&mut self, failpoint: Option<&'static str>) -> &'static str {
        let often = |way: Way| self.counts.by_name.get(way.name()).copied().unwrap_or(0);
        let ways = [Way::Database, Way::Everything, Way::PutBack];
        let ways = if failpoint.is_none() { &ways[..] } else { &ways[..2] };
        let way = *ways.iter().min_by_key(|way| often(**way)).expect("there are ways");
        let (source, then) = self.something_to_restore(way).await;
        self.something_to_lose(&then).await;
        if self.random.random_bool(0.5) {
            self.stop().await;
        } else {
            self.vault.kill().await;
            self.died();
        }
        let mut after = self.people.clone();
        self.unanswered.lost = known::restore(&then, &mut after);
        self.disaster = true;
        self.damage(way, source);
        self.image_closed();
        let refused = self.vault.refuses_to_start().await;
        assert!(way != Way::PutBack || refused.log.contains("lethe restore"), "{}", refused.log);

        // One that is expected, or any that a restore may come by.
        let steps = || [&self.roots.at_work()[..], &OF_MIRRORS, &OF_RESTORES].concat();
        let chance = self.has_failpoints && self.random.random_bool(0.3);
        let step = failpoint.or_else(|| chance.then(|| *steps().choose(&mut self.random).unwrap()));
        let report = self.run_restore(way, source, step, failpoint.is_some());
        assert_eq!(counted(&report), count(&after), "{report}");
        self.people = after;
        self.unanswered.lost.clear();
        self.image_closed();
        self.disaster = false;
        self.calm.clear();
        self.start().await;
        self.erase_who_came_back().await;
        way.name()
    }

    /// What there is to restore, with people who will come back, and what the clients knew then.
    async fn something_to_restore(&mut self, way: Way) -> (Source, Vec<Person>) {
        for made in [false, true] {
            let enough = |then: &Vec<Person>| back(then, &self.people).len() >= BACK;
            let found = match way {
                Way::PutBack => {
                    let calm = self.calm.iter().filter(|(_, then)| enough(then));
                    calm.choose(&mut self.random).map(|(image, then)| (Source::Image(*image), then.clone()))
                }
                Way::Everything | Way::Database => {
                    let backups = self.backups.iter().filter(|(_, then)| enough(then));
                    backups.choose(&mut self.random).map(|(number, then)| (Source::Backup(*number), then.clone()))
                }
            };
            if let Some(found) = found {
                return found;
            }
            assert!(!made, "who is there now would come back");
            let first = self.somebody_with_a_template(&[]).await;
            self.somebody_with_a_template(&[first]).await;
            match way {
                Way::PutBack => drop(self.restart().await),
                Way::Everything | Way::Database => {
                    let name = self.back_up().await;
                    self.count(name);
                }
            }
        }
        unreachable!("something was found, or made")
    }

    /// Erases one of those who would come back, and enrolls somebody who will not. The mirrors have all that was accepted
    /// before the erasure.
    async fn something_to_lose(&mut self, then: &[Person]) {
        let erased = *back(then, &self.people).choose(&mut self.random).expect("somebody would come back");
        let change = self.new_erasure(erased, false);
        self.perform(change).await;
        let enrolment = self.new_enrolment(erased);
        self.perform(enrolment).await;
    }

    fn damage(&self, way: Way, source: Source) {
        let home = self.vault.home();
        let database = home.data().join("db");
        match way {
            Way::Everything => home.lose_data(),
            Way::Database | Way::PutBack => fs::remove_dir_all(&database).unwrap(),
        }
        if let Source::Image(image) = source {
            self.images.lay_out_below(image, home.path(), "data/db");
        }
    }

    /// Runs `lethe restore` until it has ended, and gives its report.
    fn run_restore(&mut self, way: Way, source: Source, step: Option<&'static str>, must: bool) -> Value {
        let number = if let Source::Backup(number) = source { number.to_string() } else { String::new() };
        let of_backup = ["--backup", "backups", "--number", &number];
        let mut arguments = vec!["restore", ACCEPT_LOST[0], ACCEPT_LOST[1]];
        if let Source::Backup(_) = source {
            arguments.extend(of_backup);
        }
        let mut ran = None;
        let lost = (way == Way::Everything).then(|| missed_mirror(&self.vault.run(&arguments)));
        if let Some(lost) = &lost {
            arguments.extend(["--lost-mirror", lost]);
        }
        let mut deaths = 0;
        for _ in 0..2 {
            let Some(step) = step else { break };
            self.arm(Some(&format!("{step}={}", deadly(step))));
            let tried = self.vault.run(&arguments);
            if tried.code == Some(0) {
                ran = Some(tried);
                break;
            }
            deaths += 1;
            self.died();
        }
        assert!(deaths > 0 || !must, "{step:?} was not reached");
        self.arm(None);
        let Ran { code, answer, log } = ran.unwrap_or_else(|| self.vault.run(&arguments));
        assert_eq!(code, Some(0), "{log}");
        answer
    }

    async fn erase_who_came_back(&mut self) {
        self.erase_and_wait().await;
        self.count("erasures of who came back");
        self.image();
        // And in part.
        if let Some(person) = self.somebody(&[])
            && let Some(&place) = self.people[person].live_templates().first()
        {
            let deletion = self.new_deletion(person, place);
            self.perform(deletion).await;
            self.image();
        }
    }
}

/// Without a mirror that the vault has, nothing is restored: it may be newer. Its name is told.
pub(super) fn missed_mirror(ran: &Ran) -> String {
    assert_ne!(ran.code, Some(0), "a mirror is missed");
    let named = ran.log.split_once("--lost-mirror ");
    let (_, named) = named.unwrap_or_else(|| panic!("no mirror is named: {}", ran.log));
    named.chars().take_while(char::is_ascii_hexdigit).collect()
}

/// Subjects and templates that a restore says are back; nothing is corrupt.
pub(super) fn counted(report: &Value) -> (usize, usize) {
    let of = |of: &str, what: &str| usize::try_from(report[of][what].as_u64().expect("a count")).unwrap();
    for what in ["subjects", "templates", "others"] {
        assert_eq!(of("corrupt", what), 0, "{report}");
    }
    (of("back", "subjects"), of("back", "templates"))
}

/// Subjects and templates that clients know to be there.
pub(super) fn count(people: &[Person]) -> (usize, usize) {
    let alive = people.iter().filter(|person| person.alive().is_some());
    (alive.count(), people.iter().map(|person| person.live_templates().len()).sum())
}

/// People who are there now and were then, with a template.
fn back(then: &[Person], now: &[Person]) -> Vec<usize> {
    let is_back = |(_, (then, now)): &(usize, (&Person, &Person))| {
        let (Some(before), Some(life)) = (then.lives.get(now.lives.len().wrapping_sub(1)), now.alive()) else {
            return false;
        };
        before.state == State::Live
            && life.templates.iter().zip(&before.templates).any(|(template, _)| template.state == State::Live)
    };
    then.iter().zip(now).enumerate().filter(is_back).map(|(person, _)| person).collect()
}
