use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::log::entry::Scope;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{Dossier, Occasion, SubjectId, Timestamp};
use lethe_policy::{Cause, Limits, end_of_person, keeper};
use tokio::task::{JoinError, JoinSet};

use super::{Fate, Provided, fate, known, provided, receipt_of_template, unwanted};
use crate::audit;
use crate::dossiers;
use crate::erasure::{Request, Task};
use crate::error::{Error, Result};
use crate::notification;
use crate::records::SubjectRecord;
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind};
use crate::subject::baseless;
use crate::templates;
use crate::vault::Vault;

/// Subjects that are looked at in one go.
const STEP: usize = 1000;
/// Subjects that are erased at the same time: their changes share syncs.
const AT_ONCE: usize = 32;
/// What the log calls an erasure that nobody asks for.
const OPERATION: &str = "retention.erase";

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Subjects that were looked at.
    pub(crate) looked_at: u64,
    /// Subjects that were erased.
    pub(crate) erased: u64,
    /// Templates of others that were.
    pub(crate) templates: u64,
    /// Subjects that are past their time, and kept.
    pub(crate) kept: u64,
    /// What could not be erased, or not be read; the next sweep tries again.
    pub(crate) failed: u64,
}

/// Erases what has ended, of all tenants. What cannot be read or erased is logged and passed over: one damaged row keeps nobody
/// else's data.
pub(crate) async fn sweep(vault: &Arc<Vault>, now: Timestamp) -> Result<Swept> {
    let mut swept = Swept::default();
    for silo in vault.silos.all() {
        let nobody = dossiers::is_nobody_known(vault, &silo)?;
        if nobody && Limits::of(&silo.policy(), &Dossier::default()).are_none() {
            continue;
        }
        let mut from = Some(SlotRef::first(0));
        while let Some(start) = from {
            if vault.silos.is_closing() || silo.rights().is_over() {
                break;
            }
            let (reader, its) = (Arc::clone(vault), Arc::clone(&silo));
            let step = tokio::task::spawn_blocking(move || look(&reader, &its, start, now));
            let step = step.await.map_err(|_| Error::TaskLost)??;
            swept.looked_at += step.looked_at;
            swept.kept += step.kept;
            swept.failed += step.failed;
            end_all(vault, &silo, step.due, now, &mut swept).await;
            from = step.next;
        }
    }
    Ok(swept)
}

/// Erases what of some subjects has ended, several at the same time.
async fn end_all(vault: &Arc<Vault>, silo: &SiloRef, due: Vec<SubjectId>, now: Timestamp, swept: &mut Swept) {
    let mut count = |ended: Option<std::result::Result<Result<Ended>, JoinError>>| match ended {
        Some(Ok(Ok(ended))) => {
            swept.erased += u64::from(ended.whole);
            swept.templates += ended.templates;
        }
        Some(Ok(Err(error))) => {
            tracing::error!(%error, "what is past its time could not be erased; the next sweep tries again");
            swept.failed += 1;
        }
        Some(Err(_)) => swept.failed += 1,
        None => {}
    };
    let mut at_work = JoinSet::new();
    for subject in due {
        if vault.silos.is_closing() {
            break;
        }
        if at_work.len() == AT_ONCE {
            count(at_work.join_next().await);
        }
        let (vault, silo) = (Arc::clone(vault), Arc::clone(silo));
        at_work.spawn(async move { end(&vault, &silo, &subject, now).await });
    }
    while !at_work.is_empty() {
        count(at_work.join_next().await);
    }
}

/// What a look at some subjects found.
#[derive(Default)]
struct Step {
    looked_at: u64,
    kept: u64,
    failed: u64,
    due: Vec<SubjectId>,
    next: Option<SlotRef>,
}

/// What has to be done about a subject.
enum Due {
    Nothing,
    /// It is past its time, and something keeps it.
    Kept,
    Erase,
}

