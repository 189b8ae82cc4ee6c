use std::sync::Arc;

use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::subject_service_server::SubjectService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::{Node, convert, names};
use crate::error::Result;
use crate::subject;

#[async_trait]
impl SubjectService for Node {
    async fn get(&self, request: Request<v1::GetSubjectRequest>) -> Result<Response<v1::Subject>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::GetSubject>(&principal, &tenant, message.purpose).await?;
        let facts = subject::get(self.vault()?, call.witness, &id).await?;
        let counts = facts.templates.iter().map(|(model, count)| v1::TemplateCount {
            model: Some(convert::to_model(model)),
            count: i32::try_from(*count).unwrap_or(i32::MAX),
        });
        Ok(Response::new(v1::Subject {
            name: message.name,
            state: v1::SubjectState::Active.into(),
            create_time: Some(convert::to_timestamp(facts.created_at)),
            template_counts: counts.collect(),
        }))
    }

    async fn erase(&self, request: Request<v1::EraseSubjectRequest>) -> Result<Response<v1::Erasure>, Status> {
        let (principal, until) = (self.principal(&request)?, self.patience(&request));
        let message = request.into_inner();
        let (tenant, id) = names::subject("name", &message.name)?;
        let call = self.admit::<op::EraseSubject>(&principal, &tenant, message.purpose).await?;
        let request = convert::required_request_id(&message.request_id)?;
        let until = (!message.no_wait).then_some(until);
        let vault = Arc::clone(self.vault()?);
        let erasure = to_the_end(async move {
            let call = call;
            subject::erase(&vault, call.witness, &id, request, until).await
        })
        .await?;
        Ok(Response::new(convert::to_erasure(&tenant, erasure)))
    }
}
