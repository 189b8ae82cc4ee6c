//! Evidence of consents (O29): that they were given, and what became of them, when the person is forgotten.
//!
//! Each has a slot of its own, so that it is shredded on its own when its time is over; and is found by the consent's id
//! alone, which after the person's erasure nobody has but the client. It is written with the consent, in one change.

use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::log::entry::Scope;
use lethe_crypto::tag::tag;
use lethe_crypto::tree::TreeId;
use lethe_domain::{Consent, ConsentId, Dossier, Evidence, Reason, RequestId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::evidence::{had_ended, keep_until, keep_until_forgotten};
use lethe_policy::operation::GetEvidence;

use crate::audit;
use crate::erasure::{Request, Task, receipt_of};
use crate::error::{Error, Result};
use crate::idempotency::Fingerprint;
use crate::keyring::Opener;
use crate::records::EvidenceRecord;
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// What the log calls it: nobody asked.
const OPERATION: &str = "vault.expire_evidence";

/// Most that is shredded with one intent.
const AT_ONCE: usize = 1024;
/// Most that is looked at in one go.
const LOOKED_AT: usize = 16_384;

/// Reads the evidence of a consent.
///
/// # Errors
/// `EvidenceNotFound`, also of what is over.
pub async fn get(vault: &Vault, call: Authorized<GetEvidence>, id: ConsentId) -> Result<Evidence> {
    let silo = vault.silo(&call)?;
    let now = vault.clock.now();
    let found = find(vault, silo.tree, id)?.map(|(_, evidence)| evidence).transpose()?;
    let found = found.filter(|evidence| !evidence.is_over(now));
    let missing = || Error::NotFound(Reason::EvidenceNotFound, "there is no evidence of such a consent".to_owned());
    let found = vault.noting_misses(silo.tree, &call, found.ok_or_else(missing)).await?;
    vault.note(silo.tree, &call).await?;
    Ok(found)
}

/// What is written of consents that were recorded or changed. The caller keeps evidence from being shredded until the change
/// is committed ([`Silo::keep_evidence`]).
pub(crate) async fn record<'a>(
    vault: &Vault,
    silo: &Silo,
    consents: impl IntoIterator<Item = &'a Consent>,
    change: &mut Change,
) -> Result<()> {
    let limitation = silo.policy().retention.limitation();
    let until = |consent: &Consent| keep_until(consent, limitation);
    let evidence =
        consents.into_iter().map(|consent| Evidence { consent: consent.clone(), keep_until: until(consent) });
    put(vault, silo, evidence.collect(), change).await
}

/// What is written of the consents of somebody who is forgotten: they end with that at the latest. As [`record`].
pub(crate) async fn outlive(
    vault: &Vault,
    silo: &Silo,
    dossier: &Dossier,
    now: Timestamp,
    change: &mut Change,
) -> Result<()> {
    let limitation = silo.policy().retention.limitation();
    let evidence = dossier.consents.iter().map(|consent| Evidence {
        consent: consent.clone(),
        keep_until: Some(keep_until_forgotten(consent, now, limitation)),
    });
    put(vault, silo, evidence.collect(), change).await
}

async fn put(vault: &Vault, silo: &Silo, evidence: Vec<Evidence>, change: &mut Change) -> Result<()> {
    let (tree, now) = (silo.tree, vault.clock.now());
    let mut rows = Vec::with_capacity(evidence.len());
    for evidence in evidence {
        let id = evidence.consent.id;
        match find(vault, tree, id)? {
            // What ended before keeps the time that it has, whatever the client's period is by now.
            Some((_, Ok(known))) if had_ended(&known.consent, now) && known.consent == evidence.consent => {}
            Some((_, Ok(known))) if known == evidence => {}
            // What cannot be read holds up nobody's erasure; the dossier knows as much.
            Some((key, _)) => rows.push((key, evidence)),
            // It was shredded, or would be at once.
            None if evidence.is_over(now) => {}
            None => {
                let leases = vault.keys.allocate(tree, 1).await?;
                let slot = leases[0].slot();
                change.own(leases);
                rows.push((Key::Evidence { tree, tag: tag_of(vault, tree, id)?, slot }, evidence));
            }
        }
    }
    let mut keys = vault.keys.opener();
    for (key, evidence) in rows {
        let sealed = keys.seal(&key, "", &EvidenceRecord::seal_as(&evidence)?)?;
        change.put(key, sealed);
    }
    Ok(())
}

