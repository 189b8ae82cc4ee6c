//! `lethe signing-key`: whose attestations are believed.

use std::path::PathBuf;

use clap::Subcommand;
use lethe_attestation::VerifyingKey;
use lethe_proto::names::SigningKeyName;
use lethe_proto::v1::{CreateSigningKeyRequest, ListSigningKeysRequest, Purpose, RevokeSigningKeyRequest, SigningKey};

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::view;

/// What to do with signing keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register a public key: what its service attests is believed from the answer on.
    ///
    /// Needs role tenant_admin. Purpose by default: administration.
    Create {
        /// The public key, a JSON Web Key: kty OKP, crv Ed25519, and a kid that no key of the tenant had before. A private key is
        /// refused, and sent nowhere.
        #[arg(long, value_name = "FILE")]
        jwk: PathBuf,
    },
    /// List all keys, revoked ones too, oldest first.
    ///
    /// Needs role tenant_admin, privacy_officer or auditor. Purpose by default: administration.
    List,
    /// Revoke a key at once and for good: nothing that it signed is believed any more.
    ///
    /// Needs role tenant_admin. Purpose by default: administration.
    Revoke {
        /// Its kid, or its whole name.
        key: String,
    },
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let purpose = context.connection.purpose(Purpose::Administration);
    let parent = context.connection.tenant()?.to_string();
    let request_id = String::new();
    let key = match command {
        Command::Create { jwk } => {
            let text = std::fs::read_to_string(&jwk)
                .map_err(|error| Failure::usage(format!("cannot read {}: {error}", jwk.display())))?;
            // What is secret does not leave this machine, whatever the server would say of it.
            let refuse = |fault| Failure::usage(format!("{} {fault}", jwk.display()));
            let signing_key = Some(SigningKey {
                jwk: VerifyingKey::from_jwk(&text).map_err(refuse)?.to_jwk(),
                ..SigningKey::default()
            });
            let request = CreateSigningKeyRequest { parent, purpose, request_id, signing_key };
            context.connection.open().await?.signing_keys().create_signing_key(request).await?.into_inner()
        }
        Command::List => return list(context, parent, purpose).await,
        Command::Revoke { key } => {
            let name = match key.contains('/') {
                true => key.parse::<SigningKeyName>(),
                false => SigningKeyName::new(context.connection.tenant()?.tenant(), &key),
            };
            let name = name.map_err(|error| Failure::usage(error.to_string()))?.to_string();
            let request = RevokeSigningKeyRequest { name, purpose, request_id };
            context.connection.open().await?.signing_keys().revoke_signing_key(request).await?.into_inner()
        }
    };
    let (json, card) = view::signing_key(&key);
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

async fn list(context: &Context, parent: String, purpose: i32) -> Result<Exit, Failure> {
    let mut request = ListSigningKeysRequest { parent, purpose, page_size: 1000, page_token: String::new() };
    let client = context.connection.open().await?;
    loop {
        let page = client.signing_keys().list_signing_keys(request.clone()).await?.into_inner();
        for key in &page.signing_keys {
            let (json, card) = view::signing_key(key);
            context.out.result(&json, &card)?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(Exit::Done);
        }
    }
}
