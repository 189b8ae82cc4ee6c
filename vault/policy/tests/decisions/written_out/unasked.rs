//! Who is to be erased though nobody asked for it.

use lethe_domain::{
    AgeBand, Consent, Dossier, Environment, Giver, Jurisdiction, LawfulBasis, Manner, Purpose, RestrictionGround,
    TenantPolicy,
};

use lethe_policy::was_left_baseless;

use super::{given, signed};
use crate::comparison::{alone, baseless};
use crate::dimensions::*;
use crate::oracle::Kept;

#[test]
fn a_child_is_alone_until_a_guardian_consents_to_anything() {
    let policy = logins();
    let answer = |consents| alone(&policy, &child(consents), NOW);
    assert!(answer(vec![]));
    for manner in Manner::ALL {
        assert!(answer(vec![given(manner, Giver::Subject, Stands::Valid)]));
        assert!(answer(vec![given(manner, Giver::Guardian, Stands::Expired)]));
        assert!(answer(vec![given(manner, Giver::Guardian, Stands::Withdrawn)]));
        for to in Purpose::ALL {
            if to.is_biometric() {
                assert!(!answer(vec![consent(to, manner, Giver::Guardian, Stands::Valid, LATELY)]));
            }
        }
    }
    let spoken = given(Manner::Spoken, Giver::Guardian, Stands::Valid);
    assert!(!alone(&policy, &in_illinois(child(vec![spoken.clone()])), NOW));
    let person = child(vec![Consent { expires_at: Some(NOW), ..spoken }]);
    assert!(!alone(&policy, &person, from_now(-1)));
    assert!(alone(&policy, &person, NOW));
}

#[test]
fn a_minor_from_16_is_alone_by_the_law_of_the_tenant() {
    let together = logins();
    let by_itself = TenantPolicy { alone_from_16: true, ..together.clone() };
    let minor = |consents| Dossier { age: AgeBand::MinorFrom16, ..adult(consents) };
    for policy in [&together, &by_itself] {
        assert!(alone(policy, &minor(vec![]), NOW));
        assert!(alone(policy, &minor(vec![given(Manner::Written, Giver::Subject, Stands::Withdrawn)]), NOW));
        assert!(!alone(policy, &minor(vec![given(Manner::Electronic, Giver::Guardian, Stands::Valid)]), NOW));
    }
    let agreed = minor(vec![given(Manner::Electronic, Giver::Subject, Stands::Valid)]);
    assert!(alone(&together, &agreed, NOW));
    assert!(!alone(&by_itself, &agreed, NOW));
}

#[test]
fn nobody_is_a_child_alone_who_is_held_or_restricted_or_not_known_to_be_a_minor() {
    let strict = TenantPolicy { age_required: true, ..logins() };
    assert!(alone(&strict, &child(vec![]), NOW));
    assert!(!alone(&strict, &Dossier { holds: vec![a_hold()], ..child(vec![]) }, NOW));
    for ground in RestrictionGround::ALL {
        let kept = ground != RestrictionGround::ClientReason;
        assert_eq!(alone(&strict, &restricted(ground, child(vec![])), NOW), !kept, "{ground:?}");
    }
    for age in [AgeBand::Unknown, AgeBand::Adult] {
        let person = Dossier { age, ..adult(vec![]) };
        assert!(!alone(&strict, &person, NOW));
        assert!(!alone(&strict, &in_illinois(person), NOW));
    }
}

#[test]
fn whoever_withdraws_the_last_consent_is_left_baseless() {
    use Purpose::{Authentication, FraudPrevention};
    use Stands::{Expired, Valid, Withdrawn};
    let policy =
        client(&[(Authentication, LawfulBasis::ExplicitConsent), (FraudPrevention, LawfulBasis::ExplicitConsent)]);
    let answer = |consents| baseless(&policy, &adult(consents), NOW);
    let (login, search) = (|stands| signed(Authentication, stands), |stands| signed(FraudPrevention, stands));
    assert_eq!(answer(vec![login(Valid), search(Valid)]), Err(Kept::ABasisHolds));
    assert_eq!(answer(vec![login(Withdrawn), search(Valid)]), Err(Kept::ABasisHolds));
    assert_eq!(answer(vec![login(Valid), search(Withdrawn)]), Err(Kept::ABasisHolds));
    assert_eq!(answer(vec![login(Withdrawn), login(Valid)]), Err(Kept::ABasisHolds));
    assert_eq!(answer(vec![login(Withdrawn), search(Withdrawn)]), Ok(()));
    assert_eq!(answer(vec![login(Withdrawn)]), Ok(()));
    assert_eq!(answer(vec![search(Withdrawn)]), Ok(()));
    assert_eq!(answer(vec![login(Expired), search(Withdrawn)]), Ok(()));
    assert_eq!(answer(vec![login(Withdrawn), login(Expired)]), Ok(()));
}

