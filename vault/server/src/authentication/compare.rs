use std::sync::Arc;

use lethe_crypto::secret::SlotKey;
use lethe_crypto::tree::SlotRef;
use lethe_crypto::wiping;
use lethe_domain::{AgeBand, Dossier, Embedding, SubjectId, TenantPolicy};
use lethe_index::cosine;
use lethe_policy::{Cleared, Denial, Licence, judged_age};
use ring::rand::{SecureRandom, SystemRandom};

use crate::dossiers;
use crate::error::{Error, Result};
use crate::silo::{Model, Silo};
use crate::store::Key;
use crate::templates::{self, Found};
use crate::vault::Vault;

/// A subject's templates against a probe, or what is done in their place where there are none: the same work, so that
/// the time of an answer does not tell who is enrolled.
pub(super) struct Comparison<'a> {
    vault: &'a Vault,
    silo: &'a Silo,
    model: &'a Model,
    /// The subject's slot, if it has one.
    slot: Option<SlotRef>,
    /// Whether the policy lets it be compared.
    cleared: Result<Cleared, Denial>,
    /// The policy that says so.
    pub(super) policy: Arc<TenantPolicy>,
    /// Slots that are looked up where a template is missing.
    stand_ins: Vec<SlotRef>,
}

/// What a comparison found.
pub(super) struct Compared {
    /// The best score; `None` where there was nothing to compare with.
    pub(super) score: Option<f32>,
    /// Rows that were opened: a power of two, whether there are templates or not.
    pub(super) opened: usize,
    /// Whether there are templates, and all are past their time.
    pub(super) over: bool,
}

impl<'a> Comparison<'a> {
    pub(super) fn of(
        vault: &'a Vault,
        silo: &'a Silo,
        model: &'a Model,
        subject: &SubjectId,
        (licence, attested): (Licence, Option<AgeBand>),
    ) -> Result<Self> {
        let stand_ins: Vec<SlotRef> = silo.stand_ins(subject).take(silo.most_templates).collect();
        let slot = silo.subject(subject);
        let mut dossier = match slot {
            Some(slot) => dossiers::of(vault, silo, slot)?,
            None => {
                // Reads what lies where the subject could be, and opens none of it.
                let subject = stand_ins.first().copied().unwrap_or(SlotRef::first(1));
                std::hint::black_box(vault.store.get(&Key::Dossier { tree: silo.tree, subject })?);
                Dossier::default()
            }
        };
        let policy = silo.policy();
        let now = vault.clock.now();
        // Whose face a login shows is in question: nobody is erased for a child at the camera, but who is on record as one (O15).
        let is_stated = lethe_policy::is_child_alone(&policy, &dossier, now);
        dossier.age = judged_age(dossier.age, attested);
        let cleared = licence.clear(&policy, &dossier, now);
        let cleared = cleared.map_err(|denial| Denial { duty: denial.duty.filter(|_| is_stated), ..denial });
        Ok(Self { vault, silo, model, slot, cleared, policy, stand_ins })
    }

    /// Why the policy does not let the subject be compared, if it does not.
    pub(super) fn denial(&self) -> Option<&Denial> {
        self.cleared.as_ref().err()
    }

    /// Where the subject is, if it is.
    pub(super) const fn slot(&self) -> Option<SlotRef> {
        self.slot
    }

    pub(super) fn is_known(&self) -> bool {
        self.slot.is_some()
    }

    /// The best score over the subject's templates of the model.
    pub(super) fn run(&self, probe: &Embedding) -> Result<Compared> {
        wiping::after_ciphers(|| self.compare(probe))
    }

    fn compare(&self, probe: &Embedding) -> Result<Compared> {
        let (store, keys) = (&self.vault.store, &self.vault.keys);
        // Who must not be compared is not, and costs the same.
        let mut found = match self.slot.filter(|_| self.cleared.is_ok()) {
            Some(slot) => templates::of_subject(store, keys, self.silo, slot, Some(self.model.number))?,
            None => {
                // Reads what lies where the subject could be, and opens none of it.
                templates::places(store, self.silo, self.stand_in(0))?;
                Vec::new()
            }
        };
        let there_are = !found.is_empty();
        let keeps = |found: &Found| {
            let cleared = self.cleared.as_ref();
            cleared.is_ok_and(|cleared| cleared.keeps(found.record.facts.enrolled_at))
        };
        // What is past its time is there until a sweep comes by.
        let over = there_are && !found.iter().any(keeps);
        let opened_already = found.len();
        found.retain(keeps);
        let scores = found.iter().map(|found| cosine(found.record.embedding.components(), probe.components()));
        let score = scores.reduce(f32::max);
        let mut opened = opened_already;
        // One template, and none, cost one row; of more the caller learns the order of magnitude at most.
        while opened == 0 || !opened.is_power_of_two() {
            self.open_decoy(opened, probe)?;
            opened += 1;
        }
        Ok(Compared { score, opened, over })
    }

    /// The subject's key, for the log; for somebody unknown a key that nobody has, drawn and thrown away.
    ///
    /// The second value says whether it is the subject's.
    pub(super) fn owner(&self) -> Result<(SlotKey, bool)> {
        let looked_up = self.vault.keys.slot(self.silo.tree, self.slot.unwrap_or(self.stand_in(0)))?;
        match looked_up.filter(|_| self.is_known()) {
            Some(owner) => Ok((owner, true)),
            None => Ok((throw_away()?, false)),
        }
    }

    /// Looks two slots up and opens a row, as a template's opening does, and compares it.
    fn open_decoy(&self, number: usize, probe: &Embedding) -> Result<()> {
        let keys = &self.vault.keys;
        let subject = self.slot.unwrap_or(self.stand_in(0));
        for slot in [subject, self.stand_in(number)] {
            std::hint::black_box(keys.slot(self.silo.tree, slot)?);
        }
        let decoy = self.model.decoy(keys, self.silo)?;
        let decoy = decoy.embedding.components();
        // Of somebody whom the policy protects not even the probe is looked at (O16).
        let other = if self.cleared.is_ok() { probe.components() } else { decoy };
        std::hint::black_box(cosine(decoy, other));
        Ok(())
    }

    fn stand_in(&self, number: usize) -> SlotRef {
        self.stand_ins.get(number).copied().unwrap_or(SlotRef::first(1))
    }
}

fn throw_away() -> Result<SlotKey> {
    let mut drawn = Ok(());
    let key = SlotKey::from_fn(|bytes| drawn = SystemRandom::new().fill(bytes));
    drawn.map(|()| key).map_err(|_| Error::TaskLost)
}
