//! What must be decided about a person, put down from the obligations, one rule after the other.
//!
//! It says some things more than once, so that each rule can be read beside the obligation that it comes from.

pub(crate) mod attestation;
pub(crate) mod calendar;
pub(crate) mod contradictions;
pub(crate) mod gate;
pub(crate) mod keeping;
mod known;
pub(crate) mod transfers;
mod unasked;

use lethe_domain::{AgeBand, Dossier, LawfulBasis, Purpose, Reason, TenantPolicy, Timestamp};
use lethe_policy::{Duty, Operation};

use known::*;
pub(crate) use unasked::{Kept, is_child_alone, left_baseless};

/// The basis of what is allowed, or the reason, the obligation and the duty of what is denied.
pub(crate) fn expected(
    operation: Operation,
    purpose: Purpose,
    policy: &TenantPolicy,
    person: &Dossier,
    now: Timestamp,
) -> Result<Option<LawfulBasis>, (Reason, &'static str, Option<Duty>)> {
    if processes(operation) {
        may_be_processed(operation, purpose, policy, person, now)?;
    } else if destroys(operation) {
        may_be_destroyed(operation, purpose, policy, person, now)?;
    } else {
        assert!(looks(operation) || exercises_a_right(operation), "nobody said what {operation:?} does to a person");
    }
    if purpose.is_biometric() { Ok(declared_basis(policy, purpose)) } else { Ok(None) }
}

// What an operation does to a person.

fn processes(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Enroll
            | Operation::ReplaceTemplate
            | Operation::Verify
            | Operation::Search
            | Operation::SweepDuplicates
            | Operation::CreatePairCase
    )
}

fn destroys(operation: Operation) -> bool {
    matches!(operation, Operation::DeleteTemplate | Operation::EraseSubject)
}

fn looks(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::ListTemplates
            | Operation::GetSubject
            | Operation::ListConsents
            | Operation::ListHolds
            | Operation::ExportConsents
            | Operation::ListDisclosures
            | Operation::PreviewErasures
            | Operation::ExportSubject
            | Operation::GetCase
            | Operation::ListCases
    )
}

fn exercises_a_right(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::RecordConsent
            | Operation::WithdrawConsent
            | Operation::UpdateSubject
            | Operation::RestrictSubject
            | Operation::LiftRestriction
            | Operation::ObjectSubject
            | Operation::LiftObjection
            | Operation::PlaceHold
            | Operation::ReleaseHold
            | Operation::OpenRequest
            | Operation::ExtendRequest
            | Operation::CloseRequest
            | Operation::ProposeDisclosure
            | Operation::CreateContestedCase
            | Operation::DecideCase
            | Operation::ContestCase
    )
}

// The rules of destroying, in their order.

fn may_be_destroyed(
    operation: Operation,
    purpose: Purpose,
    policy: &TenantPolicy,
    person: &Dossier,
    now: Timestamp,
) -> Result<(), (Reason, &'static str, Option<Duty>)> {
    // O42: destruction is blocked.
    if is_held(person) {
        return Err((Reason::LegalHold, "O42", None));
    }

    // O22: kept, until the person asks to be forgotten as a whole.
    if is_blocked_for_the_person(person) && !is_erased_at_its_own_request(operation, purpose) {
        return Err((Reason::SubjectRestricted, "O22", None));
    }

    // O21: put off, until it is due or the person gets it sooner than that.
    if is_put_off(person) && !is_erased_at_its_own_request(operation, purpose) {
        return Err((Reason::ErasureDeferred, "O21", None));
    }

    // O17: a statute keeps, whoever wants what destroyed; not a minor whom nobody consented for (O15).
    if keeping::is_kept_by_statute(policy, person, now) && !unasked::is_child_alone(policy, person, now) {
        return Err((Reason::StatutoryMinimum, "O17", None));
    }

    Ok(())
}

// The rules of processing, in their order. For who is of age nobody else consents: what a guardian gave counts as if
// it were not there.

