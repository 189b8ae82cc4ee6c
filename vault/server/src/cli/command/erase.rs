//! `lethe erase`: forgetting a person.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use lethe_proto::v1::{EraseSubjectRequest, Erasure, ErasureState, Purpose};
use serde_json::json;

use super::Context;
use super::issued::check_new;
use super::{receipt, request};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{Card, remark};
use crate::cli::request_id;
use crate::cli::values::Coded as _;

/// Whom to erase.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// The subject.
    subject: String,

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
    command.options.confirm(&format!("Erase {name} and everything of it?"))?;
    let request = EraseSubjectRequest {
        name: name.to_string(),
        purpose: context.connection.purpose(Purpose::DataSubjectRequest),
        request_id: command.options.request_id()?,
        no_wait: command.options.no_wait,
        fulfils_request: fulfils.unwrap_or_default(),
    };
    let client = context.connection.open().await?;
    let erasure = client.subjects().erase(request).await?.into_inner();
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
        ErasureState::Unspecified => "the server did not say how far it got",
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
