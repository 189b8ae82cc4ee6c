//! What Lethe is compared with. Each peer gets the same threads, the same data and its documented best
//! settings, and checks that it did the work.

mod bandwidth;
mod echo;
mod flat;
mod qdrant;
mod rows;

pub use bandwidth::Memory;
pub use echo::serve_echo;
pub use flat::{Faiss, Kind};
pub use qdrant::Qdrant;
pub use rows::{Rows, SealedRow};
