//! Whether two persons are one, which the vault compares itself (O8, O11).

use lethe_crypto::tree::SlotRef;
use lethe_crypto::wiping;
use lethe_domain::{Band, Case, Invalid, ModelId, Question, Reason, RequestId, Seen, SubjectId};
use lethe_index::cosine;
use lethe_policy::operation::CreatePairCase;
use lethe_policy::{Authorized, Cleared};

use super::{Filed, Told, book, full, id_of, told, whom};
use crate::audit;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::records::StoredCase;
use crate::silo::{Model, Silo};
use crate::store::Change;
use crate::subject::baseless;
use crate::templates;
use crate::vault::Vault;

/// Two persons who may be one.
pub struct Pair {
    /// Whom the case is about.
    pub subject: SubjectId,
    /// Who may be the same.
    pub other: SubjectId,
}

/// Opens a case about a pair. A pair of which a case is not decided, by the same model, has that; it does not matter which of the
/// two is named first.
///
/// # Errors
/// What the policy says of either; `TemplateNotFound` where one has none of the model; `RequestIdReused`; `RecordsLimited`.
pub async fn create(
    vault: &Vault,
    call: Authorized<CreatePairCase>,
    pair: Pair,
    model: &ModelId,
    request: RequestId,
) -> Result<Told> {
    let silo = vault.silo(&call)?;
    if pair.subject == pair.other {
        return Err(Invalid::new("other_subject", Reason::FieldOutOfRange, "must be somebody else").into());
    }
    let model = silo.model(model, "model")?;
    let alone = silo.lock_subjects(&pair.subject, &pair.other).await;
    // Whoever withdraws meanwhile is answered when this is.
    let answering = silo.rights().answering().await;
    let created = open(vault, &silo, &call, &pair, &model, request).await;
    drop(alone);
    let (filed, sequence) = match created {
        Ok(created) => created,
        Err(error) => {
            drop(answering);
            let mut refused = Err(error);
            for subject in [&pair.subject, &pair.other] {
                refused = baseless::follow_up(vault, &silo, subject, refused).await;
            }
            return vault.noting_misses(silo.tree, &call, refused).await;
        }
    };
    if let Some(sequence) = sequence {
        vault.store.mirrored_if_soon(sequence).await;
    }
    Ok(told(&call, &filed.subject, filed.case, answering))
}

async fn open(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<CreatePairCase>,
    pair: &Pair,
    model: &Model,
    request: RequestId,
) -> Result<(Filed, Option<u64>)> {
    let now = vault.clock.now();
    let (slot, owner) = whom(vault, silo, &pair.subject)?;
    let (other, other_owner) = whom(vault, silo, &pair.other)?;
    let cleared = dossiers::clear(vault, silo, call, Some(slot), now).await?;
    let other_cleared = dossiers::clear(vault, silo, call, Some(other), now).await?;
    let id = id_of(&owner, request);
    let name = model.profile.model();
    let cases = book::of(vault, silo, slot)?;
    let entry = audit::about(audit::done_to(call, &cleared, now)?, &owner);
    let is_of = |stored: &StoredCase, whom: SlotRef| stored.other == Some(whom) && stored.case.model() == Some(name);
    let known = cases.iter().find(|known| known.case.id == id);
    if known.is_some_and(|known| !is_of(known, other)) {
        return Err(Error::RequestIdReused);
    }
    let is_open = |stored: &&StoredCase, whom| is_of(stored, whom) && !stored.case.state().is_decided();
    let mine = known.or_else(|| cases.iter().find(|stored| is_open(stored, other))).cloned();
    let found = match mine {
        Some(stored) => Some((&pair.subject, stored)),
        None => {
            let others = book::of(vault, silo, other)?;
            others.into_iter().find(|stored| is_open(&stored, slot)).map(|stored| (&pair.other, stored))
        }
    };
    if let Some((subject, stored)) = found {
        vault.record(silo.tree, entry).await?;
        return Ok((Filed { subject: subject.clone(), case: book::resolved(vault, silo, stored) }, None));
    }
    let compared = compare(vault, silo, model, [(slot, &cleared), (other, &other_cleared)]);
    let score = vault.noting_denials(silo.tree, call, compared).await?;
    let profile = &model.profile;
    let (band, policy_version) = (Band::of(score, profile.thresholds()), profile.policy_version());
    let seen = Seen { band, score, policy_version };
    let question = Question::Duplicate { other: None, model: name.clone(), seen };
    let stored = StoredCase { case: Case::opened(id, question, now), other: Some(other) };
    let mut change = Change::new();
    if !book::make_room(vault, silo, slot, &cases, now, &mut change)? {
        return Err(full());
    }
    book::put(vault, silo, slot, &stored, &mut change)?;
    change.log(silo.tree, book::opened(entry, &stored.case)?);
    // The second one's data were compared, too, which that one's log says, and nothing of the first.
    change.log(silo.tree, audit::about(audit::done_to(call, &other_cleared, now)?, &other_owner));
    let sequence = vault.store.commit(change).await?.sequence;
    let case = book::resolved(vault, silo, stored);
    Ok((Filed { subject: pair.subject.clone(), case }, Some(sequence)))
}

/// The best exact cosine between what two persons have of a model and may be processed.
fn compare(vault: &Vault, silo: &Silo, model: &Model, pair: [(SlotRef, &Cleared); 2]) -> Result<f32> {
    wiping::after_ciphers(|| {
        let [ours, theirs] = pair.map(|(slot, cleared)| {
            let mut found = templates::of_subject(&vault.store, &vault.keys, silo, slot, Some(model.number))?;
            let there_are = !found.is_empty();
            found.retain(|found| cleared.keeps(found.record.facts.enrolled_at));
            match (found.is_empty(), there_are) {
                (false, _) => Ok(found),
                // What is past its time is there until a sweep comes by.
                (true, true) => Err(Error::Denied(lethe_policy::past_its_time())),
                (true, false) => {
                    let message = format!("one of the two has no template of {}", model.profile.model());
                    Err(Error::NotFound(Reason::TemplateNotFound, message))
                }
            }
        });
        let (ours, theirs) = (ours?, theirs?);
        let scores = ours.iter().flat_map(|one| {
            let one = one.record.embedding.components();
            theirs.iter().map(move |other| cosine(one, other.record.embedding.components()))
        });
        // There is one of each at least.
        Ok(scores.fold(f32::NEG_INFINITY, f32::max))
    })
}
