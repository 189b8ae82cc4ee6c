use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{Dossier, SubjectId};
use lethe_policy::{Cleared, Licence};
use parking_lot::Mutex;

use crate::dossiers;
use crate::error::Result;
use crate::keyring::Opener;
use crate::records::DossierRecord;
use crate::silo::SiloRef;
use crate::store::{Key, RowKind};
use crate::subject::baseless;
use crate::vault::Vault;

/// Judges whom a search or a sweep finds, one by one, for as long as it lasts.
#[derive(Clone)]
pub(super) struct Judge {
    pub(super) vault: Arc<Vault>,
    pub(super) silo: SiloRef,
    /// What it is for.
    licence: Licence,
    /// Minors whom nobody consented for, come upon so far.
    alone: Arc<Mutex<BTreeSet<SlotRef>>>,
}

impl Judge {
    /// For a search or a sweep.
    pub(super) fn new(vault: &Arc<Vault>, silo: &SiloRef, licence: Licence) -> Self {
        Self { vault: Arc::clone(vault), silo: Arc::clone(silo), licence, alone: Arc::default() }
    }

    /// Does what comes with having come upon somebody who must not be here: erases those minors, after the call (O15).
    pub(super) fn follow_up(&self) {
        let alone = std::mem::take(&mut *self.alone.lock());
        if !alone.is_empty() {
            baseless::follow_up_all_later(&self.vault, &self.silo, alone);
        }
    }

    /// Of some subjects those whom the policy lets be compared and found.
    ///
    /// Each comes with the proof of it, which knows what of its templates is past its time.
    pub(super) fn allowed(&self, subjects: BTreeSet<SlotRef>) -> Result<BTreeMap<SlotRef, Cleared>> {
        if self.silo.rights().is_over() {
            return Ok(BTreeMap::new());
        }
        let (policy, now) = (self.silo.policy(), self.vault.clock.now());
        let clear = |subject: SlotRef, dossier: &Dossier| {
            let cleared = self.licence.clear(&policy, dossier, now);
            if cleared.as_ref().is_err_and(|denial| denial.duty.is_some()) {
                self.alone.lock().insert(subject);
            }
            cleared.ok()
        };
        if dossiers::is_nobody_known(&self.vault, &self.silo)? {
            let nobody = Dossier::default();
            return Ok(subjects.into_iter().filter_map(|subject| Some((subject, clear(subject, &nobody)?))).collect());
        }
        let keys: Vec<Key> = subjects.iter().map(|&subject| Key::Dossier { tree: self.silo.tree, subject }).collect();
        let rows = self.vault.store.multi_get(RowKind::Dossier, &keys)?;
        let mut opener = self.vault.keys.opener();
        let mut allowed = BTreeMap::new();
        for ((subject, key), sealed) in subjects.into_iter().zip(&keys).zip(rows) {
            let dossier = match sealed {
                None => Dossier::default(),
                // Nothing is known of somebody who was erased meanwhile, and nothing is said.
                Some(sealed) => match self.read(&mut opener, key, &sealed) {
                    Some(dossier) => dossier,
                    None => continue,
                },
            };
            if let Some(cleared) = clear(subject, &dossier) {
                allowed.insert(subject, cleared);
            }
        }
        Ok(allowed)
    }

    /// A dossier; `None` if there is no reading it, and so no knowing what must not be done.
    fn read(&self, opener: &mut Opener<'_>, key: &Key, sealed: &[u8]) -> Option<Dossier> {
        let read = opener
            .open(key, "", sealed)
            .and_then(|opened| Ok(opened.map(|opened| DossierRecord::read(&opened)).transpose()?));
        read.unwrap_or_else(|error| {
            tracing::error!(%error, "a dossier cannot be read: nothing is done with whose it is");
            None
        })
    }

    /// Of those who were found, some in each of several places, the places whose all may still be named: they are who they were,
    /// and the policy lets them be found.
    pub(super) fn still<const N: usize>(&self, found: &[[(&SubjectId, SlotRef); N]]) -> Result<Vec<bool>> {
        let is_there = |(id, slot): (&SubjectId, SlotRef)| self.silo.subject(id) == Some(slot);
        let there: BTreeSet<SlotRef> =
            found.iter().flatten().filter(|one| is_there(**one)).map(|(_, slot)| *slot).collect();
        let allowed = self.allowed(there)?;
        Ok(found.iter().map(|all| all.iter().all(|(_, slot)| allowed.contains_key(slot))).collect())
    }
}