#[test]
fn whoever_was_kept_when_it_withdrew_goes_later_and_nobody_whose_consent_merely_ran_out() {
    use Purpose::{Authentication, FraudPrevention};
    let policy =
        client(&[(Authentication, LawfulBasis::ExplicitConsent), (FraudPrevention, LawfulBasis::ExplicitConsent)]);
    let was = |person: &Dossier| was_left_baseless(&policy, person, NOW);
    let withdrawn = Consent { withdrawn_at: Some(from_now(-100)), ..signed(Authentication, Stands::Valid) };
    let over = |at| Consent { expires_at: Some(from_now(at)), ..signed(FraudPrevention, Stands::Valid) };
    let gone = adult(vec![withdrawn.clone()]);
    assert!(was(&gone));
    assert!(!was(&Dossier { holds: vec![a_hold()], ..gone }));
    assert!(was(&adult(vec![withdrawn.clone(), over(-150)])));
    // There was a basis when it withdrew, or there was one again: that ran out, and may be given anew.
    let ran_out = adult(vec![withdrawn.clone(), over(-50)]);
    assert!(!was(&ran_out) && baseless(&policy, &ran_out, NOW).is_ok());
    let again = Consent { given_at: from_now(-80), ..over(-50) };
    assert!(!was(&adult(vec![withdrawn.clone(), again])));
    assert!(!was(&adult(vec![withdrawn, signed(FraudPrevention, Stands::Valid)])));
    assert!(!was(&adult(vec![])));
}

#[test]
fn nobody_who_never_consented_is_left_baseless() {
    use Purpose::{Authentication, DocumentCheck};
    let policies = [
        logins(),
        client(&SERVED.map(|purpose| (purpose, LawfulBasis::ExplicitConsent))),
        TenantPolicy { jurisdiction: Jurisdiction::Illinois, ..client(&[(Authentication, LawfulBasis::Contract)]) },
    ];
    for policy in &policies {
        for age in AgeBand::ALL {
            let person = Dossier { age, ..adult(vec![]) };
            assert_eq!(baseless(policy, &person, NOW), Err(Kept::NothingWithdrawn));
            assert_eq!(baseless(policy, &in_illinois(person), NOW), Err(Kept::NothingWithdrawn));
        }
    }

    // As little as that is a consent that was none to what the tenant has, or none that its giver could give.
    let answer = |person| baseless(&policies[0], &person, NOW);
    let elsewhere = signed(DocumentCheck, Stands::Withdrawn);
    assert_eq!(answer(adult(vec![elsewhere])), Err(Kept::NothingWithdrawn));
    let guardians = given(Manner::Written, Giver::Guardian, Stands::Withdrawn);
    assert_eq!(answer(adult(vec![guardians.clone()])), Err(Kept::NothingWithdrawn));
    assert_eq!(answer(child(vec![guardians])), Ok(()));
    let own = signed(Authentication, Stands::Withdrawn);
    assert_eq!(answer(child(vec![own.clone()])), Err(Kept::NothingWithdrawn));
    assert_eq!(answer(adult(vec![own])), Ok(()));
}

#[test]
fn an_expired_consent_leaves_nobody_baseless() {
    let policy = logins();
    let expired = signed(Purpose::Authentication, Stands::Expired);
    let withdrawn = signed(Purpose::Authentication, Stands::Withdrawn);
    let answer = |consents, now| baseless(&policy, &adult(consents), now);
    assert_eq!(answer(vec![expired.clone()], NOW), Err(Kept::NothingWithdrawn));
    assert_eq!(answer(vec![expired, withdrawn.clone()], NOW), Ok(()));

    // One that held when it was withdrawn counts, however long a hold kept the person since.
    let ends = Consent { expires_at: Some(NOW), ..withdrawn };
    assert_eq!(answer(vec![ends.clone()], from_now(-1)), Ok(()));
    assert_eq!(answer(vec![ends.clone()], NOW), Ok(()));
    assert_eq!(answer(vec![ends], from_now(1)), Ok(()));

    // One whose time was over by then does not.
    let late = Consent {
        expires_at: Some(from_now(-9)),
        withdrawn_at: Some(from_now(-9)),
        ..signed(Purpose::Authentication, Stands::Withdrawn)
    };
    assert_eq!(answer(vec![late], NOW), Err(Kept::NothingWithdrawn));
}

#[test]
fn a_basis_for_legal_claims_keeps_nobody() {
    use LawfulBasis::{Contract, ExplicitConsent};
    use Purpose::{Authentication, KycSharing, LegalClaims};
    let policy = client(&[
        (LegalClaims, LawfulBasis::LegalClaims),
        (KycSharing, ExplicitConsent),
        (Authentication, ExplicitConsent),
    ]);
    let withdrawn = signed(Authentication, Stands::Withdrawn);
    let shared = signed(KycSharing, Stands::Valid);
    assert_eq!(baseless(&policy, &adult(vec![withdrawn.clone()]), NOW), Ok(()));
    assert_eq!(baseless(&policy, &adult(vec![withdrawn.clone(), shared]), NOW), Ok(()));

    // Nor is it lost by itself.
    let unserved = client(&[(LegalClaims, Contract), (KycSharing, ExplicitConsent)]);
    let unshared = signed(KycSharing, Stands::Withdrawn);
    assert_eq!(baseless(&unserved, &adult(vec![withdrawn.clone(), unshared.clone()]), NOW), Err(Kept::NothingServed));
    assert_eq!(baseless(&client(&[]), &adult(vec![withdrawn, unshared.clone()]), NOW), Err(Kept::NothingServed));
    assert_eq!(baseless(&policy, &adult(vec![unshared]), NOW), Err(Kept::NothingWithdrawn));
}

