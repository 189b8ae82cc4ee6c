//! Whether what the adversary opened is what they may open.
//!
//! The judge has what the adversary has not: every root there ever was, and what the clients know. With all roots the
//! same reader must open everything that was ever written; so it is known whose each record is, and that the reader
//! misses nothing.

use std::collections::HashMap;

use super::crypto::Key;
use super::history::History;
use super::known::{Known, Standing, Whom};
use super::ledger::Person;
use super::moment::{Moment, vault_keys};
use super::reach::{Effort, reach};
use super::records::{Opener, applicant, remembered, template};
use super::rows::{Home, Tree, kind};
use super::seen::Seen;
use super::verdict::{Class, Verdict};

/// Everything that was ever written, opened with every root there ever was.
pub(super) struct Truth {
    /// What each row of [`Seen::sealed`] holds.
    pub(super) rows: Vec<Vec<u8>>,
    /// The subject's slot of each of [`Seen::entries`].
    entries: Vec<u64>,
    /// Whose each row is.
    whose: Vec<Whose>,
    /// Templates by tree and slot.
    templates: HashMap<(Tree, u64), [u8; 16]>,
    /// Templates of which clients heard.
    heard_of: HashMap<[u8; 16], Whom>,
    /// Names of tenants.
    tenants: HashMap<Tree, String>,
    /// Whose each subject's slot is: person and life.
    lives: HashMap<(Tree, u64), (usize, usize)>,
    /// Every key there ever was that leads to something.
    pub(super) keys: Vec<Key>,
}

/// Whose a row is.
enum Whose {
    /// A tenant's, or the vault's.
    Tenant(Option<String>),
    Person {
        life: Option<Whom>,
        /// The template that it is of; `None` in it if no client heard of that.
        template: Option<Option<Whom>>,
        answer: bool,
    },
}

impl Truth {
    /// # Panics
    /// If the reader cannot open everything.
    pub(super) fn of(history: &History) -> Self {
        let seen = &history.seen;
        let vault_keys = vault_keys(seen, &history.all_roots);
        let reach = reach(seen, &vault_keys, Effort::AsWritten);
        let opener = Opener::new(seen, &reach);
        let open = |row| opener.open(row).unwrap_or_else(|| panic!("with every root, this opens: {row:?}"));
        let rows: Vec<Vec<u8>> = seen.sealed.iter().map(open).collect();
        let told = opener.entries();
        let entries = (0..seen.entries.len()).map(|entry| match told.get(&entry) {
            Some((slot, fields)) => {
                assert_eq!(fields.is_some(), seen.entries[entry].sealed.is_some());
                *slot
            }
            None => panic!("with every root, it can be told of whom this is: {:?}", seen.entries[entry]),
        });
        let entries = entries.collect();
        let slots = reach.slots.values().flatten().copied();
        let keys = slots.chain(reach.page_keys.iter().copied()).chain(vault_keys).collect();
        let (templates, heard_of) = (HashMap::new(), HashMap::new());
        let (tenants, lives) = (HashMap::new(), HashMap::new());
        let whose = Vec::new();
        let mut truth = Self { rows, entries, whose, templates, heard_of, tenants, lives, keys };
        truth.tell_apart(seen, &history.people);
        truth.whose = (0..seen.sealed.len()).map(|place| truth.whose(seen, place)).collect();
        truth
    }

    fn whose(&self, seen: &Seen, place: usize) -> Whose {
        let row = &seen.sealed[place];
        let Home { tree, subject: Some(subject), thing, kind: of, .. } = row.home else {
            return Whose::Tenant(self.tenants.get(&row.home.tree).cloned());
        };
        assert!(row.is_personal());
        let answer = of == kind::REMEMBERED;
        let template = match thing {
            Some(thing) => self.templates.get(&(tree, thing.number)).copied(),
            None => answer.then(|| remembered(&self.rows[place]).0),
        };
        let life = self.lives.get(&(tree, subject.number)).map(|(person, life)| (*person, *life, None));
        Whose::Person { life, template: template.map(|id| self.heard_of.get(&id).copied()), answer }
    }

