use lethe_domain::CaptureUse;
use lethe_domain::Purpose::{
    self, Administration, Audit, Authentication, DataSubjectRequest, DocumentCheck, DuplicateDetection,
    FraudPrevention, LegalClaims, RequesterIdentification, ServiceDevelopment,
};
use lethe_domain::Role::{self, Auditor, Enroller, FraudAnalyst, Operator, PrivacyOfficer, Reviewer, TenantAdmin};

/// Everything a caller can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is documented by its marker in `operation`")]
pub enum Operation {
    CreateTenant,
    GetTenant,
    UpdateTenantPolicy,
    OffboardTenant,
    ExportSilo,
    ConfirmHandover,
    ShredTenant,
    RotateKeys,
    CreateCredential,
    ListCredentials,
    RevokeCredential,
    AppointAdministrator,
    CreateSigningKey,
    ListSigningKeys,
    RevokeSigningKey,
    CreateOperator,
    ListOperators,
    RevokeOperator,
    CreateModelProfile,
    GetModelProfile,
    ListModelProfiles,
    UpdateModelProfile,
    Enroll,
    ReplaceTemplate,
    DeleteTemplate,
    ListTemplates,
    Verify,
    Search,
    SweepDuplicates,
    CreateWatchlist,
    DeleteWatchlist,
    ListWatchlists,
    AddWatchlistEntry,
    GetWatchlistEntry,
    ListWatchlistEntries,
    ContestWatchlistEntry,
    DecideWatchlistEntry,
    RemoveWatchlistEntry,
    GetSubject,
    UpdateSubject,
    RestrictSubject,
    LiftRestriction,
    ObjectSubject,
    LiftObjection,
    EraseSubject,
    PreviewErasures,
    ExportSubject,
    RecordConsent,
    WithdrawConsent,
    ListConsents,
    ExportConsents,
    GetEvidence,
    PlaceHold,
    RenewHold,
    ReleaseHold,
    ListHolds,
    OpenRequest,
    ExtendRequest,
    CloseRequest,
    GetRequest,
    ListRequests,
    CountRequests,
    ProposeDisclosure,
    ListDisclosures,
    GetNotification,
    ListNotifications,
    CloseNotification,
    CreatePairCase,
    CreateContestedCase,
    GetCase,
    ListCases,
    DecideCase,
    ContestCase,
    GetProposal,
    ListProposals,
    ApproveProposal,
    RejectProposal,
    GetVaultProposal,
    ListVaultProposals,
    ApproveVaultProposal,
    RejectVaultProposal,
    ProposeKeyRotation,
    ProposeVaultKeyRotation,
    ListKeySuccessions,
    GetReceipt,
    GetVaultReceipt,
    GetCheckpoint,
    GetInclusionProof,
    GetVaultInclusionProof,
    GetConsistencyProof,
    ListEntries,
    ListSubjectEntries,
    ListVaultEntries,
    WatchEntries,
    WatchVaultEntries,
    ReportBreach,
    ReportVaultBreach,
    CountUsage,
    CountVaultUsage,
    CreateBackup,
    ListBackups,
    GetBackup,
    VerifyBackup,
    PruneBackups,
    ListMirrors,
    GetRootStatus,
}

/// Whose credentials an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The vault's only.
    Vault,
    /// The named tenant's only (O4).
    Tenant,
    /// The named tenant's, and the vault's where the roles have `operator`.
    Either,
}

/// What an operation does to a person's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It concerns nobody's data.
    None,
    /// It takes in or compares templates: all of the policy applies.
    Processes,
    /// It destroys: a hold stands in its way (O42).
    Destroys,
    /// It tells what is held, and never a template.
    Looks,
    /// It records a right that is exercised, or a fact.
    Records,
    /// It gives out what is held, templates too, sealed to whom they are of: a right that nothing stands in the way of (O25).
    HandsOver,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The operation.
    pub operation: Operation,
    /// Its name in the log: service and method.
    pub name: &'static str,
    /// What it does to a person's data.
    pub effect: Effect,
    /// Whose credentials.
    pub scope: Scope,
    /// Any of these roles will do (O31).
    pub roles: &'static [Role],
    /// The purposes it may serve (O2).
    pub purposes: &'static [Purpose],
    /// What it takes a capture for, if it takes one (O6).
    pub takes: Option<CaptureUse>,
}

