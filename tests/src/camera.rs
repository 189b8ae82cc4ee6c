use std::sync::Arc;

use lethe_attestation::{Claims, Nonce, Signer, digest};
use lethe_domain::{CaptureKind, Liveness, ModelId, PadLevel, Quality, TenantId, Timestamp};
use lethe_proto::v1::{self, Purpose};

use crate::refusal::Answer;
use crate::requests::{now, request_id};
use crate::tenant::Tenant;

/// A capture service of a tenant's: it signs what it sees.
#[derive(Debug, Clone)]
pub struct Camera {
    signer: Arc<Signer>,
    tenant: String,
}

impl Camera {
    /// One whose key the tenant does not know.
    #[must_use]
    pub fn stranger(tenant: &Tenant, id: &str) -> Self {
        Self { signer: Arc::new(Signer::generate(id).unwrap()), tenant: tenant.id().to_owned() }
    }

    /// One whose key the tenant trusts.
    ///
    /// # Panics
    /// If the key is refused.
    pub async fn of(tenant: &Tenant, id: &str) -> Self {
        let camera = Self::stranger(tenant, id);
        camera.register(tenant).await.unwrap();
        camera
    }

    /// Has its key registered.
    ///
    /// # Errors
    /// The refusal.
    pub async fn register(&self, tenant: &Tenant) -> Answer<v1::SigningKey> {
        tenant.admin().ask(Self::registering(tenant, &self.signer.public().to_jwk())).await
    }

    /// Asks a tenant to trust a key, whatever it is.
    #[must_use]
    pub fn registering(tenant: &Tenant, jwk: &str) -> v1::CreateSigningKeyRequest {
        v1::CreateSigningKeyRequest {
            parent: tenant.name(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            signing_key: Some(v1::SigningKey { jwk: jwk.to_owned(), ..v1::SigningKey::default() }),
        }
    }

    /// Has its key revoked.
    ///
    /// # Errors
    /// The refusal.
    pub async fn revoke(&self, tenant: &Tenant) -> Answer<v1::SigningKey> {
        tenant.admin().ask(self.revoking(tenant)).await
    }

    /// Asks a tenant to trust its key no more.
    #[must_use]
    pub fn revoking(&self, tenant: &Tenant) -> v1::RevokeSigningKeyRequest {
        v1::RevokeSigningKeyRequest {
            name: format!("{}/signingKeys/{}", tenant.name(), self.signer.public().id()),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
        }
    }

    /// Its key.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The face as it is before the camera this moment: alive, and attested.
    #[must_use]
    pub fn sees(&self, capture: v1::Capture) -> v1::Capture {
        self.says(capture, |_| ())
    }

    /// The same, but for what it says of it.
    #[must_use]
    pub fn says(&self, capture: v1::Capture, change: impl FnOnce(&mut Claims)) -> v1::Capture {
        let capture = v1::Capture { capture_time: Some(now()), ..capture };
        let mut claims = self.claims(&capture);
        change(&mut claims);
        v1::Capture { attestation: self.signer.sign(&claims).unwrap(), ..capture }
    }

    /// What there is to be said of a capture of somebody who is there, for a minute.
    fn claims(&self, capture: &v1::Capture) -> Claims {
        let time = capture.capture_time.unwrap();
        let captured_at = Timestamp::from_millis(time.seconds * 1000 + i64::from(time.nanos) / 1_000_000);
        let model = capture.model.as_ref().unwrap();
        Claims {
            tenant: TenantId::parse(&self.tenant).unwrap(),
            audience: "lethe".to_owned(),
            embedding: digest(&capture.embedding),
            model: ModelId::parse(&model.id, &model.version).unwrap(),
            kind: CaptureKind::from_number(u8::try_from(capture.kind).unwrap()).unwrap(),
            quality: Quality::parse("quality", capture.quality.unwrap()).unwrap(),
            captured_at,
            expires_at: Timestamp::from_millis((time.seconds + 60) * 1000),
            nonce: Nonce::random(),
            age: None,
            liveness: Some(Liveness { passed: true, level: PadLevel::Level1 }),
        }
    }
}
