//! How long templates and people are kept, and what is done to them when their time is over.

use lethe_domain::{
    AgeBand, Deferral, Dossier, Environment, Jurisdiction, LawfulBasis, PostMortem, Purpose, Reason, Retention,
    TenantPolicy, Timestamp,
};
use lethe_policy::{Cause, End, Keeper, Operation};

use super::{HOLD, RESTRICTED, logins_that_keep, signed};
use crate::comparison::{Decision, alone, baseless, decided, ended, keeper, kept, person_ended};
use crate::dimensions::*;
use crate::oracle::Kept;

/// 2024-02-29, noon.
const LEAP_DAY: Timestamp = Timestamp::from_millis(1_709_208_000_000);

const EXPIRED: Decision = Err((Reason::RetentionExpired, "O17", None));
const STATUTE: Decision = Err((Reason::StatutoryMinimum, "O17", None));
const DEFERRED: Decision = Err((Reason::ErasureDeferred, "O21", None));
const DEAD: Decision = Err((Reason::SubjectDeceased, "O28", None));
const CONSENTED: Decision = Ok(Some(LawfulBasis::ExplicitConsent));

fn end(millis: i64, cause: Cause) -> Option<End> {
    Some(End { at: Timestamp::from_millis(millis), cause })
}

/// Somebody who consented to logins in writing.
fn somebody() -> Dossier {
    adult(vec![signed(Purpose::Authentication, Stands::Valid)])
}

