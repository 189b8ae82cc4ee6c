//! Rotating what wraps keys: of a tenant, `lethe tenant rotate`; of the vault, `lethe root rotate`.

use std::path::PathBuf;

use clap::Args;
use lethe_proto::v1::{ErasureState, Purpose, RotateKeysRequest};

use super::Context;
use super::erase::{keep_receipt, tell};
use super::issued::check_new;
use crate::cli::exit::{Exit, Failure};
use crate::cli::request_id;
use crate::cli::values::Coded as _;

/// How to rotate.
#[derive(Debug, Args)]
pub(crate) struct RotateOptions {
    /// Answer as soon as the rotation is durable, PENDING, instead of when the old root key is destroyed.
    #[arg(long)]
    no_wait: bool,

    /// Write the receipt to this new file.
    #[arg(long, value_name = "FILE", conflicts_with = "no_wait")]
    receipt_out: Option<PathBuf>,

    /// UUID of version 4; the same again finds the same receipt and rotates nothing.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,
}

/// Rotates what wraps the keys of `name`.
pub(crate) async fn run(context: &Context, name: String, options: RotateOptions) -> Result<Exit, Failure> {
    let RotateOptions { no_wait, receipt_out, request_id: given } = options;
    if let Some(path) = &receipt_out {
        check_new(path)?;
    }
    let whose = if name == "vault" { "the vault's keys".to_owned() } else { format!("the keys of {name}") };
    let request = RotateKeysRequest {
        name,
        purpose: context.connection.purpose(Purpose::Administration),
        request_id: given.map_or_else(request_id::random, Ok)?,
        no_wait,
    };
    let client = context.connection.open().await?;
    let rotation = client.tenants().rotate_keys(request).await?.into_inner();
    let state = rotation.state();
    let meaning = match state {
        ErasureState::Shredded => "the root key that wrapped them before is destroyed",
        ErasureState::Pending => "accepted; the root key that wraps them now is not yet destroyed",
        ErasureState::Deferred | ErasureState::Unspecified => "the server did not say how far it got",
    };
    tell(context, (&format!("{whose} are wrapped anew: {}", state.code()), meaning), &rotation.receipt, state)?;
    keep_receipt(context, &client, &rotation.receipt, receipt_out.as_deref(), Purpose::Audit).await
}
