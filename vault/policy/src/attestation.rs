//! Whether a capture is believed: only if a service that the client trusts signed what it saw (O6), and signed it of this very
//! capture, for this very vault, a moment ago, and for one use.
//!
//! [`attest`] is a pure function of the operation, the purpose, the client's policy, the capture, what was signed about it, whether
//! that was used before, and the time. It knows nothing of any person, so a denial tells nothing of one. Whether a signature is
//! that of a key which the client trusts is for who has the keys; how old the service takes the person to be is judged with what
//! is known of the person ([`judged_age`], O15).

use std::time::Duration;

use lethe_domain::{
    AgeBand, AttestationPolicy, CaptureKind, CaptureUse, Liveness, ModelId, Purpose, Quality, Reason, TenantId,
    Timestamp,
};

use crate::gate::{Authorized, Denial};
use crate::operation::Kind;
use crate::table::Operation;

/// How far a service's clock may be ahead.
pub const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// A capture, as it was received.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureFacts<'a> {
    /// SHA-256 of the canonical bytes of the embedding.
    pub embedding: [u8; 32],
    /// The model that made it.
    pub model: &'a ModelId,
    /// What was captured.
    pub kind: CaptureKind,
    /// Its quality.
    pub quality: Quality,
    /// When it was captured.
    pub captured_at: Timestamp,
}

/// What a service signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Said<'a> {
    /// Whose capture it is.
    pub tenant: &'a TenantId,
    /// Which vault it is for.
    pub audience: &'a str,
    /// What it says of the capture.
    pub capture: CaptureFacts<'a>,
    /// From when on it says nothing any more.
    pub expires_at: Timestamp,
    /// How old the service takes the person to be.
    pub age: Option<AgeBand>,
    /// What it found when it looked for a presentation attack.
    pub liveness: Option<Liveness>,
}

/// Whether an attestation was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spent {
    /// It was not.
    Never,
    /// By the request that this call repeats: it was judged then, and the call gets the first answer or none.
    ByThisRequest,
    /// By another call.
    Before,
}

/// What comes with a capture.
#[derive(Debug, Clone, PartialEq)]
pub enum Presented<'a> {
    /// Nothing.
    Nothing,
    /// Something that no key which the client trusts signed; and why not.
    Unbelieved(String),
    /// What a key signed that the client trusts.
    Believed(Said<'a>, Spent),
}

/// What a call is for, and where it is made.
#[derive(Debug, Clone, Copy)]
pub struct Called<'a> {
    /// The operation.
    pub operation: Operation,
    /// The purpose.
    pub purpose: Purpose,
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The name that services know this vault by.
    pub audience: &'a str,
}

impl<'a> Called<'a> {
    /// Of a call that the gate let pass, on a tenant.
    pub fn of<O: Kind>(call: &Authorized<O>, tenant: &'a TenantId, audience: &'a str) -> Self {
        Self { operation: O::OPERATION, purpose: call.purpose(), tenant, audience }
    }
}

/// Proof that a capture may be taken: it is attested, or need not be. What takes a capture's embedding asks for one.
///
/// Nothing outside this crate can make one:
///
/// ```compile_fail
/// use lethe_policy::Attested;
/// let forged = Attested { age: None, repeats: false };
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Attested {
    age: Option<AgeBand>,
    repeats: bool,
}

impl Attested {
    /// How old the service takes the person to be, if it says.
    pub const fn age(&self) -> Option<AgeBand> {
        self.age
    }

    /// Whether it was used by the request that this call repeats: unless that is answered as it was then, it is a replay.
    pub const fn repeats(&self) -> bool {
        self.repeats
    }
}

/// Decides whether a capture may be taken.
///
/// The order is part of the contract: that there is an attestation, where one is needed; that it is believed; that it is for this
/// tenant and vault, and about this capture; that it is fresh; that it was not used before; liveness. It is judged wherever there
/// is one, also where none is needed. One that was used by the very request that is repeated was fresh then.
///
/// # Errors
/// The reason, with the obligation that asks for it.
pub fn attest(
    called: Called<'_>,
    policy: &AttestationPolicy,
    capture: &CaptureFacts<'_>,
    presented: &Presented<'_>,
    now: Timestamp,
) -> Result<Attested, Denial> {
    let usage = called.operation.rule().takes;
    let (said, spent) = match presented {
        Presented::Nothing if usage.is_some_and(|usage| policy.asks_for(usage)) => {
            let message = "the tenant's policy asks for an attestation of the capture, and there is none";
            return deny(Reason::AttestationRequired, message);
        }
        Presented::Nothing => return Ok(Attested { age: None, repeats: false }),
        Presented::Unbelieved(why) => {
            return deny(Reason::AttestationInvalid, format!("the attestation {why}"));
        }
        Presented::Believed(said, spent) => (said, *spent),
    };
    if let Some(other) = differs(called, capture, said) {
        return deny(Reason::AttestationInvalid, format!("the attestation is {other}"));
    }
    if spent != Spent::ByThisRequest {
        is_fresh(policy, said, now)?;
    }
    if spent == Spent::Before {
        return deny(Reason::AttestationReplayed, "the attestation was used before, or is in use: each is used once");
    }
    if let Some(usage) = usage {
        is_live(called.purpose, usage, policy, said)?;
    }
    let age = said.age.filter(|age| *age != AgeBand::Unknown);
    Ok(Attested { age, repeats: spent == Spent::ByThisRequest })
}

