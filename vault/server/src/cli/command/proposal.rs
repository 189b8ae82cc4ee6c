//! `lethe proposal`: what two persons decide.

use std::path::Path;

use clap::Subcommand;
use lethe_proto::names::{CredentialParent, ProposalName};
use lethe_proto::v1::{
    ApproveProposalRequest, GetProposalRequest, ListProposalsRequest, Proposal, Purpose, RejectProposalRequest,
};
use serde::Deserialize;

use super::Context;
use super::issued::check_new;
use crate::cli::exit::{Exit, Failure};
use crate::cli::view;

/// What to do with proposals.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the tenant's proposals that your roles see, oldest first.
    ///
    /// Needs role tenant_admin, privacy_officer or auditor, or the operator's key. Purpose by default: administration.
    List {
        /// The vault's own proposals, which are its operators', instead of the tenant's.
        #[arg(long)]
        vault: bool,
    },
    /// Show a proposal.
    ///
    /// Roles and purpose as for `lethe proposal list`.
    Get {
        /// Its name, or the file that it was written to.
        proposal: String,
    },
    /// Approve what somebody else proposed. A disclosure is recorded with that, and a log's key rotated.
    ///
    /// Needs a credential that the proposer did not make, older than the proposal: of role tenant_admin or operator for the
    /// end of a tenant, of role privacy_officer for a disclosure, of role tenant_admin, privacy_officer or auditor for the
    /// key of a tenant's log, the operator's for that of the vault's. Purpose by default: administration.
    Approve {
        /// Its name, or the file that it was written to.
        proposal: String,

        /// The content's digest, as `lethe proposal get` shows it: what is approved is what you read. The file has it.
        #[arg(long, value_name = "SHA256")]
        content: Option<String>,
    },
    /// Reject a proposal, or take your own back; also an approved one, until it is carried out.
    ///
    /// Roles and purpose as for `lethe proposal approve`.
    Reject {
        /// Its name, or the file that it was written to.
        proposal: String,
    },
}

/// A proposal as a file has it, which the proposer gives to the approver.
#[derive(Deserialize)]
struct Written {
    name: String,
    content_sha256: String,
}

/// A proposal by name, or by the file that it was written to, which has the digest of its content, too.
pub(crate) fn named(text: &str) -> Result<(ProposalName, Option<String>), Failure> {
    if text.starts_with("tenants/") || text.starts_with("vault/") {
        return Ok((text.parse().map_err(|error| Failure::usage(format!("{error}")))?, None));
    }
    let file = |why: &dyn std::fmt::Display| Failure::usage(format!("the proposal in {text}: {why}"));
    let bytes = std::fs::read(text).map_err(|error| file(&error))?;
    let written: Written = serde_json::from_slice(&bytes).map_err(|_| file(&"it is none that lethe wrote"))?;
    let name = written.name.parse().map_err(|error: lethe_proto::names::NameError| file(&error))?;
    Ok((name, Some(written.content_sha256)))
}

/// Shows a new proposal, and writes it to a new file where one is named.
pub(crate) fn show(context: &Context, proposal: &Proposal, path: Option<&Path>) -> Result<Exit, Failure> {
    let (json, card) = view::proposal(proposal);
    if let Some(path) = path {
        check_new(path)?;
        std::fs::write(path, format!("{json}\n"))
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
    }
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let purpose = context.connection.purpose(Purpose::Administration);
    match command {
        Command::List { vault } => list(context, purpose, vault).await,
        Command::Get { proposal } => {
            let request = GetProposalRequest { name: named(&proposal)?.0.to_string(), purpose };
            let client = context.connection.open().await?;
            show(context, &client.proposals().get(request).await?.into_inner(), None)
        }
        Command::Approve { proposal, content } => {
            let (name, written) = named(&proposal)?;
            let unread = || Failure::usage("say --content with the digest that lethe proposal get shows");
            let content_sha256 = content.or(written).ok_or_else(unread)?;
            let request =
                ApproveProposalRequest { name: name.to_string(), purpose, request_id: String::new(), content_sha256 };
            let client = context.connection.open().await?;
            show(context, &client.proposals().approve(request).await?.into_inner(), None)
        }
        Command::Reject { proposal } => {
            let name = named(&proposal)?.0.to_string();
            let request = RejectProposalRequest { name, purpose, request_id: String::new() };
            let client = context.connection.open().await?;
            show(context, &client.proposals().reject(request).await?.into_inner(), None)
        }
    }
}

async fn list(context: &Context, purpose: i32, vault: bool) -> Result<Exit, Failure> {
    let parent = match vault {
        true => CredentialParent::Vault,
        false => CredentialParent::Tenant(context.connection.tenant()?),
    };
    let parent = parent.to_string();
    let client = context.connection.open().await?;
    let (mut none, mut page_token) = (true, String::new());
    loop {
        let request = ListProposalsRequest { parent: parent.clone(), purpose, page_size: 0, page_token };
        let page = client.proposals().list(request).await?.into_inner();
        for proposal in &page.proposals {
            show(context, proposal, None)?;
        }
        none &= page.proposals.is_empty();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if none {
        context.out.text("no proposals")?;
    }
    Ok(Exit::Done)
}
