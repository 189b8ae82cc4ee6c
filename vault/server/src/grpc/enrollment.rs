use std::sync::Arc;

use lethe_domain::{SubjectId, TenantId};
use lethe_policy::Authorized;
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::enrollment_service_server::EnrollmentService;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::batch::{self, Answers, Batch};
use super::call::to_the_end;
use super::{Node, convert, names, page};
use crate::enrollment::{self, Enrolment, Target};
use crate::error::{Error, Result};
use crate::vault::Vault;

#[async_trait]
impl EnrollmentService for Node {
    async fn enroll(&self, request: Request<v1::EnrollRequest>) -> Result<Response<v1::EnrollResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::Enroll>(&principal, &tenant, message.purpose).await?;
        let enrolment = Enrolment {
            subject: SubjectId::parse(&message.subject_id).map_err(Error::from)?,
            capture: convert::capture("template", message.template)?,
            request: convert::request_id(&message.request_id)?,
        };
        let vault = Arc::clone(self.vault()?);
        let enrolled = to_the_end(async move {
            let call = call;
            enroll(&vault, &call.witness, &tenant, enrolment).await
        })
        .await?;
        Ok(Response::new(enrolled))
    }

    type BatchEnrollStream = Answers;

    async fn batch_enroll(
        &self,
        request: Request<Streaming<v1::BatchEnrollRequest>>,
    ) -> Result<Response<Self::BatchEnrollStream>, Status> {
        let principal = self.principal(&request)?;
        let mut items = request.into_inner();
        // The first item says what the stream is for.
        let Some(first) = items.message().await.map_err(|status| batch::translated(&status))? else {
            return Ok(Response::new(Box::pin(futures::stream::empty())));
        };
        let tenant = names::tenant("parent", &first.parent)?;
        let place = self.admit::<op::Enroll>(&principal, &tenant, first.purpose).await?;
        let (parent, purpose) = (first.parent.clone(), first.purpose);
        let batch = Batch { node: self.clone(), principal, tenant, parent, purpose, _place: place };
        Ok(Response::new(batch.run(first, items)))
    }

    async fn replace_template(
        &self,
        request: Request<v1::ReplaceTemplateRequest>,
    ) -> Result<Response<v1::ReplaceTemplateResponse>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let (tenant, subject, template) = names::template("name", &message.name)?;
        let call = self.admit::<op::ReplaceTemplate>(&principal, &tenant, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let until = (!message.no_wait).then_some(until);
        let capture = convert::capture("template", message.template)?;
        let target = Target { subject: subject.clone(), template, request, until };
        let vault = Arc::clone(self.vault()?);
        let replaced = to_the_end(async move {
            let call = call;
            enrollment::replace_template(&vault, call.witness, target, capture).await
        })
        .await?;
        Ok(Response::new(v1::ReplaceTemplateResponse {
            template: Some(convert::to_template(&tenant, &subject, &replaced.facts, replaced.dimension)),
            erasure: Some(convert::to_erasure(&tenant, replaced.erasure)),
            sequence: convert::sequence(replaced.sequence),
        }))
    }

    async fn delete_template(
        &self,
        request: Request<v1::DeleteTemplateRequest>,
    ) -> Result<Response<v1::Erasure>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let (tenant, subject, template) = names::template("name", &message.name)?;
        let call = self.admit::<op::DeleteTemplate>(&principal, &tenant, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let until = (!message.no_wait).then_some(until);
        let target = Target { subject, template, request, until };
        let vault = Arc::clone(self.vault()?);
        let erasure = to_the_end(async move {
            let call = call;
            enrollment::delete_template(&vault, call.witness, target).await
        })
        .await?;
        Ok(Response::new(convert::to_erasure(&tenant, erasure)))
    }

    async fn list_templates(
        &self,
        request: Request<v1::ListTemplatesRequest>,
    ) -> Result<Response<v1::ListTemplatesResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("parent", &message.parent)?;
        let call = self.admit::<op::ListTemplates>(&principal, &tenant, message.purpose).await?;
        let pages = self.pages(&call, &message.parent)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let page = enrollment::list_templates(self.vault()?, call.witness, &subject, from, size).await?;
        let template = |(facts, dimension)| convert::to_template(&tenant, &subject, facts, dimension);
        Ok(Response::new(v1::ListTemplatesResponse {
            templates: page.items.iter().map(|(facts, dimension)| template((facts, *dimension))).collect(),
            next_page_token: pages.token(page.next),
        }))
    }
}

pub(super) async fn enroll(
    vault: &Vault,
    witness: &Authorized<op::Enroll>,
    tenant: &TenantId,
    enrolment: Enrolment,
) -> Result<v1::EnrollResponse> {
    let subject = enrolment.subject.clone();
    let enrolled = enrollment::enroll(vault, witness, enrolment).await?;
    Ok(v1::EnrollResponse {
        template: Some(convert::to_template(tenant, &subject, &enrolled.facts, enrolled.dimension)),
        sequence: convert::sequence(enrolled.sequence),
    })
}