/// Looks at the subjects from a slot on.
fn look(vault: &Vault, silo: &SiloRef, from: SlotRef, now: Timestamp) -> Result<Step> {
    let mut step = Step::default();
    let mut rows = Vec::new();
    let whole = Key::prefix_of_tree(RowKind::Subject, silo.tree);
    let start = Key::Subject { tree: silo.tree, subject: from }.encode();
    vault.store.scan_from(RowKind::Subject, &whole, &start, |key, sealed| {
        let Key::Subject { subject, .. } = key else { return Ok(ControlFlow::Continue(())) };
        if rows.len() == STEP {
            step.next = Some(subject);
            return Ok(ControlFlow::Break(()));
        }
        rows.push((key, subject, sealed.to_vec()));
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    for (key, slot, sealed) in rows {
        step.looked_at += 1;
        let read = || {
            let Some(opened) = vault.keys.open(&key, "", &sealed)? else { return Ok(None) };
            let record = SubjectRecord::decode(&opened)?;
            let due = due(vault, silo, slot, &record, now)?;
            Ok::<_, Error>(Some((record.id, due)))
        };
        match read() {
            Ok(None | Some((_, Due::Nothing))) => {}
            Ok(Some((_, Due::Kept))) => step.kept += 1,
            Ok(Some((id, Due::Erase))) => step.due.push(id),
            Err(error) => {
                tracing::error!(%error, "a subject cannot be read, and so not be erased when its time comes");
                step.failed += 1;
            }
        }
    }
    Ok(step)
}

/// Whether anything of a subject has to go. Most are young, and cost no more than their base row and their dossier.
fn due(vault: &Vault, silo: &Silo, slot: SlotRef, record: &SubjectRecord, now: Timestamp) -> Result<Due> {
    let policy = silo.policy();
    let person =
        if dossiers::is_nobody_known(vault, silo)? { Dossier::default() } else { dossiers::of(vault, silo, slot)? };
    // A guardian's consent may have run out (O15), or something kept whoever withdrew (O23). Who is left without a basis otherwise
    // is refused, and may consent again.
    if unwanted(vault, silo, &policy, slot, &person, now)?.is_some() {
        return Ok(Due::Erase);
    }
    let is_over = end_of_person(&policy, &person).is_some_and(|end| end.at <= now);
    let limits = Limits::of(&policy, &person);
    // Nothing was provided before the subject was known.
    let is_aged = !is_over && !limits.keep(record.created_at, now) && {
        let provided = provided(vault, silo, slot)?;
        provided.is_empty() || provided.iter().any(|template| !limits.keep(template.provided_at, now))
    };
    Ok(match keeper(&policy, &person, now) {
        _ if !is_over && !is_aged => Due::Nothing,
        Some(_) => Due::Kept,
        None => Due::Erase,
    })
}

/// What was erased of a subject.
#[derive(Default)]
struct Ended {
    whole: bool,
    templates: u64,
}

/// Erases what of a subject has ended: judged anew, now that nobody else changes it.
async fn end(vault: &Vault, silo: &SiloRef, subject: &SubjectId, now: Timestamp) -> Result<Ended> {
    let alone = silo.lock_subject(subject).await;
    let Some(slot) = silo.subject(subject) else { return Ok(Ended::default()) };
    let Some((record, person)) = known(vault, silo, slot)? else { return Ok(Ended::default()) };
    let fate = fate(vault, silo, slot, &record, &person, now)?;
    let ended = end_by(fate, vault, silo, slot, &person, now).await?;
    drop(alone);
    if ended.whole {
        silo.rights().settled().await;
    }
    Ok(ended)
}

async fn end_by(
    fate: Fate,
    vault: &Vault,
    silo: &Silo,
    slot: SlotRef,
    person: &Dossier,
    now: Timestamp,
) -> Result<Ended> {
    if fate.keeper.is_some() {
        return Ok(Ended::default());
    }
    if let Some(end) = fate.end.filter(|end| end.at <= now) {
        let because =
            baseless::Because { operation: OPERATION, cause: Some(end.cause), policy_version: fate.policy_version };
        baseless::erase_because(vault, silo, slot, person, None, Change::new(), because).await?;
        return Ok(Ended { whole: true, templates: 0 });
    }
    let mut ended = Ended::default();
    for (template, end) in fate.sooner {
        if end.at <= now {
            let mut change = Change::new();
            // Of all that goes recipients are told once.
            if ended.templates == 0 {
                notification::owe(vault, silo, slot, Occasion::ErasedInPart, now, &mut change)?;
            }
            erase_template(vault, silo, slot, &template, (end.cause, fate.policy_version), now, change).await?;
            ended.templates += 1;
        }
    }
    Ok(ended)
}

async fn erase_template(
    vault: &Vault,
    silo: &Silo,
    slot: SlotRef,
    template: &Provided,
    (cause, policy_version): (Cause, u32),
    now: Timestamp,
    mut change: Change,
) -> Result<()> {
    let Some(owner) = vault.keys.slot(silo.tree, slot)? else { return Ok(()) };
    templates::delete(silo, template.at, template.profile, &mut change);
    let entry = audit::judged_by(audit::by_the_vault(OPERATION, now)?, Some(policy_version));
    let entry = audit::naming(entry, "RETENTION_ENDED", "cause", cause.name())?;
    change.log(silo.tree, audit::about(entry, &owner));
    let receipt = receipt_of_template(&owner, template.at);
    let (task, slots) = (Task::Erase(Scope::Template), vec![template.at.thing]);
    vault.eraser.accept(Request { tree: silo.tree, task, slots, receipt, now }, change).await?;
    Ok(())
}
