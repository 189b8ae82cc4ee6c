use std::marker::PhantomData;

use lethe_domain::{
    CredentialId, Environment, LawfulBasis, Purpose, Reason, Region, Role, Roles, TenantId, TenantPolicy, Timestamp,
};

use crate::operation::Kind;
use crate::person::Duty;
use crate::principal::{Owner, Principal, SecondFactor};
use crate::table::{Effect, Operation, Scope};

/// What a call is aimed at.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// The vault itself.
    Vault,
    /// A tenant, with its policy. `None` where there is no such tenant: only the
    /// vault's own credentials ever learn that.
    Tenant(&'a TenantId, Option<&'a TenantPolicy>),
}

/// Where the vault runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// The node's region; nowhere in particular, if `None` (O32).
    pub region: Option<Region>,
}

impl Site {
    /// Whether a tenant's data may be here (O32). One that lives nowhere in particular may be anywhere.
    pub fn is_home_of(&self, policy: &TenantPolicy) -> bool {
        policy.region.is_none() || policy.region == self.region
    }
}

/// A refusal: the stable reason, the obligation behind it, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The stable reason.
    pub reason: Reason,
    /// The obligation that decided, such as `O4`.
    pub obligation: &'static str,
    /// A sentence for a person.
    pub message: String,
    /// What has to be done because of it.
    pub duty: Option<Duty>,
}

/// Proof that the gate let a call pass. Use cases take it by value, one a call.
#[derive(Debug)]
pub struct Authorized<O> {
    grant: Grant,
    operation: PhantomData<O>,
}

#[derive(Debug)]
struct Grant {
    tenant: Option<TenantId>,
    credential: CredentialId,
    roles: Roles,
    purpose: Purpose,
    basis: Option<LawfulBasis>,
    policy: Option<u32>,
}

impl<O: Kind> Authorized<O> {
    /// The operation that was allowed.
    pub const fn operation(&self) -> Operation {
        O::OPERATION
    }

    /// The tenant it is allowed on; `None` for the vault itself.
    pub const fn tenant(&self) -> Option<&TenantId> {
        self.grant.tenant.as_ref()
    }

    /// Who asked.
    pub const fn credential(&self) -> CredentialId {
        self.grant.credential
    }

    /// What who asked may do: of a credential without the second factor that is asked for, only what machines may.
    pub const fn roles(&self) -> Roles {
        self.grant.roles
    }

    /// The stated purpose.
    pub const fn purpose(&self) -> Purpose {
        self.grant.purpose
    }

    /// The tenant's basis for it; `None` where the purpose needs none of the tenant's.
    pub const fn basis(&self) -> Option<LawfulBasis> {
        self.grant.basis
    }

    /// The version of the tenant's policy that let it pass here (O1); `None` for the vault itself. What judges a person afterwards
    /// may have a later one.
    pub const fn policy_version(&self) -> Option<u32> {
        self.grant.policy
    }
}

/// Decides whether `principal` may do `O` to `target` for `purpose` at `now`, at `site`.
///
/// The order is part of the contract: expiry, second factor, owner, region, role, purpose. Without the factor that is asked for,
/// roles that people hold count for nothing. Nothing here depends on a subject, so a denial tells nothing of one.
pub fn authorize<O: Kind>(
    site: &Site,
    principal: &Principal,
    target: Target<'_>,
    purpose: Option<Purpose>,
    now: Timestamp,
) -> Result<Authorized<O>, Denial> {
    let rule = O::OPERATION.rule();
    if principal.expires.is_some_and(|end| end <= now) {
        return deny(Reason::CredentialExpired, "O31", "the credential has expired");
    }
    let wanted: Roles = rule.roles.iter().copied().collect();
    let roles = match principal.factor {
        SecondFactor::NotAsked | SecondFactor::Shown => principal.roles,
        SecondFactor::Missing => principal.roles.of_machines(),
    };
    if principal.roles.meets(wanted) && !roles.meets(wanted) {
        let message = format!(
            "{} takes a second factor of who calls: a certificate of this credential, or a login that proves two",
            rule.name
        );
        return deny(Reason::SecondFactorRequired, "O31", message);
    }
    check_owner(principal, target, rule.scope)?;
    check_region(site, target)?;
    if !roles.meets(wanted) {
        let names: Vec<_> = rule.roles.iter().map(|role| role.name()).collect();
        return deny(Reason::RoleRequired, "O31", format!("{} needs the role {}", rule.name, names.join(" or ")));
    }
    let Some(purpose) = purpose else {
        return deny(Reason::PurposeUnspecified, "O2", "every call states its purpose");
    };
    if !rule.purposes.contains(&purpose) {
        let names: Vec<_> = rule.purposes.iter().map(|purpose| purpose.name()).collect();
        let message = format!("{} may serve {}; not {}", rule.name, names.join(", "), purpose.name());
        return deny(Reason::PurposeNotAllowed, "O2", message);
    }
    let (tenant, basis) = match target {
        Target::Vault => (None, None),
        Target::Tenant(tenant, policy) => (Some(tenant.clone()), check_basis(tenant, policy, rule.effect, purpose)?),
    };
    let policy = match target {
        Target::Vault => None,
        Target::Tenant(_, policy) => policy.map(|policy| policy.version),
    };
    let grant = Grant { tenant, credential: principal.credential, roles, purpose, basis, policy };
    Ok(Authorized { grant, operation: PhantomData })
}

