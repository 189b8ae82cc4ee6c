use lethe_domain::ProposalId;
use lethe_policy::operation::{GetProposal, ListProposals};
use lethe_policy::{ActRule, Authorized};

use super::{Facts, all, facts, seen_by};
use crate::error::Result;
use crate::vault::Vault;

/// Reads a proposal.
///
/// # Errors
/// `ProposalNotFound`, also of one that the caller's roles do not see.
pub async fn get(vault: &Vault, call: Authorized<GetProposal>, id: ProposalId) -> Result<Facts> {
    let silo = vault.silo(&call)?;
    let found = seen_by(vault, silo.tree, id, call.roles()).and_then(|stored| facts(vault, &silo, stored));
    let found = vault.noting_misses(silo.tree, &call, found).await?;
    vault.note(silo.tree, &call).await?;
    Ok(found)
}

/// Lists a tenant's proposals that the caller's roles see, oldest first: `size` of them from number `from` on.
pub async fn list(
    vault: &Vault,
    call: Authorized<ListProposals>,
    from: u64,
    size: usize,
) -> Result<(Vec<Facts>, Option<u64>)> {
    let silo = vault.silo(&call)?;
    let mut seen = all(vault, silo.tree)?;
    seen.retain(|stored| ActRule::of(stored.proposal.act).is_seen_by(call.roles()));
    vault.note(silo.tree, &call).await?;
    let (page, next) = crate::tenant::page(seen, from, size);
    let page = page.into_iter().map(|stored| facts(vault, &silo, stored)).collect::<Result<_>>()?;
    Ok((page, next))
}
