//! What is known of a subject beside templates, and judging by it: what everything that touches a subject shares.

use std::ops::ControlFlow;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{AgeBand, Dossier, SubjectId, Timestamp};
use lethe_policy::operation::Kind;
use lethe_policy::{Authorized, Cleared, judged_age};

use crate::audit;
use crate::error::{Error, Result};
use crate::keyring::Opener;
use crate::records::{DossierRecord, SubjectRecord};
use crate::silo::Silo;
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;
use crate::watchlist::{self, Followed};

/// A subject's base row; `None` of one that was erased meanwhile.
pub(crate) fn base(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Option<SubjectRecord>> {
    let key = Key::Subject { tree: silo.tree, subject };
    let Some(sealed) = vault.store.get(&key)? else { return Ok(None) };
    let Some(opened) = vault.keys.open(&key, "", &sealed)? else { return Ok(None) };
    Ok(Some(SubjectRecord::decode(&opened)?))
}

/// What is known of a subject; nothing of one that nobody recorded anything of.
pub(crate) fn of(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Dossier> {
    let key = Key::Dossier { tree: silo.tree, subject };
    let Some(sealed) = vault.store.get(&key)? else { return Ok(Dossier::default()) };
    match vault.keys.open(&key, "", &sealed)? {
        Some(opened) => Ok(DossierRecord::read(&opened)?),
        // Erased meanwhile; so is all else of it.
        None => Ok(Dossier::default()),
    }
}

/// Whether nothing is known of anybody of a tenant.
pub(crate) fn is_nobody_known(vault: &Vault, silo: &Silo) -> Result<bool> {
    silo.rights().is_nobody_known(|| {
        let whole = Key::prefix_of_tree(RowKind::Dossier, silo.tree);
        let mut any = false;
        vault.store.scan_from(RowKind::Dossier, &whole, &whole, |_, _| {
            any = true;
            Ok::<_, Error>(ControlFlow::Break(()))
        })?;
        Ok(any)
    })
}

/// Writes what is known of a subject, with the mark by which its holds are found.
pub(crate) fn put(
    keys: &mut Opener<'_>,
    silo: &Silo,
    subject: SlotRef,
    dossier: &Dossier,
    was_held: bool,
    change: &mut Change,
) -> Result<()> {
    let key = Key::Dossier { tree: silo.tree, subject };
    let sealed = keys.seal(&key, "", &DossierRecord::seal_as(dossier)?)?;
    change.put(key, sealed);
    let mark = Key::Held { tree: silo.tree, subject };
    match (was_held, dossier.holds.is_empty()) {
        (_, false) => drop(change.put(mark, Vec::new())),
        (true, true) => drop(change.delete(mark)),
        (false, true) => {}
    }
    Ok(())
}

/// Adds to a change how old a service takes a subject to be, where that was not known, or is younger than what was (O15), with what
/// becomes of entries of watch lists by it (O40). Whoever is stated to be a minor is not made of age by it. The caller has the
/// subject's lock.
pub(crate) async fn age<'a>(
    vault: &Vault,
    silo: &'a Silo,
    subject: SlotRef,
    attested: Option<AgeBand>,
    now: Timestamp,
    change: &mut Change,
) -> Result<Followed<'a>> {
    if attested.is_none() {
        return Ok(Followed::default());
    }
    let before = of(vault, silo, subject)?;
    let dossier = Dossier { age: judged_age(before.age, attested), ..before.clone() };
    if dossier == before {
        return Ok(Followed::default());
    }
    put(&mut vault.keys.opener(), silo, subject, &dossier, !before.holds.is_empty(), change)?;
    watchlist::follow(vault, silo, subject, (&before, &dossier), now, change).await
}

/// Writes the base row of a new subject.
pub(crate) fn put_subject(
    keys: &mut Opener<'_>,
    silo: &Silo,
    subject: SlotRef,
    id: &SubjectId,
    now: Timestamp,
    change: &mut Change,
) -> Result<()> {
    let key = Key::Subject { tree: silo.tree, subject };
    let sealed = keys.seal(&key, "", &SubjectRecord { id: id.clone(), created_at: now }.encode())?;
    change.put(key, sealed);
    Ok(())
}

/// Removes what is known of a subject, what leads to its requests and to entries of watch lists, and disclosures and cases about it, if there is any of that.
pub(crate) fn delete(vault: &Vault, silo: &Silo, subject: SlotRef, change: &mut Change) -> Result<()> {
    let tree = silo.tree;
    let keys = [
        Key::Dossier { tree, subject },
        Key::Held { tree, subject },
        Key::Asked { tree, subject },
        Key::Listed { tree, subject },
    ];
    for key in keys {
        if vault.store.get(&key)?.is_some() {
            change.delete(key);
        }
    }
    let records = [
        (RowKind::Disclosure, Key::prefix_of_disclosures(tree, subject)),
        (RowKind::Case, Key::prefix_of_cases(tree, subject)),
    ];
    for (kind, prefix) in records {
        vault.store.few(kind, &prefix, |key, _| {
            change.delete(key);
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}

/// Judges a call for one person, or for somebody of whom nothing is known. A refusal is logged, about the person.
///
/// # Errors
/// `Denied`, with the reason.
pub(crate) async fn clear<O: Kind>(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<O>,
    subject: Option<SlotRef>,
    now: Timestamp,
) -> Result<Cleared> {
    clear_aged(vault, silo, call, subject, None, now).await
}

/// The same, where somebody attests how old the person is: the younger counts (O15).
pub(crate) async fn clear_aged<O: Kind>(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<O>,
    subject: Option<SlotRef>,
    age: Option<AgeBand>,
    now: Timestamp,
) -> Result<Cleared> {
    let mut dossier = subject.map_or_else(|| Ok(Dossier::default()), |slot| of(vault, silo, slot))?;
    dossier.age = judged_age(dossier.age, age);
    let policy = silo.policy();
    let denial = match call.licence().clear(&policy, &dossier, now) {
        Ok(cleared) => return Ok(cleared),
        Err(denial) => denial,
    };
    let mut entry = audit::judged_by(audit::refused(call, denial.reason, now)?, Some(policy.version));
    if let Some(slot) = subject
        && let Some(owner) = vault.keys.slot(silo.tree, slot)?
    {
        entry = audit::about(entry, &owner);
    }
    vault.record(silo.tree, entry).await?;
    Err(Error::Denied(denial))
}
