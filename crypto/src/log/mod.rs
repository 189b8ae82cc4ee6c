//! The append-only log: what happened stays provable to a stranger for ever, and leads back to nobody
//! who was forgotten (O29, O31).
//!
//! * [`merkle`]: the RFC 6962 tree over the entries, its inclusion and consistency proofs.
//! * [`note`] and [`checkpoint`]: the tree head, signed as C2SP `signed-note` and `tlog-checkpoint` say.
//! * [`entry`]: one line of canonical [`json`] per event; the subject appears as a pseudonym that only
//!   the holder of the subject's audit key can recompute.
//! * [`succession`]: how a log's key is followed to the one that signs today.
//! * [`receipt`]: the proof of an erasure, verifiable offline with the log's public key alone (O20).
//!
//! Nothing here performs I/O: the store supplies tree nodes through [`merkle::NodeSource`] and writes
//! what [`merkle::Frontier::append`] returns. The byte formats are described in `docs/FORMAT.md`.

pub mod checkpoint;
pub mod copy;
pub mod entry;
pub mod json;
pub mod merkle;
pub mod note;
pub mod receipt;
pub mod succession;
pub mod text;
