//! What can be wrong with a file of embeddings.

use std::fmt;

/// Everything that can go wrong in this crate. Each variant names the file (or the stream) and the reason.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file or stream.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not the `.npy` file that was expected.
    #[error("{file}: {fault}")]
    Npy {
        /// The file or stream.
        file: String,
        /// What is wrong with it.
        fault: NpyFault,
    },
    /// The files are readable but do not describe faces.
    #[error("{file}: {reason}")]
    Faces {
        /// The folder or data set.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The evaluation cannot answer what was asked.
    #[error("{0}")]
    Evaluation(String),
}

impl Error {
    /// The reason without the file's name, for callers that name the file their own way.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Io { source, .. } => source.to_string(),
            Self::Npy { fault, .. } => fault.to_string(),
            Self::Faces { reason, .. } | Self::Evaluation(reason) => reason.clone(),
        }
    }

    pub(crate) fn io(file: &str, source: std::io::Error) -> Self {
        Self::Io { file: file.to_owned(), source }
    }

    pub(crate) fn npy(file: &str, fault: NpyFault) -> Self {
        Self::Npy { file: file.to_owned(), fault }
    }
}

/// Why a `.npy` file (NEP 1) was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NpyFault {
    /// It does not begin with `\x93NUMPY`.
    NotNpy,
    /// A format version other than 1.0, 2.0 or 3.0.
    UnsupportedVersion(u8, u8),
    /// The header is longer than any header of a plain array.
    HeaderTooLong(u64),
    /// The header is not the dictionary it should be.
    MalformedHeader(String),
    /// Another element type than this reader takes.
    WrongElement {
        /// The type string in the file, for example `<f8`.
        found: String,
        /// What this reader takes.
        expected: &'static str,
    },
    /// Columns are stored one after the other; rows cannot be streamed.
    FortranOrder,
    /// Another number of dimensions than this reader takes.
    WrongShape {
        /// The shape in the file.
        found: Vec<u64>,
        /// How many dimensions were expected.
        expected: usize,
    },
    /// Rows of no values, or of more than [`crate::npy::MAX_DIMENSION`].
    BadDimension(u64),
    /// The header promises more bytes than there are.
    Truncated {
        /// Bytes of data the header promises.
        expected: u64,
        /// Bytes of data found.
        found: u64,
    },
    /// Data goes on after the last promised row.
    TrailingBytes,
}

impl fmt::Display for NpyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNpy => f.write_str("not an .npy file: it does not begin with \\x93NUMPY"),
            Self::UnsupportedVersion(major, minor) => {
                write!(f, ".npy format version {major}.{minor} is not supported (1.0, 2.0 and 3.0 are)")
            }
            Self::HeaderTooLong(length) => write!(
                f,
                "the .npy header claims {length} bytes; a plain array's has at most {}",
                crate::npy::MAX_HEADER
            ),
            Self::MalformedHeader(reason) => write!(f, "malformed .npy header: {reason}"),
            Self::WrongElement { found, expected } => write!(f, "element type {found}, expected {expected}"),
            Self::FortranOrder => f.write_str(
                "Fortran (column-major) order; save it with numpy.ascontiguousarray, rows must be contiguous",
            ),
            Self::WrongShape { found, expected } => {
                write!(f, "the array has {} dimension(s) {found:?}, expected {expected}", found.len())
            }
            Self::BadDimension(dimension) => {
                write!(f, "rows of {dimension} values; between 1 and {} are possible", crate::npy::MAX_DIMENSION)
            }
            Self::Truncated { expected, found } => {
                write!(f, "truncated: the header promises {expected} bytes of data, found {found}")
            }
            Self::TrailingBytes => f.write_str("there are bytes after the last row that the header promises"),
        }
    }
}