/// Whether a caller sees raw scores. Whoever only authenticates sees the band alone, so that nobody can
/// climb the score.
pub const fn sees_scores(roles: Roles) -> bool {
    roles.has(Role::FraudAnalyst) || roles.has(Role::Reviewer)
}

fn check_owner(principal: &Principal, target: Target<'_>, scope: Scope) -> Result<(), Denial> {
    let fits = match (&principal.owner, target) {
        (Owner::Vault, Target::Vault) => scope != Scope::Tenant,
        (Owner::Vault, Target::Tenant(..)) => scope == Scope::Either,
        (Owner::Tenant(_), Target::Vault) => scope == Scope::Either,
        (Owner::Tenant(own), Target::Tenant(tenant, _)) => scope != Scope::Vault && own == tenant,
    };
    if fits {
        return Ok(());
    }
    match principal.owner {
        Owner::Vault => deny(Reason::TenantMismatch, "O4", "an operator's credential has no access to a tenant's data")
            .map(drop::<()>),
        Owner::Tenant(_) if scope == Scope::Vault => {
            deny(Reason::RoleRequired, "O31", "only the operator may do this").map(drop::<()>)
        }
        Owner::Tenant(_) => {
            deny(Reason::TenantMismatch, "O4", "the credential belongs to another tenant").map(drop::<()>)
        }
    }
}

fn check_region(site: &Site, target: Target<'_>) -> Result<(), Denial> {
    match target {
        Target::Tenant(_, Some(policy)) if !site.is_home_of(policy) => {
            let named = |region: Option<&Region>| region.map_or("none", Region::as_str).to_owned();
            let (home, here) = (named(policy.region.as_ref()), named(site.region.as_ref()));
            deny(
                Reason::RegionMismatch,
                "O32",
                format!("the tenant's data live in region {home}; this node's is {here}"),
            )
        }
        Target::Vault | Target::Tenant(..) => Ok(()),
    }
}

fn check_basis(
    tenant: &TenantId,
    policy: Option<&TenantPolicy>,
    effect: Effect,
    purpose: Purpose,
) -> Result<Option<LawfulBasis>, Denial> {
    let Some(policy) = policy else {
        return deny(Reason::TenantNotFound, "O1", format!("there is no tenant {tenant}"));
    };
    // Rights can be exercised, and holds kept, whatever the client declares.
    if !purpose.is_biometric() || effect == Effect::Records {
        return Ok(None);
    }
    if purpose == Purpose::ServiceDevelopment && policy.environment == Environment::Production {
        let message = "people in production never serve to develop the service";
        return deny(Reason::EnvironmentMismatch, "O3", message);
    }
    match policy.basis(purpose) {
        Some(basis) => Ok(Some(basis)),
        None => {
            let message = format!("the tenant declared no lawful basis for {}", purpose.name());
            deny(Reason::PurposeNotAllowed, "O1", message)
        }
    }
}

fn deny<T>(reason: Reason, obligation: &'static str, message: impl Into<String>) -> Result<T, Denial> {
    Err(Denial { reason, obligation, message: message.into(), duty: None })
}

#[cfg(test)]
mod tests {
    use lethe_domain::PurposeBasis;

