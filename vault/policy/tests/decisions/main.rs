//! Decisions about people: whatever is known of a person, the engine decides as the obligations say.
//!
//! The oracle was written from the obligations without a look at the engine. Both judge millions of people, and some
//! decisions are written out in full besides.
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a test may panic, and its names say what it is about"
)]

mod oracle;

use std::collections::HashSet;

use lethe_domain::{
    AgeBand, Consent, ConsentId, Dossier, Giver, Hold, HoldId, Jurisdiction, Label, LawfulBasis, Manner, Notice,
    Objection, Purpose, PurposeBasis, Reason, Restriction, RestrictionGround, TenantPolicy, Timestamp,
};
use lethe_policy::{Duty, Operation, is_child_alone, is_left_baseless, judge};
use oracle::Kept;

type Decision = Result<Option<LawfulBasis>, (Reason, &'static str, Option<Duty>)>;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LONG_AGO: Timestamp = from_now(-2_000_000);
const LATELY: Timestamp = from_now(-1_000_000);

const PROCESSING: [Operation; 5] =
    [Operation::Enroll, Operation::ReplaceTemplate, Operation::Verify, Operation::Search, Operation::SweepDuplicates];

const DESTROYING: [Operation; 2] = [Operation::DeleteTemplate, Operation::EraseSubject];

const LOOKING: [Operation; 6] = [
    Operation::ListTemplates,
    Operation::GetSubject,
    Operation::ListConsents,
    Operation::ListHolds,
    Operation::ExportConsents,
    // What it hands over is the person's.
    Operation::ExportSubject,
];

const RIGHTS: [Operation; 12] = [
    Operation::RecordConsent,
    Operation::WithdrawConsent,
    Operation::UpdateSubject,
    Operation::RestrictSubject,
    Operation::LiftRestriction,
    Operation::ObjectSubject,
    Operation::LiftObjection,
    Operation::PlaceHold,
    Operation::ReleaseHold,
    Operation::OpenRequest,
    Operation::ExtendRequest,
    Operation::CloseRequest,
];

const PURPOSES: [Purpose; 4] =
    [Purpose::Authentication, Purpose::DuplicateDetection, Purpose::FraudPrevention, Purpose::DataSubjectRequest];

/// What a tenant declares for the purpose of the call, and what for another one; `None` where it does not have it.
const BASES: [(Option<LawfulBasis>, Option<LawfulBasis>); 8] = [
    // Consents only.
    (Some(LawfulBasis::ExplicitConsent), None),
    (Some(LawfulBasis::ExplicitConsent), Some(LawfulBasis::ExplicitConsent)),
    (None, Some(LawfulBasis::ExplicitConsent)),
    // A consent and something else.
    (Some(LawfulBasis::ExplicitConsent), Some(LawfulBasis::Contract)),
    (Some(LawfulBasis::LegalObligation), Some(LawfulBasis::ExplicitConsent)),
    // No consent.
    (Some(LawfulBasis::LegitimateInterests), None),
    (None, Some(LawfulBasis::Contract)),
    // Nothing at all.
    (None, None),
];

/// The purposes that people are served for.
const SERVED: [Purpose; 5] = [
    Purpose::Authentication,
    Purpose::DocumentCheck,
    Purpose::DuplicateDetection,
    Purpose::FraudPrevention,
    Purpose::RequesterIdentification,
];

const HELD: [bool; 2] = [false, true];

/// Why a person is restricted, if at all: on the ground that a rectification ends, and on one that it does not.
const GROUNDS: [Option<RestrictionGround>; 3] =
    [None, Some(RestrictionGround::AccuracyContested), Some(RestrictionGround::UnlawfulProcessing)];

/// A person who is neither held nor restricted, one who is held, and those who are restricted.
const KEPT: [(bool, Option<RestrictionGround>); 4] =
    [(false, None), (true, None), (false, GROUNDS[1]), (false, GROUNDS[2])];

/// Every way in which a denial can come about: the reason, and the obligation that decided.
const DENIALS: [(Reason, &str); 15] = [
    (Reason::PurposeNotAllowed, "O1"),
    (Reason::WrittenConsentRequired, "O16"),
    (Reason::ConsentWithdrawn, "O16"),
    (Reason::ConsentExpired, "O16"),
    (Reason::LegalHold, "O42"),
    (Reason::SubjectRestricted, "O22"),
    (Reason::MinorWithoutGuardian, "O15"),
    (Reason::ConsentMissing, "O15"),
    (Reason::ConsentWithdrawn, "O15"),
    (Reason::ConsentExpired, "O15"),
    (Reason::AgeUnknown, "O15"),
    (Reason::PurposeObjected, "O39"),
    (Reason::ConsentMissing, "O2"),
    (Reason::ConsentExpired, "O2"),
    (Reason::ConsentWithdrawn, "O23"),
];

/// The denials that can come with the duty to erase.
const DUTIES: [(Reason, &str); 7] = [
    (Reason::WrittenConsentRequired, "O16"),
    (Reason::ConsentWithdrawn, "O16"),
    (Reason::ConsentExpired, "O16"),
    (Reason::MinorWithoutGuardian, "O15"),
    (Reason::ConsentMissing, "O15"),
    (Reason::ConsentWithdrawn, "O15"),
    (Reason::ConsentExpired, "O15"),
];

/// Everything that can be found out of a person whom a withdrawal might have left without a basis.
const FINDINGS: [Result<(), Kept>; 6] = [
    Ok(()),
    Err(Kept::Held),
    Err(Kept::Restricted),
    Err(Kept::NothingServed),
    Err(Kept::ABasisHolds),
    Err(Kept::NothingWithdrawn),
];

const ERASE: Option<Duty> = Some(Duty::EraseWithoutDelay);

const fn from_now(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + millis)
}

fn every_operation() -> Vec<Operation> {
    [PROCESSING.as_slice(), DESTROYING.as_slice(), LOOKING.as_slice(), RIGHTS.as_slice()].concat()
}

/// A purpose that the call is not about.
fn another(purpose: Purpose) -> Purpose {
    if purpose == Purpose::Authentication { Purpose::FraudPrevention } else { Purpose::Authentication }
}

/// The purpose that consents are given to in calls for `purpose`: nobody consents to one that is not biometric.
fn consented_purpose(purpose: Purpose) -> Purpose {
    if purpose.is_biometric() { purpose } else { Purpose::DuplicateDetection }
}

// Consents.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Valid,
    Expired,
    Withdrawn,
}

const EVERY_STANDING: [Stands; 3] = [Stands::Valid, Stands::Expired, Stands::Withdrawn];

fn consent(purpose: Purpose, manner: Manner, giver: Giver, stands: Stands, given_at: Timestamp) -> Consent {
    Consent {
        id: ConsentId::from_bytes([0; 16]),
        purpose,
        notice: Notice { version: Label::parse("notice", "v1").unwrap(), sha256: [7; 32] },
        manner,
        giver,
        given_at,
        expires_at: (stands == Stands::Expired).then_some(from_now(-1)),
        withdrawn_at: (stands == Stands::Withdrawn).then_some(from_now(-1)),
    }
}

/// The consents as they stand in a dossier. Their ids descend, so that the order of ids is not that of recording.
fn recorded(mut consents: Vec<Consent>) -> Vec<Consent> {
    for (id, consent) in (0..=u8::MAX).rev().zip(&mut consents) {
        consent.id = ConsentId::from_bytes([id; 16]);
    }
    consents
}