const ENROLLING: &[Purpose] = &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, ServiceDevelopment];
const SEARCHING: &[Purpose] = &[DuplicateDetection, FraudPrevention, ServiceDevelopment];
const PAIRING: &[Purpose] = &[DuplicateDetection, FraudPrevention];
const REVIEWING: &[Purpose] = &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest];
const RECTIFYING: &[Purpose] =
    &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest];
const LOOKING: &[Purpose] =
    &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest, LegalClaims];
const RECORDING: &[Purpose] = &[Administration, DataSubjectRequest];
const EXERCISING: &[Purpose] = &[DataSubjectRequest, LegalClaims];
const PREVIEWING: &[Purpose] = &[Administration, DataSubjectRequest];
const HOLDING: &[Purpose] = &[LegalClaims];
const DECIDING: &[Purpose] = &[Administration, DataSubjectRequest];
const ADMINISTERING: &[Purpose] = &[Administration];
const ANSWERING: &[Purpose] = &[DataSubjectRequest];
const ACCOUNTING: &[Purpose] = &[DataSubjectRequest, Audit];
const AUDITING: &[Purpose] = &[Audit, DataSubjectRequest, LegalClaims];
const COUNTING: &[Purpose] = &[Administration, Audit];
const WATCHING: &[Purpose] = &[FraudPrevention];
const SEEING: &[Purpose] = &[FraudPrevention, DataSubjectRequest, Audit];
const UNLISTING: &[Purpose] = &[FraudPrevention, DataSubjectRequest];
const READING_WATCHLISTS: &[Role] = &[FraudAnalyst, PrivacyOfficer, Reviewer, Auditor];
const READING_PROFILES: &[Role] = &[TenantAdmin, Enroller, Role::Authenticator, FraudAnalyst, PrivacyOfficer, Auditor];
const READING_CASES: &[Role] = &[Reviewer, FraudAnalyst, PrivacyOfficer];
const READING_PROPOSALS: &[Role] = &[Operator, TenantAdmin, PrivacyOfficer, Auditor];

