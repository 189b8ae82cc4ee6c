//! How the root store stands, for operators.

use lethe_crypto::tree::TreeId;
use lethe_domain::Timestamp;
use lethe_policy::Authorized;
use lethe_policy::operation::GetRootStatus;

use crate::audit;
use crate::config::StoreKind;
use crate::erasure::{Standing, Statements};
use crate::error::Result;
use crate::store::Change;
use crate::vault::Vault;

/// How the root store stands.
pub(crate) struct RootStatus {
    /// The kind of store.
    pub(crate) store: StoreKind,
    /// The kind that the vault is on its way from.
    pub(crate) moving_from: Option<StoreKind>,
    /// The store, and the erasures that wait for it.
    pub(crate) standing: Standing,
    /// What receipts say of the media of this vault's roots.
    pub(crate) statements: Statements,
}

/// As the epoch writer knows it. The store itself is not asked: it may be one that hangs.
pub(crate) async fn root_status(vault: &Vault, call: Authorized<GetRootStatus>) -> Result<RootStatus> {
    let standing = vault.eraser.standing();
    let (store, from) = vault.root_stores;
    let moving_from = from.filter(|_| standing.roots.moving);
    let statements = Statements::read(&vault.store)?;
    let mut change = Change::audit_of_read();
    change.log(TreeId::VAULT, audit::done(&call, Timestamp::now())?);
    vault.store.commit(change).await?;
    Ok(RootStatus { store, moving_from, standing, statements })
}
