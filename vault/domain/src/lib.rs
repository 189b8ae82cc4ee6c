//! The types of the field. Everything that enters the vault is parsed into one of these; a value of
//! one of these types is valid by construction.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod decision;
mod id;
mod invalid;
mod model;
mod personal;
mod purpose;
mod reason;
mod role;
mod template;
mod time;

pub use decision::{Band, DecisionReason};
pub use id::{CredentialId, ReceiptId, RequestId, SubjectId, TemplateId, TenantId};
pub use invalid::Invalid;
pub use model::{ModelId, ModelProfile, Sketching, Thresholds};
pub use purpose::{LawfulBasis, Purpose, PurposeBasis};
pub use reason::Reason;
pub use role::{Role, Roles};
pub use template::{CaptureKind, Embedding, Plain, Quality, Sealed, Template, TemplateFacts};
pub use time::Timestamp;
