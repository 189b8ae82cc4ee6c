use std::sync::Arc;

use age::x25519::Recipient;
use lethe_domain::{
    AgeBand, DeferralReason, Dossier, Invalid, Jurisdiction, Label, Period, PostMortem, Purpose, Reason, ReceiptId,
    RestrictionGround, Role, Roles, SubjectState, TenantId, Timestamp,
};
use lethe_policy::operation as op;
use lethe_policy::{Cause, End, Keeper};
use lethe_proto::v1;
use lethe_proto::v1::subject_service_server::SubjectService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::export::{Pieces, Reader};
use super::transfer::transfer;
use super::{Node, names, page};
use crate::error::{Error, Result};
use crate::retention;
use crate::subject::export::Other;
use crate::subject::{self, Deferment, Description, Erased, Recorded};

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
            end: Some(to_end(&tenant, facts.end, facts.keeper, facts.receipt))
                .filter(|_| roles.has(Role::PrivacyOfficer)),
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
        let said = describe(&wanted, message.update_mask.as_ref(), self.vault()?.clock.now())?;
        let (vault, roles) = (Arc::clone(self.vault()?), call.witness.roles());
        let recorded = to_the_end(async move {
            let call = call;
            subject::update(&vault, call.witness, &id, said).await
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
        let fulfils = names::request_of(&tenant, "fulfils_request", &message.fulfils_request)?;
        let deferment = message.deferral.map(deferment).transpose()?;
        if fulfils.is_some() && deferment.is_some() {
            let message = "is fulfilled by no erasure that is put off: close it when it is done";
            return Err(Error::from(Invalid::new("fulfils_request", Reason::FieldOutOfRange, message)).into());
        }
        let until = (!message.no_wait).then_some(until);
        let vault = Arc::clone(self.vault()?);
        let erased = to_the_end(async move {
            let call = call;
            match deferment {
                None => subject::erase(&vault, call.witness, &id, request, fulfils, until).await.map(Erased::Accepted),
                Some(deferment) => subject::put_off(&vault, call.witness, &id, request, deferment, until).await,
            }
        })
        .await?;
        Ok(Response::new(match erased {
            Erased::Accepted(erasure) => convert::to_erasure(&tenant, erasure),
            Erased::PutOff { receipt, until } => v1::Erasure {
                receipt: convert::to_receipt_name(&tenant, receipt),
                state: v1::ErasureState::Deferred.into(),
                erase_time: Some(to_timestamp(until)),
            },
        }))
    }

    async fn preview_erasures(
        &self,
        request: Request<v1::PreviewErasuresRequest>,
    ) -> Result<Response<v1::PreviewErasuresResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::PreviewErasures>(&principal, &tenant, message.purpose).await?;
        let until = required_time("until_time", message.until_time)?;
        let list = format!("{}/until/{}", message.parent, until.millis());
        let pages = self.pages(&call, &list)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let preview = retention::preview(self.vault()?, call.witness, until, from, size).await?;
        let endings = preview.endings.iter().map(|ending| v1::Ending {
            subject: convert::subject_name(&tenant, &ending.subject),
            end: Some(to_end(&tenant, ending.end, ending.keeper, ending.receipt)),
            template_count: i32::try_from(ending.templates).unwrap_or(i32::MAX),
        });
        Ok(Response::new(v1::PreviewErasuresResponse {
            endings: endings.collect(),
            next_page_token: pages.token(preview.next),
        }))
    }

    async fn export(&self, request: Request<v1::ExportSubjectRequest>) -> Result<Response<Self::ExportStream>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::ExportSubject>(&principal, &tenant, message.purpose).await?;
        let recipient = recipient(&message.recipient)?;
        let other = match message.transfer {
            Some(said) => Some(Other {
                transfer: transfer("transfer", Some(said)).map_err(Error::from)?,
                name: Label::parse("receiver", &message.receiver).map_err(Error::from)?,
            }),
            None if message.receiver.is_empty() => None,
            None => {
                let message = "says who receives it, and where must be said, too";
                return Err(Error::from(Invalid::new("receiver", Reason::FieldOutOfRange, message)).into());
            }
        };
        let vault = Arc::clone(self.vault()?);
        let export = subject::export::prepare(&vault, &call.witness, &id, other).await?;
        let purpose = convert::purpose(message.purpose);
        let reader = Reader { vault, principal, tenant, purpose, idle: self.deadline, call };
        Ok(Response::new(reader.send(export, recipient)?))
    }
}

