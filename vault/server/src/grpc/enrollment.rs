use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use lethe_domain::{Invalid, Reason, SubjectId, TenantId};
use lethe_policy::operation as op;
use lethe_policy::{Authorized, Principal};
use lethe_proto::v1;
use lethe_proto::v1::enrollment_service_server::EnrollmentService;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};
use tonic_types::StatusExt;

use super::call::{Admitted, to_the_end};
use super::{Node, convert, edge, names, page};
use crate::enrollment::{self, Enrolment, Target};
use crate::error::{Error, Result};
use crate::vault::{Aim, Vault};

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

    type BatchEnrollStream = Pin<Box<dyn Stream<Item = Result<v1::BatchEnrollResponse, Status>> + Send>>;

    async fn batch_enroll(
        &self,
        request: Request<Streaming<v1::BatchEnrollRequest>>,
    ) -> Result<Response<Self::BatchEnrollStream>, Status> {
        let principal = self.principal(&request)?;
        let mut items = request.into_inner();
        let (sender, receiver) = tokio::sync::mpsc::channel(self.batch_in_flight);
        let node = self.clone();
        // The first item says what the stream is for; the others must say the same.
        let Some(first) = items.message().await.map_err(|status| translated(&status))? else {
            return Ok(Response::new(Box::pin(ReceiverStream::new(receiver))));
        };
        let tenant = names::tenant("parent", &first.parent)?;
        let call: Admitted<op::Enroll> = self.admit(&principal, &tenant, first.purpose).await?;
        let (parent, purpose) = (first.parent.clone(), first.purpose);
        let batch = Arc::new(Batch { principal, tenant, parent, purpose, _place: call });
        tokio::spawn(async move {
            let in_flight = node.batch_in_flight;
            let stream = futures::stream::iter([Ok(first)]).chain(items);
            let mut results = stream
                .map(|item| {
                    let (node, batch) = (node.clone(), Arc::clone(&batch));
                    async move {
                        match item {
                            // A task of its own, so that the items of a stream use all cores.
                            Ok(item) => tokio::spawn(async move { Ok(batch.enroll(&node, item).await) })
                                .await
                                .unwrap_or_else(|_| Err(Error::TaskLost.into())),
                            Err(status) => Err(translated(&status)),
                        }
                    }
                })
                .buffer_unordered(in_flight);
            while let Some(result) = results.next().await {
                let broken = result.is_err();
                if sender.send(result).await.is_err() || broken {
                    break;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn replace_template(
        &self,
        request: Request<v1::ReplaceTemplateRequest>,
    ) -> Result<Response<v1::ReplaceTemplateResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject, template) = names::template("name", &message.name)?;
        let call = self.admit::<op::ReplaceTemplate>(&principal, &tenant, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let wait = (!message.no_wait).then_some(self.erasure_wait);
        let capture = convert::capture("template", message.template)?;
        let target = Target { subject: subject.clone(), template, request, wait };
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
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject, template) = names::template("name", &message.name)?;
        let call = self.admit::<op::DeleteTemplate>(&principal, &tenant, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let wait = (!message.no_wait).then_some(self.erasure_wait);
        let target = Target { subject, template, request, wait };
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

/// The longest name a client may give an item, in bytes.
const LONGEST_ITEM_ID: usize = 64;

/// What the items of a stream share.
struct Batch {
    principal: Principal,
    tenant: TenantId,
    parent: String,
    purpose: i32,
    /// The stream holds one of its tenant's places as long as it lasts.
    _place: Admitted<op::Enroll>,
}

impl Batch {
    async fn enroll(&self, node: &Node, item: v1::BatchEnrollRequest) -> v1::BatchEnrollResponse {
        let item_id = item.item_id.clone();
        let result = match self.try_enroll(node, item).await {
            Ok(enrolled) => v1::batch_enroll_response::Result::Enrolled(enrolled),
            Err(status) => v1::batch_enroll_response::Result::Error(to_item_error(&status)),
        };
        v1::BatchEnrollResponse { item_id, result: Some(result) }
    }

    async fn try_enroll(&self, node: &Node, item: v1::BatchEnrollRequest) -> Result<v1::EnrollResponse, Status> {
        if item.item_id.len() > LONGEST_ITEM_ID {
            let message = format!("is longer than {LONGEST_ITEM_ID} bytes");
            return Err(Error::from(Invalid::new("item_id", Reason::FieldOutOfRange, message)).into());
        }
        self.same("parent", item.parent == self.parent)?;
        self.same("purpose", item.purpose == self.purpose)?;
        let enrolment = Enrolment {
            subject: SubjectId::parse(&item.subject_id).map_err(Error::from)?,
            capture: convert::capture("template", item.template)?,
            request: convert::request_id(&item.request_id)?,
        };
        // Each item passes the gate: a credential may be revoked, or expire, while a stream lasts.
        let vault = node.vault()?;
        let principal = vault.still(&self.principal)?;
        let purpose = convert::purpose(self.purpose);
        let witness = vault.admit::<op::Enroll>(&principal, Aim::Tenant(&self.tenant), purpose).await?;
        Ok(enroll(vault, &witness, &self.tenant, enrolment).await?)
    }

    fn same(&self, field: &str, same: bool) -> Result<()> {
        let refusal = || Invalid::new(field, Reason::FieldOutOfRange, "must be the same in all items of a stream");
        if same { Ok(()) } else { Err(refusal().into()) }
    }
}

async fn enroll(
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

fn translated(status: &Status) -> Status {
    edge::translate(status).unwrap_or_else(|| status.clone())
}

fn to_item_error(status: &Status) -> v1::ItemError {
    let info = status.get_error_details().error_info().cloned();
    let reason = info.as_ref().and_then(|info| v1::ErrorReason::from_code(&info.reason));
    v1::ItemError {
        code: status.code().into(),
        message: status.message().to_owned(),
        reason: reason.unwrap_or_default().into(),
        metadata: info.map(|info| info.metadata).unwrap_or_default().into_iter().collect(),
    }
}
