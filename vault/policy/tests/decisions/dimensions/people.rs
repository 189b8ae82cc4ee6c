//! People, and what is known of them.

use lethe_domain::{
    AgeBand, Consent, ConsentId, Dossier, Giver, Hold, HoldId, Jurisdiction, Label, Manner, Notice, Objection, Purpose,
    Restriction, RestrictionGround, Timestamp,
};

use crate::oracle::calendar::moment;

use super::{
    A_DAY, Dice, GROUNDS, HELD, LAST_OF_A_DAY, LATELY, LONG_AGO, NOON, NOW, another, by, consented_purpose, from_now,
    put_off, recorded, wishes,
};

pub(crate) fn a_hold() -> Hold {
    Hold {
        id: HoldId::from_bytes([3; 16]),
        case: Label::parse("case", "case-a").unwrap(),
        placed_at: LONG_AGO,
        review_at: LATELY,
        reviewed_at: None,
    }
}

pub(crate) fn a_restriction(ground: RestrictionGround) -> Restriction {
    Restriction { ground, since: LATELY }
}

pub(crate) fn an_objection(purpose: Purpose) -> Objection {
    Objection { purpose, since: LATELY, overruled: None }
}

pub(crate) fn overruled(objection: Objection) -> Objection {
    Objection { overruled: Some(Label::parse("grounds", "grounds-a").unwrap()), ..objection }
}

/// The laws that a person may fall under; `None` where nobody said.
pub(crate) fn laws() -> Vec<Option<Jurisdiction>> {
    let mut all = vec![None];
    all.extend(Jurisdiction::ALL.map(Some));
    all
}

/// No objection, and one that counts, one that does not any more, and one to another purpose.
pub(crate) fn objections(purpose: Purpose) -> [Vec<Objection>; 4] {
    [vec![], vec![an_objection(purpose)], vec![overruled(an_objection(purpose))], vec![an_objection(another(purpose))]]
}

/// Visits people of every law, age, hold, restriction and objection, with these consents, and tells how many they are.
pub(crate) fn for_every_person(purpose: Purpose, consents: &[Consent], mut visit: impl FnMut(&Dossier)) -> usize {
    let objections = objections(purpose);
    for jurisdiction in laws() {
        for age in AgeBand::ALL {
            for held in HELD {
                for ground in GROUNDS {
                    for objections in objections.clone() {
                        visit(&Dossier {
                            jurisdiction,
                            age,
                            consents: consents.to_vec(),
                            restriction: ground.map(a_restriction),
                            objections,
                            holds: if held { vec![a_hold()] } else { vec![] },
                            ..Dossier::default()
                        });
                    }
                }
            }
        }
    }
    laws().len() * AgeBand::ALL.len() * HELD.len() * GROUNDS.len() * objections.len()
}

pub(crate) fn adult(consents: Vec<Consent>) -> Dossier {
    Dossier { age: AgeBand::Adult, consents: recorded(consents), ..Dossier::default() }
}

pub(crate) fn child(consents: Vec<Consent>) -> Dossier {
    Dossier { age: AgeBand::Under16, ..adult(consents) }
}

pub(crate) fn restricted(ground: RestrictionGround, person: Dossier) -> Dossier {
    Dossier { restriction: Some(a_restriction(ground)), ..person }
}

pub(crate) fn in_illinois(person: Dossier) -> Dossier {
    Dossier { jurisdiction: Some(Jurisdiction::Illinois), ..person }
}

