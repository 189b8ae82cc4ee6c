//! Whether what the adversary opened is what they may open.
//!
//! The judge has what the adversary has not: every root there ever was, and what the clients know. With all roots the
//! same reader must open everything that was ever written; so it is known whose each record is, and that the reader
//! misses nothing.

use std::collections::HashMap;
use std::fmt;

use super::crypto::Key;
use super::history::History;
use super::ledger::{Person, State};
use super::moment::{Moment, vault_keys};
use super::reach::{Effort, reach};
use super::records::{Opener, applicant, remembered, template};
use super::rows::{Home, Tree, kind};
use super::seen::Seen;

/// How many could be opened, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Opened.
    pub opened: usize,
    /// Of all.
    pub all: usize,
}

impl Opened {
    fn add(&mut self, opened: bool) {
        self.opened += usize::from(opened);
        self.all += 1;
    }

    /// Nothing was opened.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.opened == 0
    }

    /// Everything was, and there was something.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.opened == self.all && self.all > 0
    }
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.opened, self.all)
    }
}

/// What the adversary opened at a moment, by what became of whom it is about.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Operations until then.
    pub operations: usize,
    /// Subjects and templates that are there.
    pub live: Opened,
    /// Erased subjects with all that was theirs; templates that were deleted or replaced.
    pub erased: Opened,
    /// What was written under slots of which no client ever heard: they were burnt.
    pub burnt: Opened,
    /// What is remembered of requests whose template was deleted or replaced, while its subject is there.
    pub answers: Opened,
    /// Entries of logs about subjects that are there: who it is, and what is sealed.
    pub live_entries: Opened,
    /// About erased subjects.
    pub erased_entries: Opened,
    /// About burnt slots.
    pub burnt_entries: Opened,
    /// What is nobody's: tenants, credentials, models, keys of logs.
    pub administration: Opened,
    /// The same, of tenants that are shredded.
    pub shredded_administration: Opened,
    /// Vault keys that the root unwraps, pages that open, versions of pages there are.
    pub keys: (usize, usize, usize),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (vault_keys, pages, versions) = self.keys;
        write!(
            f,
            "after {} operations: records opened: {} live, {} erased, {} burnt, {} answers about erased templates of \
             live subjects, {} of administration, {} of that of shredded tenants; log entries told: {} live, {} erased, {} burnt; {vault_keys} vault \
             keys unwrapped, {pages} of {versions} page versions opened",
            self.operations,
            self.live,
            self.erased,
            self.burnt,
            self.answers,
            self.administration,
            self.shredded_administration,
            self.live_entries,
            self.erased_entries,
            self.burnt_entries,
        )
    }
}

/// What became of whom something is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Live,
    Erased,
    /// No client ever heard of it.
    Nobodys,
}

/// Everything that was ever written, opened with every root there ever was.
pub(super) struct Truth {
    /// What each row of [`Seen::sealed`] holds.
    pub(super) rows: Vec<Vec<u8>>,
    /// The subject's slot of each of [`Seen::entries`].
    entries: Vec<u64>,
    /// Templates by tree and slot.
    templates: HashMap<(Tree, u64), [u8; 16]>,
    /// Names of tenants.
    tenants: HashMap<Tree, String>,
    /// Whose each subject's slot is: person and life.
    lives: HashMap<(Tree, u64), (usize, usize)>,
    /// Every key there ever was that leads to something.
    pub(super) keys: Vec<Key>,
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
        let (templates, tenants, lives) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut truth = Self { rows, entries, templates, tenants, lives, keys };
        truth.tell_apart(seen, &history.people);
        truth
    }

    fn tell_apart(&mut self, seen: &Seen, people: &[Person]) {
        let mut known = HashMap::new();
        for (person, Person { lives, .. }) in people.iter().enumerate() {
            for (life, templates) in lives.iter().map(|life| &life.templates).enumerate() {
                known.extend(templates.iter().map(|template| (template.id, (person, life))));
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
                if let Some(life) = known.get(&id) {
                    let before = self.lives.insert(subject, *life);
                    assert!(before.is_none_or(|before| before == *life), "a slot is one person's");
                }
            }
        }
        for (slot, (person, _)) in &self.lives {
            assert_eq!(applicants[slot], people[*person].id, "the slot is who the clients say");
        }
    }

    /// What became of a template of which a client heard.
    fn of_template(&self, people: &[Person], subject: (Tree, u64), id: [u8; 16]) -> Standing {
        let Some((person, life)) = self.lives.get(&subject) else { return Standing::Nobodys };
        // One that was enrolled after this moment.
        let Some(life) = people[*person].lives.get(*life) else { return Standing::Nobodys };
        let template = life.templates.iter().find(|template| template.id == id);
        template.map_or(Standing::Nobodys, |template| standing(&template.state))
    }

    fn of_subject(&self, people: &[Person], subject: (Tree, u64)) -> Standing {
        let Some((person, life)) = self.lives.get(&subject) else { return Standing::Nobodys };
        people[*person].lives.get(*life).map_or(Standing::Nobodys, |life| standing(&life.state))
    }

    /// Judges a moment.
    pub(super) fn judge(&self, seen: &Seen, moment: &Moment) -> Verdict {
        let mut verdict = Verdict { operations: moment.operations, keys: moment.keys, ..Verdict::default() };
        for (place, row) in seen.sealed.iter().enumerate().take(moment.written) {
            let opened = moment.opened.contains(&place);
            let Home { tree, subject: Some(subject), thing, .. } = row.home else {
                let tenant = self.tenants.get(&row.home.tree);
                match tenant.is_some_and(|tenant| moment.gone.contains(tenant)) {
                    true => verdict.shredded_administration.add(opened),
                    false => verdict.administration.add(opened),
                }
                continue;
            };
            assert!(row.is_personal());
            let subject = (tree, subject.number);
            let template = match (thing, row.home.kind) {
                (Some(thing), _) => self.templates.get(&(tree, thing.number)).copied(),
                (None, kind::REMEMBERED) => Some(remembered(&self.rows[place]).0),
                (None, _) => None,
            };
            let of_subject = self.of_subject(&moment.people, subject);
            let of_template = template.map_or(of_subject, |id| self.of_template(&moment.people, subject, id));
            let count = match (of_subject, of_template, row.home.kind) {
                (Standing::Live, Standing::Live, _) => &mut verdict.live,
                (Standing::Live, _, kind::REMEMBERED) => &mut verdict.answers,
                (Standing::Nobodys, _, _) | (_, Standing::Nobodys, _) => &mut verdict.burnt,
                (Standing::Erased, _, _) | (Standing::Live, Standing::Erased, _) => &mut verdict.erased,
            };
            count.add(opened);
        }
        for (place, entry) in seen.entries.iter().enumerate().take(moment.logged) {
            let count = match self.of_subject(&moment.people, (entry.tree, self.entries[place])) {
                Standing::Live => &mut verdict.live_entries,
                Standing::Erased => &mut verdict.erased_entries,
                Standing::Nobodys => &mut verdict.burnt_entries,
            };
            count.add(moment.told.contains_key(&place));
        }
        verdict
    }
}

fn standing(state: &State) -> Standing {
    match state {
        State::Live => Standing::Live,
        State::Shredded => Standing::Erased,
        State::Going(receipt) => panic!("{receipt} is pending at a moment of reckoning"),
    }
}
