use lethe_crypto::log::entry::Entry;
use lethe_crypto::log::receipt::{Logged, Receipt};
use lethe_crypto::tree::TreeId;
use lethe_domain::{Reason, ReceiptId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{GetReceipt, GetVaultReceipt, Kind};

use super::proof::checkpoint;
use crate::erasure::ErasureState;
use crate::error::{Error, Result};
use crate::records::{ReceiptRecord, decode};
use crate::store::{Key, StoreError};
use crate::vault::Vault;

/// An erasure's state, and its receipt once there is one.
pub struct ReceiptState {
    /// When the erasure was accepted.
    pub accepted_at: Timestamp,
    /// When the old root was destroyed, and the receipt (a canonical JSON document).
    pub shredded: Option<(Timestamp, Vec<u8>)>,
}

/// An operation that reads receipts.
pub trait Reads: Kind {}
impl Reads for GetReceipt {}
impl Reads for GetVaultReceipt {}

/// Reads the state of an erasure or a rotation. Its receipt is made anew from the log each time (O20).
pub async fn get_receipt<O: Reads>(vault: &Vault, call: Authorized<O>, id: ReceiptId) -> Result<ReceiptState> {
    let tree = match call.tenant() {
        None => TreeId::VAULT,
        Some(_) => vault.silo(&call)?.tree,
    };
    let unknown = || Error::NotFound(Reason::ReceiptNotFound, format!("no receipt {id}"));
    let record = vault.store.get(&Key::Receipt { tree, receipt: id })?.ok_or_else(unknown)?;
    let record: ReceiptRecord = decode("receipt record", &record)?;
    let shredded = match vault.eraser.state(tree, id)? {
        Some(ErasureState::Shredded) => issue(vault, &record).await?,
        Some(ErasureState::Pending) | None => None,
    };
    vault.note(tree, &call).await?;
    Ok(ReceiptState { accepted_at: Timestamp::from_millis(record.accepted_at), shredded })
}

/// The receipt, or `None` while the old root may still exist.
async fn issue(vault: &Vault, record: &ReceiptRecord) -> Result<Option<(Timestamp, Vec<u8>)>> {
    let Some(committed) = record.committed else { return Ok(None) };
    let Some(end) = vault.store.get(&Key::EpochEnd { number: committed.leaves_epoch })? else { return Ok(None) };
    let end =
        <[u8; 8]>::try_from(end).map_err(|_| StoreError::corrupt("epoch end", committed.leaves_epoch.to_string()))?;
    let destroyed = u64::from_be_bytes(end);
    // Signed first: every proof below leads to this very tree.
    let checkpoint = checkpoint(vault, TreeId::VAULT).await?;
    let entry = |index| {
        let bytes = vault.store.get(&Key::LogEntry { tree: TreeId::VAULT, index })?;
        bytes.ok_or_else(|| StoreError::corrupt("log", format!("entry {index} is missing")))
    };
    let (first, second) = (entry(committed.leaf)?, entry(destroyed)?);
    let nodes = vault.store.nodes(TreeId::VAULT);
    let logged = |index, bytes| Logged::prove(&nodes, index, bytes, checkpoint.size).map_err(StoreError::from);
    let receipt = Receipt::issue(
        &logged(committed.leaf, &first)?,
        &logged(destroyed, &second)?,
        &checkpoint.note,
        &checkpoint.verifier,
    )
    .map_err(|fault| StoreError::corrupt("receipt", fault.to_string()))?;
    let at = Entry::decode(&second).map_err(StoreError::from)?.time;
    let at = Timestamp::from_millis(i64::try_from(at).unwrap_or(i64::MAX));
    Ok(Some((at, receipt.as_bytes().to_vec())))
}