/// The evidence of a consent, if it can be read, and its row's key.
fn find(vault: &Vault, tree: TreeId, id: ConsentId) -> Result<Option<(Key, Result<Evidence>)>> {
    let mut found = None;
    let prefix = Key::prefix_of_evidence(tree, &tag_of(vault, tree, id)?);
    vault.store.few(RowKind::Evidence, &prefix, |key, sealed| {
        let opened = vault.keys.open(&key, "", sealed).transpose();
        if let Some(opened) = opened {
            found = Some((key, opened.and_then(|opened| Ok(EvidenceRecord::read(&opened)?))));
        }
        Ok::<_, Error>(())
    })?;
    Ok(found)
}

/// What a row is found by: nobody can make it who has not both the tenant's key and the consent's id.
fn tag_of(vault: &Vault, tree: TreeId, id: ConsentId) -> Result<[u8; 16]> {
    Ok(tag(&vault.keys.own(tree)?, "evidence", id.as_bytes()))
}

/// Shreds a tenant's evidence whose time is over at `now`, and gives how many there were. Nobody waits for it longer than it takes to
/// shred some.
///
/// # Errors
/// What the store says; what was accepted before is done.
pub(crate) async fn expire(vault: &Arc<Vault>, silo: &SiloRef, now: Timestamp) -> Result<usize> {
    let (tree, mut shredded) = (silo.tree, 0);
    let mut from = Some(Key::prefix_of_tree(RowKind::Evidence, tree));
    while let Some(start) = from {
        if vault.silos.is_closing() || silo.rights().is_over() {
            break;
        }
        let reader = Arc::clone(vault);
        let looked = tokio::task::spawn_blocking(move || look(&reader, tree, &start, now)).await;
        let looked = looked.map_err(|_| Error::TaskLost)??;
        from = looked.next;
        if !looked.over.is_empty() {
            shredded += shred(vault, silo, looked.over, now).await?;
        }
    }
    Ok(shredded)
}

/// What a look at some evidence found.
#[derive(Default)]
struct Looked {
    over: Vec<Key>,
    next: Option<Vec<u8>>,
}

/// Looks at the evidence from a key on.
fn look(vault: &Vault, tree: TreeId, from: &[u8], now: Timestamp) -> Result<Looked> {
    let (mut looked, mut seen) = (Looked::default(), 0);
    let mut keys = vault.keys.opener();
    vault.store.scan_from(RowKind::Evidence, &Key::prefix_of_tree(RowKind::Evidence, tree), from, |key, sealed| {
        if seen == LOOKED_AT || looked.over.len() == AT_ONCE {
            looked.next = Some(key.encode());
            return Ok(ControlFlow::Break(()));
        }
        seen += 1;
        match read(&mut keys, &key, sealed) {
            Ok(Some(evidence)) if evidence.is_over(now) => looked.over.push(key),
            Ok(_) => {}
            // The others must not wait for it.
            Err(fault) => tracing::error!(%fault, "the evidence of a consent cannot be read"),
        }
        Ok::<_, Error>(ControlFlow::Continue(()))
    })?;
    Ok(looked)
}

fn read(keys: &mut Opener<'_>, key: &Key, sealed: &[u8]) -> Result<Option<Evidence>> {
    let opened = keys.open(key, "", sealed)?;
    Ok(opened.map(|opened| EvidenceRecord::read(&opened)).transpose()?)
}

/// Shreds evidence that is over still, now that nobody writes to it.
async fn shred(vault: &Vault, silo: &Silo, over: Vec<Key>, now: Timestamp) -> Result<usize> {
    let _alone = silo.lock_evidence().await;
    let (mut change, mut slots) = (Change::new(), Vec::with_capacity(over.len()));
    {
        let mut keys = vault.keys.opener();
        for key in over {
            let Key::Evidence { slot, .. } = key else { continue };
            let sealed = vault.store.get(&key)?;
            let found = sealed.map(|sealed| read(&mut keys, &key, &sealed));
            if matches!(found, Some(Ok(Some(evidence))) if evidence.is_over(now)) {
                slots.push(slot);
                change.delete(key);
            }
        }
    }
    if slots.is_empty() {
        return Ok(0);
    }
    let (tree, count) = (silo.tree, slots.len());
    let entry = audit::by_the_vault(OPERATION, now)?;
    change.log(tree, audit::counting(entry, "EVIDENCE_EXPIRED", &[("evidence", count as u64)])?);
    let receipt = receipt_of(&vault.keys, tree, RequestId::random(), Fingerprint::of(OPERATION))?;
    let request = Request { tree, task: Task::Erase(Scope::Template), slots, receipt, now };
    vault.eraser.accept(request, change).await?;
    Ok(count)
}
