//! Entries by the page, and as a stream.

use std::ops::ControlFlow;
use std::sync::Arc;

use lethe_crypto::log::entry::{Glance, Outcome};
use lethe_crypto::log::text::{Origin, Token};
use lethe_crypto::secret::AuditKey;
use lethe_crypto::tree::TreeId;
use lethe_domain::{Invalid, Purpose, Reason, SubjectId};
use lethe_policy::Authorized;
use lethe_policy::operation::{
    Kind, ListEntries, ListSubjectEntries, ListVaultEntries, WatchEntries, WatchVaultEntries,
};

use super::scan::{Place, STRIDE, Window, look};
use super::{about, done, log_of};
use crate::error::{Error, Result};
use crate::store::StoreError;
use crate::subject::unknown;
use crate::vault::Vault;

/// Bytes of a page: more do not fit into what clients take.
const PAGE_BYTES: usize = 1 << 20;

/// Entries that a stream gives at once.
const STREAMED: usize = 500;

/// An operation that lists entries, whoever they are about.
pub trait Lists: Kind {}
impl Lists for ListEntries {}
impl Lists for ListVaultEntries {}

/// An operation that follows a log.
pub trait Follows: Kind {}
impl Follows for WatchEntries {}
impl Follows for WatchVaultEntries {}

/// What entries are wanted: all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this time.
    pub window: Window,
    /// Of this operation.
    pub operation: Option<Token>,
    /// Asked for by this credential.
    pub credential: Option<Token>,
    /// For this purpose.
    pub purpose: Option<Purpose>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// For this reason.
    pub reason: Option<Token>,
}

impl Filter {
    /// A code that entries are to have.
    ///
    /// # Errors
    /// What no entry can have, by field.
    pub fn code(field: &str, text: &str) -> Result<Option<Token>> {
        let refuse = |_| Invalid::new(field, Reason::FieldOutOfRange, "is no code that an entry can have");
        if text.is_empty() { Ok(None) } else { Ok(Some(text.parse().map_err(refuse)?)) }
    }

    pub(super) fn wants(&self, entry: &Glance<'_>) -> bool {
        let is = |wanted: &Option<Token>, found: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| found == Some(wanted.as_str()))
        };
        self.window.has(entry.time)
            && is(&self.operation, Some(entry.operation))
            && is(&self.credential, entry.credential)
            && self.purpose.is_none_or(|wanted| entry.purpose == Some(wanted.name()))
            && self.outcome.is_none_or(|wanted| entry.outcome == wanted)
            && is(&self.reason, entry.reason)
    }
}

/// Where a page begins, and how much it may have.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The first entry that is looked at.
    pub start: u64,
    /// Most entries.
    pub most: usize,
}

/// An entry's index, and its line as it was logged.
pub type Logged = (u64, Vec<u8>);

/// A page of entries.
#[derive(Debug)]
pub struct EntryPage {
    /// The entries, in their order.
    pub entries: Vec<Logged>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<u64>,
    /// Entries of the log when the page was made.
    pub size: u64,
}

/// Lists entries of a log. A page is made of `STRIDE` entries at most, whether they are wanted or not.
pub async fn list<O: Lists>(
    vault: &Arc<Vault>,
    call: Authorized<O>,
    tree: TreeId,
    filter: Filter,
    span: Span,
) -> Result<EntryPage> {
    let page = read(vault, tree, filter, None, span).await?;
    vault.note(tree, &call).await?;
    vault.store.barrier().await?;
    Ok(page)
}

/// Lists the entries about one person, by the pseudonyms that the person's key makes; what is sealed in them stays so. The
/// entry of the call itself is about the person, too.
///
/// # Errors
/// `SubjectNotFound`, also for who was erased: no key makes those pseudonyms any more (O29).
pub async fn list_of_subject(
    vault: &Arc<Vault>,
    call: Authorized<ListSubjectEntries>,
    subject: &SubjectId,
    filter: Filter,
    span: Span,
) -> Result<EntryPage> {
    let silo = vault.silo(&call)?;
    let key = async {
        let slot = silo.subject(subject).ok_or_else(unknown)?;
        vault.keys.slot(silo.tree, slot)?.ok_or_else(unknown)
    };
    let owner = vault.noting_misses(silo.tree, &call, key.await).await?;
    let page = read(vault, silo.tree, filter, Some(AuditKey::derive(&owner)), span).await?;
    vault.record(silo.tree, about(done(&call, vault.clock.now())?, &owner)).await?;
    vault.store.barrier().await?;
    Ok(page)
}

