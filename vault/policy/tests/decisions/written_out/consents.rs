//! What a consent allows, and when it ends.

use lethe_domain::{AgeBand, Consent, Dossier, Giver, LawfulBasis, Manner, Purpose, Reason, RestrictionGround};

use super::{given, login, put_right};
use crate::comparison::Decision;
use crate::dimensions::*;

#[test]
fn a_consent_ends_exactly_at_its_time() {
    let ticked = given(Manner::Electronic, Giver::Subject, Stands::Valid);
    let person = adult(vec![Consent { expires_at: Some(NOW), ..ticked }]);
    assert_eq!(login(&person, from_now(-1)), Ok(Some(LawfulBasis::ExplicitConsent)));
    assert_eq!(login(&person, NOW), Err((Reason::ConsentExpired, "O2", None)));
    assert_eq!(login(&person, from_now(1)), Err((Reason::ConsentExpired, "O2", None)));
}

#[test]
fn a_withdrawal_holds_though_the_clock_jumped_back() {
    let ticked = given(Manner::Electronic, Giver::Subject, Stands::Valid);
    let person = adult(vec![Consent { withdrawn_at: Some(NOW), ..ticked }]);
    for now in [LONG_AGO, from_now(-1), NOW, from_now(1)] {
        assert_eq!(login(&person, now), Err((Reason::ConsentWithdrawn, "O23", None)));
    }
}

#[test]
fn a_consent_holds_though_the_clock_jumped_back_before_it_was_given() {
    let person = adult(vec![given(Manner::Electronic, Giver::Subject, Stands::Valid)]);
    assert_eq!(login(&person, LONG_AGO), Ok(Some(LawfulBasis::ExplicitConsent)));
}

#[test]
fn of_two_consents_given_at_once_the_one_recorded_last_tells_why() {
    let expired = given(Manner::Electronic, Giver::Subject, Stands::Expired);
    let withdrawn = given(Manner::Electronic, Giver::Subject, Stands::Withdrawn);
    let person = adult(vec![expired.clone(), withdrawn.clone()]);
    assert_eq!(login(&person, NOW), Err((Reason::ConsentWithdrawn, "O23", None)));
    let person = adult(vec![withdrawn, expired]);
    assert_eq!(login(&person, NOW), Err((Reason::ConsentExpired, "O2", None)));
}

#[test]
fn a_written_consent_comes_before_everything_else_in_illinois() {
    let ticked = given(Manner::Electronic, Giver::Subject, Stands::Valid);
    let refused = Err((Reason::WrittenConsentRequired, "O16", None));
    let person = in_illinois(adult(vec![ticked]));
    assert_eq!(login(&person, NOW), refused);
    let person = Dossier {
        holds: vec![a_hold()],
        restriction: Some(a_restriction(RestrictionGround::UnlawfulProcessing)),
        objections: vec![an_objection(Purpose::Authentication)],
        ..person
    };
    assert_eq!(login(&person, NOW), refused);
}

#[test]
fn where_a_tenant_has_nothing_but_consents_a_template_is_put_right_with_one() {
    use LawfulBasis::{Contract, ExplicitConsent, LegalClaims, LegalObligation};
    use Purpose::{Authentication, DataSubjectRequest};
    let one = |stands| given(Manner::Electronic, Giver::Subject, stands);
    let elsewhere = consent(Purpose::KycSharing, Manner::Spoken, Giver::Subject, Stands::Valid, LONG_AGO);

    let consents_only = [
        declaring(Authentication, None, None),
        declaring(Authentication, Some(ExplicitConsent), None),
        declaring(Authentication, Some(ExplicitConsent), Some(ExplicitConsent)),
        declaring(DataSubjectRequest, Some(ExplicitConsent), None),
    ];
    for policy in consents_only {
        let answer = |consents| put_right(&policy, &adult(consents));
        assert_eq!(answer(vec![]), Err((Reason::ConsentMissing, "O2", None)));
        assert_eq!(answer(vec![one(Stands::Valid)]), Ok(None));
        assert_eq!(answer(vec![one(Stands::Expired)]), Err((Reason::ConsentExpired, "O2", None)));
        assert_eq!(answer(vec![one(Stands::Withdrawn)]), Err((Reason::ConsentWithdrawn, "O23", None)));
        assert_eq!(answer(vec![elsewhere.clone(), one(Stands::Withdrawn)]), Ok(None));
    }

    let with_something_else = [
        declaring(Authentication, Some(ExplicitConsent), Some(Contract)),
        declaring(Authentication, Some(Contract), Some(ExplicitConsent)),
        declaring(Authentication, None, Some(LegalClaims)),
        declaring(DataSubjectRequest, Some(LegalObligation), Some(ExplicitConsent)),
    ];
    for policy in with_something_else {
        assert_eq!(put_right(&policy, &adult(vec![])), Ok(None));
        assert_eq!(put_right(&policy, &adult(vec![one(Stands::Withdrawn)])), Ok(None));
    }
}

#[test]
fn a_guardian_consents_to_nothing_for_an_adult() {
    let consents_only = declaring(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent), None);
    let missing = |obligation| -> Decision { Err((Reason::ConsentMissing, obligation, None)) };
    for stands in EVERY_STANDING {
        let person = adult(vec![given(Manner::Written, Giver::Guardian, stands)]);
        assert_eq!(login(&person, NOW), missing("O2"));
        assert_eq!(put_right(&consents_only, &person), missing("O2"));
        assert_eq!(login(&in_illinois(person), NOW), Err((Reason::WrittenConsentRequired, "O16", None)));
    }

    // The guardian's neither helps nor tells why.
    let own = |stands| consent(Purpose::Authentication, Manner::Written, Giver::Subject, stands, LONG_AGO);
    let allowed = Ok(Some(LawfulBasis::ExplicitConsent));
    for stands in EVERY_STANDING {
        let beside = |mine| adult(vec![own(mine), given(Manner::Written, Giver::Guardian, stands)]);
        assert_eq!(login(&beside(Stands::Valid), NOW), allowed);
        assert_eq!(login(&beside(Stands::Withdrawn), NOW), Err((Reason::ConsentWithdrawn, "O23", None)));
        assert_eq!(login(&beside(Stands::Expired), NOW), Err((Reason::ConsentExpired, "O2", None)));
        let answer = |mine| login(&in_illinois(beside(mine)), NOW);
        assert_eq!(answer(Stands::Valid), allowed);
        assert_eq!(answer(Stands::Withdrawn), Err((Reason::ConsentWithdrawn, "O16", None)));
        assert_eq!(answer(Stands::Expired), Err((Reason::ConsentExpired, "O16", None)));
    }
}

#[test]
fn anybody_consents_for_somebody_of_unknown_age() {
    for giver in Giver::ALL {
        let somebody = |stands| Dossier { age: AgeBand::Unknown, ..adult(vec![given(Manner::Written, giver, stands)]) };
        assert_eq!(login(&somebody(Stands::Valid), NOW), Ok(Some(LawfulBasis::ExplicitConsent)));
        assert_eq!(login(&in_illinois(somebody(Stands::Valid)), NOW), Ok(Some(LawfulBasis::ExplicitConsent)));
        assert_eq!(login(&somebody(Stands::Withdrawn), NOW), Err((Reason::ConsentWithdrawn, "O23", None)));
        let answer = login(&in_illinois(somebody(Stands::Expired)), NOW);
        assert_eq!(answer, Err((Reason::ConsentExpired, "O16", None)));
    }
}
