//! Entries, by what is asked for.

use clap::Args;
use lethe_crypto::log::entry::Glance;
use lethe_proto::v1::{EntryFilter, EntryOutcome, ListEntriesRequest, LogEntry, Purpose};
use prost_types::Timestamp;
use serde_json::{Map, Value, json};

use super::proof::Which;
use crate::cli::command::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::values;

/// Entries of a page.
pub(super) const PAGE: i32 = 1000;

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    log: Which,

    #[command(flatten)]
    filter: Filter,

    /// Index of the first entry that is looked at.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from: i64,

    /// Most entries to show; all, if not given.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

/// Which entries.
#[derive(Debug, Args)]
struct Filter {
    /// Entries of this time or later, such as 2026-01-31T12:00:00Z.
    #[arg(long, value_parser = values::time, value_name = "TIME")]
    since: Option<Timestamp>,

    /// Entries before this time.
    #[arg(long, value_parser = values::time, value_name = "TIME")]
    until: Option<Timestamp>,

    /// Entries of this operation, such as authentication.verify.
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,

    /// What this credential asked for: its id of 32 characters.
    #[arg(long, value_name = "ID")]
    credential: Option<String>,

    /// Entries that state this purpose. (--purpose is that of this call.)
    #[arg(long, value_parser = values::purpose(), ignore_case = true, hide_possible_values = true, value_name = "PURPOSE")]
    stating: Option<Purpose>,

    /// How it ended.
    #[arg(long, value_parser = values::outcome(), ignore_case = true)]
    outcome: Option<EntryOutcome>,

    /// Why it was denied or failed, such as CONSENT_WITHDRAWN.
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,

    /// Entries about this subject, who is not erased.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
}

impl Filter {
    fn message(self, context: &Context) -> Result<EntryFilter, Failure> {
        let subject = self.subject.map(|subject| context.connection.subject(&subject)).transpose()?;
        Ok(EntryFilter {
            start_time: self.since,
            end_time: self.until,
            operation: self.operation.unwrap_or_default(),
            credential: self.credential.unwrap_or_default(),
            stated_purpose: self.stating.map_or(0, i32::from),
            outcome: self.outcome.map_or(0, i32::from),
            reason: self.reason.unwrap_or_default(),
            subject: subject.map(|subject| subject.to_string()).unwrap_or_default(),
        })
    }
}

pub(super) async fn list(context: &Context, list: List) -> Result<Exit, Failure> {
    let log = list.log.name(context)?;
    let mut request = ListEntriesRequest {
        log: log.clone(),
        purpose: context.connection.purpose(Purpose::Audit),
        page_size: PAGE,
        page_token: String::new(),
        filter: Some(list.filter.message(context)?),
        start_index: list.from,
    };
    let client = context.connection.open().await?;
    let most = list.limit.unwrap_or(usize::MAX);
    let mut shown = 0;
    while shown < most {
        let page = client.audit().list_entries(request.clone()).await?.into_inner();
        for entry in page.entries.iter().take(most - shown) {
            context.out.json(&object(&log, entry)?)?;
            context.out.text(&line(entry)?)?;
            shown += 1;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if shown == 0 {
        context.out.text("no entries")?;
        return Ok(Exit::No);
    }
    Ok(Exit::Done)
}

/// An entry as one object: the log, the index, and its own fields.
pub(super) fn object(log: &str, entry: &LogEntry) -> Result<Value, Failure> {
    let fields: Map<String, Value> = serde_json::from_slice(&entry.entry).map_err(|_| no_entry(entry))?;
    let mut object = json!({ "log": log, "index": entry.leaf_index });
    if let Some(object) = object.as_object_mut() {
        object.extend(fields);
    }
    Ok(object)
}

/// An entry as one line for people.
fn line(entry: &LogEntry) -> Result<String, Failure> {
    let read = Glance::read(&entry.entry).map_err(|_| no_entry(entry))?;
    let time = Timestamp {
        seconds: i64::try_from(read.time / 1000).unwrap_or(0),
        nanos: i32::try_from(read.time % 1000).unwrap_or(0) * 1_000_000,
    };
    let mut line = format!("{:>8}  {time}  {}  {}", entry.leaf_index, read.operation, read.outcome.as_str());
    for more in [read.reason, read.purpose, read.credential].into_iter().flatten() {
        line += "  ";
        line += more;
    }
    if read.pseudonym.is_some() {
        line += "  about a person";
    }
    Ok(line)
}

pub(super) fn no_entry(entry: &LogEntry) -> Failure {
    Failure::failed(format!("entry {} is none that this version reads", entry.leaf_index))
}
