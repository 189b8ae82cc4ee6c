//! Each call that takes a capture, and some that take none, with everything that a service can have said of it.

use std::collections::HashMap;

use lethe_domain::{
    AgeBand, AttestationPolicy, CaptureKind, CaptureUse, Liveness, PadLevel, Purpose, Reason, Timestamp,
};
use lethe_policy::{Operation, Presented, Said, Spent};

use crate::comparison::{Attestation, aged, attested};
use crate::dimensions::*;
use crate::oracle::attestation::Vouched;

/// Those that take a capture, and a few beside them.
fn operations() -> Vec<Operation> {
    use Operation::{ContestWatchlistEntry, EraseSubject, GetSubject, SweepDuplicates};
    [CAPTURING.as_slice(), &[SweepDuplicates, ContestWatchlistEntry, GetSubject, EraseSubject]].concat()
}

/// Whether an attestation was used before, said anew of each.
type Use = fn() -> Spent;

const SPENT: [Use; 3] = [|| Spent::Never, || Spent::ByThisRequest, || Spent::Before];

const AGES: [Option<AgeBand>; 5] =
    [None, Some(AgeBand::Unknown), Some(AgeBand::Under16), Some(AgeBand::MinorFrom16), Some(AgeBand::Adult)];

const REFUSALS: [Reason; 5] = [
    Reason::AttestationRequired,
    Reason::AttestationInvalid,
    Reason::AttestationExpired,
    Reason::AttestationReplayed,
    Reason::LivenessInsufficient,
];

const LIVE: Option<Liveness> = Some(Liveness { passed: true, level: PadLevel::Level3 });

/// As long ago as the strictest client allows.
const OLDEST: Timestamp = from_now(-1000);

#[derive(Default)]
struct Counts {
    cases: usize,
    answers: HashMap<Attestation, usize>,
}

impl Counts {
    fn met(&mut self, answer: Attestation) {
        self.cases += 1;
        *self.answers.entry(answer).or_default() += 1;
    }

    /// Each of these refusals, and each of these bands of calls that repeat and of those that do not; nothing else.
    fn expect(&self, refusals: &[Reason], ages: &[Option<AgeBand>], times: usize) {
        let mut answers: Vec<Attestation> = refusals.iter().map(|&reason| Err((reason, "O6"))).collect();
        for &age in ages {
            answers.extend([false, true].map(|repeats| Ok(Vouched { age, repeats })));
        }
        for answer in &answers {
            let met = self.answers.get(answer).copied().unwrap_or_default();
            assert!(met > times, "{answer:?} {met} times: {:?}", self.answers);
        }
        assert_eq!(self.answers.len(), answers.len(), "{:?}", self.answers);
    }
}

/// Every call of every client, with what decides on the liveness, and on which of several refusals comes first.
#[test]
fn the_engine_and_the_oracle_agree_on_every_call_of_every_client() {
    let (scene, mut counts) = (Scene::new(), Counts::default());
    let unsaid = [Presented::Nothing, Presented::Unbelieved("is no JWS".to_owned())];
    let mut by_kind: HashMap<CaptureKind, Vec<Presented<'_>>> = HashMap::new();
    for kind in CaptureKind::ALL {
        let presented = by_kind.entry(kind).or_default();
        for slip in [Slip::None, Slip::Tenant] {
            for expires_at in [NOW, from_now(1)] {
                for liveness in verdicts() {
                    for spent in SPENT {
                        let said = scene.said(kind, OLDEST, &[slip]);
                        presented.push(Presented::Believed(Said { expires_at, liveness, ..said }, spent()));
                    }
                }
            }
        }
    }
    for operation in operations() {
        for purpose in Purpose::ALL {
            for policy in MAX_AGES.map(clients_asking).concat() {
                for (&kind, presented) in &by_kind {
                    let capture = scene.capture(kind, OLDEST);
                    for presented in unsaid.iter().chain(presented) {
                        let called = scene.called(operation, purpose);
                        counts.met(attested(called, &policy, &capture, presented, NOW));
                    }
                }
            }
        }
    }
    counts.expect(&REFUSALS, &[None], 10_000);
    assert!(counts.cases > 3_000_000, "{}", counts.cases);
}

