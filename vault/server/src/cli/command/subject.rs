//! `lethe subject`: what the vault holds about a person.

use clap::Subcommand;
use lethe_proto::v1::{GetSubjectRequest, Purpose};

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::view;

/// What to do with subjects.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what is held about a subject: never a vector, never a score.
    ///
    /// Needs role privacy_officer, enroller, fraud_analyst or reviewer. Purpose by default: data_subject_request.
    Get {
        /// The subject.
        subject: String,
    },
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let Command::Get { subject } = command;
    let request = GetSubjectRequest {
        name: context.connection.subject(&subject)?.to_string(),
        purpose: context.connection.purpose(Purpose::DataSubjectRequest),
    };
    let client = context.connection.open().await?;
    let (json, card) = view::subject(&client.subjects().get(request).await?.into_inner());
    context.out.result(&json, &card)?;
    Ok(Exit::Done)
}
