//! The end of a contract (O27): proposed by one, approved by another, the silo handed over and that confirmed, and only then
//! may it be shredded.

use std::ops::Range;
use std::sync::Arc;

use lethe_crypto::log::entry::{Entry, Event, OtherEvent};
use lethe_crypto::log::json::Value;
use lethe_crypto::tag::tag;
use lethe_domain::{ProposalId, Purpose, Reason, RequestId, Standing, TenantId, Timestamp, Transfer, Vote};
use lethe_policy::operation::{ConfirmHandover, ExportSilo, OffboardTenant};
use lethe_policy::{Approved, Authorized, Denial, Effect, Offboarding, Operation, Owner};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::access::Session;
use crate::approval::{self, Facts, log_in_both};
use crate::audit;
use crate::error::{Error, Result};
use crate::export::{Pipe, Recipient, Silo as Archive};
use crate::idempotency::Fingerprint;
use crate::records::{Addressee, Content, Delivery, Leaving, StoredProposal};
use crate::silo::{Silo, SiloRef};
use crate::store::{Change, StoreError};
use crate::transfer;
use crate::vault::{Aim, Vault};

/// Pieces of an archive that may wait for who receives it.
const PIECES: usize = 4;

/// What becomes of a tenant's data before they are destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handover {
    /// They are handed over, sealed to this recipient, and go where the client keeps them.
    To(Recipient, Transfer),
    /// Nobody wants them: the two who decide waive it.
    Waived,
}

impl Handover {
    fn addressee(self) -> Option<Addressee> {
        match self {
            Self::To(recipient, transfer) => Some(Addressee { recipient: recipient.to_string(), transfer }),
            Self::Waived => None,
        }
    }
}

/// Proposes that a tenant's contract ends. Its id derives from the request, so that a repeat finds it.
///
/// # Errors
/// `RequestIdReused` for a repeat that says something else; `RecordsLimited`; `Denied` where the archive would cross a border
/// without what the client's law asks for, which is logged.
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
    let to = handover.addressee();
    let digest = digest(&silo, to.as_ref());
    if let Some(stored) = approval::find(vault, silo.tree, id)? {
        if stored.proposal.digest != digest {
            return Err(Error::RequestIdReused);
        }
        vault.note(silo.tree, &call).await?;
        return Ok(Facts { stored, about: None });
    }
    vault.noting_denials(silo.tree, &call, may_go(&silo, to.as_ref())).await?;
    let mut change = Change::new();
    approval::make_room(vault, silo.tree, now, &mut change)?;
    let mut fields = vec![("proposal", id.to_string()), ("sha256", hex::encode(digest))];
    fields.push(("handover", if to.is_some() { "archive" } else { "waived" }.to_owned()));
    fields.extend(to.iter().flat_map(|to| transfer::fields(&to.transfer)));
    let content = Content::Offboarding(Leaving { to, delivered: None, confirmed: None });
    let stored = approval::propose(vault, &call, id, digest, content, now);
    approval::put(vault, silo.tree, &stored, &mut change)?;
    log_in_both(vault, &silo, &call, "OFFBOARDING_PROPOSED", &fields, now, &mut change)?;
    vault.store.commit(change).await?;
    Ok(Facts { stored, about: None })
}

/// Whether an archive may go where it is to, by the client's own law. For each person in it that is decided when it is written.
fn may_go(silo: &Silo, to: Option<&Addressee>) -> Result<()> {
    let Some(to) = to else { return Ok(()) };
    Ok(lethe_policy::allows_handover(&silo.policy(), &to.transfer)?)
}

