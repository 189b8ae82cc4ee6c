//! Consents: recording, withdrawing and listing them (O2, O15, O16, O23).

pub(crate) mod record;

use lethe_crypto::tag::tag;
use lethe_domain::{Consent, ConsentId, ConsentState, Dossier, Reason, RequestId, SubjectId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{ExportConsents, Kind, ListConsents, RecordConsent, WithdrawConsent};
use tokio::time::Instant;

use crate::audit;
use crate::dossiers;
use crate::erasure::{self, Erasure, receipt_of};
use crate::error::{Error, Result};
use crate::idempotency::Fingerprint;
use crate::silo::Silo;
use crate::subject::amend::{Ends, Terms, amend};
use crate::subject::unknown;
use crate::vault::Vault;

/// Records a consent, of somebody who is there or is to be enrolled. Its id derives from the request, so that a repeat finds it.
///
/// # Errors
/// `RequestIdReused` for a repeat that says something else; `ConsentWithdrawn` for one that was given before the last withdrawal;
/// `RecordsLimited` where as many are kept as may be.
pub async fn record(
    vault: &Vault,
    call: Authorized<RecordConsent>,
    subject: &SubjectId,
    consent: Consent,
    request: RequestId,
) -> Result<Consent> {
    let now = vault.clock.now();
    let consent = consent.checked(now)?;
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_subject(subject).await;
    let terms = Terms { newcomers: true, limits: false, ..Terms::KNOWN };
    let amended = amend(vault, &silo, &call, subject, terms, |dossier, owner| {
        let id = ConsentId::from_bytes(tag(owner, "consent", request.as_bytes()));
        let consent = Consent { id, ..consent };
        if let Some(known) = dossier.consents.iter().find(|known| known.id == id) {
            // It may have been withdrawn since.
            let same = Consent { withdrawn_at: None, ..known.clone() } == consent;
            return if same { Ok(known.clone()) } else { Err(Error::RequestIdReused) };
        }
        make_room(dossier, &consent, now)?;
        dossier.consents.push(consent.clone());
        Ok(consent)
    })
    .await?;
    Ok(amended.said)
}

/// Refuses a consent that was withdrawn since, by another record of it; and one more than are kept, where none is over that
/// could go. The last withdrawal of each sort stays: by it an old consent that is recorded late is known.
fn make_room(dossier: &mut Dossier, consent: &Consent, now: Timestamp) -> Result<()> {
    let withdrawn = dossier.consents.iter().filter(|known| known.purpose == consent.purpose);
    let last = withdrawn.filter_map(|known| known.withdrawn_at).max();
    if last.is_some_and(|withdrawn| consent.given_at < withdrawn) {
        let message = "the subject withdrew its consent to the purpose since this one was given".to_owned();
        return Err(Error::Precondition(Reason::ConsentWithdrawn, message));
    }
    if dossier.consents.len() < Dossier::MOST_CONSENTS {
        return Ok(());
    }
    let over = dossier.consents.iter().position(|known| match known.state(now) {
        ConsentState::Valid => false,
        ConsentState::Expired => true,
        ConsentState::Withdrawn => dossier.consents.iter().any(|other| {
            let alike = (other.purpose, other.manner, other.giver) == (known.purpose, known.manner, known.giver);
            alike && known.withdrawn_at < other.withdrawn_at
        }),
    });
    match over.filter(|_| dossier.holds.is_empty()) {
        Some(oldest) => {
            dossier.consents.remove(oldest);
            Ok(())
        }
        None => {
            let message = format!("{} consents of the subject are recorded already", Dossier::MOST_CONSENTS);
            Err(Error::Precondition(Reason::RecordsLimited, message))
        }
    }
}

/// What a withdrawal came to.
pub struct Withdrawn {
    /// The consent; `None` where a repeat finds the subject erased.
    pub consent: Option<Consent>,
    /// The subject's erasure, where nothing else allowed to keep it.
    pub erasure: Option<Erasure>,
}

/// Withdraws a consent (O23): it takes effect before this returns, also for searches that are under way; and where nothing
/// else allows to keep the subject, everything of it is erased.
pub async fn withdraw(
    vault: &Vault,
    call: Authorized<WithdrawConsent>,
    subject: &SubjectId,
    id: ConsentId,
    request: RequestId,
    until: Option<Instant>,
) -> Result<Withdrawn> {
    let silo = vault.silo(&call)?;
    let what = Fingerprint::of("consent.withdraw").with(subject.as_str().as_bytes()).with(id.as_bytes());
    let receipt = receipt_of(&vault.keys, silo.tree, request, what)?;
    let alone = silo.lock_subject(subject).await;
    let consent = if vault.eraser.state(silo.tree, receipt)?.is_none() {
        let terms = Terms { ends: Ends::Baseless, receipt: Some(receipt), ..Terms::KNOWN };
        let amended =
            amend(vault, &silo, &call, subject, terms, |dossier, _| cease(dossier, id, vault.clock.now())).await;
        drop(alone);
        let amended = vault.noting_misses(silo.tree, &call, amended).await?;
        amended.settle(vault, &silo).await;
        Some(amended.said)
    } else {
        drop(alone);
        vault.note(silo.tree, &call).await?;
        silo.rights().settled().await;
        None
    };
    let erasure = match vault.eraser.state(silo.tree, receipt)? {
        None => None,
        Some(_) => Some(Erasure { receipt, state: erasure::wait(vault, silo.tree, receipt, until).await? }),
    };
    Ok(Withdrawn { consent, erasure })
}

fn cease(dossier: &mut Dossier, id: ConsentId, now: Timestamp) -> Result<Consent> {
    let found = dossier.consents.iter_mut().find(|consent| consent.id == id);
    let missing = || Error::NotFound(Reason::ConsentNotFound, "the subject has no such consent".to_owned());
    let consent = found.ok_or_else(missing)?;
    // The clock may have jumped back since it was given.
    consent.withdrawn_at = consent.withdrawn_at.or(Some(now.max(consent.given_at)));
    Ok(consent.clone())
}

/// Lists a subject's consents, in the order in which they were recorded.
pub async fn list(vault: &Vault, call: Authorized<ListConsents>, subject: &SubjectId) -> Result<Vec<Consent>> {
    let silo = vault.silo(&call)?;
    let listed = read(vault, &silo, &call, subject).await;
    vault.noting_misses(silo.tree, &call, listed).await
}

/// A subject's consents as records after ISO/IEC TS 27560, a JSON array.
///
/// # Errors
/// `SubjectNotFound`.
pub async fn export(vault: &Vault, call: Authorized<ExportConsents>, subject: &SubjectId) -> Result<String> {
    let silo = vault.silo(&call)?;
    let consents = read(vault, &silo, &call, subject).await;
    let consents = vault.noting_misses(silo.tree, &call, consents).await?;
    let policy = silo.policy();
    let records = consents.iter().map(|consent| record::record(&silo.id, subject, &policy, consent));
    Ok(serde_json::Value::Array(records.collect()).to_string())
}

async fn read<O: Kind>(vault: &Vault, silo: &Silo, call: &Authorized<O>, subject: &SubjectId) -> Result<Vec<Consent>> {
    let slot = silo.subject(subject).ok_or_else(unknown)?;
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    let dossier = dossiers::of(vault, silo, slot)?;
    vault.record(silo.tree, audit::about(audit::done(call, vault.clock.now())?, &owner)).await?;
    Ok(dossier.consents)
}
