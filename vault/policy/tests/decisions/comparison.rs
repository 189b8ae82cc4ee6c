//! The engine's answers, each of which has to be the oracle's.

use lethe_domain::{
    AgeBand, AttestationPolicy, Dossier, Ground, Label, LawfulBasis, Purpose, Reason, TenantPolicy, Timestamp, Transfer,
};
use lethe_policy::operation::Kind;
use lethe_policy::{
    Called, CaptureFacts, Denial, Duty, End, Keeper, Limits, Operation, Presented, Principal, Site, Target,
    allows_archive, allows_disclosure, allows_handover, attest, authorize, end_of_person, is_child_alone,
    is_left_baseless, judge, judged_age,
};

use crate::oracle::attestation::{self, Vouched};
use crate::oracle::gate::{admitted, is_about};
use crate::oracle::{self, Kept, keeping, transfers};

/// What the gate says: nothing, or the reason and the obligation of what it refuses.
pub(crate) type Answer = Result<(), (Reason, &'static str)>;

/// What comes with a capture, or the reason and the obligation of what is refused.
pub(crate) type Attestation = Result<Vouched, (Reason, &'static str)>;

pub(crate) type Decision = Result<Option<LawfulBasis>, (Reason, &'static str, Option<Duty>)>;

pub(crate) const ERASE: Option<Duty> = Some(Duty::EraseWithoutDelay);

/// The engine's decision, which has to be the oracle's.
pub(crate) fn decided(
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
pub(crate) fn alone(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> bool {
    let engine = is_child_alone(policy, person, now);
    let oracle = oracle::is_child_alone(policy, person, now);
    assert!(
        engine == oracle,
        "a child alone at {now:?}\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}"
    );
    engine
}

/// Whether a withdrawal left nothing to keep the person on, and if not, why: the engine has to agree with the oracle.
pub(crate) fn baseless(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Result<(), Kept> {
    let engine = is_left_baseless(policy, person, now);
    let oracle = oracle::left_baseless(policy, person, now);
    assert!(
        engine == oracle.is_ok(),
        "left baseless at {now:?}\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}"
    );
    oracle
}

/// When a template ends that was provided then, and why.
pub(crate) fn ended(policy: &TenantPolicy, person: &Dossier, provided_at: Timestamp) -> Option<End> {
    let engine = Limits::of(policy, person).end(provided_at);
    let oracle = keeping::earliest(&keeping::ends_of_template(policy, person, provided_at));
    assert!(
        engine == oracle,
        "the end of a template of {provided_at:?}\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}"
    );
    engine
}

/// Whether a template is within its time.
pub(crate) fn kept(policy: &TenantPolicy, person: &Dossier, provided_at: Timestamp, now: Timestamp) -> bool {
    let engine = Limits::of(policy, person).keep(provided_at, now);
    let oracle = !keeping::is_over(&keeping::ends_of_template(policy, person, provided_at), now);
    assert!(
        engine == oracle,
        "a template of {provided_at:?} kept at {now:?}\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}"
    );
    engine
}

/// When a person ends with everything, and why.
pub(crate) fn person_ended(policy: &TenantPolicy, person: &Dossier) -> Option<End> {
    let engine = end_of_person(policy, person);
    let oracle = keeping::earliest(&keeping::ends_of_person(policy, person));
    assert!(engine == oracle, "the end of a person\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}");
    engine
}

/// What keeps a person whose time is over.
pub(crate) fn keeper(policy: &TenantPolicy, person: &Dossier, now: Timestamp) -> Option<Keeper> {
    let engine = lethe_policy::keeper(policy, person, now);
    let oracle = keeping::keeper(policy, person, now);
    assert!(
        engine == oracle,
        "what keeps at {now:?}\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}"
    );
    engine
}

/// Whether a call is let in: the engine's answer, which has to be the oracle's.
pub(crate) fn let_in<O: Kind>(
    site: &Site,
    principal: &Principal,
    target: Target<'_>,
    purpose: Option<Purpose>,
    now: Timestamp,
) -> Answer {
    let engine = match authorize::<O>(site, principal, target, purpose, now) {
        Ok(_) => Ok(()),
        Err(denial) => {
            assert!(!denial.message.is_empty() && denial.duty.is_none(), "{:?}", denial.reason);
            Err((denial.reason, denial.obligation))
        }
    };
    if !is_about(O::OPERATION, target) {
        assert!(engine.is_err(), "{:?} about {target:?} for {principal:?}", O::OPERATION);
        return engine;
    }
    let oracle = admitted(O::OPERATION, site, principal, target, purpose, now);
    assert!(
        engine == oracle,
        "{:?} for {purpose:?} at {site:?}\nengine: {engine:?}\noracle: {oracle:?}\n{principal:#?}\n{target:#?}",
        O::OPERATION
    );
    engine
}

/// Whether something may be told about a person, to whom and where.
pub(crate) fn told(
    policy: &TenantPolicy,
    person: &Dossier,
    ground: Option<&Ground>,
    recipient: &Label,
    transfer: &Transfer,
    now: Timestamp,
) -> Answer {
    let engine = allows_disclosure(policy, person, ground.cloned(), recipient, transfer, now);
    let oracle = transfers::may_be_told(policy, person, ground, recipient, transfer, now);
    if let Ok(given) = &engine {
        assert_eq!(Some(given), ground, "another ground than was given");
    }
    the_same(plain(engine), oracle, policy, Some(person), transfer)
}

/// Whether an archive with a person in it may be sent somewhere.
pub(crate) fn sent(policy: &TenantPolicy, person: &Dossier, transfer: &Transfer, now: Timestamp) -> Answer {
    let oracle = transfers::may_be_sent(policy, person, transfer, now);
    the_same(plain(allows_archive(policy, person, transfer, now)), oracle, policy, Some(person), transfer)
}

/// Whether a silo may be handed over somewhere.
pub(crate) fn handed_over(policy: &TenantPolicy, transfer: &Transfer) -> Answer {
    let oracle = transfers::may_be_handed_over(policy, transfer);
    the_same(plain(allows_handover(policy, transfer)), oracle, policy, None, transfer)
}

/// Whether a capture is let through with what was presented, and how old the person is by that.
pub(crate) fn attested(
    called: Called<'_>,
    policy: &AttestationPolicy,
    capture: &CaptureFacts<'_>,
    presented: &Presented<'_>,
    now: Timestamp,
) -> Attestation {
    let (operation, purpose) = (called.operation, called.purpose);
    let oracle = attestation::vouched(&called, policy, capture, presented, now);
    let engine = match attest(called, policy, capture, presented, now) {
        Ok(attested) => Ok(Vouched { age: attested.age(), repeats: attested.repeats() }),
        Err(denial) => {
            assert!(!denial.message.is_empty() && denial.duty.is_none(), "{:?}", denial.reason);
            Err((denial.reason, denial.obligation))
        }
    };
    assert!(
        engine == oracle,
        "{operation:?} for {purpose:?} at {now:?}\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{capture:#?}\n{presented:#?}"
    );
    engine
}

/// How old a person is taken to be.
pub(crate) fn aged(known: AgeBand, attested: Option<AgeBand>) -> AgeBand {
    let engine = judged_age(known, attested);
    let oracle = attestation::younger(known, attested);
    assert!(engine == oracle, "{known:?} and {attested:?}\nengine: {engine:?}\noracle: {oracle:?}");
    engine
}

fn plain<T>(engine: Result<T, Denial>) -> Answer {
    engine.map(drop).map_err(|denial| {
        assert!(!denial.message.is_empty() && denial.duty.is_none(), "{:?}", denial.reason);
        (denial.reason, denial.obligation)
    })
}

fn the_same(
    engine: Answer,
    oracle: Answer,
    policy: &TenantPolicy,
    person: Option<&Dossier>,
    transfer: &Transfer,
) -> Answer {
    assert!(
        engine == oracle,
        "a transfer\nengine: {engine:?}\noracle: {oracle:?}\n{policy:#?}\n{person:#?}\n{transfer:#?}"
    );
    engine
}