/// Hands a tenant's silo over, as was approved: an archive, sealed to the recipient that was proposed, piece by piece. When the
/// last piece is taken, its digest is on record. `kept` is let go of then. It ends where who takes it may not do so any more, by
/// `purpose`: the credential is over, the login is, or whoever it is believed of.
///
/// # Errors
/// `ProposalNotFound`; `Denied` where the proposal is not approved, or its time is over, or what a border asks for is not there;
/// `HandoverPending` where handing over was waived. The archive ends with `Denied` at the first person for whom it is not.
pub async fn hand_over(
    vault: Arc<Vault>,
    call: Authorized<ExportSilo>,
    (session, purpose): (Session, Option<Purpose>),
    id: ProposalId,
    kept: impl Send + 'static,
) -> Result<mpsc::Receiver<Result<Vec<u8>>>> {
    let now = vault.clock.now();
    let silo = vault.silo(&call)?;
    let found = approval::read(&vault, silo.tree, id).and_then(|stored| {
        expect_approved(&stored, now)?;
        expect_same_law(&silo, &stored)?;
        may_go(&silo, leaving(&stored)?.to.as_ref())?;
        Ok(stored)
    });
    let found = vault.noting_misses(silo.tree, &call, found).await;
    let stored = vault.noting_denials(silo.tree, &call, found).await?;
    let waived = || Error::Precondition(Reason::ProposalMismatch, "handing over was waived".to_owned());
    let Addressee { recipient, transfer } = leaving(&stored)?.to.clone().ok_or_else(waived)?;
    let recipient = Recipient::parse(&recipient)?;
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
        let pipe = Pipe::new(&vault, sender.clone(), vault.store.patience() * 6);
        let archive = Archive { vault: Arc::clone(&vault), silo: Arc::clone(&silo), transfer, checkpoint };
        let written = tokio::task::spawn_blocking(move || archive.write(&recipient, pipe, may_go_on)).await;
        let written = written.map_err(|_| Error::TaskLost).flatten();
        let delivered = match vault.noting_denials(silo.tree, &call, written).await {
            Ok(delivered) => deliver(&taking, &call, delivered).await,
            Err(fault) => Err(fault),
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
        let stored = approval::read(&self.vault, self.silo.tree, self.id)?;
        expect_approved(&stored, self.vault.clock.now())?;
        // People of whom nobody said another law are judged by the tenant's.
        expect_same_law(&self.silo, &stored)
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
    let to = leaving(&stored)?.to.clone();
    stored.content = Content::Offboarding(Leaving { to, delivered: Some(delivery), confirmed: None });
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
    let looked = look_ahead(vault, &silo, Some(id)).await?;
    let _alone = silo.lock_administration().await;
    let confirmed = confirm_alone(vault, &silo, &call, id, sha256, looked).await;
    let confirmed = vault.noting_misses(silo.tree, &call, confirmed).await;
    vault.noting_denials(silo.tree, &call, confirmed).await
}

async fn confirm_alone(
    vault: &Vault,
    silo: &Silo,
    call: &Authorized<ConfirmHandover>,
    id: ProposalId,
    sha256: [u8; 32],
    looked: Option<Looked>,
) -> Result<Facts> {
    let now = vault.clock.now();
    let mut stored = approval::read(vault, silo.tree, id)?;
    expect_approved(&stored, now)?;
    let Leaving { to, delivered, confirmed } = leaving(&stored)?.clone();
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
    expect_unchanged(vault, silo, delivered.log_size..size, looked).await?;
    let confirmed = Some((Vote { by: call.credential(), at: now }, size));
    stored.content = Content::Offboarding(Leaving { to, delivered: Some(delivered), confirmed });
    let mut change = Change::new();
    approval::put(vault, silo.tree, &stored, &mut change)?;
    let fields = [("proposal", id.to_string()), ("sha256", hex::encode(sha256))];
    log_in_both(vault, silo, call, "HANDOVER_CONFIRMED", &fields, now, &mut change)?;
    vault.store.commit(change).await?;
    Ok(Facts { stored, about: None })
}

/// That two persons agreed on a tenant's end, and that its data were handed over or nobody wants them. To be asked under the
/// tenant's lock, with what was looked through before.
///
/// # Errors
/// `Denied` without an approved proposal that holds; `HandoverPending`.
pub(super) async fn agreed(
    vault: &Vault,
    silo: &Silo,
    proposal: Option<ProposalId>,
    looked: Option<Looked>,
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
    let digest = digest(silo, leaving.to.as_ref());
    let both = [parties[0].as_ref(), parties[1].as_ref()];
    let agreed = lethe_policy::redeem::<Offboarding>(&stored.proposal, &digest, both, now)?;
    // Two operators agree on a tenant that has nobody of its own to ask, and for as long as that is so.
    let of_the_vault = both.into_iter().flatten().all(|party| party.principal.owner == Owner::Vault);
    if of_the_vault && approval::has_administrator(vault, silo.tree, now) {
        let message = "two operators agreed on a tenant that has an administrator again: ask one";
        return Err(denied(Reason::ApproverNotIndependent, message));
    }
    if leaving.to.is_some() {
        let (_, size) = leaving.confirmed.ok_or_else(|| pending("that the data were received is not confirmed"))?;
        expect_unchanged(vault, silo, size..audit::log_of(vault, silo.tree)?.size, looked).await?;
    }
    Ok(agreed)
}

/// That the law and the country by which both persons saw a handover judged are the tenant's still (O32).
///
/// # Errors
/// `Denied`, as a proposal that does not match.
pub(crate) fn expect_same_law(silo: &Silo, stored: &StoredProposal) -> Result<()> {
    if digest(silo, leaving(stored)?.to.as_ref()) == stored.proposal.digest {
        return Ok(());
    }
    let message = "the tenant's law or country is not what it was when this was proposed: propose it again";
    Err(denied(Reason::ProposalMismatch, message))
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

/// What was looked through of a tenant's log before its lock was taken, which may take a while: under it there is left what was
/// logged meanwhile.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    entries: Range<u64>,
    changed: bool,
}

/// Looks through what was logged since a tenant's data were handed over or that was confirmed, as the proposal has it now; `None`
/// where it has neither. What is wrong with the proposal is told under the lock.
pub(super) async fn look_ahead(vault: &Vault, silo: &Silo, proposal: Option<ProposalId>) -> Result<Option<Looked>> {
    let stored = proposal.and_then(|id| approval::find(vault, silo.tree, id).ok().flatten());
    let Some(Content::Offboarding(leaving)) = stored.map(|stored| stored.content) else { return Ok(None) };
    let confirmed = leaving.confirmed.map(|(_, size)| size);
    let Some(from) = confirmed.or(leaving.delivered.map(|delivered| delivered.log_size)) else { return Ok(None) };
    let entries = from..audit::log_of(vault, silo.tree)?.size;
    let changed = audit::has(vault, silo.tree, entries.clone(), changes).await?;
    Ok(Some(Looked { entries, changed }))
}

/// That nothing that an archive would have was added to a tenant's data by these entries of its log.
///
/// # Errors
/// `HandoverPending`.
async fn expect_unchanged(vault: &Vault, silo: &Silo, entries: Range<u64>, looked: Option<Looked>) -> Result<()> {
    let from = entries.start;
    let (known, rest) = match looked {
        Some(looked) if looked.changed && looked.entries.start == from => (true, 0..0),
        Some(looked) if !looked.changed && looked.entries.start <= from && from <= looked.entries.end => {
            (false, looked.entries.end..entries.end)
        }
        // The data were handed over anew meanwhile.
        Some(_) | None => (false, entries),
    };
    if known || audit::has(vault, silo.tree, rest, changes).await? {
        return Err(pending("the tenant's data changed since they were handed over: export them again"));
    }
    Ok(())
}

/// Whether an entry of a tenant's log says that something was added to its data that an archive would have. What was erased
/// meanwhile is no reason to hand all over again.
fn changes(line: &[u8]) -> Result<bool> {
    let adding = |name: &str| {
        Operation::table().iter().any(|rule| {
            let adds = matches!(
                rule.operation,
                Operation::Enroll
                    | Operation::ReplaceTemplate
                    | Operation::UpdateTenantPolicy
                    | Operation::CreateModelProfile
                    | Operation::UpdateModelProfile
                    | Operation::CreatePairCase
                    | Operation::CreateWatchlist
                    | Operation::AddWatchlistEntry
                    | Operation::DecideWatchlistEntry
            );
            rule.name == name && (adds || rule.effect == Effect::Records)
        })
    };
    let entry = Entry::decode(line).map_err(StoreError::from)?;
    // Archives that somebody else than the person received are on record as disclosures.
    let to_others = |event: &OtherEvent| {
        event.fields().iter().any(|(name, value)| name == "to" && *value == Value::String("other".to_owned()))
    };
    let is_disclosed = matches!(&entry.event, Some(Event::Other(event))
        if event.kind().as_str() == "DISCLOSURE_RECORDED" || event.kind().as_str() == "ARCHIVE_SENT" && to_others(event));
    Ok(audit::was_allowed(&entry) && (is_disclosed || adding(&entry.operation.to_string())))
}

/// SHA-256 of what an offboarding consists of.
fn digest(silo: &Silo, to: Option<&Addressee>) -> [u8; 32] {
    let id: &TenantId = &silo.id;
    let print = Fingerprint::of("offboarding").with(id.as_str().as_bytes()).with(&silo.tree.encode());
    match to {
        // And the law that it was judged by: a client that changes it meanwhile proposes again.
        Some(to) => {
            let policy = silo.policy();
            let country = policy.country.map_or_else(String::new, |country| country.to_string());
            let print = print.with(b"archive").with(to.recipient.as_bytes());
            let print = print.with(&[policy.jurisdiction.number()]).with(country.as_bytes());
            transfer::taken_in(print, &to.transfer).digest()
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lethe_domain::{Role, SubjectId};
    use lethe_policy::operation::{CreatePairCase, Verify};

    use super::*;
    use crate::authentication::verify;
    use crate::case;
    use crate::store::Key;
    use crate::tests::{Open, capture};

    /// A tenant, and how long its log is.
    async fn bank(open: &Open) -> (Arc<Silo>, u64) {
        let bank = open.tenant("bank").await;
        let silo = open.silo(&bank);
        let size = audit::log_of(&open.vault, silo.tree).unwrap().size;
        (silo, size)
    }

    fn size(open: &Open, silo: &Silo) -> u64 {
        audit::log_of(&open.vault, silo.tree).unwrap().size
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn under_the_lock_only_what_was_logged_meanwhile_is_looked_through() {
        let open = Open::fresh().await;
        let (silo, from) = bank(&open).await;
        open.credential(&silo.id).await;
        let to = size(&open, &silo);
        assert!(to > from);
        let unchanged = |looked: Range<u64>| Some(Looked { entries: looked, changed: false });
        expect_unchanged(&open.vault, &silo, from..to, None).await.unwrap();
        // An entry that cannot be read is found by whoever looks at it.
        let mut change = Change::new();
        change.put(Key::LogEntry { tree: silo.tree, index: from }, b"nonsense".to_vec());
        open.vault.store.commit(change).await.unwrap();
        for looked in [None, unchanged(from + 1..to)] {
            assert!(expect_unchanged(&open.vault, &silo, from..to, looked).await.is_err());
        }
        expect_unchanged(&open.vault, &silo, from..to, unchanged(from..to)).await.unwrap();

        // What is enrolled meanwhile counts.
        let model = open.model(&silo.id, "face", 64, None).await;
        let now = size(&open, &silo);
        let refused = expect_unchanged(&open.vault, &silo, from..now, unchanged(from..to)).await;
        assert!(matches!(refused, Err(Error::Precondition(Reason::HandoverPending, _))), "{refused:?}");
        open.enroll(&silo.id, "ada", &model, &[1.0; 64]).await;
        let then = size(&open, &silo);
        let refused = expect_unchanged(&open.vault, &silo, now..then, unchanged(from..now)).await;
        assert!(matches!(refused, Err(Error::Precondition(Reason::HandoverPending, _))), "{refused:?}");
        // What changed is known, and not looked for again, unless it was handed over anew since.
        let changed = Some(Looked { entries: from..then, changed: true });
        assert!(expect_unchanged(&open.vault, &silo, from..then, changed.clone()).await.is_err());
        expect_unchanged(&open.vault, &silo, then..then, changed).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_case_that_somebody_asks_is_a_change_and_one_that_the_vault_asks_is_none() {
        let open = Open::fresh().await;
        let (silo, _) = bank(&open).await;
        let model = open.model(&silo.id, "face", 64, None).await;
        let face = |along: f32| -> Vec<f32> {
            let across = (1.0 - along * along).sqrt();
            (0..64).map(|i| [along, across].get(i).copied().unwrap_or(0.0)).collect()
        };
        for (subject, along) in [("ada", 1.0), ("bea", -1.0)] {
            open.enroll(&silo.id, subject, &model, &face(along)).await;
        }
        let [subject, other] = ["ada", "bea"].map(|id| SubjectId::parse(id).unwrap());
        let from = size(&open, &silo);
        let call = open.may::<Verify>(&silo.id, Role::FraudAnalyst, Purpose::Authentication).await;
        verify(&open.vault, call, &subject, capture(&model, &face(0.4))).await.unwrap();
        let opened = async {
            while size(&open, &silo) < from + 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(180), opened).await.expect("no case is opened");
        expect_unchanged(&open.vault, &silo, from..size(&open, &silo), None).await.unwrap();
        let from = size(&open, &silo);
        let call = open.may::<CreatePairCase>(&silo.id, Role::FraudAnalyst, Purpose::DuplicateDetection).await;
        let pair = case::Pair { subject, other };
        case::create_pair(&open.vault, call, pair, &model, RequestId::random()).await.unwrap();
        let size = size(&open, &silo);
        assert_eq!(size, from + 2, "both were compared");
        assert!(expect_unchanged(&open.vault, &silo, from..size, None).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_has_nothing_handed_over_has_nothing_looked_through() {
        let open = Open::fresh().await;
        let (silo, _) = bank(&open).await;
        assert!(look_ahead(&open.vault, &silo, None).await.unwrap().is_none());
        let unknown = ProposalId::from_bytes([7; 16]);
        assert!(look_ahead(&open.vault, &silo, Some(unknown)).await.unwrap().is_none());
        let waived = open.agree(&silo.id).await;
        assert!(look_ahead(&open.vault, &silo, Some(waived)).await.unwrap().is_none());
    }
}
