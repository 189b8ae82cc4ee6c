//! What must be decided about a person, put down from the obligations, one rule after the other.
//!
//! It says some things more than once, so that each rule can be read beside the obligation that it comes from.

use lethe_domain::{
    AgeBand, Consent, Dossier, Giver, Jurisdiction, LawfulBasis, Manner, Purpose, Reason, RestrictionGround,
    TenantPolicy, Timestamp,
};
use lethe_policy::{Duty, Operation};

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
        may_be_destroyed(operation, purpose, person)?;
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
            | Operation::ExportSubject
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
    )
}

// The rules of destroying, in their order.

fn may_be_destroyed(
    operation: Operation,
    purpose: Purpose,
    person: &Dossier,
) -> Result<(), (Reason, &'static str, Option<Duty>)> {
    // O42: destruction is blocked.
    if is_held(person) {
        return Err((Reason::LegalHold, "O42", None));
    }

    // O22: kept, until the person asks to be forgotten as a whole.
    if is_restricted(person) && !is_erased_at_its_own_request(operation, purpose) {
        return Err((Reason::SubjectRestricted, "O22", None));
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

// Who is to be erased though nobody asked for it.

/// O15: a minor found without consent, to whatever purpose and in whatever manner, is erased without delay; not what
/// must be kept (O42), nor what was asked to be kept (O22).
pub(crate) fn is_child_alone(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    let somebody_agrees = if needs_a_guardian(policy, person) {
        person.consents.iter().any(|consent| is_a_guardians(consent) && is_valid(consent, now))
    } else {
        person.consents.iter().any(|consent| is_valid(consent, now))
    };
    is_a_minor(person) && !somebody_agrees && !is_held(person) && !is_restricted(person)
}

/// Why nobody may say of a person that a withdrawal left no basis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kept {
    /// O42: destruction is blocked.
    Held,
    /// O22: somebody asked to keep it.
    Restricted,
    /// O1: the tenant has no purpose that people are served for, so that none was lost.
    NothingServed,
    /// O2: one purpose that people are served for has what it rests on.
    ABasisHolds,
    /// O23: nothing was withdrawn that would be a basis now.
    NothingWithdrawn,
}

/// O23: a withdrawal starts the erasure when no other basis holds.
pub(crate) fn left_baseless(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Result<(), Kept> {
    if is_held(person) {
        return Err(Kept::Held);
    }
    if is_restricted(person) {
        return Err(Kept::Restricted);
    }
    let served: Vec<Purpose> =
        policy.purposes.iter().map(|declared| declared.purpose).filter(|&purpose| is_served(purpose)).collect();
    if served.is_empty() {
        return Err(Kept::NothingServed);
    }
    for &purpose in &served {
        if !lacks_a_basis(purpose, policy, person, now) {
            return Err(Kept::ABasisHolds);
        }
    }
    let steadfast = who_never_withdrew(person);
    for &purpose in &served {
        if !lacks_a_basis(purpose, policy, &steadfast, now) {
            return Ok(());
        }
    }
    Err(Kept::NothingWithdrawn)
}

/// Whether people are served for the purpose. For the others alone nobody is kept who withdrew.
fn is_served(purpose: Purpose) -> bool {
    match purpose {
        Purpose::Authentication
        | Purpose::DocumentCheck
        | Purpose::DuplicateDetection
        | Purpose::FraudPrevention
        | Purpose::RequesterIdentification => true,
        Purpose::KycSharing
        | Purpose::LegalClaims
        | Purpose::ServiceDevelopment
        | Purpose::Administration
        | Purpose::DataSubjectRequest
        | Purpose::Audit => false,
    }
}

/// Whether a consent is wanting without which the declared purpose has no basis. Neither an objection nor an age that
/// nobody knows is such a want.
fn lacks_a_basis(purpose: Purpose, policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    let mut agreed = false;
    let mut agreed_in_writing = false;
    for consent in &person.consents {
        if consent.purpose == purpose && is_valid(consent, now) && may_give(consent, policy, person) {
            agreed = true;
            agreed_in_writing = agreed_in_writing || is_written(consent);
        }
    }
    let wants_writing = law_asks_for_writing(policy, person); // O16
    let wants_anything = is_a_minor(person) // O15
        || declared_basis(policy, purpose) == Some(LawfulBasis::ExplicitConsent); // O2
    (wants_writing && !agreed_in_writing) || (wants_anything && !agreed)
}

/// Whether who gave the consent may give one for the person.
fn may_give(consent: &Consent, policy: &TenantPolicy, person: &Dossier) -> bool {
    match person.age {
        AgeBand::Unknown => true,
        AgeBand::Under16 => consent.giver == Giver::Guardian,
        AgeBand::MinorFrom16 => policy.alone_from_16 || consent.giver == Giver::Guardian,
        AgeBand::Adult => consent.giver == Giver::Subject,
    }
}

/// The same person, had none of the consents ever been withdrawn: what held when it was withdrawn would hold still.
fn who_never_withdrew(person: &Dossier) -> Dossier {
    let mut steadfast = person.clone();
    for consent in &mut steadfast.consents {
        let Some(withdrawn_at) = consent.withdrawn_at else { continue };
        consent.withdrawn_at = None;
        if consent.expires_at.is_some_and(|expires_at| withdrawn_at < expires_at) {
            consent.expires_at = None;
        }
    }
    steadfast
}

// What is known of the tenant and the person.

fn declared_basis(policy: &TenantPolicy, purpose: Purpose) -> Option<LawfulBasis> {
    policy.purposes.iter().find(|declared| declared.purpose == purpose).map(|declared| declared.basis)
}

/// Whether nothing but consent carries what is done for the purpose. One that is not biometric is carried by whatever
/// the tenant keeps templates on: one other basis is enough, and where it declared nothing there is none.
fn rests_on_consent(policy: &TenantPolicy, purpose: Purpose) -> bool {
    if purpose.is_biometric() {
        declared_basis(policy, purpose) == Some(LawfulBasis::ExplicitConsent)
    } else {
        !policy.purposes.iter().any(|declared| declared.basis != LawfulBasis::ExplicitConsent)
    }
}

fn law_asks_for_writing(policy: &TenantPolicy, person: &Dossier) -> bool {
    let law = person.jurisdiction.unwrap_or(policy.jurisdiction);
    law == Jurisdiction::Illinois || law == Jurisdiction::Texas || law == Jurisdiction::Washington
}

fn is_a_minor(person: &Dossier) -> bool {
    person.age == AgeBand::Under16 || person.age == AgeBand::MinorFrom16
}

fn is_of_age(person: &Dossier) -> bool {
    person.age == AgeBand::Adult
}

fn needs_a_guardian(policy: &TenantPolicy, person: &Dossier) -> bool {
    match person.age {
        AgeBand::Under16 => true,
        AgeBand::MinorFrom16 => !policy.alone_from_16,
        AgeBand::Unknown | AgeBand::Adult => false,
    }
}

fn is_held(person: &Dossier) -> bool {
    !person.holds.is_empty()
}

fn is_restricted(person: &Dossier) -> bool {
    person.restriction.is_some()
}

fn is_erased_at_its_own_request(operation: Operation, purpose: Purpose) -> bool {
    matches!(operation, Operation::EraseSubject) && purpose == Purpose::DataSubjectRequest
}

fn puts_right_what_is_contested(operation: Operation, purpose: Purpose, person: &Dossier) -> bool {
    let is_contested = match &person.restriction {
        Some(restriction) => restriction.ground == RestrictionGround::AccuracyContested,
        None => false,
    };
    is_contested && purpose == Purpose::DataSubjectRequest && matches!(operation, Operation::ReplaceTemplate)
}

fn objects(person: &Dossier, purpose: Purpose) -> bool {
    person.objections.iter().any(|objection| objection.purpose == purpose && objection.overruled.is_none())
}

// Consents.

/// Whether a valid consent of the kind exists. If not: how the latest one of the kind ended, or `missing` where there
/// never was one.
fn consented(
    person: &Dossier,
    now: Timestamp,
    missing: Reason,
    is_of_the_kind: impl Fn(&Consent) -> bool,
) -> Result<(), Reason> {
    let mut latest: Option<&Consent> = None;
    for consent in &person.consents {
        if !is_of_the_kind(consent) {
            continue;
        }
        if is_valid(consent, now) {
            return Ok(());
        }
        // Consents stand in the order in which they were recorded: of two given at once, the later recorded counts.
        match latest {
            Some(other) if other.given_at > consent.given_at => {}
            Some(_) | None => latest = Some(consent),
        }
    }
    match latest {
        None => Err(missing),
        Some(consent) if is_withdrawn(consent) => Err(Reason::ConsentWithdrawn),
        Some(_) => Err(Reason::ConsentExpired),
    }
}

/// For a purpose that is not biometric, a consent to any purpose counts.
fn is_for(consent: &Consent, purpose: Purpose) -> bool {
    !purpose.is_biometric() || consent.purpose == purpose
}

fn is_written(consent: &Consent) -> bool {
    consent.manner == Manner::Written
}

fn is_a_guardians(consent: &Consent) -> bool {
    consent.giver == Giver::Guardian
}

fn is_the_subjects(consent: &Consent) -> bool {
    consent.giver == Giver::Subject
}

fn is_withdrawn(consent: &Consent) -> bool {
    consent.withdrawn_at.is_some()
}

fn is_over(consent: &Consent, now: Timestamp) -> bool {
    match consent.expires_at {
        Some(end) => end.millis() <= now.millis(),
        None => false,
    }
}

fn is_valid(consent: &Consent, now: Timestamp) -> bool {
    !is_withdrawn(consent) && !is_over(consent, now)
}
