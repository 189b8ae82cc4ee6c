use std::collections::HashMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use lethe_crypto::tree::{SlotRef, TreeId};
use lethe_crypto::wiping;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::directory::outlived;
use super::{Model, Silos};
use crate::error::{Error, Result};
use crate::keyring::Opener;
use crate::store::{Key, ProfileNumber, RowKind, SUBJECTS, Store, TemplateAt};

/// Rows that one thread opens in a row: they share the ways to their keys, and one wipe.
const CHUNK: usize = 512;

/// Chunks that were read and are not taken in yet, for each thread that opens them.
const AHEAD: usize = 8;

/// What a load found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The slots that live rows own, by tree, in ascending order.
    pub owned: HashMap<TreeId, Vec<u64>>,
}

impl Silos {
    /// Rebuilds everything in memory from the rows on the disk, opening them in parallel.
    ///
    /// A row that cannot be opened takes its gallery out of service, by name. A tenant, a credential or the record of a
    /// shredded tenant that cannot be opened fails the load: nobody could tell who may do what, or whose a name is.
    pub fn load(&self, store: &Store) -> Result<Loaded> {
        let started = Instant::now();
        let mut loaded = Loaded::default();
        let mut rows = 0;
        let kinds = [
            RowKind::Shredded,
            RowKind::Tenant,
            RowKind::Credential,
            RowKind::SigningKey,
            RowKind::Profile,
            RowKind::Subject,
            RowKind::Request,
            RowKind::Sketch,
        ];
        for kind in kinds {
            if kind == RowKind::Sketch {
                self.plan(store)?;
            }
            rows += self.load_kind(store, kind, &mut loaded)?;
        }
        self.check_galleries(store, &mut loaded)?;
        // Read when they are asked for; but their slots have owners.
        for kind in [RowKind::Evidence, RowKind::WatchlistEntry] {
            store.scan(kind, &Key::prefix(kind), |key, _| {
                loaded.own(&key);
                Ok::<_, Error>(())
            })?;
        }
        loaded.sort();
        tracing::info!(rows, tenants = self.all().len(), took = ?started.elapsed(), "loaded");
        Ok(loaded)
    }

    /// A gallery must have as many sketches as the store counted templates. One that has not is out of service, by
    /// name; and the slots of its templates have owners all the same, so that no epoch redraws them.
    fn check_galleries(&self, store: &Store, loaded: &mut Loaded) -> Result<()> {
        for silo in self.all() {
            let mut whole = true;
            for model in silo.models() {
                let (templates, sketches) = (store.census(silo.tree, SUBJECTS, model.number)?, model.rows() as u64);
                if templates != sketches {
                    model.fail(&format!("{sketches} sketches were read of {templates} templates"));
                    whole = false;
                }
            }
            if !whole {
                let prefix = Key::prefix_of_tree(RowKind::Template, silo.tree);
                store.scan(RowKind::Template, &prefix, |key, _| {
                    loaded.own(&key);
                    Ok::<_, Error>(())
                })?;
            }
        }
        Ok(())
    }

    /// Reads all rows of a kind.
    fn load_kind(&self, store: &Store, kind: RowKind, loaded: &mut Loaded) -> Result<usize> {
        let mut rows = 0;
        let noted = |key: &Key| {
            loaded.own(key);
            rows += 1;
        };
        in_parallel(store, kind, &Key::prefix(kind), noted, |rows| self.take_in(kind, rows))?;
        Ok(rows)
    }

    fn take_in(&self, kind: RowKind, rows: &[(Key, Vec<u8>)]) -> Result<()> {
        let indispensable = matches!(kind, RowKind::Shredded | RowKind::Tenant | RowKind::Credential);
        wiping::after_ciphers(|| {
            let mut keys = self.opener();
            if kind == RowKind::Sketch {
                rows.chunk_by(|(one, _), (next, _)| gallery_of(one) == gallery_of(next))
                    .for_each(|rows| self.take_in_sketches(&mut keys, rows));
                return Ok(());
            }
            rows.iter().try_for_each(|(key, value)| match self.put(&mut keys, key, value) {
                Err(fault) if !indispensable => {
                    self.quarantine(key, &fault);
                    Ok(())
                }
                outcome => outcome,
            })
        })
    }

