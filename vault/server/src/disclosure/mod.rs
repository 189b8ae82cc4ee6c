//! Disclosures about a person to an authority or a third party (O33): proposed by one, recorded when another approves. The
//! vault keeps that they are made, and why; nothing leaves it by one.

use lethe_crypto::secret::SlotKey;
use lethe_crypto::tag::tag;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    Disclosure, DisclosureId, Ground, Label, Proposal, ProposalId, Reason, RequestId, SubjectId, Timestamp, Told,
    Transfer,
};
use lethe_policy::operation::{Kind, ListDisclosures, ProposeDisclosure};
use lethe_policy::{Approved, Authorized, Disclosing};

use crate::approval::{self, Facts};
use crate::audit;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::idempotency::Fingerprint;
use crate::records::{Content, DisclosureRecord, SubjectRecord};
use crate::silo::Silo;
use crate::store::{Change, Key, RowKind};
use crate::subject::unknown;
use crate::transfer;
use crate::vault::Vault;

/// What a caller wants to disclose.
pub struct Wish {
    /// The client's name of who is told.
    pub recipient: Label,
    /// What allows it; `None` where the caller names nothing.
    pub ground: Option<Ground>,
    /// What is told.
    pub scope: Vec<Told>,
    /// Where who is told is, and what makes that lawful.
    pub transfer: Transfer,
}

/// Proposes a disclosure about a subject. Its id derives from the request, so that a repeat finds it.
///
/// # Errors
/// `Denied` without a ground that holds, or without the safeguard that a border asks for, which is logged about the subject; `RequestIdReused` for a repeat that says something
/// else; `RecordsLimited`.
pub async fn propose(
    vault: &Vault,
    call: Authorized<ProposeDisclosure>,
    subject: &SubjectId,
    wish: Wish,
    request: RequestId,
) -> Result<Facts> {
    let silo = vault.silo(&call)?;
    let _administering = silo.lock_administration().await;
    let _alone = silo.lock_subject(subject).await;
    let proposed = propose_about(vault, &silo, &call, subject, wish, request).await;
    vault.noting_misses(silo.tree, &call, proposed).await
}

async fn propose_about(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<ProposeDisclosure>,
    subject: &SubjectId,
    wish: Wish,
    request: RequestId,
) -> Result<Facts> {
    let now = vault.clock.now();
    let slot = silo.subject(subject).ok_or_else(unknown)?;
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let id = DisclosureId::from_bytes(tag(&owner, "disclosure", request.as_bytes()));
    let proposal = ProposalId::from_bytes(*id.as_bytes());
    let known = find(vault, silo, slot, id)?;
    let stored = approval::find(vault, silo.tree, proposal)?;
    if stored.is_none() && known.as_ref().is_some_and(|(_, known)| known.recorded_at.is_some()) {
        // It was made; the proposal gave way to others since.
        return Err(Error::RequestIdReused);
    }
    if let Some((stored, (subject, known))) = stored.zip(known) {
        let same = (&known.recipient, Some(&known.ground), &known.scope, &known.transfer)
            == (&wish.recipient, wish.ground.as_ref(), &wish.scope, &wish.transfer);
        if !same {
            return Err(Error::RequestIdReused);
        }
        vault.record(silo.tree, audit::about(audit::done(call, now)?, &owner)).await?;
        return Ok(Facts { stored, about: Some((subject, known)) });
    }
    let (ground, policy) = may(vault, silo, call, slot, &owner, &wish).await?;
    let mut change = Change::new();
    let disclosures = of(vault, silo, slot)?;
    if disclosures.len() >= Disclosure::MOST {
        let message = format!("{} disclosures about the subject are kept already", Disclosure::MOST);
        return Err(Error::Precondition(Reason::RecordsLimited, message));
    }
    let Wish { recipient, scope, transfer, .. } = wish;
    let disclosure = Disclosure { id, recipient, ground, scope, transfer, proposed_at: now, recorded_at: None };
    approval::make_room(vault, silo.tree, now, &mut change)?;
    let content = Content::Disclosure(slot);
    let stored = approval::propose(vault, call, proposal, digest(&owner, slot, &disclosure), content, now);
    put(vault, silo, slot, &disclosure, &mut change)?;
    approval::put(vault, silo.tree, &stored, &mut change)?;
    let entry = audit::judged_by(audit::done(call, now)?, Some(policy));
    let entry = audit::naming(entry, "DISCLOSURE_PROPOSED", "proposal", &proposal.to_string())?;
    change.log(silo.tree, audit::about(entry, &owner).details(DisclosureRecord::seal_as(&disclosure)?));
    vault.store.commit(change).await?;
    Ok(Facts { stored, about: Some((subject.clone(), disclosure)) })
}

