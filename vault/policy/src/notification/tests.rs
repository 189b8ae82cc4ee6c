use lethe_domain::{Country, DisclosureId, Ground, Label, NotificationOutcome, Retention, Told, Transfer};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn disclosure(id: u8, recipient: &str, scope: &[Told]) -> Disclosure {
    Disclosure {
        id: DisclosureId::from_bytes([id; 16]),
        recipient: Label::parse("recipient", recipient).unwrap(),
        ground: Ground::Order(Label::parse("order", "order-1").unwrap()),
        scope: scope.to_vec(),
        transfer: Transfer { destination: Country::parse("country", "DE").unwrap(), safeguard: None, contract: None },
        proposed_at: NOW,
        recorded_at: Some(NOW),
    }
}

fn told(occasion: Occasion, disclosures: &[Disclosure]) -> Vec<(String, Vec<u8>)> {
    let owed = owed(occasion, disclosures, NOW);
    // The end of an erasure's day.
    let erased = matches!(occasion, Occasion::Erased | Occasion::ErasedInPart);
    let arisen = if erased { Timestamp::from_millis(1_800_057_600_000) } else { NOW };
    assert!(owed.iter().all(|owed| owed.occasion == occasion && owed.arisen_at == arisen && owed.closed.is_none()));
    let ids = |owed: &Notification| owed.disclosures.iter().map(|id| id.as_bytes()[0]).collect();
    owed.iter().map(|owed| (owed.recipient.to_string(), ids(owed))).collect()
}

#[test]
fn each_recipient_is_told_once_of_all_that_it_received() {
    let made = [
        disclosure(3, "police", &[Told::Existence]),
        disclosure(1, "insurer", &[Told::Consents]),
        disclosure(2, "police", &[Told::Results]),
    ];
    for occasion in [Occasion::Restricted, Occasion::Erased] {
        assert_eq!(told(occasion, &made), [("insurer".to_owned(), vec![1]), ("police".to_owned(), vec![2, 3])]);
    }
}

#[test]
fn of_a_template_only_who_was_told_what_depends_on_templates() {
    let made = Told::ALL.map(|code| disclosure(code.number(), code.name(), &[code]));
    let who = ["client_records", "results", "template_facts"];
    for occasion in [Occasion::Rectified, Occasion::ErasedInPart] {
        let told: Vec<_> = told(occasion, &made).into_iter().map(|(recipient, _)| recipient).collect();
        assert_eq!(told, who, "{occasion:?}");
    }
}

#[test]
fn of_age_and_law_only_who_was_told_them() {
    let made = Told::ALL.map(|code| disclosure(code.number(), code.name(), &[code]));
    let told: Vec<_> = told(Occasion::Corrected, &made).into_iter().map(|(recipient, _)| recipient).collect();
    assert_eq!(told, ["client_records", "facts"]);
    // Who received an archive received what any occasion is about.
    for occasion in Occasion::ALL {
        assert!(Told::OF_ARCHIVES.into_iter().any(|told| occasion.is_about(told)), "{occasion:?}");
    }
}

#[test]
fn what_was_only_proposed_reached_nobody() {
    let proposed = Disclosure { recorded_at: None, ..disclosure(1, "police", &Told::ALL) };
    for occasion in Occasion::ALL {
        assert!(told(occasion, std::slice::from_ref(&proposed)).is_empty());
    }
}

#[test]
fn what_came_of_it_is_kept_for_five_years_and_what_is_owed_for_ever() {
    let mut owed = owed(Occasion::Erased, &[disclosure(1, "police", &[Told::Existence])], NOW).remove(0);
    let far = Timestamp::from_millis(i64::MAX / 2);
    assert!(!is_over(&owed, Retention::LIMITATION, far));
    owed.closed = Some((NotificationOutcome::Told, NOW));
    let end = Retention::LIMITATION.after(NOW);
    assert!(!is_over(&owed, Retention::LIMITATION, Timestamp::from_millis(end.millis() - 1)));
    assert!(is_over(&owed, Retention::LIMITATION, end));
}
