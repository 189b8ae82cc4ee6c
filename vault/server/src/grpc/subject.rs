use std::sync::Arc;

use age::x25519::Recipient;
use lethe_domain::{
    AgeBand, Dossier, Invalid, Jurisdiction, Label, Purpose, Reason, RestrictionGround, RightsRequestId, Role, Roles,
    SubjectState, TenantId,
};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::subject_service_server::SubjectService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::export::{Pieces, Reader};
use super::{Node, names};
use crate::error::{Error, Result};
use crate::subject::{self, Recorded};

#[async_trait]
impl SubjectService for Node {
    type ExportStream = Pieces;

    async fn get(&self, request: Request<v1::GetSubjectRequest>) -> Result<Response<v1::Subject>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::GetSubject>(&principal, &tenant, message.purpose).await?;
        let roles = call.witness.roles();
        let facts = subject::get(self.vault()?, call.witness, &id).await?;
        let counts = facts.templates.iter().map(|(model, count)| v1::TemplateCount {
            model: Some(convert::to_model(model)),
            count: i32::try_from(*count).unwrap_or(i32::MAX),
        });
        Ok(Response::new(v1::Subject {
            create_time: Some(to_timestamp(facts.created_at)),
            template_counts: counts.collect(),
            ..to_subject(message.name, &facts.dossier, roles)
        }))
    }

    async fn update(&self, request: Request<v1::UpdateSubjectRequest>) -> Result<Response<v1::Subject>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let missing = || Error::from(Invalid::new("subject", Reason::FieldMissing, "is missing"));
        let wanted = message.subject.ok_or_else(missing)?;
        let (tenant, id) = names::subject("subject.name", &wanted.name)?;
        let call = self.admit::<op::UpdateSubject>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let (jurisdiction, age) = changes(&wanted, message.update_mask.as_ref())?;
        let (vault, roles) = (Arc::clone(self.vault()?), call.witness.roles());
        let recorded = to_the_end(async move {
            let call = call;
            subject::update(&vault, call.witness, &id, jurisdiction, age).await
        })
        .await?;
        Ok(Response::new(to_recorded(&tenant, wanted.name, &recorded, roles)))
    }

    async fn restrict(&self, request: Request<v1::RestrictSubjectRequest>) -> Result<Response<v1::Subject>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::RestrictSubject>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let ground = u8::try_from(message.ground).ok().and_then(RestrictionGround::from_number);
        let refuse = || Error::from(Invalid::new("ground", Reason::FieldOutOfRange, "must be a ground"));
        let ground = ground.ok_or_else(refuse)?;
        let (vault, roles) = (Arc::clone(self.vault()?), call.witness.roles());
        let recorded = to_the_end(async move {
            let call = call;
            subject::restrict(&vault, call.witness, &id, ground).await
        })
        .await?;
        Ok(Response::new(to_recorded(&tenant, message.name, &recorded, roles)))
    }

    async fn lift_restriction(
        &self,
        request: Request<v1::LiftRestrictionRequest>,
    ) -> Result<Response<v1::Subject>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::LiftRestriction>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let (vault, roles) = (Arc::clone(self.vault()?), call.witness.roles());
        let recorded = to_the_end(async move {
            let call = call;
            subject::lift_restriction(&vault, call.witness, &id).await
        })
        .await?;
        Ok(Response::new(to_recorded(&tenant, message.name, &recorded, roles)))
    }

    async fn object(&self, request: Request<v1::ObjectSubjectRequest>) -> Result<Response<v1::Subject>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::ObjectSubject>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let purpose = biometric(message.for_purpose)?;
        let (vault, roles) = (Arc::clone(self.vault()?), call.witness.roles());
        let recorded = to_the_end(async move {
            let call = call;
            subject::object(&vault, call.witness, &id, purpose).await
        })
        .await?;
        Ok(Response::new(to_recorded(&tenant, message.name, &recorded, roles)))
    }

    async fn lift_objection(
        &self,
        request: Request<v1::LiftObjectionRequest>,
    ) -> Result<Response<v1::Subject>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::LiftObjection>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let purpose = biometric(message.for_purpose)?;
        let grounds = match message.overruling_grounds.as_str() {
            "" => None,
            grounds => Some(Label::parse("overruling_grounds", grounds).map_err(Error::from)?),
        };
        let (vault, roles) = (Arc::clone(self.vault()?), call.witness.roles());
        let recorded = to_the_end(async move {
            let call = call;
            subject::lift_objection(&vault, call.witness, &id, purpose, grounds).await
        })
        .await?;
        Ok(Response::new(to_recorded(&tenant, message.name, &recorded, roles)))
    }

    async fn erase(&self, request: Request<v1::EraseSubjectRequest>) -> Result<Response<v1::Erasure>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::EraseSubject>(&principal, &tenant, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let fulfils = fulfilled(&tenant, &message.fulfils_request)?;
        let until = (!message.no_wait).then_some(until);
        let vault = Arc::clone(self.vault()?);
        let erasure = to_the_end(async move {
            let call = call;
            subject::erase(&vault, call.witness, &id, request, fulfils, until).await
        })
        .await?;
        Ok(Response::new(convert::to_erasure(&tenant, erasure)))
    }

    async fn export(&self, request: Request<v1::ExportSubjectRequest>) -> Result<Response<Self::ExportStream>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::ExportSubject>(&principal, &tenant, message.purpose).await?;
        let recipient = recipient(&message.recipient)?;
        let vault = Arc::clone(self.vault()?);
        let export = subject::export::prepare(&vault, &call.witness, &id).await?;
        let purpose = convert::purpose(message.purpose);
        let reader = Reader { vault, principal, tenant, purpose, idle: self.deadline, call };
        Ok(Response::new(reader.send(export, recipient)?))
    }
}

