//! Requests of data subjects: kept with their deadlines, and answered (O26).
//!
//! A request is sealed under the tenant's own key and names nobody; its id is known to who asked for it. What leads from a
//! person to their requests is sealed under the person's key, and dies with it. Nothing that is judged depends on any of this
//! (O37).

mod book;

use std::sync::Arc;

use lethe_crypto::tag::tag;
use lethe_domain::{
    ExtensionReason, Invalid, Jurisdiction, Reason, RefusalReason, RequestId, RequestKind, RequestOutcome, Requester,
    RightsRequest, RightsRequestId, Role, SubjectId, Timestamp, Verification,
};
use lethe_policy::operation::{CloseRequest, CountRequests, ExtendRequest, GetRequest, ListRequests, OpenRequest};
use lethe_policy::request::{self as terms, Objected, Statistics};
use lethe_policy::{Authorized, Denial};

use crate::audit;
use crate::dossiers;
use crate::error::{Error, Result};
use crate::store::Change;
use crate::subject::unknown;
use crate::vault::Vault;

pub use book::{Filter, Page};
pub(crate) use book::{LEDGER, asked_by, expect_open, fulfil, of_subject, put};

/// How far a client's clock may be ahead, in milliseconds.
const TOLERANCE: i64 = 60_000;

/// What is to be recorded.
pub struct Wanted {
    /// What is asked for.
    pub kind: RequestKind,
    /// Who asks.
    pub requester: Requester,
    /// How the requester was verified, if that is done.
    pub verification: Option<Verification>,
    /// Whose law counts; the person's, or the tenant's own, if nobody says.
    pub jurisdiction: Option<Jurisdiction>,
    /// When the client received it; now, if nobody says.
    pub received_at: Option<Timestamp>,
    /// Whose it is, if anything is held of them.
    pub subject: Option<SubjectId>,
}

/// A request, under its id.
pub type Filed = (RightsRequestId, RightsRequest);

/// Records a request. Its id derives from the call's, so that a repeat finds it.
///
/// # Errors
/// `RequestIdReused` for a repeat that says something else; `RequestsExhausted` where the law grants no more of them (O25).
pub async fn open(vault: &Vault, call: Authorized<OpenRequest>, wanted: Wanted, request: RequestId) -> Result<Filed> {
    let now = vault.clock.now();
    let received_at = wanted.received_at.unwrap_or(now);
    if received_at.millis() > now.millis().saturating_add(TOLERANCE) {
        return Err(Invalid::new("request.receive_time", Reason::FieldOutOfRange, "is in the future").into());
    }
    let silo = vault.silo(&call)?;
    let _administering = silo.lock_administration().await;
    let _alone = match &wanted.subject {
        Some(subject) => Some(silo.lock_subject(subject).await),
        None => None,
    };
    let slot = match &wanted.subject {
        None => None,
        Some(subject) => Some(vault.noting_misses(silo.tree, &call, silo.subject(subject).ok_or_else(unknown)).await?),
    };
    let owner = match slot {
        None => None,
        Some(slot) => Some(vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?),
    };
    let dossier = slot.map(|slot| dossiers::of(vault, &silo, slot)).transpose()?;
    let whose = wanted.jurisdiction.or(dossier.and_then(|dossier| dossier.jurisdiction));
    let jurisdiction = whose.unwrap_or_else(|| silo.policy().jurisdiction);
    let id = RightsRequestId::from_bytes(tag(&vault.keys.own(silo.tree)?, "rights-request", request.as_bytes()));
    let asked = slot.map(|slot| book::asked_by(vault, &silo, slot)).transpose()?;
    let mut entry = audit::done(&call, now)?;
    if let Some(owner) = &owner {
        entry = audit::about(entry, owner);
    }
    if let Some(known) = book::read(vault, &silo, id)? {
        let time = wanted.received_at.unwrap_or(known.received_at);
        let said = (wanted.kind, wanted.requester, jurisdiction, time);
        let same = said == (known.kind, known.requester, known.jurisdiction, known.received_at)
            && asked.is_none_or(|asked| asked.contains(&id));
        if !same {
            return Err(Error::RequestIdReused);
        }
        vault.record(silo.tree, entry).await?;
        return Ok((id, known));
    }
    if let Some(asked) = &asked
        && terms::is_exhausted(wanted.kind, jurisdiction, received_at, book::counted(vault, &silo, asked)?)
    {
        let mut entry = audit::refused(&call, Reason::RequestsExhausted, now)?;
        if let Some(owner) = &owner {
            entry = audit::about(entry, owner);
        }
        vault.record(silo.tree, entry).await?;
        let message = "the person asked for portability as often in twelve months as the law grants".to_owned();
        return Err(Error::Precondition(Reason::RequestsExhausted, message));
    }
    let opened = terms::open(wanted.kind, jurisdiction, wanted.requester, wanted.verification, received_at, now);
    let mut change = Change::new();
    book::put(vault, &silo, id, &opened, &mut change)?;
    if let (Some(slot), Some(mut asked)) = (slot, asked) {
        asked.push(id);
        book::put_asked(vault, &silo, slot, asked, &mut change)?;
    }
    change.log(silo.tree, audit::naming(entry, "REQUEST_OPENED", "request", &id.to_string())?);
    let sequence = vault.store.commit(change).await?.sequence;
    vault.store.mirrored_if_soon(sequence).await;
    Ok((id, opened))
}

