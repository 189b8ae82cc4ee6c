//! Words of the field on the command line, and their codes in JSON.
//!
//! A value of the API is typed in lower case (`fraud_analyst`) and shown in JSON as the API spells it
//! (`FRAUD_ANALYST`); both are read, so that what was shown can be typed.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use lethe_proto::names::ModelProfileName;
use lethe_proto::v1::{
    AgeBand, BackupState, CaptureKind, ConsentGiver, ConsentManner, ConsentState, CredentialState, DecisionBand,
    DecisionReason, DisclosureScope, ErasureState, Jurisdiction, LawfulBasis, MirrorState, ModelVersion, ProposalState,
    Purpose, PurposeBasis, RestrictionGround, Role, RootStoreState, SubjectState, VerificationState,
};
use prost_types::Timestamp;

/// An enumeration of the API, whose values all begin with the same prefix.
pub(super) trait Coded: Copy + Send + Sync + 'static {
    /// What the full names begin with.
    const PREFIX: &'static str;

    /// The full name, such as `ROLE_AUDITOR`.
    fn full(self) -> &'static str;

    /// The value of a full name.
    fn of(full: &str) -> Option<Self>;

    /// The code, such as `AUDITOR`.
    fn code(self) -> &'static str {
        self.full().strip_prefix(Self::PREFIX).unwrap_or(self.full())
    }

    /// The words for it, such as `score above match`.
    fn words(self) -> String {
        self.code().to_lowercase().replace('_', " ")
    }

    /// The value of a code in any case.
    fn parse(code: &str) -> Result<Self, String> {
        Self::of(&format!("{}{}", Self::PREFIX, code.to_uppercase())).ok_or_else(|| format!("there is no {code}"))
    }
}

macro_rules! coded {
    ($( $name:ident: $prefix:literal ),+ $(,)?) => {
        $( impl Coded for $name {
            const PREFIX: &'static str = $prefix;

            fn full(self) -> &'static str {
                self.as_str_name()
            }

            fn of(full: &str) -> Option<Self> {
                Self::from_str_name(full)
            }
        } )+
    };
}

coded! {
    Purpose: "PURPOSE_",
    LawfulBasis: "LAWFUL_BASIS_",
    Role: "ROLE_",
    CaptureKind: "CAPTURE_KIND_",
    DecisionBand: "DECISION_BAND_",
    DecisionReason: "DECISION_REASON_",
    ErasureState: "ERASURE_STATE_",
    SubjectState: "SUBJECT_STATE_",
    CredentialState: "CREDENTIAL_STATE_",
    Jurisdiction: "JURISDICTION_",
    AgeBand: "AGE_BAND_",
    RestrictionGround: "RESTRICTION_GROUND_",
    ConsentManner: "CONSENT_MANNER_",
    ConsentGiver: "CONSENT_GIVER_",
    ConsentState: "CONSENT_STATE_",
    DisclosureScope: "DISCLOSURE_SCOPE_",
    ProposalState: "PROPOSAL_STATE_",
    BackupState: "BACKUP_STATE_",
    VerificationState: "VERIFICATION_STATE_",
    MirrorState: "MIRROR_STATE_",
    RootStoreState: "ROOT_STORE_STATE_",
}

const PURPOSES: [&str; 11] = [
    "authentication",
    "document_check",
    "duplicate_detection",
    "fraud_prevention",
    "kyc_sharing",
    "requester_identification",
    "legal_claims",
    "service_development",
    "administration",
    "data_subject_request",
    "audit",
];

const ROLES: [&str; 8] = [
    "enroller",
    "authenticator",
    "fraud_analyst",
    "reviewer",
    "privacy_officer",
    "exchange_agent",
    "tenant_admin",
    "auditor",
];

const JURISDICTIONS: [&str; 8] =
    ["european_union", "united_kingdom", "illinois", "texas", "washington", "california", "kazakhstan", "other"];

