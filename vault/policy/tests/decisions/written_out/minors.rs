//! Minors, and who consents for them.

use lethe_domain::{
    AgeBand, Consent, Dossier, Giver, LawfulBasis, Manner, Purpose, Reason, RestrictionGround, TenantPolicy,
};
use lethe_policy::Operation;

use super::{HOLD, RESTRICTED, given, login};
use crate::comparison::{Decision, ERASE, decided};
use crate::dimensions::*;

#[test]
fn a_guardians_consent_that_ends_now_leaves_a_child_to_be_erased() {
    let signed = given(Manner::Written, Giver::Guardian, Stands::Valid);
    let person = child(vec![Consent { expires_at: Some(NOW), ..signed }]);
    assert_eq!(login(&person, from_now(-1)), Ok(Some(LawfulBasis::ExplicitConsent)));
    assert_eq!(login(&person, NOW), Err((Reason::ConsentExpired, "O15", ERASE)));
}

#[test]
fn in_illinois_a_childs_guardian_consents_in_writing_or_not_at_all() {
    let own = given(Manner::Written, Giver::Subject, Stands::Valid);
    let ticked = given(Manner::Electronic, Giver::Guardian, Stands::Valid);
    let signed = given(Manner::Written, Giver::Guardian, Stands::Valid);
    let answer = |consents| login(&in_illinois(child(consents)), NOW);
    assert_eq!(answer(vec![own.clone()]), Err((Reason::WrittenConsentRequired, "O16", ERASE)));
    assert_eq!(answer(vec![own, ticked]), Err((Reason::WrittenConsentRequired, "O16", None)));
    assert_eq!(answer(vec![signed]), Ok(Some(LawfulBasis::ExplicitConsent)));
}

#[test]
fn a_child_without_a_guardian_is_erased_unless_held_or_restricted() {
    assert_eq!(login(&child(vec![]), NOW), Err((Reason::MinorWithoutGuardian, "O15", ERASE)));
    assert_eq!(login(&in_illinois(child(vec![])), NOW), Err((Reason::WrittenConsentRequired, "O16", ERASE)));

    let held = Dossier { holds: vec![a_hold()], ..child(vec![]) };
    assert_eq!(login(&held, NOW), HOLD);
    assert_eq!(login(&in_illinois(held), NOW), Err((Reason::WrittenConsentRequired, "O16", None)));

    let kept = restricted(RestrictionGround::UnlawfulProcessing, child(vec![]));
    assert_eq!(login(&kept, NOW), RESTRICTED);
    assert_eq!(login(&in_illinois(kept), NOW), Err((Reason::WrittenConsentRequired, "O16", None)));
}

#[test]
fn a_guardians_consent_to_another_purpose_keeps_a_child_and_allows_nothing() {
    let elsewhere = consent(Purpose::DuplicateDetection, Manner::Written, Giver::Guardian, Stands::Valid, LATELY);
    assert_eq!(login(&child(vec![elsewhere]), NOW), Err((Reason::MinorWithoutGuardian, "O15", None)));
}

#[test]
fn nobody_is_erased_because_the_age_is_unknown() {
    let purpose = Purpose::Authentication;
    let policy = TenantPolicy { age_required: true, ..tenant(purpose, Some(LawfulBasis::ExplicitConsent)) };
    let answer = |person: &Dossier| decided(Operation::Verify, purpose, &policy, person, NOW);
    let person = Dossier::default();
    assert_eq!(answer(&person), Err((Reason::AgeUnknown, "O15", None)));
    assert_eq!(answer(&in_illinois(person)), Err((Reason::WrittenConsentRequired, "O16", None)));
}

#[test]
fn a_minor_from_16_consents_alone_where_the_law_lets_it() {
    let purpose = Purpose::DuplicateDetection;
    let together = tenant(purpose, Some(LawfulBasis::LegalObligation));
    let alone = TenantPolicy { alone_from_16: true, ..together.clone() };
    let own = consent(purpose, Manner::Electronic, Giver::Subject, Stands::Valid, LATELY);
    let silent = Dossier { age: AgeBand::MinorFrom16, ..adult(vec![]) };
    let agreed = Dossier { age: AgeBand::MinorFrom16, ..adult(vec![own]) };
    let answer = |policy, person| decided(Operation::Enroll, purpose, policy, person, NOW);
    assert_eq!(answer(&together, &silent), Err((Reason::MinorWithoutGuardian, "O15", ERASE)));
    assert_eq!(answer(&together, &agreed), Err((Reason::MinorWithoutGuardian, "O15", ERASE)));
    assert_eq!(answer(&alone, &silent), Err((Reason::ConsentMissing, "O15", ERASE)));
    assert_eq!(answer(&alone, &agreed), Ok(Some(LawfulBasis::LegalObligation)));
}

#[test]
fn a_minor_who_may_consent_alone_is_erased_when_nobody_consented_to_anything() {
    let purpose = Purpose::DuplicateDetection;
    let policy = TenantPolicy { alone_from_16: true, ..tenant(purpose, Some(LawfulBasis::LegalObligation)) };
    let minor = |consents| Dossier { age: AgeBand::MinorFrom16, ..adult(consents) };
    let answer = |person: &Dossier| decided(Operation::Enroll, purpose, &policy, person, NOW);
    let one = |to, giver, stands| consent(to, Manner::Electronic, giver, stands, LATELY);

    let withdrawn = one(purpose, Giver::Subject, Stands::Withdrawn);
    let expired = one(purpose, Giver::Guardian, Stands::Expired);
    assert_eq!(answer(&minor(vec![withdrawn])), Err((Reason::ConsentWithdrawn, "O15", ERASE)));
    assert_eq!(answer(&minor(vec![expired])), Err((Reason::ConsentExpired, "O15", ERASE)));
    for giver in Giver::ALL {
        let elsewhere = minor(vec![one(Purpose::Authentication, giver, Stands::Valid)]);
        assert_eq!(answer(&elsewhere), Err((Reason::ConsentMissing, "O15", None)));
    }

    let unwritten = one(purpose, Giver::Subject, Stands::Valid);
    let refused = |duty| -> Decision { Err((Reason::WrittenConsentRequired, "O16", duty)) };
    assert_eq!(answer(&in_illinois(minor(vec![]))), refused(ERASE));
    assert_eq!(answer(&in_illinois(minor(vec![unwritten]))), refused(None));
    let kept = restricted(RestrictionGround::Other, minor(vec![]));
    assert_eq!(answer(&in_illinois(kept)), refused(None));
}
