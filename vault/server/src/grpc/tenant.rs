use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt as _};

use lethe_domain::{
    Country, Environment, Invalid, Jurisdiction, ModelProfile, Period, ProposalId, Reason, Region, RequestId,
    Retention, Sketching, TenantId, TenantPolicy, Thresholds,
};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::tenant_service_server::TenantService;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

use super::approval::to_proposal;
use super::attestation;
use super::automation;
use super::call::{Admitted, to_the_end};
use super::convert::{self, to_timestamp};
use super::credential::{login, to_issued};
use super::transfer::transfer;
use super::{Node, names, page};
use crate::error::{Error, Result};
use crate::export::Recipient;
use crate::tenant::{self, Handover, ProfileFacts, TenantFacts, Wished};

#[async_trait]
impl TenantService for Node {
    async fn create(
        &self,
        request: Request<v1::CreateTenantRequest>,
    ) -> Result<Response<v1::CreateTenantResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let call = self.admit_to_vault::<op::CreateTenant>(&principal, message.purpose).await?;
        let id = TenantId::parse(&message.tenant_id).map_err(Error::from)?;
        let missing = || Error::from(Invalid::new("tenant", Reason::FieldMissing, "is missing"));
        let policy = policy(&message.tenant.ok_or_else(missing)?)?;
        let login = login("administrator_login", message.administrator_login)?;
        let request = convert::required_request_id(&message.request_id)?;
        let (vault, new) = (Arc::clone(self.vault()?), id.clone());
        let created = to_the_end(async move {
            let call = call;
            tenant::create(&vault, call.witness, new, policy, login, Some(request)).await
        })
        .await?;
        Ok(Response::new(v1::CreateTenantResponse {
            tenant: Some(to_tenant(&created.tenant)),
            credential: Some(to_issued(&format!("tenants/{id}"), created.administrator)),
        }))
    }

    async fn get(&self, request: Request<v1::GetTenantRequest>) -> Result<Response<v1::Tenant>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let id = names::tenant("name", &message.name)?;
        let call = self.admit::<op::GetTenant>(&principal, &id, message.purpose).await?;
        let facts = tenant::get(self.vault()?, call.witness).await?;
        Ok(Response::new(to_tenant(&facts)))
    }

    async fn update_policy(&self, request: Request<v1::UpdatePolicyRequest>) -> Result<Response<v1::Tenant>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let missing = |field| Error::from(Invalid::new(field, Reason::FieldMissing, "is missing"));
        let tenant = message.tenant.ok_or_else(|| missing("tenant"))?;
        let id = names::tenant("tenant.name", &tenant.name)?;
        let call = self.admit::<op::UpdateTenantPolicy>(&principal, &id, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let mask = message.update_mask.filter(|mask| !mask.paths.is_empty()).ok_or_else(|| missing("update_mask"))?;
        let policy = policy(&tenant)?;
        let mut wished = Wished::default();
        for path in &mask.paths {
            match path.as_str() {
                "purposes" => wished.purposes = Some(policy.purposes.clone()),
                "attestation" => wished.attestation = Some(policy.attestation.clone()),
                "automation" => wished.automation = Some(policy.automation.clone()),
                "jurisdiction" => wished.jurisdiction = Some(policy.jurisdiction),
                "minors_consent_alone_from_16" => wished.alone_from_16 = Some(policy.alone_from_16),
                "country" => wished.country = Some(policy.country),
                "age_required" => wished.age_required = Some(policy.age_required),
                "retention.keep" => wished.keep = Some(policy.retention.keep),
                "retention.after_end" => wished.after_end = Some(policy.retention.after_end),
                "retention.minimum" => wished.minimum = Some(policy.retention.minimum),
                "retention.limitation" => wished.limitation = Some(policy.retention.limitation),
                "retention.vendor_purposes" => wished.vendor_purposes = Some(policy.retention.vendor_purposes),
                _ => {
                    let message = "only purposes, automation, attestation, jurisdiction, country, what is asked of minors and the parts of retention can be changed";
                    let refused = Invalid::new("update_mask", Reason::FieldOutOfRange, message);
                    return Err(Error::from(refused).into());
                }
            }
        }
        let vault = Arc::clone(self.vault()?);
        let facts = to_the_end(async move {
            let call = call;
            tenant::update_policy(&vault, call.witness, wished).await
        })
        .await?;
        Ok(Response::new(to_tenant(&facts)))
    }

    async fn create_credential(
        &self,
        request: Request<v1::CreateCredentialRequest>,
    ) -> Result<Response<v1::IssuedCredential>, Status> {
        self.make_credential(request).await.map(Response::new)
    }

    async fn list_credentials(
        &self,
        request: Request<v1::ListCredentialsRequest>,
    ) -> Result<Response<v1::ListCredentialsResponse>, Status> {
        self.page_of_credentials(request).await.map(Response::new)
    }

    async fn revoke_credential(
        &self,
        request: Request<v1::RevokeCredentialRequest>,
    ) -> Result<Response<v1::Credential>, Status> {
        self.end_credential(request).await.map(Response::new)
    }

    async fn create_model_profile(
        &self,
        request: Request<v1::CreateModelProfileRequest>,
    ) -> Result<Response<v1::ModelProfile>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let id = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::CreateModelProfile>(&principal, &id, message.purpose).await?;
        let profile = profile(message.model_profile)?;
        let request = convert::request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let facts = to_the_end(async move {
            let call = call;
            tenant::create_profile(&vault, call.witness, profile, request).await
        })
        .await?;
        Ok(Response::new(to_profile(&id, &facts)))
    }

    async fn get_model_profile(
        &self,
        request: Request<v1::GetModelProfileRequest>,
    ) -> Result<Response<v1::ModelProfile>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (id, model) = names::profile("name", &message.name)?;
        let call = self.admit::<op::GetModelProfile>(&principal, &id, message.purpose).await?;
        let facts = tenant::get_profile(self.vault()?, call.witness, &model).await?;
        Ok(Response::new(to_profile(&id, &facts)))
    }

    async fn list_model_profiles(
        &self,
        request: Request<v1::ListModelProfilesRequest>,
    ) -> Result<Response<v1::ListModelProfilesResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let id = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::ListModelProfiles>(&principal, &id, message.purpose).await?;
        let pages = self.pages(&call, &message.parent)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let (page, next) = tenant::list_profiles(self.vault()?, call.witness, from, size).await?;
        Ok(Response::new(v1::ListModelProfilesResponse {
            model_profiles: page.iter().map(|facts| to_profile(&id, facts)).collect(),
            next_page_token: pages.token(next),
        }))
    }

    async fn update_model_profile(
        &self,
        request: Request<v1::UpdateModelProfileRequest>,
    ) -> Result<Response<v1::ModelProfile>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let wanted = message.model_profile.unwrap_or_default();
        let (id, model) = names::profile("model_profile.name", &wanted.name)?;
        let call = self.admit::<op::UpdateModelProfile>(&principal, &id, message.purpose).await?;
        let request: Option<RequestId> = convert::request_id(&message.request_id)?;
        let (thresholds, miss) = amendments(&wanted, message.update_mask)?;
        let vault = Arc::clone(self.vault()?);
        let facts = to_the_end(async move {
            let call = call;
            tenant::update_profile(&vault, call.witness, &model, thresholds, miss, request).await
        })
        .await?;
        Ok(Response::new(to_profile(&id, &facts)))
    }

    async fn offboard(&self, request: Request<v1::OffboardTenantRequest>) -> Result<Response<v1::Proposal>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let id = names::tenant("name", &message.name)?;
        let call = self.admit::<op::OffboardTenant>(&principal, &id, message.purpose).await?;
        let handover = handover(message.handover, message.transfer)?;
        let request = convert::required_request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let facts = to_the_end(async move {
            let call = call;
            tenant::offboard(&vault, call.witness, handover, request).await
        })
        .await?;
        Ok(Response::new(to_proposal(Some(&id), &facts)))
    }

    type ExportSiloStream = Pin<Box<dyn Stream<Item = Result<v1::ExportSiloResponse, Status>> + Send>>;

    async fn export_silo(
        &self,
        request: Request<v1::ExportSiloRequest>,
    ) -> Result<Response<Self::ExportSiloStream>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::tenants_proposal("name", &message.name)?;
        let Admitted { witness, place } = self.admit::<op::ExportSilo>(&principal, &tenant, message.purpose).await?;
        let vault = Arc::clone(self.vault()?);
        // It is at work as long as it lasts.
        let taker = (principal, convert::purpose(message.purpose));
        let pieces = tenant::hand_over(vault, witness, taker, id, place).await?;
        let answers = ReceiverStream::new(pieces)
            .map(|piece| piece.map(|piece| v1::ExportSiloResponse { piece }).map_err(Status::from));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn confirm_handover(
        &self,
        request: Request<v1::ConfirmHandoverRequest>,
    ) -> Result<Response<v1::Proposal>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::tenants_proposal("name", &message.name)?;
        let call = self.admit::<op::ConfirmHandover>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let sha256 = convert::sha256("archive_sha256", &message.archive_sha256)?;
        let vault = Arc::clone(self.vault()?);
        let facts = to_the_end(async move {
            let call = call;
            tenant::confirm(&vault, call.witness, id, sha256).await
        })
        .await?;
        Ok(Response::new(to_proposal(Some(&tenant), &facts)))
    }

    async fn shred(&self, request: Request<v1::ShredTenantRequest>) -> Result<Response<v1::Erasure>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let id = names::tenant("name", &message.name)?;
        let call = self.admit_to_vault::<op::ShredTenant>(&principal, message.purpose).await?;
        let proposal = proposal(&id, &message.proposal)?;
        let request = convert::required_request_id(&message.request_id)?;
        let until = (!message.no_wait).then_some(until);
        let vault = Arc::clone(self.vault()?);
        let erasure = to_the_end(async move {
            let call = call;
            tenant::shred(&vault, call.witness, &id, proposal, request, until).await
        })
        .await?;
        let (receipt, state) = (convert::to_vault_receipt(&erasure), convert::to_erasure_state(erasure.state));
        Ok(Response::new(v1::Erasure { receipt, state, erase_time: None }))
    }

    async fn rotate_keys(&self, request: Request<v1::RotateKeysRequest>) -> Result<Response<v1::KeyRotation>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let tenant = names::tenant_or_vault("name", &message.name)?;
        let call = self.admit_to_vault::<op::RotateKeys>(&principal, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let until = (!message.no_wait).then_some(until);
        let vault = Arc::clone(self.vault()?);
        let rotation = to_the_end(async move {
            let call = call;
            tenant::rotate(&vault, call.witness, tenant.as_ref(), request, until).await
        })
        .await?;
        let (receipt, state) = (convert::to_vault_receipt(&rotation), convert::to_erasure_state(rotation.state));
        Ok(Response::new(v1::KeyRotation { receipt, state }))
    }
}

