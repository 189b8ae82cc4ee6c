//! Entries of logs: pages, and streams that follow.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use lethe_crypto::log::entry::Outcome;
use lethe_crypto::tree::TreeId;
use lethe_domain::{Invalid, Reason, SubjectId, TenantId};
use lethe_policy::operation as op;
use lethe_proto::v1;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::call::Admitted;
use super::page::Pages;
use super::status::too_long;
use super::{Node, convert, names, page};
use crate::access::Session;
use crate::audit::{self, EntryPage, Filter, Follows, Logged, Span, Tail, Window};
use crate::error::{Error, Result};
use crate::store::StoreError;
use crate::vault::{Aim, Vault};

/// How often a stream that has given all there is looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// After so long without an entry a stream says so: who waits knows that it is alive, and who is gone is found out.
const SAY_NOTHING_AFTER: Duration = Duration::from_secs(10);

/// What a stream of entries is.
pub(super) type Entries = Pin<Box<dyn Stream<Item = Result<v1::WatchResponse, Status>> + Send>>;

impl Node {
    pub(super) async fn entries(
        &self,
        principal: &Session,
        mut message: v1::ListEntriesRequest,
    ) -> Result<v1::ListEntriesResponse, Status> {
        let log = names::log("log", &message.log)?;
        let (wanted, purpose) = (message.filter.take().unwrap_or_default(), message.purpose);
        // A token is good for the list it was given out for: of this log, from there, with these filters.
        let list = format!("{} {} {wanted:?}", message.log, message.start_index);
        let (pages, page) = match (log, wanted.subject.is_empty()) {
            // Entries of the vault's log are about all clients: they are the operator's to read (O35).
            (None, is_about_all) => {
                let call = self.admit_to_vault::<op::ListVaultEntries>(principal, purpose).await?;
                if !is_about_all {
                    let why = "the vault's log is about nobody";
                    return Err(Error::from(Invalid::new("filter.subject", Reason::FieldOutOfRange, why)).into());
                }
                let pages = self.pages(&call, &list)?;
                let (filter, span) = (filter(&wanted)?, span(&pages, &message)?);
                (pages, audit::list(self.vault()?, call.witness, TreeId::VAULT, filter, span).await?)
            }
            (Some(tenant), true) => {
                let call = self.admit::<op::ListEntries>(principal, &tenant, purpose).await?;
                let tree = self.vault()?.silo(&call.witness)?.tree;
                let pages = self.pages(&call, &list)?;
                let (filter, span) = (filter(&wanted)?, span(&pages, &message)?);
                (pages, audit::list(self.vault()?, call.witness, tree, filter, span).await?)
            }
            (Some(tenant), false) => {
                let call = self.admit::<op::ListSubjectEntries>(principal, &tenant, purpose).await?;
                let subject = subject(&tenant, &wanted.subject)?;
                let pages = self.pages(&call, &list)?;
                let (filter, span) = (filter(&wanted)?, span(&pages, &message)?);
                (pages, audit::list_of_subject(self.vault()?, call.witness, &subject, filter, span).await?)
            }
        };
        let EntryPage { entries, next, size } = page;
        Ok(v1::ListEntriesResponse {
            entries: entries.into_iter().map(to_entry).collect(),
            next_page_token: pages.token(next),
            log_size: convert::sequence(size),
        })
    }

    pub(super) async fn watch_log(&self, principal: Session, message: v1::WatchRequest) -> Result<Entries, Status> {
        match names::log("log", &message.log)? {
            None => {
                let call = self.admit_to_vault::<op::WatchVaultEntries>(&principal, message.purpose).await?;
                let start = index("start_index", message.start_index)?;
                let tail = Tail::begin(self.vault()?, &call.witness, TreeId::VAULT, start).await?;
                self.stream(principal, None, call, tail, message)
            }
            Some(tenant) => {
                let call = self.admit::<op::WatchEntries>(&principal, &tenant, message.purpose).await?;
                let tree = self.vault()?.silo(&call.witness)?.tree;
                let start = index("start_index", message.start_index)?;
                let tail = Tail::begin(self.vault()?, &call.witness, tree, start).await?;
                self.stream(principal, Some(tenant), call, tail, message)
            }
        }
    }

