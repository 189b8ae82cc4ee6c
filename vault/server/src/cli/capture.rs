//! Embeddings on the command line: a row of an `.npy` file, or a JSON array.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use lethe_dataset::npy::MatrixReader;
use lethe_proto::v1::{Capture, CaptureKind};
use prost_types::Timestamp;

use super::exit::Failure;
use super::values::{self, ModelSpec};

/// Longest JSON array worth reading: 4096 numbers in their longest spelling.
const MAX_JSON: u64 = 256 << 10;

/// A face and where it comes from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Capture")]
#[group(id = "source", required = true, multiple = false)]
pub(super) struct CaptureArgs {
    /// Matrix of embeddings, float16 or float32, one row each; with --row.
    #[arg(long, value_name = "FILE", requires = "row", group = "source")]
    npy: Option<PathBuf>,

    /// Embedding as a JSON array of numbers: - for standard input, or @FILE.
    #[arg(long, value_name = "-|@FILE", group = "source")]
    embedding: Option<String>,

    #[command(flatten)]
    more: CaptureMore,
}

/// What goes with an embedding.
#[derive(Debug, Args)]
struct CaptureMore {
    /// Row of the --npy file, counting from 0.
    #[arg(long, value_name = "N", requires = "npy")]
    row: Option<u64>,

    /// Model that made the embedding, such as edgeface-xs@1.
    #[arg(long, env = "LETHE_MODEL", value_name = "MODEL@VERSION")]
    model: ModelSpec,

    /// What was captured; each command says what it takes by default.
    #[arg(long, value_parser = values::kind(), ignore_case = true)]
    kind: Option<CaptureKind>,

    /// When it was captured, RFC 3339.
    #[arg(long, value_parser = values::time, value_name = "TIME", default_value = "now")]
    captured_at: Timestamp,

    /// What the capture service signed about it, in a file; - for standard input. Kind, quality and time of capture are those that
    /// it says.
    #[arg(long, value_name = "FILE|-")]
    attestation: Option<PathBuf>,
}

impl CaptureArgs {
    /// Reads the embedding.
    pub(super) fn read(self, kind: CaptureKind, quality: f32) -> Result<Capture, Failure> {
        let more = self.more;
        let embedding = match (&self.npy, &self.embedding) {
            (Some(path), _) => npy_row(path, more.row.unwrap_or_default())?,
            (None, Some(source)) => json(source)?,
            (None, None) => return Err(Failure::usage("name an embedding with --npy or --embedding")),
        };
        let mut capture = Capture {
            embedding,
            model: Some(more.model.into()),
            kind: more.kind.unwrap_or(kind).into(),
            quality: Some(quality),
            capture_time: Some(more.captured_at),
            attestation: String::new(),
        };
        if let Some(path) = &more.attestation {
            attest(&mut capture, attestation(path)?.trim())?;
        }
        Ok(capture)
    }
}

/// An attestation from a file or standard input.
fn attestation(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        return bounded("standard input", std::io::stdin().lock());
    }
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| unreadable(&name, &error))?;
    bounded(&name, file)
}

/// Puts an attestation beside a capture, with what it says of the capture, which the server holds against each other.
pub(super) fn attest(capture: &mut Capture, text: &str) -> Result<(), Failure> {
    let said = lethe_attestation::read_unverified(text);
    let said = said.map_err(|refused| Failure::usage(format!("the attestation {refused}")))?;
    let millis = said.captured_at.millis();
    let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or_default() * 1_000_000;
    capture.kind = said.kind.number().into();
    capture.quality = Some(said.quality.get());
    capture.capture_time = Some(Timestamp { seconds: millis.div_euclid(1000), nanos });
    text.clone_into(&mut capture.attestation);
    Ok(())
}

