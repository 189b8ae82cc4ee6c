use std::sync::Arc;

use lethe_domain::{
    CaseDecision, CaseKind, CaseReason, CaseState, CaseStep, Invalid, Question, Reason, SubjectId, TenantId,
};
use lethe_policy::case::Answer;
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::case_service_server::CaseService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::request::{optional, required};
use super::{Node, names, page};
use crate::case::{self, Filed, Filter, Pair};
use crate::error::Result;

#[async_trait]
impl CaseService for Node {
    async fn create_pair(&self, request: Request<v1::CreatePairCaseRequest>) -> Result<Response<v1::Case>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("parent", &message.parent)?;
        let call = self.admit::<op::CreatePairCase>(&principal, &tenant, message.purpose).await?;
        let (of, other) = names::subject("other_subject", &message.other_subject)?;
        expect_ours("other_subject", &of, &tenant)?;
        let model = convert::model("model", message.model)?;
        let request = convert::required_request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let told = to_the_end(async move {
            let call = call;
            case::create_pair(&vault, call.witness, Pair { subject, other }, &model, request).await
        })
        .await?;
        Ok(Response::new(to_case(&tenant, &told.filed, told.scored)))
    }

    async fn create_contested(
        &self,
        request: Request<v1::CreateContestedCaseRequest>,
    ) -> Result<Response<v1::Case>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject) = names::subject("parent", &message.parent)?;
        let call = self.admit::<op::CreateContestedCase>(&principal, &tenant, message.purpose).await?;
        let contest = match message.request.as_str() {
            "" => None,
            name => {
                let (of, contest) = names::request("request", name)?;
                expect_ours("request", &of, &tenant)?;
                Some(contest)
            }
        };
        let request = convert::required_request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let told = to_the_end(async move {
            let call = call;
            case::create_contested(&vault, call.witness, &subject, contest, request).await
        })
        .await?;
        Ok(Response::new(to_case(&tenant, &told.filed, told.scored)))
    }

    async fn get(&self, request: Request<v1::GetCaseRequest>) -> Result<Response<v1::Case>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject, id) = names::case("name", &message.name)?;
        let call = self.admit::<op::GetCase>(&principal, &tenant, message.purpose).await?;
        let told = case::get(self.vault()?, call.witness, &subject, id).await?;
        Ok(Response::new(to_case(&tenant, &told.filed, told.scored)))
    }

    async fn list(&self, request: Request<v1::ListCasesRequest>) -> Result<Response<v1::ListCasesResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::ListCases>(&principal, &tenant, message.purpose).await?;
        let filter = Filter {
            state: optional("state", message.state, CaseState::from_number)?,
            kind: optional("kind", message.kind, CaseKind::from_number)?,
        };
        // A place in one list is none in another.
        let pages = self.pages(&call, &format!("{tenant}/{}/{}", message.state, message.kind))?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let page = case::list(self.vault()?, call.witness, filter, from, size).await?;
        Ok(Response::new(v1::ListCasesResponse {
            cases: page.cases.iter().map(|filed| to_case(&tenant, filed, page.scored)).collect(),
            next_page_token: pages.token(page.next),
        }))
    }

    async fn decide(&self, request: Request<v1::DecideCaseRequest>) -> Result<Response<v1::Case>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject, id) = names::case("name", &message.name)?;
        let call = self.admit::<op::DecideCase>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let (answer, reason) = (answer(message.step)?, reason(message.reason)?);
        let vault = Arc::clone(self.vault()?);
        let told = to_the_end(async move {
            let call = call;
            case::decide(&vault, call.witness, &subject, id, answer, reason).await
        })
        .await?;
        Ok(Response::new(to_case(&tenant, &told.filed, told.scored)))
    }

    async fn contest(&self, request: Request<v1::ContestCaseRequest>) -> Result<Response<v1::Case>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, subject, id) = names::case("name", &message.name)?;
        let call = self.admit::<op::ContestCase>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let told = to_the_end(async move {
            let call = call;
            case::contest(&vault, call.witness, &subject, id).await
        })
        .await?;
        Ok(Response::new(to_case(&tenant, &told.filed, told.scored)))
    }
}

fn expect_ours(field: &str, of: &TenantId, tenant: &TenantId) -> Result<()> {
    let refuse = || Invalid::new(field, Reason::FieldOutOfRange, "must be of the same tenant");
    if of == tenant { Ok(()) } else { Err(refuse().into()) }
}

fn answer(number: i32) -> Result<Answer> {
    match required("step", number, CaseStep::from_number)? {
        CaseStep::Confirmed => Ok(Answer::Confirmed),
        CaseStep::Distinct => Ok(Answer::Distinct),
        CaseStep::Escalated => Ok(Answer::Escalate),
        CaseStep::Contested => {
            Err(Invalid::new("step", Reason::FieldOutOfRange, "is no answer; contest the case").into())
        }
    }
}

fn reason(number: i32) -> Result<CaseReason> {
    let reason = required("reason", number, CaseReason::from_number)?;
    if reason == CaseReason::PersonContests {
        return Err(Invalid::new("reason", Reason::FieldOutOfRange, "is none that an answer rests on").into());
    }
    Ok(reason)
}

fn to_case(tenant: &TenantId, filed: &Filed, scored: bool) -> v1::Case {
    let Filed { subject, case } = filed;
    let (other, request) = match &case.question {
        Question::Duplicate { other, .. } => (Some(other), None),
        Question::Contested { request } => (None, request.as_ref()),
        Question::Unclear { .. } => (None, None),
    };
    let seen = case.seen();
    v1::Case {
        name: format!("tenants/{tenant}/subjects/{}/cases/{}", subject.as_str(), case.id),
        kind: case.kind().number().into(),
        other_subject: other_subject(tenant, other.into_iter().flatten().next()),
        other_erased: other.is_some_and(Option::is_none),
        model: case.model().map(convert::to_model),
        band: seen.map_or(0, |seen| convert::to_band(seen.band)),
        score: seen.map(|seen| seen.score).filter(|_| scored),
        policy_version: seen.map_or(0, |seen| seen.policy_version.into()),
        attempts: case.attempts.into(),
        open_time: Some(to_timestamp(case.opened_at)),
        last_seen_time: Some(to_timestamp(case.last_seen_at)),
        state: case.state().number().into(),
        decisions: case.decisions.iter().map(|decision| to_decision(tenant, decision)).collect(),
        request: request.map_or_else(String::new, |request| format!("tenants/{tenant}/requests/{request}")),
    }
}

fn other_subject(tenant: &TenantId, other: Option<&SubjectId>) -> String {
    other.map_or_else(String::new, |other| format!("tenants/{tenant}/subjects/{}", other.as_str()))
}

fn to_decision(tenant: &TenantId, decision: &CaseDecision) -> v1::CaseDecision {
    v1::CaseDecision {
        credential: format!("tenants/{tenant}/credentials/{}", decision.by),
        decide_time: Some(to_timestamp(decision.at)),
        step: decision.step.number().into(),
        reason: decision.reason.number().into(),
    }
}