/// What an attestation is that does not belong to a call.
fn differs(called: Called<'_>, capture: &CaptureFacts<'_>, said: &Said<'_>) -> Option<&'static str> {
    let of = &said.capture;
    [
        (said.tenant == called.tenant, "for another tenant"),
        (said.audience == called.audience, "for another vault: its `aud` is not this one's `attestation.audience`"),
        (of.embedding == capture.embedding, "of another embedding"),
        (of.model == capture.model, "of another model"),
        (of.kind == capture.kind, "of another kind of capture"),
        (of.quality == capture.quality, "of another quality"),
        (of.captured_at == capture.captured_at, "of another time of capture"),
    ]
    .into_iter()
    .find_map(|(same, what)| (!same).then_some(what))
}

fn is_fresh(policy: &AttestationPolicy, said: &Said<'_>, now: Timestamp) -> Result<(), Denial> {
    let captured_at = said.capture.captured_at;
    if captured_at > after(now, CLOCKS_DIFFER) {
        return deny(Reason::AttestationExpired, "the face was captured in the future, by more than 60 seconds");
    }
    if after(captured_at, policy.max_age) < now {
        let message = format!("the face was captured more than {} s ago", policy.max_age.as_secs());
        return deny(Reason::AttestationExpired, message);
    }
    if said.expires_at <= now {
        return deny(Reason::AttestationExpired, "the attestation's time is over");
    }
    Ok(())
}

/// O6: who is enrolled, verified or searched for is there, and alive; but the portrait in a document is not, nor is a mask.
fn is_live(purpose: Purpose, usage: CaptureUse, policy: &AttestationPolicy, said: &Said<'_>) -> Result<(), Denial> {
    let lives = |said: &Said<'_>| said.liveness.is_some_and(|found| found.reaches(policy.least_level));
    match (usage, said.capture.kind) {
        (CaptureUse::Watchlist, _) => Ok(()),
        (CaptureUse::Enrollment | CaptureUse::Identification, CaptureKind::DocumentPortrait) => Ok(()),
        // A document stands for nobody but in its own check.
        (CaptureUse::Verification, CaptureKind::DocumentPortrait) if purpose == Purpose::DocumentCheck => Ok(()),
        (CaptureUse::Verification, CaptureKind::DocumentPortrait) => {
            deny(Reason::LivenessInsufficient, "a document's portrait is verified for document_check alone")
        }
        (
            CaptureUse::Enrollment | CaptureUse::Verification | CaptureUse::Identification,
            CaptureKind::Selfie | CaptureKind::AuthenticationCapture,
        ) if lives(said) => Ok(()),
        (
            CaptureUse::Enrollment | CaptureUse::Verification | CaptureUse::Identification,
            CaptureKind::Selfie | CaptureKind::AuthenticationCapture,
        ) => {
            let level = policy.least_level.number();
            let message =
                format!("the attestation has no verdict of liveness that was passed at level {level} or higher");
            deny(Reason::LivenessInsufficient, message)
        }
    }
}

/// How old somebody is, by what is known of the person and by what an attestation says: the younger counts (O15).
pub fn judged_age(known: AgeBand, attested: Option<AgeBand>) -> AgeBand {
    match attested {
        None | Some(AgeBand::Unknown) => known,
        Some(attested) if known == AgeBand::Unknown => attested,
        // From the youngest to the oldest.
        Some(attested) => known.min(attested),
    }
}

/// Until when the vault has to know that an attestation was used: whatever a client's policy comes to say, it is refused as expired
/// from then on.
pub fn remembered_until(captured_at: Timestamp, expires_at: Timestamp) -> Timestamp {
    after(captured_at, AttestationPolicy::LONGEST).min(expires_at)
}

fn after(time: Timestamp, how_long: Duration) -> Timestamp {
    let millis = i64::try_from(how_long.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(time.millis().saturating_add(millis))
}

fn deny<T>(reason: Reason, message: impl Into<String>) -> Result<T, Denial> {
    Err(Denial { reason, obligation: "O6", message: message.into(), duty: None })
}

#[cfg(test)]
mod tests;