/// One row of a file.
pub(super) fn npy_row(path: &Path, row: u64) -> Result<Vec<f32>, Failure> {
    let unreadable = |error: lethe_dataset::Error| Failure::usage(error.to_string());
    let mut reader = MatrixReader::open(path).map_err(unreadable)?;
    let rows = reader.rows();
    if row >= rows {
        let path = path.display();
        return Err(Failure::usage(format!("{path} has {rows} rows; there is no row {row}")));
    }
    let mut embedding = vec![0.0; reader.dimension()];
    for _ in 0..=row {
        reader.read_row(&mut embedding).map_err(unreadable)?;
    }
    Ok(embedding)
}

/// A JSON array from standard input (`-`) or a file (`@FILE`).
fn json(source: &str) -> Result<Vec<f32>, Failure> {
    let text = match source.strip_prefix('@') {
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
            bounded(path, file)?
        }
        None if source == "-" => bounded("standard input", std::io::stdin().lock())?,
        None => return Err(Failure::usage("--embedding: write - for standard input, or @FILE")),
    };
    // serde's own message would quote the input, which is somebody's face.
    serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::usage(format!("the embedding is no JSON array of numbers: line {line}, column {column}"))
    })
}

fn bounded(name: &str, source: impl Read) -> Result<String, Failure> {
    let mut text = String::new();
    source.take(MAX_JSON + 1).read_to_string(&mut text).map_err(|error| unreadable(name, &error))?;
    if text.len() as u64 > MAX_JSON {
        return Err(Failure::usage(format!("{name} is too long for one embedding")));
    }
    Ok(text)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read {name}: {error}"))
}

/// When a file last changed, in whole seconds.
pub(super) fn modified(path: &Path) -> Result<Timestamp, Failure> {
    let time: SystemTime = std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .map_err(|error| unreadable(&path.display().to_string(), &error))?;
    Ok(Timestamp { nanos: 0, ..Timestamp::from(time) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;
    use lethe_dataset::npy::MatrixWriter;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        capture: CaptureArgs,
    }

    fn read(arguments: &[&str]) -> Result<Capture, Failure> {
        let line = Line::try_parse_from(["lethe", "--model", "m@1"].iter().chain(arguments));
        let line = line.map_err(|error| Failure::usage(error.to_string()))?;
        line.capture.read(CaptureKind::Selfie, 0.5)
    }

    #[test]
    fn a_row_of_a_matrix_is_an_embedding() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.npy");
        let mut writer = MatrixWriter::create(&path, 2).unwrap();
        writer.push(&[1.0, 2.0]).unwrap();
        writer.push(&[3.0, 4.0]).unwrap();
        writer.finish().unwrap();
        let path = path.to_str().unwrap();
        let capture = read(&["--npy", path, "--row", "1"]).unwrap();
        assert_eq!(capture.embedding, [3.0, 4.0]);
        assert_eq!(capture.quality, Some(0.5));
        assert_eq!(capture.kind(), CaptureKind::Selfie);
        assert!(read(&["--npy", path, "--row", "2"]).unwrap_err().message.contains("2 rows"));
        assert!(read(&["--npy", path]).unwrap_err().message.contains("--row"));
        assert!(read(&["--npy", path, "--row", "0", "--embedding", "-"]).is_err());
    }

    #[test]
    fn a_json_array_is_an_embedding() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("e.json");
        std::fs::write(&path, "[0.25, -1, 2e3]").unwrap();
        let source = format!("@{}", path.display());
        let capture = read(&["--embedding", &source, "--kind", "DOCUMENT_PORTRAIT"]).unwrap();
        assert_eq!(capture.embedding, [0.25, -1.0, 2000.0]);
        assert_eq!(capture.kind(), CaptureKind::DocumentPortrait);
        for text in ["[0.25", "[\"s3cret\"]", "{}", "", "[[1]]"] {
            std::fs::write(&path, text).unwrap();
            let failure = read(&["--embedding", &source]).unwrap_err();
            assert!(!failure.message.contains("s3cret"), "{failure}");
        }
        assert!(read(&["--embedding", "e.json"]).is_err());
        assert!(read(&[]).is_err());
    }
}