fn required_time(field: &str, time: Option<prost_types::Timestamp>) -> Result<Timestamp> {
    let missing = || Invalid::new(field, Reason::FieldMissing, "is missing");
    convert::timestamp(field, time.ok_or_else(missing)?)
}

fn deferment(said: v1::Deferral) -> Result<Deferment> {
    let reason = u8::try_from(said.reason).ok().and_then(DeferralReason::from_number);
    let refuse = || Invalid::new("deferral.reason", Reason::FieldOutOfRange, "must be a reason");
    Ok(Deferment {
        reason: reason.ok_or_else(refuse)?,
        requested_at: required_time("deferral.request_time", said.request_time)?,
        until: required_time("deferral.erase_time", said.erase_time)?,
    })
}

/// Whom an archive is sealed to.
fn recipient(text: &str) -> Result<Recipient> {
    let refuse = |reason, what: &str| Error::from(Invalid::new("recipient", reason, what.to_owned()));
    if text.is_empty() {
        return Err(refuse(Reason::FieldMissing, "is empty"));
    }
    text.parse().map_err(|_| refuse(Reason::FieldOutOfRange, "is no X25519 recipient of age, as age1…"))
}

fn biometric(purpose: i32) -> Result<Purpose> {
    let purpose = convert::purpose(purpose).filter(|purpose| purpose.is_biometric());
    let refuse = || Invalid::new("for_purpose", Reason::FieldOutOfRange, "must be a biometric purpose");
    Ok(purpose.ok_or_else(refuse)?)
}

/// How far a client's clock may be ahead, in milliseconds.
const TOLERANCE: i64 = 60_000;

/// What an update records: with a mask what it names, otherwise what is set.
fn describe(wanted: &v1::Subject, mask: Option<&prost_types::FieldMask>, now: Timestamp) -> Result<Description> {
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
    let time = |field: &str, time| convert::timestamp(&format!("subject.{field}"), time);
    let purpose_ended_at = wanted.purpose_end_time.map(|at| time("purpose_end_time", at)).transpose()?;
    let contract_ended_at = wanted.contract_end_time.map(|at| time("contract_end_time", at)).transpose()?;
    let died_at = wanted.death_time.map(|at| time("death_time", at)).transpose()?;
    if died_at.is_some_and(|died| died.millis() > now.millis().saturating_add(TOLERANCE)) {
        return Err(refuse("subject.death_time", "is in the future").into());
    }
    let post_mortem = wanted.post_mortem.as_ref().map(post_mortem).transpose()?;
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else {
        return Ok(Description {
            jurisdiction: jurisdiction.map(Some),
            age: Some(age).filter(|age| *age != AgeBand::Unknown),
            purpose_ended_at: purpose_ended_at.map(Some),
            contract_ended_at: contract_ended_at.map(Some),
            post_mortem: post_mortem.map(Some),
            died_at: died_at.map(Some),
        });
    };
    let mut said = Description::default();
    for path in &mask.paths {
        match path.as_str() {
            "jurisdiction" => said.jurisdiction = Some(jurisdiction),
            "age_band" => said.age = Some(age),
            "purpose_end_time" => said.purpose_ended_at = Some(purpose_ended_at),
            "contract_end_time" => said.contract_ended_at = Some(contract_ended_at),
            "death_time" => said.died_at = Some(died_at),
            "post_mortem" => said.post_mortem = Some(post_mortem.clone()),
            _ => {
                let known = "only jurisdiction, age_band, purpose_end_time, contract_end_time, death_time and post_mortem can be \
                             changed";
                return Err(refuse("update_mask", known).into());
            }
        }
    }
    Ok(said)
}