/// Every claim off at every moment, before and after the call was made.
#[test]
fn the_engine_and_the_oracle_agree_on_every_claim_at_every_moment() {
    let (scene, mut counts) = (Scene::new(), Counts::default());
    let failed = Some(Liveness { passed: false, level: PadLevel::Level3 });
    let weak = Some(Liveness { passed: true, level: PadLevel::Level1 });
    for max_age in MAX_AGES {
        let least_level = PadLevel::Level2;
        let policies =
            [vec![], CaptureUse::ALL.to_vec()].map(|exempt| AttestationPolicy { exempt, least_level, max_age });
        for kind in CaptureKind::ALL {
            for captured_at in captured(max_age) {
                let capture = scene.capture(kind, captured_at);
                for (slip, liveness, spent) in all_of(&SLIPS, &[None, LIVE, failed, weak]) {
                    for expires_at in expiries() {
                        let said = scene.said(kind, captured_at, &[slip]);
                        let presented = Presented::Believed(Said { expires_at, liveness, ..said }, spent());
                        for operation in CAPTURING {
                            for purpose in [Purpose::DocumentCheck, Purpose::Authentication] {
                                let called = scene.called(operation, purpose);
                                for policy in &policies {
                                    counts.met(attested(called, policy, &capture, &presented, NOW));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    // Something is presented always.
    counts.expect(&REFUSALS[1..], &[None], 5_000);
    assert!(counts.cases > 1_000_000, "{}", counts.cases);
}

fn all_of(slips: &[Slip], verdicts: &[Option<Liveness>]) -> Vec<(Slip, Option<Liveness>, Use)> {
    let each = |&slip| verdicts.iter().flat_map(move |&verdict| SPENT.map(|spent| (slip, verdict, spent)));
    slips.iter().flat_map(each).collect()
}

/// Everything at once, by chance: also several claims off, and each age.
#[test]
fn the_engine_and_the_oracle_agree_on_whatever_is_said() {
    let (scene, mut counts, mut dice) = (Scene::new(), Counts::default(), Dice(6));
    let (operations, verdicts) = (operations(), verdicts());
    let clients = MAX_AGES.map(clients_asking).concat();
    let expiries = expiries();
    for _ in 0..600_000 {
        let policy = dice.any_of(&clients);
        let kind = dice.one_of(&CaptureKind::ALL);
        let captured_at = dice.one_of(&captured(policy.max_age));
        let said = Said {
            expires_at: dice.one_of(&expiries),
            liveness: if dice.coin() { LIVE } else { dice.one_of(&verdicts) },
            age: dice.one_of(&AGES),
            ..scene.said(kind, captured_at, &dice.slips())
        };
        let presented = match dice.roll(12) {
            0 => Presented::Nothing,
            1 => Presented::Unbelieved("is of a key that was revoked".to_owned()),
            _ => Presented::Believed(said, dice.any_of(&SPENT)()),
        };
        let called = scene.called(dice.one_of(&operations), dice.one_of(&Purpose::ALL));
        let capture = scene.capture(kind, captured_at);
        counts.met(attested(called, policy, &capture, &presented, NOW));
    }
    counts.expect(&REFUSALS, &[None, Some(AgeBand::Under16), Some(AgeBand::MinorFrom16), Some(AgeBand::Adult)], 1_000);
}

#[test]
fn the_engine_and_the_oracle_agree_on_how_old_somebody_is() {
    let mut met: HashMap<AgeBand, usize> = HashMap::new();
    for known in AgeBand::ALL {
        for attested in AGES {
            *met.entry(aged(known, attested)).or_default() += 1;
        }
    }
    // Four bands that can be known, by five that can be attested.
    let expected = [(AgeBand::Unknown, 2), (AgeBand::Under16, 8), (AgeBand::MinorFrom16, 6), (AgeBand::Adult, 4)];
    assert_eq!(met, HashMap::from(expected));
}