/// The table, one line an operation, in the order of [`Operation`].
#[rustfmt::skip]
const RULES: [Rule; 106] = [
    rule(Operation::CreateTenant,            "tenant.create",                    Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::GetTenant,               "tenant.get",                       Effect::None,      Scope::Either, &[Operator, TenantAdmin, Auditor],                   ADMINISTERING),
    rule(Operation::UpdateTenantPolicy,      "tenant.update_policy",             Effect::None,      Scope::Tenant, &[TenantAdmin],                                      ADMINISTERING),
    rule(Operation::OffboardTenant,          "tenant.offboard",                 Effect::None,      Scope::Either, &[Operator, TenantAdmin],                            ADMINISTERING),
    rule(Operation::ExportSilo,              "tenant.export_silo",              Effect::None,      Scope::Tenant, &[TenantAdmin],                                      ADMINISTERING),
    rule(Operation::ConfirmHandover,         "tenant.confirm_handover",         Effect::None,      Scope::Tenant, &[TenantAdmin],                                      ADMINISTERING),
    // Aimed at the vault, not at the tenant: of one that is gone there is nothing left to aim at.
    rule(Operation::ShredTenant,             "tenant.shred",                     Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::RotateKeys,              "vault.rotate_keys",                Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::CreateCredential,        "tenant.create_credential",         Effect::None,      Scope::Tenant, &[TenantAdmin],                                      ADMINISTERING),
    rule(Operation::ListCredentials,         "tenant.list_credentials",          Effect::None,      Scope::Tenant, &[TenantAdmin, Auditor],                             ADMINISTERING),
    rule(Operation::RevokeCredential,        "tenant.revoke_credential",         Effect::None,      Scope::Tenant, &[TenantAdmin],                                      ADMINISTERING),
    rule(Operation::AppointAdministrator,    "tenant.appoint_administrator",     Effect::None,      Scope::Either, &[Operator],                                         ADMINISTERING),
    rule(Operation::CreateSigningKey,        "signing_key.create",               Effect::None,      Scope::Tenant, &[TenantAdmin],                                      ADMINISTERING),
    rule(Operation::ListSigningKeys,         "signing_key.list",                 Effect::None,      Scope::Tenant, &[TenantAdmin, PrivacyOfficer, Auditor],             ADMINISTERING),
    rule(Operation::RevokeSigningKey,        "signing_key.revoke",               Effect::None,      Scope::Tenant, &[TenantAdmin],                                      ADMINISTERING),
    rule(Operation::CreateOperator,          "vault.create_operator",            Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::ListOperators,           "vault.list_operators",             Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::RevokeOperator,          "vault.revoke_operator",            Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::CreateModelProfile,      "tenant.create_model_profile",      Effect::None,      Scope::Tenant, &[TenantAdmin],                                      ADMINISTERING),
    rule(Operation::GetModelProfile,         "tenant.get_model_profile",         Effect::None,      Scope::Tenant, READING_PROFILES,                                    ADMINISTERING),
    rule(Operation::ListModelProfiles,       "tenant.list_model_profiles",       Effect::None,      Scope::Tenant, READING_PROFILES,                                    ADMINISTERING),
    rule(Operation::UpdateModelProfile,      "tenant.update_model_profile",      Effect::None,      Scope::Tenant, &[TenantAdmin],                                      ADMINISTERING),
    rule(Operation::Enroll,                  "enrollment.enroll",                Effect::Processes, Scope::Tenant, &[Enroller],                                         ENROLLING),
    rule(Operation::ReplaceTemplate,         "enrollment.replace_template",      Effect::Processes, Scope::Tenant, &[Enroller, PrivacyOfficer],                         RECTIFYING),
    rule(Operation::DeleteTemplate,          "enrollment.delete_template",       Effect::Destroys,  Scope::Tenant, &[Enroller, PrivacyOfficer],                         RECTIFYING),
    rule(Operation::ListTemplates,           "enrollment.list_templates",        Effect::Looks,     Scope::Tenant, &[Enroller, FraudAnalyst, PrivacyOfficer],           LOOKING),
    rule(Operation::Verify,                  "authentication.verify",            Effect::Processes, Scope::Tenant, &[Role::Authenticator, FraudAnalyst],                &[Authentication, DocumentCheck, FraudPrevention, RequesterIdentification]),
    rule(Operation::Search,                  "identification.search",            Effect::Processes, Scope::Tenant, &[FraudAnalyst],                                     SEARCHING),
    rule(Operation::SweepDuplicates,         "identification.sweep_duplicates",  Effect::Processes, Scope::Tenant, &[FraudAnalyst],                                     SEARCHING),
    rule(Operation::CreateWatchlist,          "watchlist.create",                  Effect::None,      Scope::Tenant, &[FraudAnalyst],                                      WATCHING),
    rule(Operation::DeleteWatchlist,          "watchlist.delete",                  Effect::None,      Scope::Tenant, &[FraudAnalyst],                                      WATCHING),
    rule(Operation::ListWatchlists,           "watchlist.list",                    Effect::None,      Scope::Tenant, READING_WATCHLISTS,                                   SEEING),
    rule(Operation::AddWatchlistEntry,        "watchlist.add_entry",               Effect::Processes, Scope::Tenant, &[FraudAnalyst],                                      WATCHING),
    rule(Operation::GetWatchlistEntry,        "watchlist.get_entry",               Effect::None,      Scope::Tenant, READING_WATCHLISTS,                                   SEEING),
    rule(Operation::ListWatchlistEntries,     "watchlist.list_entries",            Effect::None,      Scope::Tenant, READING_WATCHLISTS,                                   SEEING),
    rule(Operation::ContestWatchlistEntry,    "watchlist.contest_entry",           Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                    ANSWERING),
    rule(Operation::DecideWatchlistEntry,     "watchlist.decide_entry",            Effect::None,      Scope::Tenant, &[Reviewer],                                          UNLISTING),
    rule(Operation::RemoveWatchlistEntry,     "watchlist.remove_entry",            Effect::None,      Scope::Tenant, &[FraudAnalyst, PrivacyOfficer],                      UNLISTING),
    rule(Operation::GetSubject,              "subject.get",                      Effect::Looks,     Scope::Tenant, &[PrivacyOfficer, Enroller, FraudAnalyst, Reviewer], LOOKING),
    rule(Operation::UpdateSubject,           "subject.update",                   Effect::Records,   Scope::Tenant, &[Enroller, PrivacyOfficer],                         RECORDING),
    rule(Operation::RestrictSubject,         "subject.restrict",                 Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   EXERCISING),
    rule(Operation::LiftRestriction,         "subject.lift_restriction",         Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   EXERCISING),
    rule(Operation::ObjectSubject,           "subject.object",                   Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   &[DataSubjectRequest]),
    rule(Operation::LiftObjection,           "subject.lift_objection",           Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   &[DataSubjectRequest]),
    rule(Operation::EraseSubject,            "subject.erase",                    Effect::Destroys,  Scope::Tenant, &[PrivacyOfficer],                                   &[DataSubjectRequest]),
    rule(Operation::PreviewErasures,         "subject.preview_erasures",         Effect::Looks,     Scope::Tenant, &[PrivacyOfficer],                                   PREVIEWING),
    rule(Operation::ExportSubject,           "subject.export",                   Effect::HandsOver, Scope::Tenant, &[PrivacyOfficer],                                   ANSWERING),
    rule(Operation::RecordConsent,           "consent.record",                   Effect::Records,   Scope::Tenant, &[Enroller, PrivacyOfficer],                         RECORDING),
    rule(Operation::WithdrawConsent,         "consent.withdraw",                 Effect::Records,   Scope::Tenant, &[Enroller, PrivacyOfficer],                         RECORDING),
    rule(Operation::ListConsents,            "consent.list",                     Effect::Looks,     Scope::Tenant, &[Enroller, PrivacyOfficer],                         EXERCISING),
    rule(Operation::ExportConsents,          "consent.export",                   Effect::Looks,     Scope::Tenant, &[PrivacyOfficer],                                   EXERCISING),
    rule(Operation::GetEvidence,             "consent.get_evidence",             Effect::None,      Scope::Tenant, &[PrivacyOfficer, Auditor],                          &[Audit, LegalClaims]),
    rule(Operation::PlaceHold,               "hold.place",                       Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   HOLDING),
    rule(Operation::RenewHold,               "hold.renew",                       Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   HOLDING),
    rule(Operation::ReleaseHold,             "hold.release",                     Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   HOLDING),
    rule(Operation::ListHolds,               "hold.list",                        Effect::Looks,     Scope::Tenant, &[PrivacyOfficer],                                   EXERCISING),
    rule(Operation::OpenRequest,             "request.open",                     Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   ANSWERING),
    rule(Operation::ExtendRequest,           "request.extend",                   Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   ANSWERING),
    rule(Operation::CloseRequest,            "request.close",                    Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   ANSWERING),
    rule(Operation::GetRequest,              "request.get",                      Effect::None,      Scope::Tenant, &[PrivacyOfficer, Auditor],                          ACCOUNTING),
    rule(Operation::ListRequests,            "request.list",                     Effect::None,      Scope::Tenant, &[PrivacyOfficer, Auditor],                          ACCOUNTING),
    rule(Operation::CountRequests,           "request.count",                    Effect::None,      Scope::Tenant, &[PrivacyOfficer, Auditor],                          ACCOUNTING),
    rule(Operation::ProposeDisclosure,       "disclosure.propose",              Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   EXERCISING),
    rule(Operation::ListDisclosures,         "disclosure.list",                 Effect::Looks,     Scope::Tenant, &[PrivacyOfficer],                                   EXERCISING),
    rule(Operation::GetNotification,         "notification.get",                 Effect::None,      Scope::Tenant, &[PrivacyOfficer, Auditor],                          ACCOUNTING),
    rule(Operation::ListNotifications,       "notification.list",                Effect::None,      Scope::Tenant, &[PrivacyOfficer, Auditor],                          ACCOUNTING),
    rule(Operation::CloseNotification,       "notification.close",               Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   ANSWERING),
    rule(Operation::CreatePairCase,          "case.create_pair",                 Effect::Processes, Scope::Tenant, &[FraudAnalyst],                                     PAIRING),
    rule(Operation::CreateContestedCase,     "case.create_contested",            Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   ANSWERING),
    rule(Operation::GetCase,                 "case.get",                         Effect::Looks,     Scope::Tenant, READING_CASES,                                       LOOKING),
    rule(Operation::ListCases,               "case.list",                        Effect::Looks,     Scope::Tenant, READING_CASES,                                       LOOKING),
    rule(Operation::DecideCase,              "case.decide",                      Effect::Records,   Scope::Tenant, &[Reviewer],                                         REVIEWING),
    rule(Operation::ContestCase,             "case.contest",                     Effect::Records,   Scope::Tenant, &[PrivacyOfficer],                                   ANSWERING),
    rule(Operation::GetProposal,             "approval.get",                    Effect::None,      Scope::Either, READING_PROPOSALS,                                   DECIDING),
    rule(Operation::ListProposals,           "approval.list",                   Effect::None,      Scope::Either, READING_PROPOSALS,                                   DECIDING),
    rule(Operation::ApproveProposal,         "approval.approve",                Effect::None,      Scope::Either, READING_PROPOSALS,                                   DECIDING),
    rule(Operation::RejectProposal,          "approval.reject",                 Effect::None,      Scope::Either, READING_PROPOSALS,                                   DECIDING),
    rule(Operation::GetVaultProposal,        "approval.get_vault",              Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::ListVaultProposals,      "approval.list_vault",             Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::ApproveVaultProposal,    "approval.approve_vault",          Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::RejectVaultProposal,     "approval.reject_vault",           Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::ProposeKeyRotation,      "audit.propose_key_rotation",      Effect::None,      Scope::Tenant, &[TenantAdmin, PrivacyOfficer],                      ADMINISTERING),
    rule(Operation::ProposeVaultKeyRotation, "audit.propose_vault_key_rotation", Effect::None,     Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::ListKeySuccessions,      "audit.list_key_successions",      Effect::None,      Scope::Either, &[Operator, Auditor, PrivacyOfficer],                AUDITING),
    rule(Operation::GetReceipt,              "audit.get_receipt",                Effect::None,      Scope::Tenant, &[PrivacyOfficer, Auditor],                          AUDITING),
    rule(Operation::GetVaultReceipt,         "audit.get_vault_receipt",          Effect::None,      Scope::Vault,  &[Operator],                                         AUDITING),
    rule(Operation::GetCheckpoint,           "audit.get_checkpoint",             Effect::None,      Scope::Either, &[Operator, Auditor, PrivacyOfficer],                AUDITING),
    rule(Operation::GetInclusionProof,       "audit.get_inclusion_proof",        Effect::None,      Scope::Either, &[Operator, Auditor, PrivacyOfficer],                AUDITING),
    rule(Operation::GetVaultInclusionProof,  "audit.get_vault_inclusion_proof",  Effect::None,      Scope::Vault,  &[Operator],                                         AUDITING),
    rule(Operation::GetConsistencyProof,     "audit.get_consistency_proof",      Effect::None,      Scope::Either, &[Operator, Auditor, PrivacyOfficer],                AUDITING),
    rule(Operation::ListEntries,             "audit.list_entries",               Effect::None,      Scope::Tenant, &[Auditor, PrivacyOfficer],                          AUDITING),
    rule(Operation::ListSubjectEntries,      "audit.list_subject_entries",       Effect::Looks,     Scope::Tenant, &[PrivacyOfficer],                                   AUDITING),
    rule(Operation::ListVaultEntries,        "audit.list_vault_entries",         Effect::None,      Scope::Vault,  &[Operator],                                         AUDITING),
    rule(Operation::WatchEntries,            "audit.watch",                      Effect::None,      Scope::Tenant, &[Auditor, PrivacyOfficer],                          AUDITING),
    rule(Operation::WatchVaultEntries,       "audit.watch_vault",                Effect::None,      Scope::Vault,  &[Operator],                                         AUDITING),
    rule(Operation::ReportBreach,            "audit.report_breach",              Effect::None,      Scope::Tenant, &[PrivacyOfficer],                                   AUDITING),
    rule(Operation::ReportVaultBreach,       "audit.report_vault_breach",        Effect::None,      Scope::Vault,  &[Operator],                                         AUDITING),
    rule(Operation::CountUsage,              "audit.usage",                      Effect::None,      Scope::Tenant, &[TenantAdmin, Auditor],                             COUNTING),
    rule(Operation::CountVaultUsage,         "audit.vault_usage",                Effect::None,      Scope::Vault,  &[Operator],                                         COUNTING),
    rule(Operation::CreateBackup,            "backup.create",                    Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::ListBackups,             "backup.list",                      Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::GetBackup,               "backup.get",                       Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::VerifyBackup,            "backup.verify",                    Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::PruneBackups,            "backup.prune",                     Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::ListMirrors,             "mirror.list",                      Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
    rule(Operation::GetRootStatus,           "root.get_status",                  Effect::None,      Scope::Vault,  &[Operator],                                         ADMINISTERING),
];

const fn rule(
    operation: Operation,
    name: &'static str,
    effect: Effect,
    scope: Scope,
    roles: &'static [Role],
    purposes: &'static [Purpose],
) -> Rule {
    Rule { operation, name, effect, scope, roles, purposes, takes: takes(operation) }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "no other operation takes a capture")]
const fn takes(operation: Operation) -> Option<CaptureUse> {
    match operation {
        Operation::Enroll | Operation::ReplaceTemplate => Some(CaptureUse::Enrollment),
        Operation::Verify => Some(CaptureUse::Verification),
        Operation::Search => Some(CaptureUse::Identification),
        Operation::AddWatchlistEntry => Some(CaptureUse::Watchlist),
        _ => None,
    }
}

impl Operation {
    /// The operation's line of the table.
    pub const fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }

    /// All lines.
    pub const fn table() -> &'static [Rule] {
        &RULES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_finds_its_own_line() {
        for (at, rule) in Operation::table().iter().enumerate() {
            assert_eq!(rule.operation as usize, at, "{}", rule.name);
            assert!(!rule.roles.is_empty() && !rule.purposes.is_empty(), "{}", rule.name);
        }
    }

    #[test]
    fn the_operator_touches_no_template() {
        for rule in Operation::table().iter().filter(|rule| rule.roles.contains(&Operator)) {
            assert!(
                rule.purposes.iter().all(|purpose| !purpose.is_biometric() || *purpose == LegalClaims),
                "{}",
                rule.name
            );
        }
    }
}
