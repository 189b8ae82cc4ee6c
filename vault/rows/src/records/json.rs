use std::time::Duration;

use lethe_crypto::tree::SlotRef;
use lethe_domain::{
    AttestationPolicy, Automation, AutomationGround, CaptureUse, Country, CredentialId, Environment, Jurisdiction,
    Label, LawfulBasis, Login, ModelId, ModelProfile, Notice, PadLevel, Period, Purpose, PurposeBasis, ReceiptId,
    Region, Retention, Roles, Sketching, TenantId, TenantPolicy, Thresholds, Timestamp,
};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::Corrupt;

/// Writes a record.
pub fn encode<T: Serialize>(what: &'static str, record: &T) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
    serde_json::to_vec(record).map(Zeroizing::new).map_err(|_| Corrupt::new(what, "memory"))
}

/// Reads a record; unknown fields are refused.
pub fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Corrupt> {
    serde_json::from_slice(bytes).map_err(|fault| Corrupt::new(what, format!("line {}", fault.line())))
}

/// A tenant, and what it allows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantRecord {
    id: String,
    /// Purpose and basis, by number.
    purposes: Vec<(u8, u8)>,
    created_at: i64,
    /// Absent where nothing but purposes was ever said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<PolicyRecord>,
}

/// What a tenant allows, beside its purposes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyRecord {
    version: u32,
    /// By number.
    jurisdiction: u8,
    alone_from_16: bool,
    age_required: bool,
    /// By number; absent for production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(default, skip_serializing_if = "RetentionRecord::is_empty")]
    retention: RetentionRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    automation: Vec<AutomationRecord>,
    /// Absent where nothing was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attestation: Option<AttestationRecord>,
}

/// Which captures of a tenant need an attestation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttestationRecord {
    /// By number.
    exempt: Vec<u8>,
    /// By number.
    least_level: u8,
    max_age_ms: u64,
}

impl AttestationRecord {
    fn of(said: &AttestationPolicy) -> Self {
        Self {
            exempt: said.exempt.iter().map(|usage| usage.number()).collect(),
            least_level: said.least_level.number(),
            max_age_ms: u64::try_from(said.max_age.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn parse(&self) -> Option<AttestationPolicy> {
        Some(AttestationPolicy {
            exempt: self.exempt.iter().map(|&number| CaptureUse::from_number(number)).collect::<Option<_>>()?,
            least_level: PadLevel::from_number(self.least_level)?,
            max_age: Duration::from_millis(self.max_age_ms),
        })
    }
}

/// A purpose for which a tenant's systems decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AutomationRecord {
    /// By number.
    purpose: u8,
    /// By number.
    ground: u8,
    notice: String,
    notice_sha256: String,
    reviewer: String,
}

impl AutomationRecord {
    fn of(automation: &Automation) -> Self {
        Self {
            purpose: automation.purpose.number(),
            ground: automation.ground.number(),
            notice: automation.explanation.version.as_str().to_owned(),
            notice_sha256: hex::encode(automation.explanation.sha256),
            reviewer: automation.reviewer.as_str().to_owned(),
        }
    }

    fn parse(&self) -> Option<Automation> {
        let label = |text: &str| Label::parse("label", text).ok();
        let sha256 = hex::decode(&self.notice_sha256).ok()?.try_into().ok()?;
        Some(Automation {
            purpose: Purpose::from_number(self.purpose)?,
            ground: AutomationGround::from_number(self.ground)?,
            explanation: Notice { version: label(&self.notice)?, sha256 },
            reviewer: label(&self.reviewer)?,
        })
    }
}

/// How long a tenant keeps people; periods as in ISO 8601.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetentionRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after_end: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minimum: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    vendor_purposes: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limitation: Option<String>,
}

impl RetentionRecord {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn of(retention: &Retention) -> Self {
        let text = |period: Option<Period>| period.map(|period| period.to_string());
        Self {
            keep: text(retention.keep),
            after_end: text(retention.after_end),
            minimum: text(retention.minimum),
            vendor_purposes: retention.vendor_purposes,
            limitation: text(retention.limitation),
        }
    }

