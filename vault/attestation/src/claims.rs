//! What an attestation says.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lethe_domain::{AgeBand, CaptureKind, Liveness, ModelId, PadLevel, Quality, TenantId, Timestamp};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::verify::Refused;

/// What a service says about one capture. `Debug` shows nothing that leads to it.
///
/// That a key signed them says nothing of whether they fit a call, are fresh, or were used before.
#[derive(Clone, PartialEq)]
pub struct Claims {
    /// Whose capture it is.
    pub tenant: TenantId,
    /// Which vault it is for, by the name that the vault is configured with.
    pub audience: String,
    /// [`digest`] of the embedding.
    pub embedding: [u8; 32],
    /// The model that made the embedding.
    pub model: ModelId,
    /// What was captured.
    pub kind: CaptureKind,
    /// Its quality, by the service's own measure.
    pub quality: Quality,
    /// When the face was captured, by the service's clock, in milliseconds.
    pub captured_at: Timestamp,
    /// From when on the attestation says nothing any more, in whole seconds.
    pub expires_at: Timestamp,
    /// What makes it the only one of its kind.
    pub nonce: Nonce,
    /// How old the service takes the person to be; `None` where it does not say.
    pub age: Option<AgeBand>,
    /// What it found when it looked for a presentation attack; `None` where it did not look.
    pub liveness: Option<Liveness>,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("tenant", &self.tenant).field("model", &self.model).finish_non_exhaustive()
    }
}

/// SHA-256 of an embedding's canonical bytes: its floats as they were received, little-endian, before anything is normalised.
pub fn digest(embedding: &[f32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for component in embedding {
        hash.update(Zeroizing::new(component.to_le_bytes()).as_slice());
    }
    hash.finalize().into()
}

/// A value that a service uses once: 16 to 64 characters of base64url.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// A fresh one, of 128 random bits.
    ///
    /// # Panics
    /// If the system has no randomness, in which case nothing should go on.
    #[allow(clippy::expect_used, reason = "without randomness nothing here is safe")]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Parses one.
    ///
    /// # Errors
    /// If it is too short, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let is_well_formed = (16..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if is_well_formed { Ok(Self(text.to_owned())) } else { Err(Refused::Claim("jti")) }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// It leads to a capture, and no log has a use for it.
impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

/// Claims as they are written. Members that are not known are passed over (RFC 7519, section 4).
#[derive(Serialize, Deserialize)]
pub(crate) struct Written {
    tenant: String,
    aud: String,
    embedding_sha256: String,
    model: WrittenModel,
    kind: String,
    quality: f32,
    captured_at: i64,
    exp: i64,
    jti: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    age_band: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    liveness: Option<WrittenLiveness>,
}

#[derive(Serialize, Deserialize)]
struct WrittenModel {
    id: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
struct WrittenLiveness {
    passed: bool,
    pad_level: u8,
}

/// The last second of the year 9999.
const END_OF_TIME: i64 = 253_402_300_799;

impl Written {
    pub(crate) fn of(claims: &Claims) -> Self {
        Self {
            tenant: claims.tenant.to_string(),
            aud: claims.audience.clone(),
            embedding_sha256: hex::encode(claims.embedding),
            model: WrittenModel { id: claims.model.id().to_owned(), version: claims.model.version().to_owned() },
            kind: claims.kind.name().to_owned(),
            quality: claims.quality.get(),
            captured_at: claims.captured_at.millis(),
            exp: claims.expires_at.millis().div_euclid(1000),
            jti: claims.nonce.as_str().to_owned(),
            age_band: claims.age.map(|age| age.name().to_owned()),
            liveness: claims
                .liveness
                .map(|found| WrittenLiveness { passed: found.passed, pad_level: found.level.number() }),
        }
    }

    /// What was written, if every claim is one.
    pub(crate) fn read(self) -> Result<Claims, Refused> {
        let of = |claim| move || Refused::Claim(claim);
        let embedding = hex::decode(&self.embedding_sha256).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let seconds = (0..=END_OF_TIME).contains(&self.exp).then_some(self.exp);
        let captured = (0..=END_OF_TIME * 1000).contains(&self.captured_at).then_some(self.captured_at);
        let age = self
            .age_band
            .map(|name| AgeBand::ALL.into_iter().find(|band| band.name() == name).ok_or_else(of("age_band")));
        let liveness = self.liveness.map(|found| {
            let level = PadLevel::from_number(found.pad_level).ok_or_else(of("liveness.pad_level"))?;
            Ok(Liveness { passed: found.passed, level })
        });
        Ok(Claims {
            tenant: TenantId::parse(&self.tenant).map_err(|_| Refused::Claim("tenant"))?,
            audience: self.aud,
            embedding: embedding.ok_or_else(of("embedding_sha256"))?,
            model: ModelId::parse(&self.model.id, &self.model.version).map_err(|_| Refused::Claim("model"))?,
            kind: CaptureKind::ALL.into_iter().find(|kind| kind.name() == self.kind).ok_or_else(of("kind"))?,
            quality: Quality::parse("quality", self.quality).map_err(|_| Refused::Claim("quality"))?,
            captured_at: Timestamp::from_millis(captured.ok_or_else(of("captured_at"))?),
            expires_at: Timestamp::from_millis(seconds.ok_or_else(of("exp"))? * 1000),
            nonce: Nonce::parse(&self.jti)?,
            // Who says that it does not know says nothing.
            age: age.transpose()?.filter(|age| *age != AgeBand::Unknown),
            liveness: liveness.transpose()?,
        })
    }
}
