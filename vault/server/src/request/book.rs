//! The rows of requests.

use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    Invalid, Reason, RequestKind, RequestOutcome, RightsRequest, RightsRequestId, SubjectId, Timestamp,
};
use lethe_policy::request as terms;

use super::{Filed, refuse};
use crate::error::{Error, Result};
use crate::limitation::Ledger;
use crate::records::{AskedRecord, RequestRecord};
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind};
use crate::vault::Vault;

/// Rows that are read in a row. Requests are in the order of their ids, which are random, so nothing leads to those that are
/// wanted: a page is made of this many at most, wanted or not.
const STRIDE: usize = 1000;

/// Those that are answered are kept for the limitation period: an answer is final.
pub(crate) const LEDGER: Ledger = Ledger {
    kind: RowKind::Request,
    operation: "vault.expire_requests",
    event: "REQUESTS_EXPIRED",
    counted: "requests",
    is_over: |opened, limitation, now| Ok(terms::is_over(&RequestRecord::read(opened)?, limitation, now)),
};

/// Which requests are wanted.
#[derive(Default)]
pub struct Filter {
    /// Only those that are not answered.
    pub unanswered: bool,
    /// Only those that are not answered and are due before this.
    pub due_before: Option<Timestamp>,
    /// Only those of this subject.
    pub subject: Option<SubjectId>,
}

/// A page of requests.
pub struct Page {
    /// Requests, under their ids.
    pub requests: Vec<Filed>,
    /// The first bytes of the id at which the next page begins; `None` on the last.
    pub next: Option<u64>,
}

impl Filter {
    pub(super) fn takes(&self, request: &RightsRequest) -> bool {
        let is_open = request.closure.is_none();
        (is_open || !self.unanswered) && self.due_before.is_none_or(|time| is_open && request.due_at < time)
    }
}

/// Reads a request; `None` if there is none of that id.
pub(super) fn read(vault: &Vault, silo: &Silo, id: RightsRequestId) -> Result<Option<RightsRequest>> {
    let key = Key::Request { tree: silo.tree, request: id };
    let Some(sealed) = vault.store.get(&key)? else { return Ok(None) };
    let opened = vault.keys.open(&key, "", &sealed)?;
    Ok(opened.map(|opened| RequestRecord::read(&opened)).transpose()?)
}

/// Reads a request that must be there.
///
/// # Errors
/// `RequestNotFound`.
pub(super) fn expect(vault: &Vault, silo: &Silo, id: RightsRequestId) -> Result<RightsRequest> {
    let missing = || Error::NotFound(Reason::RequestNotFound, "there is no such request".to_owned());
    read(vault, silo, id)?.ok_or_else(missing)
}

/// That there is a request of that id, which nobody answered yet.
///
/// # Errors
/// `RequestNotFound`, `RequestClosed`.
pub(crate) fn expect_open(vault: &Vault, silo: &Silo, id: RightsRequestId) -> Result<()> {
    match expect(vault, silo, id)?.closure {
        None => Ok(()),
        Some(_) => Err(Error::Precondition(Reason::RequestClosed, "the request is answered already".to_owned())),
    }
}

/// Writes a request.
pub(crate) fn put(
    vault: &Vault,
    silo: &Silo,
    id: RightsRequestId,
    request: &RightsRequest,
    change: &mut Change,
) -> Result<()> {
    let key = Key::Request { tree: silo.tree, request: id };
    let sealed = vault.keys.seal(&key, "", &RequestRecord::seal_as(request)?)?;
    change.put(key, sealed);
    Ok(())
}

