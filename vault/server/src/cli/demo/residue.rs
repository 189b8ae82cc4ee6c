//! Looking for somebody in the files themselves, as who finds the disk would.

use std::fs;
use std::path::Path;

use crate::cli::exit::Failure;

/// Values in a row that nobody else has: of 32-bit floats, 16 bytes.
const RUN: usize = 4;

/// How far a value may be from the one looked for: as received or normalised, it is the same face.
const NEAR: f32 = 1e-4;

/// What would give a person away.
pub(super) struct Traces {
    /// The applicant id.
    id: Vec<u8>,
    /// The first values of the embedding.
    run: [f32; RUN],
}

/// What was looked through.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Looked {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Files with the applicant id in them, and files with the embedding.
    pub(super) hits: u64,
}

impl Traces {
    pub(super) fn of(id: &str, embedding: &[f32]) -> Result<Self, Failure> {
        let run = embedding.first_chunk().copied();
        let run = run.ok_or_else(|| Failure::failed("an embedding has too few values"))?;
        Ok(Self { id: id.as_bytes().to_vec(), run })
    }

    /// Looks through every file below a folder.
    pub(super) fn look(&self, folder: &Path) -> Result<Looked, Failure> {
        let mut looked = Looked::default();
        self.look_into(folder, &mut looked)
            .map_err(|error| Failure::failed(format!("cannot look through {}: {error}", folder.display())))?;
        Ok(looked)
    }

    fn look_into(&self, folder: &Path, looked: &mut Looked) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.look_into(&entry.path(), looked)?;
                continue;
            }
            let bytes = match fs::read(entry.path()) {
                Ok(bytes) => bytes,
                // The database at work may drop a file meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            looked.files += 1;
            looked.bytes += bytes.len() as u64;
            looked.hits += u64::from(self.names(&bytes)) + u64::from(self.shows(&bytes));
        }
        Ok(())
    }

    /// Whether the applicant id stands there.
    fn names(&self, bytes: &[u8]) -> bool {
        bytes.windows(self.id.len().max(1)).any(|window| window == self.id)
    }

    /// Whether the embedding's first values stand there, in either byte order, at any place.
    fn shows(&self, bytes: &[u8]) -> bool {
        let run = |window: &[u8], read: fn([u8; 4]) -> f32| {
            let (values, _) = window.as_chunks::<4>();
            values.iter().zip(&self.run).all(|(found, wanted)| (read(*found) - wanted).abs() < NEAR)
        };
        bytes.windows(4 * RUN).any(|window| run(window, f32::from_le_bytes) || run(window, f32::from_be_bytes))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_is_there_is_found() {
        let embedding = [0.31_f32, -0.42, 0.57, 0.13, 0.6211];
        let traces = Traces::of("applicant-1", &embedding).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
        let hits = || traces.look(folder.path()).unwrap().hits;
        write("clean", b"nobody is here".to_vec());
        assert_eq!(traces.look(folder.path()).unwrap(), Looked { files: 1, bytes: 14, hits: 0 });

        fs::create_dir(folder.path().join("below")).unwrap();
        write("below/id", b"aapplicant-1".to_vec());
        assert_eq!(hits(), 1);
        let received = embedding.iter().flat_map(|value| value.to_le_bytes());
        write("below/received", [b'x'].into_iter().chain(received).collect());
        assert_eq!(hits(), 2);
        let norm = embedding.iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((norm - 1.0).abs() > 1e-6);
        write("normalised", embedding.iter().flat_map(|value| (value / norm).to_be_bytes()).collect());
        assert_eq!(hits(), 3);
    }
}
