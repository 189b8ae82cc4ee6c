use lethe_crypto::tree::SlotRef;
use lethe_domain::{Act, DisclosureId, ProposalId, Reason, Standing, SubjectId, Timestamp};
use lethe_policy::operation::Kind;
use lethe_policy::{Authorized, Deed, Denial, Disclosing, Party, RotatingLogKey, RotatingVaultLogKey};

use super::{
    Approves, Facts, Rejects, Whose, facts, has_administrator, later, log_in_both, party, put, seen_by, unknown,
};
use crate::audit;
use crate::disclosure;
use crate::error::{Error, Result};
use crate::records::{Content, StoredProposal};
use crate::silo::Silo;
use crate::store::Change;
use crate::tenant;
use crate::vault::Vault;

/// Approves a proposal, as the second person, after reading that it is what `digest` says. A disclosure is done with that, and
/// a log's key succeeded; an offboarding may be carried out from then on, once, for as long as proposals are kept open. A repeat
/// finds the first answer.
///
/// # Errors
/// `Denied`, with the reason, which is logged; `ProposalNotFound`; `Mirror` where a log's key was succeeded, and not every mirror has
/// that yet.
pub async fn approve<O: Approves>(
    vault: &Vault,
    call: Authorized<O>,
    id: ProposalId,
    digest: [u8; 32],
) -> Result<Facts> {
    let whose = Whose::of(vault, &call)?;
    let (alone, who) = (whose.lock(vault).await, caller(vault, &call)?);
    let found = seen_by(vault, whose.tree, id, call.roles());
    let stored = vault.noting_misses(whose.tree, &call, found).await?;
    if let Standing::Approved(vote) | Standing::Used(vote, _) = stored.proposal.standing
        && vote.by == call.credential()
        && stored.proposal.digest == digest
    {
        vault.note(whose.tree, &call).await?;
        drop(alone);
        outlive_this_disk(vault, &stored).await?;
        return facts(vault, &whose, stored);
    }
    let approved = match stored.content {
        Content::Offboarding(_) => approve_offboarding(vault, whose.silo()?, &call, stored, &who, digest).await,
        Content::Disclosure(slot) => approve_disclosure(vault, whose.silo()?, &call, stored, slot, &who, digest).await,
        Content::LogKey(_) => approve_rotation::<_, RotatingLogKey>(vault, &whose, &call, stored, &who, digest).await,
        Content::VaultLogKey(_) => {
            approve_rotation::<_, RotatingVaultLogKey>(vault, &whose, &call, stored, &who, digest).await
        }
    };
    drop(alone);
    let stored = vault.noting_denials(whose.tree, &call, approved).await?;
    outlive_this_disk(vault, &stored).await?;
    facts(vault, &whose, stored)
}

/// A log's key is told to be succeeded when no lost disk undoes that any more, like whatever is signed.
///
/// # Errors
/// `Mirror` if one cannot be written now: a repeat of the approval is answered when it can.
async fn outlive_this_disk(vault: &Vault, stored: &StoredProposal) -> Result<()> {
    match stored.content {
        Content::Offboarding(_) | Content::Disclosure(_) => Ok(()),
        Content::LogKey(_) | Content::VaultLogKey(_) => {
            let sequence = vault.store.barrier().await?;
            Ok(vault.store.mirrored(sequence).await?)
        }
    }
}

/// Rejects a proposal, or takes one's own back; also one that is approved and not carried out yet.
///
/// # Errors
/// As [`approve`].
pub async fn reject<O: Rejects>(vault: &Vault, call: Authorized<O>, id: ProposalId) -> Result<Facts> {
    let now = vault.clock.now();
    let whose = Whose::of(vault, &call)?;
    let (alone, who) = (whose.lock(vault).await, caller(vault, &call)?);
    let found = seen_by(vault, whose.tree, id, call.roles());
    let mut stored = vault.noting_misses(whose.tree, &call, found).await?;
    if let Standing::Rejected(vote) = stored.proposal.standing
        && vote.by == call.credential()
    {
        vault.note(whose.tree, &call).await?;
        return facts(vault, &whose, stored);
    }
    let decision = lethe_policy::reject(&stored.proposal, &who, now).map_err(Error::from);
    stored.proposal.standing = vault.noting_denials(whose.tree, &call, decision).await?.standing();
    let mut change = Change::new();
    let event = match stored.proposal.act {
        Act::Offboarding => {
            let fields = [("proposal", id.to_string())];
            log_in_both(vault, whose.silo()?, &call, "OFFBOARDING_REJECTED", &fields, now, &mut change)?;
            None
        }
        Act::Disclosure => Some("DISCLOSURE_REJECTED"),
        Act::LogKeyRotation | Act::VaultLogKeyRotation => Some("LOG_KEY_ROTATION_REJECTED"),
    };
    if let Some(event) = event {
        change.log(whose.tree, audit::naming(audit::done(&call, now)?, event, "proposal", &id.to_string())?);
    }
    put(vault, whose.tree, &stored, &mut change)?;
    let sequence = vault.store.commit(change).await?.sequence;
    drop(alone);
    // What was rejected must not be open again after a restore.
    vault.store.mirrored_if_soon(sequence).await;
    facts(vault, &whose, stored)
}

