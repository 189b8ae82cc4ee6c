//! What a hold, a restriction and an objection stop, and what they do not.

use lethe_domain::{Dossier, Giver, LawfulBasis, Manner, Purpose, Reason, RestrictionGround, TenantPolicy};
use lethe_policy::Operation;

use super::{HOLD, RESTRICTED, given, put_right};
use crate::comparison::decided;
use crate::dimensions::*;

/// The grounds that are rights of the person.
const PERSONS: [RestrictionGround; 5] = [
    RestrictionGround::AccuracyContested,
    RestrictionGround::UnlawfulProcessing,
    RestrictionGround::NeededForClaim,
    RestrictionGround::ObjectionPending,
    RestrictionGround::Other,
];

#[test]
fn a_hold_blocks_destruction_whoever_wants_it() {
    let policy = tenant(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent));
    let held = Dossier { holds: vec![a_hold()], ..adult(vec![]) };
    for operation in DESTROYING {
        for purpose in Purpose::ALL {
            assert_eq!(decided(operation, purpose, &policy, &held, NOW), HOLD);
            for ground in RestrictionGround::ALL {
                let person = restricted(ground, held.clone());
                assert_eq!(decided(operation, purpose, &policy, &person, NOW), HOLD);
            }
        }
    }
}

#[test]
fn what_is_kept_for_a_person_is_destroyed_when_it_asks_to_be_forgotten_and_not_otherwise() {
    let policy = tenant(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent));
    let answer = |operation, purpose, person: &Dossier| decided(operation, purpose, &policy, person, NOW);
    // The client's own reason keeps nothing.
    let own = restricted(RestrictionGround::ClientReason, adult(vec![]));
    for operation in DESTROYING {
        assert_eq!(answer(operation, Purpose::DataSubjectRequest, &own), Ok(None));
        assert_eq!(answer(operation, Purpose::Administration, &own), Ok(None));
    }
    for ground in PERSONS {
        let kept = restricted(ground, adult(vec![]));
        assert_eq!(answer(Operation::EraseSubject, Purpose::DataSubjectRequest, &kept), Ok(None));
        assert_eq!(answer(Operation::DeleteTemplate, Purpose::DataSubjectRequest, &kept), RESTRICTED);
        for purpose in Purpose::ALL {
            if purpose != Purpose::DataSubjectRequest {
                assert_eq!(answer(Operation::EraseSubject, purpose, &kept), RESTRICTED);
                assert_eq!(answer(Operation::DeleteTemplate, purpose, &kept), RESTRICTED);
            }
        }
    }
    let free = adult(vec![]);
    for operation in DESTROYING {
        assert_eq!(answer(operation, Purpose::DataSubjectRequest, &free), Ok(None));
        assert_eq!(answer(operation, Purpose::Administration, &free), Ok(None));
        assert_eq!(answer(operation, Purpose::Authentication, &free), Ok(Some(LawfulBasis::ExplicitConsent)));
    }
}

#[test]
fn a_template_may_be_put_right_for_who_contests_it() {
    let policy = tenant(Purpose::Authentication, Some(LawfulBasis::LegalObligation));
    let contested = restricted(RestrictionGround::AccuracyContested, adult(vec![]));
    assert_eq!(put_right(&policy, &contested), Ok(None));
    for operation in PROCESSING {
        assert_eq!(decided(operation, Purpose::Authentication, &policy, &contested, NOW), RESTRICTED);
    }
    for operation in [Operation::Enroll, Operation::Verify, Operation::Search, Operation::SweepDuplicates] {
        assert_eq!(decided(operation, Purpose::DataSubjectRequest, &policy, &contested, NOW), RESTRICTED);
    }
    // Nor is the client's own reason in the way of who has it put right; it is in all else.
    let own = restricted(RestrictionGround::ClientReason, adult(vec![]));
    assert_eq!(put_right(&policy, &own), Ok(None));
    for operation in PROCESSING {
        assert_eq!(decided(operation, Purpose::Authentication, &policy, &own, NOW), RESTRICTED);
    }
    for ground in PERSONS {
        if ground != RestrictionGround::AccuracyContested {
            assert_eq!(put_right(&policy, &restricted(ground, adult(vec![]))), RESTRICTED);
        }
    }
}

#[test]
fn a_contest_lifts_the_restriction_and_no_other_rule() {
    let lawful = tenant(Purpose::Authentication, Some(LawfulBasis::LegalObligation));
    let strict = TenantPolicy { age_required: true, ..lawful.clone() };
    let consents_only = declaring(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent), None);
    let answer = |policy, person| put_right(policy, &restricted(RestrictionGround::AccuracyContested, person));
    assert_eq!(answer(&lawful, Dossier { holds: vec![a_hold()], ..adult(vec![]) }), HOLD);
    assert_eq!(answer(&lawful, in_illinois(adult(vec![]))), Err((Reason::WrittenConsentRequired, "O16", None)));
    assert_eq!(answer(&lawful, child(vec![])), Err((Reason::MinorWithoutGuardian, "O15", None)));
    assert_eq!(answer(&strict, Dossier::default()), Err((Reason::AgeUnknown, "O15", None)));
    assert_eq!(answer(&consents_only, adult(vec![])), Err((Reason::ConsentMissing, "O2", None)));
}

#[test]
fn nothing_about_a_person_takes_away_a_right_or_a_look() {
    let policy = TenantPolicy { age_required: true, ..tenant(Purpose::Authentication, None) };
    let withdrawn = given(Manner::Electronic, Giver::Subject, Stands::Withdrawn);
    let person = Dossier {
        holds: vec![a_hold()],
        restriction: Some(a_restriction(RestrictionGround::UnlawfulProcessing)),
        objections: vec![an_objection(Purpose::Authentication)],
        ..in_illinois(child(vec![withdrawn]))
    };
    for operation in LOOKING.into_iter().chain(RIGHTS) {
        assert_eq!(decided(operation, Purpose::DataSubjectRequest, &policy, &person, NOW), Ok(None));
    }
}

#[test]
fn an_objection_stops_its_purpose_until_it_is_overruled() {
    let policy = tenant(Purpose::FraudPrevention, Some(LawfulBasis::LegitimateInterests));
    let answer = |objections| {
        let person = Dossier { objections, ..adult(vec![]) };
        decided(Operation::Search, Purpose::FraudPrevention, &policy, &person, NOW)
    };
    let allowed = Ok(Some(LawfulBasis::LegitimateInterests));
    let objection = an_objection(Purpose::FraudPrevention);
    assert_eq!(answer(vec![objection.clone()]), Err((Reason::PurposeObjected, "O39", None)));
    assert_eq!(answer(vec![overruled(objection)]), allowed);
    assert_eq!(answer(vec![an_objection(Purpose::Authentication)]), allowed);
}
