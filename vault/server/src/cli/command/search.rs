//! `lethe search`: have we met this person before?

use clap::Args;
use lethe_proto::v1::{CaptureKind, Purpose, SearchRequest};

use super::Context;
use crate::cli::capture::CaptureArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::view;

/// What to search for.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Whose face it is, if that is known: what the policy asks for is asked of this subject. Where the purpose rests on
    /// consent nothing is searched without it.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,

    /// Quality by the capture service's own measure, 0 to 1.
    #[arg(long, value_name = "Q", default_value_t = 1.0)]
    quality: f32,

    /// Least cosine to report; not below the model's review threshold, which it is if not given.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    threshold: Option<f32>,

    /// Wanted chance to miss a template exactly at the threshold, 1e-12 to 0.1; the model's, if not
    /// given.
    #[arg(long, value_name = "P")]
    miss_probability: Option<f64>,

    /// Most matches wanted, best first; 0: all. The search covers the whole gallery all the same.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_results: i32,

    #[command(flatten)]
    capture: CaptureArgs,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let subject = command.subject.as_deref().map(|subject| context.connection.subject(subject)).transpose()?;
    let request = SearchRequest {
        parent: context.connection.tenant()?.to_string(),
        purpose: context.connection.purpose(Purpose::DuplicateDetection),
        probe: Some(command.capture.read(CaptureKind::Selfie, command.quality)?),
        threshold: command.threshold,
        miss_probability: command.miss_probability,
        max_results: command.max_results,
        probe_subject: subject.map(|name| name.to_string()).unwrap_or_default(),
    };
    let client = context.connection.open().await?;
    let answer = client.identification().search(request).await?.into_inner();
    let (json, card) = view::search(&answer);
    context.out.result(&json, &card)?;
    let nothing = answer.matches.is_empty() && answer.watchlist_matches.is_empty();
    Ok(if nothing { Exit::No } else { Exit::Done })
}