/// Which requests a subject made, the latest of them.
pub(crate) fn asked_by(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Vec<RightsRequestId>> {
    let key = Key::Asked { tree: silo.tree, subject };
    let Some(sealed) = vault.store.get(&key)? else { return Ok(Vec::new()) };
    let opened = vault.keys.open(&key, "", &sealed)?;
    Ok(opened.map_or_else(|| Ok(Vec::new()), |opened| AskedRecord::read(&opened))?)
}

/// Writes which requests a subject made: of more than lead back to it, the latest do.
pub(super) fn put_asked(
    vault: &Vault,
    silo: &Silo,
    subject: SlotRef,
    mut asked: Vec<RightsRequestId>,
    change: &mut Change,
) -> Result<()> {
    asked.drain(..asked.len().saturating_sub(AskedRecord::MOST));
    let key = Key::Asked { tree: silo.tree, subject };
    let sealed = vault.keys.seal(&key, "", &AskedRecord::seal_as(&asked)?)?;
    change.put(key, sealed);
    Ok(())
}

/// The requests that a subject made.
pub(crate) fn of_subject(vault: &Vault, silo: &Silo, subject: SlotRef) -> Result<Vec<Filed>> {
    filed(vault, silo, &asked_by(vault, silo, subject)?)
}

/// What counts against a limit: kinds and receipts of the requests that were not refused.
pub(super) fn counted(vault: &Vault, silo: &Silo, asked: &[RightsRequestId]) -> Result<Vec<(RequestKind, Timestamp)>> {
    let refused =
        |request: &RightsRequest| request.closure.is_some_and(|closure| closure.outcome == RequestOutcome::Refused);
    let counted = filed(vault, silo, asked)?.into_iter().filter(|(_, request)| !refused(request));
    Ok(counted.map(|(_, request)| (request.kind, request.received_at)).collect())
}

fn filed(vault: &Vault, silo: &Silo, ids: &[RightsRequestId]) -> Result<Vec<Filed>> {
    let mut filed = Vec::with_capacity(ids.len());
    for id in ids {
        filed.extend(read(vault, silo, *id)?.map(|request| (*id, request)));
    }
    Ok(filed)
}

/// A page of requests, by id.
pub(super) fn page(vault: &Vault, silo: &Silo, filter: &Filter, from: u64, size: usize) -> Result<Page> {
    let mut requests = Vec::new();
    let mut first = [0; 16];
    first[..8].copy_from_slice(&from.to_be_bytes());
    let next = stride(vault, silo, RightsRequestId::from_bytes(first), |id, request| {
        if !filter.takes(&request) {
            return ControlFlow::Continue(());
        }
        if requests.len() == size {
            return ControlFlow::Break(());
        }
        requests.push((id, request));
        ControlFlow::Continue(())
    })?;
    let next = next.and_then(|id| id.as_bytes().first_chunk().map(|bytes| u64::from_be_bytes(*bytes)));
    Ok(Page { requests, next })
}

/// The requests of a tenant that were received after a time: others have their turns while they are read.
pub(super) async fn received_after(vault: &Arc<Vault>, silo: &SiloRef, time: Timestamp) -> Result<Vec<RightsRequest>> {
    let mut received = Vec::new();
    let mut from = Some(RightsRequestId::from_bytes([0; 16]));
    while let Some(start) = from {
        let (reading, of) = (Arc::clone(vault), Arc::clone(silo));
        let read = move || {
            let next = stride(&reading, &of, start, |_, request| {
                received.extend(Some(request).filter(|request| request.received_at > time));
                ControlFlow::Continue(())
            })?;
            Ok((received, next))
        };
        (received, from) = vault.looking.in_turn(read).await?;
    }
    Ok(received)
}

/// Takes requests in the order of their ids, until it is enough or [`STRIDE`] rows were read; the first that was not taken, if
/// there is one.
fn stride(
    vault: &Vault,
    silo: &Silo,
    from: RightsRequestId,
    mut take: impl FnMut(RightsRequestId, RightsRequest) -> ControlFlow<()>,
) -> Result<Option<RightsRequestId>> {
    let (mut keys, mut read, mut next) = (vault.keys.opener(), 0, None);
    let whole = Key::prefix_of_tree(RowKind::Request, silo.tree);
    let start = Key::Request { tree: silo.tree, request: from }.encode();
    vault.store.scan_from(RowKind::Request, &whole, &start, |key, sealed| {
        let Key::Request { request: id, .. } = key else { return Ok(ControlFlow::Continue(())) };
        if read == STRIDE {
            next = Some(id);
            return Ok(ControlFlow::Break(()));
        }
        read += 1;
        let Some(opened) = keys.open(&key, "", sealed)? else { return Ok(ControlFlow::Continue(())) };
        let more = take(id, RequestRecord::read(&opened)?);
        next = more.is_break().then_some(id);
        Ok::<_, Error>(more)
    })?;
    Ok(next)
}

/// The request that a subject's erasure fulfils, closed.
///
/// # Errors
/// `RequestNotFound` for one that is not the subject's; what may not be closed.
pub(crate) fn fulfil(
    vault: &Vault,
    silo: &Silo,
    subject: SlotRef,
    id: RightsRequestId,
    now: Timestamp,
) -> Result<RightsRequest> {
    if !asked_by(vault, silo, subject)?.contains(&id) {
        let message = "the subject made no such request".to_owned();
        return Err(Error::NotFound(Reason::RequestNotFound, message));
    }
    let request = expect(vault, silo, id)?;
    if !matches!(request.kind, RequestKind::Erasure | RequestKind::ConsentWithdrawal) {
        let message = "must be for erasure or the withdrawal of a consent";
        return Err(Invalid::new("fulfils_request", Reason::FieldOutOfRange, message).into());
    }
    terms::close(&request, RequestOutcome::Fulfilled, None, None, now).map_err(refuse)
}
