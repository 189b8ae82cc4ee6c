//! The end of a contract (O27): proposed by one, approved by another, the silo handed over and that confirmed, and only then
//! may it be shredded.

use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::log::entry::{Entry, Event};
use lethe_crypto::tag::tag;
use lethe_domain::{ProposalId, Purpose, Reason, RequestId, Standing, TenantId, Timestamp, Vote};
use lethe_policy::operation::{ConfirmHandover, ExportSilo, OffboardTenant};
use lethe_policy::{Approved, Authorized, Denial, Effect, Offboarding, Operation};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::access::Session;
use crate::approval::{self, Facts, log_in_both};
use crate::audit;
use crate::error::{Error, Result};
use crate::export::{Pipe, Recipient, Silo as Archive};
use crate::idempotency::Fingerprint;
use crate::records::{Content, Delivery, Leaving, StoredProposal};
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, Key, RowKind, StoreError};
use crate::vault::{Aim, Vault};

/// Pieces of an archive that may wait for who receives it.
const PIECES: usize = 4;

/// What becomes of a tenant's data before they are destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handover {
    /// They are handed over, sealed to this recipient.
    To(Recipient),
    /// Nobody wants them: the two who decide waive it.
    Waived,
}

impl Handover {
    fn recipient(&self) -> Option<String> {
        match self {
            Self::To(recipient) => Some(recipient.to_string()),
            Self::Waived => None,
        }
    }
}

/// Proposes that a tenant's contract ends. Its id derives from the request, so that a repeat finds it.
///
/// # Errors
/// `RequestIdReused` for a repeat that says something else; `RecordsLimited`.
pub async fn offboard(
    vault: &Vault,
    call: Authorized<OffboardTenant>,
    handover: Handover,
    request: RequestId,
) -> Result<Facts> {
    let now = vault.clock.now();
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_administration().await;
    let own = vault.keys.own(silo.tree)?;
    let id = ProposalId::from_bytes(tag(&own, "offboarding", request.as_bytes()));
    let recipient = handover.recipient();
    let digest = digest(&silo, recipient.as_deref());
    if let Some(stored) = approval::find(vault, silo.tree, id)? {
        if stored.proposal.digest != digest {
            return Err(Error::RequestIdReused);
        }
        vault.note(silo.tree, &call).await?;
        return Ok(Facts { stored, about: None });
    }
    let mut change = Change::new();
    approval::make_room(vault, silo.tree, now, &mut change)?;
    let handing = if recipient.is_some() { "archive" } else { "waived" };
    let content = Content::Offboarding(Leaving { recipient, delivered: None, confirmed: None });
    let stored = approval::propose(vault, &call, id, digest, content, now);
    approval::put(vault, silo.tree, &stored, &mut change)?;
    let fields = [("proposal", id.to_string()), ("sha256", hex::encode(digest)), ("handover", handing.to_owned())];
    log_in_both(vault, &silo, &call, "OFFBOARDING_PROPOSED", &fields, now, &mut change)?;
    vault.store.commit(change).await?;
    Ok(Facts { stored, about: None })
}

/// Hands a tenant's silo over, as was approved: an archive, sealed to the recipient that was proposed, piece by piece. When the
/// last piece is taken, its digest is on record. `kept` is let go of then. It ends where who takes it may not do so any more, by
/// `purpose`: the credential is over, the login is, or whoever it is believed of.
///
/// # Errors
/// `ProposalNotFound`; `Denied` where the proposal is not approved, or its time is over; `HandoverPending` where handing over
/// was waived.
pub async fn hand_over(
    vault: Arc<Vault>,
    call: Authorized<ExportSilo>,
    (session, purpose): (Session, Option<Purpose>),
    id: ProposalId,
    kept: impl Send + 'static,
) -> Result<mpsc::Receiver<Result<Vec<u8>>>> {
    let now = vault.clock.now();
    let silo = vault.silo(&call)?;
    let found = approval::read(&vault, silo.tree, id).and_then(|stored| expect_approved(&stored, now).map(|()| stored));
    let found = vault.noting_misses(silo.tree, &call, found).await;
    let stored = vault.noting_denials(silo.tree, &call, found).await?;
    let recipient = leaving(&stored)?.recipient.as_deref().map(Recipient::parse).transpose()?;
    let waived = || Error::Precondition(Reason::ProposalMismatch, "handing over was waived".to_owned());
    let recipient = recipient.ok_or_else(waived)?;
    // That somebody reads everything is on record before anybody does.
    let mut change = Change::new();
    log_in_both(&vault, &silo, &call, "HANDOVER_BEGUN", &[("proposal", id.to_string())], now, &mut change)?;
    vault.store.commit(change).await?;
    let checkpoint = audit::checkpoint(&vault, silo.tree).await?;
    let (sender, receiver) = mpsc::channel(PIECES);
    let taking = Arc::new(Taking { vault: Arc::clone(&vault), silo: Arc::clone(&silo), session, purpose, id });
    let may_go_on = {
        let (taking, runtime) = (Arc::clone(&taking), Handle::current());
        move || runtime.block_on(taking.may_go_on())
    };
    tokio::spawn(async move {
        let _kept = kept;
        let pipe = Pipe::new(sender.clone(), vault.store.patience() * 6);
        let archive = Archive { vault: Arc::clone(&vault), silo: Arc::clone(&silo), checkpoint };
        let written = tokio::task::spawn_blocking(move || archive.write(&recipient, pipe, may_go_on)).await;
        let delivered = match written.map_err(|_| Error::TaskLost) {
            Ok(Ok(delivered)) => deliver(&taking, &call, delivered).await,
            Ok(Err(fault)) | Err(fault) => Err(fault),
        };
        if let Err(fault) = delivered {
            tracing::warn!(%fault, "a tenant's silo was not handed over");
            // Who does not listen any more is told nothing.
            drop(sender.send(Err(fault)).await);
        }
    });
    Ok(receiver)
}