    use super::*;
    use crate::operation::{
        AppointAdministrator, CreateCredential, CreateOperator, CreateTenant, Enroll, EraseSubject, GetCheckpoint,
        GetTenant, GetVaultInclusionProof, Search, UpdateSubject,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn tenant(id: &str) -> TenantId {
        TenantId::parse(id).unwrap()
    }

    fn of_tenant(id: &str, role: Role) -> Principal {
        let owner = Owner::Tenant(tenant(id));
        Principal {
            credential: CredentialId::random(),
            owner,
            roles: Roles::only(role),
            expires: None,
            factor: SecondFactor::NotAsked,
        }
    }

    fn operator() -> Principal {
        let roles = Roles::only(Role::Operator);
        Principal {
            credential: CredentialId::random(),
            owner: Owner::Vault,
            roles,
            expires: None,
            factor: SecondFactor::NotAsked,
        }
    }

    fn declared() -> TenantPolicy {
        let basis = LawfulBasis::ExplicitConsent;
        TenantPolicy::of(vec![PurposeBasis { purpose: Purpose::DuplicateDetection, basis }])
    }

    fn reason<O: Kind + std::fmt::Debug>(who: &Principal, target: Target<'_>, purpose: Option<Purpose>) -> Reason {
        authorize::<O>(&Site::default(), who, target, purpose, NOW).unwrap_err().reason
    }

    #[test]
    fn a_fitting_call_passes_with_its_basis() {
        let id = tenant("bank");
        let policy = declared();
        let target = Target::Tenant(&id, Some(&policy));
        let who = of_tenant("bank", Role::FraudAnalyst);
        let passed =
            authorize::<Search>(&Site::default(), &who, target, Some(Purpose::DuplicateDetection), NOW).unwrap();
        assert_eq!(passed.tenant(), Some(&id));
        assert_eq!(passed.basis(), Some(LawfulBasis::ExplicitConsent));
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let id = tenant("bank");
        let policy = declared();
        let here = Target::Tenant(&id, Some(&policy));
        let analyst = of_tenant("bank", Role::FraudAnalyst);
        let purpose = Some(Purpose::DuplicateDetection);
        assert_eq!(reason::<Search>(&of_tenant("shop", Role::FraudAnalyst), here, purpose), Reason::TenantMismatch);
        assert_eq!(reason::<Search>(&operator(), here, purpose), Reason::TenantMismatch);
        assert_eq!(reason::<Search>(&of_tenant("bank", Role::Enroller), here, purpose), Reason::RoleRequired);
        assert_eq!(reason::<Search>(&analyst, here, None), Reason::PurposeUnspecified);
        assert_eq!(reason::<Search>(&analyst, here, Some(Purpose::Authentication)), Reason::PurposeNotAllowed);
        assert_eq!(reason::<Search>(&analyst, here, Some(Purpose::FraudPrevention)), Reason::PurposeNotAllowed);
        assert_eq!(
            reason::<CreateTenant>(&analyst, Target::Vault, Some(Purpose::Administration)),
            Reason::RoleRequired
        );
        let nowhere = Target::Tenant(&id, None);
        assert_eq!(reason::<GetTenant>(&operator(), nowhere, Some(Purpose::Administration)), Reason::TenantNotFound);
        let expired = Principal { expires: Some(NOW), ..analyst };
        assert_eq!(reason::<Search>(&expired, here, purpose), Reason::CredentialExpired);
    }

    #[test]
    fn a_node_of_another_region_refuses_a_tenant_to_everybody_and_for_everything() {
        let id = tenant("bank");
        let region = |name: &str| Some(Region::parse("region", name).unwrap());
        let policy = TenantPolicy { region: region("eu"), ..declared() };
        let (here, purpose) = (Target::Tenant(&id, Some(&policy)), Some(Purpose::DuplicateDetection));
        let who = of_tenant("bank", Role::FraudAnalyst);
        let at =
            |region| authorize::<Search>(&Site { region }, &who, here, purpose, NOW).map_err(|denial| denial.reason);
        assert!(at(region("eu")).is_ok());
        assert_eq!(at(region("us")).unwrap_err(), Reason::RegionMismatch);
        assert_eq!(at(None).unwrap_err(), Reason::RegionMismatch);
        assert_eq!(reason::<GetTenant>(&operator(), here, Some(Purpose::Administration)), Reason::RegionMismatch);
        // Whoever it does not belong to is not told where it lives.
        assert_eq!(reason::<Search>(&of_tenant("shop", Role::FraudAnalyst), here, purpose), Reason::TenantMismatch);
        // Who lives nowhere in particular may be anywhere.
        let policy = declared();
        let there = Target::Tenant(&id, Some(&policy));
        assert!(authorize::<Search>(&Site { region: region("us") }, &who, there, purpose, NOW).is_ok());
    }

    #[test]
    fn people_in_production_never_serve_development() {
        let id = tenant("bank");
        let basis = LawfulBasis::ExplicitConsent;
        let mut policy = TenantPolicy::of(vec![PurposeBasis { purpose: Purpose::ServiceDevelopment, basis }]);
        let purpose = Some(Purpose::ServiceDevelopment);
        let who = of_tenant("bank", Role::Enroller);
        assert_eq!(reason::<Enroll>(&who, Target::Tenant(&id, Some(&policy)), purpose), Reason::EnvironmentMismatch);
        policy.environment = Environment::Development;
        assert!(authorize::<Enroll>(&Site::default(), &who, Target::Tenant(&id, Some(&policy)), purpose, NOW).is_ok());
        policy.purposes.clear();
        assert_eq!(reason::<Enroll>(&who, Target::Tenant(&id, Some(&policy)), purpose), Reason::PurposeNotAllowed);
    }

    #[test]
    fn a_tenant_never_learns_whether_another_exists() {
        let id = tenant("other");
        let who = of_tenant("bank", Role::Enroller);
        let purpose = Some(Purpose::Authentication);
        let there = authorize::<Enroll>(&Site::default(), &who, Target::Tenant(&id, Some(&declared())), purpose, NOW)
            .unwrap_err();
        let not_there =
            authorize::<Enroll>(&Site::default(), &who, Target::Tenant(&id, None), purpose, NOW).unwrap_err();
        assert_eq!(there, not_there);
    }

    #[test]
    fn an_operator_appoints_administrators_and_makes_no_other_credential_of_a_tenant() {
        let (id, purpose) = (tenant("bank"), Some(Purpose::Administration));
        let policy = declared();
        let here = Target::Tenant(&id, Some(&policy));
        let everything = Principal { roles: Role::ALL.into_iter().collect(), ..of_tenant("bank", Role::TenantAdmin) };
        assert!(authorize::<AppointAdministrator>(&Site::default(), &operator(), here, purpose, NOW).is_ok());
        assert_eq!(reason::<CreateCredential>(&operator(), here, purpose), Reason::TenantMismatch);
        let admin = of_tenant("bank", Role::TenantAdmin);
        assert_eq!(reason::<AppointAdministrator>(&admin, here, purpose), Reason::RoleRequired);
        assert!(authorize::<CreateOperator>(&Site::default(), &operator(), Target::Vault, purpose, NOW).is_ok());
        // Whatever roles a tenant's credential has: the vault's affairs are not a tenant's.
        assert_eq!(reason::<CreateOperator>(&everything, Target::Vault, purpose), Reason::RoleRequired);
        assert_eq!(
            reason::<GetVaultInclusionProof>(&everything, Target::Vault, Some(Purpose::Audit)),
            Reason::RoleRequired
        );
    }

    #[test]
    fn roles_of_people_count_for_nothing_without_a_second_factor() {
        let (id, policy) = (tenant("bank"), declared());
        let here = Target::Tenant(&id, Some(&policy));
        let lacking = |roles: &[Role]| Principal {
            roles: roles.iter().copied().collect(),
            factor: SecondFactor::Missing,
            ..of_tenant("bank", Role::Enroller)
        };
        let purpose = Some(Purpose::Administration);
        let admin = lacking(&[Role::TenantAdmin, Role::Enroller]);
        assert_eq!(reason::<CreateCredential>(&admin, here, purpose), Reason::SecondFactorRequired);
        // Before anything about the target, and about the purpose.
        let elsewhere = TenantId::parse("nowhere").unwrap();
        let there = Target::Tenant(&elsewhere, None);
        assert_eq!(reason::<CreateCredential>(&admin, there, None), Reason::SecondFactorRequired);
        let shown = Principal { factor: SecondFactor::Shown, ..admin.clone() };
        assert!(authorize::<CreateCredential>(&Site::default(), &shown, here, purpose, NOW).is_ok());
        // What its role for machines may, it may all the same, in that role alone.
        let call = authorize::<UpdateSubject>(&Site::default(), &admin, here, purpose, NOW).unwrap();
        assert!(call.roles().has(Role::Enroller) && !call.roles().has(Role::TenantAdmin));
        // Whom no factor would help is told of the role.
        assert_eq!(reason::<EraseSubject>(&admin, here, Some(Purpose::DataSubjectRequest)), Reason::RoleRequired);
        let operator = Principal { factor: SecondFactor::Missing, ..operator() };
        assert_eq!(reason::<CreateTenant>(&operator, Target::Vault, purpose), Reason::SecondFactorRequired);
    }

    #[test]
    fn an_operator_reads_the_vaults_log_and_so_do_auditors() {
        let purpose = Some(Purpose::Audit);
        assert!(authorize::<GetCheckpoint>(&Site::default(), &operator(), Target::Vault, purpose, NOW).is_ok());
        assert!(
            authorize::<GetCheckpoint>(
                &Site::default(),
                &of_tenant("bank", Role::Auditor),
                Target::Vault,
                purpose,
                NOW
            )
            .is_ok()
        );
        assert_eq!(
            reason::<GetCheckpoint>(&of_tenant("bank", Role::Enroller), Target::Vault, purpose),
            Reason::RoleRequired
        );
    }
}