/// A consent of each standing, manner and giver, to the purpose and to another.
fn each_consent(purpose: Purpose, given_at: Timestamp) -> Vec<Consent> {
    let mut all = Vec::new();
    for to in [purpose, another(purpose)] {
        for stands in EVERY_STANDING {
            for manner in [Manner::Written, Manner::Electronic] {
                for giver in Giver::ALL {
                    all.push(consent(to, manner, giver, stands, given_at));
                }
            }
        }
    }
    all
}

/// Single consents whose times lie at the edge.
fn consents_at_the_edge_of_time(purpose: Purpose) -> Vec<Vec<Consent>> {
    let mut lists = Vec::new();
    let kinds =
        [(Manner::Written, Giver::Guardian), (Manner::Written, Giver::Subject), (Manner::Electronic, Giver::Subject)];
    for (manner, giver) in kinds {
        let plain = consent(purpose, manner, giver, Stands::Valid, LATELY);
        let ends_now = Consent { expires_at: Some(NOW), ..plain.clone() };
        let ends_next = Consent { expires_at: Some(from_now(1)), ..plain.clone() };
        lists.extend([
            vec![ends_now.clone()],
            vec![ends_next.clone()],
            vec![Consent { withdrawn_at: Some(NOW), ..plain.clone() }],
            vec![Consent { withdrawn_at: Some(from_now(1)), ..plain.clone() }],
            vec![Consent { withdrawn_at: Some(LATELY), ..ends_now.clone() }],
            vec![Consent { withdrawn_at: Some(from_now(1)), ..ends_next.clone() }],
            vec![Consent { given_at: NOW, ..plain.clone() }],
            vec![Consent { given_at: from_now(1), ..plain }],
            vec![Consent { given_at: from_now(1), ..ends_now }],
        ]);
    }
    lists
}

/// Two consents of one kind, which ended differently or of which one holds.
fn pairs_of_a_kind(purpose: Purpose) -> Vec<Vec<Consent>> {
    use Stands::{Expired, Valid, Withdrawn};
    let mut lists = Vec::new();
    for manner in [Manner::Written, Manner::Electronic] {
        for giver in Giver::ALL {
            let one = |stands, given_at| consent(purpose, manner, giver, stands, given_at);
            lists.extend([
                vec![one(Withdrawn, LONG_AGO), one(Valid, LATELY)],
                vec![one(Valid, LONG_AGO), one(Withdrawn, LATELY)],
                vec![one(Valid, LONG_AGO), one(Expired, LATELY)],
                vec![one(Expired, LONG_AGO), one(Withdrawn, LATELY)],
                vec![one(Withdrawn, LONG_AGO), one(Expired, LATELY)],
                vec![one(Withdrawn, LATELY), one(Expired, LONG_AGO)],
                vec![one(Expired, LATELY), one(Withdrawn, LONG_AGO)],
                vec![one(Expired, LATELY), one(Withdrawn, LATELY)],
                vec![one(Withdrawn, LATELY), one(Expired, LATELY)],
            ]);
        }
    }
    lists
}

/// Consents of several kinds: what one rule takes, another does not.
fn mixed_kinds(purpose: Purpose) -> Vec<Vec<Consent>> {
    use Giver::{Guardian, Subject};
    use Manner::{Electronic, Spoken, Written};
    use Stands::{Expired, Valid, Withdrawn};
    let this = |manner, giver, stands, given_at| consent(purpose, manner, giver, stands, given_at);
    let other = |manner, giver, stands, given_at| consent(another(purpose), manner, giver, stands, given_at);
    vec![
        vec![this(Spoken, Subject, Valid, LATELY)],
        vec![this(Spoken, Guardian, Valid, LATELY)],
        vec![this(Electronic, Subject, Valid, LONG_AGO), this(Written, Subject, Withdrawn, LATELY)],
        vec![this(Electronic, Guardian, Valid, LONG_AGO), this(Written, Guardian, Withdrawn, LATELY)],
        vec![this(Electronic, Guardian, Valid, LATELY), this(Written, Guardian, Expired, LONG_AGO)],
        vec![this(Written, Subject, Valid, LONG_AGO), this(Written, Guardian, Expired, LATELY)],
        vec![this(Written, Subject, Valid, LATELY), this(Written, Guardian, Withdrawn, LONG_AGO)],
        vec![this(Written, Subject, Valid, LONG_AGO), this(Electronic, Guardian, Valid, LATELY)],
        vec![this(Electronic, Subject, Valid, LATELY), this(Electronic, Guardian, Withdrawn, LONG_AGO)],
        vec![this(Written, Guardian, Expired, LONG_AGO), this(Written, Subject, Withdrawn, LATELY)],
        vec![this(Written, Guardian, Withdrawn, LONG_AGO), this(Written, Subject, Expired, LATELY)],
        vec![this(Written, Subject, Expired, LONG_AGO), this(Written, Guardian, Withdrawn, LATELY)],
        vec![this(Written, Subject, Withdrawn, LONG_AGO), this(Written, Guardian, Expired, LATELY)],
        vec![this(Written, Subject, Withdrawn, LONG_AGO), this(Written, Guardian, Valid, LATELY)],
        vec![this(Electronic, Subject, Expired, LATELY), this(Electronic, Guardian, Valid, LATELY)],
        vec![this(Electronic, Subject, Valid, LONG_AGO), this(Written, Guardian, Valid, LATELY)],
        vec![this(Written, Subject, Expired, LONG_AGO), this(Electronic, Subject, Withdrawn, LATELY)],
        vec![this(Written, Subject, Withdrawn, LONG_AGO), this(Electronic, Subject, Expired, LATELY)],
        vec![this(Written, Guardian, Expired, LONG_AGO), this(Electronic, Guardian, Withdrawn, LATELY)],
        vec![this(Written, Guardian, Withdrawn, LATELY), other(Written, Guardian, Valid, LATELY)],
        vec![this(Written, Guardian, Expired, LATELY), other(Electronic, Guardian, Valid, LONG_AGO)],
        vec![this(Written, Subject, Valid, LATELY), other(Written, Guardian, Valid, LATELY)],
        vec![this(Written, Guardian, Expired, LONG_AGO), other(Written, Guardian, Withdrawn, LATELY)],
        vec![this(Written, Guardian, Withdrawn, LONG_AGO), other(Written, Guardian, Expired, LATELY)],
        vec![
            this(Written, Guardian, Expired, LONG_AGO),
            this(Written, Guardian, Valid, LONG_AGO),
            this(Written, Guardian, Withdrawn, LATELY),
        ],
        vec![
            this(Electronic, Subject, Withdrawn, LATELY),
            this(Electronic, Subject, Expired, LATELY),
            this(Electronic, Subject, Withdrawn, LONG_AGO),
        ],
    ]
}

/// The lists of consents that every other fact about a person is crossed with.
fn consent_lists(purpose: Purpose) -> Vec<Vec<Consent>> {
    let purpose = consented_purpose(purpose);
    let mut lists = vec![vec![]];
    lists.extend(each_consent(purpose, LATELY).into_iter().map(|consent| vec![consent]));
    lists.extend(consents_at_the_edge_of_time(purpose));
    lists.extend(pairs_of_a_kind(purpose));
    lists.extend(mixed_kinds(purpose));
    lists.into_iter().map(recorded).collect()
}

