//! `lethe enroll`: one template.

use clap::Args;
use lethe_proto::v1::{CaptureKind, EnrollRequest, Purpose};
use serde_json::json;

use super::Context;
use crate::cli::capture::CaptureArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{request_id, view};

/// What to enroll.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// The subject: your own opaque applicant id, 1 to 128 characters of [A-Za-z0-9._~-].
    subject: String,

    /// Quality by the capture service's own measure, 0 to 1.
    #[arg(long, value_name = "Q")]
    quality: f32,

    /// UUID of version 4; the same again gives the first answer.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    request_id: Option<String>,

    #[command(flatten)]
    capture: CaptureArgs,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let subject = context.connection.subject(&command.subject)?;
    let request = EnrollRequest {
        parent: subject.parent().to_string(),
        purpose: context.connection.purpose(Purpose::Authentication),
        request_id: command.request_id.map_or_else(request_id::random, Ok)?,
        subject_id: subject.subject().to_owned(),
        template: Some(command.capture.read(CaptureKind::Selfie, command.quality)?),
    };
    let client = context.connection.open().await?;
    let answer = client.enrollment().enroll(request).await?.into_inner();
    let (template, card) = view::template(&answer.template.unwrap_or_default());
    let json = json!({ "template": template, "sequence": answer.sequence });
    context.out.result(&json, &card.row("sequence", answer.sequence))?;
    Ok(Exit::Done)
}
