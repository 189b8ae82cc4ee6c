//! The adversary of a recorded trace: who has every byte that was ever written to data, mirror and backups, and the root
//! files of one moment.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use super::moment::vault_keys;
use super::reach::{Effort, Reach, reach};
use super::records::{Opener, template};
use super::roots::Roots;
use super::rows::{Tree, kind};
use super::seen::Seen;
use super::wal;

/// Everything that was ever written, and what it is.
pub(crate) struct Traced {
    seen: Seen,
    /// Templates by tree and slot.
    templates: HashMap<(Tree, u64), [u8; 16]>,
    /// Slots of templates' subjects, by template.
    subjects: HashMap<[u8; 16], (Tree, u64)>,
    /// What was found with roots that were tried.
    tried: Mutex<HashMap<Vec<[u8; 32]>, Arc<Found>>>,
}

/// Templates that nobody may open any more.
#[derive(Default)]
pub(crate) struct Shredded {
    /// By themselves.
    pub(crate) templates: HashSet<[u8; 16]>,
    /// With everything of their subject.
    pub(crate) with_subject: HashSet<[u8; 16]>,
}

/// A subject's slot, and a template's id where the record is about one.
type Record = ((Tree, u64), Option<[u8; 16]>);

/// What somebody opened.
#[derive(Default)]
struct Found {
    /// Records about a subject: its slot; of a template, which.
    records: HashSet<Record>,
    /// Subjects whom entries of logs were found to be about.
    entries: HashSet<(Tree, u64)>,
}

/// What the adversary came to.
#[derive(Debug, Default)]
pub(crate) struct Loot {
    /// Erased, and opened: what it is.
    pub(crate) leaks: Vec<String>,
    /// Templates that are not erased, and were opened.
    pub(crate) live: HashSet<[u8; 16]>,
}

/// The bytes of root files.
pub(crate) fn is_root_file(bytes: &[u8]) -> bool {
    bytes.len() == 18 * 4096
}

impl Traced {
    /// From everything that was ever in write-ahead logs, and every version of every root file. With all roots the same
    /// reader must open everything: so it is known what each record is, and that the reader misses nothing.
    ///
    /// # Panics
    /// If it does not.
    pub(crate) fn new(logs: impl Iterator<Item = Vec<u8>>, root_files: &[Vec<u8>]) -> Self {
        let mut seen = Seen::default();
        read(&mut seen, logs);
        let reached = reach(&seen, &vault_keys(&seen, &roots(root_files)), Effort::AsWritten);
        let opener = Opener::new(&seen, &reached);
        let (mut templates, mut subjects) = (HashMap::new(), HashMap::new());
        for row in seen.sealed.iter().filter(|row| row.home.kind == kind::TEMPLATE) {
            let opened = opener.open(row).unwrap_or_else(|| panic!("with every root, this opens: {row:?}"));
            let (tree, id) = (row.home.tree, template(&opened).0);
            if let (Some(subject), Some(thing)) = (row.home.subject, row.home.thing) {
                templates.insert((tree, thing.number), id);
                subjects.insert(id, (tree, subject.number));
            }
        }
        Self { seen, templates, subjects, tried: Mutex::default() }
    }

    /// What can be opened with these root files, of everything that was ever written, and of what is in `more` logs.
    pub(crate) fn loot(&self, root_files: &[Vec<u8>], more: Vec<Vec<u8>>, shredded: &Shredded) -> Loot {
        let roots = roots(root_files);
        let found = if more.is_empty() {
            let mut keys: Vec<_> = roots.keys().copied().collect();
            keys.sort_unstable();
            let known = self.tried.lock().unwrap().get(&keys).cloned();
            known.unwrap_or_else(|| {
                let found = Arc::new(self.try_all(&self.seen, &roots));
                self.tried.lock().unwrap().insert(keys, Arc::clone(&found));
                found
            })
        } else {
            let mut seen = self.seen.clone();
            read(&mut seen, more.into_iter());
            Arc::new(self.try_all(&seen, &roots))
        };
        let gone: HashSet<(Tree, u64)> =
            shredded.with_subject.iter().filter_map(|id| self.subjects.get(id).copied()).collect();
        let mut loot = Loot::default();
        for (subject, template) in &found.records {
            let is_gone =
                template.is_some_and(|id| shredded.templates.contains(&id) || shredded.with_subject.contains(&id));
            if is_gone || gone.contains(subject) {
                loot.leaks.push(format!("a record of {subject:?}, template {:?}", template.map(hex::encode)));
            } else {
                loot.live.extend(template);
            }
        }
        loot.leaks.extend(found.entries.intersection(&gone).map(|subject| format!("log entries about {subject:?}")));
        loot
    }

    fn try_all(&self, seen: &Seen, roots: &Roots) -> Found {
        let reached: Reach = reach(seen, &vault_keys(seen, roots), Effort::Derived);
        let opener = Opener::new(seen, &reached);
        let mut found = Found::default();
        for row in seen.sealed.iter().filter(|row| row.is_personal()) {
            if opener.open(row).is_some()
                && let Some(subject) = row.home.subject
            {
                let tree = row.home.tree;
                let template = row.home.thing.and_then(|thing| self.templates.get(&(tree, thing.number)).copied());
                found.records.insert(((tree, subject.number), template));
            }
        }
        let told = opener.entries();
        found.entries = told.iter().map(|(entry, (slot, _))| (seen.entries[*entry].tree, *slot)).collect();
        found
    }
}

fn read(seen: &mut Seen, logs: impl Iterator<Item = Vec<u8>>) {
    for log in logs {
        for batch in wal::batches(&log) {
            batch.puts.iter().for_each(|(key, value)| seen.add(key, value));
        }
    }
}

fn roots(files: &[Vec<u8>]) -> Roots {
    let mut all = Roots::default();
    files.iter().filter(|file| is_root_file(file)).for_each(|file| all.extend(Roots::read(file)));
    all
}