/// Consents of one kind to several purposes, some of them withdrawn and over besides.
fn consents_to_several_purposes() -> Vec<Vec<Consent>> {
    use Purpose::{Authentication, DuplicateDetection, FraudPrevention, KycSharing, LegalClaims};
    use Stands::{Expired, Valid, Withdrawn};
    let mut lists = Vec::new();
    for manner in [Manner::Written, Manner::Electronic] {
        for giver in Giver::ALL {
            let one = |to, stands| consent(to, manner, giver, stands, LONG_AGO);
            let over = |to| Consent { expires_at: Some(from_now(-1)), ..one(to, Withdrawn) };
            lists.extend([
                vec![one(Authentication, Withdrawn), one(FraudPrevention, Withdrawn)],
                vec![one(Authentication, Withdrawn), one(FraudPrevention, Valid)],
                vec![one(Authentication, Valid), one(FraudPrevention, Withdrawn)],
                vec![one(Authentication, Withdrawn), one(FraudPrevention, Expired)],
                vec![one(Authentication, Expired), one(FraudPrevention, Withdrawn)],
                vec![one(Authentication, Expired), one(FraudPrevention, Expired)],
                vec![over(Authentication)],
                vec![over(Authentication), over(FraudPrevention)],
                vec![over(Authentication), one(FraudPrevention, Withdrawn)],
                vec![over(Authentication), one(Authentication, Withdrawn)],
                vec![over(Authentication), one(Authentication, Expired)],
                vec![one(Authentication, Withdrawn), one(KycSharing, Valid), one(LegalClaims, Valid)],
                vec![one(Authentication, Withdrawn), one(DuplicateDetection, Valid)],
                vec![one(KycSharing, Withdrawn)],
                SERVED.map(|to| one(to, Withdrawn)).to_vec(),
                SERVED.map(|to| one(to, if to == Authentication { Withdrawn } else { Valid })).to_vec(),
            ]);
        }
    }
    lists.into_iter().map(recorded).collect()
}

/// The lists by which it is found out who is to be erased though nobody asked for it.
fn lists_of_withdrawals() -> Vec<Vec<Consent>> {
    let mut lists = consent_lists(Purpose::Authentication);
    lists.extend(consents_to_several_purposes());
    lists
}

// Tenants and people.

/// A tenant that declares another purpose, and after it this one, each if there is a basis for it.
fn declaring(purpose: Purpose, basis: Option<LawfulBasis>, elsewhere: Option<LawfulBasis>) -> TenantPolicy {
    let other = elsewhere.map(|basis| PurposeBasis { purpose: another(purpose), basis });
    let this = basis.map(|basis| PurposeBasis { purpose, basis });
    TenantPolicy::of(other.into_iter().chain(this).collect())
}

/// A tenant that declares another purpose on another basis, and after it this one, if there is a basis for it.
fn tenant(purpose: Purpose, basis: Option<LawfulBasis>) -> TenantPolicy {
    let elsewhere = match basis {
        Some(LawfulBasis::ExplicitConsent) => LawfulBasis::Contract,
        _ => LawfulBasis::ExplicitConsent,
    };
    declaring(purpose, basis, Some(elsewhere))
}

fn tenants(purpose: Purpose, jurisdictions: &[Jurisdiction]) -> Vec<TenantPolicy> {
    let mut all = Vec::new();
    for (basis, elsewhere) in BASES {
        for &jurisdiction in jurisdictions {
            for alone_from_16 in [false, true] {
                for age_required in [false, true] {
                    let version = u32::try_from(all.len()).unwrap() + 1;
                    all.push(TenantPolicy {
                        version,
                        jurisdiction,
                        alone_from_16,
                        age_required,
                        ..declaring(purpose, basis, elsewhere)
                    });
                }
            }
        }
    }
    all
}

fn client(purposes: &[(Purpose, LawfulBasis)]) -> TenantPolicy {
    TenantPolicy::of(purposes.iter().map(|&(purpose, basis)| PurposeBasis { purpose, basis }).collect())
}

/// Tenants that serve people for several purposes, for one and for none, on one basis or on several, each with and
/// without a law that asks for writing and one that lets minors from 16 consent.
fn clients() -> Vec<TenantPolicy> {
    use LawfulBasis::{Contract, ExplicitConsent, LegalObligation, LegitimateInterests, SubstantialPublicInterest};
    use Purpose::{Administration, Authentication, DocumentCheck, FraudPrevention, KycSharing, ServiceDevelopment};
    let legal_claims = (Purpose::LegalClaims, LawfulBasis::LegalClaims);
    let declared = [
        // No purpose at all.
        client(&[]),
        // None that people are served for.
        client(&[legal_claims]),
        client(&[(KycSharing, ExplicitConsent)]),
        client(&[(ServiceDevelopment, ExplicitConsent)]),
        client(&[(KycSharing, ExplicitConsent), legal_claims, (ServiceDevelopment, LegitimateInterests)]),
        client(&[(Administration, LegalObligation)]),
        // One.
        client(&[(Authentication, ExplicitConsent)]),
        client(&[(Authentication, Contract)]),
        client(&[legal_claims, (Authentication, ExplicitConsent)]),
        client(&[(Authentication, ExplicitConsent), (KycSharing, ExplicitConsent), (ServiceDevelopment, Contract)]),
        client(&[(KycSharing, ExplicitConsent), (Authentication, SubstantialPublicInterest)]),
        // Two and three.
        client(&[(Authentication, ExplicitConsent), (FraudPrevention, ExplicitConsent)]),
        client(&[(Authentication, ExplicitConsent), (FraudPrevention, LegalObligation)]),
        client(&[(FraudPrevention, ExplicitConsent), (Authentication, Contract)]),
        client(&[(FraudPrevention, SubstantialPublicInterest), (Authentication, Contract)]),
        client(&[(DocumentCheck, ExplicitConsent), (FraudPrevention, ExplicitConsent), legal_claims]),
        // All.
        client(&SERVED.map(|purpose| (purpose, ExplicitConsent))),
        client(&SERVED.map(|purpose| (purpose, LegalObligation))),
        client(&SERVED.map(|purpose| (purpose, if purpose == DocumentCheck { Contract } else { ExplicitConsent }))),
    ];
    let mut dice = Dice(4);
    let mut all = Vec::new();
    for policy in declared {
        for jurisdiction in [Jurisdiction::Other, Jurisdiction::Washington] {
            for alone_from_16 in [false, true] {
                all.push(TenantPolicy { jurisdiction, alone_from_16, age_required: dice.coin(), ..policy.clone() });
            }
        }
    }
    all
}

fn a_hold() -> Hold {
    Hold {
        id: HoldId::from_bytes([3; 16]),
        case: Label::parse("case", "case-a").unwrap(),
        placed_at: LONG_AGO,
        review_at: LATELY,
    }
}

fn a_restriction(ground: RestrictionGround) -> Restriction {
    Restriction { ground, since: LATELY }
}

fn an_objection(purpose: Purpose) -> Objection {
    Objection { purpose, since: LATELY, overruled: None }
}

fn overruled(objection: Objection) -> Objection {
    Objection { overruled: Some(Label::parse("grounds", "grounds-a").unwrap()), ..objection }
}

/// The laws that a person may fall under; `None` where nobody said.
fn laws() -> Vec<Option<Jurisdiction>> {
    let mut all = vec![None];
    all.extend(Jurisdiction::ALL.map(Some));
    all
}

/// No objection, and one that counts, one that does not any more, and one to another purpose.
fn objections(purpose: Purpose) -> [Vec<Objection>; 4] {
    [vec![], vec![an_objection(purpose)], vec![overruled(an_objection(purpose))], vec![an_objection(another(purpose))]]
}

/// Visits people of every law, age, hold, restriction and objection, with these consents, and tells how many they are.
fn for_every_person(purpose: Purpose, consents: &[Consent], mut visit: impl FnMut(&Dossier)) -> usize {
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
                        });
                    }
                }
            }
        }
    }
    laws().len() * AgeBand::ALL.len() * HELD.len() * GROUNDS.len() * objections.len()
}

