//! What is crossed: operations, purposes, bases, what keeps a person, and what services say of captures.

mod captures;
mod consents;
mod dice;
mod people;
mod tenants;
mod times;

use lethe_domain::{LawfulBasis, Purpose, RestrictionGround, Timestamp};
use lethe_policy::Operation;

pub(crate) use captures::*;
pub(crate) use consents::*;
pub(crate) use dice::Dice;
pub(crate) use people::*;
pub(crate) use tenants::*;
pub(crate) use times::*;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const LONG_AGO: Timestamp = from_now(-2_000_000);
pub(crate) const LATELY: Timestamp = from_now(-1_000_000);

pub(crate) const PROCESSING: [Operation; 6] = [
    Operation::Enroll,
    Operation::ReplaceTemplate,
    Operation::Verify,
    Operation::Search,
    Operation::SweepDuplicates,
    Operation::CreatePairCase,
];

pub(crate) const DESTROYING: [Operation; 2] = [Operation::DeleteTemplate, Operation::EraseSubject];

pub(crate) const LOOKING: [Operation; 10] = [
    Operation::ListTemplates,
    Operation::GetSubject,
    Operation::ListConsents,
    Operation::ListHolds,
    Operation::ExportConsents,
    Operation::ListDisclosures,
    Operation::PreviewErasures,
    Operation::GetCase,
    Operation::ListCases,
    // What it hands over is the person's.
    Operation::ExportSubject,
];

pub(crate) const RIGHTS: [Operation; 16] = [
    Operation::RecordConsent,
    Operation::WithdrawConsent,
    Operation::UpdateSubject,
    Operation::RestrictSubject,
    Operation::LiftRestriction,
    Operation::ObjectSubject,
    Operation::LiftObjection,
    Operation::PlaceHold,
    Operation::ReleaseHold,
    Operation::OpenRequest,
    Operation::ExtendRequest,
    Operation::CloseRequest,
    Operation::ProposeDisclosure,
    Operation::CreateContestedCase,
    Operation::DecideCase,
    Operation::ContestCase,
];

pub(crate) const PURPOSES: [Purpose; 4] =
    [Purpose::Authentication, Purpose::DuplicateDetection, Purpose::FraudPrevention, Purpose::DataSubjectRequest];

/// What a tenant declares for the purpose of the call, and what for another one; `None` where it does not have it.
pub(crate) const BASES: [(Option<LawfulBasis>, Option<LawfulBasis>); 8] = [
    // Consents only.
    (Some(LawfulBasis::ExplicitConsent), None),
    (Some(LawfulBasis::ExplicitConsent), Some(LawfulBasis::ExplicitConsent)),
    (None, Some(LawfulBasis::ExplicitConsent)),
    // A consent and something else.
    (Some(LawfulBasis::ExplicitConsent), Some(LawfulBasis::Contract)),
    (Some(LawfulBasis::LegalObligation), Some(LawfulBasis::ExplicitConsent)),
    // No consent.
    (Some(LawfulBasis::LegitimateInterests), None),
    (None, Some(LawfulBasis::Contract)),
    // Nothing at all.
    (None, None),
];

/// The purposes that people are served for, in production.
pub(crate) const SERVED: [Purpose; 5] = [
    Purpose::Authentication,
    Purpose::DocumentCheck,
    Purpose::DuplicateDetection,
    Purpose::FraudPrevention,
    Purpose::RequesterIdentification,
];

pub(crate) const HELD: [bool; 2] = [false, true];

/// Why a person is restricted, if at all: on the ground that a rectification ends, and on one that it does not.
pub(crate) const GROUNDS: [Option<RestrictionGround>; 3] =
    [None, Some(RestrictionGround::AccuracyContested), Some(RestrictionGround::UnlawfulProcessing)];

/// A person who is neither held nor restricted, one who is held, and those who are restricted.
pub(crate) const KEPT: [(bool, Option<RestrictionGround>); 4] =
    [(false, None), (true, None), (false, GROUNDS[1]), (false, GROUNDS[2])];

pub(crate) const fn from_now(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + millis)
}

pub(crate) fn every_operation() -> Vec<Operation> {
    [PROCESSING.as_slice(), DESTROYING.as_slice(), LOOKING.as_slice(), RIGHTS.as_slice()].concat()
}

/// A purpose that the call is not about.
pub(crate) fn another(purpose: Purpose) -> Purpose {
    if purpose == Purpose::Authentication { Purpose::FraudPrevention } else { Purpose::Authentication }
}

/// The purpose that consents are given to in calls for `purpose`: nobody consents to one that is not biometric.
pub(crate) fn consented_purpose(purpose: Purpose) -> Purpose {
    if purpose.is_biometric() { purpose } else { Purpose::DuplicateDetection }
}
