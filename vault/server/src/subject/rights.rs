//! Rights that are exercised, and facts that are recorded, of a subject: each takes effect before it is answered.

use lethe_domain::{
    AgeBand, Dossier, Jurisdiction, Label, Objection, Purpose, Reason, Restriction, RestrictionGround, SubjectId,
    Timestamp,
};
use lethe_policy::Authorized;
use lethe_policy::operation::{Kind, LiftObjection, LiftRestriction, ObjectSubject, RestrictSubject, UpdateSubject};

use super::amend::{Newcomers, amend};
use super::baseless;
use crate::error::{Error, Result};
use crate::vault::Vault;

/// Records whose law counts for a subject, and how old it is: what is `Some`. Somebody new may be described before the first
/// template. A minor who has templates, and whom nobody consented for, is erased at once (O15).
pub async fn update(
    vault: &Vault,
    call: Authorized<UpdateSubject>,
    subject: &SubjectId,
    jurisdiction: Option<Option<Jurisdiction>>,
    age: Option<AgeBand>,
) -> Result<Dossier> {
    let silo = vault.silo(&call)?;
    let alone = silo.lock_subject(subject).await;
    let amended = amend(vault, &silo, &call, subject, Newcomers::Welcome, |dossier, _| {
        dossier.jurisdiction = jurisdiction.unwrap_or(dossier.jurisdiction);
        dossier.age = age.unwrap_or(dossier.age);
        Ok(())
    })
    .await?;
    baseless::erase_if(vault, &silo, &amended.dossier, amended.slot).await?;
    drop(alone);
    silo.rights().settled().await;
    Ok(amended.dossier)
}

/// Stops all processing of a subject's data, which are kept (O22).
pub async fn restrict(
    vault: &Vault,
    call: Authorized<RestrictSubject>,
    subject: &SubjectId,
    ground: RestrictionGround,
) -> Result<Dossier> {
    change(vault, call, subject, |dossier| {
        let since = dossier.restriction.map_or_else(Timestamp::now, |before| before.since);
        dossier.restriction = Some(Restriction { ground, since });
        Ok(())
    })
    .await
}

/// Ends a restriction; of somebody who is not restricted it changes nothing.
pub async fn lift_restriction(
    vault: &Vault,
    call: Authorized<LiftRestriction>,
    subject: &SubjectId,
) -> Result<Dossier> {
    change(vault, call, subject, |dossier| {
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
) -> Result<Dossier> {
    change(vault, call, subject, |dossier| {
        match dossier.objections.iter_mut().find(|objection| objection.purpose == purpose) {
            Some(objection) => objection.overruled = None,
            None => dossier.objections.push(Objection { purpose, since: Timestamp::now(), overruled: None }),
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
) -> Result<Dossier> {
    change(vault, call, subject, |dossier| {
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

/// Changes what is known of somebody who is there.
async fn change<O: Kind>(
    vault: &Vault,
    call: Authorized<O>,
    subject: &SubjectId,
    amendment: impl FnOnce(&mut Dossier) -> Result<()>,
) -> Result<Dossier> {
    let silo = vault.silo(&call)?;
    let alone = silo.lock_subject(subject).await;
    let amended = amend(vault, &silo, &call, subject, Newcomers::Unknown, |dossier, _| amendment(dossier)).await;
    drop(alone);
    let amended = vault.noting_misses(silo.tree, &call, amended).await?;
    silo.rights().settled().await;
    Ok(amended.dossier)
}
