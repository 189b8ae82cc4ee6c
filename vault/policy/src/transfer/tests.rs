use lethe_domain::{AgeBand, Giver, Label, Manner, Notice, Purpose, Safeguard};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000);
const ID: ConsentId = ConsentId::from_bytes([1; 16]);

fn country(code: &str) -> Country {
    Country::parse("country", code).unwrap()
}

fn label(text: &str) -> Label {
    Label::parse("label", text).unwrap()
}

fn tenant(jurisdiction: Jurisdiction, at: Option<&str>) -> TenantPolicy {
    TenantPolicy { jurisdiction, country: at.map(country), ..TenantPolicy::of(Vec::new()) }
}

fn under(law: Option<Jurisdiction>) -> Dossier {
    Dossier { jurisdiction: law, age: AgeBand::Adult, ..Dossier::default() }
}

fn to(code: &str, kind: Option<SafeguardKind>) -> Transfer {
    let safeguard = kind.map(|kind| Safeguard { kind, reference: label("s-1") });
    Transfer { destination: country(code), safeguard, contract: None }
}

fn naming(code: &str) -> Consent {
    Consent {
        id: ID,
        purpose: Purpose::KycSharing,
        notice: Notice { version: label("n1"), sha256: [0; 32] },
        manner: Manner::Written,
        giver: Giver::Subject,
        recipients: vec![label("bank-2")],
        countries: vec![country(code)],
        given_at: Timestamp::from_millis(1),
        expires_at: Some(Timestamp::from_millis(2_000)),
        withdrawn_at: None,
    }
}

fn is_allowed(verdict: Result<(), Denial>) -> bool {
    verdict.map_err(|denial| assert_eq!((denial.reason, denial.obligation), (Reason::SafeguardMissing, "O32"))).is_ok()
}

#[test]
fn each_law_and_each_safeguard_finds_its_own_line() {
    for jurisdiction in Jurisdiction::ALL {
        let border = Border::of(jurisdiction);
        assert_eq!(border.jurisdiction, jurisdiction);
        assert!(border.area.iter().all(|code| Country::parse("area", code).is_ok()), "{:?}", border.area);
        assert!(border.area.is_sorted_by(|a, b| a < b));
    }
    assert_eq!(EEA.len(), 27 + 3);
    for kind in SafeguardKind::ALL {
        assert_eq!(SafeguardRule::of(kind).kind, kind);
    }
}

#[test]
fn a_border_is_where_a_law_of_either_side_ends() {
    use Jurisdiction::{EuropeanUnion, Illinois, Kazakhstan, Other, Texas, UnitedKingdom};
    let free =
        |policy: &TenantPolicy, law, code: &str| is_allowed(allows_archive(policy, &under(law), &to(code, None), NOW));
    let europe = tenant(EuropeanUnion, None);
    for (law, code, expected) in [
        (None, "DE", true),
        (None, "NO", true),
        (None, "GB", false),
        (None, "CH", false),
        (None, "US", false),
        // Somebody of another law: neither may be left.
        (Some(Illinois), "US", false),
        (Some(Illinois), "DE", false),
        (Some(UnitedKingdom), "GB", false),
        // Of one that nobody knows: the client's own area is the one that is sure.
        (Some(Other), "DE", true),
        (Some(Other), "BR", false),
    ] {
        assert_eq!(free(&europe, law, code), expected, "{law:?} to {code}");
    }
    assert!(free(&tenant(Texas, None), Some(Illinois), "US"));
    assert!(free(&tenant(Kazakhstan, None), None, "KZ") && !free(&tenant(Kazakhstan, None), None, "RU"));
    // A client's country counts where its law has no area.
    assert!(free(&tenant(Other, Some("JP")), None, "JP") && !free(&tenant(Other, Some("JP")), None, "US"));
    assert!(!free(&tenant(Other, None), None, "JP"));
    assert!(!free(&tenant(EuropeanUnion, Some("US")), None, "US"));
    assert!(!free(&tenant(Other, Some("JP")), Some(EuropeanUnion), "DE"));
}

