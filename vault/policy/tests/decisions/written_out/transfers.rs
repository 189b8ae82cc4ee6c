//! What crosses a border, decision by decision.

use lethe_domain::Giver;
use lethe_domain::{
    Consent, Country, Dossier, Ground, Jurisdiction, Label, Manner, Purpose, Reason, Safeguard, SafeguardKind,
    TenantPolicy, Transfer,
};

use crate::comparison::{Answer, handed_over, sent, told};
use crate::dimensions::*;

const UNGUARDED: Answer = Err((Reason::SafeguardMissing, "O32"));

fn label(text: &str) -> Label {
    Label::parse("label", text).unwrap()
}

fn to(code: &str, kind: Option<SafeguardKind>) -> Transfer {
    let safeguard = kind.map(|kind| Safeguard { kind, reference: label("s-1") });
    Transfer { destination: Country::parse("country", code).unwrap(), safeguard, contract: None }
}

fn client_of(jurisdiction: Jurisdiction) -> TenantPolicy {
    TenantPolicy { jurisdiction, ..client(&[]) }
}

fn sharing(with: &str, countries: &[&str]) -> Consent {
    Consent {
        recipients: vec![label(with)],
        countries: countries.iter().map(|code| Country::parse("country", code).unwrap()).collect(),
        ..consent(Purpose::KycSharing, Manner::Written, Giver::Subject, Stands::Valid, LATELY)
    }
}

#[test]
fn a_court_of_another_member_state_is_told_without_a_safeguard_and_one_beyond_with_one() {
    let order = Ground::Order(label("order-1"));
    let europe = client_of(Jurisdiction::EuropeanUnion);
    let answer = |code, kind| told(&europe, &adult(vec![]), Some(&order), &label("court"), &to(code, kind), NOW);
    assert_eq!(answer("IE", None), Ok(()));
    assert_eq!(answer("LI", None), Ok(()));
    assert_eq!(answer("GB", None), UNGUARDED);
    assert_eq!(answer("US", None), UNGUARDED);
    assert_eq!(answer("GB", Some(SafeguardKind::AdequacyDecision)), Ok(()));
    assert_eq!(answer("US", Some(SafeguardKind::InternationalAgreement)), Ok(()));
}

#[test]
fn a_partner_is_told_what_the_person_agreed_to_and_no_other() {
    let (europe, clauses) = (client_of(Jurisdiction::EuropeanUnion), Some(SafeguardKind::StandardContractualClauses));
    let person = adult(vec![sharing("bank-2", &[])]);
    let approval = Ground::Consent(person.consents[0].id);
    let answer = |partner, transfer: Transfer| told(&europe, &person, Some(&approval), &label(partner), &transfer, NOW);
    assert_eq!(answer("bank-2", to("FR", None)), Ok(()));
    assert_eq!(answer("bank-3", to("FR", None)), Err((Reason::DisclosureGroundMissing, "O33")));
    assert_eq!(answer("bank-2", to("US", None)), UNGUARDED);
    assert_eq!(answer("bank-2", to("US", clauses)), Ok(()));
    // Art. 49(1)(a): it would have to name the country.
    assert_eq!(answer("bank-2", to("US", Some(SafeguardKind::ExplicitConsent))), UNGUARDED);
}

#[test]
fn from_kazakhstan_nothing_goes_without_all_of_consent_contract_and_a_lawful_transfer() {
    let bank = client_of(Jurisdiction::Kazakhstan);
    let (agreed, silent) = (adult(vec![sharing("bank-2", &["US"])]), adult(vec![sharing("bank-2", &["RU"])]));
    let lawful = to("US", Some(SafeguardKind::AdequacyDecision));
    let whole = Transfer { contract: Some(label("c-1")), ..lawful.clone() };
    assert_eq!(sent(&bank, &agreed, &whole, NOW), Ok(()));
    assert_eq!(sent(&bank, &silent, &whole, NOW), UNGUARDED);
    assert_eq!(sent(&bank, &agreed, &lawful, NOW), UNGUARDED);
    assert_eq!(sent(&bank, &agreed, &Transfer { safeguard: None, ..whole.clone() }, NOW), UNGUARDED);
    assert_eq!(sent(&bank, &adult(vec![]), &to("KZ", None), NOW), Ok(()));
    assert_eq!(handed_over(&bank, &whole), Ok(()));
    assert_eq!(handed_over(&bank, &lawful), UNGUARDED);
    // The same for a Kazakh at a client elsewhere.
    let kazakh = |person: Dossier| Dossier { jurisdiction: Some(Jurisdiction::Kazakhstan), ..person };
    let europe = client_of(Jurisdiction::EuropeanUnion);
    assert_eq!(sent(&europe, &kazakh(silent), &whole, NOW), UNGUARDED);
    assert_eq!(sent(&europe, &kazakh(agreed), &whole, NOW), Ok(()));
}

#[test]
fn where_no_law_is_known_everything_but_the_clients_country_is_abroad() {
    let somewhere = client_of(Jurisdiction::Other);
    let in_japan = TenantPolicy { country: Some(Country::parse("country", "JP").unwrap()), ..somewhere.clone() };
    assert_eq!(sent(&somewhere, &adult(vec![]), &to("JP", None), NOW), UNGUARDED);
    assert_eq!(sent(&in_japan, &adult(vec![]), &to("JP", None), NOW), Ok(()));
    assert_eq!(sent(&in_japan, &adult(vec![]), &to("KR", None), NOW), UNGUARDED);
    assert_eq!(handed_over(&in_japan, &to("JP", None)), Ok(()));
    assert_eq!(handed_over(&in_japan, &to("US", Some(SafeguardKind::LegalClaims))), UNGUARDED);
}
