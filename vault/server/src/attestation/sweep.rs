use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_domain::Timestamp;

use crate::error::{Error, Result};
use crate::silo::SiloRef;
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// For so long after an attestation is over it is remembered all the same, in seconds: a clock may be put back.
const LONGER: u64 = 2 * 86_400;

/// Forgets which attestations a tenant used that are refused as expired by now, whatever its policy says: of a few kilobytes a thousand
/// logins leave, nothing stays. Nothing is logged: the use was.
///
/// # Errors
/// What the store says.
pub(crate) async fn expire(vault: &Arc<Vault>, silo: &SiloRef, now: Timestamp) -> Result<()> {
    // Whatever is believed of the clock: what either says is not over is remembered.
    let now = now.min(vault.clock.now());
    let (tree, seconds) = (silo.tree, now.millis().max(0).unsigned_abs() / 1000);
    let Some(before) = seconds.checked_sub(LONGER) else { return Ok(()) };
    let (start, mut any) = (Key::prefix_of_tree(RowKind::Attestation, tree), false);
    vault.store.scan_from(RowKind::Attestation, &start, &start, |key, _| {
        any = matches!(key, Key::Attestation { until, .. } if until < before);
        Ok::<_, Error>(ControlFlow::Break(()))
    })?;
    if any {
        let mut change = Change::new();
        change.delete_attestations(tree, before);
        vault.store.commit(change).await?;
    }
    Ok(())
}
