use std::collections::BTreeMap;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use lethe_proto::v1::{self, Purpose, Role};

use crate::caller::Caller;
use crate::faces::{DIMENSION, MATCH, REVIEW};
use crate::requests::{basis, exempt, model, request_id};
use crate::wire::Wire;

/// The roles that a tenant of the harness has a credential of each for.
pub const ROLES: [Role; 8] = [
    Role::Enroller,
    Role::Authenticator,
    Role::FraudAnalyst,
    Role::Reviewer,
    Role::PrivacyOfficer,
    Role::ExchangeAgent,
    Role::TenantAdmin,
    Role::Auditor,
];

/// What a tenant of the harness declares unless told otherwise.
const PURPOSES: [Purpose; 6] = [
    Purpose::Authentication,
    Purpose::DocumentCheck,
    Purpose::DuplicateDetection,
    Purpose::FraudPrevention,
    Purpose::RequesterIdentification,
    Purpose::LegalClaims,
];

/// A tenant that is about to be created: await it.
#[must_use = "a tenant is created when awaited"]
pub struct NewTenant {
    wire: Arc<Wire>,
    operator: Caller,
    id: String,
    facts: v1::Tenant,
    dimension: Option<usize>,
    thresholds: v1::Thresholds,
}

impl NewTenant {
    pub(crate) fn new(wire: Arc<Wire>, operator: Caller, id: &str) -> Self {
        let thresholds = v1::Thresholds { r#match: MATCH, review: REVIEW };
        let purposes = PURPOSES.map(basis).to_vec();
        let facts = v1::Tenant { purposes, attestation: Some(exempt()), ..v1::Tenant::default() };
        Self { wire, operator, id: id.to_owned(), facts, dimension: Some(DIMENSION), thresholds }
    }

    /// With a model `face@1` of so many dimensions; 512 unless told otherwise.
    pub fn with_model(self, dimension: usize) -> Self {
        Self { dimension: Some(dimension), ..self }
    }

    /// Without a model profile.
    pub fn without_model(self) -> Self {
        Self { dimension: None, ..self }
    }

    /// Declaring these purposes only.
    pub fn declaring(self, purposes: &[Purpose]) -> Self {
        let purposes = purposes.iter().copied().map(basis).collect();
        self.with(|facts| facts.purposes = purposes)
    }

    /// With other facts.
    pub fn with(mut self, change: impl FnOnce(&mut v1::Tenant)) -> Self {
        change(&mut self.facts);
        self
    }

    /// Resting on explicit consent for these purposes, and on what it rests on for the others.
    pub fn asking_consent_for(mut self, purposes: &[Purpose]) -> Self {
        for entry in &mut self.facts.purposes {
            if purposes.contains(&entry.purpose()) {
                entry.lawful_basis = v1::LawfulBasis::ExplicitConsent.into();
            }
        }
        self
    }

    /// Taking no capture that nobody attests.
    pub fn attested(self) -> Self {
        self.with(|facts| facts.attestation = None)
    }

    /// Under a law.
    pub fn under(self, law: v1::Jurisdiction) -> Self {
        self.with(|facts| facts.jurisdiction = law.into())
    }

    /// Judging by these thresholds.
    pub fn judging(self, matching: f32, review: f32) -> Self {
        Self { thresholds: v1::Thresholds { r#match: matching, review }, ..self }
    }

    async fn create(self) -> Tenant {
        let created = self.operator.ask(v1::CreateTenantRequest {
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            tenant_id: self.id.clone(),
            tenant: Some(self.facts),
            administrator_login: None,
        });
        let first = created.await.unwrap().credential.unwrap().api_key;
        let dimension = self.dimension.unwrap_or(DIMENSION);
        let admin = Caller::new(self.wire, Some(first), &self.id, dimension);
        let mut tenant = Tenant { id: self.id, keys: BTreeMap::new(), admin, thresholds: self.thresholds };
        for role in ROLES {
            let caller = tenant.with_roles(&[role]).await;
            tenant.keys.insert(i32::from(role), caller.key().unwrap().to_owned());
        }
        if self.dimension.is_some() {
            tenant.register(model(), dimension).await;
        }
        tenant
    }
}

impl IntoFuture for NewTenant {
    type Output = Tenant;
    type IntoFuture = Pin<Box<dyn Future<Output = Tenant> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.create())
    }
}

/// A tenant, with a credential of each role.
#[derive(Debug, Clone)]
pub struct Tenant {
    id: String,
    keys: BTreeMap<i32, String>,
    admin: Caller,
    thresholds: v1::Thresholds,
}

impl Tenant {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `tenants/{tenant}`.
    #[must_use]
    pub fn name(&self) -> String {
        self.admin.tenant_name()
    }

