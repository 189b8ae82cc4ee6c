//! `lethe erase`: forgetting a person.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use lethe_proto::v1::{Deferral, DeferralReason, EraseSubjectRequest, Erasure, ErasureState, Purpose};
use prost_types::Timestamp;
use serde_json::json;

use super::Context;
use super::issued::check_new;
use super::{receipt, request};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Card, remark};
use crate::cli::request_id;
use crate::cli::values::{self, Coded as _};

/// Whom to erase.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// The subject.
    subject: String,

    /// Put the erasure off, for this reason: the data are kept and not processed until then. It can be put off once.
    #[arg(long, value_name = "REASON", value_parser = values::deferral(), requires = "until")]
    defer: Option<DeferralReason>,

    /// Until when it is put off: a time, or a span such as 30d; 90 days after the person asked at most.
    #[arg(long, value_name = "TIME", value_parser = values::time_to_come, requires = "defer")]
    until: Option<Timestamp>,

    /// When the person asked, if it was not now.
    #[arg(long, value_name = "TIME", value_parser = values::time, requires = "defer", default_value = "now")]
    asked: Timestamp,

    /// The request of the data subject that this fulfils: it is closed in the same moment.
    #[arg(long, value_name = "REQUEST")]
    fulfils: Option<String>,

    #[command(flatten)]
    options: EraseOptions,
}

/// How to erase.
#[derive(Debug, Args)]
pub(crate) struct EraseOptions {
    /// Do not ask. Needed where there is no terminal to ask at.
    #[arg(long, short)]
    yes: bool,

    /// Answer as soon as the erasure is durable, PENDING, instead of when it is SHREDDED.
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Write the receipt to this new file. Needs a role that reads receipts.
    #[arg(long, value_name = "FILE", conflicts_with = "no_wait")]
    receipt_out: Option<PathBuf>,

    /// UUID of version 4; the same again finds the same receipt.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,
}

impl EraseOptions {
    /// Asks a person at a terminal; elsewhere `--yes` has to be there.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if let Some(path) = &self.receipt_out {
            check_new(path)?;
        }
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage("this cannot be undone; say --yes"));
        }
        match answer(&format!("{question} This cannot be undone. [y/N] "))?.as_str() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::failed("nothing was done")),
        }
    }

    pub(crate) fn request_id(&self) -> Result<String, Failure> {
        self.request_id.clone().map_or_else(request_id::random, Ok)
    }
}

/// What a person at the terminal answers.
pub(crate) fn answer(question: &str) -> Result<String, Failure> {
    let mut answer = String::new();
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question}")
        .and_then(|()| stderr.flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer).map(drop))
        .map_err(|error| Failure::failed(format!("cannot ask: {error}")))?;
    Ok(answer.trim().to_owned())
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let name = context.connection.subject(&command.subject)?;
    let fulfils = command.fulfils.as_deref().map(|request| request::name(context, request)).transpose()?;
    let deferral = command.defer.zip(command.until).map(|(reason, until)| Deferral {
        reason: reason.into(),
        request_time: Some(command.asked),
        erase_time: Some(until),
    });
    match &deferral {
        None => command.options.confirm(&format!("Erase {name} and everything of it?"))?,
        Some(_) => command.options.confirm(&format!("Stop processing {name}, and erase it when its time comes?"))?,
    }
    let request = EraseSubjectRequest {
        name: name.to_string(),
        purpose: context.connection.purpose(Purpose::DataSubjectRequest),
        request_id: command.options.request_id()?,
        no_wait: command.options.no_wait,
        deferral,
        fulfils_request: fulfils.unwrap_or_default(),
    };
    let client = context.connection.open().await?;
    let erasure = client.subjects().erase(request).await?.into_inner();
    if erasure.state() == ErasureState::Deferred {
        let until = erasure.erase_time.map(|until| until.to_string()).unwrap_or_default();
        let json = json!({ "receipt": erasure.receipt, "state": "DEFERRED", "erase_time": until });
        let card = Card::new("the subject is storage only, and erased later")
            .row("erased on", until)
            .row("receipt", &erasure.receipt)
            .row("meaning", "nothing is done with the data until then; the receipt exists from then on");
        context.out.result(&json, &card)?;
        return Ok(Exit::Done);
    }
    report(context, &client, &command.options, "the subject", &erasure).await
}

/// Tells how far an erasure got, and fetches its receipt if that was asked for.
pub(crate) async fn report(
    context: &Context,
    client: &Client,
    options: &EraseOptions,
    what: &str,
    erasure: &Erasure,
) -> Result<Exit, Failure> {
    let state = erasure.state();
    let meaning = match state {
        ErasureState::Shredded => "the old root key is destroyed; nobody can bring the data back",
        ErasureState::Pending => "out of reach already; the old root key is not yet destroyed",
        ErasureState::Deferred | ErasureState::Unspecified => "the server did not say how far it got",
    };
    let title = format!("{what} is erased: {}", state.code());
    tell(context, (&title, meaning), &erasure.receipt, state)?;
    keep_receipt(context, client, &erasure.receipt, options.receipt_out.as_deref(), Purpose::DataSubjectRequest).await
}

/// Shows how far an erasure or a rotation got, in a title and a sentence.
pub(crate) fn tell(
    context: &Context,
    (title, meaning): (&str, &str),
    receipt: &str,
    state: ErasureState,
) -> Result<(), Failure> {
    let json = json!({ "receipt": receipt, "state": state.code() });
    let card = Card::new(title).row("receipt", receipt).row("meaning", meaning);
    context.out.result(&json, &card)
}

/// Fetches a receipt into a new file, if one is named.
pub(crate) async fn keep_receipt(
    context: &Context,
    client: &Client,
    name: &str,
    path: Option<&Path>,
    purpose: Purpose,
) -> Result<Exit, Failure> {
    let Some(path) = path else { return Ok(Exit::Done) };
    let receipt = receipt::fetch_for(context, client, name, purpose).await?;
    if receipt.document.is_empty() {
        remark("the receipt is not finished yet; ask again with lethe receipt get");
        return Ok(Exit::NotNow);
    }
    receipt::write(path, &receipt.document)?;
    Ok(Exit::Done)
}