/// What becomes of a tenant's data.
fn handover(message: Option<v1::offboard_tenant_request::Handover>, to: Option<v1::Transfer>) -> Result<Handover> {
    use v1::offboard_tenant_request::Handover::{ArchiveRecipient, WaiveHandover};
    match message {
        Some(ArchiveRecipient(recipient)) => Ok(Handover::To(Recipient::parse(&recipient)?, transfer("transfer", to)?)),
        Some(WaiveHandover(true)) if to.is_some() => {
            let message = "is there although handing over is waived: nothing goes anywhere";
            Err(Invalid::new("transfer", Reason::FieldOutOfRange, message).into())
        }
        Some(WaiveHandover(true)) => Ok(Handover::Waived),
        Some(WaiveHandover(false)) | None => {
            let message = "is missing; name a recipient, or waive the handing over";
            Err(Invalid::new("archive_recipient", Reason::FieldMissing, message).into())
        }
    }
}

/// The proposal by which a tenant is shredded; it must be the tenant's.
fn proposal(tenant: &TenantId, name: &str) -> Result<Option<ProposalId>> {
    if name.is_empty() {
        return Ok(None);
    }
    let (of, id) = names::tenants_proposal("proposal", name)?;
    if of == *tenant {
        return Ok(Some(id));
    }
    Err(Invalid::new("proposal", Reason::FieldOutOfRange, "is another tenant's").into())
}

