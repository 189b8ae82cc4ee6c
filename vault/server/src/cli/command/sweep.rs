//! `lethe sweep`: who is in the gallery twice?

use clap::Args;
use indicatif::ProgressBar;
use lethe_proto::v1::{Purpose, SweepDuplicatesRequest, SweepDuplicatesResponse};
use tonic::Streaming;

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::progress_bar;
use crate::cli::values::ModelSpec;
use crate::cli::view;

/// What to sweep.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Model whose templates are compared, such as edgeface-xs@1.
    #[arg(long, env = "LETHE_MODEL", value_name = "MODEL@VERSION")]
    model: ModelSpec,

    /// Least cosine of a pair; not below the model's review threshold, which it is if not given.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    threshold: Option<f32>,

    /// Wanted chance to miss a pair exactly at the threshold, 1e-12 to 0.1; the model's, if not given.
    #[arg(long, value_name = "P")]
    miss_probability: Option<f64>,

    /// Where to go on: what a sweep of the same model, threshold and probability told that did not come to its end.
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    resume: String,
}

/// What a sweep has come to, for who asks for it again.
#[derive(Default)]
struct Sofar {
    pairs: usize,
    last: Option<SweepDuplicatesResponse>,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let request = SweepDuplicatesRequest {
        parent: context.connection.tenant()?.to_string(),
        purpose: context.connection.purpose(Purpose::DuplicateDetection),
        model: Some(command.model.into()),
        threshold: command.threshold,
        miss_probability: command.miss_probability,
        page_token: command.resume.clone(),
    };
    let client = context.connection.open().await?;
    let answers = client.sweeps().sweep_duplicates(request).await?.into_inner();
    let bar = progress_bar(context.out, 0);
    let mut sofar = Sofar::default();
    let ended = tokio::select! {
        ended = follow(context, answers, &bar, &mut sofar) => ended,
        _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::NotNow, "interrupted")),
    };
    bar.finish_and_clear();
    let last = ended.and_then(|()| match &sofar.last {
        Some(last) if last.complete => Ok(last),
        _ => Err(Failure::new(Exit::NotNow, "the sweep ended before it was complete")),
    });
    let resume = sofar.last.as_ref().map_or(&command.resume, |last| &last.next_page_token);
    let last = last.map_err(|failure| match resume.as_str() {
        "" => failure,
        resume => failure.detail("resume", resume),
    })?;
    let (json, card) = view::swept(last, sofar.pairs);
    context.out.result(&json, &card)?;
    Ok(if sofar.pairs == 0 { Exit::No } else { Exit::Done })
}

/// Writes pairs as they come.
async fn follow(
    context: &Context,
    mut answers: Streaming<SweepDuplicatesResponse>,
    bar: &ProgressBar,
    sofar: &mut Sofar,
) -> Result<(), Failure> {
    while let Some(answer) = answers.message().await? {
        bar.set_length(u64::try_from(answer.gallery_size).unwrap_or_default());
        bar.set_position(u64::try_from(answer.compared).unwrap_or_default());
        bar.suspend(|| {
            answer.pairs.iter().try_for_each(|pair| {
                let (json, line) = view::pair(pair);
                context.out.json(&json)?;
                context.out.text(&line)
            })
        })?;
        sofar.pairs += answer.pairs.len();
        sofar.last = Some(SweepDuplicatesResponse { pairs: Vec::new(), ..answer });
    }
    Ok(())
}
