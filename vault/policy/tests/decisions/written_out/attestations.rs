//! What services say of captures, decision by decision.

use std::time::Duration;

use lethe_domain::{
    AgeBand, AttestationPolicy, CaptureKind, CaptureUse, Environment, Liveness, PadLevel, Purpose, Reason,
    TenantPolicy, Timestamp,
};
use lethe_policy::{Operation, Presented, Said, Spent};

use crate::comparison::{Attestation, aged, attested};
use crate::dimensions::*;
use crate::oracle::attestation::Vouched;

const PASSES: Attestation = Ok(Vouched { age: None, repeats: false });
const REQUIRED: Attestation = Err((Reason::AttestationRequired, "O6"));
const INVALID: Attestation = Err((Reason::AttestationInvalid, "O6"));
const EXPIRED: Attestation = Err((Reason::AttestationExpired, "O6"));
const REPLAYED: Attestation = Err((Reason::AttestationReplayed, "O6"));
const NOT_LIVE: Attestation = Err((Reason::LivenessInsufficient, "O6"));

const FRESH: Timestamp = from_now(-500);

fn production() -> AttestationPolicy {
    AttestationPolicy::default_of(Environment::Production)
}

fn development() -> AttestationPolicy {
    AttestationPolicy::default_of(Environment::Development)
}

fn passed(level: PadLevel) -> Option<Liveness> {
    Some(Liveness { passed: true, level })
}

/// A login with a capture of then, of which this was said.
fn login_at(captured_at: Timestamp, policy: &AttestationPolicy, presented: &Presented<'_>) -> Attestation {
    let scene = Scene::new();
    let capture = scene.capture(CaptureKind::AuthenticationCapture, captured_at);
    attested(scene.called(Operation::Verify, Purpose::Authentication), policy, &capture, presented, NOW)
}

