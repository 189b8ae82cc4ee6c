//! Rights that are exercised, and facts that are recorded, of a subject: each takes effect before it is answered.

use lethe_domain::{
    AgeBand, Dossier, Jurisdiction, Label, Objection, PostMortem, Purpose, Reason, ReceiptId, Restriction,
    RestrictionGround, SubjectId, Timestamp,
};
use lethe_policy::Authorized;
use lethe_policy::operation::{Kind, LiftObjection, LiftRestriction, ObjectSubject, RestrictSubject, UpdateSubject};

use super::amend::{Ends, Terms, amend};
use crate::error::{Error, Result};
use crate::vault::Vault;

/// What was recorded, and what came of it.
pub struct Recorded {
    /// What is known of the subject now; or was, of one that is erased.
    pub dossier: Dossier,
    /// The receipt of the subject's erasure, if it came to that.
    pub erased: Option<ReceiptId>,
}

/// What is to be recorded of a subject: what is `Some`. Most can be taken back.
#[derive(Debug, Default)]
pub struct Description {
    /// Whose law counts.
    pub jurisdiction: Option<Option<Jurisdiction>>,
    /// How old it is.
    pub age: Option<AgeBand>,
    /// When the purpose was satisfied (O17).
    pub purpose_ended_at: Option<Option<Timestamp>>,
    /// When the contract was over (O17).
    pub contract_ended_at: Option<Option<Timestamp>>,
    /// What is to be done when it is dead (O28).
    pub post_mortem: Option<Option<PostMortem>>,
    /// When it died.
    pub died_at: Option<Option<Timestamp>>,
}

/// Records what is known of a subject. Somebody new may be described before the first template. What ends by it is not processed
/// from the answer on, and erased by the next sweep. A minor who has templates, and whom nobody consented for, is erased at once (O15).
pub async fn update(
    vault: &Vault,
    call: Authorized<UpdateSubject>,
    subject: &SubjectId,
    said: Description,
) -> Result<Recorded> {
    let terms = Terms { newcomers: true, ends: Ends::Child, ..Terms::KNOWN };
    change(vault, call, subject, terms, |dossier| {
        dossier.jurisdiction = said.jurisdiction.unwrap_or(dossier.jurisdiction);
        dossier.age = said.age.unwrap_or(dossier.age);
        dossier.purpose_ended_at = said.purpose_ended_at.unwrap_or(dossier.purpose_ended_at);
        dossier.contract_ended_at = said.contract_ended_at.unwrap_or(dossier.contract_ended_at);
        dossier.died_at = said.died_at.unwrap_or(dossier.died_at);
        if let Some(wish) = said.post_mortem {
            dossier.post_mortem = wish;
        }
        Ok(())
    })
    .await
}

/// Stops all processing of a subject's data, which are kept (O22). A right of the person takes the place of the client's own reason.
///
/// # Errors
/// `SubjectRestricted` where it is restricted on another ground, which would be forgotten.
pub async fn restrict(
    vault: &Vault,
    call: Authorized<RestrictSubject>,
    subject: &SubjectId,
    ground: RestrictionGround,
) -> Result<Recorded> {
    change(vault, call, subject, Terms::KNOWN, |dossier| match dossier.restriction {
        Some(before) if before.ground != ground && before.ground.keeps() => {
            let message = format!("the subject is restricted already, as {}; lift that first", before.ground.name());
            Err(Error::Precondition(Reason::SubjectRestricted, message))
        }
        Some(before) if before.ground == ground => Ok(()),
        Some(_) | None => {
            dossier.restriction = Some(Restriction { ground, since: vault.clock.now() });
            Ok(())
        }
    })
    .await
}

/// Ends a restriction; of somebody who is not restricted it changes nothing. Who was kept by it alone is erased (O15, O23).
pub async fn lift_restriction(
    vault: &Vault,
    call: Authorized<LiftRestriction>,
    subject: &SubjectId,
) -> Result<Recorded> {
    let terms = Terms { ends: Ends::Baseless, ..Terms::KNOWN };
    change(vault, call, subject, terms, |dossier| {
        dossier.restriction = None;
        Ok(())
    })
    .await
}

/// Records that a subject objects to a purpose, which stops (O39). One that was overruled and is made again stops it again.
pub async fn object(
    vault: &Vault,
    call: Authorized<ObjectSubject>,
    subject: &SubjectId,
    purpose: Purpose,
) -> Result<Recorded> {
    change(vault, call, subject, Terms::KNOWN, |dossier| {
        match dossier.objections.iter_mut().find(|objection| objection.purpose == purpose) {
            Some(objection) => objection.overruled = None,
            None => dossier.objections.push(Objection { purpose, since: vault.clock.now(), overruled: None }),
        }
        Ok(())
    })
    .await
}

/// Records that compelling grounds outweigh an objection, which stays on record; or, without any, that it was withdrawn.
pub async fn lift_objection(
    vault: &Vault,
    call: Authorized<LiftObjection>,
    subject: &SubjectId,
    purpose: Purpose,
    grounds: Option<Label>,
) -> Result<Recorded> {
    change(vault, call, subject, Terms::KNOWN, |dossier| {
        let found = dossier.objections.iter().position(|objection| objection.purpose == purpose);
        let at = found.ok_or_else(|| {
            let message = format!("the subject does not object to {}", purpose.name());
            Error::NotFound(Reason::ObjectionNotFound, message)
        })?;
        match grounds {
            Some(grounds) => dossier.objections[at].overruled = Some(grounds),
            None => drop(dossier.objections.remove(at)),
        }
        Ok(())
    })
    .await
}

/// Changes what is known of somebody.
async fn change<O: Kind>(
    vault: &Vault,
    call: Authorized<O>,
    subject: &SubjectId,
    terms: Terms,
    amendment: impl FnOnce(&mut Dossier) -> Result<()>,
) -> Result<Recorded> {
    let silo = vault.silo(&call)?;
    let alone = silo.lock_subject(subject).await;
    let amended = amend(vault, &silo, &call, subject, terms, |dossier, _| amendment(dossier)).await;
    drop(alone);
    let amended = vault.noting_misses(silo.tree, &call, amended).await?;
    amended.settle(vault, &silo).await;
    Ok(Recorded { dossier: amended.dossier, erased: amended.erased })
}
