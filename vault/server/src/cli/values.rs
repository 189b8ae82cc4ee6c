//! Words of the field on the command line, and their codes in JSON.
//!
//! A value of the API is typed in lower case (`fraud_analyst`) and shown in JSON as the API spells it
//! (`FRAUD_ANALYST`); both are read, so that what was shown can be typed.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use lethe_proto::names::ModelProfileName;
use lethe_proto::v1::post_mortem::Wish;
use lethe_proto::v1::{
    AgeBand, AutomationGround, BackupState, BreachMeasure, BreachReason, CaptureKind, CaptureUse, CaseKind, CaseReason,
    CaseState, CaseStep, ConsentGiver, ConsentManner, ConsentState, CredentialState, Decider, DecisionBand,
    DecisionReason, DeferralReason, DisclosureScope, EndCause, EntryOutcome, Environment, ErasureState,
    ExtensionReason, Jurisdiction, Keeper, LawfulBasis, MirrorState, ModelVersion, NotificationOccasion,
    NotificationOutcome, PostMortem, ProposalState, Purpose, PurposeBasis, Requester, RequesterVerification,
    RestrictionGround, RightsRefusalReason, RightsRequestKind, RightsRequestOutcome, RightsRequestState, RiskLevel,
    Role, RootStoreState, Safeguard, SubjectState, UsagePeriod, VerificationState, WatchlistDecision,
    WatchlistEntryState, WatchlistKind,
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
    RiskLevel: "RISK_LEVEL_",
    Decider: "DECIDER_",
    AutomationGround: "AUTOMATION_GROUND_",
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
    Safeguard: "SAFEGUARD_",
    ProposalState: "PROPOSAL_STATE_",
    BackupState: "BACKUP_STATE_",
    VerificationState: "VERIFICATION_STATE_",
    MirrorState: "MIRROR_STATE_",
    RootStoreState: "ROOT_STORE_STATE_",
    DeferralReason: "DEFERRAL_REASON_",
    EndCause: "END_CAUSE_",
    Keeper: "KEEPER_",
    Environment: "ENVIRONMENT_",
    EntryOutcome: "ENTRY_OUTCOME_",
    BreachReason: "BREACH_REASON_",
    BreachMeasure: "BREACH_MEASURE_",
    UsagePeriod: "USAGE_PERIOD_",
    RightsRequestKind: "RIGHTS_REQUEST_KIND_",
    RightsRequestState: "RIGHTS_REQUEST_STATE_",
    RightsRequestOutcome: "RIGHTS_REQUEST_OUTCOME_",
    RightsRefusalReason: "RIGHTS_REFUSAL_REASON_",
    Requester: "REQUESTER_",
    RequesterVerification: "REQUESTER_VERIFICATION_",
    ExtensionReason: "EXTENSION_REASON_",
    NotificationOccasion: "NOTIFICATION_OCCASION_",
    NotificationOutcome: "NOTIFICATION_OUTCOME_",
    CaseKind: "CASE_KIND_",
    CaseState: "CASE_STATE_",
    CaseStep: "CASE_STEP_",
    CaseReason: "CASE_REASON_",
    WatchlistKind: "WATCHLIST_KIND_",
    WatchlistEntryState: "WATCHLIST_ENTRY_STATE_",
    WatchlistDecision: "WATCHLIST_DECISION_",
}

const CASE_KINDS: [&str; 3] = ["verification_unclear", "possible_duplicate", "decision_contested"];
const CASE_STATES: [&str; 5] = ["open", "escalated", "confirmed", "distinct", "contested"];
const CASE_ANSWERS: [&str; 3] = ["confirmed", "distinct", "escalated"];
const CASE_REASONS: [&str; 7] = [
    "images_compared",
    "document_checked",
    "person_heard",
    "client_records",
    "capture_poor",
    "evidence_conflicts",
    "reviewer_involved",
];
const WATCHLIST_KINDS: [&str; 2] = ["confirmed_fraud", "known_spoof"];
const WATCHLIST_DECISIONS: [&str; 2] = ["upheld", "rejected"];
const BASES: [&str; 6] = [
    "explicit_consent",
    "legal_obligation",
    "substantial_public_interest",
    "legal_claims",
    "contract",
    "legitimate_interests",
];
const NOTIFICATION_OUTCOMES: [&str; 3] = ["told", "impossible", "disproportionate"];
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

const GROUNDS: [&str; 6] =
    ["accuracy_contested", "unlawful_processing", "needed_for_claim", "objection_pending", "other", "client_reason"];

