use lethe_domain::{Hold, HoldId, Jurisdiction, Label, ModelId, Objection, Restriction, RestrictionGround};

use super::*;

const DAY: i64 = 86_400_000;
/// 2027-01-15 08:00 UTC.
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn ago(days: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() - days * DAY)
}

fn person(jurisdiction: Option<Jurisdiction>, age: AgeBand) -> Dossier {
    Dossier { jurisdiction, age, ..Dossier::default() }
}

fn template(days: i64) -> Source {
    Source::Template { provided_at: ago(days), cap: None }
}

/// The field and the reason of a refusal of an entry in a list of confirmed fraud.
fn refused(source: Source, basis: LawfulBasis, confirmed: i64, expires: i64) -> Option<(String, Reason)> {
    let checked = check(WatchlistKind::ConfirmedFraud, source, basis, ago(confirmed), ago(-expires), NOW);
    checked.err().map(|refused| (refused.field, refused.reason))
}

#[test]
fn an_entry_rests_on_nothing_that_can_be_taken_back() {
    use LawfulBasis::{
        Contract, ExplicitConsent, LegalClaims, LegalObligation, LegitimateInterests, SubstantialPublicInterest,
    };
    for basis in [LegalObligation, SubstantialPublicInterest, LegalClaims, LegitimateInterests] {
        assert_eq!(refused(template(1), basis, 1, 30), None, "{}", basis.name());
    }
    for basis in [ExplicitConsent, Contract] {
        let revocable = Some(("basis".to_owned(), Reason::WatchlistBasisRevocable));
        assert_eq!(refused(template(1), basis, 1, 30), revocable, "{}", basis.name());
    }
}

#[test]
fn each_kind_of_list_has_its_source() {
    let check = |kind, source| check(kind, source, LawfulBasis::LegalClaims, ago(1), ago(-30), NOW);
    assert!(check(WatchlistKind::ConfirmedFraud, template(1)).is_ok());
    assert!(check(WatchlistKind::KnownSpoof, Source::Capture).is_ok());
    let capture = check(WatchlistKind::ConfirmedFraud, Source::Capture).unwrap_err();
    let face = check(WatchlistKind::KnownSpoof, template(1)).unwrap_err();
    assert_eq!((capture.field.as_str(), capture.reason), ("capture", Reason::WatchlistSourceMismatch));
    assert_eq!((face.field.as_str(), face.reason), ("template", Reason::WatchlistSourceMismatch));
}

#[test]
fn an_entry_ends_five_years_after_its_confirmation_or_by_the_law() {
    let basis = LawfulBasis::LegitimateInterests;
    let expire = Some(("expire_time".to_owned(), Reason::FieldOutOfRange));
    // Five years from 2027-01-15: 1826 days.
    for (confirmed, expires, expected) in [
        (0, 1826, None),
        (0, 1827, expire.clone()),
        (100, 1726, None),
        (100, 1727, expire.clone()),
        (1, 0, expire.clone()),
        (-1, 30, Some(("confirm_time".to_owned(), Reason::FieldOutOfRange))),
    ] {
        assert_eq!(refused(template(1), basis, confirmed, expires), expected, "{confirmed} {expires}");
    }
    let capped = Source::Template { provided_at: ago(10), cap: Some(Period::months(1)) };
    // A month from 2027-01-05: 21 days from now.
    assert_eq!(refused(capped, basis, 1, 21), None);
    assert_eq!(refused(capped, basis, 1, 22), expire);
}

#[test]
fn laws_that_ask_for_a_written_consent_first_and_minors_are_out() {
    let mut policy = TenantPolicy::of(Vec::new());
    policy.jurisdiction = Jurisdiction::EuropeanUnion;
    let reason = |policy: &TenantPolicy, person: &Dossier| law_allows(policy, person).err().map(|denial| denial.reason);
    for jurisdiction in Jurisdiction::ALL {
        let asks = matches!(jurisdiction, Jurisdiction::Illinois | Jurisdiction::Texas | Jurisdiction::Washington);
        let expected = asks.then_some(Reason::JurisdictionForbids);
        assert_eq!(reason(&policy, &person(Some(jurisdiction), AgeBand::Adult)), expected, "{jurisdiction:?}");
        let tenants = TenantPolicy { jurisdiction, ..policy.clone() };
        assert_eq!(reason(&tenants, &person(None, AgeBand::Unknown)), expected, "{jurisdiction:?}");
    }
    for age in [AgeBand::Adult, AgeBand::Unknown] {
        assert!(age_allows(&person(None, age)).is_ok());
    }
    for age in [AgeBand::Under16, AgeBand::MinorFrom16] {
        assert_eq!(age_allows(&person(None, age)).unwrap_err().reason, Reason::MinorNotListed);
    }
    let illinois = person(Some(Jurisdiction::Illinois), AgeBand::Adult);
    let Source::Template { cap, .. } = Source::template(&policy, &illinois, NOW) else { panic!("a template's") };
    assert_eq!(cap, Some(Period::months(36)));
}

