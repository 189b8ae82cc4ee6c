//! Changing what is known of a subject: one way for every right that is exercised and every fact that is recorded.

use lethe_crypto::secret::SlotKey;
use lethe_crypto::tree::SlotRef;
use lethe_domain::{Dossier, SubjectId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::Kind;

use super::unknown;
use crate::audit;
use crate::dossiers;
use crate::error::Result;
use crate::silo::Silo;
use crate::store::Change;
use crate::vault::Vault;

/// Whether somebody who is not there is made by what is recorded of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newcomers {
    /// They are: a consent comes before the first template (O16).
    Welcome,
    /// There is nobody to change.
    Unknown,
}

/// What an amendment came to.
pub(crate) struct Amended<T> {
    /// What is known of the subject now.
    pub(crate) dossier: Dossier,
    /// What the amendment answers.
    pub(crate) said: T,
    /// Where the subject is.
    pub(crate) slot: SlotRef,
}

/// Amends what is known of a subject, in one change with its entry in the log. The caller has the subject's lock, and waits
/// for [`Rights::settled`](crate::silo::Rights::settled) before it answers.
///
/// An amendment that changes nothing is logged, and writes nothing else.
pub(crate) async fn amend<O: Kind, T>(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<O>,
    subject: &SubjectId,
    newcomers: Newcomers,
    amendment: impl FnOnce(&mut Dossier, &SlotKey) -> Result<T>,
) -> Result<Amended<T>> {
    let now = Timestamp::now();
    let known = silo.subject(subject);
    if known.is_none() && newcomers == Newcomers::Unknown {
        return Err(unknown());
    }
    let mut change = Change::new();
    let slot = match known {
        Some(slot) => slot,
        None => {
            let leases = vault.keys.allocate(silo.tree, 1).await?;
            let slot = leases[0].slot();
            change.own(leases);
            slot
        }
    };
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let before = known.map_or_else(|| Ok(Dossier::default()), |slot| dossiers::of(vault, silo, slot))?;
    let mut dossier = before.clone();
    let said = amendment(&mut dossier, &owner)?;
    let entry = audit::about(audit::done(call, now)?, &owner);
    if known.is_some() && dossier == before {
        vault.record(silo.tree, entry).await?;
        return Ok(Amended { dossier, said, slot });
    }
    {
        let mut keys = vault.keys.opener();
        if known.is_none() {
            dossiers::put_subject(&mut keys, silo, slot, subject, now, &mut change)?;
        }
        dossiers::put(&mut keys, silo, slot, &dossier, &mut change)?;
    }
    change.log(silo.tree, entry);
    vault.store.commit(change).await?;
    Ok(Amended { dossier, said, slot })
}
