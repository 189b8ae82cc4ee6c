//! What was tried before: at a moment like the last one only what is new is tried, and what was found is looked up.

use std::collections::HashMap;

use ring::hmac;

use super::crypto::Key;
use super::moment::Places;
use super::reach::Reach;
use super::records::{Opener, audit_key, tells};
use super::rows::Tree;
use super::seen::Seen;

/// Two keys, or one.
pub(super) type Pair = (Key, Option<Key>);

/// Keys that were tried on rows and entries, and what came of it. A key opens a row, or never does.
#[derive(Clone, Default)]
pub(super) struct Tried {
    rows: HashMap<(usize, Pair), bool>,
    entries: HashMap<(Tree, Key), Audited>,
}

/// Entries of a tree's log that a subject's key was tried on.
#[derive(Clone)]
struct Audited {
    key: hmac::Key,
    /// The first so many of [`Seen::entries`].
    until: usize,
    told: Vec<usize>,
}

impl Tried {
    /// Tries every key within reach on everything that it was not tried on before. Gives the rows that open, and the entries of
    /// which it can be told whom they are about.
    pub(super) fn everything(&mut self, seen: &Seen, reach: &Reach) -> (Places, Places) {
        let opener = Opener::new(seen, reach);
        let rows = seen.sealed.iter().enumerate();
        let opened = rows.filter(|(place, row)| {
            let mut pairs = opener.pairs(row);
            pairs.any(|pair| *self.rows.entry((*place, pair)).or_insert_with(|| opener.opens(row, &pair)))
        });
        let opened = opened.map(|(place, _)| place).collect();
        (opened, self.entries(seen, reach))
    }

    fn entries(&mut self, seen: &Seen, reach: &Reach) -> Places {
        let mut told = Places::default();
        for ((tree, slot), keys) in &reach.slots {
            if !seen.subjects.get(tree).is_some_and(|subjects| subjects.contains(slot)) {
                continue;
            }
            for key in keys {
                let audited = self.entries.entry((*tree, *key)).or_insert_with(|| {
                    let key = hmac::Key::new(hmac::HMAC_SHA256, &audit_key(key));
                    Audited { key, until: 0, told: Vec::new() }
                });
                let new = seen.entries.iter().enumerate().skip(audited.until);
                let new = new.filter(|(_, entry)| entry.tree == *tree && tells(seen, &audited.key, entry));
                audited.told.extend(new.map(|(place, _)| place));
                audited.until = seen.entries.len();
                told.extend(audited.told.iter().copied());
            }
        }
        told
    }
}
