//! `lethe import`: all rows of a file, through one stream.

pub(super) mod report;
mod rows;
pub(super) mod stream;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use lethe_proto::v1::{CaptureKind, Purpose};
use prost_types::Timestamp;
use tokio::sync::mpsc;

use self::report::Report;
use self::rows::{Plan, Rows};
use super::capture::modified;
use super::command::Context;
use super::exit::{Exit, Failure};
use super::output::progress_bar;
use super::request_id;
use super::values::{self, ModelSpec};

/// What to import.
#[derive(Debug, Args)]
pub(super) struct Command {
    /// Matrix of embeddings: .npy, float16 or float32, one row each. Read as a stream, whatever its size.
    file: PathBuf,

    /// Model that made the embeddings, such as edgeface-xs@1.
    #[arg(long, env = "LETHE_MODEL", value_name = "MODEL@VERSION")]
    model: ModelSpec,

    /// Quality of all rows by the capture service's own measure, 0 to 1.
    #[arg(long, value_name = "Q")]
    quality: f32,

    /// Who is on which row: .npy of integers, as many as rows. A subject's id is the prefix and the
    /// label; without labels, the prefix and the row's number.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    /// What subject ids begin with.
    #[arg(long, default_value = "subject-")]
    prefix: String,

    /// What was captured.
    #[arg(long, value_parser = values::kind(), ignore_case = true, default_value = "selfie")]
    kind: CaptureKind,

    /// When the faces were captured, RFC 3339. When the file last changed, if not given.
    #[arg(long, value_parser = values::time, value_name = "TIME")]
    captured_at: Option<Timestamp>,

    /// What a capture service signed about the rows: a text file of as many lines, one attestation each, empty for none. Kind, quality
    /// and time of capture of such a row are those that it says.
    #[arg(long, value_name = "FILE")]
    attestations: Option<PathBuf>,

    /// Rows to pass over at the beginning.
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,

    /// Most rows to import.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// Most rows on their way at the same time.
    #[arg(long, value_name = "N", default_value_t = 128)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    window: u16,

    /// Id of this import, a UUID of version 4; made up and told in the report if not given. With the
    /// same id, rows that are stored already are not stored twice: give it again to resume.
    #[arg(long, value_parser = request_id::parse, value_name = "UUID")]
    import_id: Option<String>,
}

/// The lines of a file.
fn lines(path: &Path) -> Result<Vec<String>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    let import_id = command.import_id.map_or_else(request_id::random, Ok)?;
    let plan = Plan {
        parent: context.connection.tenant()?.to_string(),
        purpose: context.connection.purpose(Purpose::Authentication),
        import_id: import_id.clone(),
        prefix: command.prefix,
        model: command.model.into(),
        kind: command.kind,
        quality: command.quality,
        captured_at: command.captured_at.map_or_else(|| modified(&command.file), Ok)?,
        attestations: command.attestations.as_deref().map(lines).transpose()?.unwrap_or_default(),
    };
    let rows = Rows::open(&command.file, command.labels.as_deref(), command.skip, command.limit)?;
    let (signed, rows_there) = (plan.attestations.len() as u64, rows.total());
    if command.attestations.is_some() && signed != rows_there {
        let file = command.file.display();
        return Err(Failure::usage(format!("{file} has {rows_there} rows, but there are {signed} attestations")));
    }
    let client = context.connection.open().await?;

    let bar = progress_bar(context.out, rows.count());
    let window = usize::from(command.window);
    let (sender, receiver) = mpsc::channel(window);
    // Reading a file blocks; it ends by itself when the stream takes no more.
    let reader = tokio::task::spawn_blocking(move || rows.send(&plan, &sender));
    let start = Instant::now();
    let outcome = stream::enroll_all(&client, receiver, window, |answered| {
        bar.set_position(answered);
    })
    .await;
    bar.finish_and_clear();
    reader.await.map_err(|_| Failure::failed("reading the file failed"))?;

    let report = Report { outcome, import_id, elapsed: start.elapsed(), first: command.skip };
    context.out.result(&report.json(), &report.card())?;
    Ok(if report.is_clean() { Exit::Done } else { Exit::Failed })
}