const AGES: [&str; 3] = ["under_16", "minor_from_16", "adult"];

const GROUNDS: [&str; 5] =
    ["accuracy_contested", "unlawful_processing", "needed_for_claim", "objection_pending", "other"];

const MANNERS: [&str; 3] = ["written", "electronic", "spoken"];

const GIVERS: [&str; 2] = ["subject", "guardian"];

const SCOPES: [&str; 6] = ["existence", "template_facts", "consents", "results", "log_entries", "client_records"];

const KINDS: [&str; 3] = ["selfie", "document_portrait", "authentication_capture"];

/// Reads a purpose.
pub(super) fn purpose() -> impl TypedValueParser<Value = Purpose> {
    one_of(&PURPOSES)
}

/// Reads a role that a tenant's credential may have.
pub(super) fn role() -> impl TypedValueParser<Value = Role> {
    one_of(&ROLES)
}

/// Reads what was captured.
pub(super) fn kind() -> impl TypedValueParser<Value = CaptureKind> {
    one_of(&KINDS)
}

/// Reads whose law counts.
pub(super) fn jurisdiction() -> impl TypedValueParser<Value = Jurisdiction> {
    one_of(&JURISDICTIONS)
}

/// Reads how old somebody is.
pub(super) fn age() -> impl TypedValueParser<Value = AgeBand> {
    one_of(&AGES)
}

/// Reads why processing is restricted.
pub(super) fn ground() -> impl TypedValueParser<Value = RestrictionGround> {
    one_of(&GROUNDS)
}

/// Reads how a consent was given.
pub(super) fn manner() -> impl TypedValueParser<Value = ConsentManner> {
    one_of(&MANNERS)
}

/// Reads who gave a consent.
pub(super) fn giver() -> impl TypedValueParser<Value = ConsentGiver> {
    one_of(&GIVERS)
}

/// Reads what may be told of a person.
pub(super) fn disclosure_scope() -> impl TypedValueParser<Value = DisclosureScope> {
    one_of(&SCOPES)
}

fn one_of<T: Coded>(words: &'static [&'static str]) -> impl TypedValueParser<Value = T> {
    let values = words.iter().map(|word| PossibleValue::new(*word));
    PossibleValuesParser::new(values).try_map(|word| T::parse(&word))
}

/// Reads `PURPOSE=BASIS`.
pub(super) fn purpose_basis(text: &str) -> Result<PurposeBasis, String> {
    let (purpose, basis) = text.split_once('=').ok_or("write PURPOSE=BASIS")?;
    Ok(PurposeBasis { purpose: Purpose::parse(purpose)?.into(), lawful_basis: LawfulBasis::parse(basis)?.into() })
}

/// A model and its version, `MODEL@VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelSpec {
    pub(super) id: String,
    pub(super) version: String,
}

impl FromStr for ModelSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, version) = text.split_once('@').ok_or("write MODEL@VERSION, such as edgeface-xs@1")?;
        // The name's grammar is the model's; the tenant stands for any.
        ModelProfileName::new("any", id, version)
            .map_err(|error| format!("the {} {}", error.part(), error.problem()))?;
        Ok(Self { id: id.to_owned(), version: version.to_owned() })
    }
}

impl fmt::Display for ModelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.version)
    }
}

impl From<ModelSpec> for ModelVersion {
    fn from(spec: ModelSpec) -> Self {
        Self { id: spec.id, version: spec.version }
    }
}

/// Reads a time: RFC 3339, or `now`.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(Timestamp::from(SystemTime::now()));
    }
    text.parse().map_err(|_| "write a time as 2026-01-31T12:00:00Z, or now".to_owned())
}

