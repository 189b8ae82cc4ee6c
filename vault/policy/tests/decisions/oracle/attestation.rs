//! What is believed of a capture, and what has to be (O6); the age band that comes with it (O15).

use std::time::Duration;

use lethe_domain::{
    AgeBand, AttestationPolicy, CaptureKind, CaptureUse, Liveness, PadLevel, Purpose, Reason, Timestamp,
};
use lethe_policy::{Called, CaptureFacts, Operation, Presented, Said, Spent};

pub(crate) type Refusal = (Reason, &'static str);

/// What is known of a capture that is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Vouched {
    pub(crate) age: Option<AgeBand>,
    /// The call repeats the one that used the attestation.
    pub(crate) repeats: bool,
}

const REQUIRED: Refusal = (Reason::AttestationRequired, "O6");
const INVALID: Refusal = (Reason::AttestationInvalid, "O6");
const EXPIRED: Refusal = (Reason::AttestationExpired, "O6");
const REPLAYED: Refusal = (Reason::AttestationReplayed, "O6");
const NOT_LIVE: Refusal = (Reason::LivenessInsufficient, "O6");

/// Whether a capture is let through, and what comes with it.
pub(crate) fn vouched(
    called: &Called<'_>,
    policy: &AttestationPolicy,
    capture: &CaptureFacts<'_>,
    presented: &Presented<'_>,
    now: Timestamp,
) -> Result<Vouched, Refusal> {
    let usage = use_of(called.operation);
    let (said, spent) = match presented {
        Presented::Nothing => {
            // What a client exempts passes without one; what takes no capture needs none.
            let is_needed = usage.is_some_and(|usage| !policy.exempt.contains(&usage));
            return if is_needed { Err(REQUIRED) } else { Ok(Vouched { age: None, repeats: false }) };
        }
        // What is given is judged, whether or not it is needed.
        Presented::Unbelieved(_) => return Err(INVALID),
        Presented::Believed(said, spent) => (said, spent),
    };

    // It was made for this call, and it is about this capture.
    if said.tenant.as_str() != called.tenant.as_str() || said.audience != called.audience {
        return Err(INVALID);
    }
    if !is_about(&said.capture, capture) {
        return Err(INVALID);
    }

    // Fresh; who repeats a request was fresh when it was made.
    let is_repeated = matches!(spent, Spent::ByThisRequest);
    if !is_repeated && !is_fresh(said, policy.max_age, now) {
        return Err(EXPIRED);
    }

    // Used once.
    if matches!(spent, Spent::Before) {
        return Err(REPLAYED);
    }

    // Of somebody who is there.
    if !is_live_enough(usage, called.purpose, capture.kind, said.liveness, policy.least_level) {
        return Err(NOT_LIVE);
    }

    let age = match said.age {
        None | Some(AgeBand::Unknown) => None,
        Some(known) => Some(known),
    };
    Ok(Vouched { age, repeats: is_repeated })
}

/// How old a person is taken to be: the younger of what is known and attested.
pub(crate) fn younger(known: AgeBand, attested: Option<AgeBand>) -> AgeBand {
    let from_the_youngest = [AgeBand::Under16, AgeBand::MinorFrom16, AgeBand::Adult];
    let is_said = |band: AgeBand| known == band || attested == Some(band);
    from_the_youngest.into_iter().find(|&band| is_said(band)).unwrap_or(AgeBand::Unknown)
}

fn use_of(operation: Operation) -> Option<CaptureUse> {
    match operation {
        Operation::Enroll | Operation::ReplaceTemplate => Some(CaptureUse::Enrollment),
        Operation::Verify => Some(CaptureUse::Verification),
        Operation::Search => Some(CaptureUse::Identification),
        Operation::AddWatchlistEntry => Some(CaptureUse::Watchlist),
        _ => None,
    }
}

fn is_about(said: &CaptureFacts<'_>, capture: &CaptureFacts<'_>) -> bool {
    let is_its_embedding = said.embedding.iter().eq(capture.embedding.iter());
    let is_its_model = said.model.id() == capture.model.id() && said.model.version() == capture.model.version();
    let is_its_quality = said.quality == capture.quality;
    let is_its_moment = said.captured_at.millis() == capture.captured_at.millis();
    is_its_embedding && is_its_model && said.kind == capture.kind && is_its_quality && is_its_moment
}

/// A minute's difference of the clocks is allowed for.
fn is_fresh(said: &Said<'_>, max_age: Duration, now: Timestamp) -> bool {
    let now = i128::from(now.millis());
    let captured = i128::from(said.capture.captured_at.millis());
    let is_of_the_future = captured > now + 60 * 1000;
    let is_too_old = now - captured > i128::try_from(max_age.as_millis()).unwrap();
    let is_over = i128::from(said.expires_at.millis()) <= now;
    !is_of_the_future && !is_too_old && !is_over
}

fn is_live_enough(
    usage: Option<CaptureUse>,
    purpose: Purpose,
    kind: CaptureKind,
    verdict: Option<Liveness>,
    least: PadLevel,
) -> bool {
    let is_asked = match usage {
        Some(CaptureUse::Enrollment | CaptureUse::Verification | CaptureUse::Identification) => true,
        // Of a mask nobody is there; the rest takes no capture.
        Some(CaptureUse::Watchlist) | None => false,
    };
    if !is_asked {
        return true;
    }
    match kind {
        CaptureKind::Selfie | CaptureKind::AuthenticationCapture => {
            verdict.is_some_and(|verdict| verdict.passed && verdict.level.number() >= least.number())
        }
        // Nobody is there in a portrait. O7: it is compared with a selfie to check a document, and for nothing else (O6).
        CaptureKind::DocumentPortrait => usage != Some(CaptureUse::Verification) || purpose == Purpose::DocumentCheck,
    }
}
