//! Writing matrices of embeddings, one row at a time.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use super::MAX_DIMENSION;
use super::header;
use crate::{Error, NpyFault};

/// Bytes of the header, padded so that the row count can be filled in when it is known and the data is aligned.
const HEADER: usize = 128;

/// Writes a 2-D little-endian float32 `.npy` file row by row.
///
/// The header says zero rows until [`MatrixWriter::finish`], so a file that was abandoned is refused
/// by its reader ([`NpyFault::TrailingBytes`]) instead of passing for a shorter one.
#[derive(Debug)]
pub struct MatrixWriter {
    file: String,
    writer: BufWriter<File>,
    dimension: usize,
    rows: u64,
    bytes: Vec<u8>,
}

impl MatrixWriter {
    /// Creates (or overwrites) the file, for rows of `dimension` values.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be created, [`NpyFault::BadDimension`] for an impossible dimension.
    pub fn create(path: impl AsRef<Path>, dimension: usize) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = path.display().to_string();
        if dimension == 0 || dimension as u64 > MAX_DIMENSION {
            return Err(Error::npy(&file, NpyFault::BadDimension(dimension as u64)));
        }
        let handle = File::create(path).map_err(|source| Error::io(&file, source))?;
        let writer = BufWriter::with_capacity(1 << 20, handle);
        let mut writer = Self { file, writer, dimension, rows: 0, bytes: Vec::new() };
        writer.write_header()?;
        Ok(writer)
    }

    /// Appends one row.
    ///
    /// # Errors
    /// [`NpyFault::BadDimension`] if it has another length, [`Error::Io`] if it cannot be written.
    pub fn push(&mut self, row: &[f32]) -> Result<(), Error> {
        if row.len() != self.dimension {
            return Err(Error::npy(&self.file, NpyFault::BadDimension(row.len() as u64)));
        }
        self.bytes.clear();
        self.bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        self.writer.write_all(&self.bytes).map_err(|source| Error::io(&self.file, source))?;
        self.rows += 1;
        Ok(())
    }

    /// Fills in the row count, flushes, and returns the count.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.writer.seek(SeekFrom::Start(0)).map_err(|source| Error::io(&self.file, source))?;
        self.write_header()?;
        self.writer.flush().map_err(|source| Error::io(&self.file, source))?;
        Ok(self.rows)
    }

    fn write_header(&mut self) -> Result<(), Error> {
        let shape = format!("({}, {})", self.rows, self.dimension);
        let header = header::compose("<f4", &shape, HEADER)
            .ok_or_else(|| Error::npy(&self.file, NpyFault::HeaderTooLong(HEADER as u64)))?;
        self.writer.write_all(&header).map_err(|source| Error::io(&self.file, source))
    }
}