pub(crate) fn drawn_person(dice: &mut Dice, purpose: Purpose) -> Dossier {
    let to = consented_purpose(purpose);
    let consents = (0..dice.roll(7))
        .map(|_| Consent {
            id: ConsentId::from_bytes([0; 16]),
            purpose: dice.one_of(&[to, to, another(to), Purpose::KycSharing]),
            notice: Notice { version: Label::parse("notice", "v2").unwrap(), sha256: [8; 32] },
            manner: dice.one_of(&Manner::ALL),
            giver: dice.one_of(&Giver::ALL),
            recipients: Vec::new(),
            countries: Vec::new(),
            given_at: dice.one_of(&[LONG_AGO, LATELY, NOW, from_now(1)]),
            expires_at: dice.one_of(&[None, Some(LATELY), Some(from_now(-1)), Some(NOW), Some(from_now(1))]),
            withdrawn_at: dice.one_of(&[None, None, None, Some(LATELY), Some(NOW), Some(from_now(1))]),
        })
        .collect();
    let mut objections: Vec<Objection> = Vec::new();
    for objected in [another(purpose), purpose, Purpose::LegalClaims] {
        if objections.iter().all(|known| known.purpose != objected) && dice.roll(4) == 0 {
            let objection = an_objection(objected);
            objections.push(if dice.coin() { overruled(objection) } else { objection });
        }
    }
    let ground = dice.one_of(&RestrictionGround::ALL);
    let holds = [0, 0, 0, 0, 0, 1, 2];
    Dossier {
        jurisdiction: dice.one_of(&laws()),
        age: dice.one_of(&AgeBand::ALL),
        consents: recorded(consents),
        restriction: (dice.roll(6) == 0).then_some(a_restriction(ground)),
        objections,
        holds: vec![a_hold(); dice.one_of(&holds)],
        purpose_ended_at: drawn_end(dice),
        contract_ended_at: drawn_end(dice),
        deferral: (dice.roll(8) == 0).then_some(put_off(LONG_AGO, dice.one_of(&[0, 90 * A_DAY]))),
        post_mortem: dice.one_of(&wishes()),
        died_at: (dice.roll(12) == 0).then_some(LATELY),
    }
}

fn drawn_end(dice: &mut Dice) -> Option<Timestamp> {
    let ends = [LONG_AGO, from_now(-A_DAY), from_now(-A_DAY - 1), from_now(-A_DAY + 1), NOW, from_now(1)];
    (dice.roll(3) == 0).then_some(dice.one_of(&ends))
}

/// The person, held or restricted.
pub(crate) fn kept_by((held, ground): (bool, Option<RestrictionGround>), person: Dossier) -> Dossier {
    Dossier { holds: if held { vec![a_hold()] } else { vec![] }, restriction: ground.map(a_restriction), ..person }
}

/// Visits people of whom nothing ended, and to whom it happened in every way: their purpose was satisfied, their contract
/// was over, an erasure is put off, they said what is wanted after their death, and they died.
pub(crate) fn for_every_fate(mut visit: impl FnMut(&Dossier)) {
    let leap = moment(2024, 2, 29, NOON);
    let last = moment(2026, 1, 31, LAST_OF_A_DAY);
    let purpose_ends = [None, Some(leap), Some(last)];
    let contract_ends = [None, Some(leap), Some(by(leap, 1)), Some(moment(2026, 2, 28, NOON))];
    // Until before, at and after the ninetieth day.
    let deferrals =
        [None, Some(put_off(leap, 0)), Some(put_off(leap, 90 * A_DAY - 1)), Some(put_off(leap, 90 * A_DAY + 1))];
    let deaths = [None, Some(leap), Some(last)];
    for purpose_ended_at in purpose_ends {
        for contract_ended_at in contract_ends {
            for deferral in deferrals {
                for died_at in deaths {
                    for post_mortem in wishes() {
                        visit(&Dossier {
                            purpose_ended_at,
                            contract_ended_at,
                            deferral,
                            post_mortem,
                            died_at,
                            ..Dossier::default()
                        });
                    }
                }
            }
        }
    }
}

/// The person, to whom what happened to the other one happened.
pub(crate) fn happened(to: &Dossier, person: Dossier) -> Dossier {
    Dossier {
        purpose_ended_at: to.purpose_ended_at,
        contract_ended_at: to.contract_ended_at,
        deferral: to.deferral,
        post_mortem: to.post_mortem.clone(),
        died_at: to.died_at,
        ..person
    }
}