fn may_be_processed(
    operation: Operation,
    purpose: Purpose,
    policy: &TenantPolicy,
    person: &Dossier,
    now: Timestamp,
) -> Result<(), (Reason, &'static str, Option<Duty>)> {
    // O1: the tenant sets the purposes; everything outside them is refused.
    if purpose.is_biometric() && declared_basis(policy, purpose).is_none() {
        return Err((Reason::PurposeNotAllowed, "O1", None));
    }

    // O16: Illinois, Texas, Washington: written consent before anything is processed at all. It overrides the rest.
    if law_asks_for_writing(policy, person) {
        let answer = if needs_a_guardian(policy, person) {
            // O15 and O16 at once: the guardian's own written word.
            consented(person, now, Reason::WrittenConsentRequired, |consent| {
                is_for(consent, purpose) && is_written(consent) && is_a_guardians(consent)
            })
        } else if is_of_age(person) {
            consented(person, now, Reason::WrittenConsentRequired, |consent| {
                is_for(consent, purpose) && is_written(consent) && is_the_subjects(consent)
            })
        } else {
            consented(person, now, Reason::WrittenConsentRequired, |consent| {
                is_for(consent, purpose) && is_written(consent)
            })
        };
        if let Err(reason) = answer {
            return Err((reason, "O16", duty_to_a_minor(policy, person, now)));
        }
    }

    // O42: storage only.
    if is_held(person) {
        return Err((Reason::LegalHold, "O42", None));
    }

    // O22: kept, and not processed. O24: what a person contests can be put right, which is what ends the restriction.
    if is_restricted(person) && !puts_right_what_is_contested(operation, purpose, person) {
        return Err((Reason::SubjectRestricted, "O22", None));
    }

    // O21: storage only, until it is erased.
    if is_put_off(person) {
        return Err((Reason::ErasureDeferred, "O21", None));
    }

    // O28: whatever is to become of the data, nobody is verified who is dead.
    if is_dead(person) {
        return Err((Reason::SubjectDeceased, "O28", None));
    }

    // O17: past its time. What a statute keeps beyond it is storage only.
    if keeping::is_over(&keeping::ends_of_person(policy, person), now) {
        return Err((Reason::RetentionExpired, "O17", None));
    }

    // O3: the jurisdiction has to allow it. The environment has to as well, which the gate saw to.
    if law_forbids(policy, person, purpose) {
        return Err((Reason::JurisdictionForbids, "O3", None));
    }

    // O15: minors.
    match person.age {
        AgeBand::Adult => {}
        AgeBand::Unknown => {
            if policy.age_required {
                return Err((Reason::AgeUnknown, "O15", None));
            }
        }
        AgeBand::Under16 | AgeBand::MinorFrom16 => {
            let answer = if needs_a_guardian(policy, person) {
                consented(person, now, Reason::MinorWithoutGuardian, |consent| {
                    is_for(consent, purpose) && is_a_guardians(consent)
                })
            } else {
                consented(person, now, Reason::ConsentMissing, |consent| is_for(consent, purpose))
            };
            if let Err(reason) = answer {
                return Err((reason, "O15", duty_to_a_minor(policy, person, now)));
            }
        }
    }

    // O39: the purpose stops, until the client records compelling grounds.
    if purpose.is_biometric() && objects(person, purpose) {
        return Err((Reason::PurposeObjected, "O39", None));
    }

    // O2: what rests on consent needs one. O23: a withdrawal stops it.
    if rests_on_consent(policy, purpose) {
        let answer = if is_of_age(person) {
            consented(person, now, Reason::ConsentMissing, |consent| {
                is_for(consent, purpose) && is_the_subjects(consent)
            })
        } else {
            consented(person, now, Reason::ConsentMissing, |consent| is_for(consent, purpose))
        };
        if let Err(reason) = answer {
            let obligation = if reason == Reason::ConsentWithdrawn { "O23" } else { "O2" };
            return Err((reason, obligation, None));
        }
    }

    Ok(())
}

/// What is owed to a person who is refused for want of a consent: to a child whom nobody looks after, its erasure.
fn duty_to_a_minor(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Option<Duty> {
    if is_child_alone(policy, person, now) { Some(Duty::EraseWithoutDelay) } else { None }
}
