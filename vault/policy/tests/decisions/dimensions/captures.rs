//! Captures, and what services say of them.

use std::time::Duration;

use lethe_domain::{
    AttestationPolicy, CaptureKind, CaptureUse, Liveness, ModelId, PadLevel, Purpose, Quality, TenantId, Timestamp,
};
use lethe_policy::{Called, CaptureFacts, Operation, Said};

use super::{Dice, NOW, from_now};

pub(crate) const CAPTURING: [Operation; 5] =
    [Operation::Enroll, Operation::ReplaceTemplate, Operation::Verify, Operation::Search, Operation::AddWatchlistEntry];

/// The shortest and the longest that a capture may be used for, and something between.
pub(crate) const MAX_AGES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_millis(600_001), Duration::from_secs(24 * 60 * 60)];

const AUDIENCE: &str = "lethe-1";

/// What a service says wrongly, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slip {
    None,
    Tenant,
    Audience(&'static str),
    Embedding(usize),
    Model,
    ModelVersion,
    Kind,
    Quality,
    CapturedAt(i64),
}

pub(crate) const SLIPS: [Slip; 13] = [
    Slip::None,
    Slip::Tenant,
    Slip::Audience("lethe-10"),
    Slip::Audience("Lethe-1"),
    Slip::Audience(""),
    Slip::Embedding(0),
    Slip::Embedding(31),
    Slip::Model,
    Slip::ModelVersion,
    Slip::Kind,
    Slip::Quality,
    Slip::CapturedAt(-1),
    Slip::CapturedAt(1),
];

/// A client's call, and a service that tells of the capture.
pub(crate) struct Scene {
    tenant: TenantId,
    another_tenant: TenantId,
    model: ModelId,
    another_model: ModelId,
    another_version: ModelId,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let tenant = |text| TenantId::parse(text).unwrap();
        let model = |id, version| ModelId::parse(id, version).unwrap();
        Self {
            tenant: tenant("tenant-a"),
            another_tenant: tenant("tenant-ab"),
            model: model("arc", "1"),
            another_model: model("ark", "1"),
            another_version: model("arc", "2"),
        }
    }

    pub(crate) fn called(&self, operation: Operation, purpose: Purpose) -> Called<'_> {
        Called { operation, purpose, tenant: &self.tenant, audience: AUDIENCE }
    }

    pub(crate) fn capture(&self, kind: CaptureKind, captured_at: Timestamp) -> CaptureFacts<'_> {
        CaptureFacts { embedding: [7; 32], model: &self.model, kind, quality: quality(0.75), captured_at }
    }

    /// What a service says of the capture of such a kind, which was then; it found nobody living and tells no age.
    pub(crate) fn said(&self, kind: CaptureKind, captured_at: Timestamp, slips: &[Slip]) -> Said<'_> {
        let mut said = Said {
            tenant: &self.tenant,
            audience: AUDIENCE,
            capture: self.capture(kind, captured_at),
            expires_at: from_now(1),
            age: None,
            liveness: None,
        };
        slips.iter().for_each(|&slip| self.slip(&mut said, slip));
        said
    }

    fn slip<'a>(&'a self, said: &mut Said<'a>, slip: Slip) {
        match slip {
            Slip::None => {}
            Slip::Tenant => said.tenant = &self.another_tenant,
            Slip::Audience(another) => said.audience = another,
            Slip::Embedding(byte) => said.capture.embedding[byte] ^= 1,
            Slip::Model => said.capture.model = &self.another_model,
            Slip::ModelVersion => said.capture.model = &self.another_version,
            Slip::Kind => {
                said.capture.kind = match said.capture.kind {
                    CaptureKind::Selfie => CaptureKind::AuthenticationCapture,
                    CaptureKind::DocumentPortrait => CaptureKind::Selfie,
                    CaptureKind::AuthenticationCapture => CaptureKind::DocumentPortrait,
                }
            }
            Slip::Quality => said.capture.quality = quality(0.75_f32.next_up()),
            Slip::CapturedAt(millis) => {
                let at = said.capture.captured_at.millis().saturating_add(millis);
                said.capture.captured_at = Timestamp::from_millis(at);
            }
        }
    }
}

fn quality(value: f32) -> Quality {
    Quality::parse("quality", value).unwrap()
}

/// No verdict, and each that there is.
pub(crate) fn verdicts() -> Vec<Option<Liveness>> {
    let each = |&level| [true, false].map(|passed| Some(Liveness { passed, level }));
    std::iter::once(None).chain(PadLevel::ALL.iter().flat_map(each)).collect()
}

/// Every subset of what a client can exempt.
pub(crate) fn exemptions() -> Vec<Vec<CaptureUse>> {
    let mut all = vec![vec![]];
    for &usage in CaptureUse::ALL {
        let with: Vec<_> = all.iter().map(|set| [set.as_slice(), &[usage]].concat()).collect();
        all.extend(with);
    }
    all
}

/// Every client there can be, where captures may be so old.
pub(crate) fn clients_asking(max_age: Duration) -> Vec<AttestationPolicy> {
    let each = |exempt: Vec<CaptureUse>| {
        PadLevel::ALL.iter().map(move |&least_level| AttestationPolicy { exempt: exempt.clone(), least_level, max_age })
    };
    exemptions().into_iter().flat_map(each).collect()
}

/// When a face can have been captured, around what the client allows and a minute in the future, and at the ends of time.
pub(crate) fn captured(max_age: Duration) -> Vec<Timestamp> {
    let oldest = -i64::try_from(max_age.as_millis()).unwrap();
    let near = [oldest - 1, oldest, oldest + 1, -1, 0, 1, 59_999, 60_000, 60_001].map(from_now);
    near.into_iter().chain([i64::MIN, i64::MAX].map(Timestamp::from_millis)).collect()
}

/// When an attestation can end, around now, and at the ends of time.
pub(crate) fn expiries() -> [Timestamp; 5] {
    [Timestamp::from_millis(i64::MIN), from_now(-1), NOW, from_now(1), Timestamp::MAX]
}

impl Dice {
    /// Nothing wrong, mostly; one thing or two.
    pub(crate) fn slips(&mut self) -> Vec<Slip> {
        let many = [0, 0, 0, 1, 2][self.roll(5)];
        (0..many).map(|_| self.one_of(&SLIPS)).collect()
    }
}