fn forgotten(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Decision {
    decided(Operation::EraseSubject, Purpose::DataSubjectRequest, policy, person, now)
}

fn logged_in(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Decision {
    decided(Operation::Verify, Purpose::Authentication, policy, person, now)
}

#[test]
fn a_template_ends_three_years_after_it_was_provided_in_illinois() {
    let policy = logins_that_keep(Retention::default());
    // The last of the three years' days is the 28th of February 2027.
    let over = 1_803_859_200_000;
    assert_eq!(ended(&policy, &in_illinois(somebody()), LEAP_DAY), end(over, Cause::Law));
    for (millis, keeps) in [(-1, true), (0, false), (1, false)] {
        assert_eq!(kept(&policy, &in_illinois(somebody()), LEAP_DAY, Timestamp::from_millis(over + millis)), keeps);
    }
    assert_eq!(ended(&policy, &somebody(), LEAP_DAY), None);
    let of_illinois = TenantPolicy { jurisdiction: Jurisdiction::Illinois, ..policy };
    assert_eq!(ended(&of_illinois, &somebody(), LEAP_DAY), end(over, Cause::Law));
    let elsewhere = Dossier { jurisdiction: Some(Jurisdiction::Texas), ..somebody() };
    assert_eq!(ended(&of_illinois, &elsewhere, LEAP_DAY), None);
}

#[test]
fn the_earliest_of_a_templates_ends_counts() {
    let (two_years, three_years, five_years) = (1_772_323_200_000, 1_803_859_200_000, 1_867_017_600_000);
    let person = in_illinois(somebody());
    let vendor = Retention { vendor_purposes: true, ..Retention::default() };
    let answer = |policy: &TenantPolicy, person: &Dossier| ended(policy, person, LEAP_DAY);
    assert_eq!(answer(&logins_that_keep(vendor.clone()), &somebody()), end(five_years, Cause::Vendor));
    assert_eq!(answer(&logins_that_keep(vendor.clone()), &person), end(three_years, Cause::Law));

    let improving = TenantPolicy {
        environment: Environment::Development,
        retention: vendor.clone(),
        ..client(&[(Purpose::ServiceDevelopment, LawfulBasis::ExplicitConsent)])
    };
    assert_eq!(answer(&improving, &person), end(two_years, Cause::Improvement));

    let for_so_long = |text| logins_that_keep(Retention { keep: Some(period(text)), ..vendor.clone() });
    assert_eq!(answer(&for_so_long("P0D"), &person), end(LEAP_DAY.millis(), Cause::Period));
    assert_eq!(answer(&for_so_long("P1D"), &person), end(LEAP_DAY.millis() + A_DAY, Cause::Period));
    assert_eq!(answer(&for_so_long("P3Y"), &person), end(three_years, Cause::Period));
    assert_eq!(answer(&for_so_long("P3Y1D"), &person), end(three_years, Cause::Law));
    assert_eq!(answer(&for_so_long("P4Y"), &somebody()), end(1_835_438_400_000, Cause::Period));
    assert_eq!(answer(&for_so_long("P6Y"), &somebody()), end(five_years, Cause::Vendor));
}

#[test]
fn what_nobody_said_ends_never_and_neither_does_what_no_clock_shows() {
    let policy = logins_that_keep(Retention::default());
    assert_eq!(ended(&policy, &somebody(), LEAP_DAY), None);
    assert_eq!(person_ended(&policy, &somebody()), None);
    assert!(kept(&policy, &somebody(), LEAP_DAY, Timestamp::MAX));

    // Beyond the year 9999 the vault's calendar ends; its clock does not come there.
    let for_a_day = logins_that_keep(Retention { keep: Some(period("P1D")), ..Retention::default() });
    let limits = lethe_policy::Limits::of(&for_a_day, &somebody());
    assert_eq!(limits.end(Timestamp::MAX), Some(End { at: Timestamp::MAX, cause: Cause::Period }));
    assert!(limits.keep(Timestamp::MAX, NOW));
}

#[test]
fn a_person_ends_when_its_purpose_is_satisfied_or_its_contract_over() {
    let at_once = logins_that_keep(Retention::default());
    let for_long = logins_that_keep(Retention { after_end: Some(period("P2Y")), ..Retention::default() });
    let satisfied = Dossier { purpose_ended_at: Some(LEAP_DAY), ..somebody() };
    let over = Dossier { contract_ended_at: Some(LEAP_DAY), ..somebody() };
    assert_eq!(person_ended(&at_once, &satisfied), end(LEAP_DAY.millis(), Cause::PurposeSatisfied));
    assert_eq!(person_ended(&at_once, &over), end(LEAP_DAY.millis(), Cause::ContractOver));
    assert_eq!(person_ended(&for_long, &satisfied), end(1_772_323_200_000, Cause::PurposeSatisfied));
    assert_eq!(person_ended(&for_long, &over), end(1_772_323_200_000, Cause::ContractOver));

    // In Texas a year after the purpose at most, which is all that its law says.
    let in_texas = |person| Dossier { jurisdiction: Some(Jurisdiction::Texas), ..person };
    assert_eq!(person_ended(&for_long, &in_texas(satisfied.clone())), end(1_740_787_200_000, Cause::PurposeSatisfied));
    assert_eq!(person_ended(&at_once, &in_texas(satisfied.clone())), end(LEAP_DAY.millis(), Cause::PurposeSatisfied));
    assert_eq!(person_ended(&for_long, &in_texas(over.clone())), end(1_772_323_200_000, Cause::ContractOver));

    let both = Dossier { contract_ended_at: Some(by(LEAP_DAY, -1)), ..satisfied };
    assert_eq!(person_ended(&at_once, &both), end(LEAP_DAY.millis() - 1, Cause::ContractOver));
}

#[test]
fn who_is_past_its_time_is_not_processed_from_that_moment_on() {
    let policy = logins_that_keep(Retention::default());
    for person in [
        Dossier { purpose_ended_at: Some(NOW), ..somebody() },
        Dossier { contract_ended_at: Some(NOW), ..somebody() },
        in_illinois(Dossier { purpose_ended_at: Some(NOW), ..somebody() }),
    ] {
        assert_eq!(logged_in(&policy, &person, from_now(-1)), CONSENTED);
        assert_eq!(logged_in(&policy, &person, NOW), EXPIRED);
        assert_eq!(logged_in(&policy, &person, from_now(1)), EXPIRED);
        // It can be looked at, and forgotten sooner than the sweep comes by.
        let seen = decided(Operation::GetSubject, Purpose::DataSubjectRequest, &policy, &person, NOW);
        assert_eq!([seen, forgotten(&policy, &person, NOW)], [Ok(None), Ok(None)]);
    }

    // Nothing that could be said of it besides makes it fit to be processed; a written consent comes first all the same.
    let over = Dossier { purpose_ended_at: Some(NOW), ..adult(vec![]) };
    assert_eq!(logged_in(&policy, &over, NOW), EXPIRED);
    assert_eq!(logged_in(&policy, &in_illinois(over), NOW), Err((Reason::WrittenConsentRequired, "O16", None)));
    let child = Dossier { purpose_ended_at: Some(NOW), ..child(vec![]) };
    assert_eq!(logged_in(&policy, &child, NOW), EXPIRED);
}

#[test]
fn what_a_statute_wants_kept_nobody_destroys_until_its_time_is_over() {
    let policy = logins_that_keep(Retention { minimum: Some(period("P5Y")), ..Retention::default() });
    let over = Dossier { contract_ended_at: Some(LEAP_DAY), ..somebody() };
    let free = Timestamp::from_millis(1_867_017_600_000);
    for operation in DESTROYING {
        for purpose in [Purpose::DataSubjectRequest, Purpose::Authentication, Purpose::Administration] {
            let answer = |person: &Dossier, now| decided(operation, purpose, &policy, person, now);
            assert_eq!(answer(&somebody(), NOW), STATUTE);
            assert_eq!(answer(&somebody(), Timestamp::MAX), STATUTE);
            assert_eq!(answer(&over, by(free, -1)), STATUTE);
            assert!(answer(&over, free).is_ok() && answer(&over, by(free, 1)).is_ok());
        }
    }
    assert_eq!(keeper(&policy, &somebody(), NOW), Some(Keeper::Statute(None)));
    assert_eq!(keeper(&policy, &over, by(free, -1)), Some(Keeper::Statute(Some(free))));
    assert_eq!(keeper(&policy, &over, free), None);

    // Storage only, when there is no other end to it.
    assert_eq!(logged_in(&policy, &somebody(), NOW), CONSENTED);
    assert_eq!(logged_in(&policy, &over, by(LEAP_DAY, -1)), CONSENTED);
    assert_eq!(logged_in(&policy, &over, LEAP_DAY), EXPIRED);
}

#[test]
fn a_hold_keeps_before_a_restriction_and_that_before_a_statute() {
    let policy = logins_that_keep(Retention { minimum: Some(period("P1D")), ..Retention::default() });
    for ground in lethe_domain::RestrictionGround::ALL {
        let person = restricted(ground, somebody());
        // The client's own reason keeps nobody; the statute does, whatever it is.
        let is_right = ground != lethe_domain::RestrictionGround::ClientReason;
        let expected = if is_right { Keeper::Restriction } else { Keeper::Statute(None) };
        assert_eq!(keeper(&policy, &person, NOW), Some(expected));
        assert_eq!(forgotten(&policy, &person, NOW), STATUTE);
        let held = Dossier { holds: vec![a_hold()], ..person };
        assert_eq!(keeper(&policy, &held, NOW), Some(Keeper::Hold));
        assert_eq!(forgotten(&policy, &held, NOW), HOLD);
    }
    assert_eq!(keeper(&logins_that_keep(Retention::default()), &somebody(), NOW), None);
}

#[test]
fn a_statute_keeps_who_withdrew_and_no_child_that_nobody_consented_for() {
    let policy = logins_that_keep(Retention { minimum: Some(period("P5Y")), ..Retention::default() });
    let free = Timestamp::from_millis(1_867_017_600_000);
    let withdrew = Dossier {
        contract_ended_at: Some(LEAP_DAY),
        ..adult(vec![signed(Purpose::Authentication, Stands::Withdrawn)])
    };
    assert_eq!(baseless(&policy, &withdrew, by(free, -1)), Err(Kept::ByStatute));
    assert_eq!(baseless(&policy, &withdrew, free), Ok(()));
    for age in [AgeBand::Under16, AgeBand::MinorFrom16] {
        assert!(alone(&policy, &Dossier { age, ..adult(vec![]) }, NOW));
    }
}

#[test]
fn an_erasure_that_is_put_off_leaves_storage_only_and_the_persons_own_word() {
    let policy = logins_that_keep(Retention::default());
    let until = by(NOW, 90 * A_DAY);
    let person = Dossier { deferral: Some(put_off(NOW, 90 * A_DAY)), ..somebody() };
    assert_eq!(person_ended(&policy, &person), Some(End { at: until, cause: Cause::Deferred }));
    for now in [NOW, by(until, -1), until, by(until, 1)] {
        for operation in PROCESSING {
            assert_eq!(decided(operation, Purpose::Authentication, &policy, &person, now), DEFERRED);
            assert_eq!(decided(operation, Purpose::DataSubjectRequest, &policy, &person, now), DEFERRED);
        }
        let answer = |operation, purpose| decided(operation, purpose, &policy, &person, now);
        assert_eq!(answer(Operation::DeleteTemplate, Purpose::DataSubjectRequest), DEFERRED);
        assert_eq!(answer(Operation::EraseSubject, Purpose::Administration), DEFERRED);
        assert_eq!(answer(Operation::EraseSubject, Purpose::DataSubjectRequest), Ok(None));
        assert_eq!(answer(Operation::GetSubject, Purpose::DataSubjectRequest), Ok(None));
    }

    // What comes before it, and who has to go whatever is put off.
    let held = Dossier { holds: vec![a_hold()], ..person.clone() };
    assert_eq!(logged_in(&policy, &held, NOW), HOLD);
    let kept = restricted(lethe_domain::RestrictionGround::AccuracyContested, person.clone());
    assert_eq!(logged_in(&policy, &kept, NOW), RESTRICTED);
    let unwritten = in_illinois(Dossier { consents: vec![], ..person.clone() });
    assert_eq!(logged_in(&policy, &unwritten, NOW), Err((Reason::WrittenConsentRequired, "O16", None)));
    assert!(alone(&policy, &Dossier { deferral: person.deferral, ..child(vec![]) }, NOW));
    let contested = restricted(lethe_domain::RestrictionGround::AccuracyContested, person);
    let put_right = decided(Operation::ReplaceTemplate, Purpose::DataSubjectRequest, &policy, &contested, NOW);
    assert_eq!(put_right, DEFERRED);
}

#[test]
fn a_deferral_that_was_recorded_too_long_is_cut() {
    let policy = logins_that_keep(Retention::default());
    let deferral = Deferral { until: by(NOW, 365 * A_DAY), ..put_off(NOW, 0) };
    let person = Dossier { deferral: Some(deferral), ..somebody() };
    assert_eq!(person_ended(&policy, &person), Some(End { at: by(NOW, 90 * A_DAY), cause: Cause::Deferred }));
}

#[test]
fn nobody_is_processed_who_is_dead_and_each_wish_has_its_end() {
    let policy = logins_that_keep(Retention::default());
    let died = |post_mortem| Dossier { died_at: Some(LEAP_DAY), post_mortem, ..somebody() };
    for wish in wishes() {
        assert_eq!(logged_in(&policy, &died(wish.clone()), LEAP_DAY), DEAD);
        assert_eq!(logged_in(&policy, &died(wish.clone()), by(LEAP_DAY, -1)), DEAD);
        assert_eq!(forgotten(&policy, &died(wish.clone()), NOW), Ok(None));
        // Who lives only said what it wants.
        let living = Dossier { post_mortem: wish, ..somebody() };
        assert_eq!(logged_in(&policy, &living, NOW), CONSENTED);
        assert_eq!(person_ended(&policy, &living), None);
    }
    let answer = |wish| person_ended(&policy, &died(wish));
    let trustee = lethe_domain::Label::parse("trustee", "trustee-b").unwrap();
    assert_eq!(answer(None), None);
    assert_eq!(answer(Some(PostMortem::HandOver(trustee))), None);
    assert_eq!(answer(Some(PostMortem::Erase)), end(LEAP_DAY.millis(), Cause::Death));
    assert_eq!(answer(Some(PostMortem::Keep(period("P1Y")))), end(1_740_787_200_000, Cause::Death));
    let sooner = Dossier { contract_ended_at: Some(by(LEAP_DAY, 1)), ..died(Some(PostMortem::Keep(period("P1Y")))) };
    assert_eq!(person_ended(&policy, &sooner), end(LEAP_DAY.millis() + 1, Cause::ContractOver));
}