/// Takes more time for a request, of which the requester was told.
///
/// # Errors
/// `RequestNotExtendable`, `RequestClosed`.
pub async fn extend(
    vault: &Vault,
    call: Authorized<ExtendRequest>,
    id: RightsRequestId,
    reason: ExtensionReason,
) -> Result<Filed> {
    let silo = vault.silo(&call)?;
    let now = vault.clock.now();
    let _administering = silo.lock_administration().await;
    let known = vault.noting_misses(silo.tree, &call, book::expect(vault, &silo, id)).await?;
    let extended = terms::extend(&known, reason, now).map_err(refuse)?;
    let mut change = Change::new();
    book::put(vault, &silo, id, &extended, &mut change)?;
    change.log(silo.tree, audit::naming(audit::done(&call, now)?, "REQUEST_EXTENDED", "request", &id.to_string())?);
    let sequence = vault.store.commit(change).await?.sequence;
    vault.store.mirrored_if_soon(sequence).await;
    Ok((id, extended))
}

/// Answers a request. One that was answered in the same words stays as it is.
///
/// # Errors
/// `RequestClosed` where it was answered in other words; `RequesterUnverified`; a reason that is missing, or one too many.
pub async fn close(
    vault: &Vault,
    call: Authorized<CloseRequest>,
    id: RightsRequestId,
    outcome: RequestOutcome,
    reason: Option<RefusalReason>,
    verification: Option<Verification>,
) -> Result<Filed> {
    let silo = vault.silo(&call)?;
    let now = vault.clock.now();
    let _administering = silo.lock_administration().await;
    let known = vault.noting_misses(silo.tree, &call, book::expect(vault, &silo, id)).await?;
    if let Some(closure) = known.closure
        && (closure.outcome, closure.reason) == (outcome, reason)
        && verification.is_none_or(|how| known.verification == Some(how))
    {
        vault.note(silo.tree, &call).await?;
        return Ok((id, known));
    }
    let closed = terms::close(&known, outcome, reason, verification, now).map_err(refuse)?;
    let mut change = Change::new();
    book::put(vault, &silo, id, &closed, &mut change)?;
    change.log(silo.tree, audit::naming(audit::done(&call, now)?, "REQUEST_CLOSED", "request", &id.to_string())?);
    let sequence = vault.store.commit(change).await?.sequence;
    vault.store.mirrored_if_soon(sequence).await;
    Ok((id, closed))
}