    fn parse(&self) -> Result<Retention, Corrupt> {
        let period = |text: &Option<String>| {
            let parsed = text.as_deref().map(|text| Period::parse("period", text)).transpose();
            parsed.map_err(|_| Corrupt::new("tenant record", "retention"))
        };
        Ok(Retention {
            keep: period(&self.keep)?,
            after_end: period(&self.after_end)?,
            minimum: period(&self.minimum)?,
            vendor_purposes: self.vendor_purposes,
            limitation: period(&self.limitation)?,
        })
    }
}

impl PolicyRecord {
    fn of(policy: &TenantPolicy) -> Self {
        Self {
            version: policy.version,
            jurisdiction: policy.jurisdiction.number(),
            alone_from_16: policy.alone_from_16,
            age_required: policy.age_required,
            environment: Some(policy.environment.number()).filter(|_| policy.environment != Environment::Production),
            region: policy.region.as_ref().map(|region| region.as_str().to_owned()),
            country: policy.country.map(|country| country.to_string()),
            retention: RetentionRecord::of(&policy.retention),
            automation: policy.automation.iter().map(AutomationRecord::of).collect(),
            attestation: policy.attestation.as_ref().map(AttestationRecord::of),
        }
    }
}

impl TenantRecord {
    /// What is recorded of a tenant.
    pub fn new(id: &TenantId, policy: &TenantPolicy, created_at: Timestamp) -> Self {
        let purposes = policy.purposes.iter().map(|entry| (entry.purpose.number(), entry.basis.number())).collect();
        let beside = PolicyRecord::of(policy);
        let policy = (beside != PolicyRecord::of(&TenantPolicy::of(Vec::new()))).then_some(beside);
        Self { id: id.as_str().to_owned(), purposes, created_at: created_at.millis(), policy }
    }

    /// The tenant, what it allows, and when it was created.
    pub fn parse(&self) -> Result<(TenantId, TenantPolicy, Timestamp), Corrupt> {
        let wrong = || Corrupt::new("tenant record", "policy");
        let id = TenantId::parse(&self.id).map_err(|_| Corrupt::new("tenant record", "id"))?;
        let purposes = self.purposes.iter().map(|&(purpose, basis)| {
            let purpose = Purpose::from_number(purpose)?;
            Some(PurposeBasis { purpose, basis: LawfulBasis::from_number(basis)? })
        });
        let mut policy = TenantPolicy::of(purposes.collect::<Option<_>>().ok_or_else(wrong)?);
        if let Some(said) = &self.policy {
            policy.version = said.version;
            policy.jurisdiction = Jurisdiction::from_number(said.jurisdiction).ok_or_else(wrong)?;
            policy.alone_from_16 = said.alone_from_16;
            policy.age_required = said.age_required;
            if let Some(number) = said.environment {
                policy.environment = Environment::from_number(number).ok_or_else(wrong)?;
            }
            let region = said.region.as_deref().map(|region| Region::parse("region", region)).transpose();
            policy.region = region.map_err(|_| wrong())?;
            let country = said.country.as_deref().map(|code| Country::parse("country", code)).transpose();
            policy.country = country.map_err(|_| wrong())?;
            policy.retention = said.retention.parse()?;
            let automation = said.automation.iter().map(AutomationRecord::parse).collect::<Option<_>>();
            policy.automation = automation.ok_or_else(wrong)?;
            let attestation = said.attestation.as_ref().map(|said| said.parse().ok_or_else(wrong));
            policy.attestation = attestation.transpose()?;
        }
        Ok((id, policy, Timestamp::from_millis(self.created_at)))
    }
}

/// A tenant that was shredded: its name is never given again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShreddedRecord {
    id: String,
    /// Receipt of the shredding, of the vault's tree, hexadecimal.
    receipt: String,
    /// When it was accepted, in milliseconds since the Unix epoch.
    accepted_at: i64,
}

impl ShreddedRecord {
    /// What a tenant's end records.
    pub fn new(id: &TenantId, receipt: ReceiptId, accepted_at: Timestamp) -> Self {
        Self { id: id.as_str().to_owned(), receipt: receipt.to_string(), accepted_at: accepted_at.millis() }
    }

    /// The name that it had.
    pub fn id(&self) -> Result<TenantId, Corrupt> {
        TenantId::parse(&self.id).map_err(|_| Corrupt::new("record of a shredded tenant", "id"))
    }
}