async fn read(
    vault: &Arc<Vault>,
    tree: TreeId,
    filter: Filter,
    subject: Option<AuditKey>,
    span: Span,
) -> Result<EntryPage> {
    let head = log_of(vault, tree)?;
    let store = Arc::clone(&vault.store);
    let page = move || {
        let within = filter.window.narrow(&store, tree, head.size)?;
        let start = span.start.max(within.start);
        let until = within.end.min(start.saturating_add(STRIDE));
        let (mut entries, mut bytes, mut looked_at) = (Vec::new(), 0, start);
        if start < until {
            let wants = Wants { filter: &filter, origin: &head.origin, subject: subject.as_ref() };
            look(&store, tree, start..until, |index, line| {
                if wants.wants(index, line)? {
                    if entries.len() == span.most || bytes + line.len() > PAGE_BYTES {
                        return Ok(ControlFlow::Break(()));
                    }
                    bytes += line.len();
                    entries.push((index, line.to_vec()));
                }
                looked_at = index + 1;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        let next = (looked_at < within.end).then_some(looked_at);
        Ok(EntryPage { entries, next, size: head.size })
    };
    tokio::task::spawn_blocking(page).await.map_err(|_| Error::TaskLost)?
}

/// What a page asks of each entry.
struct Wants<'a> {
    filter: &'a Filter,
    origin: &'a Origin,
    subject: Option<&'a AuditKey>,
}

impl Wants<'_> {
    fn wants(&self, index: u64, line: &[u8]) -> Result<bool> {
        let entry = Glance::read(line).map_err(StoreError::from)?;
        let of_subject = || self.subject.is_none_or(|key| entry.belongs_to(self.origin, index, key));
        Ok(self.filter.wants(&entry) && of_subject())
    }
}

/// Somebody who follows a log. While it lives it holds one of the places.
pub struct Tail {
    vault: Arc<Vault>,
    tree: TreeId,
    next: u64,
    _place: Place,
}

impl Tail {
    /// Follows a log from an entry on. That somebody does is an entry; what is given is none.
    ///
    /// # Errors
    /// `LogNotFound` for a place that the log has not come to: it is another log, or was cut. `Limited` where as many follow
    /// as may.
    pub async fn begin<O: Follows>(vault: &Arc<Vault>, call: &Authorized<O>, tree: TreeId, start: u64) -> Result<Self> {
        let place = vault.looking.follow(tree)?;
        let size = log_of(vault, tree)?.size;
        if start > size {
            let message = format!("the log has {size} entries, and none before entry {start}");
            return vault.noting_misses(tree, call, Err(Error::NotFound(Reason::LogNotFound, message))).await;
        }
        vault.note(tree, call).await?;
        Ok(Self { vault: Arc::clone(vault), tree, next: start, _place: place })
    }

    /// The index of the entry that comes next.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Entries that are there by now, synced: none is given that a power cut could take back.
    pub async fn take(&mut self) -> Result<Vec<Logged>> {
        let size = log_of(&self.vault, self.tree)?.size;
        if size <= self.next {
            return Ok(Vec::new());
        }
        let (store, tree, from) = (Arc::clone(&self.vault.store), self.tree, self.next);
        let some = move || {
            let (mut entries, mut bytes) = (Vec::new(), 0);
            look(&store, tree, from..size, |index, line| {
                bytes += line.len();
                entries.push((index, line.to_vec()));
                let enough = entries.len() == STREAMED || bytes >= PAGE_BYTES;
                Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            Ok::<_, Error>(entries)
        };
        let entries = tokio::task::spawn_blocking(some).await.map_err(|_| Error::TaskLost)??;
        self.vault.store.barrier().await?;
        self.next += entries.len() as u64;
        Ok(entries)
    }
}
