//! Developing the service: off, unless everything allows it.

use lethe_domain::{
    Dossier, Environment, Giver, Jurisdiction, LawfulBasis, Manner, Purpose, Reason, RestrictionGround, TenantPolicy,
};
use lethe_policy::Operation;

use super::signed;
use crate::comparison::{baseless, decided};
use crate::dimensions::*;
use crate::oracle::Kept;

use LawfulBasis::{ExplicitConsent, LegitimateInterests};
use Purpose::{Authentication, ServiceDevelopment};

fn developer(purposes: &[(Purpose, LawfulBasis)]) -> TenantPolicy {
    TenantPolicy { environment: Environment::Development, ..client(purposes) }
}

#[test]
fn whoever_agreed_takes_part_but_for_whom_the_law_forbids_it() {
    let policy = developer(&[(ServiceDevelopment, ExplicitConsent)]);
    let agreed = adult(vec![signed(ServiceDevelopment, Stands::Valid)]);
    let answer = |person: &Dossier| decided(Operation::Enroll, ServiceDevelopment, &policy, person, NOW);
    for jurisdiction in Jurisdiction::ALL {
        let person = Dossier { jurisdiction: Some(jurisdiction), ..agreed.clone() };
        let expected = match jurisdiction {
            Jurisdiction::Illinois | Jurisdiction::Texas | Jurisdiction::Washington => {
                Err((Reason::JurisdictionForbids, "O3", None))
            }
            _ => Ok(Some(ExplicitConsent)),
        };
        assert_eq!(answer(&person), expected, "{jurisdiction:?}");
    }
    assert_eq!(answer(&adult(vec![])), Err((Reason::ConsentMissing, "O2", None)));
    let undeclared = developer(&[(Authentication, ExplicitConsent)]);
    let undeclared = decided(Operation::Enroll, ServiceDevelopment, &undeclared, &agreed, NOW);
    assert_eq!(undeclared, Err((Reason::PurposeNotAllowed, "O1", None)));
}

#[test]
fn a_law_that_forbids_it_is_told_after_what_keeps_and_before_who_consents() {
    let policy = developer(&[(ServiceDevelopment, LegitimateInterests)]);
    let answer = |person: &Dossier| decided(Operation::Search, ServiceDevelopment, &policy, person, NOW);
    let forbidden = Err((Reason::JurisdictionForbids, "O3", None));
    let written = in_illinois(adult(vec![signed(ServiceDevelopment, Stands::Valid)]));
    assert_eq!(answer(&in_illinois(adult(vec![]))), Err((Reason::WrittenConsentRequired, "O16", None)));
    assert_eq!(answer(&written), forbidden);
    let objecting = Dossier { objections: vec![an_objection(ServiceDevelopment)], ..written.clone() };
    assert_eq!(answer(&objecting), forbidden);
    let guardians = consent(ServiceDevelopment, Manner::Written, Giver::Guardian, Stands::Valid, LATELY);
    assert_eq!(answer(&in_illinois(child(vec![guardians]))), forbidden);

    let held = Dossier { holds: vec![a_hold()], ..written.clone() };
    assert_eq!(answer(&held), Err((Reason::LegalHold, "O42", None)));
    let kept = restricted(RestrictionGround::Other, written.clone());
    assert_eq!(answer(&kept), Err((Reason::SubjectRestricted, "O22", None)));
    let over = Dossier { purpose_ended_at: Some(NOW), ..written };
    assert_eq!(answer(&over), Err((Reason::RetentionExpired, "O17", None)));
}

#[test]
fn it_is_a_purpose_that_people_are_kept_for_where_it_is_done() {
    let policy = developer(&[(Authentication, ExplicitConsent), (ServiceDevelopment, ExplicitConsent)]);
    let person =
        |login, development| adult(vec![signed(Authentication, login), signed(ServiceDevelopment, development)]);
    let answer = |person: &Dossier| baseless(&policy, person, NOW);
    assert_eq!(answer(&person(Stands::Withdrawn, Stands::Valid)), Err(Kept::ABasisHolds));
    assert_eq!(answer(&person(Stands::Valid, Stands::Withdrawn)), Err(Kept::ABasisHolds));
    assert_eq!(answer(&person(Stands::Withdrawn, Stands::Withdrawn)), Ok(()));
    let interested = developer(&[(Authentication, ExplicitConsent), (ServiceDevelopment, LegitimateInterests)]);
    let withdrew = person(Stands::Withdrawn, Stands::Withdrawn);
    assert_eq!(baseless(&interested, &withdrew, NOW), Err(Kept::ABasisHolds));
}

#[test]
fn it_keeps_nobody_where_it_is_off() {
    let policy = developer(&[(Authentication, ExplicitConsent), (ServiceDevelopment, ExplicitConsent)]);
    let in_production = TenantPolicy { environment: Environment::Production, ..policy.clone() };
    let person = adult(vec![signed(Authentication, Stands::Withdrawn), signed(ServiceDevelopment, Stands::Valid)]);
    assert_eq!(baseless(&policy, &in_illinois(person.clone()), NOW), Ok(()));
    assert_eq!(baseless(&in_production, &person, NOW), Ok(()));

    // Nor, where there is nothing else, was anything lost.
    let nothing_else = client(&[(ServiceDevelopment, ExplicitConsent)]);
    assert_eq!(
        baseless(&nothing_else, &adult(vec![signed(ServiceDevelopment, Stands::Withdrawn)]), NOW),
        Err(Kept::NothingServed)
    );
}
