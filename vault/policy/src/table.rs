use lethe_domain::Purpose::{
    self, Administration, Audit, Authentication, DataSubjectRequest, DocumentCheck, DuplicateDetection,
    FraudPrevention, LegalClaims, RequesterIdentification,
};
use lethe_domain::Role::{self, Auditor, Enroller, FraudAnalyst, Operator, PrivacyOfficer, Reviewer, TenantAdmin};

/// Everything a caller can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is documented by its marker in `operation`")]
pub enum Operation {
    CreateTenant,
    GetTenant,
    ShredTenant,
    RotateKeys,
    CreateCredential,
    ListCredentials,
    RevokeCredential,
    AppointAdministrator,
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
    GetSubject,
    EraseSubject,
    GetReceipt,
    GetVaultReceipt,
    GetCheckpoint,
    GetInclusionProof,
    GetVaultInclusionProof,
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

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The operation.
    pub operation: Operation,
    /// Its name in the log: service and method.
    pub name: &'static str,
    /// Whose credentials.
    pub scope: Scope,
    /// Any of these roles will do (O31).
    pub roles: &'static [Role],
    /// The purposes it may serve (O2).
    pub purposes: &'static [Purpose],
}

const ENROLLING: &[Purpose] = &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention];
const RECTIFYING: &[Purpose] =
    &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest];
const LOOKING: &[Purpose] =
    &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest, LegalClaims];
const ADMINISTERING: &[Purpose] = &[Administration];
const AUDITING: &[Purpose] = &[Audit, DataSubjectRequest, LegalClaims];
const READING_PROFILES: &[Role] = &[TenantAdmin, Enroller, Role::Authenticator, FraudAnalyst, PrivacyOfficer, Auditor];

/// The table, one line an operation, in the order of [`Operation`].
#[rustfmt::skip]
const RULES: [Rule; 36] = [
    rule(Operation::CreateTenant,       "tenant.create",                Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::GetTenant,          "tenant.get",                   Scope::Either, &[Operator, TenantAdmin, Auditor],       ADMINISTERING),
    // Aimed at the vault, not at the tenant: of one that is gone there is nothing left to aim at.
    rule(Operation::ShredTenant,        "tenant.shred",                 Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::RotateKeys,         "vault.rotate_keys",            Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::CreateCredential,   "tenant.create_credential",     Scope::Tenant, &[TenantAdmin],                          ADMINISTERING),
    rule(Operation::ListCredentials,    "tenant.list_credentials",      Scope::Tenant, &[TenantAdmin, Auditor],                 ADMINISTERING),
    rule(Operation::RevokeCredential,   "tenant.revoke_credential",     Scope::Tenant, &[TenantAdmin],                          ADMINISTERING),
    rule(Operation::AppointAdministrator, "tenant.appoint_administrator", Scope::Either, &[Operator],                           ADMINISTERING),
    rule(Operation::CreateOperator,     "vault.create_operator",        Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::ListOperators,      "vault.list_operators",         Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::RevokeOperator,     "vault.revoke_operator",        Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::CreateModelProfile, "tenant.create_model_profile",  Scope::Tenant, &[TenantAdmin],                          ADMINISTERING),
    rule(Operation::GetModelProfile,    "tenant.get_model_profile",     Scope::Tenant, READING_PROFILES,                        ADMINISTERING),
    rule(Operation::ListModelProfiles,  "tenant.list_model_profiles",   Scope::Tenant, READING_PROFILES,                        ADMINISTERING),
    rule(Operation::UpdateModelProfile, "tenant.update_model_profile",  Scope::Tenant, &[TenantAdmin],                          ADMINISTERING),
    rule(Operation::Enroll,             "enrollment.enroll",            Scope::Tenant, &[Enroller],                             ENROLLING),
    rule(Operation::ReplaceTemplate,    "enrollment.replace_template",  Scope::Tenant, &[Enroller, PrivacyOfficer],             RECTIFYING),
    rule(Operation::DeleteTemplate,     "enrollment.delete_template",   Scope::Tenant, &[Enroller, PrivacyOfficer],             RECTIFYING),
    rule(Operation::ListTemplates,      "enrollment.list_templates",    Scope::Tenant, &[Enroller, FraudAnalyst, PrivacyOfficer], LOOKING),
    rule(Operation::Verify,             "authentication.verify",        Scope::Tenant, &[Role::Authenticator, FraudAnalyst],    &[Authentication, DocumentCheck, FraudPrevention, RequesterIdentification]),
    rule(Operation::Search,             "identification.search",        Scope::Tenant, &[FraudAnalyst],                         &[DuplicateDetection, FraudPrevention]),
    rule(Operation::SweepDuplicates,    "identification.sweep_duplicates", Scope::Tenant, &[FraudAnalyst],                      &[DuplicateDetection, FraudPrevention]),
    rule(Operation::GetSubject,         "subject.get",                  Scope::Tenant, &[PrivacyOfficer, Enroller, FraudAnalyst, Reviewer], LOOKING),
    rule(Operation::EraseSubject,       "subject.erase",                Scope::Tenant, &[PrivacyOfficer],                       &[DataSubjectRequest]),
    rule(Operation::GetReceipt,         "audit.get_receipt",            Scope::Tenant, &[PrivacyOfficer, Auditor],              AUDITING),
    rule(Operation::GetVaultReceipt,    "audit.get_vault_receipt",      Scope::Vault,  &[Operator],                             AUDITING),
    rule(Operation::GetCheckpoint,      "audit.get_checkpoint",         Scope::Either, &[Operator, Auditor, PrivacyOfficer],    AUDITING),
    rule(Operation::GetInclusionProof,  "audit.get_inclusion_proof",    Scope::Either, &[Operator, Auditor, PrivacyOfficer],    AUDITING),
    rule(Operation::GetVaultInclusionProof, "audit.get_vault_inclusion_proof", Scope::Vault, &[Operator],                       AUDITING),
    rule(Operation::CreateBackup,       "backup.create",                Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::ListBackups,        "backup.list",                  Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::GetBackup,          "backup.get",                   Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::VerifyBackup,       "backup.verify",                Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::PruneBackups,       "backup.prune",                 Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::ListMirrors,        "mirror.list",                  Scope::Vault,  &[Operator],                             ADMINISTERING),
    rule(Operation::GetRootStatus,      "root.get_status",              Scope::Vault,  &[Operator],                             ADMINISTERING),
];

const fn rule(
    operation: Operation,
    name: &'static str,
    scope: Scope,
    roles: &'static [Role],
    purposes: &'static [Purpose],
) -> Rule {
    Rule { operation, name, scope, roles, purposes }
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