/// A silo on its way to who takes it.
struct Taking {
    vault: Arc<Vault>,
    silo: SiloRef,
    session: Session,
    purpose: Option<Purpose>,
    id: ProposalId,
}

impl Taking {
    /// Whether it may still be handed over: who takes it may still, and nobody rejected it meanwhile.
    async fn may_go_on(&self) -> Result<()> {
        let session = self.vault.still(&self.session)?;
        self.vault.admit::<ExportSilo>(&session, Aim::Tenant(&self.silo.id), self.purpose).await.map(drop)?;
        expect_approved(&approval::read(&self.vault, self.silo.tree, self.id)?, self.vault.clock.now())
    }
}

/// Puts on record what was handed over.
async fn deliver(taking: &Taking, call: &Authorized<ExportSilo>, delivery: Delivery) -> Result<()> {
    let Taking { vault, silo, id, .. } = taking;
    let id = *id;
    let _alone = silo.lock_administration().await;
    // What was refused in the end was not handed over.
    taking.may_go_on().await?;
    let mut stored = approval::read(vault, silo.tree, id)?;
    let now = delivery.at;
    let fields = [
        ("proposal", id.to_string()),
        ("sha256", hex::encode(delivery.sha256)),
        ("subjects", delivery.subjects.to_string()),
        ("templates", delivery.templates.to_string()),
    ];
    let recipient = leaving(&stored)?.recipient.clone();
    stored.content = Content::Offboarding(Leaving { recipient, delivered: Some(delivery), confirmed: None });
    let mut change = Change::new();
    approval::put(vault, silo.tree, &stored, &mut change)?;
    log_in_both(vault, silo, call, "HANDED_OVER", &fields, now, &mut change)?;
    vault.store.commit(change).await?;
    Ok(())
}

/// Takes a tenant's word that it has the archive that was handed over last, by its digest.
///
/// # Errors
/// `ProposalNotFound`; `Denied` where the proposal is not approved, or its time is over; `HandoverPending` where nothing was
/// handed over, or the tenant's data changed since; `ArchiveMismatch`.
pub async fn confirm(
    vault: &Vault,
    call: Authorized<ConfirmHandover>,
    id: ProposalId,
    sha256: [u8; 32],
) -> Result<Facts> {
    let silo = vault.silo(&call)?;
    let _alone = silo.lock_administration().await;
    let confirmed = confirm_alone(vault, &silo, &call, id, sha256).await;
    let confirmed = vault.noting_misses(silo.tree, &call, confirmed).await;
    vault.noting_denials(silo.tree, &call, confirmed).await
}

async fn confirm_alone(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<ConfirmHandover>,
    id: ProposalId,
    sha256: [u8; 32],
) -> Result<Facts> {
    let now = vault.clock.now();
    let mut stored = approval::read(vault, silo.tree, id)?;
    expect_approved(&stored, now)?;
    let Leaving { recipient, delivered, confirmed } = leaving(&stored)?.clone();
    let delivered = delivered.ok_or_else(|| pending("nothing was handed over yet"))?;
    if delivered.sha256 != sha256 {
        let message = "the digest is not that of the archive that was handed over last".to_owned();
        return Err(Error::Precondition(Reason::ArchiveMismatch, message));
    }
    if confirmed.is_some() {
        vault.note(silo.tree, call).await?;
        return Ok(Facts { stored, about: None });
    }
    let size = audit::log_of(vault, silo.tree)?.size;
    expect_unchanged(vault, silo, delivered.log_size, size)?;
    let confirmed = Some((Vote { by: call.credential(), at: now }, size));
    stored.content = Content::Offboarding(Leaving { recipient, delivered: Some(delivered), confirmed });
    let mut change = Change::new();
    approval::put(vault, silo.tree, &stored, &mut change)?;
    let fields = [("proposal", id.to_string()), ("sha256", hex::encode(sha256))];
    log_in_both(vault, silo, call, "HANDOVER_CONFIRMED", &fields, now, &mut change)?;
    vault.store.commit(change).await?;
    Ok(Facts { stored, about: None })
}

