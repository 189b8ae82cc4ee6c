//! What a call is let through by, before anything is known of a person.

use lethe_domain::{Environment, Purpose, Reason, Role, TenantPolicy, Timestamp};
use lethe_policy::{Operation, Owner, Principal, Site, Target};

use super::known::declared_basis;

/// Whose credentials may do it (O4, O31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Tenants,
    Vaults,
    Both,
}

/// What an operation may be asked with.
pub(crate) struct Row {
    pub(crate) whose: Whose,
    pub(crate) roles: &'static [Role],
    pub(crate) purposes: &'static [Purpose],
    /// It does no more than to record what a person or the client says.
    pub(crate) records: bool,
}

/// The operations that the gate is tried with: each sort of owner, of what is done, and of purpose.
pub(crate) fn row(operation: Operation) -> Row {
    use Purpose::{
        Administration, Audit, Authentication, DataSubjectRequest, DocumentCheck, DuplicateDetection, FraudPrevention,
        LegalClaims, RequesterIdentification, ServiceDevelopment,
    };
    use Role::{Auditor, Authenticator, Enroller, FraudAnalyst, Operator, PrivacyOfficer, Reviewer, TenantAdmin};
    let (whose, records, roles, purposes): (_, _, &[Role], &[Purpose]) = match operation {
        Operation::CreateTenant | Operation::ShredTenant | Operation::CreateBackup => {
            (Whose::Vaults, false, &[Operator], &[Administration])
        }
        Operation::GetVaultReceipt => (Whose::Vaults, false, &[Operator], &[Audit, DataSubjectRequest, LegalClaims]),
        Operation::GetTenant => (Whose::Both, false, &[Operator, TenantAdmin, Auditor], &[Administration]),
        Operation::GetCheckpoint => {
            (Whose::Both, false, &[Operator, Auditor, PrivacyOfficer], &[Audit, DataSubjectRequest, LegalClaims])
        }
        Operation::UpdateTenantPolicy => (Whose::Tenants, false, &[TenantAdmin], &[Administration]),
        Operation::GetReceipt => {
            (Whose::Tenants, false, &[PrivacyOfficer, Auditor], &[Audit, DataSubjectRequest, LegalClaims])
        }
        Operation::Enroll => (
            Whose::Tenants,
            false,
            &[Enroller],
            &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, ServiceDevelopment],
        ),
        Operation::ReplaceTemplate | Operation::DeleteTemplate => (
            Whose::Tenants,
            false,
            &[Enroller, PrivacyOfficer],
            &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest],
        ),
        Operation::Verify => (
            Whose::Tenants,
            false,
            &[Authenticator, FraudAnalyst],
            &[Authentication, DocumentCheck, FraudPrevention, RequesterIdentification],
        ),
        Operation::Search | Operation::SweepDuplicates => {
            (Whose::Tenants, false, &[FraudAnalyst], &[DuplicateDetection, FraudPrevention, ServiceDevelopment])
        }
        Operation::GetSubject => (
            Whose::Tenants,
            false,
            &[PrivacyOfficer, Enroller, FraudAnalyst, Reviewer],
            &[Authentication, DocumentCheck, DuplicateDetection, FraudPrevention, DataSubjectRequest, LegalClaims],
        ),
        Operation::EraseSubject => (Whose::Tenants, false, &[PrivacyOfficer], &[DataSubjectRequest]),
        Operation::RecordConsent => {
            (Whose::Tenants, true, &[Enroller, PrivacyOfficer], &[Administration, DataSubjectRequest])
        }
        Operation::PlaceHold => (Whose::Tenants, true, &[PrivacyOfficer], &[LegalClaims]),
        Operation::ListHolds => (Whose::Tenants, false, &[PrivacyOfficer], &[DataSubjectRequest, LegalClaims]),
        other => panic!("the gate is not tried with {other:?}"),
    };
    Row { whose, roles, purposes, records }
}

/// Whether the operation is about such a target at all. A call about the wrong one is refused, and why is nobody's to know.
pub(crate) fn is_about(operation: Operation, target: Target<'_>) -> bool {
    match (row(operation).whose, target) {
        (Whose::Vaults | Whose::Both, Target::Vault) | (Whose::Tenants | Whose::Both, Target::Tenant(..)) => true,
        (Whose::Vaults, Target::Tenant(..)) | (Whose::Tenants, Target::Vault) => false,
    }
}

/// Nothing, or the reason and the obligation of what is refused.
pub(crate) fn admitted(
    operation: Operation,
    site: &Site,
    principal: &Principal,
    target: Target<'_>,
    purpose: Option<Purpose>,
    now: Timestamp,
) -> Result<(), (Reason, &'static str)> {
    let row = row(operation);
    let policy = match target {
        Target::Tenant(_, policy) => policy,
        Target::Vault => None,
    };

    // O31: nobody comes in with what has expired.
    if principal.expires.is_some_and(|end| end.millis() <= now.millis()) {
        return Err((Reason::CredentialExpired, "O31"));
    }

    // O4: each tenant's data are its own; operators look after what is theirs too.
    let is_about_its_own = match (&principal.owner, target) {
        (Owner::Tenant(owner), Target::Tenant(about, _)) => owner == about,
        (Owner::Vault, Target::Tenant(..)) => row.whose == Whose::Both,
        (Owner::Tenant(_) | Owner::Vault, Target::Vault) => true,
    };
    if !is_about_its_own {
        return Err((Reason::TenantMismatch, "O4"));
    }

    // O32: its data live in its region, and a node of another refuses it; so does one that is in none.
    if is_elsewhere(site, policy) {
        return Err((Reason::RegionMismatch, "O32"));
    }

    // O31: least privilege. What is done to the vault itself takes one of its operators.
    let is_outside = matches!((&principal.owner, target), (Owner::Tenant(_), Target::Vault));
    if (is_outside && !may_be_asked_of_the_vault(&row)) || !row.roles.iter().any(|&role| principal.roles.has(role)) {
        return Err((Reason::RoleRequired, "O31"));
    }

    // O2: each operation names a purpose, one that it may serve.
    let Some(purpose) = purpose else { return Err((Reason::PurposeUnspecified, "O2")) };
    if !row.purposes.contains(&purpose) {
        return Err((Reason::PurposeNotAllowed, "O2"));
    }

    // O1: nothing is done for a client that there is not.
    if matches!(target, Target::Tenant(_, None)) {
        return Err((Reason::TenantNotFound, "O1"));
    }

    // O3: never from production.
    if purpose == Purpose::ServiceDevelopment
        && policy.is_some_and(|policy| policy.environment != Environment::Development)
    {
        return Err((Reason::EnvironmentMismatch, "O3"));
    }

    // O1: the tenant sets the purposes, also of a look at what was done. What somebody says is recorded whatever they are.
    let is_undeclared = policy.is_some_and(|policy| declared_basis(policy, purpose).is_none());
    if purpose.is_biometric() && !row.records && is_undeclared {
        return Err((Reason::PurposeNotAllowed, "O1"));
    }

    Ok(())
}

/// A tenant's credential has nothing to do with the vault itself (O4, O31), but for what is both the tenants' and the vault's:
/// receipts are proved from the vault's log (O20), so that tenants look at its checkpoint.
fn may_be_asked_of_the_vault(row: &Row) -> bool {
    row.whose == Whose::Both
}

fn is_elsewhere(site: &Site, policy: Option<&TenantPolicy>) -> bool {
    match policy.and_then(|policy| policy.region.as_ref()) {
        None => false,
        Some(its) => site.region.as_ref() != Some(its),
    }
}
