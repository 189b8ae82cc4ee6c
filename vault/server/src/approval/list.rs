use lethe_domain::ProposalId;
use lethe_policy::{ActRule, Authorized};

use super::{Facts, Lists, Reads, Whose, all, facts, seen_by};
use crate::error::Result;
use crate::vault::Vault;

/// Reads a proposal.
///
/// # Errors
/// `ProposalNotFound`, also of one that the caller's roles do not see.
pub async fn get<O: Reads>(vault: &Vault, call: Authorized<O>, id: ProposalId) -> Result<Facts> {
    let whose = Whose::of(vault, &call)?;
    let found = seen_by(vault, whose.tree, id, call.roles()).and_then(|stored| facts(vault, &whose, stored));
    let found = vault.noting_misses(whose.tree, &call, found).await?;
    vault.note(whose.tree, &call).await?;
    Ok(found)
}

/// Lists the proposals of a tenant, or of the vault, that the caller's roles see, oldest first: `size` of them from number `from` on.
pub async fn list<O: Lists>(
    vault: &Vault,
    call: Authorized<O>,
    from: u64,
    size: usize,
) -> Result<(Vec<Facts>, Option<u64>)> {
    let whose = Whose::of(vault, &call)?;
    let mut seen = all(vault, whose.tree)?;
    seen.retain(|stored| ActRule::of(stored.proposal.act).is_seen_by(call.roles()));
    vault.note(whose.tree, &call).await?;
    let (page, next) = crate::tenant::page(seen, from, size);
    let page = page.into_iter().map(|stored| facts(vault, &whose, stored)).collect::<Result<_>>()?;
    Ok((page, next))
}
