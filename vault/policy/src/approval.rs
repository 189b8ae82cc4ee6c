//! Who decides with whom: what one credential proposes, another approves, and only then it is done (O27, O31,
//! O33).

use std::marker::PhantomData;

use lethe_domain::{Act, CredentialId, Login, Proposal, Reason, Role, Roles, Standing, Timestamp, Vote};

use crate::gate::Denial;
use crate::principal::{Owner, Principal};

/// One line of the table of acts.
#[derive(Debug, Clone, Copy)]
pub struct ActRule {
    /// The act.
    pub act: Act,
    /// Who may propose it.
    pub proposers: &'static [Role],
    /// Who may approve or reject what somebody else proposed.
    pub approvers: &'static [Role],
    /// Who sees a proposal of it.
    pub readers: &'static [Role],
    /// Whether one of the two has to be of the tenant that it is about.
    pub needs_tenant: bool,
    /// The obligation behind it.
    pub obligation: &'static str,
}

const ADMINISTRATORS: &[Role] = &[Role::TenantAdmin, Role::Operator];
const OFFICERS: &[Role] = &[Role::PrivacyOfficer];
const KEEPERS: &[Role] = &[Role::TenantAdmin, Role::PrivacyOfficer];
const WITNESSES: &[Role] = &[Role::TenantAdmin, Role::PrivacyOfficer, Role::Auditor];

/// The table, one line an act, in the order of [`Act::ALL`].
const ACTS: [ActRule; 4] = [
    ActRule {
        act: Act::Offboarding,
        proposers: ADMINISTRATORS,
        approvers: ADMINISTRATORS,
        readers: &[Role::TenantAdmin, Role::Operator, Role::Auditor],
        needs_tenant: true,
        obligation: "O27",
    },
    ActRule {
        act: Act::Disclosure,
        proposers: OFFICERS,
        approvers: OFFICERS,
        readers: &[Role::PrivacyOfficer, Role::Auditor],
        needs_tenant: true,
        obligation: "O33",
    },
    // Who administers a tenant, or answers for its people, or reads its log: whoever would be fooled by a log with two tongues.
    ActRule {
        act: Act::LogKeyRotation,
        proposers: KEEPERS,
        approvers: WITNESSES,
        readers: WITNESSES,
        needs_tenant: true,
        obligation: "O31",
    },
    ActRule {
        act: Act::VaultLogKeyRotation,
        proposers: &[Role::Operator],
        approvers: &[Role::Operator],
        readers: &[Role::Operator],
        needs_tenant: false,
        obligation: "O31",
    },
];

impl ActRule {
    /// An act's line.
    pub const fn of(act: Act) -> &'static Self {
        match act {
            Act::Offboarding => &ACTS[0],
            Act::Disclosure => &ACTS[1],
            Act::LogKeyRotation => &ACTS[2],
            Act::VaultLogKeyRotation => &ACTS[3],
        }
    }

    /// All lines.
    pub const fn table() -> &'static [Self] {
        &ACTS
    }

    /// Whether somebody of these roles sees a proposal of the act.
    pub fn is_seen_by(&self, roles: Roles) -> bool {
        roles.meets(self.readers.iter().copied().collect())
    }
}

/// A credential that proposes or approves: what the two are held against each other by.
#[derive(Debug, Clone)]
pub struct Party {
    /// Who it says the caller is.
    pub principal: Principal,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whose call it was made; `None` of a vault's first operator, and where nobody wrote it down.
    pub made_by: Option<CredentialId>,
    /// Whose login shows it, where it is no key: the same person has all that one login shows.
    pub login: Option<Login>,
    /// Whether nobody can call by it any more: it was revoked, or whoever could show it is not believed.
    pub is_shut: bool,
}

impl Party {
    pub(crate) const fn id(&self) -> CredentialId {
        self.principal.credential
    }

    const fn is_the_vaults(&self) -> bool {
        matches!(self.principal.owner, Owner::Vault)
    }

    /// Whether the credential is refused by now.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.is_shut || self.principal.expires.is_some_and(|end| end <= now)
    }

    pub(crate) fn made(&self, other: &Self) -> bool {
        other.made_by == Some(self.id())
    }

    fn has_one_of(&self, roles: &[Role]) -> bool {
        self.principal.roles.meets(roles.iter().copied().collect())
    }
}

/// Proof that a decision may be written down. Nothing outside this crate can make one:
///
/// ```compile_fail
/// use lethe_policy::Decision;
/// let forged = Decision { standing: unreachable!() };
/// ```
#[derive(Debug)]
pub struct Decision {
    standing: Standing,
}

impl Decision {
    /// How the proposal stands from now on.
    pub const fn standing(&self) -> Standing {
        self.standing
    }
}

/// A type that stands for an act: `Approved<Offboarding>` is no `Approved<Disclosure>`.
pub trait Deed: Send + Sync + 'static {
    /// The act.
    const ACT: Act;
}

/// [`Act::Offboarding`].
#[derive(Debug, Clone, Copy)]
pub enum Offboarding {}
/// [`Act::Disclosure`].
#[derive(Debug, Clone, Copy)]
pub enum Disclosing {}
/// [`Act::LogKeyRotation`].
#[derive(Debug, Clone, Copy)]
pub enum RotatingLogKey {}
/// [`Act::VaultLogKeyRotation`].
#[derive(Debug, Clone, Copy)]
pub enum RotatingVaultLogKey {}

impl Deed for Offboarding {
    const ACT: Act = Act::Offboarding;
}

impl Deed for Disclosing {
    const ACT: Act = Act::Disclosure;
}

impl Deed for RotatingLogKey {
    const ACT: Act = Act::LogKeyRotation;
}