/// A login with a capture of just now of somebody living, told of with such slips, by an attestation that is used so.
fn login_told(slips: &[Slip], spent: Spent, change: impl FnOnce(Said<'_>) -> Said<'_>) -> Attestation {
    let scene = Scene::new();
    let said = scene.said(CaptureKind::AuthenticationCapture, FRESH, slips);
    let said = change(Said { liveness: passed(PadLevel::Level1), ..said });
    login_at(FRESH, &production(), &Presented::Believed(said, spent))
}

/// A call with a capture of a kind, of which this was found; the client asks for the second level.
fn found(operation: Operation, purpose: Purpose, kind: CaptureKind, liveness: Option<Liveness>) -> Attestation {
    let (scene, policy) = (Scene::new(), AttestationPolicy { least_level: PadLevel::Level2, ..production() });
    let said = Said { liveness, ..scene.said(kind, FRESH, &[]) };
    let presented = Presented::Believed(said, Spent::Never);
    attested(scene.called(operation, purpose), &policy, &scene.capture(kind, FRESH), &presented, NOW)
}

#[test]
fn production_exempts_nothing_and_development_everything() {
    let scene = Scene::new();
    let capture = scene.capture(CaptureKind::Selfie, FRESH);
    for operation in CAPTURING {
        let called = || scene.called(operation, Purpose::FraudPrevention);
        assert_eq!(attested(called(), &production(), &capture, &Presented::Nothing, NOW), REQUIRED);
        assert_eq!(attested(called(), &development(), &capture, &Presented::Nothing, NOW), PASSES);
    }
    assert_eq!(production().exempt, []);
    for (environment, policy) in [(Environment::Production, production()), (Environment::Development, development())] {
        let tenant = TenantPolicy { environment, attestation: None, ..TenantPolicy::of(vec![]) };
        assert_eq!(*tenant.attested(), policy);
    }
}

#[test]
fn what_a_client_exempts_is_exempt_and_no_other_use() {
    let scene = Scene::new();
    let policy = AttestationPolicy { exempt: vec![CaptureUse::Enrollment], ..production() };
    let capture = scene.capture(CaptureKind::Selfie, FRESH);
    let answer = |operation| {
        let called = scene.called(operation, Purpose::FraudPrevention);
        attested(called, &policy, &capture, &Presented::Nothing, NOW)
    };
    assert_eq!(answer(Operation::Enroll), PASSES);
    assert_eq!(answer(Operation::ReplaceTemplate), PASSES);
    assert_eq!(answer(Operation::Verify), REQUIRED);
    assert_eq!(answer(Operation::Search), REQUIRED);
    assert_eq!(answer(Operation::AddWatchlistEntry), REQUIRED);
}

#[test]
fn what_is_given_is_judged_also_where_it_is_not_needed() {
    let scene = Scene::new();
    let said = |expires_at, slips: &[Slip]| {
        let liveness = Some(Liveness { passed: false, level: PadLevel::Level3 });
        Said { expires_at, liveness, ..scene.said(CaptureKind::AuthenticationCapture, FRESH, slips) }
    };
    let answer = |presented: Presented<'_>| login_at(FRESH, &development(), &presented);
    assert_eq!(answer(Presented::Unbelieved("is no JWS".to_owned())), INVALID);
    assert_eq!(answer(Presented::Believed(said(NOW, &[Slip::Tenant]), Spent::Before)), INVALID);
    assert_eq!(answer(Presented::Believed(said(NOW, &[]), Spent::Before)), EXPIRED);
    assert_eq!(answer(Presented::Believed(said(from_now(1), &[]), Spent::Before)), REPLAYED);
    assert_eq!(answer(Presented::Believed(said(from_now(1), &[]), Spent::Never)), NOT_LIVE);
}

#[test]
fn an_attestation_of_something_else_is_none() {
    for slip in SLIPS {
        let expected = if slip == Slip::None { PASSES } else { INVALID };
        assert_eq!(login_told(&[slip], Spent::Never, |said| said), expected, "{slip:?}");
    }
    // Also where the request is repeated.
    assert_eq!(login_told(&[Slip::Embedding(16)], Spent::ByThisRequest, |said| said), INVALID);
}

#[test]
fn a_face_is_used_while_it_is_fresh() {
    let scene = Scene::new();
    let answer = |millis| {
        let at = from_now(millis);
        let said = scene.said(CaptureKind::AuthenticationCapture, at, &[]);
        let said = Said { liveness: passed(PadLevel::Level1), ..said };
        let policy = AttestationPolicy { max_age: Duration::from_secs(30), ..production() };
        login_at(at, &policy, &Presented::Believed(said, Spent::Never))
    };
    assert_eq!(answer(-30_001), EXPIRED);
    assert_eq!(answer(-30_000), PASSES);
    assert_eq!(answer(60_000), PASSES);
    assert_eq!(answer(60_001), EXPIRED);
    // Its expiry comes with the millisecond.
    assert_eq!(login_told(&[], Spent::Never, |said| Said { expires_at: from_now(1), ..said }), PASSES);
    assert_eq!(login_told(&[], Spent::Never, |said| Said { expires_at: NOW, ..said }), EXPIRED);
}

#[test]
fn an_attestation_is_used_once_or_again_by_the_request_that_used_it() {
    let repeated = Ok(Vouched { age: None, repeats: true });
    assert_eq!(login_told(&[], Spent::Before, |said| said), REPLAYED);
    assert_eq!(login_told(&[], Spent::ByThisRequest, |said| said), repeated);
    // However late it is repeated.
    fn late(said: Said<'_>) -> Said<'_> {
        Said { expires_at: LONG_AGO, ..said }
    }
    assert_eq!(login_told(&[], Spent::ByThisRequest, late), repeated);
    assert_eq!(login_told(&[], Spent::Before, late), EXPIRED);
    // Somebody has to be there all the same.
    assert_eq!(login_told(&[], Spent::ByThisRequest, |said| Said { liveness: None, ..said }), NOT_LIVE);
}

#[test]
fn a_selfie_is_of_somebody_who_is_there() {
    let failed = Some(Liveness { passed: false, level: PadLevel::Level3 });
    for kind in [CaptureKind::Selfie, CaptureKind::AuthenticationCapture] {
        for operation in [Operation::Enroll, Operation::ReplaceTemplate, Operation::Verify, Operation::Search] {
            let answer = |liveness| found(operation, Purpose::DocumentCheck, kind, liveness);
            assert_eq!(answer(None), NOT_LIVE);
            assert_eq!(answer(failed), NOT_LIVE);
            assert_eq!(answer(passed(PadLevel::Level1)), NOT_LIVE);
            assert_eq!(answer(passed(PadLevel::Level2)), PASSES);
            assert_eq!(answer(passed(PadLevel::Level3)), PASSES);
        }
        // A mask lives nowhere.
        assert_eq!(found(Operation::AddWatchlistEntry, Purpose::FraudPrevention, kind, failed), PASSES);
    }
}

#[test]
fn nobody_logs_in_with_the_portrait_of_a_document() {
    let portrait = |operation, purpose, liveness| found(operation, purpose, CaptureKind::DocumentPortrait, liveness);
    assert_eq!(portrait(Operation::Enroll, Purpose::Authentication, None), PASSES);
    assert_eq!(portrait(Operation::Search, Purpose::DuplicateDetection, None), PASSES);
    assert_eq!(portrait(Operation::AddWatchlistEntry, Purpose::FraudPrevention, None), PASSES);
    assert_eq!(portrait(Operation::Verify, Purpose::DocumentCheck, None), PASSES);
    for purpose in [Purpose::Authentication, Purpose::FraudPrevention, Purpose::RequesterIdentification] {
        assert_eq!(portrait(Operation::Verify, purpose, None), NOT_LIVE);
        assert_eq!(portrait(Operation::Verify, purpose, passed(PadLevel::Level3)), NOT_LIVE);
    }
}

#[test]
fn an_age_comes_with_an_attestation_and_the_younger_one_counts() {
    let told = |age| login_told(&[], Spent::Never, |said| Said { age, ..said });
    assert_eq!(told(Some(AgeBand::MinorFrom16)), Ok(Vouched { age: Some(AgeBand::MinorFrom16), repeats: false }));
    assert_eq!(told(Some(AgeBand::Unknown)), PASSES);
    assert_eq!(aged(AgeBand::Adult, Some(AgeBand::Under16)), AgeBand::Under16);
    assert_eq!(aged(AgeBand::MinorFrom16, Some(AgeBand::Adult)), AgeBand::MinorFrom16);
    assert_eq!(aged(AgeBand::Unknown, Some(AgeBand::Adult)), AgeBand::Adult);
    assert_eq!(aged(AgeBand::Adult, Some(AgeBand::Unknown)), AgeBand::Adult);
    assert_eq!(aged(AgeBand::Adult, None), AgeBand::Adult);
    assert_eq!(aged(AgeBand::Unknown, None), AgeBand::Unknown);
}