async fn approve_offboarding<O: Kind>(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<O>,
    mut stored: StoredProposal,
    who: &Party,
    digest: [u8; 32],
) -> Result<StoredProposal> {
    let now = vault.clock.now();
    tenant::expect_same_law(silo, &stored)?;
    stored.proposal.standing = decided(vault, &stored, who, has_administrator(vault, silo.tree, now), digest, now)?;
    stored.proposal.expires_at = later(now, vault);
    let mut change = Change::new();
    put(vault, silo.tree, &stored, &mut change)?;
    let fields = [("proposal", stored.proposal.id.to_string()), ("sha256", hex::encode(digest))];
    log_in_both(vault, silo, call, "OFFBOARDING_APPROVED", &fields, now, &mut change)?;
    vault.store.commit(change).await?;
    Ok(stored)
}

async fn approve_disclosure<O: Kind>(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<O>,
    mut stored: StoredProposal,
    slot: SlotRef,
    who: &Party,
    digest: [u8; 32],
) -> Result<StoredProposal> {
    let id = DisclosureId::from_bytes(*stored.proposal.id.as_bytes());
    let named = |found: Option<(SubjectId, _)>| found.ok_or_else(unknown);
    let (subject, _) = named(disclosure::find(vault, silo, slot, id)?)?;
    // Nobody erases the person, or withdraws for it, meanwhile.
    let _alone = silo.lock_subject(&subject).await;
    let (_, disclosure) = named(disclosure::find(vault, silo, slot, id)?)?;
    let now = vault.clock.now();
    stored.proposal.standing = decided(vault, &stored, who, has_administrator(vault, silo.tree, now), digest, now)?;
    let parties = [party(vault, stored.proposal.proposer), Some(who.clone())];
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let content = disclosure::digest(&owner, slot, &disclosure);
    let both = [parties[0].as_ref(), parties[1].as_ref()];
    let approved = lethe_policy::redeem::<Disclosing>(&stored.proposal, &content, both, now)?;
    stored.proposal = disclosure::record(vault, silo, call, approved, slot, disclosure, now).await?;
    Ok(stored)
}

async fn approve_rotation<O: Kind, D: Deed>(
    vault: &Vault,
    whose: &Whose,
    call: &Authorized<O>,
    mut stored: StoredProposal,
    who: &Party,
    digest: [u8; 32],
) -> Result<StoredProposal> {
    let now = vault.clock.now();
    let left = has_administrator(vault, whose.tree, now);
    stored.proposal.standing = decided(vault, &stored, who, left, digest, now)?;
    let parties = [party(vault, stored.proposal.proposer), Some(who.clone())];
    // Of the key that signs today: what was proposed of one before is about something else.
    let content = audit::rotation_digest(whose.tree, &audit::verifier_key(vault, whose.tree)?);
    let both = [parties[0].as_ref(), parties[1].as_ref()];
    let approved = lethe_policy::redeem::<D>(&stored.proposal, &content, both, now)?;
    audit::succeed_key(vault, whose.tree, call, approved, stored.content, now).await
}

/// What the engine decides.
fn decided(
    vault: &Vault,
    stored: &StoredProposal,
    who: &Party,
    left: bool,
    digest: [u8; 32],
    now: Timestamp,
) -> Result<Standing> {
    if stored.proposal.digest != digest {
        let obligation = lethe_policy::ActRule::of(stored.proposal.act).obligation;
        let message = "the digest is not the proposal's: read it again".to_owned();
        return Err(Denial { reason: Reason::ProposalMismatch, obligation, message, duty: None }.into());
    }
    let proposer = party(vault, stored.proposal.proposer);
    Ok(lethe_policy::approve(&stored.proposal, proposer.as_ref(), who, left, now)?.standing())
}

fn caller<O: Kind>(vault: &Vault, call: &Authorized<O>) -> Result<Party> {
    party(vault, call.credential())
        .ok_or_else(|| Error::NotFound(Reason::CredentialNotFound, "there is no such credential".to_owned()))
}
