//! What is told, and what is sent, to each sort of country, of people of each law.

use std::collections::HashMap;

use lethe_domain::{
    AgeBand, Consent, ConsentId, Country, Dossier, Giver, Ground, Jurisdiction, Label, Manner, Purpose, Safeguard,
    SafeguardKind, TenantPolicy, Timestamp, Transfer,
};

use crate::comparison::{Answer, handed_over, sent, told};
use crate::dimensions::*;

fn country(code: &str) -> Country {
    Country::parse("country", code).unwrap()
}

fn label(text: &str) -> Label {
    Label::parse("label", text).unwrap()
}

/// The laws, and one of nobody's saying.
fn laws() -> impl Iterator<Item = Option<Jurisdiction>> {
    std::iter::once(None).chain(Jurisdiction::ALL.map(Some))
}

fn clients() -> Vec<TenantPolicy> {
    let mut all = Vec::new();
    for jurisdiction in Jurisdiction::ALL {
        for at in [None, Some("JP"), Some("US"), Some("FR")] {
            for alone_from_16 in [false, true] {
                let (country, plain) = (at.map(country), client(&[]));
                all.push(TenantPolicy { jurisdiction, country, alone_from_16, ..plain });
            }
        }
    }
    all
}

const DESTINATIONS: [&str; 10] = ["FR", "CY", "NO", "GB", "CH", "US", "PR", "KZ", "RU", "JP"];

fn transfers(to: &str) -> Vec<Transfer> {
    let kinds = std::iter::once(None).chain(SafeguardKind::ALL.map(Some));
    let with = |kind: Option<SafeguardKind>, contract: Option<&str>| Transfer {
        destination: country(to),
        safeguard: kind.map(|kind| Safeguard { kind, reference: label("s-1") }),
        contract: contract.map(label),
    };
    kinds.flat_map(|kind| [with(kind, None), with(kind, Some("c-1"))]).collect()
}

const FIRST: ConsentId = ConsentId::from_bytes([1; 16]);
const SECOND: ConsentId = ConsentId::from_bytes([2; 16]);

fn one(id: ConsentId, to: Purpose, giver: Giver, stands: Stands, recipients: &[&str], countries: &[&str]) -> Consent {
    Consent {
        id,
        recipients: recipients.iter().copied().map(label).collect(),
        countries: countries.iter().copied().map(country).collect(),
        ..consent(to, Manner::Electronic, giver, stands, LATELY)
    }
}

/// Consents that name the country, or the recipient, or both, and hold or do not.
fn lists(to: &str) -> Vec<Vec<Consent>> {
    use Giver::{Guardian, Subject};
    use Purpose::{Authentication, KycSharing, LegalClaims};
    use Stands::{Expired, Valid, Withdrawn};
    let elsewhere = if to == "BR" { "CN" } else { "BR" };
    let both = |giver, stands| one(FIRST, KycSharing, giver, stands, &["bank-2", "court"], &[elsewhere, to]);
    vec![
        vec![],
        vec![both(Subject, Valid)],
        vec![both(Guardian, Valid)],
        vec![both(Subject, Expired)],
        vec![both(Subject, Withdrawn)],
        vec![one(FIRST, LegalClaims, Subject, Valid, &["court"], &[])],
        vec![one(FIRST, LegalClaims, Subject, Valid, &["court"], &[elsewhere])],
        vec![one(FIRST, KycSharing, Subject, Valid, &["bank-2"], &[to])],
        vec![one(FIRST, Authentication, Subject, Valid, &["court"], &[to])],
        vec![
            one(FIRST, KycSharing, Subject, Valid, &["court"], &[]),
            one(SECOND, Authentication, Subject, Valid, &[], &[to]),
        ],
        vec![
            one(FIRST, KycSharing, Subject, Withdrawn, &["court"], &[to]),
            one(SECOND, LegalClaims, Guardian, Valid, &["court"], &[to]),
        ],
    ]
}

fn grounds() -> [Option<Ground>; 5] {
    let order = Ground::Order(label("order-1"));
    [None, Some(order), Some(Ground::Consent(FIRST)), Some(Ground::Consent(SECOND)), Some(Ground::Request)]
}

#[derive(Default)]
struct Counts {
    cases: usize,
    answers: HashMap<Answer, usize>,
}

impl Counts {
    fn met(&mut self, answer: Answer) {
        self.cases += 1;
        *self.answers.entry(answer).or_default() += 1;
    }

    fn expect(&self, answers: &[Answer]) {
        for answer in answers {
            assert!(self.answers.get(answer).is_some_and(|&times| times > 1000), "{answer:?}: {:?}", self.answers);
        }
        assert_eq!(self.answers.len(), answers.len(), "{:?}", self.answers);
    }
}

fn person(law: Option<Jurisdiction>, age: AgeBand, consents: &[Consent]) -> Dossier {
    // With the ids that they have.
    Dossier { jurisdiction: law, age, consents: consents.to_vec(), ..Dossier::default() }
}

fn each_case(mut judge: impl FnMut(&TenantPolicy, &Dossier, &Transfer, Timestamp)) {
    for to in DESTINATIONS {
        let (transfers, lists) = (transfers(to), lists(to));
        for policy in clients() {
            for law in laws() {
                for age in [AgeBand::Adult, AgeBand::MinorFrom16] {
                    for consents in &lists {
                        let person = person(law, age, consents);
                        transfers.iter().for_each(|transfer| judge(&policy, &person, transfer, NOW));
                    }
                }
            }
        }
    }
}

#[test]
fn the_engine_and_the_oracle_agree_on_who_may_be_told_what_where() {
    use lethe_domain::Reason::{ConsentExpired, ConsentWithdrawn, DisclosureGroundMissing, SafeguardMissing};
    let mut counts = Counts::default();
    let court = label("court");
    each_case(|policy, person, transfer, now| {
        for ground in grounds() {
            counts.met(told(policy, person, ground.as_ref(), &court, transfer, now));
        }
    });
    counts.expect(&[
        Ok(()),
        Err((DisclosureGroundMissing, "O33")),
        Err((ConsentWithdrawn, "O33")),
        Err((ConsentExpired, "O33")),
        Err((SafeguardMissing, "O32")),
    ]);
    assert!(counts.cases > 1_000_000, "{}", counts.cases);
}

#[test]
fn the_engine_and_the_oracle_agree_on_what_may_be_sent_where() {
    let (mut people, mut silos) = (Counts::default(), Counts::default());
    each_case(|policy, person, transfer, now| people.met(sent(policy, person, transfer, now)));
    for to in DESTINATIONS {
        for policy in clients() {
            transfers(to).iter().for_each(|transfer| silos.met(handed_over(&policy, transfer)));
        }
    }
    let both = [Ok(()), Err((lethe_domain::Reason::SafeguardMissing, "O32"))];
    people.expect(&both);
    silos.expect(&both);
}
