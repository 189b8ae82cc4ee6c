//! Two clients of the vault: each with keys of its own, and a credential for each task.

use lethe_attestation::{Claims, Nonce, Signer, digest};
use lethe_domain::{AgeBand, CaptureKind as Kind, Liveness, ModelId, PadLevel, Quality, TenantId, Timestamp};
use lethe_proto::v1::{
    Capture, CaptureKind, CreateCredentialRequest, CreateModelProfileRequest, CreateSigningKeyRequest,
    CreateTenantRequest, Credential, IssuedCredential, LawfulBasis, ModelProfile, ModelVersion, Purpose, PurposeBasis,
    Role, SigningKey, Tenant, Thresholds,
};

use super::cast::{Cast, MATCH, REVIEW};
use super::house::House;
use super::story::Story;
use crate::cli::client::Client;
use crate::cli::exit::Failure;
use crate::cli::request_id;
use crate::cli::secret::ApiKey;
use crate::cli::values::Coded as _;
use crate::cli::view;

/// The model's id and version.
pub(super) const MODEL: (&str, &str) = ("edgeface-xs", "1");

/// The name that services know the vault by, as it is configured by default.
const AUDIENCE: &str = "lethe";

/// The roles that get a key each.
const ROLES: [Role; 5] = [Role::Enroller, Role::Authenticator, Role::FraudAnalyst, Role::PrivacyOfficer, Role::Auditor];

/// Both clients.
pub(super) struct Tenants {
    pub(super) acme: Callers,
    pub(super) globex: Callers,
}

/// Who acts for a tenant: no key can do more than its task.
pub(super) struct Callers {
    pub(super) tenant: &'static str,
    pub(super) enroller: Client,
    pub(super) authenticator: Client,
    pub(super) analyst: Client,
    pub(super) officer: Client,
    pub(super) auditor: Client,
    /// The capture service, which has no key of the vault's, and signs what it sees.
    pub(super) camera: Signer,
}

impl Callers {
    /// The tenant's name.
    pub(super) fn parent(&self) -> String {
        format!("tenants/{}", self.tenant)
    }

    /// The name of one of its subjects.
    pub(super) fn subject(&self, id: &str) -> String {
        format!("tenants/{}/subjects/{id}", self.tenant)
    }

    /// A face as a capture service sends it: signed, for this tenant, with what it saw.
    pub(super) fn capture(&self, embedding: Vec<f32>, kind: CaptureKind) -> Result<Capture, Failure> {
        let now = Timestamp::now();
        let model = ModelId::parse(MODEL.0, MODEL.1).map_err(|refused| Failure::failed(refused.to_string()))?;
        let quality = Quality::parse("quality", 0.9).map_err(|refused| Failure::failed(refused.to_string()))?;
        let claims = Claims {
            tenant: TenantId::parse(self.tenant).map_err(|refused| Failure::failed(refused.to_string()))?,
            audience: AUDIENCE.to_owned(),
            embedding: digest(&embedding),
            model,
            kind: match kind {
                CaptureKind::AuthenticationCapture => Kind::AuthenticationCapture,
                CaptureKind::DocumentPortrait => Kind::DocumentPortrait,
                CaptureKind::Selfie | CaptureKind::Unspecified => Kind::Selfie,
            },
            quality,
            captured_at: now,
            expires_at: Timestamp::from_millis(now.millis() + 300_000),
            nonce: Nonce::random(),
            age: Some(AgeBand::Adult),
            liveness: Some(Liveness { passed: true, level: PadLevel::Level2 }),
        };
        let signed = self.camera.sign(&claims);
        Ok(Capture {
            embedding,
            model: Some(ModelVersion { id: MODEL.0.into(), version: MODEL.1.into() }),
            kind: claims.kind.number().into(),
            quality: Some(quality.get()),
            capture_time: Some(to_timestamp(now)),
            attestation: signed.map_err(|refused| Failure::failed(format!("the attestation {refused}")))?,
        })
    }
}

fn to_timestamp(time: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.millis().rem_euclid(1000)).unwrap_or_default() * 1_000_000;
    prost_types::Timestamp { seconds: time.millis().div_euclid(1000), nanos }
}