    /// `tenants/{tenant}/log`.
    #[must_use]
    pub fn log(&self) -> String {
        format!("{}/log", self.name())
    }

    /// Who has this role alone.
    #[must_use]
    pub fn who_is(&self, role: Role) -> Caller {
        self.with_key(Some(&self.keys[&i32::from(role)]))
    }

    /// Enrolls, replaces, deletes, lists.
    #[must_use]
    pub fn enroller(&self) -> Caller {
        self.who_is(Role::Enroller)
    }

    /// Verifies, and sees bands alone.
    #[must_use]
    pub fn authenticator(&self) -> Caller {
        self.who_is(Role::Authenticator)
    }

    /// Searches and verifies, and sees scores.
    #[must_use]
    pub fn analyst(&self) -> Caller {
        self.who_is(Role::FraudAnalyst)
    }

    /// Judges unclear results.
    #[must_use]
    pub fn reviewer(&self) -> Caller {
        self.who_is(Role::Reviewer)
    }

    /// Erases, and reads receipts.
    #[must_use]
    pub fn privacy_officer(&self) -> Caller {
        self.who_is(Role::PrivacyOfficer)
    }

    /// Manages credentials and models.
    #[must_use]
    pub fn admin(&self) -> Caller {
        self.admin.clone()
    }

    /// Reads logs, proofs and receipts.
    #[must_use]
    pub fn auditor(&self) -> Caller {
        self.who_is(Role::Auditor)
    }

    /// Somebody with this API key, or none, calling on this tenant.
    #[must_use]
    pub fn with_key(&self, key: Option<&str>) -> Caller {
        self.admin.with_key(key)
    }

    /// Somebody new with these roles.
    pub async fn with_roles(&self, roles: &[Role]) -> Caller {
        let issued = self.issue(roles, None).await;
        // Whoever is made in the millisecond of a proposal counts as made after it.
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.with_key(Some(&issued.api_key))
    }

    /// Issues a credential.
    pub async fn issue(&self, roles: &[Role], expire_time: Option<prost_types::Timestamp>) -> v1::IssuedCredential {
        let roles = roles.iter().map(|&role| role.into()).collect();
        let request = v1::CreateCredentialRequest {
            parent: self.name(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            credential: Some(v1::Credential { roles, expire_time, ..v1::Credential::default() }),
        };
        self.admin.ask(request).await.unwrap()
    }

    /// Revokes a credential, by name.
    pub async fn revoke(&self, credential: &str) -> v1::Credential {
        let request = v1::RevokeCredentialRequest {
            name: credential.to_owned(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
        };
        self.admin.ask(request).await.unwrap()
    }

    /// Registers a model version with the tenant's thresholds.
    pub async fn register(&self, model: v1::ModelVersion, dimension: usize) -> v1::ModelProfile {
        let request = v1::CreateModelProfileRequest {
            parent: self.name(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            model_profile: Some(v1::ModelProfile {
                model: Some(model),
                dimension: i32::try_from(dimension).unwrap(),
                thresholds: Some(self.thresholds),
                ..v1::ModelProfile::default()
            }),
        };
        self.admin.ask(request).await.unwrap()
    }
}
