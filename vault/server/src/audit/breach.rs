//! What was touched within a time (O34): compiled from the logs, by client, credential, operation, purpose and outcome. It
//! names no person, and who compiled it, why, and its digest is an entry itself.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use lethe_crypto::log::entry::{EntryDraft, Glance};
use lethe_crypto::log::json::{MAX_NUMBER, Value};
use lethe_crypto::log::merkle::Frontier;
use lethe_crypto::log::text::Token;
use lethe_crypto::tree::TreeId;
use lethe_domain::{Invalid, Label, Reason, TenantId, Timestamp};
use lethe_policy::Authorized;
use lethe_policy::operation::{Kind, ReportBreach, ReportVaultBreach};
use sha2::{Digest as _, Sha256};

use super::scan::{Window, survey};
use super::{Filter, done, happened, log_of};
use crate::error::{Error, Result};
use crate::silo::SiloRef;
use crate::store::{Change, StoreError};
use crate::vault::Vault;

/// The version of the document.
const VERSION: u64 = 1;

/// Groups of a report: more are nobody's to read, and an answer has to fit into what clients take.
const MOST_GROUPS: usize = 5_000;

/// What a report is to cover.
#[derive(Debug)]
pub struct Inquiry {
    /// From when on.
    pub start: Timestamp,
    /// Until when, excluded.
    pub end: Timestamp,
    /// What is behind it: a code of the API.
    pub reason: &'static str,
    /// What is planned: codes of the API.
    pub measures: Vec<&'static str>,
    /// The caller's reference of the case.
    pub case: Option<Label>,
    /// What this credential did alone.
    pub credential: Option<Token>,
    /// This operation alone.
    pub operation: Option<Token>,
    /// Entries of the one log that is looked at.
    pub entries: Range<u64>,
}

/// A report.
#[derive(Debug)]
pub struct BreachReport {
    /// One canonical JSON document.
    pub document: Vec<u8>,
    /// The index of the report's own entry, in the log of whoever it was made for.
    pub leaf: u64,
}

/// What one credential did of one kind.
#[derive(Debug)]
struct Group {
    entries: u64,
    about_persons: u64,
    first: (u64, u64),
    last: (u64, u64),
}

/// By credential, operation, purpose, outcome and reason.
type Groups = BTreeMap<[Option<String>; 5], Group>;

/// Compiles what was touched of a tenant, for its privacy officer.
pub async fn report(vault: &Arc<Vault>, call: Authorized<ReportBreach>, inquiry: Inquiry) -> Result<BreachReport> {
    let silo = vault.silo(&call)?;
    let _place = vault.looking.survey(silo.tree)?;
    let parent = format!("tenants/{}", silo.id);
    let compiled = compile(vault, &inquiry, &parent, None, std::slice::from_ref(&silo)).await?;
    let mut change = Change::new();
    change.log(silo.tree, compiled.entry(&call, &inquiry)?);
    let leaf = committed(vault, change).await?;
    Ok(BreachReport { document: compiled.document, leaf })
}

/// Compiles what was touched of all clients, or of one, for the operator: counts alone, no entry is given. It is in the
/// vault's log, and in those that were looked through.
///
/// # Errors
/// `TenantNotFound` for a client that is none.
pub async fn report_all(
    vault: &Arc<Vault>,
    call: Authorized<ReportVaultBreach>,
    client: Option<&TenantId>,
    inquiry: Inquiry,
) -> Result<BreachReport> {
    let mut silos = match client {
        None => vault.silos.all(),
        Some(client) => {
            let unknown = || Error::NotFound(Reason::TenantNotFound, "there is no such tenant".to_owned());
            let found = vault.silos.find(client).ok_or_else(unknown);
            vec![vault.noting_misses(TreeId::VAULT, &call, found).await?]
        }
    };
    silos.sort_by(|one, other| one.id.cmp(&other.id));
    let _place = vault.looking.survey(TreeId::VAULT)?;
    let compiled = compile(vault, &inquiry, "vault", client, &silos).await?;
    let mut change = Change::new();
    change.log(TreeId::VAULT, compiled.entry(&call, &inquiry)?);
    for silo in &silos {
        change.log(silo.tree, compiled.entry_of_one(&call, &inquiry, silo.tree)?);
    }
    let leaf = committed(vault, change).await?;
    Ok(BreachReport { document: compiled.document, leaf })
}

async fn committed(vault: &Vault, change: Change) -> Result<u64> {
    let leaves = vault.store.commit(change).await?.leaves;
    leaves.first().copied().ok_or_else(|| StoreError::corrupt("log", "an entry got no index").into())
}

/// A document, and what its entries say of it.
struct Compiled {
    document: Vec<u8>,
    /// Entries that are in it, by log; of logs with any.
    touched: BTreeMap<TreeId, u64>,
}

impl Compiled {
    /// The entry of whoever it was made for.
    fn entry<O: Kind>(&self, call: &Authorized<O>, inquiry: &Inquiry) -> Result<EntryDraft> {
        let mut fields = Self::said(inquiry, self.touched.values().sum());
        fields.push(("clients".to_owned(), number(self.touched.len() as u64)));
        fields.push(("sha256".to_owned(), text(hex::encode(Sha256::digest(&self.document)))));
        fields.extend(inquiry.case.as_ref().map(|case| ("case".to_owned(), text(case.as_str()))));
        happened(done(call, Timestamp::now())?, "BREACH_REPORTED", fields)
    }