const DEFERRALS: [&str; 6] =
    ["legal_obligation", "legal_process", "legal_claims", "illegal_activity", "terms_violation", "physical_safety"];

const ENVIRONMENTS: [&str; 2] = ["production", "development"];

const MANNERS: [&str; 3] = ["written", "electronic", "spoken"];

const GIVERS: [&str; 2] = ["subject", "guardian"];

const OUTCOMES: [&str; 3] = ["allowed", "denied", "failed"];

const BREACH_REASONS: [&str; 7] = [
    "credential_leaked",
    "insider_misuse",
    "unauthorised_access",
    "misconfiguration",
    "medium_lost",
    "suspected",
    "exercise",
];

const BREACH_MEASURES: [&str; 10] = [
    "revoke_credentials",
    "rotate_keys",
    "restrict_processing",
    "erase_data",
    "replace_templates",
    "notify_authority",
    "notify_subjects",
    "notify_clients",
    "change_configuration",
    "investigate",
];

const PERIODS: [&str; 2] = ["day", "month"];

const SCOPES: [&str; 7] =
    ["existence", "template_facts", "consents", "results", "log_entries", "client_records", "facts"];

const SAFEGUARDS: [&str; 6] = [
    "adequacy_decision",
    "standard_contractual_clauses",
    "binding_corporate_rules",
    "explicit_consent",
    "legal_claims",
    "international_agreement",
];

const KINDS: [&str; 3] = ["selfie", "document_portrait", "authentication_capture"];

const REQUEST_KINDS: [&str; 9] = [
    "access",
    "portability",
    "rectification",
    "erasure",
    "restriction",
    "objection",
    "complaint",
    "consent_withdrawal",
    "decision_contest",
];

const REQUESTERS: [&str; 3] = ["subject", "agent", "guardian"];

const VERIFICATIONS: [&str; 6] = ["face", "account", "document", "mandate", "guardianship", "other"];

const EXTENSIONS: [&str; 2] = ["complexity", "number"];

const REQUEST_OUTCOMES: [&str; 3] = ["fulfilled", "partly", "refused"];

const REFUSALS: [&str; 17] = [
    "requester_not_verified",
    "agent_not_authorised",
    "insufficient_detail",
    "manifestly_unfounded",
    "excessive",
    "repetitive",
    "limit_reached",
    "nothing_held",
    "still_necessary",
    "legal_obligation",
    "legal_claims",
    "security_or_fraud",
    "rights_of_others",
    "electronic_communications",
    "compatible_use",
    "overriding_grounds",
    "decision_permitted",
];

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

/// Reads why an erasure is put off.
pub(super) fn deferral() -> impl TypedValueParser<Value = DeferralReason> {
    one_of(&DEFERRALS)
}

/// Reads what a tenant's people are.
pub(super) fn environment() -> impl TypedValueParser<Value = Environment> {
    one_of(&ENVIRONMENTS)
}

/// Reads how a consent was given.
pub(super) fn manner() -> impl TypedValueParser<Value = ConsentManner> {
    one_of(&MANNERS)
}

/// Reads who gave a consent.
pub(super) fn giver() -> impl TypedValueParser<Value = ConsentGiver> {
    one_of(&GIVERS)
}

/// Reads how an operation ended.
pub(super) fn outcome() -> impl TypedValueParser<Value = EntryOutcome> {
    one_of(&OUTCOMES)
}

/// Reads what is behind a breach.
pub(super) fn breach_reason() -> impl TypedValueParser<Value = BreachReason> {
    one_of(&BREACH_REASONS)
}

/// Reads what is planned because of a breach.
pub(super) fn breach_measure() -> impl TypedValueParser<Value = BreachMeasure> {
    one_of(&BREACH_MEASURES)
}

/// Reads what usage is counted by.
pub(super) fn usage_period() -> impl TypedValueParser<Value = UsagePeriod> {
    one_of(&PERIODS)
}

/// Reads what is asked for.
pub(super) fn request_kind() -> impl TypedValueParser<Value = RightsRequestKind> {
    one_of(&REQUEST_KINDS)
}

/// Reads who asks.
pub(super) fn requester() -> impl TypedValueParser<Value = Requester> {
    one_of(&REQUESTERS)
}

/// Reads how who asks was verified.
pub(super) fn verification() -> impl TypedValueParser<Value = RequesterVerification> {
    one_of(&VERIFICATIONS)
}

/// Reads why more time is taken.
pub(super) fn extension() -> impl TypedValueParser<Value = ExtensionReason> {
    one_of(&EXTENSIONS)
}

/// Reads what a request came to.
pub(super) fn request_outcome() -> impl TypedValueParser<Value = RightsRequestOutcome> {
    one_of(&REQUEST_OUTCOMES)
}

