use std::collections::{HashMap, HashSet};

use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_domain::ModelId;
use rayon::prelude::*;

use crate::erasure::{Accepted, Task};
use crate::error::{Error, Result};
use crate::keyring::Keyring;
use crate::records::{ProfileRecord, decode};
use crate::silo::Loaded;
use crate::store::{Key, ProfileNumber, RowKind, Rows, Store, TemplateAt};

/// Rows that are opened together.
const CHUNK: usize = 8192;

/// Rows of subjects, in the order in which they are judged.
const OF_PEOPLE: [RowKind; 12] = [
    RowKind::Subject,
    RowKind::Dossier,
    RowKind::Sketch,
    RowKind::Template,
    RowKind::SubjectRequest,
    RowKind::Held,
    RowKind::Disclosure,
    RowKind::Case,
    RowKind::Asked,
    RowKind::Listed,
    // These are nobody's, and have slots as people have.
    RowKind::Evidence,
    RowKind::WatchlistEntry,
];

/// Tells rows that are back from those that are not.
pub(super) struct Sieve<'a> {
    store: &'a Store,
    keys: &'a Keyring,
    models: HashMap<(TreeId, ProfileNumber), ModelId>,
    /// Slots whose erasure is accepted: their rows were gone before the vault was.
    pending: HashSet<(TreeId, SlotRef)>,
    /// Trees of tenants whose shredding is accepted, likewise.
    pending_tenants: HashSet<TreeId>,
}

/// What was found.
#[derive(Default)]
pub(super) struct Sifted {
    /// Rows that are back.
    pub(super) back: Rows,
    /// How many rows are damaged.
    pub(super) corrupt: u64,
    /// Slots that have an owner.
    pub(super) owned: Loaded,
    /// Rows that are not back, and why.
    pub(super) gone: Vec<(Key, Verdict)>,
    /// Subjects whose base rows are back.
    people: HashSet<(TreeId, SlotRef)>,
    /// Templates whose sketches are damaged.
    unsketched: HashSet<(TreeId, TemplateAt)>,
}

/// What is the matter with a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Back,
    Erased,
    Corrupt,
    /// Of somebody whom the backup does not have.
    Nobodys,
}

impl Sifted {
    /// What goes with a damaged row: the other half of a template and its sketch.
    fn give_up_with(&mut self, damaged: &Key) {
        if let Key::Sketch { tree, at, .. } = *damaged {
            self.unsketched.insert((tree, at));
        } else if let Key::Template { tree, gallery, at, profile } = *damaged
            && !self.unsketched.contains(&(tree, at))
        {
            self.back.others = self.back.others.saturating_sub(1);
            self.gone.push((Key::Sketch { tree, gallery, profile, at }, Verdict::Corrupt));
        } else if let Key::Dossier { tree, subject } = *damaged
            && self.people.remove(&(tree, subject))
        {
            // What must not be done with the person is not known any more, so nothing is: all of it goes.
            self.back.subjects = self.back.subjects.saturating_sub(1);
            self.gone.push((Key::Subject { tree, subject }, Verdict::Corrupt));
            self.owned.disown(tree, subject);
        }
    }
}

impl<'a> Sieve<'a> {
    pub(super) fn new(store: &'a Store, keys: &'a Keyring) -> Result<Self> {
        let mut sieve =
            Self { store, keys, models: HashMap::new(), pending: HashSet::new(), pending_tenants: HashSet::new() };
        store.scan(RowKind::Profile, &Key::prefix(RowKind::Profile), |key, value| {
            if let Key::Profile { tree, number } = key
                && let Some(opened) = keys.open(&key, "", value)?
            {
                let record: ProfileRecord = decode("profile record", &opened)?;
                sieve.models.insert((tree, number), record.parse()?.model().clone());
            }
            Ok::<_, Error>(())
        })?;
        store.scan(RowKind::Intent, &Key::prefix(RowKind::Intent), |key, value| {
            if let Key::Intent { tree, receipt } = key {
                let accepted = Accepted::read(tree, receipt, value)?;
                match accepted.task {
                    Task::Erase(Scope::Tenant) => {
                        let trees = accepted.slots.iter().filter_map(|tenant| TreeId::tenant(*tenant).ok());
                        sieve.pending_tenants.extend(trees);
                    }
                    Task::Erase(Scope::Subject | Scope::Template | Scope::Burnt) => {
                        sieve.pending.extend(accepted.slots.into_iter().map(|slot| (tree, slot)));
                    }
                    Task::Rotate => {}
                }
            }
            Ok::<_, Error>(())
        })?;
        Ok(sieve)
    }

