//! The types of the field. Everything that enters the vault is parsed into one of these; a value of
//! one of these types is valid by construction.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod attestation;
mod automation;
mod case;
mod codes;
mod consent;
mod country;
mod decision;
mod disclosure;
mod dossier;
mod evidence;
mod id;
mod invalid;
mod jurisdiction;
mod label;
mod liveness;
mod login;
mod model;
mod notification;
mod period;
mod personal;
mod proposal;
mod purpose;
mod reason;
mod region;
mod request;
mod retention;
mod role;
mod template;
mod tenant_policy;
mod time;
mod transfer;
mod watchlist;

pub use attestation::{AttestationPolicy, CaptureUse};
pub use automation::{Automation, AutomationGround, Decider};
pub use case::{Case, CaseDecision, CaseKind, CaseReason, CaseState, CaseStep, Question, Seen};
pub use consent::{Consent, ConsentState, Giver, Manner, Notice};
pub use country::Country;
pub use decision::{Band, DecisionReason, Risk};
pub use disclosure::{Disclosure, Ground, Told};
pub use dossier::{Dossier, Hold, Objection, Restriction, RestrictionGround, SubjectState};
pub use evidence::Evidence;
pub use id::{
    CaseId, ConsentId, CredentialId, DisclosureId, HoldId, NotificationId, ProposalId, ReceiptId, RequestId,
    RightsRequestId, SubjectId, TemplateId, TenantId, WatchlistEntryId,
};
pub use invalid::Invalid;
pub use jurisdiction::{AgeBand, Jurisdiction};
pub use label::Label;
pub use liveness::{Liveness, PadLevel};
pub use login::Login;
pub use model::{ModelId, ModelProfile, Sketching, Thresholds};
pub use notification::{Notification, NotificationOutcome, Occasion};
pub use period::Period;
pub use proposal::{Act, Proposal, Standing, Vote};
pub use purpose::{LawfulBasis, Purpose, PurposeBasis};
pub use reason::Reason;
pub use region::{Environment, Region};
pub use request::{
    Closure, Extension, ExtensionReason, RefusalReason, RequestKind, RequestOutcome, RequestState, Requester,
    RightsRequest, Verification,
};
pub use retention::{Deferral, DeferralReason, PostMortem, Retention};
pub use role::{Role, Roles};
pub use template::{CaptureKind, Embedding, Plain, Quality, Sealed, Template, TemplateFacts};
pub use tenant_policy::TenantPolicy;
pub use time::Timestamp;
pub use transfer::{Safeguard, SafeguardKind, Transfer};
pub use watchlist::{Contest, EntryState, Upheld, Watchlist, WatchlistEntry, WatchlistId, WatchlistKind};