/// Reads a request.
///
/// # Errors
/// `RequestNotFound`.
pub async fn get(vault: &Vault, call: Authorized<GetRequest>, id: RightsRequestId) -> Result<Filed> {
    let silo = vault.silo(&call)?;
    let found = vault.noting_misses(silo.tree, &call, book::expect(vault, &silo, id)).await?;
    vault.note(silo.tree, &call).await?;
    Ok((id, found))
}

/// Lists requests, from an id on whose first bytes are `from`; those of one subject all at once. A page may have fewer than are
/// wanted, or none, and there may be another one all the same.
///
/// # Errors
/// `RoleRequired` for somebody's requests, where the caller is no privacy officer.
pub async fn list(
    vault: &Arc<Vault>,
    call: Authorized<ListRequests>,
    filter: Filter,
    from: u64,
    size: usize,
) -> Result<Page> {
    let silo = vault.silo(&call)?;
    let (reading, of) = (Arc::clone(vault), Arc::clone(&silo));
    let Some(subject) = &filter.subject else {
        let page = vault.looking.in_turn(move || book::page(&reading, &of, &filter, from, size)).await?;
        vault.note(silo.tree, &call).await?;
        return Ok(page);
    };
    if !call.roles().has(Role::PrivacyOfficer) {
        vault.record(silo.tree, audit::refused(&call, Reason::RoleRequired, vault.clock.now())?).await?;
        let message = "whose requests they are is told to privacy officers".to_owned();
        return Err(Error::Denied(Denial { reason: Reason::RoleRequired, obligation: "O31", message, duty: None }));
    }
    let slot = vault.noting_misses(silo.tree, &call, silo.subject(subject).ok_or_else(unknown)).await?;
    let owner = vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)?;
    vault.record(silo.tree, audit::about(audit::done(&call, vault.clock.now())?, &owner)).await?;
    let mut requests = vault.looking.in_turn(move || book::of_subject(&reading, &of, slot)).await?;
    requests.retain(|(_, request)| filter.takes(request));
    Ok(Page { requests, next: None })
}

/// Counts requests of twelve months, by kind, and since when.
pub async fn count(
    vault: &Arc<Vault>,
    call: Authorized<CountRequests>,
) -> Result<(Timestamp, Vec<(RequestKind, Statistics)>)> {
    let silo = vault.silo(&call)?;
    let now = vault.clock.now();
    let received = book::received_after(vault, &silo, terms::counted_since(now)).await?;
    vault.note(silo.tree, &call).await?;
    let counts = RequestKind::ALL.iter().map(|kind| (*kind, terms::statistics(*kind, &received, now)));
    Ok((terms::counted_since(now), counts.filter(|(_, counted)| counted.received > 0).collect()))
}

/// What a caller is told of what may not become of a request.
fn refuse(objected: Objected) -> Error {
    let (reason, message) = match objected {
        Objected::Closed => (Reason::RequestClosed, "the request is answered already"),
        Objected::ExtendedBefore => (Reason::RequestNotExtendable, "the request was given more time before"),
        Objected::NoMoreTime => (Reason::RequestNotExtendable, "a request of this kind is given no more time"),
        Objected::TooLate => {
            (Reason::RequestNotExtendable, "the requester has to be told while the first time lasts, and that is over")
        }
        Objected::Unverified => (Reason::RequesterUnverified, "nobody verified who asks"),
        Objected::ReasonMissing => {
            return Invalid::new("refusal_reason", Reason::FieldMissing, "is needed of what is not fulfilled").into();
        }
        Objected::ReasonGiven => {
            let message = "is there for what is not fulfilled";
            return Invalid::new("refusal_reason", Reason::FieldOutOfRange, message).into();
        }
    };
    Error::Precondition(reason, message.to_owned())
}
