//! Looking for somebody in the files themselves, as who finds the disk would.

use std::fs;
use std::path::Path;

use crate::cli::exit::Failure;

/// Values of an embedding in a row that nobody else has.
const RUN: usize = 4;

/// What was looked through.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Looked {
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// How often one of the needles was found.
    pub(super) hits: u64,
}

/// What would give a person away: the applicant id, and the embedding, as received or normalised, in
/// either byte order.
pub(super) fn needles(id: &str, embedding: &[f32]) -> Vec<Vec<u8>> {
    let norm = embedding.iter().map(|value| value * value).sum::<f32>().sqrt();
    let run = embedding.get(..RUN).unwrap_or(embedding);
    let bytes = |value: &dyn Fn(f32) -> [u8; 4]| run.iter().flat_map(|part| value(*part)).collect();
    vec![
        id.as_bytes().to_vec(),
        bytes(&|part| part.to_le_bytes()),
        bytes(&|part| part.to_be_bytes()),
        bytes(&|part| (part / norm).to_le_bytes()),
        bytes(&|part| (part / norm).to_be_bytes()),
    ]
}

/// Looks through every file below a folder.
pub(super) fn look(folder: &Path, needles: &[Vec<u8>]) -> Result<Looked, Failure> {
    let mut looked = Looked::default();
    look_into(folder, needles, &mut looked)
        .map_err(|error| Failure::failed(format!("cannot look through {}: {error}", folder.display())))?;
    Ok(looked)
}

fn look_into(folder: &Path, needles: &[Vec<u8>], looked: &mut Looked) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            look_into(&entry.path(), needles, looked)?;
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
        looked.hits += needles.iter().filter(|needle| contains(&bytes, needle)).count() as u64;
    }
    Ok(())
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some((&first, _)) = needle.split_first() else { return false };
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| rest.iter().position(|byte| *byte == first)) {
        if bytes.get(from + at..).is_some_and(|rest| rest.starts_with(needle)) {
            return true;
        }
        from += at + 1;
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_is_there_is_found() {
        let embedding = [0.5_f32, -0.5, 0.5, 0.5, 0.0];
        let needles = needles("applicant-1", &embedding);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("clean"), "nobody is here").unwrap();
        assert_eq!(look(folder.path(), &needles).unwrap(), Looked { files: 1, bytes: 14, hits: 0 });

        let raw: Vec<u8> = embedding.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(folder.path().join("below/raw"), [b"xx".as_slice(), &raw].concat()).unwrap();
        // Of unit length: as received and normalised are the same.
        assert_eq!(look(folder.path(), &needles).unwrap().hits, 2);
        fs::write(folder.path().join("below/id"), "aapplicant-1").unwrap();
        assert_eq!(look(folder.path(), &needles).unwrap().hits, 3);
    }
}
