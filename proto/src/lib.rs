//! The wire contract of Lethe: the messages and services of package `lethe.v1`, generated from
//! `lethe/v1/*.proto`, with resource names and error reasons.
//!
//! Generated types stop at the gRPC adapters and clients; nothing else in Lethe depends on them.
//! Requests carry applicant ids and embeddings: never log a message, not even with `Debug`.

#![forbid(unsafe_code)]

mod method;
pub mod names;
mod reason;
mod redact;

pub use method::{Method, methods};
pub use reason::ERROR_DOMAIN;

/// Messages, clients and servers of package `lethe.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    reason = "generated; the .proto files are linted by buf instead"
)]
pub mod v1 {
    tonic::include_proto!("lethe.v1");
}

/// The package's `google.protobuf.FileDescriptorSet`, comments included, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
