//! Entries as they come: a line each, or on their way to a collector.

mod collector;
mod otlp;
mod position;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lethe_proto::v1::{LogEntry, Purpose, WatchRequest};
use serde_json::json;

use super::entries::object;
use super::proof::{Which, newest};
use crate::cli::client::Client;
use crate::cli::command::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Card, Output};
use collector::Collector;
use otlp::{Bounds, Source};
use position::Position;

#[derive(Debug, Args)]
pub(crate) struct Follow {
    #[command(flatten)]
    log: Which,

    /// Index of the first entry wanted. What --position remembers goes before it.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from: i64,

    /// End with the newest entry that there is, instead of waiting for others.
    #[arg(long)]
    once: bool,

    /// What a line is.
    #[arg(long, value_enum, default_value_t = Form::Json, conflicts_with = "otlp", value_name = "FORM")]
    format: Form,

    #[command(flatten)]
    collector: collector::Options,

    /// File that remembers how far the collector has the log, and where to go on. Made if it is not there.
    #[arg(long, requires = "otlp", value_name = "FILE")]
    position: Option<PathBuf>,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// An entry: the log, the index, and the entry's fields.
    Json,
    /// Some entries as an OTLP request for the export of logs, as the Collector's `otlpjsonfile` receiver reads it.
    OtlpJson,
}

/// Where entries go.
enum Sink {
    Lines(Output),
    OtlpLines(Output, Source),
    Collector(Box<Collector>, Source, Option<Position>),
}

/// How far it is.
struct Progress {
    /// The entry that is expected next.
    next: i64,
    /// Whether the server was kept waiting since it was asked.
    kept_waiting: bool,
}

pub(super) async fn follow(context: &Context, follow: Follow) -> Result<Exit, Failure> {
    let log = follow.log.name(context)?;
    // What is wrong with the arguments is told before anybody is asked.
    let collector = follow.collector.open()?;
    let position = follow.position.as_deref().map(Position::open).transpose()?;
    let client = context.connection.open().await?;
    let mut progress = Progress { next: follow.from, kept_waiting: false };
    let mut sink = match (collector, follow.format) {
        (None, Form::Json) => Sink::Lines(context.out),
        (None, Form::OtlpJson) => Sink::OtlpLines(context.out, source(context, &client, &log).await?),
        (Some(collector), _) => {
            let source = source(context, &client, &log).await?;
            let known = position.as_ref().map(|position| position.read(source.origin())).transpose()?;
            progress.next = known.flatten().unwrap_or(follow.from);
            Sink::Collector(Box::new(collector), source, position)
        }
    };
    let first = progress.next;
    let request = WatchRequest {
        log: log.clone(),
        purpose: context.connection.purpose(Purpose::Audit),
        start_index: first,
        follow: !follow.once,
    };
    let ended = tokio::select! {
        ended = go(&client, request, &mut sink, &mut progress) => ended,
        _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::NotNow, "interrupted")),
    };
    ended.map_err(|failure| failure.detail("next", progress.next.to_string()))?;
    if let Sink::Collector(collector, ..) = &sink {
        let (sent, next) = (progress.next - first, progress.next);
        let json = json!({ "log": log, "collector": collector.url(), "sent": sent, "next": next });
        let card = Card::new(format!("{log} to {}", collector.url())).row("sent", sent).row("next", next);
        context.out.result(&json, &card)?;
    }
    Ok(Exit::Done)
}

/// Whose log it is, by the name that its checkpoints have.
async fn source(context: &Context, client: &Client, log: &str) -> Result<Source, Failure> {
    let newest = newest(context, client, log, None, None).await?;
    Ok(Source::new(log, newest.head.origin))
}

async fn go(
    client: &Client,
    mut request: WatchRequest,
    sink: &mut Sink,
    progress: &mut Progress,
) -> Result<(), Failure> {
    loop {
        request.start_index = progress.next;
        let Err(failure) = take(client, &request, sink, progress).await? else { return Ok(()) };
        // The server lets go of who takes nothing for long, as one must who waits for a collector.
        if !std::mem::take(&mut progress.kept_waiting) {
            return Err(failure);
        }
    }
}

/// Takes entries until there are no more of them, or the server gives no more.
///
/// # Errors
/// What asking again does not help with.
async fn take(
    client: &Client,
    request: &WatchRequest,
    sink: &mut Sink,
    progress: &mut Progress,
) -> Result<Result<(), Failure>, Failure> {
    let mut answers = match client.audit_stream().watch(request.clone()).await {
        Ok(answers) => answers.into_inner(),
        Err(status) => return Ok(Err(status.into())),
    };
    loop {
        let answer = match answers.message().await {
            Ok(Some(answer)) => answer,
            Ok(None) if request.follow => {
                return Ok(Err(Failure::new(Exit::NotNow, "the server gives no more entries")));
            }
            Ok(None) => return Ok(Ok(())),
            Err(status) => return Ok(Err(status.into())),
        };
        for (expected, entry) in (progress.next..).zip(&answer.entries) {
            if entry.leaf_index != expected {
                return Err(Failure::failed(format!("entry {expected} was left out")));
            }
        }
        sink.take(&request.log, &answer.entries, progress).await?;
    }
}

impl Sink {
    /// Takes entries, which follow each other, and notes how far it is as they are where they go.
    async fn take(&mut self, log: &str, entries: &[LogEntry], progress: &mut Progress) -> Result<(), Failure> {
        match self {
            // One object a line, whatever form was asked for: it is for a collector.
            Self::Lines(out) => {
                for entry in entries {
                    out.line_of_json(&object(log, entry)?)?;
                    progress.next += 1;
                }
            }
            Self::OtlpLines(out, source) => {
                for batch in source.batches(entries, Bounds::OF_LINES)? {
                    out.line_of_json(&batch.json()?)?;
                    progress.next = batch.next();
                }
            }
            Self::Collector(collector, source, position) => {
                for batch in source.batches(entries, Bounds::OF_CALLS)? {
                    progress.kept_waiting |= collector.deliver(batch.request()).await?;
                    if let Some(position) = position {
                        position.advance(source.origin(), batch.next())?;
                    }
                    progress.next = batch.next();
                }
            }
        }
        Ok(())
    }
}