/// That two persons agreed on a tenant's end, and that its data were handed over or nobody wants them.
///
/// # Errors
/// `Denied` without an approved proposal that holds; `HandoverPending`.
pub(super) fn agreed(
    vault: &Vault,
    silo: &Silo,
    proposal: Option<ProposalId>,
    now: Timestamp,
) -> Result<Approved<Offboarding>> {
    let Some(id) = proposal else {
        return Err(denied(Reason::ApprovalRequired, "two persons decide on a tenant's end: name their proposal"));
    };
    let stored = approval::read(vault, silo.tree, id)?;
    let Content::Offboarding(leaving) = &stored.content else {
        return Err(denied(Reason::ProposalMismatch, "the proposal is about something else"));
    };
    let approver = match stored.proposal.standing {
        Standing::Approved(vote) | Standing::Used(vote, _) | Standing::Rejected(vote) => Some(vote.by),
        Standing::Open => None,
    };
    let parties = [Some(stored.proposal.proposer), approver].map(|id| id.and_then(|id| approval::party(vault, id)));
    let digest = digest(silo, leaving.recipient.as_deref());
    let both = [parties[0].as_ref(), parties[1].as_ref()];
    let agreed = lethe_policy::redeem::<Offboarding>(&stored.proposal, &digest, both, now)?;
    if leaving.recipient.is_some() {
        let (_, size) = leaving.confirmed.ok_or_else(|| pending("that the data were received is not confirmed"))?;
        expect_unchanged(vault, silo, size, audit::log_of(vault, silo.tree)?.size)?;
    }
    Ok(agreed)
}

/// Whether a proposal is approved and not carried out, and its time not over.
fn expect_approved(stored: &StoredProposal, now: Timestamp) -> Result<()> {
    match stored.proposal.standing {
        Standing::Approved(_) if stored.proposal.is_expired(now) => {
            Err(denied(Reason::ProposalExpired, "the proposal's time is over"))
        }
        Standing::Approved(_) => Ok(()),
        Standing::Open => Err(denied(Reason::ApprovalRequired, "the proposal is not approved")),
        Standing::Rejected(_) | Standing::Used(..) => {
            Err(denied(Reason::ProposalClosed, "the proposal was rejected or carried out before"))
        }
    }
}

/// Whether nothing that an archive would have was added to a tenant's data by log entries `from` … `to`. What was erased
/// meanwhile is no reason to hand all over again.
fn expect_unchanged(vault: &Vault, silo: &Silo, from: u64, to: u64) -> Result<()> {
    let adding = |name: &str| {
        Operation::table().iter().any(|rule| {
            let adds = matches!(
                rule.operation,
                Operation::Enroll
                    | Operation::ReplaceTemplate
                    | Operation::UpdateTenantPolicy
                    | Operation::CreateModelProfile
                    | Operation::UpdateModelProfile
            );
            rule.name == name && (adds || rule.effect == Effect::Records)
        })
    };
    let whole = Key::prefix_of_tree(RowKind::LogEntry, silo.tree);
    let start = Key::LogEntry { tree: silo.tree, index: from }.encode();
    let mut changed = false;
    vault.store.scan_from(RowKind::LogEntry, &whole, &start, |key, bytes| {
        if !matches!(key, Key::LogEntry { index, .. } if index < to) {
            return Ok(ControlFlow::Break(()));
        }
        let entry = Entry::decode(bytes).map_err(StoreError::from)?;
        let is_disclosed =
            matches!(&entry.event, Some(Event::Other(event)) if event.kind().as_str() == "DISCLOSURE_RECORDED");
        changed = audit::was_allowed(&entry) && (is_disclosed || adding(&entry.operation.to_string()));
        Ok::<_, Error>(if changed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    if changed {
        Err(pending("the tenant's data changed since they were handed over: export them again"))
    } else {
        Ok(())
    }
}

/// SHA-256 of what an offboarding consists of.
fn digest(silo: &Silo, recipient: Option<&str>) -> [u8; 32] {
    let id: &TenantId = &silo.id;
    let print = Fingerprint::of("offboarding").with(id.as_str().as_bytes()).with(&silo.tree.encode());
    match recipient {
        Some(recipient) => print.with(b"archive").with(recipient.as_bytes()).digest(),
        None => print.with(b"waived").digest(),
    }
}

fn leaving(stored: &StoredProposal) -> Result<&Leaving> {
    match &stored.content {
        Content::Offboarding(leaving) => Ok(leaving),
        Content::Disclosure(_) | Content::LogKey(_) | Content::VaultLogKey(_) => {
            Err(denied(Reason::ProposalMismatch, "the proposal is about something else"))
        }
    }
}

fn denied(reason: Reason, message: &str) -> Error {
    Denial { reason, obligation: "O27", message: message.to_owned(), duty: None }.into()
}

fn pending(message: &str) -> Error {
    Error::Precondition(Reason::HandoverPending, message.to_owned())
}