#[test]
fn who_added_an_entry_does_not_decide_on_it() {
    let (adder, other) = (CredentialId::from_bytes([1; 16]), CredentialId::from_bytes([2; 16]));
    let entry = WatchlistEntry {
        model: ModelId::parse("m", "1").unwrap(),
        basis: LawfulBasis::LegalClaims,
        reference: Label::parse("reference", "case-1").unwrap(),
        confirmed_at: ago(1),
        expires_at: ago(-1),
        added_at: ago(1),
        added_by: adder,
        contest: None,
        upheld: None,
    };
    assert_eq!(may_decide(&entry, adder).unwrap_err().reason, Reason::ReviewerNotIndependent);
    assert!(may_decide(&entry, other).is_ok());
}

#[test]
fn a_client_whose_clock_is_a_little_ahead_may_confirm_now() {
    let check = |ahead: i64| {
        let confirmed = Timestamp::from_millis(NOW.millis() + ahead);
        check(WatchlistKind::ConfirmedFraud, template(1), LawfulBasis::LegalClaims, confirmed, ago(-30), NOW)
    };
    assert!(check(60_000).is_ok());
    assert_eq!(check(60_001).unwrap_err().field, "confirm_time");
}

#[test]
fn what_is_recorded_of_a_person_decides_on_its_entries() {
    let mut policy = TenantPolicy::of(Vec::new());
    policy.jurisdiction = Jurisdiction::EuropeanUnion;
    let before = person(None, AgeBand::Unknown);
    let with = |change: &dyn Fn(&mut Dossier)| {
        let mut dossier = before.clone();
        change(&mut dossier);
        dossier
    };
    let objection = |purpose, overruled| Objection { purpose, since: NOW, overruled };
    let restricted = |ground| with(&|it| it.restriction = Some(Restriction { ground, since: NOW }));
    let grounds = Label::parse("grounds", "case-2").unwrap();
    let overruled = with(&|it| it.objections.push(objection(Purpose::FraudPrevention, Some(grounds.clone()))));
    let objects = with(&|it| it.objections.push(objection(Purpose::FraudPrevention, None)));
    let hold = Hold {
        id: HoldId::from_bytes([1; 16]),
        case: grounds.clone(),
        placed_at: NOW,
        review_at: ago(-30),
        reviewed_at: None,
    };
    let held = with(&|it| it.holds.push(hold.clone()));
    let reviewed = with(&|it| it.holds.push(Hold { review_at: ago(-60), reviewed_at: Some(NOW), ..hold.clone() }));
    for (before, now, expected) in [
        (&before, &before, Fate::Untouched),
        (&before, &person(Some(Jurisdiction::Illinois), AgeBand::Adult), Fate::Shredded),
        (&before, &person(None, AgeBand::Under16), Fate::Shredded),
        (&before, &person(None, AgeBand::MinorFrom16), Fate::Shredded),
        (&before, &person(None, AgeBand::Adult), Fate::Untouched),
        (&before, &restricted(RestrictionGround::Other), Fate::Contested),
        (&before, &restricted(RestrictionGround::AccuracyContested), Fate::Contested),
        (&restricted(RestrictionGround::Other), &restricted(RestrictionGround::AccuracyContested), Fate::Contested),
        (&restricted(RestrictionGround::Other), &restricted(RestrictionGround::Other), Fate::Untouched),
        (&restricted(RestrictionGround::Other), &before, Fate::Untouched),
        (&before, &objects, Fate::Contested),
        (&overruled, &objects, Fate::Contested),
        (&objects, &overruled, Fate::Untouched),
        (&before, &overruled, Fate::Untouched),
        (&before, &with(&|it| it.objections.push(objection(Purpose::Authentication, None))), Fate::Untouched),
        (&before, &held, Fate::Contested),
        (&held, &reviewed, Fate::Untouched),
        (&held, &before, Fate::Untouched),
    ] {
        assert_eq!(fate(&policy, before, now), expected, "{before:?} {now:?}");
    }
    // Also of somebody of whom nothing new is said, once the tenant is under such a law.
    policy.jurisdiction = Jurisdiction::Texas;
    assert_eq!(fate(&policy, &before, &before), Fate::Shredded);
}