/// What shows that a call is a credential's: one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialProof {
    /// An API key, by the SHA-256 of its secret.
    Secret([u8; 32]),
    /// A login at an identity provider.
    Login(Login),
}

/// A login at an identity provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginRecord {
    issuer: String,
    subject: String,
}

/// A credential: SHA-256 of its secret, never the secret; or a login.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRecord {
    roles: u16,
    /// SHA-256 of the 32 secret bytes, hexadecimal; absent where there is a login. The secret has 256 bits of entropy: a slow
    /// hash would add nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_sha256: Option<String>,
    /// Absent where there is a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<LoginRecord>,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<i64>,
    /// By which credential's call it was made; absent of a vault's first operator, and where nobody wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<CredentialRef>,
}

impl CredentialRecord {
    /// What a credential's creation records.
    pub fn new(roles: Roles, proof: &CredentialProof, created_at: Timestamp, expires_at: Option<Timestamp>) -> Self {
        let (secret_sha256, login) = match proof {
            CredentialProof::Secret(digest) => (Some(hex::encode(digest)), None),
            CredentialProof::Login(login) => {
                let (issuer, subject) = (login.issuer().to_owned(), login.subject().to_owned());
                (None, Some(LoginRecord { issuer, subject }))
            }
        };
        Self {
            roles: roles.bits(),
            secret_sha256,
            login,
            created_at: created_at.millis(),
            expires_at: expires_at.map(Timestamp::millis),
            revoked_at: None,
            made_by: None,
        }
    }

    /// Its roles.
    pub fn roles(&self) -> Result<Roles, Corrupt> {
        Roles::from_bits(self.roles).ok_or_else(|| Corrupt::new("credential record", "roles"))
    }

    /// What shows that a call is its.
    ///
    /// # Errors
    /// `Corrupt` unless there is exactly one of a secret's digest and a login, well-formed.
    pub fn proof(&self) -> Result<CredentialProof, Corrupt> {
        let wrong = |what: &'static str| Corrupt::new("credential record", what);
        match (&self.secret_sha256, &self.login) {
            (Some(digest), None) => {
                let digest = hex::decode(digest).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                digest.map(CredentialProof::Secret).ok_or_else(|| wrong("secret"))
            }
            (None, Some(LoginRecord { issuer, subject })) => {
                let login = Login::parse("login", issuer, subject);
                login.map(CredentialProof::Login).map_err(|_| wrong("login"))
            }
            (Some(_), Some(_)) | (None, None) => Err(wrong("a secret or a login")),
        }
    }
}

/// A model profile.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileRecord {
    model: String,
    version: String,
    dimension: u32,
    /// Absent for 1, as the first vaults had no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sketch_bits: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "finite_vector")]
    centre: Option<Vec<f32>>,
    #[serde(rename = "match", deserialize_with = "finite")]
    matching: f32,
    #[serde(deserialize_with = "finite")]
    review: f32,
    miss_probability: f64,
    policy_version: u32,
    /// Milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Milliseconds since the Unix epoch.
    pub updated_at: i64,
}

/// A number that is too large for an `f32` would be read as infinity, which JSON cannot say.
fn finite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    let number = f32::deserialize(deserializer)?;
    if number.is_finite() { Ok(number) } else { Err(D::Error::custom("a number beyond f32")) }
}

fn finite_vector<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<f32>>, D::Error> {
    let vector = Option::<Vec<f32>>::deserialize(deserializer)?;
    let finite = vector.iter().flatten().all(|number| number.is_finite());
    if finite { Ok(vector) } else { Err(D::Error::custom("a number beyond f32")) }
}

impl ProfileRecord {
    /// Records a profile.
    pub fn new(profile: &ModelProfile, created_at: Timestamp, updated_at: Timestamp) -> Self {
        Self {
            model: profile.model().id().to_owned(),
            version: profile.model().version().to_owned(),
            // At most 4096 by construction.
            dimension: profile.dimension() as u32,
            sketch_bits: Some(profile.sketching().bits()).filter(|&bits| bits != 1),
            centre: profile.sketching().centre().map(<[f32]>::to_vec),
            matching: profile.thresholds().matching(),
            review: profile.thresholds().review(),
            miss_probability: profile.miss_probability(),
            policy_version: profile.policy_version(),
            created_at: created_at.millis(),
            updated_at: updated_at.millis(),
        }
    }

