//! What nobody does alone: proposals, and who decides on them (O27, O31, O33).

mod decide;
mod list;

use lethe_crypto::tree::TreeId;
use lethe_domain::{
    Act, CredentialId, Disclosure, DisclosureId, Proposal, ProposalId, Reason, Role, Roles, Standing, SubjectId,
    Timestamp,
};
use lethe_policy::operation::{
    ApproveProposal, ApproveVaultProposal, GetProposal, GetVaultProposal, Kind, ListProposals, ListVaultProposals,
    RejectProposal, RejectVaultProposal,
};
use lethe_policy::{ActRule, Authorized, Party};
use tokio::sync::MutexGuard;

use crate::audit;
use crate::disclosure;
use crate::error::{Error, Result};
use crate::records::{Content, StoredProposal};
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

pub use decide::{approve, reject};
pub use list::{get, list};

/// Most proposals of a tenant that are kept: then those that are over make room, and where none is, no other is taken.
const MOST: usize = 1024;

/// An operation that reads proposals.
pub trait Reads: Kind {}
impl Reads for GetProposal {}
impl Reads for GetVaultProposal {}

/// An operation that lists proposals.
pub trait Lists: Kind {}
impl Lists for ListProposals {}
impl Lists for ListVaultProposals {}

/// An operation that approves proposals.
pub trait Approves: Kind {}
impl Approves for ApproveProposal {}
impl Approves for ApproveVaultProposal {}

/// An operation that rejects proposals.
pub trait Rejects: Kind {}
impl Rejects for RejectProposal {}
impl Rejects for RejectVaultProposal {}

/// Whose proposals a call is about: a tenant's, or the vault's own.
pub(crate) struct Whose {
    pub(crate) tree: TreeId,
    pub(crate) silo: Option<SiloRef>,
}

impl Whose {
    pub(crate) fn of<O: Kind>(vault: &Vault, call: &Authorized<O>) -> Result<Self> {
        match call.tenant() {
            None => Ok(Self { tree: TreeId::VAULT, silo: None }),
            Some(_) => vault.silo(call).map(|silo| Self { tree: silo.tree, silo: Some(silo) }),
        }
    }

    /// Nobody else proposes or decides for as long as the guard lives.
    pub(crate) async fn lock<'a>(&'a self, vault: &'a Vault) -> MutexGuard<'a, ()> {
        match &self.silo {
            None => vault.administration.lock().await,
            Some(silo) => silo.lock_administration().await,
        }
    }

    /// The silo, for what only tenants' proposals are about.
    fn silo(&self) -> Result<&Silo> {
        self.silo.as_deref().ok_or_else(unknown)
    }
}

/// A proposal with what it is about, as far as that is still there.
pub struct Facts {
    /// The proposal.
    pub stored: StoredProposal,
    /// Of a disclosure, about whom it is, and what it consists of; `None` once the person is erased.
    pub about: Option<(SubjectId, Disclosure)>,
}

impl Facts {
    /// Whether it can come to nothing any more: its time is over, or the person that it is about is erased.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let pending = matches!(self.stored.proposal.standing, Standing::Open | Standing::Approved(_));
        let void = self.stored.proposal.act == Act::Disclosure && self.about.is_none();
        self.stored.proposal.is_expired(now) || (pending && void)
    }
}

/// A new proposal of who calls, open for as long as the vault keeps proposals open.
pub(crate) fn propose<O: Kind>(
    vault: &Vault,
    call: &Authorized<O>,
    id: ProposalId,
    digest: [u8; 32],
    content: Content,
    now: Timestamp,
) -> StoredProposal {
    let proposal = Proposal {
        id,
        act: content.act(),
        digest,
        proposer: call.credential(),
        proposed_at: now,
        expires_at: later(now, vault),
        standing: Standing::Open,
    };
    StoredProposal { proposal, content }
}

/// When a span that begins now is over.
fn later(now: Timestamp, vault: &Vault) -> Timestamp {
    let span = i64::try_from(vault.proposals_last.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.millis().saturating_add(span))
}

/// A proposal of a tenant.
///
/// # Errors
/// `ProposalNotFound`.
pub(crate) fn read(vault: &Vault, tree: TreeId, id: ProposalId) -> Result<StoredProposal> {
    find(vault, tree, id)?.ok_or_else(unknown)
}

/// A proposal of a tenant, if there is one of this id.
pub(crate) fn find(vault: &Vault, tree: TreeId, id: ProposalId) -> Result<Option<StoredProposal>> {
    let key = Key::Proposal { tree, proposal: id };
    let Some(sealed) = vault.store.get(&key)? else { return Ok(None) };
    let opened = vault.keys.open(&key, "", &sealed)?.ok_or_else(unknown)?;
    Ok(Some(StoredProposal::read(id, &opened)?))
}

