use std::sync::Arc;

use lethe_domain::{Standing, TenantId, Timestamp};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::approval_service_server::ApprovalService;
use tonic::{Request, Response, Status, async_trait};

use super::call::to_the_end;
use super::convert::{self, to_timestamp};
use super::disclosure::to_disclosure;
use super::transfer::to_transfer;
use super::{Node, names, page};
use crate::approval::{self, Facts};
use crate::records::{Content, Leaving};

#[async_trait]
impl ApprovalService for Node {
    async fn get(&self, request: Request<v1::GetProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::proposal("name", &message.name)?;
        let call = self.admit::<op::GetProposal>(&principal, &tenant, message.purpose).await?;
        let facts = approval::get(self.vault()?, call.witness, id).await?;
        Ok(Response::new(to_proposal(&tenant, &facts)))
    }

    async fn list(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let tenant = names::tenant("parent", &message.parent)?;
        let call = self.admit::<op::ListProposals>(&principal, &tenant, message.purpose).await?;
        let pages = self.pages(&call, &message.parent)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let (page, next) = approval::list(self.vault()?, call.witness, from, size).await?;
        Ok(Response::new(v1::ListProposalsResponse {
            proposals: page.iter().map(|facts| to_proposal(&tenant, facts)).collect(),
            next_page_token: pages.token(next),
        }))
    }

    async fn approve(&self, request: Request<v1::ApproveProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::proposal("name", &message.name)?;
        let call = self.admit::<op::ApproveProposal>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let digest = convert::sha256("content_sha256", &message.content_sha256)?;
        let vault = Arc::clone(self.vault()?);
        let facts = to_the_end(async move {
            let call = call;
            approval::approve(&vault, call.witness, id, digest).await
        })
        .await?;
        Ok(Response::new(to_proposal(&tenant, &facts)))
    }

    async fn reject(&self, request: Request<v1::RejectProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (tenant, id) = names::proposal("name", &message.name)?;
        let call = self.admit::<op::RejectProposal>(&principal, &tenant, message.purpose).await?;
        convert::request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        let facts = to_the_end(async move {
            let call = call;
            approval::reject(&vault, call.witness, id).await
        })
        .await?;
        Ok(Response::new(to_proposal(&tenant, &facts)))
    }
}

pub(super) fn to_proposal(tenant: &TenantId, facts: &Facts) -> v1::Proposal {
    let proposal = &facts.stored.proposal;
    let (state, vote, done) = match proposal.standing {
        Standing::Open => (v1::ProposalState::Open, None, None),
        Standing::Approved(vote) => (v1::ProposalState::Approved, Some(vote), None),
        Standing::Rejected(vote) => (v1::ProposalState::Rejected, Some(vote), None),
        Standing::Used(vote, at) => (v1::ProposalState::Done, Some(vote), Some(at)),
    };
    let state = if facts.is_expired(Timestamp::now()) { v1::ProposalState::Expired } else { state };
    let content = match &facts.stored.content {
        Content::Offboarding(leaving) => Some(v1::proposal::Content::Offboarding(to_offboarding(leaving))),
        Content::Disclosure(_) => facts
            .about
            .as_ref()
            .map(|(subject, disclosure)| v1::proposal::Content::Disclosure(to_disclosure(tenant, subject, disclosure))),
    };
    v1::Proposal {
        name: format!("tenants/{tenant}/proposals/{}", proposal.id),
        state: state.into(),
        content_sha256: hex::encode(proposal.digest),
        proposer: proposal.proposer.to_string(),
        propose_time: Some(to_timestamp(proposal.proposed_at)),
        expire_time: Some(to_timestamp(proposal.expires_at)),
        decider: vote.map(|vote| vote.by.to_string()).unwrap_or_default(),
        decide_time: vote.map(|vote| to_timestamp(vote.at)),
        done_time: done.map(to_timestamp),
        content,
    }
}

fn to_offboarding(leaving: &Leaving) -> v1::Offboarding {
    let delivered = leaving.delivered.as_ref();
    v1::Offboarding {
        archive_recipient: leaving.to.as_ref().map(|to| to.recipient.clone()).unwrap_or_default(),
        subjects: delivered.map_or(0, |archive| convert::sequence(archive.subjects)),
        templates: delivered.map_or(0, |archive| convert::sequence(archive.templates)),
        handover_time: delivered.map(|archive| to_timestamp(archive.at)),
        confirm_time: leaving.confirmed.map(|(vote, _)| to_timestamp(vote.at)),
        transfer: leaving.to.as_ref().map(|to| to_transfer(&to.transfer)),
    }
}
