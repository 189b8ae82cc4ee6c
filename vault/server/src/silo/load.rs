use std::collections::HashMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use lethe_crypto::tree::TreeId;
use lethe_crypto::wiping;
use parking_lot::Mutex;

use super::Silos;
use super::directory::open;
use crate::error::{Error, Result};
use crate::keyring::Opener;
use crate::store::{Key, ProfileNumber, RowKind, SUBJECTS, Store};

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
            RowKind::Profile,
            RowKind::Subject,
            RowKind::Sketch,
        ];
        for kind in kinds {
            rows += self.load_kind(store, kind, &mut loaded)?;
        }
        self.check_galleries(store, &mut loaded)?;
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

    /// Reads on this thread, and opens on rayon's, until all is in or something is at fault.
    fn load_kind(&self, store: &Store, kind: RowKind, loaded: &mut Loaded) -> Result<usize> {
        let (mut rows, mut chunk) = (0, Vec::with_capacity(CHUNK));
        let fault = Mutex::new(None);
        // A place in it for each chunk that is on its way.
        let (taken, places) = sync_channel(AHEAD * rayon::current_num_threads());
        let places = Mutex::new(places);
        let read = rayon::in_place_scope(|scope| {
            let mut take_in = |chunk: Vec<(Key, Vec<u8>)>| {
                if let Some(fault) = fault.lock().take() {
                    return Err(fault);
                }
                rows += chunk.len();
                // The other end lives as long as this does.
                let _ = taken.send(());
                let (fault, places) = (&fault, &places);
                scope.spawn(move |_| {
                    let _place = Place(places);
                    if let Err(first) = self.take_in(kind, &chunk) {
                        fault.lock().get_or_insert(first);
                    }
                });
                Ok(())
            };
            store.scan(kind, &Key::prefix(kind), |key, value| {
                loaded.own(&key);
                chunk.push((key, value.to_vec()));
                if chunk.len() == CHUNK {
                    take_in(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)))?;
                }
                Ok::<_, Error>(())
            })?;
            take_in(chunk)
        });
        read?;
        fault.into_inner().map_or(Ok(rows), Err)
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
        let model = match self.model(tree, profile) {
            Ok(model) => model,
            Err(fault) => return rows.iter().for_each(|(key, _)| self.quarantine(key, &fault)),
        };
        let name = model.profile.model().to_string();
        let mut sketches = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            match (key, open(keys, key, &name, value)) {
                (Key::Sketch { at, .. }, Ok(sketch)) => sketches.push((*at, sketch)),
                (_, Err(fault)) => self.quarantine(key, &fault),
                (_, Ok(_)) => {}
            }
        }
        model.add(&sketches);
    }
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

    #[allow(clippy::wildcard_enum_match_arm, reason = "all other rows own no slot")]
    pub(crate) fn own(&mut self, key: &Key) {
        match key {
            Key::Tenant { tenant } => self.owned.entry(TreeId::VAULT).or_default().push(tenant.slot),
            Key::Subject { tree, subject } => self.owned.entry(*tree).or_default().push(subject.slot),
            Key::Sketch { tree, at, .. } | Key::Template { tree, at, .. } => {
                self.owned.entry(*tree).or_default().push(at.thing.slot)
            }
            _ => {}
        }
    }
}
