use lethe_crypto::tree::SlotRef;
use lethe_domain::{Reason, SubjectId, TemplateFacts};
use lethe_policy::Authorized;
use lethe_policy::operation::ListTemplates;

use crate::audit;
use crate::error::{Error, Result};
use crate::silo::Silo;
use crate::templates;
use crate::vault::Vault;

/// A page of a list.
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<u64>,
}

/// Lists a subject's templates, oldest first, without their embeddings: `size` of them from `from` on.
pub async fn list_templates(
    vault: &Vault,
    call: Authorized<ListTemplates>,
    subject: &SubjectId,
    from: u64,
    size: usize,
) -> Result<Page<(TemplateFacts, usize)>> {
    let silo = vault.silo(&call)?;
    let page = page(vault, &call, &silo, subject, from, size).await;
    vault.noting_misses(silo.tree, &call, page).await
}

async fn page(
    vault: &Vault,
    call: &Authorized<ListTemplates>,
    silo: &Silo,
    subject: &SubjectId,
    from: u64,
    size: usize,
) -> Result<Page<(TemplateFacts, usize)>> {
    let unknown = || Error::NotFound(Reason::SubjectNotFound, "there is no such subject".to_owned());
    let slot: SlotRef = silo.subject(subject).ok_or_else(unknown)?;
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let mut found = templates::of_subject(&vault.store, &vault.keys, silo, slot, None)?;
    found.retain(|found| found.at.thing.slot >= from);
    let next = found.get(size).map(|found| found.at.thing.slot);
    found.truncate(size);
    vault.record(silo.tree, audit::about(audit::done(call, vault.clock.now())?, &owner)).await?;
    let items = found.into_iter().map(|found| {
        let dimension = found.record.embedding.components().len();
        (found.record.facts, dimension)
    });
    Ok(Page { items: items.collect(), next })
}