fn profile(message: Option<v1::ModelProfile>) -> Result<ModelProfile> {
    const FIELD: &str = "model_profile";
    let missing = |field: &str| Invalid::new(field, Reason::FieldMissing, "is missing");
    let message = message.ok_or_else(|| missing(FIELD))?;
    let model = convert::model("model_profile.model", message.model)?;
    let thresholds = message.thresholds.ok_or_else(|| missing("model_profile.thresholds"))?;
    let thresholds = Thresholds::new(thresholds.r#match, thresholds.review).map_err(|refusal| refusal.within(FIELD))?;
    let centre = if message.centre.is_empty() { None } else { Some(message.centre) };
    let miss = message.miss_probability.unwrap_or(ModelProfile::DEFAULT_MISS_PROBABILITY);
    let dimension = u32::try_from(message.dimension).unwrap_or(0);
    let sketching = Sketching::new(message.sketch_bits, centre);
    let profile = sketching.and_then(|sketching| ModelProfile::new(model, dimension, sketching, thresholds, miss));
    Ok(profile.map_err(|refusal| refusal.within(FIELD))?)
}

type Amendments = ((Option<f32>, Option<f32>), Option<f64>);

/// What a field mask selects; without a mask, what the message has.
fn amendments(message: &v1::ModelProfile, mask: Option<prost_types::FieldMask>) -> Result<Amendments> {
    let thresholds = message.thresholds;
    let given = (thresholds.map(|t| t.r#match), thresholds.map(|t| t.review), message.miss_probability);
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else {
        return Ok(((given.0, given.1), given.2));
    };
    let (mut matching, mut review, mut miss) = (None, None, None);
    for path in &mask.paths {
        match path.as_str() {
            "thresholds" => (matching, review) = (given.0, given.1),
            "thresholds.match" => matching = given.0,
            "thresholds.review" => review = given.1,
            "miss_probability" => miss = Some(given.2.unwrap_or(ModelProfile::DEFAULT_MISS_PROBABILITY)),
            _ => {
                let message = "only thresholds and miss_probability can be changed";
                return Err(Invalid::new("update_mask", Reason::FieldOutOfRange, message).into());
            }
        }
    }
    Ok(((matching, review), miss))
}

/// What a tenant is to allow; its version is not the caller's to say.
fn policy(tenant: &v1::Tenant) -> Result<TenantPolicy> {
    let mut policy = TenantPolicy::of(convert::purposes("tenant.purposes", &tenant.purposes)?);
    if tenant.jurisdiction != 0 {
        let known = u8::try_from(tenant.jurisdiction).ok().and_then(Jurisdiction::from_number);
        let refuse = || Invalid::new("tenant.jurisdiction", Reason::FieldOutOfRange, "must be a jurisdiction");
        policy.jurisdiction = known.ok_or_else(refuse)?;
    }
    policy.automation = automation::read("tenant.automation", &tenant.automation)?;
    let attested = tenant.attestation.as_ref().map(|said| attestation::read("tenant.attestation", said));
    policy.attestation = attested.transpose()?;
    policy.alone_from_16 = tenant.minors_consent_alone_from_16;
    policy.age_required = tenant.age_required;
    if tenant.environment != 0 {
        let known = u8::try_from(tenant.environment).ok().and_then(Environment::from_number);
        let refuse = || Invalid::new("tenant.environment", Reason::FieldOutOfRange, "must be an environment");
        policy.environment = known.ok_or_else(refuse)?;
    }
    if !tenant.region.is_empty() {
        policy.region = Some(Region::parse("tenant.region", &tenant.region)?);
    }
    if !tenant.country.is_empty() {
        policy.country = Some(Country::parse("tenant.country", &tenant.country)?);
    }
    if let Some(said) = &tenant.retention {
        policy.retention = Retention {
            keep: period("tenant.retention.keep", &said.keep)?,
            after_end: period("tenant.retention.after_end", &said.after_end)?,
            minimum: period("tenant.retention.minimum", &said.minimum)?,
            vendor_purposes: said.vendor_purposes,
            limitation: period("tenant.retention.limitation", &said.limitation)?,
        };
    }
    Ok(policy)
}

fn period(field: &str, text: &str) -> Result<Option<Period>> {
    if text.is_empty() { Ok(None) } else { Ok(Some(Period::parse(field, text)?)) }
}

fn to_retention(retention: &Retention) -> v1::Retention {
    let text = |period: Option<Period>| period.map_or_else(String::new, |period| period.to_string());
    v1::Retention {
        keep: text(retention.keep),
        after_end: text(retention.after_end),
        minimum: text(retention.minimum),
        vendor_purposes: retention.vendor_purposes,
        limitation: text(retention.limitation),
    }
}

fn to_tenant(facts: &TenantFacts) -> v1::Tenant {
    let policy = &facts.policy;
    v1::Tenant {
        name: format!("tenants/{}", facts.id),
        purposes: convert::to_purposes(&policy.purposes),
        jurisdiction: policy.jurisdiction.number().into(),
        minors_consent_alone_from_16: policy.alone_from_16,
        age_required: policy.age_required,
        policy_version: policy.version.into(),
        create_time: Some(to_timestamp(facts.created_at)),
        memory_bytes: convert::count(facts.memory),
        environment: policy.environment.number().into(),
        region: policy.region.as_ref().map(ToString::to_string).unwrap_or_default(),
        country: policy.country.map(|country| country.to_string()).unwrap_or_default(),
        automation: policy.automation.iter().map(automation::tell).collect(),
        attestation: policy.attestation.as_ref().map(attestation::tell),
        retention: Some(to_retention(&policy.retention)).filter(|_| policy.retention != Retention::default()),
    }
}

fn to_profile(tenant: &TenantId, facts: &ProfileFacts) -> v1::ModelProfile {
    let profile = &facts.profile;
    let thresholds = profile.thresholds();
    v1::ModelProfile {
        name: format!("tenants/{tenant}/modelProfiles/{}", profile.model()),
        model: Some(convert::to_model(profile.model())),
        dimension: i32::try_from(profile.dimension()).unwrap_or(i32::MAX),
        centre: profile.sketching().centre().map(<[f32]>::to_vec).unwrap_or_default(),
        sketch_bits: Some(profile.sketching().bits().into()),
        thresholds: Some(v1::Thresholds { r#match: thresholds.matching(), review: thresholds.review() }),
        miss_probability: Some(profile.miss_probability()),
        policy_version: profile.policy_version().into(),
        create_time: Some(to_timestamp(facts.created_at)),
        update_time: Some(to_timestamp(facts.updated_at)),
    }
}
