//! `lethe verify`: is this the same person?

use clap::Args;
use lethe_proto::v1::{CaptureKind, DecisionBand, Purpose, VerifyRequest};

use super::Context;
use crate::cli::capture::CaptureArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{request_id, view};

/// Whom to verify.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// The claimed identity.
    subject: String,

    /// Quality by the capture service's own measure, 0 to 1.
    #[arg(long, value_name = "Q", default_value_t = 1.0)]
    quality: f32,

    #[command(flatten)]
    capture: CaptureArgs,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let request = VerifyRequest {
        name: context.connection.subject(&command.subject)?.to_string(),
        purpose: context.connection.purpose(Purpose::Authentication),
        request_id: request_id::random()?,
        probe: Some(command.capture.read(CaptureKind::AuthenticationCapture, command.quality)?),
    };
    let client = context.connection.open().await?;
    let answer = client.authentication().verify(request).await?.into_inner();
    let (json, card) = view::verdict(&answer);
    context.out.result(&json, &card)?;
    match answer.band() {
        DecisionBand::Match => Ok(Exit::Done),
        DecisionBand::Review => Ok(Exit::Review),
        DecisionBand::NoMatch => Ok(Exit::No),
        DecisionBand::Unspecified => Err(Failure::failed("the server gave no verdict")),
    }
}
