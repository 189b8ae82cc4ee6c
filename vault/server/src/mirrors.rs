//! The mirrors of a vault, looked at and dropped with the server stopped.

use lethe_crypto::tree::TreeId;
use lethe_domain::Timestamp;

use crate::audit;
use crate::config::Config;
use crate::error::Result;
use crate::store::{self, Change, Key, MirrorId, Registered, Store, StoreOptions};

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
/// If the vault has no such mirror; if a server has it open.
pub async fn drop_mirror(config: &Config, id: MirrorId) -> Result<()> {
    let options = StoreOptions { mirrors: config.mirror_paths(), dropping: Some(id), ..StoreOptions::default() };
    let store = Store::open(&config.data_dir.join("db"), &options)?;
    let mut change = Change::new().starting();
    change.delete(Key::Mirror { id });
    let entry = audit::by_the_vault("mirror.drop", Timestamp::now())?;
    change.log(TreeId::VAULT, audit::naming(entry, "MIRROR_DROPPED", "mirror", &id.to_string())?);
    let sequence = store.commit(change).await?.sequence;
    let mirrored = store.mirrored(sequence).await;
    store.close();
    Ok(mirrored?)
}
