use std::sync::Arc;

use lethe_domain::{
    ExtensionReason, Invalid, Jurisdiction, Reason, RefusalReason, RequestKind, RequestOutcome, RequestState,
    Requester, TenantId, Timestamp, Verification,
};
use lethe_policy::operation as op;
use lethe_policy::request::Statistics;
use lethe_proto::v1;
use lethe_proto::v1::request_service_server::RequestService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::{Node, names, page};
use crate::error::Result;
use crate::request::{self, Filed, Filter, Wanted};

#[async_trait]
impl RequestService for Node {
    async fn open(
        &self,
        request: Request<v1::OpenRightsRequestRequest>,
    ) -> Result<Response<v1::RightsRequest>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::OpenRequest>(&principal, &tenant, message.purpose).await?;
        let mut wanted = wanted(message.request)?;
        wanted.subject = names::subject_of(&tenant, "subject", &message.subject)?;
        let request = convert::required_request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let opened = to_the_end(async move {
            let call = call;
            request::open(&vault, call.witness, wanted, request).await
        })
        .await?;
        Ok(Response::new(to_request(&tenant, &opened)))
    }

    async fn extend(
        &self,
        request: Request<v1::ExtendRightsRequestRequest>,
    ) -> Result<Response<v1::RightsRequest>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::request("name", &message.name)?;
        let call = self.admit::<op::ExtendRequest>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let reason = required("reason", message.reason, ExtensionReason::from_number)?;
        let vault = Arc::clone(self.vault()?);
        let extended = to_the_end(async move {
            let call = call;
            request::extend(&vault, call.witness, id, reason).await
        })
        .await?;
        Ok(Response::new(to_request(&tenant, &extended)))
    }

    async fn close(
        &self,
        request: Request<v1::CloseRightsRequestRequest>,
    ) -> Result<Response<v1::RightsRequest>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::request("name", &message.name)?;
        let call = self.admit::<op::CloseRequest>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let outcome = required("outcome", message.outcome, RequestOutcome::from_number)?;
        let reason = optional("refusal_reason", message.refusal_reason, RefusalReason::from_number)?;
        let verification = optional("verification", message.verification, Verification::from_number)?;
        let vault = Arc::clone(self.vault()?);
        let closed = to_the_end(async move {
            let call = call;
            request::close(&vault, call.witness, id, outcome, reason, verification).await
        })
        .await?;
        Ok(Response::new(to_request(&tenant, &closed)))
    }

    async fn get(&self, request: Request<v1::GetRightsRequestRequest>) -> Result<Response<v1::RightsRequest>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::request("name", &message.name)?;
        let call = self.admit::<op::GetRequest>(&principal, &tenant, message.purpose).await?;
        let found = request::get(self.vault()?, call.witness, id).await?;
        Ok(Response::new(to_request(&tenant, &found)))
    }

    async fn list(
        &self,
        request: Request<v1::ListRightsRequestsRequest>,
    ) -> Result<Response<v1::ListRightsRequestsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::ListRequests>(&principal, &tenant, message.purpose).await?;
        let due = message.due_before.map(|time| convert::timestamp("due_before", time)).transpose()?;
        let filter = Filter {
            unanswered: message.unanswered,
            due_before: due,
            subject: names::subject_of(&tenant, "subject", &message.subject)?,
        };
        // A place in one list is none in another.
        let time = due.map_or(0, Timestamp::millis);
        let pages = self.pages(&call, &format!("{tenant}/{}/{time}", filter.unanswered))?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let page = request::list(self.vault()?, call.witness, filter, from, size).await?;
        Ok(Response::new(v1::ListRightsRequestsResponse {
            requests: page.requests.iter().map(|filed| to_request(&tenant, filed)).collect(),
            next_page_token: pages.token(page.next),
        }))
    }

    async fn get_statistics(
        &self,
        request: Request<v1::GetRequestStatisticsRequest>,
    ) -> Result<Response<v1::RequestStatistics>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("name", &message.name)?;
        let call = self.admit::<op::CountRequests>(&principal, &tenant, message.purpose).await?;
        let (since, counts) = request::count(self.vault()?, call.witness).await?;
        Ok(Response::new(v1::RequestStatistics {
            since_time: Some(to_timestamp(since)),
            counts: counts.iter().map(|(kind, counted)| to_count(*kind, counted)).collect(),
        }))
    }
}

fn wanted(request: Option<v1::RightsRequest>) -> Result<Wanted> {
    let missing = || Invalid::new("request", Reason::FieldMissing, "is missing");
    let request = request.ok_or_else(missing)?;
    let received = request.receive_time.map(|time| convert::timestamp("request.receive_time", time));
    Ok(Wanted {
        kind: required("request.kind", request.kind, RequestKind::from_number)?,
        requester: required("request.requester", request.requester, Requester::from_number)?,
        verification: optional("request.verification", request.verification, Verification::from_number)?,
        jurisdiction: optional("request.jurisdiction", request.jurisdiction, Jurisdiction::from_number)?,
        received_at: received.transpose()?,
        subject: None,
    })
}

pub(super) fn required<T>(field: &str, number: i32, known: impl Fn(u8) -> Option<T>) -> Result<T> {
    let missing = || Invalid::new(field, Reason::FieldMissing, "is missing");
    Ok(optional(field, number, known)?.ok_or_else(missing)?)
}

pub(super) fn optional<T>(field: &str, number: i32, known: impl Fn(u8) -> Option<T>) -> Result<Option<T>> {
    if number == 0 {
        return Ok(None);
    }
    let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "is none of the values that there are");
    Ok(Some(u8::try_from(number).ok().and_then(known).ok_or_else(refuse)?))
}

fn to_request(tenant: &TenantId, (id, request): &Filed) -> v1::RightsRequest {
    let state = match request.state() {
        RequestState::Open => v1::RightsRequestState::Open,
        RequestState::Extended => v1::RightsRequestState::Extended,
        RequestState::Closed => v1::RightsRequestState::Closed,
    };
    let (extension, closure) = (request.extension, request.closure);
    v1::RightsRequest {
        name: format!("tenants/{tenant}/requests/{id}"),
        kind: request.kind.number().into(),
        requester: request.requester.number().into(),
        verification: request.verification.map_or(0, |how| how.number().into()),
        jurisdiction: request.jurisdiction.number().into(),
        receive_time: Some(to_timestamp(request.received_at)),
        due_time: Some(to_timestamp(request.due_at)),
        state: state.into(),
        extension_reason: extension.map_or(0, |extension| extension.reason.number().into()),
        extend_time: extension.map(|extension| to_timestamp(extension.noticed_at)),
        outcome: closure.map_or(0, |closure| closure.outcome.number().into()),
        refusal_reason: closure.and_then(|closure| closure.reason).map_or(0, |reason| reason.number().into()),
        close_time: closure.map(|closure| to_timestamp(closure.closed_at)),
    }
}

fn to_count(kind: RequestKind, counted: &Statistics) -> v1::RequestCount {
    let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    v1::RequestCount {
        kind: kind.number().into(),
        received: count(counted.received),
        fulfilled: count(counted.fulfilled),
        partly: count(counted.partly),
        refused: count(counted.refused),
        unanswered: count(counted.open),
        late: count(counted.late),
        median_days: counted.median_days.unwrap_or(0.0),
    }
}
