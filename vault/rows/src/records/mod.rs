//! What is inside sealed rows: plaintexts, with their codecs. `docs/FORMAT.md` gives every byte.
//!
//! Rows that exist once a tenant, a credential or a profile are JSON; rows that exist once a subject or
//! a template are fixed binary, so that their lengths tell nothing, or JSON that is padded.

mod binary;
mod case;
mod dossier;
mod json;
mod notification;
mod proposal;
mod rights;
mod signing_key;
mod transfer;
mod watchlist;

pub use binary::{SubjectRecord, TemplateRecord};
pub use case::StoredCase;
pub use dossier::DossierRecord;
pub use json::{
    CommittedErasure, CredentialProof, CredentialRecord, CredentialRef, IntentRecord, ProfileRecord, ReceiptRecord,
    Remembered, ShreddedRecord, TenantRecord, decode, encode,
};
pub use notification::NotificationRecord;
pub use proposal::{Addressee, Content, Delivery, DisclosureRecord, Leaving, StoredProposal};
pub use rights::{AskedRecord, EvidenceRecord, RequestRecord};
pub use signing_key::SigningKeyRecord;
pub use transfer::TransferRecord;
pub use watchlist::{ListedRecord, WatchlistEntryRecord, WatchlistRecord};
