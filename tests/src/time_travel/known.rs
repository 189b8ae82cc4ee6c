//! What the clients knew, moment by moment: who is there, who is erased, and of whom nobody can be sure.

use std::collections::{HashMap, HashSet};

use super::ledger::{Person, State, What};

/// What became of whom something is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Live,
    Erased,
    /// Its erasure is on its way, or may be.
    Unsure,
    /// No client ever heard of it.
    Nobodys,
}

/// A person's life, by their places; or one of its templates.
pub(super) type Whom = (usize, usize, Option<usize>);

/// What the clients knew at each moment, as it changed.
#[derive(Default)]
pub(super) struct Known(HashMap<Whom, Vec<(usize, Standing)>>);

impl Known {
    /// Takes in what they know at a moment, later than all before.
    pub(super) fn note(&mut self, moment: usize, people: &[Person], unsure: &HashSet<Whom>) {
        for (whom, state) in everybody(people) {
            let standing = match state {
                State::Live | State::Shredded if unsure.contains(&whom) => Standing::Unsure,
                State::Live => Standing::Live,
                State::Shredded => Standing::Erased,
                State::Going(_) => Standing::Unsure,
            };
            let changes = self.0.entry(whom).or_default();
            if changes.last().is_none_or(|(_, last)| *last != standing) {
                changes.push((moment, standing));
            }
        }
    }

    /// What they knew at a moment.
    pub(super) fn at(&self, moment: usize, whom: Whom) -> Standing {
        let changes = self.0.get(&whom).map_or(&[][..], Vec::as_slice);
        let later = changes.partition_point(|(since, _)| *since <= moment);
        later.checked_sub(1).map_or(Standing::Nobodys, |last| changes[last].1)
    }
}

fn everybody(people: &[Person]) -> impl Iterator<Item = (Whom, &State)> {
    people.iter().enumerate().flat_map(|(person, Person { lives, .. })| {
        lives.iter().enumerate().flat_map(move |(number, life)| {
            let templates =
                (0..).zip(&life.templates).map(move |(place, of)| ((person, number, Some(place)), &of.state));
            std::iter::once(((person, number, None), &life.state)).chain(templates)
        })
    })
}

/// What was asked for and not answered: it may have happened, or may yet.
#[derive(Default)]
pub(super) struct Unanswered {
    /// Changes, each of a person.
    changes: Vec<(usize, What)>,
    /// The tenant that was to be shredded.
    pub(super) tenant: Option<usize>,
    /// Who is lost with a restore that is under way.
    pub(super) lost: HashSet<Whom>,
}

impl Unanswered {
    pub(super) fn is_none(&self) -> bool {
        self.changes.is_empty() && self.tenant.is_none() && self.lost.is_empty()
    }

    /// A change was not answered.
    pub(super) fn add(&mut self, person: usize, what: What) {
        if !self.changes.contains(&(person, what)) {
            self.changes.push((person, what));
        }
    }

    /// It was.
    pub(super) fn answered(&mut self, person: usize, what: What) {
        self.changes.retain(|change| *change != (person, what));
    }

    /// Of whom nobody can be sure.
    pub(super) fn whom(&self, people: &[Person]) -> HashSet<Whom> {
        let mut unsure = self.lost.clone();
        for (person, what) in &self.changes {
            let Some(life) = people[*person].lives.len().checked_sub(1) else { continue };
            match what {
                What::Erase => drop(unsure.insert((*person, life, None))),
                What::Delete(place) | What::Replace { old: place, .. } => {
                    unsure.insert((*person, life, Some(*place)));
                }
                What::Enroll { .. } | What::Rotate => {}
            }
        }
        for (person, of) in people.iter().enumerate().filter(|(_, person)| Some(person.tenant) == self.tenant) {
            unsure.extend(of.alive().map(|_| (person, of.lives.len() - 1, None)));
        }
        unsure
    }
}

/// Who is there after a restore of what had `then`: who is there in both, with the templates that are in both. Gives who is
/// lost, and notes that they are gone: nobody may be left with their keys.
pub(super) fn restore(then: &[Person], now: &mut [Person]) -> HashSet<Whom> {
    let mut lost = HashSet::new();
    for (person, (then, now)) in then.iter().zip(now).enumerate() {
        let Some(number) = now.alive().map(|_| now.lives.len() - 1) else { continue };
        let life = &mut now.lives[number];
        let Some(before) = then.lives.get(number) else {
            life.state = State::Shredded;
            lost.insert((person, number, None));
            continue;
        };
        assert_eq!(before.state, State::Live, "who is alive was so before");
        for (place, template) in life.templates.iter_mut().enumerate() {
            if template.state == State::Live && before.templates.get(place).is_none() {
                template.state = State::Shredded;
                lost.insert((person, number, Some(place)));
            }
        }
    }
    lost
}
