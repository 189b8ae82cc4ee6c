//! Columns of integers: who is on which image.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use super::header::{self, Element};
use crate::{Error, NpyFault};

/// Reads a 1-D int32 or int64 file.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Npy`] if it is anything but a whole column of integers.
pub fn read_labels(path: impl AsRef<Path>) -> Result<Vec<i64>, Error> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let file = File::open(path).map_err(|source| Error::io(&name, source))?;
    read_labels_from(name, BufReader::new(file))
}

/// Reads a 1-D int32 or int64 array from any stream, which `name` stands for in errors.
///
/// # Errors
/// As [`read_labels`].
pub fn read_labels_from(name: impl Into<String>, mut reader: impl Read) -> Result<Vec<i64>, Error> {
    let file = name.into();
    let accepted = [Element::Int32, Element::Int64];
    let header = header::read(&file, &mut reader, &accepted, "int32 or int64", 1)?;
    let expected = header
        .data_bytes()
        .ok_or_else(|| Error::npy(&file, NpyFault::MalformedHeader("the shape does not fit 64 bits".into())))?;
    // `take` bounds the memory by what the stream really holds, not by what its header claims.
    let mut bytes = Vec::new();
    reader
        .by_ref()
        .take(expected.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| Error::io(&file, source))?;
    let found = bytes.len() as u64;
    match found.cmp(&expected) {
        std::cmp::Ordering::Less => {
            return Err(Error::npy(&file, NpyFault::Truncated { expected, found }));
        }
        std::cmp::Ordering::Greater => return Err(Error::npy(&file, NpyFault::TrailingBytes)),
        std::cmp::Ordering::Equal => {}
    }
    let big = header.big_endian;
    Ok(match header.element {
        Element::Int64 => {
            let from = if big { i64::from_be_bytes } else { i64::from_le_bytes };
            bytes.as_chunks::<8>().0.iter().map(|chunk| from(*chunk)).collect()
        }
        Element::Int32 | Element::Float16 | Element::Float32 => {
            let from = if big { i32::from_be_bytes } else { i32::from_le_bytes };
            bytes.as_chunks::<4>().0.iter().map(|chunk| i64::from(from(*chunk))).collect()
        }
    })
}

/// Writes labels as a 1-D little-endian int32 file.
///
/// # Errors
/// [`Error::Io`] if it cannot be written.
pub fn write_labels(path: impl AsRef<Path>, labels: &[i32]) -> Result<(), Error> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let file = File::create(path).map_err(|source| Error::io(&name, source))?;
    let header = header::compose("<i4", &format!("({},)", labels.len()), 128)
        .ok_or_else(|| Error::npy(&name, NpyFault::HeaderTooLong(128)))?;
    let mut writer = BufWriter::new(file);
    let mut write = || -> std::io::Result<()> {
        writer.write_all(&header)?;
        for label in labels {
            writer.write_all(&label.to_le_bytes())?;
        }
        writer.flush()
    };
    write().map_err(|source| Error::io(&name, source))
}
