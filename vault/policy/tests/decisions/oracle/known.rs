//! What is known of a tenant and of a person.

use lethe_domain::{
    AgeBand, Consent, Dossier, Environment, Giver, Jurisdiction, LawfulBasis, Manner, Purpose, Reason,
    RestrictionGround, TenantPolicy, Timestamp,
};
use lethe_policy::Operation;

// The tenant and the person.

pub(crate) fn declared_basis(policy: &TenantPolicy, purpose: Purpose) -> Option<LawfulBasis> {
    policy.purposes.iter().find(|declared| declared.purpose == purpose).map(|declared| declared.basis)
}

/// Whether nothing but consent carries what is done for the purpose. One that is not biometric is carried by whatever
/// the tenant keeps templates on: one other basis is enough, and where it declared nothing there is none.
pub(crate) fn rests_on_consent(policy: &TenantPolicy, purpose: Purpose) -> bool {
    if purpose.is_biometric() {
        declared_basis(policy, purpose) == Some(LawfulBasis::ExplicitConsent)
    } else {
        !policy.purposes.iter().any(|declared| declared.basis != LawfulBasis::ExplicitConsent)
    }
}

pub(crate) fn law(policy: &TenantPolicy, person: &Dossier) -> Jurisdiction {
    person.jurisdiction.unwrap_or(policy.jurisdiction)
}

pub(crate) fn law_asks_for_writing(policy: &TenantPolicy, person: &Dossier) -> bool {
    let law = law(policy, person);
    law == Jurisdiction::Illinois || law == Jurisdiction::Texas || law == Jurisdiction::Washington
}

/// O3: the laws that ask for a written release for each purpose have no place for this one.
pub(crate) fn law_forbids(policy: &TenantPolicy, person: &Dossier, purpose: Purpose) -> bool {
    purpose == Purpose::ServiceDevelopment && law_asks_for_writing(policy, person)
}

/// O3: off, unless the tenant's environment and the person's law allow it, whatever the tenant declares.
pub(crate) fn is_off(policy: &TenantPolicy, person: &Dossier, purpose: Purpose) -> bool {
    purpose == Purpose::ServiceDevelopment
        && (policy.environment != Environment::Development || law_forbids(policy, person, purpose))
}

pub(crate) fn is_a_minor(person: &Dossier) -> bool {
    person.age == AgeBand::Under16 || person.age == AgeBand::MinorFrom16
}

pub(crate) fn is_of_age(person: &Dossier) -> bool {
    person.age == AgeBand::Adult
}

pub(crate) fn needs_a_guardian(policy: &TenantPolicy, person: &Dossier) -> bool {
    match person.age {
        AgeBand::Under16 => true,
        AgeBand::MinorFrom16 => !policy.alone_from_16,
        AgeBand::Unknown | AgeBand::Adult => false,
    }
}

pub(crate) fn is_held(person: &Dossier) -> bool {
    !person.holds.is_empty()
}

pub(crate) fn is_restricted(person: &Dossier) -> bool {
    person.restriction.is_some()
}

/// O22: what a person may ask for keeps what it is about. What a client does for reasons of its own keeps nothing that O17 or O23 ends.
pub(crate) fn is_blocked_for_the_person(person: &Dossier) -> bool {
    match person.restriction.as_ref().map(|restriction| restriction.ground) {
        None | Some(RestrictionGround::ClientReason) => false,
        Some(
            RestrictionGround::AccuracyContested
            | RestrictionGround::UnlawfulProcessing
            | RestrictionGround::NeededForClaim
            | RestrictionGround::ObjectionPending
            | RestrictionGround::Other,
        ) => true,
    }
}

pub(crate) fn is_put_off(person: &Dossier) -> bool {
    person.deferral.is_some()
}

pub(crate) fn is_dead(person: &Dossier) -> bool {
    person.died_at.is_some()
}

pub(crate) fn is_erased_at_its_own_request(operation: Operation, purpose: Purpose) -> bool {
    matches!(operation, Operation::EraseSubject) && purpose == Purpose::DataSubjectRequest
}

pub(crate) fn puts_right_what_is_contested(operation: Operation, purpose: Purpose, person: &Dossier) -> bool {
    let is_contested = match &person.restriction {
        // What a client does for reasons of its own is in nobody's way.
        Some(restriction) => {
            matches!(restriction.ground, RestrictionGround::AccuracyContested | RestrictionGround::ClientReason)
        }
        None => false,
    };
    is_contested && purpose == Purpose::DataSubjectRequest && matches!(operation, Operation::ReplaceTemplate)
}

pub(crate) fn objects(person: &Dossier, purpose: Purpose) -> bool {
    person.objections.iter().any(|objection| objection.purpose == purpose && objection.overruled.is_none())
}

// Consents.

/// Whether a valid consent of the kind exists. If not: how the latest one of the kind ended, or `missing` where there
/// never was one.
pub(crate) fn consented(
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
pub(crate) fn is_for(consent: &Consent, purpose: Purpose) -> bool {
    !purpose.is_biometric() || consent.purpose == purpose
}

pub(crate) fn is_written(consent: &Consent) -> bool {
    consent.manner == Manner::Written
}

pub(crate) fn is_a_guardians(consent: &Consent) -> bool {
    consent.giver == Giver::Guardian
}

pub(crate) fn is_the_subjects(consent: &Consent) -> bool {
    consent.giver == Giver::Subject
}

pub(crate) fn is_withdrawn(consent: &Consent) -> bool {
    consent.withdrawn_at.is_some()
}

pub(crate) fn is_over(consent: &Consent, now: Timestamp) -> bool {
    match consent.expires_at {
        Some(end) => end.millis() <= now.millis(),
        None => false,
    }
}

pub(crate) fn is_valid(consent: &Consent, now: Timestamp) -> bool {
    !is_withdrawn(consent) && !is_over(consent, now)
}
