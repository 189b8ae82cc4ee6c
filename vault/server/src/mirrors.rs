//! The mirrors of a vault: how they stand, for operators; and, with the server stopped, looked at and dropped.

use lethe_crypto::tree::TreeId;
use lethe_domain::Timestamp;
use lethe_policy::Authorized;
use lethe_policy::operation::ListMirrors;

use crate::audit;
use crate::config::Config;
use crate::error::Result;
use crate::store::{self, Change, Key, MirrorId, MirrorState, Opening, Registered, Store, StoreOptions};
use crate::vault::Vault;

/// How the mirrors stand, from this place in their list on, at most so many; and the next place, if there is one.
pub(crate) async fn states(
    vault: &Vault,
    call: Authorized<ListMirrors>,
    from: u64,
    most: usize,
) -> Result<(Vec<MirrorState>, Option<u64>)> {
    let skipped = usize::try_from(from).unwrap_or(usize::MAX);
    let mut rest = vault.store.mirrors().into_iter().skip(skipped);
    let page: Vec<_> = rest.by_ref().take(most).collect();
    let next = rest.next().map(|_| from.saturating_add(page.len() as u64));
    vault.note(TreeId::VAULT, &call).await?;
    Ok((page, next))
}

/// The mirrors that a vault has, by its own rows.
///
/// # Errors
/// If there is no vault, or a server has it open.
pub fn list_mirrors(config: &Config) -> Result<Vec<Registered>> {
    Ok(store::registered_mirrors(&config.data_dir.join("db"))?)
}

/// Gives a mirror up, on the record: its disk is lost, or another takes its place. What it has stays where it is; the vault
/// does not start with it any more.
///
/// # Errors
/// If the vault has no such mirror; if a server has it open; if the mirror shows that the data were put back.
pub async fn drop_mirror(config: &Config, id: MirrorId) -> Result<()> {
    let opening = Opening::Dropping(id);
    let options = StoreOptions { mirrors: config.mirror_paths(), opening, ..StoreOptions::default() };
    let store = Store::open(&config.data_dir.join("db"), &options)?;
    // The others are not written to: the root store was not asked whether this is the vault, or a copy of it.
    store.begin_alone()?;
    let dropped = store.commit(dropping(Change::new().starting(), id)?).await;
    store.close();
    Ok(dropped.map(drop)?)
}

/// Takes a mirror off the record, which says so.
pub(crate) fn dropping(mut change: Change, id: MirrorId) -> Result<Change> {
    change.delete(Key::Mirror { id });
    let entry = audit::by_the_vault("mirror.drop", Timestamp::now())?;
    change.log(TreeId::VAULT, audit::naming(entry, "MIRROR_DROPPED", "mirror", &id.to_string())?);
    Ok(change)
}
