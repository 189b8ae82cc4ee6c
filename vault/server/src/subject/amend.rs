//! Changing what is known of a subject: one way for every right that is exercised and every fact that is recorded.

use lethe_crypto::log::entry::Scope;
use lethe_crypto::secret::SlotKey;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{AgeBand, Dossier, Occasion, Purpose, ReceiptId, SubjectId, TenantPolicy};
use lethe_policy::operation::Kind;
use lethe_policy::{Authorized, is_child_alone, is_left_baseless};

use super::{baseless, unknown};
use crate::audit;
use crate::dossiers;
use crate::erasure::{Request, Task};
use crate::error::Result;
use crate::evidence;
use crate::notification;
use crate::silo::Silo;
use crate::store::Change;
use crate::templates;
use crate::vault::Vault;
use crate::watchlist;

/// How an amendment goes.
pub(crate) struct Terms {
    /// Whether somebody who is not there is made by what is recorded of them: a consent comes before the first template (O16).
    pub(crate) newcomers: bool,
    /// Who is erased with it.
    pub(crate) ends: Ends,
    /// The receipt of that erasure; one that nobody asked for, if `None`.
    pub(crate) receipt: Option<ReceiptId>,
    /// Whether it limits what may be done: a restore must not forget it, so it waits for a mirror a little.
    pub(crate) limits: bool,
}

impl Terms {
    /// Of somebody who is there, and stays.
    pub(crate) const KNOWN: Self = Self { newcomers: false, ends: Ends::Nobody, receipt: None, limits: true };
}

/// Who is erased with an amendment, if there is anything biometric of them: nobody asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Nobody.
    Nobody,
    /// Whoever turns out to be a minor whom nobody consented for (O15).
    Child,
    /// And whom a withdrawal left without a basis (O23), now that nothing else keeps them.
    Baseless,
}

/// What an amendment came to.
pub(crate) struct Amended<T> {
    /// What is known of the subject now; or was, of one that is erased.
    pub(crate) dossier: Dossier,
    /// What the amendment answers.
    pub(crate) said: T,
    /// The receipt, if it was the subject's end.
    pub(crate) erased: Option<ReceiptId>,
    /// The change's place, if a mirror should have it before it is answered.
    sequence: Option<u64>,
}

impl<T> Amended<T> {
    /// Waits until it has taken effect everywhere; to be called without the subject's lock, before it is answered.
    pub(crate) async fn settle(&self, vault: &Vault, silo: &Silo) {
        silo.rights().settled().await;
        if let Some(sequence) = self.sequence {
            // A restore takes it from there.
            vault.store.mirrored_if_soon(sequence).await;
        }
    }
}

/// Amends what is known of a subject, in one change with its entry in the log, and with the subject's erasure if it comes to
/// that. The caller has the subject's lock, lets go of it, and [settles](Amended::settle) before it answers.
///
/// An amendment that changes nothing is logged, and writes nothing else.
pub(crate) async fn amend<O: Kind, T>(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<O>,
    subject: &SubjectId,
    terms: Terms,
    amendment: impl FnOnce(&mut Dossier, &SlotKey) -> Result<T>,
) -> Result<Amended<T>> {
    let now = vault.clock.now();
    let known = silo.subject(subject);
    if known.is_none() && !terms.newcomers {
        return Err(unknown());
    }
    let mut change = Change::new();
    let slot = match known {
        Some(slot) => slot,
        None => {
            let leases = vault.keys.allocate(silo.tree, 1).await?;
            let slot = leases[0].slot();
            change.own(leases);
            slot
        }
    };
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let before = known.map_or_else(|| Ok(Dossier::default()), |slot| dossiers::of(vault, silo, slot))?;
    let mut dossier = before.clone();
    let said = amendment(&mut dossier, &owner)?;
    let policy = silo.policy();
    let mut entry = audit::about(audit::judged_by(audit::done(call, now)?, Some(policy.version)), &owner);
    if known.is_some() && is_over(vault, silo, &policy, &dossier, slot, terms.ends)? {
        change.log(silo.tree, entry);
        let receipt = baseless::erase(vault, silo, slot, &dossier, terms.receipt, change, policy.version).await?;
        return Ok(Amended { dossier, said, erased: Some(receipt), sequence: None });
    }
    // What was made of the person, and may not stay as it is, follows in the same change.
    let followed = watchlist::follow(vault, silo, slot, (&before, &dossier), now, &mut change).await?;
    if known.is_some() && dossier == before && followed.is_nothing() {
        vault.record(silo.tree, entry).await?;
        return Ok(Amended { dossier, said, erased: None, sequence: None });
    }
    // The evidence of what was recorded or withdrawn is written with it (O29).
    let recorded: Vec<_> = dossier.consents.iter().filter(|consent| !before.consents.contains(consent)).collect();
    let _kept = if recorded.is_empty() { None } else { Some(silo.keep_evidence().await) };
    evidence::record(vault, silo, recorded, &mut change).await?;
    {
        let mut keys = vault.keys.opener();
        if known.is_none() {
            dossiers::put_subject(&mut keys, silo, slot, subject, now, &mut change)?;
        }
        dossiers::put(&mut keys, silo, slot, &dossier, !before.holds.is_empty(), &mut change)?;
    }
    // The client's own reason is no right that anybody has to be told of.
    let keeps = |dossier: &Dossier| dossier.restriction.is_some_and(|restriction| restriction.ground.keeps());
    if !keeps(&before) && keeps(&dossier) {
        notification::owe(vault, silo, slot, Occasion::Restricted, now, &mut change)?;
    }
    if call.purpose() == Purpose::DataSubjectRequest && is_corrected(&before, &dossier) {
        notification::owe(vault, silo, slot, Occasion::Corrected, now, &mut change)?;
    }
    for (event, count) in
        [("WATCHLIST_ENTRIES_SHREDDED", followed.slots().len()), ("WATCHLIST_ENTRIES_CONTESTED", followed.contested)]
    {
        if count > 0 {
            entry = audit::counting(entry, event, &[("entries", count as u64)])?;
        }
    }
    change.log(silo.tree, entry);
    let sequence = if followed.slots().is_empty() {
        vault.store.commit(change).await?.sequence
    } else {
        let (receipt, slots) = (followed.receipt(vault, silo)?, followed.slots().to_vec());
        let request = Request { tree: silo.tree, task: Task::Erase(Scope::Template), slots, receipt, now };
        vault.eraser.accept(request, change).await?
    };
    let sequence = terms.limits.then_some(sequence);
    Ok(Amended { dossier, said, erased: None, sequence })
}

/// Whether age or law were recorded, and are something else now.
fn is_corrected(before: &Dossier, now: &Dossier) -> bool {
    let age = before.age != AgeBand::Unknown && before.age != now.age;
    age || before.jurisdiction.is_some() && before.jurisdiction != now.jurisdiction
}

/// Whether a subject has to go, by whatever the time may be. Who has no template is only known of, and may be about to be enrolled.
fn is_over(
    vault: &Vault,
    silo: &Silo,
    policy: &TenantPolicy,
    dossier: &Dossier,
    slot: SlotRef,
    ends: Ends,
) -> Result<bool> {
    let over = vault.sweeps.bounds(&vault.clock).into_iter().all(|now| match ends {
        Ends::Nobody => false,
        Ends::Child => is_child_alone(policy, dossier, now),
        Ends::Baseless => is_child_alone(policy, dossier, now) || is_left_baseless(policy, dossier, now),
    });
    Ok(over && !templates::places(&vault.store, silo, slot)?.is_empty())
}
