use std::sync::Arc;

use lethe_domain::{Hold, Invalid, Label, Reason, SubjectId, TenantId};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::hold_service_server::HoldService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::{Node, names, page};
use crate::error::Error;
use crate::hold;

/// Subjects of one page: each may have several holds, and an answer has to fit into what clients take.
const MOST_SUBJECTS: usize = 200;

#[async_trait]
impl HoldService for Node {
    async fn place(&self, request: Request<v1::PlaceHoldRequest>) -> Result<Response<v1::Hold>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("parent", &message.parent)?;
        let call = self.admit::<op::PlaceHold>(&principal, &tenant, message.purpose).await?;
        let missing = |field: &str| Error::from(Invalid::new(field, Reason::FieldMissing, "is missing"));
        let wanted = message.hold.ok_or_else(|| missing("hold"))?;
        let case = Label::parse("hold.case_reference", &wanted.case_reference).map_err(Error::from)?;
        let review = wanted.review_time.ok_or_else(|| missing("hold.review_time"))?;
        let review = convert::timestamp("hold.review_time", review)?;
        let request = convert::required_request_id(&message.request_id)?;
        let (vault, whose) = (Arc::clone(self.vault()?), subject.clone());
        let placed = to_the_end(async move {
            let call = call;
            hold::place(&vault, call.witness, &whose, case, review, request).await
        })
        .await?;
        Ok(Response::new(to_hold(&tenant, &subject, &placed)))
    }

    async fn renew(&self, request: Request<v1::RenewHoldRequest>) -> Result<Response<v1::Hold>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject, id) = names::hold("name", &message.name)?;
        let call = self.admit::<op::RenewHold>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let missing = || Error::from(Invalid::new("review_time", Reason::FieldMissing, "is missing"));
        let review = convert::timestamp("review_time", message.review_time.ok_or_else(missing)?)?;
        let (vault, whose) = (Arc::clone(self.vault()?), subject.clone());
        let renewed = to_the_end(async move {
            let call = call;
            hold::renew(&vault, call.witness, &whose, id, review).await
        })
        .await?;
        Ok(Response::new(to_hold(&tenant, &subject, &renewed)))
    }

    async fn release(&self, request: Request<v1::ReleaseHoldRequest>) -> Result<Response<v1::Hold>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject, id) = names::hold("name", &message.name)?;
        let call = self.admit::<op::ReleaseHold>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let (vault, whose) = (Arc::clone(self.vault()?), subject.clone());
        let released = to_the_end(async move {
            let call = call;
            hold::release(&vault, call.witness, &whose, id).await
        })
        .await?;
        let receipt = released.erased.map(|receipt| convert::to_receipt_name(&tenant, receipt));
        let hold = to_hold(&tenant, &subject, &released.hold);
        Ok(Response::new(v1::Hold { erasure_receipt: receipt.unwrap_or_default(), ..hold }))
    }

    async fn list(&self, request: Request<v1::ListHoldsRequest>) -> Result<Response<v1::ListHoldsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::ListHolds>(&principal, &tenant, message.purpose).await?;
        let pages = self.pages(&call, &message.parent)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?.min(MOST_SUBJECTS));
        let page = hold::list(self.vault()?, call.witness, from, size).await?;
        Ok(Response::new(v1::ListHoldsResponse {
            holds: page.holds.iter().map(|(subject, hold)| to_hold(&tenant, subject, hold)).collect(),
            next_page_token: pages.token(page.next),
        }))
    }
}

fn to_hold(tenant: &TenantId, subject: &SubjectId, hold: &Hold) -> v1::Hold {
    v1::Hold {
        name: format!("{}/holds/{}", convert::subject_name(tenant, subject), hold.id),
        case_reference: hold.case.to_string(),
        review_time: Some(to_timestamp(hold.review_at)),
        place_time: Some(to_timestamp(hold.placed_at)),
        erasure_receipt: String::new(),
        renew_time: hold.reviewed_at.map(to_timestamp),
    }
}
