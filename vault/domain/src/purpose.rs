/// What a call is for (O2). Each is stated by the caller, checked at the gate and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// Repeat login: is this the enrolled person?
    Authentication = 1,
    /// Is the face on the document the face of the selfie?
    DocumentCheck = 2,
    /// Has this client met this face under another id?
    DuplicateDetection = 3,
    /// Confirmed fraud and presentation attacks.
    FraudPrevention = 4,
    /// Reusable KYC between two clients, with consent.
    KycSharing = 5,
    /// Who asks for their rights is who they say they are.
    RequesterIdentification = 6,
    /// Establishing, exercising or defending legal claims.
    LegalClaims = 7,
    /// Improving the service; off unless the tenant opted in (O3).
    ServiceDevelopment = 8,
    /// Running the vault or a tenant: no biometric operation.
    Administration = 9,
    /// Acting on a data subject's right: access, erasure, rectification.
    DataSubjectRequest = 10,
    /// Looking at what was done.
    Audit = 11,
}

impl Purpose {
    /// Every purpose there is.
    pub const ALL: [Self; 11] = [
        Self::Authentication,
        Self::DocumentCheck,
        Self::DuplicateDetection,
        Self::FraudPrevention,
        Self::KycSharing,
        Self::RequesterIdentification,
        Self::LegalClaims,
        Self::ServiceDevelopment,
        Self::Administration,
        Self::DataSubjectRequest,
        Self::Audit,
    ];

    /// Whether the purpose is one a tenant declares a lawful basis for. The others come with
    /// running the vault at all (GDPR Art. 6(1)(c)): rights, audit, administration.
    pub const fn is_biometric(self) -> bool {
        !matches!(self, Self::Administration | Self::DataSubjectRequest | Self::Audit)
    }

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The purpose stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.number() == number)
    }

    /// The purpose's name on the command line and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::DocumentCheck => "document_check",
            Self::DuplicateDetection => "duplicate_detection",
            Self::FraudPrevention => "fraud_prevention",
            Self::KycSharing => "kyc_sharing",
            Self::RequesterIdentification => "requester_identification",
            Self::LegalClaims => "legal_claims",
            Self::ServiceDevelopment => "service_development",
            Self::Administration => "administration",
            Self::DataSubjectRequest => "data_subject_request",
            Self::Audit => "audit",
        }
    }
}

/// The ground a tenant processes biometrics on for one purpose (GDPR Art. 6 and 9(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LawfulBasis {
    /// Explicit consent, Art. 9(2)(a).
    ExplicitConsent = 1,
    /// Legal obligation, Art. 6(1)(c), with Art. 9(2)(g).
    LegalObligation = 2,
    /// Substantial public interest, Art. 9(2)(g).
    SubstantialPublicInterest = 3,
    /// Legal claims, Art. 9(2)(f).
    LegalClaims = 4,
    /// Performance of a contract, Art. 6(1)(b), where no special category rule forbids it.
    Contract = 5,
    /// Legitimate interests, Art. 6(1)(f), where no special category rule forbids it.
    LegitimateInterests = 6,
}

impl LawfulBasis {
    /// Every basis there is.
    pub const ALL: [Self; 6] = [
        Self::ExplicitConsent,
        Self::LegalObligation,
        Self::SubstantialPublicInterest,
        Self::LegalClaims,
        Self::Contract,
        Self::LegitimateInterests,
    ];

    /// The number it is stored under.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The basis stored under a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.number() == number)
    }

    /// The basis' name on the command line and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExplicitConsent => "explicit_consent",
            Self::LegalObligation => "legal_obligation",
            Self::SubstantialPublicInterest => "substantial_public_interest",
            Self::LegalClaims => "legal_claims",
            Self::Contract => "contract",
            Self::LegitimateInterests => "legitimate_interests",
        }
    }
}

/// A purpose the tenant declared, with its basis (O1, O2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurposeBasis {
    /// The purpose.
    pub purpose: Purpose,
    /// The ground for it.
    pub basis: LawfulBasis,
}