impl Deed for RotatingVaultLogKey {
    const ACT: Act = Act::VaultLogKeyRotation;
}

/// Proof that two persons agreed on this very act, which is not done yet. Use cases that need it take it by value, and write
/// down what [`Approved::used`] gives in the same change. Nothing outside this crate can make one:
///
/// ```compile_fail
/// use lethe_policy::{Approved, Offboarding};
/// let forged: Approved<Offboarding> = Approved { proposal: unreachable!(), vote: unreachable!(), deed: std::marker::PhantomData };
/// ```
#[derive(Debug)]
pub struct Approved<D> {
    proposal: Proposal,
    vote: Vote,
    deed: PhantomData<D>,
}

impl<D: Deed> Approved<D> {
    /// The proposal, carried out: it cannot be once more.
    pub fn used(self, now: Timestamp) -> Proposal {
        Proposal { standing: Standing::Used(self.vote, now), ..self.proposal }
    }
}

/// Decides whether `who` may approve a proposal, as the second person.
///
/// The order is part of the contract: the proposal is open and its time is not over; nothing that it rests on was revoked;
/// `who` has a fitting role; the two are not one. A client's data are not destroyed on the vault's operators' word alone,
/// unless nobody of the client's is `left` who could say it.
///
/// # Errors
/// The reason, with the obligation that asks for two.
pub fn approve(
    proposal: &Proposal,
    proposer: Option<&Party>,
    who: &Party,
    left: bool,
    now: Timestamp,
) -> Result<Decision, Denial> {
    let rule = ActRule::of(proposal.act);
    is_open(proposal, now)?;
    let Some(proposer) = proposer.filter(|proposer| !proposer.is_over(now)) else {
        return deny(Reason::ProposalClosed, "O31", "the credential that proposed it was revoked or expired");
    };
    fits(who, rule)?;
    let dependent = |message: &str| deny(Reason::ApproverNotIndependent, rule.obligation, message);
    if who.id() == proposer.id() {
        return dependent("who proposed it cannot approve it");
    }
    if who.created_at >= proposal.proposed_at {
        return dependent("the credential was made after the proposal");
    }
    if proposer.made(who) || who.made(proposer) {
        return dependent("one of the two credentials made the other, so one person may have both");
    }
    if rule.needs_tenant && left && who.is_the_vaults() && proposer.is_the_vaults() {
        return dependent("one of the two has to be of the tenant");
    }
    Ok(Decision { standing: Standing::Approved(Vote { by: who.id(), at: now }) })
}

/// Decides whether `who` may reject a proposal, also an approved one that is not carried out yet; who proposed it takes it back so.
///
/// # Errors
/// The reason.
pub fn reject(proposal: &Proposal, who: &Party, now: Timestamp) -> Result<Decision, Denial> {
    match proposal.standing {
        Standing::Open | Standing::Approved(_) => {}
        Standing::Rejected(_) | Standing::Used(..) => {
            return deny(Reason::ProposalClosed, "O31", "the proposal was rejected or carried out before");
        }
    }
    if who.id() != proposal.proposer {
        fits(who, ActRule::of(proposal.act))?;
    }
    Ok(Decision { standing: Standing::Rejected(Vote { by: who.id(), at: now }) })
}

/// Decides whether an act may be done now, of which `digest` is the SHA-256 of what it consists of.
///
/// # Errors
/// The reason, with the obligation that asks for two.
pub fn redeem<D: Deed>(
    proposal: &Proposal,
    digest: &[u8; 32],
    parties: [Option<&Party>; 2],
    now: Timestamp,
) -> Result<Approved<D>, Denial> {
    let obligation = ActRule::of(D::ACT).obligation;
    if proposal.act != D::ACT || proposal.digest != *digest {
        return deny(Reason::ProposalMismatch, obligation, "the proposal is about something else");
    }
    let vote = match proposal.standing {
        Standing::Approved(vote) => vote,
        Standing::Open => return deny(Reason::ApprovalRequired, obligation, "the proposal is not approved"),
        Standing::Rejected(_) | Standing::Used(..) => {
            return deny(Reason::ProposalClosed, obligation, "the proposal was rejected or carried out before");
        }
    };
    if proposal.is_expired(now) {
        return deny(Reason::ProposalExpired, obligation, "the proposal's time is over");
    }
    if parties.into_iter().any(|party| party.is_none_or(|party| party.is_over(now))) {
        return deny(Reason::ProposalClosed, "O31", "a credential that proposed or approved it was revoked or expired");
    }
    Ok(Approved { proposal: proposal.clone(), vote, deed: PhantomData })
}

fn is_open(proposal: &Proposal, now: Timestamp) -> Result<(), Denial> {
    match proposal.standing {
        Standing::Open if proposal.is_expired(now) => {
            deny(Reason::ProposalExpired, "O31", "the proposal's time is over")
        }
        Standing::Open => Ok(()),
        Standing::Approved(_) | Standing::Rejected(_) | Standing::Used(..) => {
            deny(Reason::ProposalClosed, "O31", "somebody decided on the proposal before")
        }
    }
}

fn fits(who: &Party, rule: &ActRule) -> Result<(), Denial> {
    if who.has_one_of(rule.approvers) {
        return Ok(());
    }
    let names: Vec<_> = rule.approvers.iter().map(|role| role.name()).collect();
    deny(Reason::RoleRequired, "O31", format!("{} is decided on by {}", rule.act.name(), names.join(" or ")))
}

fn deny<T>(reason: Reason, obligation: &'static str, message: impl Into<String>) -> Result<T, Denial> {
    Err(Denial { reason, obligation, message: message.into(), duty: None })
}

#[cfg(test)]
mod tests;
