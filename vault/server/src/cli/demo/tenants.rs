//! Two clients of the vault: each with keys of its own, and a credential for each task.

use std::time::SystemTime;

use lethe_proto::v1::{
    Capture, CaptureKind, CreateCredentialRequest, CreateModelProfileRequest, CreateTenantRequest, Credential,
    IssuedCredential, LawfulBasis, ModelProfile, ModelVersion, Purpose, PurposeBasis, Role, Tenant, Thresholds,
};
use prost_types::Timestamp;

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
}

/// A face as a capture service would send it.
pub(super) fn capture(embedding: Vec<f32>, kind: CaptureKind) -> Capture {
    Capture {
        embedding,
        model: Some(ModelVersion { id: MODEL.0.into(), version: MODEL.1.into() }),
        kind: kind.into(),
        quality: Some(0.9),
        capture_time: Some(Timestamp::from(SystemTime::now())),
    }
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
    Ok(Callers { tenant, enroller, authenticator, analyst, officer, auditor })
}

fn key_of(issued: IssuedCredential) -> Result<ApiKey, Failure> {
    let key = ApiKey::new(&issued.api_key);
    match key.expose() {
        "" => Err(Failure::failed("a new credential came without its API key")),
        _ => Ok(key),
    }
}
