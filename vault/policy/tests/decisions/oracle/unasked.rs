//! Who is to be erased though nobody asked for it.

use lethe_domain::{AgeBand, Consent, Dossier, Giver, LawfulBasis, Purpose, TenantPolicy, Timestamp};

use super::keeping::is_kept_by_statute;
use super::known::*;

/// O15: a minor found without consent, to whatever purpose and in whatever manner, is erased without delay; not what
/// must be kept (O42), nor what was asked to be kept (O22). Neither a statute nor a deferral keeps it: by O17 a statute puts
/// off what falls due by O17, and by O21 put off is what was asked for.
pub(crate) fn is_child_alone(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    let somebody_agrees = if needs_a_guardian(policy, person) {
        person.consents.iter().any(|consent| is_a_guardians(consent) && is_valid(consent, now))
    } else {
        person.consents.iter().any(|consent| is_valid(consent, now))
    };
    is_a_minor(person) && !somebody_agrees && !is_held(person) && !is_blocked_for_the_person(person)
}

/// Why nobody may say of a person that a withdrawal left no basis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kept {
    /// O42: destruction is blocked.
    Held,
    /// O22: somebody asked to keep it.
    Restricted,
    /// O17: a statute wants it kept.
    ByStatute,
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
    if is_blocked_for_the_person(person) {
        return Err(Kept::Restricted);
    }
    if is_kept_by_statute(policy, person, now) {
        return Err(Kept::ByStatute);
    }
    let declared = policy.purposes.iter().map(|declared| declared.purpose);
    let served: Vec<Purpose> = declared
        .filter(|&purpose| is_served(purpose))
        // O3: what is off is no basis that could hold, nor one to lose.
        .filter(|&purpose| !is_off(policy, person, purpose))
        .collect();
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
        | Purpose::RequesterIdentification
        | Purpose::ServiceDevelopment => true,
        Purpose::KycSharing
        | Purpose::LegalClaims
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