// Chance, the same at each run (splitmix64).

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(sides).unwrap()).unwrap()
    }

    fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.roll(choices.len())].clone()
    }

    fn coin(&mut self) -> bool {
        self.roll(2) == 0
    }
}

// The comparison.

/// The engine's decision, which has to be the oracle's.
fn decided(
    operation: Operation,
    purpose: Purpose,
    policy: &TenantPolicy,
    person: &Dossier,
    now: Timestamp,
) -> Decision {
    let engine = match judge(operation, purpose, policy, person, now) {
        Ok(judged) => {
            assert_eq!(judged.policy_version, policy.version, "the version that judged is not the policy's");
            Ok(judged.basis)
        }
        Err(denial) => {
            assert!(!denial.message.is_empty(), "{:?} without a message", denial.reason);
            Err((denial.reason, denial.obligation, denial.duty))
        }
    };
    let oracle = oracle::expected(operation, purpose, policy, person, now);
    assert!(
        engine == oracle,
        "{operation:?} for {purpose:?} at {now:?}\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}"
    );
    if let Err((reason, "O15" | "O16", duty)) = &engine {
        // Who is refused for want of a consent is to be erased exactly where it is a child that nobody consented for.
        assert_eq!(duty.is_some(), is_child_alone(policy, person, now), "{reason:?}\n{policy:#?}\n{person:#?}");
    }
    engine
}

/// Whether a child is alone: the engine's answer, which has to be the oracle's.
fn alone(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    let engine = is_child_alone(policy, person, now);
    let oracle = oracle::is_child_alone(policy, person, now);
    assert!(
        engine == oracle,
        "a child alone at {now:?}\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}"
    );
    engine
}

