//! What an image of a moment, with the roots of that moment, leads to: keys and contents, to be looked for later where
//! they must not be any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::crypto::Key;
use super::images::Images;
use super::moment::vault_keys;
use super::reach::{Effort, Reach, reach};
use super::records::{Opener, applicant, audit_key, record_key, template};
use super::roots::Roots;
use super::rows::{Slot, Tree, kind};
use super::seen::Seen;
use crate::Device;

/// A data directory, its write-ahead log with it, and its roots, as they were.
pub struct Past {
    seen: Seen,
    reach: Reach,
    roots: Roots,
    vault_keys: Vec<Key>,
}

/// Somebody who was enrolled then.
#[derive(Debug, Clone)]
pub struct Person {
    /// Named secrets: keys of the person's slots, of each of the records, of the log entries.
    pub keys: Vec<(String, Vec<u8>)>,
    /// The key of the tenant's own slot, which the tenant's transform derives from.
    pub own: Key,
    /// Templates: id, components as they are kept, the signs that are their sketch.
    pub templates: Vec<Template>,
}

/// A template of somebody's.
#[derive(Debug, Clone)]
pub struct Template {
    /// Its id, part of its name.
    pub id: [u8; 16],
    /// Of unit length.
    pub components: Vec<f32>,
    /// The sketch's row, opened.
    pub sketch: Vec<u8>,
    /// What is secret of it alone.
    pub keys: Vec<(String, Vec<u8>)>,
}

impl Past {
    /// Images a data directory and a root store, whatever is being done to them. What was written since the server's last
    /// start is seen, as the write-ahead log has it.
    ///
    /// # Panics
    /// If something cannot be read, or the roots open nothing.
    #[must_use]
    pub fn of(data: &Path, device: &Device) -> Self {
        let roots = Roots::on(device);
        let (mut images, mut seen) = (Images::new(), Seen::default());
        images.take(data, &[""]);
        images.read_into(&mut seen);
        let vault_keys = vault_keys(&seen, &roots);
        assert!(!vault_keys.is_empty(), "the roots open nothing");
        let reach = reach(&seen, &vault_keys, Effort::AsWritten);
        Self { seen, reach, roots, vault_keys }
    }

    /// Everything that is known of somebody.
    ///
    /// # Panics
    /// If there is nobody of this id.
    #[must_use]
    pub fn person(&self, id: &str) -> Person {
        let opener = Opener::new(&self.seen, &self.reach);
        let rows = || self.seen.sealed.iter().filter(|row| row.is_personal());
        let is_it = |row: &&super::seen::Sealed| {
            row.home.kind == kind::SUBJECT && opener.open(row).is_some_and(|row| applicant(&row) == id)
        };
        let row = rows().find(is_it).unwrap_or_else(|| panic!("{id} is not enrolled"));
        let (tree, subject) = (row.home.tree, row.home.subject.unwrap());
        let of_slot = |slot| *self.reach.of(tree, slot).next().expect("a live slot has a key");
        let s = of_slot(subject);
        let audit = audit_key(&s);
        let mut person = Person {
            keys: vec![("S".to_owned(), s.to_vec()), ("the audit key".to_owned(), audit.to_vec())],
            own: of_slot(Slot { number: 0, generation: 0 }),
            templates: Vec::new(),
        };
        let mut templates: BTreeMap<Slot, Template> = BTreeMap::new();
        for row in rows().filter(|row| (row.home.tree, row.home.subject) == (tree, Some(subject))) {
            let thing = row.home.thing.map(of_slot);
            let keys = [&s[..], thing.as_ref().map_or(&[][..], |key| &key[..])].concat();
            let (record, _) = record_key(row, &keys);
            // The other half is the commitment, which the row shows.
            let record = (format!("the key of a record of kind {:02x}", row.home.kind), record[..32].to_vec());
            let Some(opened) = opener.open(row) else { continue };
            let Some((slot, thing)) = row.home.thing.zip(thing) else {
                person.keys.push(record);
                continue;
            };
            let template_of = templates.entry(slot).or_insert_with(|| Template {
                id: [0; 16],
                components: Vec::new(),
                sketch: Vec::new(),
                keys: vec![("T".to_owned(), thing.to_vec())],
            });
            template_of.keys.push(record);
            if row.home.kind == kind::TEMPLATE {
                (template_of.id, template_of.components) = template(&opened);
            } else {
                template_of.sketch = opened;
            }
        }
        person.templates = templates.into_values().collect();
        person
    }

    /// Every key there was, by what it was the key of: roots, vault keys, pages, slots.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<Key, String> {
        let tree = |tree: Tree| format!("tree {}.{}", tree.number, tree.generation);
        let mut keys = BTreeMap::new();
        for ((place, slot), of) in &self.reach.slots {
            keys.extend(of.iter().map(|key| (*key, format!("slot {slot} of {}", tree(*place)))));
        }
        for (place, key) in &self.reach.led_through {
            keys.insert(*key, format!("page {}.{}.{} of {}", place.height, place.level, place.index, tree(place.tree)));
        }
        keys.extend(self.vault_keys.iter().map(|key| (*key, "the vault key".to_owned())));
        keys.extend(self.roots.keys().map(|key| (*key, "the root".to_owned())));
        keys
    }

    /// Those that nothing of a later moment leads to: they were destroyed.
    #[must_use]
    pub fn destroyed_until(&self, later: &Self) -> BTreeMap<Key, String> {
        let kept: BTreeSet<Key> = later.keys().into_keys().collect();
        self.keys().into_iter().filter(|(key, _)| !kept.contains(key)).collect()
    }
}