/// Reads a time to come: RFC 3339, or a number of days, hours or minutes from now (`90d`, `12h`, `5m`).
pub(super) fn time_to_come(text: &str) -> Result<Timestamp, String> {
    let seconds = |unit: char| match unit {
        'd' => Some(86_400),
        'h' => Some(3_600),
        'm' => Some(60),
        _ => None,
    };
    let span = text.char_indices().next_back().and_then(|(at, unit)| {
        let count: u64 = text.get(..at)?.parse().ok()?;
        count.checked_mul(seconds(unit)?)
    });
    match span {
        Some(span) => SystemTime::now()
            .checked_add(Duration::from_secs(span))
            .map(Timestamp::from)
            .ok_or_else(|| "is too far away".to_owned()),
        None => text.parse().map_err(|_| "write a time as 2026-01-31T12:00:00Z, or a span as 90d, 12h or 5m".into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_the_api_can_be_typed() {
        let listed = |words: &[&str], full: &dyn Fn(i32) -> Option<String>| {
            let known: Vec<_> = (1..64).filter_map(full).collect();
            assert_eq!(words, known.as_slice());
        };
        listed(&PURPOSES, &|n| Some(Purpose::try_from(n).ok()?.code().to_lowercase()));
        listed(&JURISDICTIONS, &|n| Some(Jurisdiction::try_from(n).ok()?.code().to_lowercase()));
        listed(&AGES, &|n| Some(AgeBand::try_from(n).ok()?.code().to_lowercase()));
        listed(&GROUNDS, &|n| Some(RestrictionGround::try_from(n).ok()?.code().to_lowercase()));
        listed(&MANNERS, &|n| Some(ConsentManner::try_from(n).ok()?.code().to_lowercase()));
        listed(&GIVERS, &|n| Some(ConsentGiver::try_from(n).ok()?.code().to_lowercase()));
        listed(&KINDS, &|n| Some(CaptureKind::try_from(n).ok()?.code().to_lowercase()));
        // A tenant's credential is never an operator's.
        let role = |n| Role::try_from(n).ok().filter(|role| *role != Role::Operator);
        listed(&ROLES, &|n| Some(role(n)?.code().to_lowercase()));
    }

    #[test]
    fn codes_are_read_in_any_case() {
        assert_eq!(Role::parse("FRAUD_ANALYST"), Ok(Role::FraudAnalyst));
        assert_eq!(Role::parse("fraud_analyst"), Ok(Role::FraudAnalyst));
        assert!(Role::parse("king").is_err());
        assert_eq!(DecisionBand::NoMatch.words(), "no match");
    }

    #[test]
    fn purposes_come_with_their_basis() {
        let read = purpose_basis("authentication=explicit_consent").unwrap();
        assert_eq!(read.purpose(), Purpose::Authentication);
        assert_eq!(read.lawful_basis(), LawfulBasis::ExplicitConsent);
        for text in ["authentication", "x=explicit_consent", "authentication=because"] {
            assert!(purpose_basis(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_model_is_an_id_and_a_version() {
        let spec: ModelSpec = "edgeface-xs@1.0".parse().unwrap();
        assert_eq!((spec.id.as_str(), spec.version.as_str()), ("edgeface-xs", "1.0"));
        assert_eq!(spec.to_string(), "edgeface-xs@1.0");
        for text in ["edgeface", "@1", "x@", "X@1", "a b@1", "a@b@c"] {
            assert!(text.parse::<ModelSpec>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_rfc_3339_or_spans() {
        assert_eq!(time("1970-01-02T00:00:00Z").unwrap().seconds, 86_400);
        assert!(time("yesterday").is_err());
        let now = time("now").unwrap().seconds;
        let soon = time_to_come("2h").unwrap().seconds - now;
        assert!((7200..7260).contains(&soon), "{soon}");
        assert_eq!(time_to_come("2100-01-01T00:00:00Z").unwrap().seconds, 4_102_444_800);
        for text in ["", "d", "-1d", "1w", "99999999999999999999d", "18446744073709551615d"] {
            assert!(time_to_come(text).is_err(), "{text}");
        }
    }
}