    fn stream<O: Follows>(
        &self,
        principal: Session,
        tenant: Option<TenantId>,
        call: Admitted<O>,
        tail: Tail,
        message: v1::WatchRequest,
    ) -> Result<Entries, Status> {
        // One message waits, no more: who does not take it is let go, and misses nothing by coming back.
        let (sender, receiver) = mpsc::channel(1);
        let stream = Follower {
            vault: Arc::clone(self.vault()?),
            principal,
            tenant,
            call,
            purpose: message.purpose,
            follow: message.follow,
            idle: self.deadline,
            sender,
        };
        tokio::spawn(stream.run(tail));
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }
}

/// A stream of entries on its way to whoever asked.
struct Follower<O> {
    vault: Arc<Vault>,
    principal: Session,
    tenant: Option<TenantId>,
    /// It is at work as long as it lasts.
    call: Admitted<O>,
    purpose: i32,
    follow: bool,
    /// Longest that the caller may take no message.
    idle: Duration,
    sender: mpsc::Sender<Result<v1::WatchResponse, Status>>,
}

impl<O: Follows> Follower<O> {
    async fn run(self, mut tail: Tail) {
        let refused = match self.give(&mut tail).await {
            Ok(()) => return,
            Err(refused) => refused,
        };
        // The place is free from here on; whether anybody hears why is not waited for.
        let Self { sender, call, .. } = self;
        drop((tail, call));
        drop(timeout(LOOK_EVERY, sender.send(Err(refused))).await);
    }

    async fn give(&self, tail: &mut Tail) -> Result<(), Status> {
        let mut said = Instant::now();
        let mut first = true;
        loop {
            if self.vault.silos.is_closing() {
                return Err(Error::from(StoreError::Closed).into());
            }
            // Each message passes the gate: a credential may be revoked, or expire, while a stream lasts.
            let principal = self.vault.still(&self.principal)?;
            let aim = self.tenant.as_ref().map_or(Aim::Vault, Aim::Tenant);
            self.vault.admit::<O>(&principal, aim, convert::purpose(self.purpose)).await?;
            let entries = tail.take().await?;
            let is_all = entries.is_empty();
            if !is_all || first || said.elapsed() >= SAY_NOTHING_AFTER {
                let answer = v1::WatchResponse {
                    entries: entries.into_iter().map(to_entry).collect(),
                    next_index: convert::sequence(tail.next()),
                };
                match timeout(self.idle, self.sender.send(Ok(answer))).await {
                    Ok(Ok(())) => said = Instant::now(),
                    Ok(Err(_gone)) => return Ok(()),
                    Err(_) => return Err(too_long("no message was taken for as long as a call may last")),
                }
                first = false;
            }
            if is_all {
                if !self.follow || self.sender.is_closed() {
                    return Ok(());
                }
                sleep(LOOK_EVERY).await;
            }
        }
    }
}

fn to_entry((index, entry): Logged) -> v1::LogEntry {
    v1::LogEntry { leaf_index: convert::sequence(index), entry }
}

/// A place in a log.
pub(super) fn index(field: &str, value: i64) -> Result<u64> {
    let negative = |_| Invalid::new(field, Reason::FieldOutOfRange, "must not be negative").into();
    u64::try_from(value).map_err(negative)
}

fn span(pages: &Pages, message: &v1::ListEntriesRequest) -> Result<Span> {
    let start = index("start_index", message.start_index)?;
    Ok(Span { start: pages.start(&message.page_token)?.max(start), most: page::size(message.page_size)? })
}