    pub(super) fn sift(&self) -> Result<Sifted> {
        let mut sifted = Sifted::default();
        self.store.scan(RowKind::Tenant, &Key::prefix(RowKind::Tenant), |key, _| {
            sifted.owned.own(&key);
            Ok::<_, Error>(())
        })?;
        // People first: what hangs on somebody who is not back goes, too. A template and its sketch are there both or
        // neither, or no search of the gallery would be complete.
        for kind in OF_PEOPLE {
            let mut chunk: Vec<(Key, Vec<u8>)> = Vec::with_capacity(CHUNK);
            self.store.scan(kind, &Key::prefix(kind), |key, value| {
                chunk.push((key, value.to_vec()));
                if chunk.len() == CHUNK {
                    self.judge(kind, &mut chunk, &mut sifted)?;
                }
                Ok::<_, Error>(())
            })?;
            self.judge(kind, &mut chunk, &mut sifted)?;
        }
        sifted.owned.sort();
        Ok(sifted)
    }

    fn judge(&self, kind: RowKind, chunk: &mut Vec<(Key, Vec<u8>)>, sifted: &mut Sifted) -> Result<()> {
        let (people, unsketched) = (&sifted.people, &sifted.unsketched);
        let judged: Vec<(Key, Verdict)> = chunk
            .par_drain(..)
            .map(|(key, value)| {
                let is_unsketched = matches!(key, Key::Template { tree, at, .. } if unsketched.contains(&(tree, at)));
                let verdict = if is_unsketched { Verdict::Corrupt } else { self.verdict(&key, &value, people)? };
                Ok::<_, Error>((key, verdict))
            })
            .collect::<Result<_>>()?;
        for (key, verdict) in judged {
            match verdict {
                Verdict::Back => {
                    sifted.back.add(kind);
                    // A slot belongs to whom its template belongs: a sketch alone is nobody's.
                    if kind != RowKind::Sketch {
                        sifted.owned.own(&key);
                    }
                    if let Key::Subject { tree, subject } = key {
                        sifted.people.insert((tree, subject));
                    }
                }
                Verdict::Erased | Verdict::Nobodys => sifted.gone.push((key, verdict)),
                Verdict::Corrupt => {
                    sifted.corrupt += 1;
                    sifted.give_up_with(&key);
                    sifted.gone.push((key, verdict));
                }
            }
        }
        Ok(())
    }

    /// Whether a dossier is of somebody under a litigation hold.
    fn is_held(&self, key: &Key) -> Result<bool> {
        let Key::Dossier { tree, subject } = *key else { return Ok(false) };
        Ok(self.store.get(&Key::Held { tree, subject })?.is_some())
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "only rows of subjects are judged")]
    fn verdict(&self, key: &Key, value: &[u8], people: &HashSet<(TreeId, SlotRef)>) -> Result<Verdict> {
        let (tree, slots, model) = match *key {
            Key::Subject { tree, subject }
            | Key::SubjectRequest { tree, subject, .. }
            | Key::Dossier { tree, subject }
            | Key::Held { tree, subject }
            | Key::Asked { tree, subject }
            | Key::Listed { tree, subject }
            | Key::Disclosure { tree, subject, .. }
            | Key::Case { tree, subject, .. } => (tree, vec![subject], None),
            Key::Evidence { tree, slot, .. } | Key::WatchlistEntry { tree, slot, .. } => (tree, vec![slot], None),
            Key::Template { tree, at, profile, .. } | Key::Sketch { tree, at, profile, .. } => {
                (tree, vec![at.subject, at.thing], Some(profile))
            }
            _ => return Ok(Verdict::Back),
        };
        if self.pending_tenants.contains(&tree) {
            return Ok(Verdict::Erased);
        }
        for slot in &slots {
            if self.pending.contains(&(tree, *slot)) || self.keys.slot(tree, *slot)?.is_none() {
                return Ok(Verdict::Erased);
            }
        }
        let outlives = matches!(key.kind(), RowKind::Subject | RowKind::Evidence | RowKind::WatchlistEntry);
        if !outlives && !people.contains(&(tree, slots[0])) {
            // The mirror has what is known of everybody.
            let known = matches!(
                key.kind(),
                RowKind::Dossier
                    | RowKind::Held
                    | RowKind::Asked
                    | RowKind::Listed
                    | RowKind::Disclosure
                    | RowKind::Case
            );
            return Ok(if known { Verdict::Nobodys } else { Verdict::Corrupt });
        }
        let model = match model {
            None => String::new(),
            Some(profile) => match self.models.get(&(tree, profile)) {
                Some(model) => model.to_string(),
                None => return Ok(Verdict::Corrupt),
            },
        };
        if key.kind() == RowKind::Held {
            // It is in clear, and says what it says by being there.
            return Ok(Verdict::Back);
        }
        Ok(match self.keys.open(key, &model, value) {
            Ok(Some(_)) => Verdict::Back,
            Ok(None) => Verdict::Erased,
            // Nothing can be done with the person; nor may it be destroyed.
            Err(_) if self.is_held(key)? => Verdict::Back,
            Err(_) => Verdict::Corrupt,
        })
    }
}
