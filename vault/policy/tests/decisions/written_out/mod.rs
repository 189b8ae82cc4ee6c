//! Decisions written out, for which neither the engine nor the oracle is asked what is right.

mod attestations;
mod consents;
mod development;
mod gate;
mod kept;
mod minors;
mod retention;
mod transfers;
mod unasked;

use lethe_domain::{Consent, Dossier, Giver, LawfulBasis, Manner, Purpose, Reason, Retention, TenantPolicy, Timestamp};
use lethe_policy::Operation;

use crate::comparison::{Decision, decided};
use crate::dimensions::*;

const RESTRICTED: Decision = Err((Reason::SubjectRestricted, "O22", None));
const HOLD: Decision = Err((Reason::LegalHold, "O42", None));

/// A login where the basis is explicit consent.
fn login(person: &Dossier, now: Timestamp) -> Decision {
    let policy = tenant(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent));
    decided(Operation::Verify, Purpose::Authentication, &policy, person, now)
}

/// A rectification that the person asked for.
fn put_right(policy: &TenantPolicy, person: &Dossier) -> Decision {
    decided(Operation::ReplaceTemplate, Purpose::DataSubjectRequest, policy, person, NOW)
}

fn given(manner: Manner, giver: Giver, stands: Stands) -> Consent {
    consent(Purpose::Authentication, manner, giver, stands, LATELY)
}

/// A consent of the person's own, in writing.
fn signed(to: Purpose, stands: Stands) -> Consent {
    consent(to, Manner::Written, Giver::Subject, stands, LATELY)
}

/// A tenant with logins only, on consent, that keeps people for so long.
fn logins_that_keep(retention: Retention) -> TenantPolicy {
    TenantPolicy { retention, ..logins() }
}