/// Creates them.
pub(super) async fn play(story: &mut Story, cast: &Cast, house: &House) -> Result<Tenants, Failure> {
    story.step("tenants", "Two clients move in")?;
    let acme = move_in(house, "acme", cast.dimension()).await?;
    let globex = move_in(house, "globex", cast.dimension()).await?;
    let roles: Vec<_> = ROLES.iter().map(|role| role.words()).collect();
    story.say(&format!(
        "acme and globex, each with keys and a gallery of its own, and one API key a role: {}. The \
         operator can create them, and see no face of theirs.",
        roles.join(", ")
    ))?;
    story.say(
        "Each registers the public key of its capture service. From here on no face is taken that the service did not sign: \
         this very embedding, a living person, a moment ago, for one use.",
    )?;
    story.say(&format!(
        "Model {}@{}, cosines of {} values: a match from {MATCH} (false match rate about 1e-5), for a \
         person to judge from {REVIEW} (1e-4).",
        MODEL.0,
        MODEL.1,
        cast.dimension()
    ))?;
    story.fact("tenants", vec![acme.tenant, globex.tenant]);
    story.fact("match_threshold", view::score(MATCH));
    story.fact("review_threshold", view::score(REVIEW));
    story.end()?;
    Ok(Tenants { acme, globex })
}

async fn move_in(house: &House, tenant: &'static str, dimension: usize) -> Result<Callers, Failure> {
    let public = LawfulBasis::SubstantialPublicInterest;
    let purposes = [
        (Purpose::Authentication, public),
        (Purpose::DuplicateDetection, public),
        (Purpose::LegalClaims, LawfulBasis::LegalClaims),
    ]
    .map(|(purpose, basis)| PurposeBasis { purpose: purpose.into(), lawful_basis: basis.into() });
    let request = CreateTenantRequest {
        purpose: Purpose::Administration.into(),
        request_id: request_id::random()?,
        tenant_id: tenant.into(),
        tenant: Some(Tenant { purposes: purposes.into(), ..Tenant::default() }),
        administrator_login: None,
    };
    let created = house.operator.tenants().create(request).await?.into_inner();
    let key = key_of(created.credential.unwrap_or_default())?;
    let admin = house.caller(&format!("{tenant}-tenant_admin"), &key)?;

    let parent = format!("tenants/{tenant}");
    let profile = ModelProfile {
        model: Some(ModelVersion { id: MODEL.0.into(), version: MODEL.1.into() }),
        dimension: i32::try_from(dimension).unwrap_or_default(),
        thresholds: Some(Thresholds { r#match: MATCH, review: REVIEW }),
        ..ModelProfile::default()
    };
    let request = CreateModelProfileRequest {
        parent: parent.clone(),
        purpose: Purpose::Administration.into(),
        request_id: request_id::random()?,
        model_profile: Some(profile),
    };
    admin.tenants().create_model_profile(request).await?;

    let camera = Signer::generate(&format!("{tenant}-camera-1"));
    let camera = camera.map_err(|fault| Failure::failed(format!("the capture service's key {fault}")))?;
    let request = CreateSigningKeyRequest {
        parent: parent.clone(),
        purpose: Purpose::Administration.into(),
        request_id: request_id::random()?,
        signing_key: Some(SigningKey { jwk: camera.public().to_jwk(), ..SigningKey::default() }),
    };
    admin.signing_keys().create_signing_key(request).await?;
    house.keep_signer(tenant, &camera)?;

    let mut clients = Vec::new();
    for role in ROLES {
        let request = CreateCredentialRequest {
            parent: parent.clone(),
            purpose: Purpose::Administration.into(),
            request_id: request_id::random()?,
            credential: Some(Credential { roles: vec![role.into()], ..Credential::default() }),
        };
        let issued = admin.tenants().create_credential(request).await?.into_inner();
        let name = format!("{tenant}-{}", role.code().to_lowercase());
        clients.push(house.caller(&name, &key_of(issued)?)?);
    }
    let [enroller, authenticator, analyst, officer, auditor]: [Client; 5] =
        clients.try_into().map_err(|_| Failure::failed("a role is missing its key"))?;
    Ok(Callers { tenant, enroller, authenticator, analyst, officer, auditor, camera })
}

fn key_of(issued: IssuedCredential) -> Result<ApiKey, Failure> {
    let key = ApiKey::new(&issued.api_key);
    match key.expose() {
        "" => Err(Failure::failed("a new credential came without its API key")),
        _ => Ok(key),
    }
}
