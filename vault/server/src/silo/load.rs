use std::collections::HashMap;
use std::time::Instant;

use lethe_crypto::tree::TreeId;
use rayon::prelude::*;

use super::Silos;
use crate::error::{Error, Result};
use crate::store::{Key, RowKind, SUBJECTS, Store};

/// Rows that are opened together.
const CHUNK: usize = 8192;

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

    fn load_kind(&self, store: &Store, kind: RowKind, loaded: &mut Loaded) -> Result<usize> {
        let mut chunk: Vec<(Key, Vec<u8>)> = Vec::new();
        let mut rows = 0;
        store.scan(kind, &Key::prefix(kind), |key, value| {
            loaded.own(&key);
            chunk.push((key, value.to_vec()));
            if chunk.len() == CHUNK {
                rows += chunk.len();
                self.take_in(kind, &mut chunk)?;
            }
            Ok::<_, Error>(())
        })?;
        rows += chunk.len();
        self.take_in(kind, &mut chunk)?;
        Ok(rows)
    }

    fn take_in(&self, kind: RowKind, chunk: &mut Vec<(Key, Vec<u8>)>) -> Result<()> {
        let indispensable = matches!(kind, RowKind::Shredded | RowKind::Tenant | RowKind::Credential);
        let taken = chunk.par_drain(..).map(|(key, value)| match self.put(&key, &value) {
            Err(fault) if !indispensable => {
                self.quarantine(&key, &fault);
                Ok(())
            }
            outcome => outcome,
        });
        taken.collect()
    }
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