fn filter(wanted: &v1::EntryFilter) -> Result<Filter> {
    let out_of_range = |field: &str, why: &str| Invalid::new(field, Reason::FieldOutOfRange, why.to_owned());
    let time = |field: &str, time: Option<prost_types::Timestamp>| {
        time.map(|time| convert::timestamp(field, time)).transpose()
    };
    let (start, end) = (time("filter.start_time", wanted.start_time)?, time("filter.end_time", wanted.end_time)?);
    if start.zip(end).is_some_and(|(start, end)| end <= start) {
        return Err(out_of_range("filter.end_time", "is not after start_time").into());
    }
    let purpose = convert::purpose(wanted.stated_purpose);
    if wanted.stated_purpose != 0 && purpose.is_none() {
        return Err(out_of_range("filter.stated_purpose", "has a number that is no purpose").into());
    }
    let outcome = match v1::EntryOutcome::try_from(wanted.outcome) {
        Ok(v1::EntryOutcome::Unspecified) => None,
        Ok(v1::EntryOutcome::Allowed) => Some(Outcome::Allowed),
        Ok(v1::EntryOutcome::Denied) => Some(Outcome::Denied),
        Ok(v1::EntryOutcome::Failed) => Some(Outcome::Failed),
        Err(_) => return Err(out_of_range("filter.outcome", "has a number that is no outcome").into()),
    };
    Ok(Filter {
        window: Window::of(start, end),
        operation: Filter::code("filter.operation", &wanted.operation)?,
        credential: Filter::code("filter.credential", &wanted.credential)?,
        purpose,
        outcome,
        reason: Filter::code("filter.reason", &wanted.reason)?,
    })
}

pub(super) fn to_outcome(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Allowed => v1::EntryOutcome::Allowed.into(),
        Outcome::Denied => v1::EntryOutcome::Denied.into(),
        Outcome::Failed => v1::EntryOutcome::Failed.into(),
    }
}

/// Whom entries are to be about: somebody of the log's own tenant.
fn subject(tenant: &TenantId, name: &str) -> Result<SubjectId> {
    let (of, subject) = names::subject("filter.subject", name)?;
    let refuse = || Invalid::new("filter.subject", Reason::FieldOutOfRange, "must be a subject of the log's tenant");
    if of == *tenant { Ok(subject) } else { Err(refuse().into()) }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use lethe_domain::Purpose;

    use super::*;
    use crate::tests::Open;

    /// What is waiting in the transport is not waited for: a reader that stalls costs a message and a place, for a while.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_takes_no_message_is_let_go_and_told_so() {
        let open = Open::fresh().await;
        let bank = open.tenant("bank").await;
        open.credential(&bank).await;
        let auditors = open.vault.silos.credentials_of(open.silo(&bank).tree);
        let auditor = auditors.iter().find(|known| known.principal.roles.has(lethe_domain::Role::Auditor)).unwrap();
        let node = Node::new(1, Duration::from_millis(200), None);
        node.serve(Arc::clone(&open.vault));
        let watch = || {
            let message = v1::WatchRequest {
                log: "tenants/bank/log".to_owned(),
                purpose: Purpose::Audit.number().into(),
                start_index: 0,
                follow: true,
            };
            node.watch_log(auditor.principal.clone().into(), message)
        };
        let mut stalled = Vec::new();
        while let Ok(stream) = watch().await {
            stalled.push(stream);
        }
        assert_eq!(stalled.len(), 4);
        // There is more to come than the one message that waits.
        let free = async {
            loop {
                open.credential(&bank).await;
                if let Ok(stream) = watch().await {
                    return stream;
                }
                sleep(LOOK_EVERY).await;
            }
        };
        let mut taking = timeout(Duration::from_secs(60), free).await.expect("a place is free again");
        assert!(!taking.next().await.unwrap().unwrap().entries.is_empty());
        // The message that waited is there; then it is over.
        let mut first = stalled.swap_remove(0);
        assert!(!first.next().await.unwrap().unwrap().entries.is_empty());
        while let Some(Ok(_)) = first.next().await {}
        assert!(first.next().await.is_none());
    }
}
