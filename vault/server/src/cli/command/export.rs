//! `lethe subject export`: what is held about a person, for the person.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lethe_proto::v1::{ExportSubjectRequest, Purpose};
use serde_json::json;

use super::Context;
use super::issued::check_new;
use super::transfer::Way;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Card;

/// Whose data, for whom, and where to.
#[derive(Debug, Args)]
pub(crate) struct Command {
    /// The subject.
    subject: String,

    /// Whom the archive is sealed to: the requester's public key, as `age-keygen` shows it. Nobody else can read it, you neither.
    #[arg(long, value_name = "age1…")]
    to: String,

    /// The archive, a new file. Where somebody else than the person receives it, for the person, say where with --country.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,

    // Only where somebody else than the person receives it.
    #[command(flatten)]
    way: Way,

    /// Your name of who receives it for the person, if somebody else does: it is on record, and you have to tell them what becomes of
    /// the data.
    #[arg(long, value_name = "RECEIVER", requires = "country", default_value = "")]
    receiver: String,
}

pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    check_new(&command.output)?;
    let request = ExportSubjectRequest {
        name: context.connection.subject(&command.subject)?.to_string(),
        purpose: context.connection.purpose(Purpose::DataSubjectRequest),
        recipient: command.to,
        transfer: command.way.transfer(),
        receiver: command.receiver,
    };
    let client = context.connection.open().await?;
    let mut pieces = client.exports().export(request).await?.into_inner();
    let mut part = Part::create(&command.output)?;
    let mut bytes = 0;
    while let Some(piece) = pieces.message().await? {
        part.write(&piece.chunk)?;
        bytes += piece.chunk.len();
    }
    part.keep()?;
    let path = command.output.display().to_string();
    let card = Card::new("all that is held about the subject")
        .row("archive", &path)
        .row("bytes", bytes)
        .row("to read it", "age --decrypt -i KEY | tar -x; docs/read_export.py says what is in it");
    context.out.result(&json!({ "archive": path, "bytes": bytes }), &card)?;
    Ok(Exit::Done)
}

/// An archive that is being written, sealed as it is: it has its name once it is whole, and is gone if it is never that.
struct Part<'a> {
    file: File,
    part: PathBuf,
    path: &'a Path,
    is_whole: bool,
}

impl<'a> Part<'a> {
    fn create(path: &'a Path) -> Result<Self, Failure> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = file.map_err(|error| Failure::failed(format!("cannot write {}: {error}", part.display())))?;
        Ok(Self { file, part, path, is_whole: false })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| self.failure(&error))
    }

    fn keep(&mut self) -> Result<(), Failure> {
        let kept = self.file.sync_all().and_then(|()| std::fs::rename(&self.part, self.path));
        kept.map_err(|error| self.failure(&error))?;
        self.is_whole = true;
        Ok(())
    }

    fn failure(&self, error: &std::io::Error) -> Failure {
        Failure::failed(format!("cannot write {}: {error}", self.path.display()))
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            // What is left is no archive, and nobody can read it.
            drop(std::fs::remove_file(&self.part));
        }
    }
}