    /// The entry of a client that was looked at among others: what concerns it alone (O35).
    fn entry_of_one<O: Kind>(&self, call: &Authorized<O>, inquiry: &Inquiry, tree: TreeId) -> Result<EntryDraft> {
        let own = self.touched.get(&tree).copied().unwrap_or(0);
        happened(done(call, Timestamp::now())?, "BREACH_REPORTED", Self::said(inquiry, own))
    }

    fn said(inquiry: &Inquiry, entries: u64) -> Vec<(String, Value)> {
        let window = Window::of(Some(inquiry.start), Some(inquiry.end));
        let fields = [
            ("cause", text(inquiry.reason)),
            ("start", number(window.start.unwrap_or(0))),
            ("end", number(window.end.unwrap_or(0))),
            ("entries", number(entries)),
        ];
        fields.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

async fn compile(
    vault: &Arc<Vault>,
    inquiry: &Inquiry,
    parent: &str,
    client: Option<&TenantId>,
    silos: &[SiloRef],
) -> Result<Compiled> {
    let window = Window::of(Some(inquiry.start), Some(inquiry.end));
    let filter = Filter {
        window,
        operation: inquiry.operation.clone(),
        credential: inquiry.credential.clone(),
        ..Filter::default()
    };
    let (mut clients, mut left, mut touched) = (Vec::new(), MOST_GROUPS, BTreeMap::new());
    for silo in silos {
        let head = log_of(vault, silo.tree)?;
        let within = window.narrow(&vault.store, silo.tree, head.size)?;
        let within = within.start.max(inquiry.entries.start)..within.end.min(inquiry.entries.end);
        let wanted = filter.clone();
        let add = move |groups: &mut Groups, index: u64, entry: &Glance<'_>| {
            if !wanted.wants(entry) {
                return Ok(());
            }
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let outcome = Some(entry.outcome.as_str());
            let key = [entry.credential, Some(entry.operation), entry.purpose, outcome, entry.reason].map(owned);
            if groups.len() == left && !groups.contains_key(&key) {
                let why =
                    format!("leaves more than {MOST_GROUPS} groups; ask for less time, or one client or credential");
                return Err(Invalid::new("end_time", Reason::FieldOutOfRange, why).into());
            }
            let at = (index, entry.time);
            let group = groups.entry(key).or_insert(Group { entries: 0, about_persons: 0, first: at, last: at });
            group.entries += 1;
            group.about_persons += u64::from(entry.pseudonym.is_some());
            group.last = at;
            Ok(())
        };
        let groups = survey(&vault.store, silo.tree, within.clone(), Groups::new(), add).await?;
        if groups.is_empty() {
            continue;
        }
        left -= groups.len();
        let found: u64 = groups.values().map(|group| group.entries).sum();
        let about: u64 = groups.values().map(|group| group.about_persons).sum();
        touched.insert(silo.tree, found);
        let nodes = vault.store.nodes(silo.tree);
        let root = Frontier::from_nodes(head.size, &nodes).map_err(StoreError::from)?.root();
        clients.push(object(vec![
            ("client", text(format!("tenants/{}", silo.id))),
            ("log", text(head.origin.to_string())),
            ("size", number(head.size)),
            ("root", text(root.to_string())),
            ("looked_from", number(within.start)),
            ("looked_until", number(within.end)),
            ("entries", number(found)),
            ("about_persons", number(about)),
            ("groups", Value::List(groups.into_iter().map(to_group).collect())),
        ]));
    }
    let mut scope = vec![("parent", text(parent))];
    scope.extend(client.map(|client| ("client", text(format!("tenants/{client}")))));
    scope.extend(inquiry.credential.as_ref().map(|credential| ("credential", text(credential.as_str()))));
    scope.extend(inquiry.operation.as_ref().map(|operation| ("operation", text(operation.as_str()))));
    let mut fields = vec![
        ("type", text("lethe-breach-report")),
        ("version", number(VERSION)),
        ("made", number(u64::try_from(Timestamp::now().millis()).unwrap_or(0))),
        ("start", number(window.start.unwrap_or(0))),
        ("end", number(window.end.unwrap_or(0))),
        ("scope", object(scope)),
        ("reason", text(inquiry.reason)),
        ("measures", Value::List(inquiry.measures.iter().map(|measure| text(*measure)).collect())),
    ];
    fields.extend(inquiry.case.as_ref().map(|case| ("case", text(case.as_str()))));
    fields.push(("clients", Value::List(clients)));
    Ok(Compiled { document: object(fields).write().into_bytes(), touched })
}

fn to_group(([credential, operation, purpose, outcome, reason], group): ([Option<String>; 5], Group)) -> Value {
    let mut fields = Vec::new();
    let named = [
        ("credential", credential),
        ("operation", operation),
        ("purpose", purpose),
        ("outcome", outcome),
        ("reason", reason),
    ];
    fields.extend(named.into_iter().filter_map(|(name, value)| Some((name, text(value?)))));
    let numbers = [
        ("entries", group.entries),
        ("about_persons", group.about_persons),
        ("first_index", group.first.0),
        ("first_time", group.first.1),
        ("last_index", group.last.0),
        ("last_time", group.last.1),
    ];
    fields.extend(numbers.map(|(name, value)| (name, number(value))));
    object(fields)
}

fn object(fields: Vec<(&str, Value)>) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn text(value: impl Into<String>) -> Value {
    Value::String(value.into())
}

/// Numbers of documents end at 2^53.
fn number(value: u64) -> Value {
    Value::Number(value.min(MAX_NUMBER))
}
