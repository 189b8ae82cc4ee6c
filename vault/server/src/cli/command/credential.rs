//! `lethe key`: credentials and their API keys.

use clap::Subcommand;
use lethe_proto::names::{CredentialName, CredentialParent};
use lethe_proto::v1::{
    CreateCredentialRequest, Credential, ListCredentialsRequest, Purpose, RevokeCredentialRequest, Role,
};
use prost_types::Timestamp;

use super::issued::{KeyOut, LoginOf};
use super::{Context, operator};
use crate::cli::exit::{Exit, Failure};
use crate::cli::{request_id, values, view};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Ask(Ask),
    /// Make an operator's key, offline, with the server stopped: for a vault whose last one is lost.
    ///
    /// Needs the data directory and the root keys, and no key. The vault's log tells it.
    NewOperator(operator::Command),
}

/// What to ask a server for.
#[derive(Debug, Subcommand)]
pub(crate) enum Ask {
    /// Create a credential with some roles, and its API key, which is shown this once; or, with --login-issuer and
    /// --login-subject, one that a login shows.
    ///
    /// Needs role tenant_admin; the operator's key with --vault, or for role tenant_admin alone, where a
    /// tenant lost its last. Purpose by default: administration.
    Create {
        /// What the key may do; give it several times.
        #[arg(
            long,
            required_unless_present = "vault",
            conflicts_with = "vault",
            value_parser = values::role(),
            ignore_case = true
        )]
        role: Vec<Role>,

        /// An operator's key, instead of one of the tenant's.
        #[arg(long)]
        vault: bool,

        /// When it stops working: 90d, 12h, 5m, or a time as 2026-01-31T12:00:00Z. Never, if not given.
        #[arg(long, value_parser = values::time_to_come, value_name = "WHEN")]
        expires: Option<Timestamp>,

        #[command(flatten)]
        login: LoginOf,

        #[command(flatten)]
        key_out: KeyOut,

        /// UUID of version 4; the same again names the credential, without the key.
        #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
        request_id: Option<String>,
    },
    /// List credentials, revoked and expired ones too, oldest first. Never keys.
    ///
    /// Needs role tenant_admin or auditor; with --vault the operator's key. Purpose by default:
    /// administration.
    List {
        /// The operators' credentials, instead of the tenant's.
        #[arg(long)]
        vault: bool,
    },
    /// Revoke a credential, at once and for good; not the last that can make others.
    ///
    /// Needs role tenant_admin; of an operator's credential the operator's key. Purpose by default:
    /// administration.
    Revoke {
        /// The credential: its id of 32 characters, or its whole name, as an operator's
        /// vault/credentials/…
        credential: String,
    },
}

pub(crate) async fn run(context: &Context, command: Ask) -> Result<Exit, Failure> {
    let connection = &context.connection;
    let purpose = connection.purpose(Purpose::Administration);
    match command {
        Ask::Create { role, vault, expires, login, key_out, request_id } => {
            key_out.check()?;
            let role = if vault { vec![Role::Operator] } else { role };
            let request = CreateCredentialRequest {
                parent: parent(context, vault)?.to_string(),
                purpose,
                request_id: request_id.map_or_else(request_id::random, Ok)?,
                credential: Some(Credential {
                    roles: role.into_iter().map(Into::into).collect(),
                    expire_time: expires,
                    login: login.given(),
                    ..Credential::default()
                }),
            };
            let client = connection.open().await?;
            let issued = client.tenants().create_credential(request).await?.into_inner();
            let view = view::issued(&issued);
            key_out.show(context.out, issued, view)?;
        }
        Ask::List { vault } => {
            let parent = parent(context, vault)?.to_string();
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
        Ask::Revoke { credential } => {
            let name = match credential.contains('/') {
                true => credential.parse(),
                false => CredentialName::new(parent(context, false)?, &credential),
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

/// Whose credentials.
fn parent(context: &Context, vault: bool) -> Result<CredentialParent, Failure> {
    match vault {
        true => Ok(CredentialParent::Vault),
        false => Ok(CredentialParent::Tenant(context.connection.tenant()?)),
    }
}