    /// The profile.
    pub fn parse(&self) -> Result<ModelProfile, Corrupt> {
        let wrong = |refusal: lethe_domain::Invalid| Corrupt::new("profile record", refusal.field);
        let model = ModelId::parse(&self.model, &self.version).map_err(wrong)?;
        let thresholds = Thresholds::new(self.matching, self.review).map_err(wrong)?;
        let bits = self.sketch_bits.unwrap_or(1);
        let sketching = Sketching::new(Some(bits.into()), self.centre.clone()).map_err(wrong)?;
        let profile =
            ModelProfile::new(model, self.dimension, sketching, thresholds, self.miss_probability).map_err(wrong)?;
        Ok(profile.at_version(self.policy_version))
    }
}

/// A remembered answer: what was asked (by digest), and what was answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered<A> {
    /// SHA-256 over the request's canonical bytes, hexadecimal.
    pub request_sha256: String,
    /// The first answer.
    pub answer: A,
}

/// An accepted erasure or rotation whose epoch is not committed yet. In clear: it names slots, nothing else.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentRecord {
    /// `subject`, `template`, `tenant`, or `rotation`.
    pub scope: String,
    /// Slot and generation of each key that must go; of a rotation, of each tree whose wrapping is to be new, in the vault
    /// tree.
    pub slots: Vec<(u64, u32)>,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub accepted_at: i64,
}

impl IntentRecord {
    /// The slots that are named.
    pub fn slots(&self) -> impl Iterator<Item = SlotRef> + '_ {
        self.slots.iter().map(|&(slot, generation)| SlotRef { slot, generation })
    }
}

/// The state of an erasure or a rotation. In clear: the link from it to a person is only in the hands of who asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptRecord {
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub accepted_at: i64,
    /// The leaf of `ERASURE_COMMITTED` or `KEYS_ROTATED` in the vault's log, and the epoch that must be destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<CommittedErasure>,
}

/// Where an erasure's first entry is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedErasure {
    /// Leaf index in the vault's log.
    pub leaf: u64,
    /// Number of the epoch whose root must be destroyed.
    pub leaves_epoch: u64,
}

/// Renders a credential id for JSON answers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CredentialRef(#[serde(with = "hex::serde")] [u8; 16]);

impl From<CredentialId> for CredentialRef {
    fn from(id: CredentialId) -> Self {
        Self(*id.as_bytes())
    }
}

impl From<CredentialRef> for CredentialId {
    fn from(reference: CredentialRef) -> Self {
        Self::from_bytes(reference.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn profile(matching: &str, centre: &str) -> String {
        format!(
            r#"{{"model":"m","version":"1","dimension":64,"centre":[{centre}],"match":{matching},"review":0.3,"miss_probability":0.0001,"policy_version":1,"created_at":1,"updated_at":2}}"#
        )
    }

    #[test]
    fn a_number_beyond_f32_is_refused() {
        assert!(decode::<ProfileRecord>("profile", profile("0.4", "1,2").as_bytes()).is_ok());
        for row in [profile("1e39", "1,2"), profile("0.4", "1,-1e39"), profile("1e999", "1,2")] {
            assert!(decode::<ProfileRecord>("profile", row.as_bytes()).is_err(), "{row}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(threshold in -1.0f32..1.0, miss in any::<f64>()) {
            prop_assume!(miss.is_finite());
            let mut record: ProfileRecord = decode("profile", profile("0.4", "1,2").as_bytes()).unwrap();
            (record.matching, record.miss_probability, record.centre) = (threshold, miss, Some(vec![threshold; 3]));
            let read: ProfileRecord = decode("profile", &encode("profile", &record).unwrap()).unwrap();
            prop_assert_eq!(read.miss_probability.to_bits(), miss.to_bits());
            prop_assert_eq!(read.matching.to_bits(), threshold.to_bits());
            prop_assert_eq!(read.centre, record.centre);
        }
    }
}