/// The ground, if it allows a disclosure about a subject now, and the version of the policy that judged. A refusal is logged, about the subject.
async fn may(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<ProposeDisclosure>,
    slot: SlotRef,
    owner: &SlotKey,
    wish: &Wish,
) -> Result<(Ground, u32)> {
    let now = vault.clock.now();
    let (policy, person) = (silo.policy(), dossiers::of(vault, silo, slot)?);
    let ground = wish.ground.clone();
    let allowed = lethe_policy::allows_disclosure(&policy, &person, ground, &wish.recipient, &wish.transfer, now);
    let denial = match allowed {
        Ok(ground) => return Ok((ground, policy.version)),
        Err(denial) => denial,
    };
    let entry = audit::judged_by(audit::refused(call, denial.reason, now)?, Some(policy.version));
    vault.record(silo.tree, audit::about(entry, owner)).await?;
    Err(denial.into())
}

/// Records a disclosure that two persons agreed on, in one change with its entry in the log, which names the person by pseudonym and
/// holds what was disclosed sealed under the person's key. Gives the proposal, carried out.
///
/// # Errors
/// `Denied` where the ground holds no more, or what a border asks for is not there any more.
pub(crate) async fn record<O: Kind>(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<O>,
    approved: Approved<Disclosing>,
    slot: SlotRef,
    disclosure: Disclosure,
    now: Timestamp,
) -> Result<Proposal> {
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let (policy, person) = (silo.policy(), dossiers::of(vault, silo, slot)?);
    // It may have been withdrawn since it was proposed.
    let Disclosure { ground, recipient, transfer, .. } = &disclosure;
    let ground = lethe_policy::allows_disclosure(&policy, &person, Some(ground.clone()), recipient, transfer, now)?;
    let disclosure = Disclosure { recorded_at: Some(now), ..disclosure };
    let proposal = approved.used(now);
    let stored = crate::records::StoredProposal { proposal: proposal.clone(), content: Content::Disclosure(slot) };
    let mut change = Change::new();
    put(vault, silo, slot, &disclosure, &mut change)?;
    approval::put(vault, silo.tree, &stored, &mut change)?;
    let kind = match ground {
        Ground::Consent(_) => "consent",
        Ground::Order(_) => "legal_order",
        Ground::Request => "request",
    };
    let fields = [("proposal", proposal.id.to_string()), ("ground", kind.to_owned())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let entry = audit::judged_by(audit::done(call, now)?, Some(policy.version));
    let entry = audit::telling(entry, "DISCLOSURE_RECORDED", &fields)?;
    change.log(silo.tree, audit::about(entry, &owner).details(DisclosureRecord::seal_as(&disclosure)?));
    let sequence = vault.store.commit(change).await?.sequence;
    // The account of who was told must not be lost with a disk.
    vault.store.mirrored_if_soon(sequence).await;
    Ok(proposal)
}

/// Puts on record that somebody receives an archive of a subject, at the subject's own request (O25), in one change with what else is in
/// it. The same receiver in the same place is on record once. The caller has the subject's lock.
///
/// # Errors
/// `RecordsLimited`.
pub(crate) fn handed_over(
    vault: &Vault,
    silo: &Silo,
    slot: SlotRef,
    recipient: Label,
    transfer: Transfer,
    now: Timestamp,
    change: &mut Change,
) -> Result<Disclosure> {
    let made = of(vault, silo, slot)?;
    let is_same = |known: &&Disclosure| {
        (&known.ground, &known.recipient, &known.transfer) == (&Ground::Request, &recipient, &transfer)
    };
    let known = made.iter().find(is_same).map(|known| (known.id, known.proposed_at));
    if known.is_none() && made.len() >= Disclosure::MOST {
        let message = format!("{} disclosures about the subject are kept already", Disclosure::MOST);
        return Err(Error::Precondition(Reason::RecordsLimited, message));
    }
    let (id, proposed_at) = known.unwrap_or_else(|| (DisclosureId::random(), now));
    let scope = Told::OF_ARCHIVES.to_vec();
    let disclosure =
        Disclosure { id, recipient, ground: Ground::Request, scope, transfer, proposed_at, recorded_at: Some(now) };
    put(vault, silo, slot, &disclosure, change)?;
    Ok(disclosure)
}

/// Lists the disclosures that were made about a subject, oldest first.
pub async fn list(vault: &Vault, call: Authorized<ListDisclosures>, subject: &SubjectId) -> Result<Vec<Disclosure>> {
    let silo = vault.silo(&call)?;
    let listed = read(vault, &silo, &call, subject).await;
    vault.noting_misses(silo.tree, &call, listed).await
}

async fn read(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<ListDisclosures>,
    subject: &SubjectId,
) -> Result<Vec<Disclosure>> {
    let slot = silo.subject(subject).ok_or_else(unknown)?;
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let mut made = of(vault, silo, slot)?;
    made.retain(|disclosure| disclosure.recorded_at.is_some());
    vault.record(silo.tree, audit::about(audit::done(call, vault.clock.now())?, &owner)).await?;
    Ok(made)
}

/// All disclosures about a subject that were made or proposed, oldest first.
pub(crate) fn of(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Vec<Disclosure>> {
    let mut found = Vec::new();
    vault.store.few(RowKind::Disclosure, &Key::prefix_of_disclosures(silo.tree, subject), |key, sealed| {
        if let Key::Disclosure { disclosure, .. } = key
            && let Some(opened) = vault.keys.open(&key, "", sealed)?
        {
            found.push(DisclosureRecord::read(disclosure, &opened)?);
        }
        Ok::<_, Error>(())
    })?;
    found.sort_by_key(|disclosure| (disclosure.proposed_at, disclosure.id));
    Ok(found)
}

/// The same, without those that cannot be read: of them, who received them has to be told by other means.
pub(crate) fn readable(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Vec<Disclosure>> {
    let mut found = Vec::new();
    vault.store.few(RowKind::Disclosure, &Key::prefix_of_disclosures(silo.tree, subject), |key, sealed| {
        let Key::Disclosure { disclosure, .. } = key else { return Ok(()) };
        let read = vault.keys.open(&key, "", sealed).transpose();
        match read.map(|opened| opened.and_then(|opened| Ok(DisclosureRecord::read(disclosure, &opened)?))) {
            Some(Ok(known)) => found.push(known),
            Some(Err(fault)) => {
                tracing::error!(%fault, "a disclosure cannot be read, nor who received it")
            }
            None => {}
        }
        Ok::<_, Error>(())
    })?;
    Ok(found)
}

/// One of them, and about whom it is; `None` once the person is erased.
pub(crate) fn find(
    vault: &Vault,
    silo: &Silo,
    subject: SlotRef,
    id: DisclosureId,
) -> Result<Option<(SubjectId, Disclosure)>> {
    let tree = silo.tree;
    let key = Key::Disclosure { tree, subject, disclosure: id };
    let Some(sealed) = vault.store.get(&key)? else { return Ok(None) };
    let Some(opened) = vault.keys.open(&key, "", &sealed)? else { return Ok(None) };
    let person = Key::Subject { tree, subject };
    let Some(sealed) = vault.store.get(&person)? else { return Ok(None) };
    let Some(named) = vault.keys.open(&person, "", &sealed)? else { return Ok(None) };
    Ok(Some((SubjectRecord::decode(&named)?.id, DisclosureRecord::read(id, &opened)?)))
}

/// SHA-256 of what a disclosure consists of, which outlives the person in the log: so of something, too, that only the person's key
/// gives, and nobody can try recipients and grounds on it once that is gone.
pub(crate) fn digest(owner: &SlotKey, subject: SlotRef, disclosure: &Disclosure) -> [u8; 32] {
    let scope: Vec<u8> = disclosure.scope.iter().map(|told| told.number()).collect();
    let print = Fingerprint::of("disclosure")
        .with(&tag(owner, "disclosure/content", disclosure.id.as_bytes()))
        .with(&subject.encode())
        .with(disclosure.id.as_bytes())
        .with(disclosure.recipient.as_str().as_bytes())
        .with(&scope);
    let print = transfer::taken_in(print, &disclosure.transfer);
    match &disclosure.ground {
        Ground::Consent(consent) => print.with(b"consent").with(consent.as_bytes()).digest(),
        Ground::Order(order) => print.with(b"order").with(order.as_str().as_bytes()).digest(),
        Ground::Request => print.with(b"request").digest(),
    }
}

fn put(vault: &Vault, silo: &Silo, subject: SlotRef, disclosure: &Disclosure, change: &mut Change) -> Result<()> {
    let key = Key::Disclosure { tree: silo.tree, subject, disclosure: disclosure.id };
    let sealed = vault.keys.seal(&key, "", &DisclosureRecord::seal_as(disclosure)?)?;
    change.put(key, sealed);
    Ok(())
}