#[test]
fn a_derogation_carries_no_more_than_it_is_for() {
    let policy = tenant(Jurisdiction::EuropeanUnion, None);
    let agreed = Dossier { consents: vec![naming("US")], ..under(None) };
    let order = Ground::Order(label("order-1"));
    let verdicts = |person: &Dossier, kind| {
        let transfer = to("US", Some(kind));
        [
            is_allowed(allows_telling(&policy, person, &Ground::Consent(ID), &transfer, NOW)),
            is_allowed(allows_telling(&policy, person, &order, &transfer, NOW)),
            is_allowed(allows_archive(&policy, person, &transfer, NOW)),
            is_allowed(allows_handover(&policy, &transfer)),
        ]
    };
    for (kind, expected) in [
        (SafeguardKind::AdequacyDecision, [true; 4]),
        (SafeguardKind::StandardContractualClauses, [true; 4]),
        (SafeguardKind::BindingCorporateRules, [true; 4]),
        // Of a silo as such nobody consents; each person in it is asked of.
        (SafeguardKind::ExplicitConsent, [false, false, false, true]),
        (SafeguardKind::LegalClaims, [true, true, false, false]),
        (SafeguardKind::InternationalAgreement, [false, true, false, false]),
    ] {
        assert_eq!(verdicts(&under(None), kind), expected, "{kind:?}");
    }
    assert_eq!(verdicts(&agreed, SafeguardKind::ExplicitConsent), [true; 4]);
}

#[test]
fn kazakhstan_asks_for_all_three() {
    let policy = tenant(Jurisdiction::Kazakhstan, None);
    let clauses = Some(SafeguardKind::StandardContractualClauses);
    let agreed = Dossier { consents: vec![naming("US")], ..under(None) };
    let all = Transfer { contract: Some(label("contract-1")), ..to("US", clauses) };
    let answer = |person: &Dossier, transfer: &Transfer| is_allowed(allows_archive(&policy, person, transfer, NOW));
    assert!(answer(&agreed, &all));
    assert!(!answer(&agreed, &Transfer { safeguard: None, ..all.clone() }));
    assert!(!answer(&agreed, &Transfer { contract: None, ..all.clone() }));
    assert!(!answer(&under(None), &all));
    assert!(!is_allowed(allows_handover(&policy, &Transfer { contract: None, ..all.clone() })));
    assert!(is_allowed(allows_handover(&policy, &all)));
    // By whichever of the two laws it is.
    let elsewhere = tenant(Jurisdiction::EuropeanUnion, None);
    let kazakh = under(Some(Jurisdiction::Kazakhstan));
    assert!(!is_allowed(allows_archive(&elsewhere, &kazakh, &all, NOW)));
    assert!(is_allowed(allows_archive(&elsewhere, &under(None), &to("US", clauses), NOW)));
    // Its border is not crossed on the way there.
    assert!(is_allowed(allows_archive(&elsewhere, &kazakh, &to("KZ", clauses), NOW)));
}

#[test]
fn a_consent_to_a_border_names_the_country_and_holds() {
    let policy = tenant(Jurisdiction::Kazakhstan, None);
    let transfer = Transfer { contract: Some(label("c-1")), ..to("US", Some(SafeguardKind::AdequacyDecision)) };
    let answer = |consent: Consent, age, now| {
        let person = Dossier { consents: vec![consent], age, ..under(None) };
        is_allowed(allows_archive(&policy, &person, &transfer, Timestamp::from_millis(now)))
    };
    assert!(answer(naming("US"), AgeBand::Adult, 1_999));
    assert!(!answer(naming("US"), AgeBand::Adult, 2_000));
    assert!(!answer(naming("RU"), AgeBand::Adult, 1_000));
    assert!(!answer(Consent { withdrawn_at: Some(NOW), ..naming("US") }, AgeBand::Adult, 1_000));
    assert!(!answer(naming("US"), AgeBand::Under16, 1_000));
    assert!(answer(Consent { giver: Giver::Guardian, ..naming("US") }, AgeBand::Under16, 1_000));
    // A disclosure that rests on a consent rests on that one.
    let other = Consent { id: ConsentId::from_bytes([2; 16]), ..naming("US") };
    let person = Dossier { consents: vec![naming("RU"), other], ..under(None) };
    let told = |ground: Ground| is_allowed(allows_telling(&policy, &person, &ground, &transfer, NOW));
    assert!(!told(Ground::Consent(ID)));
    assert!(told(Ground::Consent(ConsentId::from_bytes([2; 16]))));
    assert!(told(Ground::Order(label("order-1"))));
}
