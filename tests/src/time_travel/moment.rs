//! What the adversary can open at a moment: with all images until then, and the root store as it is then.

use std::collections::{BTreeSet, HashSet};

use super::crypto::Key;
use super::history::History;
use super::reach::{Effort, Reach, reach};
use super::records::Opener;
use super::roots::Roots;
use super::seen::Seen;
use super::tried::Tried;

/// A moment at which the adversary tried.
pub(super) struct Moment {
    /// Something may be on its way: nobody was waited for.
    pub(super) amid: bool,
    /// Operations until then.
    pub(super) operations: usize,
    /// Tenants that were shredded until then, and that may be or may not be.
    pub(super) gone: BTreeSet<String>,
    pub(super) going: BTreeSet<String>,
    /// Rows that had been written: the first so many of [`Seen::sealed`].
    pub(super) written: usize,
    /// Those of them that the adversary opened.
    pub(super) opened: Places,
    /// Entries that had been written: the first so many of [`Seen::entries`].
    pub(super) logged: usize,
    /// Those of them of which the adversary can tell whom they are about, and read what is sealed.
    pub(super) told: Places,
    /// Vault keys that unwrap, versions of pages that open, of how many.
    pub(super) keys: (usize, usize, usize),
}

/// Places in [`Seen::sealed`], or in [`Seen::entries`].
#[derive(Clone, Default)]
pub(super) struct Places(Vec<u64>);

impl Places {
    pub(super) fn contains(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|bits| bits >> (place % 64) & 1 == 1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        (0..64 * self.0.len()).filter(|place| self.contains(*place))
    }
}

impl Extend<usize> for Places {
    fn extend<T: IntoIterator<Item = usize>>(&mut self, places: T) {
        for place in places {
            if self.0.len() <= place / 64 {
                self.0.resize(place / 64 + 1, 0);
            }
            self.0[place / 64] |= 1 << (place % 64);
        }
    }
}

impl FromIterator<usize> for Places {
    fn from_iter<T: IntoIterator<Item = usize>>(places: T) -> Self {
        let mut all = Self::default();
        all.extend(places);
        all
    }
}

/// The vault keys that these roots unwrap, of all that were ever wrapped.
pub(super) fn vault_keys(seen: &Seen, roots: &Roots) -> Vec<Key> {
    let wrapped: HashSet<_> = seen.wrapped.iter().collect();
    let keys: BTreeSet<Key> = wrapped.into_iter().filter_map(|wrapped| roots.unwrap(wrapped)).collect();
    keys.into_iter().collect()
}

impl Moment {
    /// Everything there is, tried with the root store as it is.
    pub(super) fn of(seen: &Seen, roots: &Roots, effort: Effort) -> Self {
        let keys = vault_keys(seen, roots);
        let reach = reach(seen, &keys, effort);
        let opener = Opener::new(seen, &reach);
        let rows = seen.sealed.iter().enumerate();
        let opened = rows.filter(|(_, row)| opener.open(row).is_some()).map(|(row, _)| row).collect();
        let told = opener.entries().into_keys().collect();
        Self::new(seen, &keys, &reach, opened, told)
    }

    /// The same, of keys that are needed alone, and with what is known of earlier tries.
    pub(super) fn with(seen: &Seen, roots: &Roots, tried: &mut Tried) -> Self {
        let keys = vault_keys(seen, roots);
        let reach = reach(seen, &keys, Effort::AsNeeded);
        let (opened, told) = tried.everything(seen, &reach);
        Self::new(seen, &keys, &reach, opened, told)
    }

    fn new(seen: &Seen, keys: &[Key], reach: &Reach, opened: Places, told: Places) -> Self {
        Self {
            amid: false,
            operations: 0,
            gone: BTreeSet::new(),
            going: BTreeSet::new(),
            written: seen.sealed.len(),
            opened,
            logged: seen.entries.len(),
            told,
            keys: (keys.len(), reach.pages, seen.page_versions()),
        }
    }
}

impl History {
    /// Erases somebody, waits until everything is shredded, and lets the adversary try.
    pub(super) async fn reckon(&mut self, effort: Effort) {
        self.erase_and_wait().await;
        self.settle().await;
        self.count("reckonings");
        self.image();
        let moment = Moment::of(&self.seen, &self.roots_now(), effort);
        self.add(Moment { operations: self.counts.operations, gone: self.gone.clone(), ..moment });
    }

    /// Lets the adversary try right now, with the root store as it is, whatever is on its way.
    pub(super) fn reckon_amid(&mut self, roots: &Roots) {
        self.images.read_into(&mut self.seen);
        let asked = self.unanswered.tenant.map(|place| self.tenants[place].id().to_owned());
        let going = self.pending_tenants.iter().map(|(id, _)| id.clone()).chain(asked).collect();
        let (operations, gone) = (self.counts.operations, self.gone.clone());
        let moment = Moment::with(&self.seen, roots, &mut self.tried);
        self.add(Moment { amid: true, operations, gone, going, ..moment });
    }

    fn add(&mut self, moment: Moment) {
        let unsure = if moment.amid { self.unanswered.whom(&self.people) } else { HashSet::new() };
        self.known.note(self.moments.len(), &self.people, &unsure);
        self.moments.push(moment);
    }
}
