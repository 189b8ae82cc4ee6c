use crate::{Invalid, Reason};

/// What a credential may do (O31). The method table is in `lethe-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Adds, replaces and deletes templates.
    Enroller = 1,
    /// Verifies a probe against one subject; sees bands, never scores.
    Authenticator = 2,
    /// Searches a gallery; sees scores.
    FraudAnalyst = 3,
    /// Decides cases.
    Reviewer = 4,
    /// Erases, exports, reads receipts.
    PrivacyOfficer = 5,
    /// Exchanges verified subjects with partners.
    ExchangeAgent = 6,
    /// Manages the tenant's credentials and model profiles.
    TenantAdmin = 7,
    /// Reads the tenant's log.
    Auditor = 8,
    /// Runs the vault; has no access to templates.
    Operator = 9,
}

impl Role {
    /// Every role there is.
    pub const ALL: [Self; 9] = [
        Self::Enroller,
        Self::Authenticator,
        Self::FraudAnalyst,
        Self::Reviewer,
        Self::PrivacyOfficer,
        Self::ExchangeAgent,
        Self::TenantAdmin,
        Self::Auditor,
        Self::Operator,
    ];

    /// Whether people hold it, who show a second factor beside the key (O31). Fraud teams search by programs, at onboarding and at
    /// night, as enrolment and login do; what a person decides on what they found is a reviewer's.
    pub const fn is_human(self) -> bool {
        match self {
            Self::Reviewer | Self::PrivacyOfficer | Self::TenantAdmin | Self::Auditor | Self::Operator => true,
            Self::Enroller | Self::Authenticator | Self::FraudAnalyst | Self::ExchangeAgent => false,
        }
    }

    /// The role's name on the command line and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enroller => "enroller",
            Self::Authenticator => "authenticator",
            Self::FraudAnalyst => "fraud_analyst",
            Self::Reviewer => "reviewer",
            Self::PrivacyOfficer => "privacy_officer",
            Self::ExchangeAgent => "exchange_agent",
            Self::TenantAdmin => "tenant_admin",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u16);

impl Roles {
    /// The set with just `role`.
    pub const fn only(role: Role) -> Self {
        Self(1 << role as u16)
    }

    /// Whether `role` is in the set.
    pub const fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u16) != 0
    }

    /// Whether the sets share a role.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no role in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set with `role` in it too.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | 1 << role as u16)
    }

    /// The set as stored: bit n is the role of number n.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set from its stored form; `None` where a bit names no role.
    pub fn from_bits(bits: u16) -> Option<Self> {
        let known: u16 = Role::ALL.iter().map(|&role| 1 << role as u16).sum();
        (bits & !known == 0).then_some(Self(bits))
    }

    /// Those in it that no person holds.
    #[must_use]
    pub fn of_machines(self) -> Self {
        self.iter().filter(|role| !role.is_human()).collect()
    }

    /// The roles in it.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |&role| self.has(role))
    }

    /// What a new tenant credential may hold: at least one role, and not the operator's, whose
    /// credentials belong to the vault and not to a tenant.
    pub fn for_tenant(self) -> Result<Self, Invalid> {
        if self.is_empty() {
            return Err(Invalid::new("credential.roles", Reason::FieldMissing, "at least one role is needed"));
        }
        if self.has(Role::Operator) {
            return Err(Invalid::new(
                "credential.roles",
                Reason::FieldOutOfRange,
                "operator is no role of a tenant's credential",
            ));
        }
        Ok(self)
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::default(), Self::with)
    }
}

impl std::fmt::Debug for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