    /// Rows of one gallery.
    fn take_in_sketches(&self, keys: &mut Opener<'_>, rows: &[(Key, Vec<u8>)]) {
        let Some((tree, profile)) = rows.first().and_then(|(key, _)| gallery_of(key)) else { return };
        match self.model(tree, profile) {
            Ok(model) if model.held().is_out() => model.count(rows.len()),
            Ok(model) => model.add(&self.open_sketches(keys, &model, rows, |key| self.quarantine(key, &outlived(key)))),
            Err(fault) => rows.iter().for_each(|(key, _)| self.quarantine(key, &fault)),
        }
    }

    /// Opens sketches of one gallery; `erased` is told of those whose keys are gone.
    pub(super) fn open_sketches(
        &self,
        keys: &mut Opener<'_>,
        model: &Model,
        rows: &[(Key, Vec<u8>)],
        erased: impl Fn(&Key),
    ) -> Vec<(TemplateAt, Zeroizing<Vec<u8>>)> {
        let name = model.profile.model().to_string();
        let mut sketches = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            let Key::Sketch { at, .. } = key else { continue };
            match keys.open(key, &name, value) {
                Ok(Some(sketch)) => sketches.push((*at, sketch)),
                Ok(None) => erased(key),
                Err(fault) => self.quarantine(key, &fault),
            }
        }
        sketches
    }
}

/// Reads rows on this thread, and takes them in on rayon's, some hundred at a time, until all are in or something is at fault.
pub(super) fn in_parallel(
    store: &Store,
    kind: RowKind,
    prefix: &[u8],
    mut noted: impl FnMut(&Key),
    take_in: impl Fn(&[(Key, Vec<u8>)]) -> Result<()> + Sync,
) -> Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK);
    let fault = Mutex::new(None);
    // A place in it for each chunk that is on its way.
    let (taken, places) = sync_channel(AHEAD * rayon::current_num_threads());
    let places = Mutex::new(places);
    rayon::in_place_scope(|scope| {
        let hand_over = |chunk: Vec<(Key, Vec<u8>)>| {
            if let Some(fault) = fault.lock().take() {
                return Err(fault);
            }
            // The other end lives as long as this does.
            let _ = taken.send(());
            let (fault, places, take_in) = (&fault, &places, &take_in);
            scope.spawn(move |_| {
                let _place = Place(places);
                if let Err(first) = take_in(&chunk) {
                    fault.lock().get_or_insert(first);
                }
            });
            Ok(())
        };
        store.scan(kind, prefix, |key, value| {
            noted(&key);
            chunk.push((key, value.to_vec()));
            if chunk.len() == CHUNK {
                hand_over(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)))?;
            }
            Ok::<_, Error>(())
        })?;
        hand_over(chunk)
    })?;
    fault.into_inner().map_or(Ok(()), Err)
}

/// A place among the chunks that are on their way. It is given back also by a thread that panics, lest the reader wait for it.
struct Place<'a>(&'a Mutex<Receiver<()>>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // One was sent for each.
        let _ = self.0.lock().recv();
    }
}

fn gallery_of(key: &Key) -> Option<(TreeId, ProfileNumber)> {
    if let Key::Sketch { tree, profile, .. } = key { Some((*tree, *profile)) } else { None }
}

impl Loaded {
    /// Brings the slots into order.
    pub(crate) fn sort(&mut self) {
        for slots in self.owned.values_mut() {
            slots.sort_unstable();
            slots.dedup();
        }
    }

    /// A subject that had a slot is given up.
    pub(crate) fn disown(&mut self, tree: TreeId, subject: SlotRef) {
        if let Some(slots) = self.owned.get_mut(&tree) {
            slots.retain(|slot| *slot != subject.slot);
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "all other rows own no slot")]
    pub(crate) fn own(&mut self, key: &Key) {
        match key {
            Key::Tenant { tenant } => self.owned.entry(TreeId::VAULT).or_default().push(tenant.slot),
            Key::Subject { tree, subject } => self.owned.entry(*tree).or_default().push(subject.slot),
            Key::Sketch { tree, at, .. } | Key::Template { tree, at, .. } => {
                self.owned.entry(*tree).or_default().push(at.thing.slot)
            }
            Key::Evidence { tree, slot, .. } | Key::WatchlistEntry { tree, slot, .. } => {
                self.owned.entry(*tree).or_default().push(slot.slot);
            }
            _ => {}
        }
    }
}
