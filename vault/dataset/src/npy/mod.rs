//! `.npy` files (NEP 1): matrices of embeddings and columns of labels, read row by row.
//!
//! A matrix is 2-D, C order, float16 or float32, one row an embedding; labels are 1-D, int32 or
//! int64. A matrix is never loaded whole unless [`read_matrix`] is asked to: a reader holds one
//! row. Every refusal names the file and the reason ([`crate::NpyFault`]).

mod header;
mod labels;
mod matrix;
mod writer;

pub use header::Element;
pub use labels::{read_labels, read_labels_from, write_labels};
pub use matrix::{Matrix, MatrixReader, read_matrix};
pub use writer::MatrixWriter;

/// The longest header text accepted, in bytes. numpy writes 118 for any plain array; the limit keeps
/// a hostile length field from allocating.
pub const MAX_HEADER: u64 = 1024;

/// The longest row accepted, in values.
pub const MAX_DIMENSION: u64 = 1 << 16;