/// Whom an archive is sealed to.
fn recipient(text: &str) -> Result<Recipient> {
    let refuse = |reason, what: &str| Error::from(Invalid::new("recipient", reason, what.to_owned()));
    if text.is_empty() {
        return Err(refuse(Reason::FieldMissing, "is empty"));
    }
    text.parse().map_err(|_| refuse(Reason::FieldOutOfRange, "is no X25519 recipient of age, as age1…"))
}

/// The request that an erasure fulfils, if it names one: of the same tenant.
fn fulfilled(tenant: &TenantId, name: &str) -> Result<Option<RightsRequestId>> {
    if name.is_empty() {
        return Ok(None);
    }
    let (of, request) = names::request("fulfils_request", name)?;
    let refuse = || Invalid::new("fulfils_request", Reason::FieldOutOfRange, "must be a request of the tenant");
    if of == *tenant { Ok(Some(request)) } else { Err(refuse().into()) }
}

fn biometric(purpose: i32) -> Result<Purpose> {
    let purpose = convert::purpose(purpose).filter(|purpose| purpose.is_biometric());
    let refuse = || Invalid::new("for_purpose", Reason::FieldOutOfRange, "must be a biometric purpose");
    Ok(purpose.ok_or_else(refuse)?)
}

/// What an update changes: `None` leaves as it is, and a jurisdiction may be taken back.
type Changes = (Option<Option<Jurisdiction>>, Option<AgeBand>);

fn changes(wanted: &v1::Subject, mask: Option<&prost_types::FieldMask>) -> Result<Changes> {
    let refuse = |field: &str, what: &str| Invalid::new(field, Reason::FieldOutOfRange, what.to_owned());
    let jurisdiction = match wanted.jurisdiction {
        0 => None,
        number => {
            let known = u8::try_from(number).ok().and_then(Jurisdiction::from_number);
            Some(known.ok_or_else(|| refuse("subject.jurisdiction", "must be a jurisdiction"))?)
        }
    };
    let age = u8::try_from(wanted.age_band).ok().and_then(AgeBand::from_number);
    let age = age.ok_or_else(|| refuse("subject.age_band", "must be an age band"))?;
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else {
        return Ok((jurisdiction.map(Some), Some(age).filter(|age| *age != AgeBand::Unknown)));
    };
    let mut changes: Changes = (None, None);
    for path in &mask.paths {
        match path.as_str() {
            "jurisdiction" => changes.0 = Some(jurisdiction),
            "age_band" => changes.1 = Some(age),
            _ => return Err(refuse("update_mask", "only jurisdiction and age_band can be changed").into()),
        }
    }
    Ok(changes)
}

/// What was recorded of a subject, and what came of it.
fn to_recorded(tenant: &TenantId, name: String, recorded: &Recorded, roles: Roles) -> v1::Subject {
    let receipt = recorded.erased.map(|receipt| convert::to_receipt_name(tenant, receipt));
    v1::Subject { erasure_receipt: receipt.unwrap_or_default(), ..to_subject(name, &recorded.dossier, roles) }
}

/// What is known of a subject beside templates, as far as the caller is told.
fn to_subject(name: String, dossier: &Dossier, roles: Roles) -> v1::Subject {
    let told = roles.has(Role::PrivacyOfficer);
    let state = match dossier.state() {
        SubjectState::Active => v1::SubjectState::Active,
        SubjectState::Restricted => v1::SubjectState::Restricted,
        SubjectState::Held => v1::SubjectState::Held,
    };
    let restriction = dossier.restriction.filter(|_| told).map(|restriction| v1::Restriction {
        ground: restriction.ground.number().into(),
        since_time: Some(to_timestamp(restriction.since)),
    });
    let objections = dossier.objections.iter().filter(|_| told).map(|objection| v1::Objection {
        for_purpose: objection.purpose.number().into(),
        since_time: Some(to_timestamp(objection.since)),
        overruling_grounds: objection.overruled.as_ref().map(ToString::to_string).unwrap_or_default(),
    });
    let holds = if told { dossier.holds.len() } else { 0 };
    v1::Subject {
        name,
        state: state.into(),
        create_time: None,
        template_counts: Vec::new(),
        jurisdiction: dossier.jurisdiction.map_or(0, |jurisdiction| jurisdiction.number().into()),
        age_band: dossier.age.number().into(),
        restriction,
        objections: objections.collect(),
        hold_count: i32::try_from(holds).unwrap_or(i32::MAX),
        erasure_receipt: String::new(),
    }
}
