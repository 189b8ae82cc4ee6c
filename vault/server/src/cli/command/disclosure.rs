//! `lethe disclosure`: what was told of a person, to whom and why.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lethe_proto::v1::disclosure::Ground;
use lethe_proto::v1::{Disclosure, DisclosureScope, ListDisclosuresRequest, ProposeDisclosureRequest, Purpose};

use super::Context;
use super::issued::check_new;
use super::proposal::show;
use super::transfer::Way;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{request_id, values, view};

/// What to do with disclosures.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Propose a disclosure about a subject to an authority or a third party; another privacy officer approves it with `lethe
    /// proposal approve`, and it is recorded then. No template leaves the vault by it.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    Propose(Box<Propose>),
    /// List the disclosures that were made about a subject, oldest first.
    ///
    /// Needs role privacy_officer. Purpose by default: data_subject_request.
    List {
        /// The subject.
        subject: String,
    },
}

/// A disclosure to propose.
#[derive(Debug, Args)]
pub(crate) struct Propose {
    /// The subject.
    subject: String,

    /// Your name of who is told: 1 to 64 of [A-Za-z0-9._~-], and nothing that names a person.
    #[arg(long, value_name = "RECIPIENT")]
    to: String,

    /// The person's approval: a consent to kyc_sharing or legal_claims that names the recipient, as `lethe consent list` shows it.
    #[arg(long, value_name = "CONSENT", conflicts_with = "order")]
    consent: Option<String>,

    /// Your reference of the legal order.
    #[arg(long, value_name = "REFERENCE")]
    order: Option<String>,

    /// What is told; give it several times.
    #[arg(long, required = true, value_parser = values::disclosure_scope())]
    scope: Vec<DisclosureScope>,

    #[command(flatten)]
    way: Way,

    /// Write the proposal to this new file, for who is to approve it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// UUID of version 4; the same again, with all else the same, finds the same proposal.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let purpose = context.connection.purpose(Purpose::DataSubjectRequest);
    match command {
        Command::Propose(command) => {
            let command = *command;
            if let Some(path) = &command.out {
                check_new(path)?;
            }
            let ground = match (command.consent, command.order) {
                (Some(consent), _) => Some(Ground::Consent(consent)),
                (None, Some(order)) => Some(Ground::LegalOrderReference(order)),
                // The vault says that there is none, and remembers that somebody tried.
                (None, None) => None,
            };
            let unknown = || Failure::usage("say in which country the recipient is: --country DE".to_owned());
            let transfer = command.way.transfer().ok_or_else(unknown)?;
            let request = ProposeDisclosureRequest {
                parent: context.connection.subject(&command.subject)?.to_string(),
                purpose,
                request_id: command.request_id.map_or_else(request_id::random, Ok)?,
                disclosure: Some(Disclosure {
                    recipient: command.to,
                    ground,
                    scope: command.scope.into_iter().map(Into::into).collect(),
                    transfer: Some(transfer),
                    ..Disclosure::default()
                }),
            };
            let client = context.connection.open().await?;
            show(context, &client.disclosures().propose(request).await?.into_inner(), command.out.as_deref())
        }
        Command::List { subject } => {
            let parent = context.connection.subject(&subject)?.to_string();
            let client = context.connection.open().await?;
            let request = ListDisclosuresRequest { parent, purpose };
            let listed = client.disclosures().list(request).await?.into_inner().disclosures;
            for disclosure in &listed {
                let (json, card) = view::disclosure(disclosure);
                context.out.result(&json, &card)?;
            }
            if listed.is_empty() {
                context.out.text("no disclosures")?;
            }
            Ok(Exit::Done)
        }
    }
}