/// Reads what a watch list is of.
pub(super) fn watchlist_kind() -> impl TypedValueParser<Value = WatchlistKind> {
    one_of(&WATCHLIST_KINDS)
}

/// Reads what is decided on a contested entry.
pub(super) fn watchlist_decision() -> impl TypedValueParser<Value = WatchlistDecision> {
    one_of(&WATCHLIST_DECISIONS)
}

/// Reads a lawful basis.
pub(super) fn basis() -> impl TypedValueParser<Value = LawfulBasis> {
    one_of(&BASES)
}

/// Reads what came of a notification.
pub(super) fn notification_outcome() -> impl TypedValueParser<Value = NotificationOutcome> {
    one_of(&NOTIFICATION_OUTCOMES)
}

/// Reads what a case asks.
pub(super) fn case_kind() -> impl TypedValueParser<Value = CaseKind> {
    one_of(&CASE_KINDS)
}

/// Reads how a case stands.
pub(super) fn case_state() -> impl TypedValueParser<Value = CaseState> {
    one_of(&CASE_STATES)
}

/// Reads what is answered to a case.
pub(super) fn case_answer() -> impl TypedValueParser<Value = CaseStep> {
    one_of(&CASE_ANSWERS)
}

/// Reads on what that rests.
pub(super) fn case_reason() -> impl TypedValueParser<Value = CaseReason> {
    one_of(&CASE_REASONS)
}

/// Reads why a request is not fulfilled.
pub(super) fn refusal() -> impl TypedValueParser<Value = RightsRefusalReason> {
    one_of(&REFUSALS)
}

/// Reads what may be told of a person.
pub(super) fn disclosure_scope() -> impl TypedValueParser<Value = DisclosureScope> {
    one_of(&SCOPES)
}

/// Reads a safeguard.
pub(super) fn safeguard() -> impl TypedValueParser<Value = Safeguard> {
    one_of(&SAFEGUARDS)
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

/// What was said; `None` takes back what was said before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said<T>(pub(super) Option<T>);

/// Reads a purpose and the ground to automate its decisions, or `none`.
pub(super) fn automation_or_none(text: &str) -> Result<Said<(Purpose, AutomationGround)>, String> {
    if text == "none" {
        return Ok(Said(None));
    }
    let (purpose, ground) = text.split_once('=').ok_or("write PURPOSE=GROUND, or none")?;
    Ok(Said(Some((Purpose::parse(purpose)?, AutomationGround::parse(ground)?))))
}

/// What needs no attestation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exemption {
    /// This.
    Of(CaptureUse),
    /// Everything.
    All,
    /// Nothing.
    None,
    /// What does not where nothing is said.
    Default,
}

impl Exemption {
    /// All there are.
    pub(super) const USES: [CaptureUse; 4] =
        [CaptureUse::Enrollment, CaptureUse::Verification, CaptureUse::Identification, CaptureUse::Watchlist];

    fn word(usage: CaptureUse) -> String {
        usage.as_str_name().trim_start_matches("CAPTURE_USE_").to_lowercase()
    }
}

/// Reads what needs no attestation.
pub(super) fn exemption(text: &str) -> Result<Exemption, String> {
    match text {
        "all" => Ok(Exemption::All),
        "none" => Ok(Exemption::None),
        "default" => Ok(Exemption::Default),
        word => {
            let known = Exemption::USES.into_iter().find(|usage| Exemption::word(*usage) == word);
            let names = Exemption::USES.map(Exemption::word).join(", ");
            known.map(Exemption::Of).ok_or_else(|| format!("write {names}, all, none or default"))
        }
    }
}

/// Reads a span of time in whole seconds, such as 90s, 10m or 24h.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || "write a span such as 90s, 10m or 24h".to_owned();
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

/// Reads a time, or `none`.
pub(super) fn time_or_none(text: &str) -> Result<Said<Timestamp>, String> {
    if text == "none" { Ok(Said(None)) } else { Ok(Said(Some(time(text)?))) }
}

/// Reads a country's code, which the server checks, or `none`.
pub(super) fn country_or_none(text: &str) -> Result<Said<String>, String> {
    match text {
        "none" => Ok(Said(None)),
        code if !code.is_empty() => Ok(Said(Some(code.to_owned()))),
        _ => Err("write a country's code, such as DE, or none".to_owned()),
    }
}

