//! The keys that a log had, and a new one.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use lethe_crypto::log::succession::{self, Succession};
use lethe_proto::v1::{ListKeySuccessionsRequest, ProposeKeyRotationRequest, Purpose};
use serde_json::json;

use super::folder::cannot;
use super::proof::{Newest, Pin, Which, newest, not_genuine, trust};
use crate::cli::client::Client;
use crate::cli::command::Context;
use crate::cli::command::issued::check_new;
use crate::cli::command::proposal::show;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Card;
use crate::cli::request_id;

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    log: Which,

    /// Write the proposal to this new file, for who is to approve it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// UUID of version 4; the same again finds the same proposal.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    log: Which,

    #[command(flatten)]
    pin: Pin,

    /// Write the successions to this new file, a line each: `lethe receipt verify --successions` takes it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn rotate(context: &Context, command: Rotate) -> Result<Exit, Failure> {
    if let Some(path) = &command.out {
        check_new(path)?;
    }
    let request = ProposeKeyRotationRequest {
        log: command.log.name(context)?,
        purpose: context.connection.purpose(Purpose::Administration),
        request_id: command.request_id.map_or_else(request_id::random, Ok)?,
    };
    let client = context.connection.open().await?;
    show(context, &client.audit().propose_key_rotation(request).await?.into_inner(), command.out.as_deref())
}

pub(super) async fn list(context: &Context, command: &Keys) -> Result<Exit, Failure> {
    if let Some(path) = &command.out {
        check_new(path)?;
    }
    let (log, pinned) = (command.log.name(context)?, command.pin.key()?);
    let client = context.connection.open().await?;
    let newest = newest(context, &client, &log, pinned.as_ref(), Some(&[])).await?;
    let Newest { checkpoint, signer, successions, .. } = newest;
    let genuine = |error: &dyn std::fmt::Display| not_genuine(error.to_string());
    let named = checkpoint.verifier_key.parse().map_err(|error| genuine(&error))?;
    let keys = succession::Keys::follow(pinned.as_ref().unwrap_or(&named), &successions);
    let keys = keys.map_err(|error| genuine(&error))?;
    if let Some(path) = &command.out {
        let write = |mut file: File| {
            successions.iter().try_for_each(|each| file.write_all(&[each.encode(), b"\n".to_vec()].concat()))?;
            file.sync_all()
        };
        File::create_new(path).and_then(write).map_err(|error| cannot("write", path, &error))?;
    }
    let since = |at: usize| at.checked_sub(1).map_or(0, |before| successions[before].checkpoint().size);
    let rows: Vec<_> = keys.all().enumerate().map(|(at, key)| (since(at), key.to_string())).collect();
    let json = json!({
        "log": log,
        "keys": rows.iter().map(|(since, key)| json!({ "since": since, "verifier_key": key })).collect::<Vec<_>>(),
        "pinned": pinned.is_some(),
        "signed_by": pinned.is_some().then(|| signer.code()),
    });
    let card = Card::new(format!("{log}, {} keys", rows.len()));
    let card = rows.iter().fold(card, |card, (since, key)| match since {
        0 => card.row("at first", key),
        since => card.row(&format!("from {since} entries on"), key),
    });
    context.out.result(&json, &card.row("signature", trust(pinned.is_some(), signer)))?;
    Ok(Exit::Done)
}

/// All successions of a log's key, each verified by itself.
pub(super) async fn successions(context: &Context, client: &Client, log: &str) -> Result<Vec<Succession>, Failure> {
    let mut found = Vec::new();
    let purpose = context.connection.purpose(Purpose::Audit);
    let mut request = ListKeySuccessionsRequest { log: log.to_owned(), purpose, ..Default::default() };
    loop {
        let page = client.audit().list_key_successions(request.clone()).await?.into_inner();
        let is_last = page.next_page_token.is_empty();
        if found.len() + page.successions.len() > succession::MOST || (page.successions.is_empty() && !is_last) {
            let why = format!("its key was succeeded more than {} times, or pages of that are empty", succession::MOST);
            return Err(not_genuine(why));
        }
        for each in &page.successions {
            found.push(Succession::decode(&each.document).map_err(|error| not_genuine(error.to_string()))?);
        }
        request.page_token = page.next_page_token;
        if is_last {
            return Ok(found);
        }
    }
}
