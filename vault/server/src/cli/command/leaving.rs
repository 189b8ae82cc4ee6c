//! `lethe tenant offboard`, `export` and `confirm-handover`: the end of a contract.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use lethe_proto::v1::offboard_tenant_request::Handover;
use lethe_proto::v1::{ConfirmHandoverRequest, ExportSiloRequest, OffboardTenantRequest, Purpose};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Context;
use super::issued::check_new;
use super::proposal::{named, show};
use super::transfer::Way;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Card;
use crate::cli::request_id;

/// What is to become of the data.
#[derive(Debug, Args)]
pub(crate) struct Offboard {
    /// Hand the data over, sealed to this age recipient: age1…, whose key only you have (`age-keygen`).
    #[arg(
        long,
        value_name = "RECIPIENT",
        required_unless_present = "waive_handover",
        conflicts_with = "waive_handover"
    )]
    archive_to: Option<String>,

    /// Nobody wants the data: destroy them without handing them over.
    #[arg(long, conflicts_with = "country")]
    waive_handover: bool,

    #[command(flatten)]
    way: Way,

    /// Write the proposal to this new file, for who is to approve it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// UUID of version 4; the same again finds the same proposal.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,
}

/// Which archive, and where to.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The approved proposal, or the file that it was written to.
    proposal: String,

    /// Write the archive to this new file. `age -d -i KEY ARCHIVE | tar -x` opens it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which archive was received.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// The proposal, or the file that it was written to.
    proposal: String,

    /// The archive, as it was received and can be opened.
    #[arg(long, value_name = "FILE")]
    archive: PathBuf,
}

pub(crate) async fn offboard(context: &Context, command: Offboard) -> Result<Exit, Failure> {
    if let Some(path) = &command.out {
        check_new(path)?;
    }
    let handover = match command.archive_to {
        Some(recipient) => Handover::ArchiveRecipient(recipient),
        None => Handover::WaiveHandover(command.waive_handover),
    };
    let transfer = command.way.transfer();
    if matches!(handover, Handover::ArchiveRecipient(_)) && transfer.is_none() {
        return Err(Failure::usage("say in which country you keep the archive: --country DE".to_owned()));
    }
    let request = OffboardTenantRequest {
        name: context.connection.tenant()?.to_string(),
        purpose: context.connection.purpose(Purpose::Administration),
        request_id: command.request_id.map_or_else(request_id::random, Ok)?,
        handover: Some(handover),
        transfer,
    };
    let client = context.connection.open().await?;
    show(context, &client.tenants().offboard(request).await?.into_inner(), command.out.as_deref())
}

pub(crate) async fn export(context: &Context, command: Export) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("cannot write {}: {error}", command.out.display()));
    check_new(&command.out)?;
    let request = ExportSiloRequest {
        name: named(&command.proposal)?.0.to_string(),
        purpose: context.connection.purpose(Purpose::Administration),
    };
    let client = context.connection.open().await?;
    let mut pieces = client.archives().export_silo(request).await?.into_inner();
    // A part of an archive has another name than a whole one.
    let part = command.out.with_added_extension("part");
    let mut file = std::fs::File::create(&part).map_err(failed)?;
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    while let Some(piece) = pieces.message().await? {
        digest.update(&piece.piece);
        bytes += piece.piece.len() as u64;
        file.write_all(&piece.piece).map_err(failed)?;
    }
    file.sync_all().and_then(|()| std::fs::rename(&part, &command.out)).map_err(failed)?;
    let sha256 = hex::encode(digest.finalize());
    let json = json!({ "archive": command.out.display().to_string(), "bytes": bytes, "sha256": sha256 });
    let card = Card::new(command.out.display().to_string()).row("bytes", bytes).row("sha256", sha256);
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

pub(crate) async fn confirm(context: &Context, command: Confirm) -> Result<Exit, Failure> {
    let request = ConfirmHandoverRequest {
        name: named(&command.proposal)?.0.to_string(),
        purpose: context.connection.purpose(Purpose::Administration),
        request_id: String::new(),
        archive_sha256: digest_of(&command.archive)?,
    };
    let client = context.connection.open().await?;
    show(context, &client.tenants().confirm_handover(request).await?.into_inner(), None)
}

fn digest_of(path: &Path) -> Result<String, Failure> {
    let failed = |error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            read => digest.update(&buffer[..read]),
        }
    }
    Ok(hex::encode(digest.finalize()))
}
