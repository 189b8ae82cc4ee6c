//! Matrices of embeddings, one row at a time.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use half::f16;

use super::MAX_DIMENSION;
use super::header::{self, Element, Header};
use crate::{Error, NpyFault};

/// Reads a 2-D float16 or float32 `.npy` row by row; memory is one row, whatever the file's size.
#[derive(Debug)]
pub struct MatrixReader<R> {
    file: String,
    reader: R,
    header: Header,
    rows: u64,
    dimension: usize,
    next: u64,
    failed: bool,
    row: Vec<u8>,
}

impl MatrixReader<BufReader<File>> {
    /// Opens a file and compares its length with what its header promises.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Npy`] if it is anything but a whole 2-D C-order
    /// float16 or float32 array.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| Error::io(&name, source))?;
        let length = file.metadata().map_err(|source| Error::io(&name, source))?;
        let mut reader = Self::from_reader(name, BufReader::with_capacity(1 << 20, file))?;
        if length.is_file() {
            reader.check_length(length.len())?;
        }
        Ok(reader)
    }

    fn check_length(&mut self, length: u64) -> Result<(), Error> {
        use std::io::Seek;
        let start = self.reader.stream_position().map_err(|source| Error::io(&self.file, source))?;
        let found = length.saturating_sub(start);
        let expected = self.rows.saturating_mul(self.row.len() as u64);
        match found.cmp(&expected) {
            std::cmp::Ordering::Less => Err(self.fault(NpyFault::Truncated { expected, found })),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(self.fault(NpyFault::TrailingBytes)),
        }
    }
}

impl<R: Read> MatrixReader<R> {
    /// Reads from any stream, which `name` stands for in errors. Give it a buffered one.
    ///
    /// # Errors
    /// As [`MatrixReader::open`], except that missing rows are found only when they are read.
    pub fn from_reader(name: impl Into<String>, mut reader: R) -> Result<Self, Error> {
        let file = name.into();
        let accepted = [Element::Float16, Element::Float32];
        let header = header::read(&file, &mut reader, &accepted, "float16 or float32", 2)?;
        let &[rows, columns] = header.shape.as_slice() else {
            return Err(Error::npy(&file, NpyFault::WrongShape { found: header.shape, expected: 2 }));
        };
        if columns == 0 || columns > MAX_DIMENSION {
            return Err(Error::npy(&file, NpyFault::BadDimension(columns)));
        }
        let dimension = columns as usize;
        let row = vec![0; dimension * header.element.size()];
        Ok(Self { file, reader, header, rows, dimension, next: 0, failed: false, row })
    }

    /// Rows that the header promises.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Values of one row.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The type of the stored values.
    #[must_use]
    pub fn element(&self) -> Element {
        self.header.element
    }

    /// Reads the next row into `out`, as it stands in the file: not normalised, not checked for
    /// infinities. `false` when there are no more.
    ///
    /// # Errors
    /// [`NpyFault::Truncated`] if the stream ends inside the data, [`NpyFault::TrailingBytes`] if it
    /// goes on after the last row, [`NpyFault::BadDimension`] if `out` has another length.
    pub fn read_row(&mut self, out: &mut [f32]) -> Result<bool, Error> {
        if out.len() != self.dimension {
            return Err(self.fault(NpyFault::BadDimension(out.len() as u64)));
        }
        if self.next == self.rows {
            return self.end();
        }
        self.fill_row()?;
        self.next += 1;
        decode(self.header.element, self.header.big_endian, &self.row, out);
        Ok(true)
    }

    /// Replaces `out` by up to `limit` further rows, and tells how many; 0 at the end.
    ///
    /// # Errors
    /// As [`MatrixReader::read_row`].
    pub fn read_rows(&mut self, limit: usize, out: &mut Vec<f32>) -> Result<usize, Error> {
        out.clear();
        let mut row = vec![0.0; self.dimension];
        let mut count = 0;
        while count < limit && self.read_row(&mut row)? {
            out.extend_from_slice(&row);
            count += 1;
        }
        Ok(count)
    }

    fn fill_row(&mut self) -> Result<(), Error> {
        let mut filled = 0;
        while let Some(rest) = self.row.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => {
                    let row = self.row.len() as u64;
                    return Err(self.fault(NpyFault::Truncated {
                        expected: self.rows.saturating_mul(row),
                        found: self.next.saturating_mul(row).saturating_add(filled as u64),
                    }));
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::io(&self.file, source)),
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<bool, Error> {
        let mut rest = Vec::new();
        let count = self.reader.by_ref().take(1).read_to_end(&mut rest);
        match count {
            Ok(0) => Ok(false),
            Ok(_) => Err(self.fault(NpyFault::TrailingBytes)),
            Err(source) => Err(Error::io(&self.file, source)),
        }
    }

    fn fault(&self, fault: NpyFault) -> Error {
        Error::npy(&self.file, fault)
    }
}

impl<R: Read> Iterator for MatrixReader<R> {
    type Item = Result<Vec<f32>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // One report is enough: what follows a damaged row cannot be read either.
        if self.failed {
            return None;
        }
        let mut row = vec![0.0; self.dimension];
        match self.read_row(&mut row) {
            Ok(true) => Some(Ok(row)),
            Ok(false) => None,
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

/// A whole matrix in memory, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Values of one row.
    pub dimension: usize,
    /// `rows × dimension` values.
    pub values: Vec<f32>,
}

impl Matrix {
    /// Row `index`.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.dimension..(index + 1) * self.dimension]
    }
}

/// Reads a whole file into memory.
///
/// # Errors
/// As [`MatrixReader::open`].
pub fn read_matrix(path: impl AsRef<Path>) -> Result<Matrix, Error> {
    let mut reader = MatrixReader::open(path)?;
    let dimension = reader.dimension();
    let mut values = Vec::new();
    let mut row = vec![0.0; dimension];
    while reader.read_row(&mut row)? {
        values.extend_from_slice(&row);
    }
    Ok(Matrix { rows: values.len() / dimension, dimension, values })
}

fn decode(element: Element, big_endian: bool, bytes: &[u8], out: &mut [f32]) {
    match element {
        Element::Float16 => {
            let from = if big_endian { f16::from_be_bytes } else { f16::from_le_bytes };
            for (value, chunk) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *value = from(*chunk).to_f32();
            }
        }
        Element::Float32 => {
            let from = if big_endian { f32::from_be_bytes } else { f32::from_le_bytes };
            for (value, chunk) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *value = from(*chunk);
            }
        }
        // The header was accepted for floats only.
        Element::Int32 | Element::Int64 => {}
    }
}
