//! `lethe key`: credentials and their API keys.

use clap::Subcommand;
use lethe_proto::names::CredentialName;
use lethe_proto::v1::{
    CreateCredentialRequest, Credential, ListCredentialsRequest, Purpose, RevokeCredentialRequest, Role,
};
use prost_types::Timestamp;

use super::Context;
use super::issued::KeyOut;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{request_id, values, view};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create an API key with some roles. It is shown this once.
    ///
    /// Needs role tenant_admin. Purpose by default: administration.
    Create {
        /// What the key may do; give it several times.
        #[arg(long, required = true, value_parser = values::role(), ignore_case = true)]
        role: Vec<Role>,

        /// When it stops working: 90d, 12h, 5m, or a time as 2026-01-31T12:00:00Z. Never, if not given.
        #[arg(long, value_parser = values::time_to_come, value_name = "WHEN")]
        expires: Option<Timestamp>,

        #[command(flatten)]
        key_out: KeyOut,

        /// UUID of version 4; the same again names the credential, without the key.
        #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
        request_id: Option<String>,
    },
    /// List credentials, revoked and expired ones too, oldest first. Never keys.
    ///
    /// Needs role tenant_admin or auditor. Purpose by default: administration.
    List,
    /// Revoke a credential, at once and for good.
    ///
    /// Needs role tenant_admin. Purpose by default: administration.
    Revoke {
        /// The credential: its id of 32 characters, or its whole name.
        credential: String,
    },
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let connection = &context.connection;
    let purpose = connection.purpose(Purpose::Administration);
    match command {
        Command::Create { role, expires, key_out, request_id } => {
            key_out.check()?;
            let request = CreateCredentialRequest {
                parent: connection.tenant()?.to_string(),
                purpose,
                request_id: request_id.map_or_else(request_id::random, Ok)?,
                credential: Some(Credential {
                    roles: role.into_iter().map(Into::into).collect(),
                    expire_time: expires,
                    ..Credential::default()
                }),
            };
            let client = connection.open().await?;
            let issued = client.tenants().create_credential(request).await?.into_inner();
            let view = view::issued(&issued);
            key_out.show(context.out, issued, view)?;
        }
        Command::List => {
            let parent = connection.tenant()?.to_string();
            let mut client = connection.open().await?.tenants();
            let mut page_token = String::new();
            loop {
                let request = ListCredentialsRequest { parent: parent.clone(), purpose, page_size: 1000, page_token };
                let page = client.list_credentials(request).await?.into_inner();
                for credential in &page.credentials {
                    let (json, card) = view::credential(credential);
                    context.out.result(&json, &card)?;
                }
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
        }
        Command::Revoke { credential } => {
            let name = match credential.starts_with("tenants/") {
                true => credential.parse(),
                false => CredentialName::new(connection.tenant()?.tenant(), &credential),
            };
            let name = name.map_err(|error| Failure::usage(error.to_string()))?;
            let request =
                RevokeCredentialRequest { name: name.to_string(), purpose, request_id: request_id::random()? };
            let client = connection.open().await?;
            let revoked = client.tenants().revoke_credential(request).await?.into_inner();
            let (json, card) = view::credential(&revoked);
            context.out.result(&json, &card)?;
        }
    }
    Ok(Exit::Done)
}