fn post_mortem(said: &v1::PostMortem) -> Result<PostMortem> {
    use v1::post_mortem::Wish;
    let refuse = |field: &str, what: &str| Invalid::new(field, Reason::FieldOutOfRange, what.to_owned());
    Ok(match &said.wish {
        Some(Wish::Erase(true)) => PostMortem::Erase,
        Some(Wish::Erase(false)) => return Err(refuse("subject.post_mortem.erase", "must be true, or absent").into()),
        Some(Wish::Keep(period)) => PostMortem::Keep(Period::parse("subject.post_mortem.keep", period)?),
        Some(Wish::HandOver(trustee)) => PostMortem::HandOver(Label::parse("subject.post_mortem.hand_over", trustee)?),
        None => return Err(Invalid::new("subject.post_mortem.wish", Reason::FieldMissing, "is missing").into()),
    })
}

fn to_post_mortem(wish: &PostMortem) -> v1::PostMortem {
    use v1::post_mortem::Wish;
    let wish = match wish {
        PostMortem::Erase => Wish::Erase(true),
        PostMortem::Keep(period) => Wish::Keep(period.to_string()),
        PostMortem::HandOver(trustee) => Wish::HandOver(trustee.to_string()),
    };
    v1::PostMortem { wish: Some(wish) }
}

/// When data end, and what keeps them.
fn to_end(tenant: &TenantId, end: Option<End>, keeper: Option<Keeper>, receipt: ReceiptId) -> v1::DataEnd {
    let (kept_by, kept_until) = match keeper {
        None => (v1::Keeper::Unspecified, None),
        Some(Keeper::Hold) => (v1::Keeper::Hold, None),
        Some(Keeper::Restriction) => (v1::Keeper::Restriction, None),
        Some(Keeper::Statute(until)) => (v1::Keeper::Statute, until),
    };
    let cause = match end.map(|end| end.cause) {
        None => v1::EndCause::Unspecified,
        Some(Cause::Period) => v1::EndCause::Period,
        Some(Cause::Law) => v1::EndCause::Law,
        Some(Cause::Vendor) => v1::EndCause::VendorPurposes,
        Some(Cause::Improvement) => v1::EndCause::ImprovementData,
        Some(Cause::PurposeSatisfied) => v1::EndCause::PurposeSatisfied,
        Some(Cause::ContractOver) => v1::EndCause::ContractOver,
        Some(Cause::Deferred) => v1::EndCause::DeferredErasure,
        Some(Cause::Death) => v1::EndCause::Death,
        Some(Cause::MinorAlone) => v1::EndCause::MinorAlone,
        Some(Cause::Withdrawn) => v1::EndCause::Withdrawn,
    };
    v1::DataEnd {
        erase_time: end.map(|end| to_timestamp(end.at)),
        cause: cause.into(),
        keeper: kept_by.into(),
        keep_time: kept_until.map(to_timestamp),
        receipt: convert::to_receipt_name(tenant, receipt),
    }
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
        SubjectState::Deferred => v1::SubjectState::Deferred,
        SubjectState::Deceased => v1::SubjectState::Deceased,
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
        purpose_end_time: dossier.purpose_ended_at.map(to_timestamp),
        contract_end_time: dossier.contract_ended_at.map(to_timestamp),
        death_time: dossier.died_at.map(to_timestamp),
        post_mortem: dossier.post_mortem.as_ref().filter(|_| told).map(to_post_mortem),
        deferral: dossier.deferral.filter(|_| told).map(|deferral| v1::Deferral {
            reason: deferral.reason.number().into(),
            request_time: Some(to_timestamp(deferral.requested_at)),
            erase_time: Some(to_timestamp(deferral.until)),
        }),
        end: None,
    }
}