#[test]
fn a_withdrawal_counts_for_the_purposes_that_people_are_served_for() {
    for purpose in Purpose::ALL {
        let development = Environment::Development;
        let policy = TenantPolicy { environment: development, ..client(&[(purpose, LawfulBasis::ExplicitConsent)]) };
        let person = adult(vec![signed(purpose, Stands::Withdrawn)]);
        let is_served = SERVED.contains(&purpose) || purpose == Purpose::ServiceDevelopment;
        let expected = if is_served { Ok(()) } else { Err(Kept::NothingServed) };
        assert_eq!(baseless(&policy, &person, NOW), expected, "{purpose:?}");
    }
}

#[test]
fn another_basis_keeps_who_withdraws_unless_a_consent_is_needed_all_the_same() {
    use Purpose::{Authentication, FraudPrevention};
    let withdrawn = signed(Authentication, Stands::Withdrawn);
    let guardians = given(Manner::Written, Giver::Guardian, Stands::Withdrawn);
    for basis in LawfulBasis::ALL {
        if basis == LawfulBasis::ExplicitConsent {
            continue;
        }
        let nothing_else = client(&[(Authentication, basis)]);
        let beside = client(&[(Authentication, LawfulBasis::ExplicitConsent), (FraudPrevention, basis)]);
        for policy in [&nothing_else, &beside] {
            let person = adult(vec![withdrawn.clone()]);
            assert_eq!(baseless(policy, &person, NOW), Err(Kept::ABasisHolds));
            assert_eq!(baseless(policy, &in_illinois(person), NOW), Ok(()));
            assert_eq!(baseless(policy, &child(vec![guardians.clone()]), NOW), Ok(()));
            assert_eq!(baseless(policy, &child(vec![]), NOW), Err(Kept::NothingWithdrawn));
        }
    }
}

#[test]
fn nobody_is_left_baseless_by_another_law_or_another_age() {
    use Purpose::Authentication;
    let ticked = |stands| given(Manner::Electronic, Giver::Subject, stands);
    for policy in [logins(), client(&[(Authentication, LawfulBasis::Contract)])] {
        let answer = |person| baseless(&policy, &person, NOW);
        assert_eq!(answer(adult(vec![ticked(Stands::Valid)])), Err(Kept::ABasisHolds));
        assert_eq!(answer(in_illinois(adult(vec![ticked(Stands::Valid)]))), Err(Kept::NothingWithdrawn));
        // It was not written, and had been no basis there if it had never been withdrawn.
        assert_eq!(answer(in_illinois(adult(vec![ticked(Stands::Withdrawn)]))), Err(Kept::NothingWithdrawn));
        assert_eq!(answer(child(vec![ticked(Stands::Valid)])), Err(Kept::NothingWithdrawn));
    }
    let guardians = given(Manner::Written, Giver::Guardian, Stands::Valid);
    assert_eq!(baseless(&logins(), &child(vec![guardians.clone()]), NOW), Err(Kept::ABasisHolds));
    assert_eq!(baseless(&logins(), &adult(vec![guardians]), NOW), Err(Kept::NothingWithdrawn));
}

#[test]
fn nobody_who_is_held_or_restricted_is_left_baseless() {
    let policy = logins();
    let person = adult(vec![signed(Purpose::Authentication, Stands::Withdrawn)]);
    assert_eq!(baseless(&policy, &person, NOW), Ok(()));
    for ground in RestrictionGround::ALL {
        let expected = if ground == RestrictionGround::ClientReason { Ok(()) } else { Err(Kept::Restricted) };
        assert_eq!(baseless(&policy, &restricted(ground, person.clone()), NOW), expected);
    }
    assert_eq!(baseless(&policy, &Dossier { holds: vec![a_hold()], ..person }, NOW), Err(Kept::Held));
}

#[test]
fn neither_an_objection_nor_an_unknown_age_is_the_want_of_a_basis() {
    let purpose = Purpose::Authentication;
    let consents = TenantPolicy { age_required: true, ..logins() };
    let contract = TenantPolicy { age_required: true, ..client(&[(purpose, LawfulBasis::Contract)]) };
    for age in [AgeBand::Unknown, AgeBand::Adult] {
        let person =
            |stands| Dossier { age, objections: vec![an_objection(purpose)], ..adult(vec![signed(purpose, stands)]) };
        assert_eq!(baseless(&consents, &person(Stands::Valid), NOW), Err(Kept::ABasisHolds));
        assert_eq!(baseless(&contract, &person(Stands::Withdrawn), NOW), Err(Kept::ABasisHolds));
        // Nor does it keep anybody.
        assert_eq!(baseless(&consents, &person(Stands::Withdrawn), NOW), Ok(()));
    }
}
