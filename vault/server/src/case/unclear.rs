//! What a verification leaves unclear: the vault asks by itself.

use std::sync::Arc;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{Case, CaseId, ModelId, Question, Seen, SubjectId, Timestamp};
use lethe_policy::Licence;

use super::book;
use crate::audit;
use crate::dossiers;
use crate::error::Result;
use crate::records::StoredCase;
use crate::silo::{Silo, SiloRef};
use crate::store::Change;
use crate::vault::Vault;

/// What the log calls it: nobody asked.
const OPERATION: &str = "vault.open_case";

/// Attempts that may wait to be written down at a time, of all tenants: a hundred bytes or so each. Of more the log alone has them.
pub(crate) const PLACES: u32 = 8192;

/// An attempt whose score lay between the thresholds.
pub(crate) struct Attempted {
    /// Where the person is.
    pub(crate) slot: SlotRef,
    /// By which model.
    pub(crate) model: ModelId,
    /// What it said.
    pub(crate) seen: Seen,
    /// When.
    pub(crate) at: Timestamp,
    /// What it was for.
    pub(crate) licence: Licence,
}

/// Asks about an attempt, while its caller is answered: how long the answer takes tells nothing of cases. It waits for nothing, as
/// its caller has a place among those who answer, which who waits for the person may wait for. A vault that closes waits for what
/// was begun.
pub(crate) fn ask_later(vault: &Arc<Vault>, silo: &SiloRef, subject: &SubjectId, attempted: Attempted) {
    let Ok(place) = Arc::clone(&vault.unclear).try_acquire_owned() else {
        tracing::warn!(
            "an attempt that is unclear is in no case, as too many are at a time, or the vault closes; the log has it"
        );
        return;
    };
    let (vault, silo, subject) = (Arc::clone(vault), Arc::clone(silo), subject.clone());
    tokio::spawn(async move {
        let _place = place;
        if let Err(error) = ask(&vault, &silo, &subject, attempted).await {
            tracing::error!(%error, "no case could be opened of an attempt that is unclear; the log has the attempt");
        }
    });
}

/// Opens a case, or counts the attempt in the one that is not decided. One after the other for a person, so that none is lost.
async fn ask(vault: &Vault, silo: &Silo, subject: &SubjectId, attempted: Attempted) -> Result<()> {
    let _alone = silo.lock_subject(subject).await;
    // Whoever withdraws meanwhile is answered when this is over; judged anew, as somebody may have before.
    let _answering = silo.rights().answering().await;
    let Attempted { slot, model, seen, at, licence } = attempted;
    if silo.subject(subject) != Some(slot) {
        return Ok(());
    }
    let (policy, now) = (silo.policy(), vault.clock.now());
    if licence.clear(&policy, &dossiers::of(vault, silo, slot)?, now).is_err() {
        return Ok(());
    }
    let cases = book::of(vault, silo, slot)?;
    let mut change = Change::new();
    let is_same = |stored: &&StoredCase| match &stored.case.question {
        Question::Unclear { model: known, .. } => *known == model && !stored.case.state().is_decided(),
        Question::Duplicate { .. } | Question::Contested { .. } => false,
    };
    if let Some(stored) = cases.iter().find(is_same) {
        let mut stored = stored.clone();
        stored.case.attempts = stored.case.attempts.saturating_add(1);
        // Attempts may overtake each other.
        if at >= stored.case.last_seen_at {
            stored.case.last_seen_at = at;
            // What somebody looked at stays as they saw it.
            if stored.case.decisions.is_empty() {
                stored.case.question = Question::Unclear { model, seen };
            }
        }
        // The attempt's own entry stands for it.
        book::put(vault, silo, slot, &stored, &mut change)?;
        vault.store.commit(change).await?;
        return Ok(());
    }
    let Some(owner) = vault.keys.slot(silo.tree, slot)? else { return Ok(()) };
    if !book::make_room(vault, silo, slot, &cases, now, &mut change)? {
        return Ok(());
    }
    let case = Case::opened(CaseId::random(), Question::Unclear { model, seen }, at);
    let stored = StoredCase { case, other: None };
    book::put(vault, silo, slot, &stored, &mut change)?;
    let entry = audit::judged_by(audit::by_the_vault(OPERATION, now)?, Some(policy.version));
    change.log(silo.tree, book::opened(audit::about(entry, &owner), &stored.case)?);
    vault.store.commit(change).await?;
    Ok(())
}
