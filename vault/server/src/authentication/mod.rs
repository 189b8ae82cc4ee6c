//! 1:1: is this the enrolled person? (O6)

use std::time::Instant;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{Band, DecisionReason, Embedding, Reason, SubjectId, Timestamp};
use lethe_index::cosine;
use lethe_policy::operation::Verify;
use lethe_policy::{Authorized, sees_scores};
use serde::Serialize;

use crate::audit;
use crate::error::{Error, Result};
use crate::records::encode;
use crate::silo::{Model, Silo};
use crate::store::{Change, SUBJECTS};
use crate::templates::{self, Capture};
use crate::vault::Vault;

/// What a verification says. It is evidence: the client decides (O11).
pub struct Verification {
    /// The band, by the tenant's thresholds.
    pub band: Band,
    /// Why it came out so.
    pub reason: DecisionReason,
    /// The version of the thresholds that judged.
    pub policy_version: u32,
    /// The highest cosine; only for roles that see scores.
    pub score: Option<f32>,
}

/// What the log keeps of an attempt, sealed under the subject's key (O12, O29).
#[derive(Serialize)]
struct Details {
    band: &'static str,
    score: f32,
    quality: f32,
}

/// Compares a probe with a subject's templates of the same model.
///
/// To a caller that sees no scores, an unknown subject and a non-match look alike, and take the same work: where
/// there is no template, a decoy is opened and compared instead.
pub async fn verify(
    vault: &Vault,
    call: Authorized<Verify>,
    subject: &SubjectId,
    mut probe: Capture,
) -> Result<Verification> {
    let silo = vault.silo(&call)?;
    let model = silo.model(&probe.model, "probe.model")?;
    let received = std::mem::take(&mut probe.embedding);
    let embedding = Embedding::parse("probe.embedding", received, model.profile.dimension())?;
    let scored = sees_scores(call.roles());
    if !scored && let Err(retry_after) = vault.attempts.begin(silo.tree_number(), SUBJECTS, subject, Instant::now()) {
        let mut change = Change::audit_of_read();
        change.log(silo.tree, audit::refused(&call, Reason::AttemptsLimited, Timestamp::now())?);
        vault.store.commit(change).await?;
        let message = "too many attempts failed on this subject".to_owned();
        return Err(Error::Limited { reason: Reason::AttemptsLimited, retry_after, message });
    }

    let slot = silo.subject(subject);
    let score = best_score(vault, &silo, &model, slot, &embedding)?;
    let band = score.map_or(Band::NoMatch, |score| Band::of(score, model.profile.thresholds()));
    record(vault, &call, &silo, slot, score, band, &probe).await?;
    if band == Band::Match {
        vault.attempts.matched(silo.tree_number(), SUBJECTS, subject);
    }
    if scored && slot.is_none() {
        return Err(Error::NotFound(Reason::SubjectNotFound, "there is no such subject".to_owned()));
    }
    Ok(Verification {
        band,
        reason: DecisionReason::of(band),
        policy_version: model.profile.policy_version(),
        score: score.filter(|_| scored),
    })
}

/// The best score over the subject's templates; `None` where there is nothing to compare with, found out with as
/// much work as one comparison.
fn best_score(
    vault: &Vault,
    silo: &Silo,
    model: &Model,
    slot: Option<SlotRef>,
    probe: &Embedding,
) -> Result<Option<f32>> {
    // No subject has slot 0: its scan finds nothing, as an unknown subject's must.
    let nobody = SlotRef::first(0);
    let found = templates::of_subject(&vault.store, &vault.keys, silo, slot.unwrap_or(nobody), Some(model.number))?;
    let scores = found.iter().map(|found| cosine(found.record.embedding.components(), probe.components()));
    match scores.reduce(f32::max) {
        Some(score) => Ok(Some(score)),
        None => {
            let decoy = model.decoy(&vault.keys, silo)?;
            std::hint::black_box(cosine(decoy.embedding.components(), probe.components()));
            Ok(None)
        }
    }
}

/// Logs the attempt, also a failed one (O12): the pseudonym and the sealed details are for whoever has the
/// subject's key.
async fn record(
    vault: &Vault,
    call: &Authorized<Verify>,
    silo: &Silo,
    slot: Option<SlotRef>,
    score: Option<f32>,
    band: Band,
    probe: &Capture,
) -> Result<()> {
    let mut entry = audit::done(call, Timestamp::now())?;
    let owner = slot.map(|slot| vault.keys.slot(silo.tree, slot)).transpose()?.flatten();
    entry = match (owner, score) {
        (Some(owner), Some(score)) => {
            let details = Details { band: band.name(), score, quality: probe.quality.get() };
            audit::about(entry, &owner).details(encode("attempt", &details)?)
        }
        (Some(owner), None) => audit::about(entry, &owner).reason(audit::token(Reason::TemplateNotFound.code())?),
        (None, _) => entry.reason(audit::token(Reason::SubjectNotFound.code())?),
    };
    let mut change = Change::audit_of_read();
    change.log(silo.tree, entry);
    vault.store.commit(change).await?;
    Ok(())
}
