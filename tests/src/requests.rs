use std::time::SystemTime;

use lethe_proto::v1::{
    AttestationPolicy, Capture, CaptureKind, CaptureUse, LawfulBasis, ModelVersion, Purpose, PurposeBasis, Safeguard,
    Transfer,
};
use prost_types::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};

/// A fresh request id: a random UUID of version 4.
#[must_use]
pub fn request_id() -> String {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The time, in whole milliseconds, as the vault keeps it.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let nanos = i32::try_from(since.subsec_millis()).unwrap() * 1_000_000;
    Timestamp { seconds: i64::try_from(since.as_secs()).unwrap(), nanos }
}

/// A transfer to a country, under standard contractual clauses.
#[must_use]
pub fn guarded(country: &str) -> Transfer {
    Transfer {
        country: country.to_owned(),
        safeguard: Safeguard::StandardContractualClauses.into(),
        safeguard_reference: "scc-1".to_owned(),
        contract_reference: String::new(),
    }
}

/// A valid capture of a face by the usual model.
#[must_use]
pub fn capture(face: &[f32]) -> Capture {
    Capture {
        embedding: face.to_vec(),
        model: Some(model()),
        kind: CaptureKind::Selfie.into(),
        quality: Some(0.9),
        capture_time: Some(Timestamp { seconds: 1_760_000_000, nanos: 0 }),
        attestation: String::new(),
    }
}

/// That no capture needs an attestation: for tests of everything else.
#[must_use]
pub fn exempt() -> AttestationPolicy {
    let exempt = [CaptureUse::Enrollment, CaptureUse::Verification, CaptureUse::Identification, CaptureUse::Watchlist];
    AttestationPolicy { exempt: exempt.map(Into::into).to_vec(), ..AttestationPolicy::default() }
}

/// The usual model.
pub(crate) fn model() -> ModelVersion {
    ModelVersion { id: "face".to_owned(), version: "1".to_owned() }
}

/// A purpose that rests on a legal obligation, and needs nobody's consent.
#[must_use]
pub fn basis(purpose: Purpose) -> PurposeBasis {
    PurposeBasis { purpose: purpose.into(), lawful_basis: LawfulBasis::LegalObligation.into() }
}
