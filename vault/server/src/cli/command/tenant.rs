//! `lethe tenant`: controllers.

use clap::Subcommand;
use lethe_proto::v1::{CreateTenantRequest, GetTenantRequest, Purpose, PurposeBasis, Tenant};
use serde_json::json;

use super::Context;
use super::issued::KeyOut;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{request_id, values, view};

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a tenant, with its own keys, an empty gallery and a first API key of role tenant_admin.
    ///
    /// Needs the operator's key. Purpose by default: administration.
    Create {
        /// Id: 3 to 63 characters of [a-z0-9-], a letter first. Never given twice.
        id: String,

        /// Purpose and the lawful basis recorded for it, such as authentication=explicit_consent; give
        /// it several times. Nothing is processed for a purpose without one.
        #[arg(long, required = true, value_parser = values::purpose_basis)]
        #[arg(value_name = "PURPOSE=BASIS")]
        basis: Vec<PurposeBasis>,

        #[command(flatten)]
        key_out: KeyOut,

        /// UUID of version 4; the same again names what was created, without the key.
        #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
        request_id: Option<String>,
    },
    /// Show a tenant.
    ///
    /// Needs role tenant_admin or auditor, or the operator's key. Purpose by default: administration.
    Get,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Create { id, basis, key_out, request_id } => {
            key_out.check()?;
            let request = CreateTenantRequest {
                purpose: context.connection.purpose(Purpose::Administration),
                request_id: request_id.map_or_else(request_id::random, Ok)?,
                tenant_id: id,
                tenant: Some(Tenant { purposes: basis, ..Tenant::default() }),
            };
            let client = context.connection.open().await?;
            let answer = client.tenants().create(request).await?.into_inner();
            let issued = answer.credential.unwrap_or_default();
            let (tenant, card) = view::tenant(&answer.tenant.unwrap_or_default());
            let (credential, _) = view::issued(&issued);
            let name = issued.credential.as_ref().map(|credential| credential.name.clone());
            let card = card.maybe("admin", name);
            let json = json!({ "tenant": tenant, "credential": credential });
            key_out.show(context.out, issued, (json, card))?;
        }
        Command::Get => {
            let request = GetTenantRequest {
                name: context.connection.tenant()?.to_string(),
                purpose: context.connection.purpose(Purpose::Administration),
            };
            let client = context.connection.open().await?;
            let (json, card) = view::tenant(&client.tenants().get(request).await?.into_inner());
            context.out.result(&json, &card)?;
        }
    }
    Ok(Exit::Done)
}