    fn tell_apart(&mut self, seen: &Seen, people: &[Person]) {
        for (person, Person { lives, .. }) in people.iter().enumerate() {
            for (life, templates) in lives.iter().map(|life| &life.templates).enumerate() {
                let templates = (0..).zip(templates);
                self.heard_of.extend(templates.map(|(place, template)| (template.id, (person, life, Some(place)))));
            }
        }
        let mut applicants = HashMap::new();
        for (row, content) in seen.sealed.iter().zip(&self.rows) {
            if row.home.kind == kind::TENANT {
                let tenant: serde_json::Value = serde_json::from_slice(content).expect("a tenant is JSON");
                self.tenants.insert(row.home.tree, tenant["id"].as_str().expect("a tenant has a name").to_owned());
            }
            let Home { tree, kind: of, subject: Some(subject), thing, .. } = row.home else { continue };
            let subject = (tree, subject.number);
            if of == kind::SUBJECT {
                applicants.insert(subject, applicant(content));
            }
            if let (kind::TEMPLATE, Some(thing)) = (of, thing) {
                let (id, _) = template(content);
                let twice = self.templates.insert((tree, thing.number), id).is_some_and(|before| before != id);
                assert!(!twice, "a slot is used once");
                if let Some((person, life, _)) = self.heard_of.get(&id).copied() {
                    let before = self.lives.insert(subject, (person, life));
                    assert!(before.is_none_or(|before| before == (person, life)), "a slot is one person's");
                }
            }
        }
        for (slot, (person, _)) in &self.lives {
            assert_eq!(applicants[slot], people[*person].id, "the slot is who the clients say");
        }
    }

    /// What a record is at a moment, by its place in the list of moments.
    pub(super) fn record(&self, known: &Known, number: usize, moment: &Moment, place: usize) -> Class {
        let (life, template, answer) = match &self.whose[place] {
            Whose::Tenant(Some(tenant)) if moment.gone.contains(tenant) => return Class::ShreddedAdministration,
            Whose::Tenant(Some(tenant)) if moment.going.contains(tenant) => return Class::Unsure,
            Whose::Tenant(_) => return Class::Administration,
            Whose::Person { life, template, answer } => (*life, *template, *answer),
        };
        // Whoever was enrolled after this moment is nobody yet.
        let standing = |whom: Option<Whom>| whom.map_or(Standing::Nobodys, |whom| known.at(number, whom));
        let of_subject = standing(life);
        let of_template = template.map_or(of_subject, standing);
        match (of_subject, of_template) {
            (Standing::Live, Standing::Live) => Class::Live,
            (Standing::Live, _) if answer => Class::Answer,
            (Standing::Live, Standing::Erased) => Class::Erased,
            // With the subject's key goes everything, whatever it is.
            (Standing::Erased, _) if moment.amid => Class::Erased,
            (Standing::Nobodys, _) | (_, Standing::Nobodys) => moment.nobodys(),
            (Standing::Erased, _) => Class::Erased,
            (Standing::Unsure, _) | (_, Standing::Unsure) => Class::Unsure,
        }
    }

    /// The same of a log entry.
    pub(super) fn entry(&self, seen: &Seen, known: &Known, number: usize, moment: &Moment, place: usize) -> Class {
        let life = self.lives.get(&(seen.entries[place].tree, self.entries[place]));
        match life.map_or(Standing::Nobodys, |(person, life)| known.at(number, (*person, *life, None))) {
            Standing::Live => Class::Live,
            Standing::Erased => Class::Erased,
            Standing::Nobodys => moment.nobodys(),
            Standing::Unsure => Class::Unsure,
        }
    }

    /// Judges a moment, by its place in the list of moments.
    pub(super) fn judge(&self, seen: &Seen, known: &Known, number: usize, moment: &Moment) -> Verdict {
        let mut verdict = Verdict { operations: moment.operations, keys: moment.keys, ..Verdict::default() };
        for place in 0..moment.written {
            let class = self.record(known, number, moment, place);
            verdict.of_records(class).add(moment.opened.contains(place));
        }
        for place in 0..moment.logged {
            let class = self.entry(seen, known, number, moment, place);
            verdict.of_entries(class).add(moment.told.contains(place));
        }
        assert!(moment.amid || verdict.unsure.all == 0, "something is pending at a moment of reckoning: {verdict}");
        verdict
    }
}

impl Moment {
    /// What is of slots of which no client has heard: burnt, or in the middle of being handed out.
    fn nobodys(&self) -> Class {
        if self.amid { Class::Unsure } else { Class::Burnt }
    }
}
