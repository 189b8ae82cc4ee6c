//! What the adversary can open at a moment: with all images until then, and the root store as it is then.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::crypto::Key;
use super::history::History;
use super::ledger::Person;
use super::reach::{Effort, Reach, reach};
use super::records::Opener;
use super::roots::Roots;
use super::seen::Seen;

/// A moment at which everything that was accepted is shredded.
pub(super) struct Moment {
    /// Operations until then.
    pub(super) operations: usize,
    /// What the clients knew.
    pub(super) people: Vec<Person>,
    /// Tenants that were shredded until then.
    pub(super) gone: BTreeSet<String>,
    /// Rows that had been written: the first so many of [`Seen::sealed`].
    pub(super) written: usize,
    /// Those of them that the adversary opened.
    pub(super) opened: HashSet<usize>,
    /// Entries that had been written: the first so many of [`Seen::entries`].
    pub(super) logged: usize,
    /// Whom entries are about, with what was sealed in them, as far as the adversary can tell.
    pub(super) told: HashMap<usize, (u64, Option<Vec<u8>>)>,
    /// Vault keys that unwrap, versions of pages that open, of how many.
    pub(super) keys: (usize, usize, usize),
}

/// The vault keys that these roots unwrap, of all that were ever wrapped.
pub(super) fn vault_keys(seen: &Seen, roots: &Roots) -> Vec<Key> {
    let wrapped: HashSet<_> = seen.wrapped.iter().collect();
    let keys: BTreeSet<Key> = wrapped.into_iter().filter_map(|wrapped| roots.unwrap(wrapped)).collect();
    keys.into_iter().collect()
}

impl History {
    /// Erases somebody, waits until everything is shredded, and lets the adversary try.
    pub(super) async fn reckon(&mut self, effort: Effort) {
        self.erase_and_wait().await;
        self.settle().await;
        self.count("reckonings");
        self.image();
        self.images.read_into(&mut self.seen);

        let keys = vault_keys(&self.seen, &self.roots_now());
        let reach: Reach = reach(&self.seen, &keys, effort);
        let opener = Opener::new(&self.seen, &reach);
        let rows = self.seen.sealed.iter().enumerate();
        let moment = Moment {
            operations: self.counts.operations,
            people: self.people.clone(),
            gone: self.gone.clone(),
            written: self.seen.sealed.len(),
            opened: rows.filter(|(_, row)| opener.open(row).is_some()).map(|(row, _)| row).collect(),
            logged: self.seen.entries.len(),
            told: opener.entries(),
            keys: (keys.len(), reach.pages, self.seen.page_versions()),
        };
        self.moments.push(moment);
    }
}
