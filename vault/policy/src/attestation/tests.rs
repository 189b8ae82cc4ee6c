#![allow(clippy::wildcard_enum_match_arm, reason = "of all that there is, a test is about some")]

use lethe_domain::{Environment, PadLevel};
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_750_000_000_000);

fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

fn model(id: &str) -> ModelId {
    ModelId::parse(id, "1").unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + seconds * 1000)
}

/// A world in which all fits; each test makes one thing of it wrong.
#[derive(Clone)]
struct World {
    operation: Operation,
    purpose: Purpose,
    policy: AttestationPolicy,
    kind: CaptureKind,
    captured: i64,
    expires: i64,
    liveness: Option<Liveness>,
    age: Option<AgeBand>,
    spent: Spent,
}

impl World {
    fn of(operation: Operation) -> Self {
        Self {
            operation,
            purpose: Purpose::Authentication,
            policy: AttestationPolicy::default_of(Environment::Production),
            kind: CaptureKind::Selfie,
            captured: -5,
            expires: 100,
            liveness: Some(Liveness { passed: true, level: PadLevel::Level2 }),
            age: None,
            spent: Spent::Never,
        }
    }

    fn judge(&self, change: impl FnOnce(&mut Said<'_>)) -> Result<Attested, Reason> {
        let (tenant, model) = (tenant("bank"), model("face"));
        let called = Called { operation: self.operation, purpose: self.purpose, tenant: &tenant, audience: "lethe" };
        let quality = Quality::parse("quality", 0.7).unwrap();
        let captured_at = at(self.captured);
        let capture = CaptureFacts { embedding: [7; 32], model: &model, kind: self.kind, quality, captured_at };
        let mut said = Said {
            tenant: &tenant,
            audience: "lethe",
            capture: capture.clone(),
            expires_at: at(self.expires),
            age: self.age,
            liveness: self.liveness,
        };
        change(&mut said);
        let presented = Presented::Believed(said, self.spent);
        attest(called, &self.policy, &capture, &presented, NOW).map_err(|denial| {
            assert_eq!((denial.obligation, denial.duty), ("O6", None));
            denial.reason
        })
    }

    fn reason(&self) -> Option<Reason> {
        self.judge(|_| {}).err()
    }
}

const TAKING: [Operation; 5] =
    [Operation::Enroll, Operation::ReplaceTemplate, Operation::Verify, Operation::Search, Operation::AddWatchlistEntry];

fn unattested(operation: Operation, policy: &AttestationPolicy, presented: &Presented<'_>) -> Option<Reason> {
    let (tenant, model) = (tenant("bank"), model("face"));
    let called = Called { operation, purpose: Purpose::Authentication, tenant: &tenant, audience: "lethe" };
    let quality = Quality::parse("quality", 0.7).unwrap();
    let capture =
        CaptureFacts { embedding: [7; 32], model: &model, kind: CaptureKind::Selfie, quality, captured_at: NOW };
    attest(called, policy, &capture, presented, NOW).map_err(|denial| denial.reason).err()
}

#[test]
fn what_is_not_attested_is_refused_unless_it_is_exempt() {
    let production = AttestationPolicy::default_of(Environment::Production);
    let development = AttestationPolicy::default_of(Environment::Development);
    for operation in TAKING {
        let usage = operation.rule().takes.unwrap();
        assert_eq!(unattested(operation, &production, &Presented::Nothing), Some(Reason::AttestationRequired));
        assert_eq!(unattested(operation, &development, &Presented::Nothing), None);
        let alone = AttestationPolicy { exempt: vec![usage], ..production.clone() };
        assert_eq!(unattested(operation, &alone, &Presented::Nothing), None);
        let others = CaptureUse::ALL.iter().copied().filter(|other| *other != usage).collect();
        let others = AttestationPolicy { exempt: others, ..production.clone() };
        assert_eq!(unattested(operation, &others, &Presented::Nothing), Some(Reason::AttestationRequired));
        // What is there is judged, whether it is needed or not.
        let bad = Presented::Unbelieved("was not signed by the key that it names".to_owned());
        assert_eq!(unattested(operation, &development, &bad), Some(Reason::AttestationInvalid));
        let mut world = World::of(operation);
        world.policy = development.clone();
        assert_eq!(world.reason(), None);
        world.spent = Spent::Before;
        assert_eq!(world.reason(), Some(Reason::AttestationReplayed));
    }
    let taking: Vec<_> =
        Operation::table().iter().filter(|rule| rule.takes.is_some()).map(|rule| rule.operation).collect();
    assert_eq!(taking, TAKING);
}

#[test]
fn each_difference_is_refused_by_name() {
    let world = World::of(Operation::Verify);
    fn refused(world: &World, change: impl FnOnce(&mut Said<'_>)) {
        assert_eq!(world.judge(change), Err(Reason::AttestationInvalid));
    }
    let tenant: &'static TenantId = Box::leak(Box::new(tenant("shop")));
    let model: &'static ModelId = Box::leak(Box::new(model("voice")));
    refused(&world, |said| said.tenant = tenant);
    refused(&world, |said| said.audience = "other");
    refused(&world, |said| said.capture.embedding[31] ^= 1);
    refused(&world, |said| said.capture.model = model);
    refused(&world, |said| said.capture.kind = CaptureKind::DocumentPortrait);
    refused(&world, |said| said.capture.quality = Quality::parse("quality", 0.700_001).unwrap());
    refused(&world, |said| said.capture.captured_at = Timestamp::from_millis(NOW.millis() - 4_999));
}

#[test]
fn an_attestation_counts_while_it_is_fresh() {
    let fresh = |captured, expires, max_age: u64| {
        let mut world = World::of(Operation::Verify);
        (world.captured, world.expires, world.policy.max_age) = (captured, expires, Duration::from_secs(max_age));
        world.reason().inspect(|reason| assert_eq!(*reason, Reason::AttestationExpired)).is_none()
    };
    assert!(fresh(-600, 1, 600));
    assert!(!fresh(-601, 1, 600));
    assert!(!fresh(-5, 0, 600));
    assert!(!fresh(-5, -1, 600));
    assert!(fresh(60, 100, 600));
    assert!(!fresh(61, 100, 600));
    assert!(fresh(-86_400, 1, 86_400));
    // Expired comes before replayed, so that nothing need be remembered for ever.
    let mut world = World::of(Operation::Verify);
    (world.expires, world.spent) = (0, Spent::Before);
    assert_eq!(world.reason(), Some(Reason::AttestationExpired));
    // A repeat was fresh when it was first made.
    world.spent = Spent::ByThisRequest;
    assert!(world.judge(|_| {}).unwrap().repeats());
}

#[test]
fn who_is_compared_is_there_and_alive() {
    let kinds = [CaptureKind::Selfie, CaptureKind::AuthenticationCapture];
    for operation in [Operation::Enroll, Operation::ReplaceTemplate, Operation::Verify, Operation::Search] {
        for (kind, least, found) in kinds.into_iter().flat_map(|kind| {
            PadLevel::ALL.iter().flat_map(move |least| {
                let verdicts = [true, false]
                    .into_iter()
                    .flat_map(|passed| PadLevel::ALL.iter().map(move |level| Some(Liveness { passed, level: *level })));
                verdicts.chain([None]).map(move |found| (kind, *least, found))
            })
        }) {
            let mut world = World::of(operation);
            (world.kind, world.policy.least_level, world.liveness) = (kind, least, found);
            let lives = found.is_some_and(|found| found.passed && found.level.number() >= least.number());
            assert_eq!(world.reason(), (!lives).then_some(Reason::LivenessInsufficient), "{operation:?} {found:?}");
        }
    }
    let portrait = |operation, purpose| {
        let mut world = World::of(operation);
        (world.kind, world.purpose, world.liveness) = (CaptureKind::DocumentPortrait, purpose, None);
        world.reason()
    };
    assert_eq!(portrait(Operation::Enroll, Purpose::Authentication), None);
    assert_eq!(portrait(Operation::Search, Purpose::DuplicateDetection), None);
    assert_eq!(portrait(Operation::Verify, Purpose::DocumentCheck), None);
    assert_eq!(portrait(Operation::Verify, Purpose::Authentication), Some(Reason::LivenessInsufficient));
    let mut mask = World::of(Operation::AddWatchlistEntry);
    mask.liveness = Some(Liveness { passed: false, level: PadLevel::Level1 });
    assert_eq!(mask.reason(), None);
}

#[test]
fn the_younger_age_counts() {
    use AgeBand::{Adult, MinorFrom16, Under16, Unknown};
    assert_eq!(judged_age(Unknown, Some(Adult)), Adult);
    assert_eq!(judged_age(Unknown, None), Unknown);
    assert_eq!(judged_age(Adult, Some(Unknown)), Adult);
    assert_eq!(judged_age(Adult, Some(MinorFrom16)), MinorFrom16);
    assert_eq!(judged_age(MinorFrom16, Some(Adult)), MinorFrom16);
    assert_eq!(judged_age(MinorFrom16, Some(Under16)), Under16);
}

fn kinds() -> impl Strategy<Value = CaptureKind> {
    prop::sample::select(CaptureKind::ALL.to_vec())
}

proptest! {
    /// Whatever is attested: it is taken only if all of the rules hold, as they are written in the API's documentation.
    #[test]
    fn nothing_passes_but_by_the_rules(
        operation in prop::sample::select(TAKING.to_vec()),
        purpose in prop::sample::select(vec![Purpose::Authentication, Purpose::DocumentCheck]),
        kind in kinds(),
        (captured, expires) in (-700_i64..70, -5_i64..500),
        max_age in 1_u64..800,
        found in prop::option::of((any::<bool>(), 1_u8..=3)),
        least in 1_u8..=3,
        spent in prop::sample::select(vec![Spent::Never, Spent::ByThisRequest, Spent::Before]),
        age in prop::option::of(prop::sample::select(AgeBand::ALL.to_vec())),
    ) {
        let level = |number| PadLevel::from_number(number).unwrap();
        let mut world = World::of(operation);
        (world.purpose, world.kind, world.captured, world.expires) = (purpose, kind, captured, expires);
        (world.spent, world.age) = (spent, age);
        world.policy.max_age = Duration::from_secs(max_age);
        world.policy.least_level = level(least);
        world.liveness = found.map(|(passed, number)| Liveness { passed, level: level(number) });
        let fresh = captured <= 60 && -captured <= i64::try_from(max_age).unwrap() && expires > 0;
        let alive = found.is_some_and(|(passed, number)| passed && number >= least);
        let portrait = kind == CaptureKind::DocumentPortrait;
        let lives = match operation {
            Operation::AddWatchlistEntry => true,
            Operation::Verify if portrait => purpose == Purpose::DocumentCheck,
            _ => portrait || alive,
        };
        let expected = match spent {
            Spent::Never | Spent::Before if !fresh => Some(Reason::AttestationExpired),
            Spent::Before => Some(Reason::AttestationReplayed),
            _ if !lives => Some(Reason::LivenessInsufficient),
            _ => None,
        };
        prop_assert_eq!(world.reason(), expected);
        if let Ok(attested) = world.judge(|_| {}) {
            prop_assert_eq!(attested.age(), age.filter(|age| *age != AgeBand::Unknown));
            // Whatever is forgotten of it, it passes no more.
            let until = remembered_until(at(captured), at(expires));
            world.policy.max_age = AttestationPolicy::LONGEST;
            prop_assert!(until <= at(expires) && until <= at(captured + 86_400));
        }
    }
}