/// Whether a withdrawal left nothing to keep the person on, and if not, why: the engine has to agree with the oracle.
fn baseless(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Result<(), Kept> {
    let engine = is_left_baseless(policy, person, now);
    let oracle = oracle::left_baseless(policy, person, now);
    assert!(
        engine == oracle.is_ok(),
        "left baseless at {now:?}\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}"
    );
    oracle
}

#[derive(Default)]
struct Tally {
    cases: usize,
    allowed: usize,
    denials: HashSet<(Reason, &'static str)>,
    duties: HashSet<(Reason, &'static str)>,
}

impl Tally {
    fn judge(&mut self, operation: Operation, purpose: Purpose, policy: &TenantPolicy, person: &Dossier) {
        self.cases += 1;
        match decided(operation, purpose, policy, person, NOW) {
            Ok(_) => self.allowed += 1,
            Err((reason, obligation, duty)) => {
                self.denials.insert((reason, obligation));
                if duty.is_some() {
                    self.duties.insert((reason, obligation));
                }
            }
        }
    }

    /// Nothing was left out: every denial there is, every duty and permissions occurred.
    fn met_everything(&self) {
        self.met(&DENIALS, &DUTIES);
    }

    /// These denials occurred and no others, these of them with a duty, and permissions.
    fn met(&self, denials: &[(Reason, &'static str)], duties: &[(Reason, &'static str)]) {
        let denials: HashSet<_> = denials.iter().copied().collect();
        let duties: HashSet<_> = duties.iter().copied().collect();
        assert_eq!(self.denials, denials, "not every denial occurred, or one that nobody knows of");
        assert_eq!(self.duties, duties, "not every duty arose, or one that nobody knows of");
        assert!(self.allowed > 0, "nothing was allowed");
    }
}

/// What was found out of people of which age, who are to be erased though nobody asked for it or are not.
#[derive(Default)]
struct Findings {
    cases: usize,
    alone: HashSet<(AgeBand, bool)>,
    baseless: HashSet<(AgeBand, Result<(), Kept>)>,
}

impl Findings {
    fn find(&mut self, policy: &TenantPolicy, person: &Dossier) {
        self.cases += 1;
        self.alone.insert((person.age, alone(policy, person, NOW)));
        self.baseless.insert((person.age, baseless(policy, person, NOW)));
    }

    /// Minors were alone and were not, nobody else was alone, and at every age these things were found and no others.
    fn met(&self, findings: &[Result<(), Kept>]) {
        let minors = [AgeBand::Under16, AgeBand::MinorFrom16].map(|age| (age, true));
        let everybody = AgeBand::ALL.map(|age| (age, false));
        assert_eq!(self.alone, minors.into_iter().chain(everybody).collect());
        let expected = AgeBand::ALL.into_iter().flat_map(|age| findings.iter().map(move |&found| (age, found)));
        assert_eq!(self.baseless, expected.collect());
    }
}

/// Each list of consents is crossed with all that can be known of a person and all that a tenant can have declared;
/// which of the operations that process is judged, chance decides.
#[test]
fn the_engine_and_the_oracle_agree_on_every_combination() {
    let jurisdictions = [Jurisdiction::EuropeanUnion, Jurisdiction::Illinois];
    let mut dice = Dice(1);
    let mut tally = Tally::default();
    let mut planned = 0;
    for purpose in PURPOSES {
        let policies = tenants(purpose, &jurisdictions);
        let lists = consent_lists(purpose);
        for consents in &lists {
            let people = for_every_person(purpose, consents, |person| {
                for policy in &policies {
                    tally.judge(dice.one_of(&PROCESSING), purpose, policy, person);
                }
            });
            planned += people * policies.len();
        }
    }
    tally.met_everything();
    assert_eq!(tally.cases, planned);
    assert!(tally.cases > 5_000_000, "{} cases are too few", tally.cases);
}

/// A template is put right at a person's request, with each list of consents and all that else can be known.
#[test]
fn the_engine_and_the_oracle_agree_on_every_rectification() {
    let purpose = Purpose::DataSubjectRequest;
    let policies = tenants(purpose, &[Jurisdiction::Kazakhstan, Jurisdiction::Texas]);
    let mut tally = Tally::default();
    let mut planned = 0;
    for consents in consent_lists(purpose) {
        let people = for_every_person(purpose, &consents, |person| {
            for policy in &policies {
                tally.judge(Operation::ReplaceTemplate, purpose, policy, person);
            }
        });
        planned += people * policies.len();
    }
    // Nobody has to declare the purpose, and nobody can object to it.
    let denials: Vec<_> =
        DENIALS.into_iter().filter(|&(_, obligation)| obligation != "O1" && obligation != "O39").collect();
    tally.met(&denials, &DUTIES);
    assert_eq!(tally.cases, planned);
}

/// Every operation that concerns a person, with few consents and all that else can be known.
#[test]
fn the_engine_and_the_oracle_agree_on_every_operation() {
    let jurisdictions = [Jurisdiction::Other, Jurisdiction::Texas];
    let kinds: [&[Operation]; 4] = [&PROCESSING, &DESTROYING, &LOOKING, &RIGHTS];
    let mut tallies = kinds.map(|_| Tally::default());
    let mut planned = 0;
    for purpose in PURPOSES {
        let policies = tenants(purpose, &jurisdictions);
        let to = consented_purpose(purpose);
        let lists = [
            vec![],
            vec![consent(to, Manner::Written, Giver::Guardian, Stands::Valid, LATELY)],
            vec![consent(to, Manner::Electronic, Giver::Subject, Stands::Withdrawn, LATELY)],
        ];
        for consents in lists {
            let people = for_every_person(purpose, &recorded(consents), |person| {
                for policy in &policies {
                    for (tally, kind) in tallies.iter_mut().zip(kinds) {
                        for &operation in kind {
                            tally.judge(operation, purpose, policy, person);
                        }
                    }
                }
            });
            planned += people * policies.len();
        }
    }
    for (tally, kind) in tallies.iter().zip(kinds) {
        assert_eq!(tally.cases, planned * kind.len());
    }
    let [processing, destroying, looking, rights] = tallies;
    assert!(processing.allowed > 0 && !processing.duties.is_empty());
    destroying.met(&[(Reason::LegalHold, "O42"), (Reason::SubjectRestricted, "O22")], &[]);
    looking.met(&[], &[]);
    rights.met(&[], &[]);
}

/// The person's own law counts, whatever the tenant's is, and the tenant's where nobody said.
#[test]
fn the_engine_and_the_oracle_agree_on_every_pair_of_jurisdictions() {
    let mut tally = Tally::default();
    let mut planned = 0;
    for purpose in PURPOSES {
        let policies = tenants(purpose, &Jurisdiction::ALL);
        let mut lists = vec![vec![]];
        lists.extend(each_consent(consented_purpose(purpose), LATELY).into_iter().map(|consent| vec![consent]));
        planned += lists.len() * laws().len() * AgeBand::ALL.len() * policies.len() * PROCESSING.len();
        for consents in lists.into_iter().map(recorded) {
            for jurisdiction in laws() {
                for age in AgeBand::ALL {
                    let person = Dossier { jurisdiction, age, consents: consents.clone(), ..Dossier::default() };
                    for policy in &policies {
                        for operation in PROCESSING {
                            tally.judge(operation, purpose, policy, &person);
                        }
                    }
                }
            }
        }
    }
    assert_eq!(tally.cases, planned);
    assert!(tally.allowed > 0 && !tally.duties.is_empty());
}

/// Any consent beside any other: given before it, after it, and with it.
#[test]
fn the_engine_and_the_oracle_agree_on_every_pair_of_consents() {
    let times = [(LONG_AGO, LATELY), (LATELY, LONG_AGO), (LATELY, LATELY)];
    let jurisdictions = [Jurisdiction::Kazakhstan, Jurisdiction::Illinois];
    let mut dice = Dice(2);
    let mut tally = Tally::default();
    let mut planned = 0;
    for purpose in PURPOSES {
        let to = consented_purpose(purpose);
        let policies = tenants(purpose, &[Jurisdiction::Other]);
        for (first_given, second_given) in times {
            let (firsts, seconds) = (each_consent(to, first_given), each_consent(to, second_given));
            let people = jurisdictions.len() * AgeBand::ALL.len() * KEPT.len();
            planned += firsts.len() * seconds.len() * people * policies.len();
            for first in &firsts {
                for second in &seconds {
                    let consents = recorded(vec![first.clone(), second.clone()]);
                    for jurisdiction in jurisdictions {
                        for age in AgeBand::ALL {
                            for (held, ground) in KEPT {
                                let person = Dossier {
                                    jurisdiction: Some(jurisdiction),
                                    age,
                                    consents: consents.clone(),
                                    restriction: ground.map(a_restriction),
                                    objections: vec![],
                                    holds: if held { vec![a_hold()] } else { vec![] },
                                };
                                for policy in &policies {
                                    tally.judge(dice.one_of(&PROCESSING), purpose, policy, &person);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(tally.cases, planned);
    assert!(tally.allowed > 0 && !tally.duties.is_empty());
}

/// People and tenants with many consents, holds, objections and purposes, all drawn by chance.
#[test]
fn the_engine_and_the_oracle_agree_on_people_drawn_by_chance() {
    const DRAWN: usize = 500_000;
    let operations = every_operation();
    let mut dice = Dice(3);
    let mut tally = Tally::default();
    for _ in 0..DRAWN {
        let purpose = dice.one_of(&Purpose::ALL);
        let person = drawn_person(&mut dice, purpose);
        let policy = drawn_tenant(&mut dice, purpose);
        let operation = if dice.roll(4) == 0 { dice.one_of(&operations) } else { dice.one_of(&PROCESSING) };
        tally.judge(operation, purpose, &policy, &person);
    }
    tally.met_everything();
    assert_eq!(tally.cases, DRAWN);
}

fn drawn_person(dice: &mut Dice, purpose: Purpose) -> Dossier {
    let to = consented_purpose(purpose);
    let consents = (0..dice.roll(7))
        .map(|_| Consent {
            id: ConsentId::from_bytes([0; 16]),
            purpose: dice.one_of(&[to, to, another(to), Purpose::KycSharing]),
            notice: Notice { version: Label::parse("notice", "v2").unwrap(), sha256: [8; 32] },
            manner: dice.one_of(&Manner::ALL),
            giver: dice.one_of(&Giver::ALL),
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
    }
}

/// Some have no purpose, some rest on consents only, and some declare the call's purpose though it is not biometric.
fn drawn_tenant(dice: &mut Dice, purpose: Purpose) -> TenantPolicy {
    let declares_nothing = dice.roll(16) == 0;
    let consents_only = dice.roll(4) == 0;
    let mut purposes = Vec::new();
    for declared in Purpose::ALL {
        let likely = if declared == purpose { 8 } else { 2 };
        let known = declared.is_biometric() || declared == purpose;
        if known && !declares_nothing && dice.roll(likely) != 0 {
            let consents = consents_only || dice.coin();
            let basis = if consents { LawfulBasis::ExplicitConsent } else { dice.one_of(&LawfulBasis::ALL) };
            purposes.push(PurposeBasis { purpose: declared, basis });
        }
    }
    TenantPolicy {
        version: u32::try_from(dice.roll(1000)).unwrap() + 1,
        purposes,
        jurisdiction: dice.one_of(&Jurisdiction::ALL),
        alone_from_16: dice.coin(),
        age_required: dice.coin(),
    }
}

/// Each list of consents, with all that else can be known of a person, at tenants that serve people for many purposes
/// or for none.
#[test]
fn the_engine_and_the_oracle_agree_on_who_is_to_be_erased_unasked() {
    let policies = clients();
    let lists = lists_of_withdrawals();
    let mut findings = Findings::default();
    let mut planned = 0;
    for consents in &lists {
        let people = for_every_person(Purpose::Authentication, consents, |person| {
            for policy in &policies {
                findings.find(policy, person);
            }
        });
        planned += people * policies.len();
    }
    findings.met(&FINDINGS);
    assert_eq!(findings.cases, planned);
    assert!(findings.cases > 5_000_000, "{} cases are too few", findings.cases);
}

/// Any consent beside any other, the withdrawn ones also where their time is over since.
#[test]
fn the_engine_and_the_oracle_agree_on_who_is_to_be_erased_unasked_with_every_pair_of_consents() {
    let jurisdictions = [Jurisdiction::Kazakhstan, Jurisdiction::Texas];
    let policies = clients();
    let mut single = each_consent(Purpose::Authentication, LATELY);
    let withdrawn: Vec<_> = single.iter().filter(|consent| consent.withdrawn_at.is_some()).cloned().collect();
    single.extend(withdrawn.into_iter().map(|consent| Consent { expires_at: Some(NOW), ..consent }));
    let mut findings = Findings::default();
    for first in &single {
        for second in &single {
            let consents = recorded(vec![first.clone(), second.clone()]);
            for jurisdiction in jurisdictions {
                for age in AgeBand::ALL {
                    let consents = consents.clone();
                    let person = Dossier { jurisdiction: Some(jurisdiction), age, consents, ..Dossier::default() };
                    for policy in &policies {
                        findings.find(policy, &person);
                    }
                }
            }
        }
    }
    let kept: Vec<_> =
        FINDINGS.into_iter().filter(|&found| found != Err(Kept::Held) && found != Err(Kept::Restricted)).collect();
    findings.met(&kept);
    let people = jurisdictions.len() * AgeBand::ALL.len();
    assert_eq!(findings.cases, single.len() * single.len() * people * policies.len());
}

/// People with many consents, at tenants that declare few purposes or many.
#[test]
fn the_engine_and_the_oracle_agree_on_who_is_to_be_erased_unasked_of_people_drawn_by_chance() {
    const DRAWN: usize = 300_000;
    let mut dice = Dice(5);
    let mut findings = Findings::default();
    for _ in 0..DRAWN {
        let purpose = dice.one_of(&SERVED);
        let person = drawn_person(&mut dice, purpose);
        let mut policy = drawn_tenant(&mut dice, purpose);
        // The fewer purposes there are, the oftener each of them is lost.
        let few = dice.coin();
        policy.purposes.retain(|declared| !few || !SERVED.contains(&declared.purpose) || declared.purpose == purpose);
        findings.find(&policy, &person);
    }
    findings.met(&FINDINGS);
    assert_eq!(findings.cases, DRAWN);
}

#[test]
fn no_list_of_consents_is_crossed_twice() {
    let mut crossed = PURPOSES.map(consent_lists).to_vec();
    crossed.push(lists_of_withdrawals());
    for lists in crossed {
        for (at, list) in lists.iter().enumerate() {
            assert!(!lists[..at].contains(list), "{list:#?}");
        }
    }
}

// Decisions written out, for which neither the engine nor the oracle is asked what is right.

const RESTRICTED: Decision = Err((Reason::SubjectRestricted, "O22", None));
const HOLD: Decision = Err((Reason::LegalHold, "O42", None));

/// A login where the basis is explicit consent.
fn login(person: &Dossier, now: Timestamp) -> Decision {
    let policy = tenant(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent));
    decided(Operation::Verify, Purpose::Authentication, &policy, person, now)
}

/// A rectification that the person asked for.
fn put_right(policy: &TenantPolicy, person: &Dossier) -> Decision {
    decided(Operation::ReplaceTemplate, Purpose::DataSubjectRequest, policy, person, NOW)
}

fn given(manner: Manner, giver: Giver, stands: Stands) -> Consent {
    consent(Purpose::Authentication, manner, giver, stands, LATELY)
}

fn adult(consents: Vec<Consent>) -> Dossier {
    Dossier { age: AgeBand::Adult, consents: recorded(consents), ..Dossier::default() }
}

fn child(consents: Vec<Consent>) -> Dossier {
    Dossier { age: AgeBand::Under16, ..adult(consents) }
}

fn restricted(ground: RestrictionGround, person: Dossier) -> Dossier {
    Dossier { restriction: Some(a_restriction(ground)), ..person }
}

fn in_illinois(person: Dossier) -> Dossier {
    Dossier { jurisdiction: Some(Jurisdiction::Illinois), ..person }
}

#[test]
fn a_consent_ends_exactly_at_its_time() {
    let ticked = given(Manner::Electronic, Giver::Subject, Stands::Valid);
    let person = adult(vec![Consent { expires_at: Some(NOW), ..ticked }]);
    assert_eq!(login(&person, from_now(-1)), Ok(Some(LawfulBasis::ExplicitConsent)));
    assert_eq!(login(&person, NOW), Err((Reason::ConsentExpired, "O2", None)));
    assert_eq!(login(&person, from_now(1)), Err((Reason::ConsentExpired, "O2", None)));
}

#[test]
fn a_withdrawal_holds_though_the_clock_jumped_back() {
    let ticked = given(Manner::Electronic, Giver::Subject, Stands::Valid);
    let person = adult(vec![Consent { withdrawn_at: Some(NOW), ..ticked }]);
    for now in [LONG_AGO, from_now(-1), NOW, from_now(1)] {
        assert_eq!(login(&person, now), Err((Reason::ConsentWithdrawn, "O23", None)));
    }
}

#[test]
fn a_consent_holds_though_the_clock_jumped_back_before_it_was_given() {
    let person = adult(vec![given(Manner::Electronic, Giver::Subject, Stands::Valid)]);
    assert_eq!(login(&person, LONG_AGO), Ok(Some(LawfulBasis::ExplicitConsent)));
}

#[test]
fn a_guardians_consent_that_ends_now_leaves_a_child_to_be_erased() {
    let signed = given(Manner::Written, Giver::Guardian, Stands::Valid);
    let person = child(vec![Consent { expires_at: Some(NOW), ..signed }]);
    assert_eq!(login(&person, from_now(-1)), Ok(Some(LawfulBasis::ExplicitConsent)));
    assert_eq!(login(&person, NOW), Err((Reason::ConsentExpired, "O15", ERASE)));
}

#[test]
fn of_two_consents_given_at_once_the_one_recorded_last_tells_why() {
    let expired = given(Manner::Electronic, Giver::Subject, Stands::Expired);
    let withdrawn = given(Manner::Electronic, Giver::Subject, Stands::Withdrawn);
    let person = adult(vec![expired.clone(), withdrawn.clone()]);
    assert_eq!(login(&person, NOW), Err((Reason::ConsentWithdrawn, "O23", None)));
    let person = adult(vec![withdrawn, expired]);
    assert_eq!(login(&person, NOW), Err((Reason::ConsentExpired, "O2", None)));
}

#[test]
fn a_written_consent_comes_before_everything_else_in_illinois() {
    let ticked = given(Manner::Electronic, Giver::Subject, Stands::Valid);
    let refused = Err((Reason::WrittenConsentRequired, "O16", None));
    let person = in_illinois(adult(vec![ticked]));
    assert_eq!(login(&person, NOW), refused);
    let person = Dossier {
        holds: vec![a_hold()],
        restriction: Some(a_restriction(RestrictionGround::UnlawfulProcessing)),
        objections: vec![an_objection(Purpose::Authentication)],
        ..person
    };
    assert_eq!(login(&person, NOW), refused);
}

#[test]
fn in_illinois_a_childs_guardian_consents_in_writing_or_not_at_all() {
    let own = given(Manner::Written, Giver::Subject, Stands::Valid);
    let ticked = given(Manner::Electronic, Giver::Guardian, Stands::Valid);
    let signed = given(Manner::Written, Giver::Guardian, Stands::Valid);
    let answer = |consents| login(&in_illinois(child(consents)), NOW);
    assert_eq!(answer(vec![own.clone()]), Err((Reason::WrittenConsentRequired, "O16", ERASE)));
    assert_eq!(answer(vec![own, ticked]), Err((Reason::WrittenConsentRequired, "O16", None)));
    assert_eq!(answer(vec![signed]), Ok(Some(LawfulBasis::ExplicitConsent)));
}

#[test]
fn a_child_without_a_guardian_is_erased_unless_held_or_restricted() {
    assert_eq!(login(&child(vec![]), NOW), Err((Reason::MinorWithoutGuardian, "O15", ERASE)));
    assert_eq!(login(&in_illinois(child(vec![])), NOW), Err((Reason::WrittenConsentRequired, "O16", ERASE)));

    let held = Dossier { holds: vec![a_hold()], ..child(vec![]) };
    assert_eq!(login(&held, NOW), HOLD);
    assert_eq!(login(&in_illinois(held), NOW), Err((Reason::WrittenConsentRequired, "O16", None)));

    let kept = restricted(RestrictionGround::UnlawfulProcessing, child(vec![]));
    assert_eq!(login(&kept, NOW), RESTRICTED);
    assert_eq!(login(&in_illinois(kept), NOW), Err((Reason::WrittenConsentRequired, "O16", None)));
}

#[test]
fn a_guardians_consent_to_another_purpose_keeps_a_child_and_allows_nothing() {
    let elsewhere = consent(Purpose::DuplicateDetection, Manner::Written, Giver::Guardian, Stands::Valid, LATELY);
    assert_eq!(login(&child(vec![elsewhere]), NOW), Err((Reason::MinorWithoutGuardian, "O15", None)));
}

#[test]
fn nobody_is_erased_because_the_age_is_unknown() {
    let purpose = Purpose::Authentication;
    let policy = TenantPolicy { age_required: true, ..tenant(purpose, Some(LawfulBasis::ExplicitConsent)) };
    let answer = |person: &Dossier| decided(Operation::Verify, purpose, &policy, person, NOW);
    let person = Dossier::default();
    assert_eq!(answer(&person), Err((Reason::AgeUnknown, "O15", None)));
    assert_eq!(answer(&in_illinois(person)), Err((Reason::WrittenConsentRequired, "O16", None)));
}

#[test]
fn a_hold_blocks_destruction_whoever_wants_it() {
    let policy = tenant(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent));
    let held = Dossier { holds: vec![a_hold()], ..adult(vec![]) };
    for operation in DESTROYING {
        for purpose in Purpose::ALL {
            assert_eq!(decided(operation, purpose, &policy, &held, NOW), HOLD);
            for ground in RestrictionGround::ALL {
                let person = restricted(ground, held.clone());
                assert_eq!(decided(operation, purpose, &policy, &person, NOW), HOLD);
            }
        }
    }
}

#[test]
fn what_is_kept_for_a_person_is_destroyed_when_it_asks_to_be_forgotten_and_not_otherwise() {
    let policy = tenant(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent));
    let answer = |operation, purpose, person: &Dossier| decided(operation, purpose, &policy, person, NOW);
    for ground in RestrictionGround::ALL {
        let kept = restricted(ground, adult(vec![]));
        assert_eq!(answer(Operation::EraseSubject, Purpose::DataSubjectRequest, &kept), Ok(None));
        assert_eq!(answer(Operation::DeleteTemplate, Purpose::DataSubjectRequest, &kept), RESTRICTED);
        for purpose in Purpose::ALL {
            if purpose != Purpose::DataSubjectRequest {
                assert_eq!(answer(Operation::EraseSubject, purpose, &kept), RESTRICTED);
                assert_eq!(answer(Operation::DeleteTemplate, purpose, &kept), RESTRICTED);
            }
        }
    }
    let free = adult(vec![]);
    for operation in DESTROYING {
        assert_eq!(answer(operation, Purpose::DataSubjectRequest, &free), Ok(None));
        assert_eq!(answer(operation, Purpose::Administration, &free), Ok(None));
        assert_eq!(answer(operation, Purpose::Authentication, &free), Ok(Some(LawfulBasis::ExplicitConsent)));
    }
}

#[test]
fn a_template_may_be_put_right_for_who_contests_it() {
    let policy = tenant(Purpose::Authentication, Some(LawfulBasis::LegalObligation));
    let contested = restricted(RestrictionGround::AccuracyContested, adult(vec![]));
    assert_eq!(put_right(&policy, &contested), Ok(None));
    for operation in PROCESSING {
        assert_eq!(decided(operation, Purpose::Authentication, &policy, &contested, NOW), RESTRICTED);
    }
    for operation in [Operation::Enroll, Operation::Verify, Operation::Search, Operation::SweepDuplicates] {
        assert_eq!(decided(operation, Purpose::DataSubjectRequest, &policy, &contested, NOW), RESTRICTED);
    }
    for ground in RestrictionGround::ALL {
        if ground != RestrictionGround::AccuracyContested {
            assert_eq!(put_right(&policy, &restricted(ground, adult(vec![]))), RESTRICTED);
        }
    }
}

#[test]
fn a_contest_lifts_the_restriction_and_no_other_rule() {
    let lawful = tenant(Purpose::Authentication, Some(LawfulBasis::LegalObligation));
    let strict = TenantPolicy { age_required: true, ..lawful.clone() };
    let consents_only = declaring(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent), None);
    let answer = |policy, person| put_right(policy, &restricted(RestrictionGround::AccuracyContested, person));
    assert_eq!(answer(&lawful, Dossier { holds: vec![a_hold()], ..adult(vec![]) }), HOLD);
    assert_eq!(answer(&lawful, in_illinois(adult(vec![]))), Err((Reason::WrittenConsentRequired, "O16", None)));
    assert_eq!(answer(&lawful, child(vec![])), Err((Reason::MinorWithoutGuardian, "O15", None)));
    assert_eq!(answer(&strict, Dossier::default()), Err((Reason::AgeUnknown, "O15", None)));
    assert_eq!(answer(&consents_only, adult(vec![])), Err((Reason::ConsentMissing, "O2", None)));
}

#[test]
fn where_a_tenant_has_nothing_but_consents_a_template_is_put_right_with_one() {
    use LawfulBasis::{Contract, ExplicitConsent, LegalClaims, LegalObligation};
    use Purpose::{Authentication, DataSubjectRequest};
    let one = |stands| given(Manner::Electronic, Giver::Subject, stands);
    let elsewhere = consent(Purpose::KycSharing, Manner::Spoken, Giver::Subject, Stands::Valid, LONG_AGO);

    let consents_only = [
        declaring(Authentication, None, None),
        declaring(Authentication, Some(ExplicitConsent), None),
        declaring(Authentication, Some(ExplicitConsent), Some(ExplicitConsent)),
        declaring(DataSubjectRequest, Some(ExplicitConsent), None),
    ];
    for policy in consents_only {
        let answer = |consents| put_right(&policy, &adult(consents));
        assert_eq!(answer(vec![]), Err((Reason::ConsentMissing, "O2", None)));
        assert_eq!(answer(vec![one(Stands::Valid)]), Ok(None));
        assert_eq!(answer(vec![one(Stands::Expired)]), Err((Reason::ConsentExpired, "O2", None)));
        assert_eq!(answer(vec![one(Stands::Withdrawn)]), Err((Reason::ConsentWithdrawn, "O23", None)));
        assert_eq!(answer(vec![elsewhere.clone(), one(Stands::Withdrawn)]), Ok(None));
    }

    let with_something_else = [
        declaring(Authentication, Some(ExplicitConsent), Some(Contract)),
        declaring(Authentication, Some(Contract), Some(ExplicitConsent)),
        declaring(Authentication, None, Some(LegalClaims)),
        declaring(DataSubjectRequest, Some(LegalObligation), Some(ExplicitConsent)),
    ];
    for policy in with_something_else {
        assert_eq!(put_right(&policy, &adult(vec![])), Ok(None));
        assert_eq!(put_right(&policy, &adult(vec![one(Stands::Withdrawn)])), Ok(None));
    }
}

#[test]
fn nothing_about_a_person_takes_away_a_right_or_a_look() {
    let policy = TenantPolicy { age_required: true, ..tenant(Purpose::Authentication, None) };
    let withdrawn = given(Manner::Electronic, Giver::Subject, Stands::Withdrawn);
    let person = Dossier {
        holds: vec![a_hold()],
        restriction: Some(a_restriction(RestrictionGround::UnlawfulProcessing)),
        objections: vec![an_objection(Purpose::Authentication)],
        ..in_illinois(child(vec![withdrawn]))
    };
    for operation in LOOKING.into_iter().chain(RIGHTS) {
        assert_eq!(decided(operation, Purpose::DataSubjectRequest, &policy, &person, NOW), Ok(None));
    }
}

#[test]
fn an_objection_stops_its_purpose_until_it_is_overruled() {
    let policy = tenant(Purpose::FraudPrevention, Some(LawfulBasis::LegitimateInterests));
    let answer = |objections| {
        let person = Dossier { objections, ..adult(vec![]) };
        decided(Operation::Search, Purpose::FraudPrevention, &policy, &person, NOW)
    };
    let allowed = Ok(Some(LawfulBasis::LegitimateInterests));
    let objection = an_objection(Purpose::FraudPrevention);
    assert_eq!(answer(vec![objection.clone()]), Err((Reason::PurposeObjected, "O39", None)));
    assert_eq!(answer(vec![overruled(objection)]), allowed);
    assert_eq!(answer(vec![an_objection(Purpose::Authentication)]), allowed);
}

#[test]
fn a_minor_from_16_consents_alone_where_the_law_lets_it() {
    let purpose = Purpose::DuplicateDetection;
    let together = tenant(purpose, Some(LawfulBasis::LegalObligation));
    let alone = TenantPolicy { alone_from_16: true, ..together.clone() };
    let own = consent(purpose, Manner::Electronic, Giver::Subject, Stands::Valid, LATELY);
    let silent = Dossier { age: AgeBand::MinorFrom16, ..adult(vec![]) };
    let agreed = Dossier { age: AgeBand::MinorFrom16, ..adult(vec![own]) };
    let answer = |policy, person| decided(Operation::Enroll, purpose, policy, person, NOW);
    assert_eq!(answer(&together, &silent), Err((Reason::MinorWithoutGuardian, "O15", ERASE)));
    assert_eq!(answer(&together, &agreed), Err((Reason::MinorWithoutGuardian, "O15", ERASE)));
    assert_eq!(answer(&alone, &silent), Err((Reason::ConsentMissing, "O15", ERASE)));
    assert_eq!(answer(&alone, &agreed), Ok(Some(LawfulBasis::LegalObligation)));
}

#[test]
fn a_minor_who_may_consent_alone_is_erased_when_nobody_consented_to_anything() {
    let purpose = Purpose::DuplicateDetection;
    let policy = TenantPolicy { alone_from_16: true, ..tenant(purpose, Some(LawfulBasis::LegalObligation)) };
    let minor = |consents| Dossier { age: AgeBand::MinorFrom16, ..adult(consents) };
    let answer = |person: &Dossier| decided(Operation::Enroll, purpose, &policy, person, NOW);
    let one = |to, giver, stands| consent(to, Manner::Electronic, giver, stands, LATELY);

    let withdrawn = one(purpose, Giver::Subject, Stands::Withdrawn);
    let expired = one(purpose, Giver::Guardian, Stands::Expired);
    assert_eq!(answer(&minor(vec![withdrawn])), Err((Reason::ConsentWithdrawn, "O15", ERASE)));
    assert_eq!(answer(&minor(vec![expired])), Err((Reason::ConsentExpired, "O15", ERASE)));
    for giver in Giver::ALL {
        let elsewhere = minor(vec![one(Purpose::Authentication, giver, Stands::Valid)]);
        assert_eq!(answer(&elsewhere), Err((Reason::ConsentMissing, "O15", None)));
    }

    let unwritten = one(purpose, Giver::Subject, Stands::Valid);
    let refused = |duty| -> Decision { Err((Reason::WrittenConsentRequired, "O16", duty)) };
    assert_eq!(answer(&in_illinois(minor(vec![]))), refused(ERASE));
    assert_eq!(answer(&in_illinois(minor(vec![unwritten]))), refused(None));
    let kept = restricted(RestrictionGround::Other, minor(vec![]));
    assert_eq!(answer(&in_illinois(kept)), refused(None));
}

#[test]
fn a_guardian_consents_to_nothing_for_an_adult() {
    let consents_only = declaring(Purpose::Authentication, Some(LawfulBasis::ExplicitConsent), None);
    let missing = |obligation| -> Decision { Err((Reason::ConsentMissing, obligation, None)) };
    for stands in EVERY_STANDING {
        let person = adult(vec![given(Manner::Written, Giver::Guardian, stands)]);
        assert_eq!(login(&person, NOW), missing("O2"));
        assert_eq!(put_right(&consents_only, &person), missing("O2"));
        assert_eq!(login(&in_illinois(person), NOW), Err((Reason::WrittenConsentRequired, "O16", None)));
    }

    // The guardian's neither helps nor tells why.
    let own = |stands| consent(Purpose::Authentication, Manner::Written, Giver::Subject, stands, LONG_AGO);
    let allowed = Ok(Some(LawfulBasis::ExplicitConsent));
    for stands in EVERY_STANDING {
        let beside = |mine| adult(vec![own(mine), given(Manner::Written, Giver::Guardian, stands)]);
        assert_eq!(login(&beside(Stands::Valid), NOW), allowed);
        assert_eq!(login(&beside(Stands::Withdrawn), NOW), Err((Reason::ConsentWithdrawn, "O23", None)));
        assert_eq!(login(&beside(Stands::Expired), NOW), Err((Reason::ConsentExpired, "O2", None)));
        let answer = |mine| login(&in_illinois(beside(mine)), NOW);
        assert_eq!(answer(Stands::Valid), allowed);
        assert_eq!(answer(Stands::Withdrawn), Err((Reason::ConsentWithdrawn, "O16", None)));
        assert_eq!(answer(Stands::Expired), Err((Reason::ConsentExpired, "O16", None)));
    }
}

#[test]
fn anybody_consents_for_somebody_of_unknown_age() {
    for giver in Giver::ALL {
        let somebody = |stands| Dossier { age: AgeBand::Unknown, ..adult(vec![given(Manner::Written, giver, stands)]) };
        assert_eq!(login(&somebody(Stands::Valid), NOW), Ok(Some(LawfulBasis::ExplicitConsent)));
        assert_eq!(login(&in_illinois(somebody(Stands::Valid)), NOW), Ok(Some(LawfulBasis::ExplicitConsent)));
        assert_eq!(login(&somebody(Stands::Withdrawn), NOW), Err((Reason::ConsentWithdrawn, "O23", None)));
        let answer = login(&in_illinois(somebody(Stands::Expired)), NOW);
        assert_eq!(answer, Err((Reason::ConsentExpired, "O16", None)));
    }
}

// Who is to be erased though nobody asked for it, written out.

/// A tenant with logins only, on consent.
fn logins() -> TenantPolicy {
    client(&[(Purpose::Authentication, LawfulBasis::ExplicitConsent)])
}

/// A consent of the person's own, in writing.
fn signed(to: Purpose, stands: Stands) -> Consent {
    consent(to, Manner::Written, Giver::Subject, stands, LATELY)
}

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
        assert!(!alone(&strict, &restricted(ground, child(vec![])), NOW));
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
    use LawfulBasis::{Contract, ExplicitConsent, LegitimateInterests};
    use Purpose::{Authentication, KycSharing, LegalClaims, ServiceDevelopment};
    let policy = client(&[
        (LegalClaims, LawfulBasis::LegalClaims),
        (KycSharing, ExplicitConsent),
        (Authentication, ExplicitConsent),
        (ServiceDevelopment, LegitimateInterests),
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
        let policy = client(&[(purpose, LawfulBasis::ExplicitConsent)]);
        let person = adult(vec![signed(purpose, Stands::Withdrawn)]);
        let expected = if SERVED.contains(&purpose) { Ok(()) } else { Err(Kept::NothingServed) };
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
        assert_eq!(baseless(&policy, &restricted(ground, person.clone()), NOW), Err(Kept::Restricted));
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