/// Reads a period, which the server checks, or `none`.
pub(super) fn period_or_none(text: &str) -> Result<Said<String>, String> {
    match text {
        "none" => Ok(Said(None)),
        period if period.starts_with('P') => Ok(Said(Some(period.to_owned()))),
        _ => Err("write a period as P3Y, P18M or P90D, or none".to_owned()),
    }
}

/// Reads what a person wants when it is dead, or `none`.
pub(super) fn post_mortem(text: &str) -> Result<Said<PostMortem>, String> {
    let wish = match text.split_once(':') {
        None if text == "none" => return Ok(Said(None)),
        None if text == "erase" => Wish::Erase(true),
        Some(("keep", period)) => Wish::Keep(period.to_owned()),
        Some(("hand_over", trustee)) => Wish::HandOver(trustee.to_owned()),
        _ => return Err("write erase, keep:PERIOD, hand_over:REFERENCE or none".to_owned()),
    };
    Ok(Said(Some(PostMortem { wish: Some(wish) })))
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
        listed(&DEFERRALS, &|n| Some(DeferralReason::try_from(n).ok()?.code().to_lowercase()));
        listed(&ENVIRONMENTS, &|n| Some(Environment::try_from(n).ok()?.code().to_lowercase()));
        listed(&MANNERS, &|n| Some(ConsentManner::try_from(n).ok()?.code().to_lowercase()));
        listed(&GIVERS, &|n| Some(ConsentGiver::try_from(n).ok()?.code().to_lowercase()));
        listed(&REQUEST_KINDS, &|n| Some(RightsRequestKind::try_from(n).ok()?.code().to_lowercase()));
        listed(&REQUESTERS, &|n| Some(Requester::try_from(n).ok()?.code().to_lowercase()));
        listed(&VERIFICATIONS, &|n| Some(RequesterVerification::try_from(n).ok()?.code().to_lowercase()));
        listed(&EXTENSIONS, &|n| Some(ExtensionReason::try_from(n).ok()?.code().to_lowercase()));
        listed(&REQUEST_OUTCOMES, &|n| Some(RightsRequestOutcome::try_from(n).ok()?.code().to_lowercase()));
        listed(&NOTIFICATION_OUTCOMES, &|n| Some(NotificationOutcome::try_from(n).ok()?.code().to_lowercase()));
        listed(&CASE_KINDS, &|n| Some(CaseKind::try_from(n).ok()?.code().to_lowercase()));
        listed(&CASE_STATES, &|n| Some(CaseState::try_from(n).ok()?.code().to_lowercase()));
        // Contesting is no answer, and no answer rests on it.
        let answer = |n| CaseStep::try_from(n).ok().filter(|step| *step != CaseStep::Contested);
        listed(&CASE_ANSWERS, &|n| Some(answer(n)?.code().to_lowercase()));
        let reason = |n| CaseReason::try_from(n).ok().filter(|reason| *reason != CaseReason::PersonContests);
        listed(&CASE_REASONS, &|n| Some(reason(n)?.code().to_lowercase()));
        listed(&WATCHLIST_KINDS, &|n| Some(WatchlistKind::try_from(n).ok()?.code().to_lowercase()));
        listed(&WATCHLIST_DECISIONS, &|n| Some(WatchlistDecision::try_from(n).ok()?.code().to_lowercase()));
        listed(&BASES, &|n| Some(LawfulBasis::try_from(n).ok()?.code().to_lowercase()));
        listed(&REFUSALS, &|n| Some(RightsRefusalReason::try_from(n).ok()?.code().to_lowercase()));
        listed(&SAFEGUARDS, &|n| Some(Safeguard::try_from(n).ok()?.code().to_lowercase()));
        listed(&KINDS, &|n| Some(CaptureKind::try_from(n).ok()?.code().to_lowercase()));
        listed(&OUTCOMES, &|n| Some(EntryOutcome::try_from(n).ok()?.code().to_lowercase()));
        listed(&BREACH_REASONS, &|n| Some(BreachReason::try_from(n).ok()?.code().to_lowercase()));
        listed(&BREACH_MEASURES, &|n| Some(BreachMeasure::try_from(n).ok()?.code().to_lowercase()));
        listed(&PERIODS, &|n| Some(UsagePeriod::try_from(n).ok()?.code().to_lowercase()));
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
    fn purposes_are_automated_on_a_ground() {
        let read = automation_or_none("authentication=explicit_consent").unwrap();
        assert_eq!(read, Said(Some((Purpose::Authentication, AutomationGround::ExplicitConsent))));
        assert_eq!(automation_or_none("none").unwrap(), Said(None));
        for text in ["authentication", "authentication=because", "x=law", "none=law"] {
            assert!(automation_or_none(text).is_err(), "{text}");
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