/// The same, where the caller's roles see proposals of its act.
fn seen_by(vault: &Vault, tree: TreeId, id: ProposalId, roles: Roles) -> Result<StoredProposal> {
    let stored = read(vault, tree, id)?;
    if ActRule::of(stored.proposal.act).is_seen_by(roles) { Ok(stored) } else { Err(unknown()) }
}

/// Seals a proposal into `change`.
pub(crate) fn put(vault: &Vault, tree: TreeId, stored: &StoredProposal, change: &mut Change) -> Result<()> {
    let key = Key::Proposal { tree, proposal: stored.proposal.id };
    let sealed = vault.keys.seal(&key, "", &stored.encode()?)?;
    change.put(key, sealed);
    Ok(())
}

/// All proposals of a tenant, oldest first.
pub(crate) fn all(vault: &Vault, tree: TreeId) -> Result<Vec<StoredProposal>> {
    let mut found = Vec::new();
    vault.store.scan(RowKind::Proposal, &Key::prefix_of_tree(RowKind::Proposal, tree), |key, sealed| {
        if let Key::Proposal { proposal, .. } = key
            && let Some(opened) = vault.keys.open(&key, "", sealed)?
        {
            found.push(StoredProposal::read(proposal, &opened)?);
        }
        Ok::<_, Error>(())
    })?;
    found.sort_by_key(|stored| (stored.proposal.proposed_at, stored.proposal.id));
    Ok(found)
}

/// Makes room for one more proposal: the oldest that is over goes. The log keeps that there was one.
///
/// # Errors
/// `RecordsLimited` where all are pending.
pub(crate) fn make_room(vault: &Vault, tree: TreeId, now: Timestamp, change: &mut Change) -> Result<()> {
    let known = all(vault, tree)?;
    if known.len() < MOST {
        return Ok(());
    }
    let over = known.iter().map(|stored| &stored.proposal).find(|proposal| match proposal.standing {
        Standing::Open | Standing::Approved(_) => proposal.is_expired(now),
        Standing::Rejected(_) | Standing::Used(..) => true,
    });
    let full = || Error::Precondition(Reason::RecordsLimited, format!("there are {MOST} proposals pending already"));
    let proposal = over.ok_or_else(full)?.id;
    change.delete(Key::Proposal { tree, proposal });
    Ok(())
}

/// What is known of who proposes or approves.
pub(crate) fn party(vault: &Vault, id: CredentialId) -> Option<Party> {
    let known = vault.silos.credential(id)?;
    Some(Party {
        principal: known.principal.clone(),
        created_at: known.created_at,
        made_by: known.made_by,
        login: known.proof.login().cloned(),
        is_shut: vault.is_shut(&known),
    })
}

/// Whether a tenant has an administrator who could still say a word.
pub(crate) fn has_administrator(vault: &Vault, tree: TreeId, now: Timestamp) -> bool {
    let known = vault.silos.credentials_of(tree);
    known.iter().any(|known| known.principal.roles.has(Role::TenantAdmin) && !vault.is_over(known, now))
}

/// A proposal with what it is about.
fn facts(vault: &Vault, whose: &Whose, stored: StoredProposal) -> Result<Facts> {
    let about = match stored.content {
        Content::Offboarding(_) | Content::LogKey(_) | Content::VaultLogKey(_) => None,
        Content::Disclosure(slot) => {
            let id = DisclosureId::from_bytes(*stored.proposal.id.as_bytes());
            disclosure::find(vault, whose.silo()?, slot, id)?
        }
    };
    Ok(Facts { stored, about })
}

/// Logs a step of an offboarding with whoever it concerns: the tenant, and the vault that is to destroy it.
pub(crate) fn log_in_both<O: Kind>(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<O>,
    event: &str,
    fields: &[(&str, String)],
    now: Timestamp,
    change: &mut Change,
) -> Result<()> {
    let origin = vault.origin_of(silo.tree)?.to_string();
    let here: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let there: Vec<_> = here.iter().copied().chain([("log", origin.as_str())]).collect();
    change.log(silo.tree, audit::telling(audit::done(call, now)?, event, &here)?);
    change.log(TreeId::VAULT, audit::telling(audit::done(call, now)?, event, &there)?);
    Ok(())
}

pub(crate) fn unknown() -> Error {
    Error::NotFound(Reason::ProposalNotFound, "there is no such proposal".to_owned())
}
