use std::sync::Arc;

use lethe_domain::{
    Consent, ConsentId, ConsentState, Country, Giver, Invalid, Label, Manner, Notice, Reason, SubjectId, TenantId,
    Timestamp,
};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::consent_service_server::ConsentService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::{Node, names};
use crate::consent;
use crate::error::Result;
use crate::evidence;

#[async_trait]
impl ConsentService for Node {
    async fn record(&self, request: Request<v1::RecordConsentRequest>) -> Result<Response<v1::Consent>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("parent", &message.parent)?;
        let call = self.admit::<op::RecordConsent>(&principal, &tenant, message.purpose).await?;
        let given = parse(message.consent)?;
        let request = convert::required_request_id(&message.request_id)?;
        let (vault, whose) = (Arc::clone(self.vault()?), subject.clone());
        let recorded = to_the_end(async move {
            let call = call;
            consent::record(&vault, call.witness, &whose, given, request).await
        })
        .await?;
        Ok(Response::new(named(&tenant, &subject, &recorded)))
    }

    async fn withdraw(
        &self,
        request: Request<v1::WithdrawConsentRequest>,
    ) -> Result<Response<v1::WithdrawConsentResponse>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let (tenant, subject, id) = names::consent("name", &message.name)?;
        let call = self.admit::<op::WithdrawConsent>(&principal, &tenant, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let until = (!message.no_wait).then_some(until);
        let (vault, whose) = (Arc::clone(self.vault()?), subject.clone());
        let withdrawn = to_the_end(async move {
            let call = call;
            consent::withdraw(&vault, call.witness, &whose, id, request, until).await
        })
        .await?;
        Ok(Response::new(v1::WithdrawConsentResponse {
            consent: withdrawn.consent.map(|consent| named(&tenant, &subject, &consent)),
            erasure: withdrawn.erasure.map(|erasure| convert::to_erasure(&tenant, erasure)),
        }))
    }

    async fn list(
        &self,
        request: Request<v1::ListConsentsRequest>,
    ) -> Result<Response<v1::ListConsentsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("parent", &message.parent)?;
        let call = self.admit::<op::ListConsents>(&principal, &tenant, message.purpose).await?;
        let consents = consent::list(self.vault()?, call.witness, &subject).await?;
        let consents = consents.iter().map(|consent| named(&tenant, &subject, consent)).collect();
        Ok(Response::new(v1::ListConsentsResponse { consents }))
    }

    async fn export(
        &self,
        request: Request<v1::ExportConsentsRequest>,
    ) -> Result<Response<v1::ExportConsentsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("parent", &message.parent)?;
        let call = self.admit::<op::ExportConsents>(&principal, &tenant, message.purpose).await?;
        let records_json = consent::export(self.vault()?, call.witness, &subject).await?;
        Ok(Response::new(v1::ExportConsentsResponse { records_json }))
    }

    async fn get_evidence(
        &self,
        request: Request<v1::GetConsentEvidenceRequest>,
    ) -> Result<Response<v1::ConsentEvidence>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::evidence("name", &message.name)?;
        let call = self.admit::<op::GetEvidence>(&principal, &tenant, message.purpose).await?;
        let found = evidence::get(self.vault()?, call.witness, id).await?;
        Ok(Response::new(v1::ConsentEvidence {
            name: message.name,
            // Whose it was is not known here.
            consent: Some(to_consent(String::new(), &found.consent)),
            keep_until_time: found.keep_until.map(to_timestamp),
        }))
    }
}

fn parse(consent: Option<v1::Consent>) -> Result<Consent> {
    let missing = |field: &str| Invalid::new(field, Reason::FieldMissing, "is missing");
    let consent = consent.ok_or_else(|| missing("consent"))?;
    let out_of_range =
        |field: &'static str, what: &'static str| move || Invalid::new(field, Reason::FieldOutOfRange, what);
    let purpose = convert::purpose(consent.for_purpose);
    let sha256 = <[u8; 32]>::try_from(consent.notice_sha256);
    let manner = u8::try_from(consent.manner).ok().and_then(Manner::from_number);
    let giver = u8::try_from(consent.giver).ok().and_then(Giver::from_number);
    let given = consent.give_time.ok_or_else(|| missing("consent.give_time"))?;
    let recipients = consent.recipients.iter().map(|named| Label::parse("consent.recipients", named));
    let countries = consent.countries.iter().map(|code| Country::parse("consent.countries", code));
    let expires = consent.expire_time.map(|time| convert::timestamp("consent.expire_time", time));
    Ok(Consent {
        // It derives from the request.
        id: ConsentId::from_bytes([0; 16]),
        purpose: purpose.ok_or_else(out_of_range("consent.for_purpose", "must be a biometric purpose"))?,
        notice: Notice {
            version: Label::parse("consent.notice_version", &consent.notice_version)?,
            sha256: sha256.map_err(|_| out_of_range("consent.notice_sha256", "must have 32 bytes")())?,
        },
        manner: manner.ok_or_else(out_of_range("consent.manner", "must be a manner of giving consent"))?,
        giver: giver.ok_or_else(out_of_range("consent.giver", "must be the subject or a guardian"))?,
        recipients: recipients.collect::<Result<_, _>>()?,
        countries: countries.collect::<Result<_, _>>()?,
        given_at: convert::timestamp("consent.give_time", given)?,
        expires_at: expires.transpose()?,
        withdrawn_at: None,
    })
}

fn named(tenant: &TenantId, subject: &SubjectId, consent: &Consent) -> v1::Consent {
    to_consent(format!("{}/consents/{}", convert::subject_name(tenant, subject), consent.id), consent)
}

fn to_consent(name: String, consent: &Consent) -> v1::Consent {
    let state = match consent.state(Timestamp::now()) {
        ConsentState::Valid => v1::ConsentState::Valid,
        ConsentState::Expired => v1::ConsentState::Expired,
        ConsentState::Withdrawn => v1::ConsentState::Withdrawn,
    };
    v1::Consent {
        name,
        for_purpose: consent.purpose.number().into(),
        notice_version: consent.notice.version.to_string(),
        notice_sha256: consent.notice.sha256.to_vec(),
        manner: consent.manner.number().into(),
        giver: consent.giver.number().into(),
        recipients: consent.recipients.iter().map(ToString::to_string).collect(),
        countries: consent.countries.iter().map(ToString::to_string).collect(),
        give_time: Some(to_timestamp(consent.given_at)),
        expire_time: consent.expires_at.map(to_timestamp),
        withdraw_time: consent.withdrawn_at.map(to_timestamp),
        state: state.into(),
    }
}
