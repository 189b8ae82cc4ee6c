use std::sync::Arc;

use lethe_domain::{ProposalId, Standing, TenantId, Timestamp};
use lethe_policy::operation as op;
use lethe_proto::v1;
use lethe_proto::v1::approval_service_server::ApprovalService;
use tonic::{Request, Response, Status, async_trait};

use super::call::{Admitted, to_the_end};
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
        let (owner, id) = names::proposal("name", &message.name)?;
        let facts = match &owner {
            None => {
                let call = self.admit_to_vault::<op::GetVaultProposal>(&principal, message.purpose).await?;
                approval::get(self.vault()?, call.witness, id).await?
            }
            Some(tenant) => {
                let call = self.admit::<op::GetProposal>(&principal, tenant, message.purpose).await?;
                approval::get(self.vault()?, call.witness, id).await?
            }
        };
        Ok(Response::new(to_proposal(owner.as_ref(), &facts)))
    }

    async fn list(
        &self,
        request: Request<v1::ListProposalsRequest>,
    ) -> Result<Response<v1::ListProposalsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let owner = names::tenant_or_vault("parent", &message.parent)?;
        let response = match &owner {
            None => {
                let call = self.admit_to_vault::<op::ListVaultProposals>(&principal, message.purpose).await?;
                self.list_proposals(call, None, message).await?
            }
            Some(tenant) => {
                let call = self.admit::<op::ListProposals>(&principal, tenant, message.purpose).await?;
                self.list_proposals(call, Some(tenant), message).await?
            }
        };
        Ok(Response::new(response))
    }

    async fn approve(&self, request: Request<v1::ApproveProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (owner, id) = names::proposal("name", &message.name)?;
        let facts = match &owner {
            None => {
                let call = self.admit_to_vault::<op::ApproveVaultProposal>(&principal, message.purpose).await?;
                self.approve_proposal(call, id, &message).await?
            }
            Some(tenant) => {
                let call = self.admit::<op::ApproveProposal>(&principal, tenant, message.purpose).await?;
                self.approve_proposal(call, id, &message).await?
            }
        };
        Ok(Response::new(to_proposal(owner.as_ref(), &facts)))
    }

    async fn reject(&self, request: Request<v1::RejectProposalRequest>) -> Result<Response<v1::Proposal>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (owner, id) = names::proposal("name", &message.name)?;
        let facts = match &owner {
            None => {
                let call = self.admit_to_vault::<op::RejectVaultProposal>(&principal, message.purpose).await?;
                self.reject_proposal(call, id, &message).await?
            }
            Some(tenant) => {
                let call = self.admit::<op::RejectProposal>(&principal, tenant, message.purpose).await?;
                self.reject_proposal(call, id, &message).await?
            }
        };
        Ok(Response::new(to_proposal(owner.as_ref(), &facts)))
    }
}

impl Node {
    async fn list_proposals<O: approval::Lists>(
        &self,
        call: Admitted<O>,
        owner: Option<&TenantId>,
        message: v1::ListProposalsRequest,
    ) -> Result<v1::ListProposalsResponse, Status> {
        let pages = self.pages(&call, &message.parent)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let (page, next) = approval::list(self.vault()?, call.witness, from, size).await?;
        let proposals = page.iter().map(|facts| to_proposal(owner, facts)).collect();
        Ok(v1::ListProposalsResponse { proposals, next_page_token: pages.token(next) })
    }

    async fn approve_proposal<O: approval::Approves>(
        &self,
        call: Admitted<O>,
        id: ProposalId,
        message: &v1::ApproveProposalRequest,
    ) -> Result<Facts, Status> {
        convert::request_id(&message.request_id)?;
        let digest = convert::sha256("content_sha256", &message.content_sha256)?;
        let vault = Arc::clone(self.vault()?);
        to_the_end(async move {
            let call = call;
            approval::approve(&vault, call.witness, id, digest).await
        })
        .await
    }

    async fn reject_proposal<O: approval::Rejects>(
        &self,
        call: Admitted<O>,
        id: ProposalId,
        message: &v1::RejectProposalRequest,
    ) -> Result<Facts, Status> {
        convert::request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        to_the_end(async move {
            let call = call;
            approval::reject(&vault, call.witness, id).await
        })
        .await
    }
}

/// A proposal of a tenant, or of the vault.
pub(super) fn to_proposal(owner: Option<&TenantId>, facts: &Facts) -> v1::Proposal {
    let proposal = &facts.stored.proposal;
    let parent = owner.map_or_else(|| "vault".to_owned(), |tenant| format!("tenants/{tenant}"));
    let (state, vote, done) = match proposal.standing {
        Standing::Open => (v1::ProposalState::Open, None, None),
        Standing::Approved(vote) => (v1::ProposalState::Approved, Some(vote), None),
        Standing::Rejected(vote) => (v1::ProposalState::Rejected, Some(vote), None),
        Standing::Used(vote, at) => (v1::ProposalState::Done, Some(vote), Some(at)),
    };
    let state = if facts.is_expired(Timestamp::now()) { v1::ProposalState::Expired } else { state };
    let content = match &facts.stored.content {
        Content::Offboarding(leaving) => Some(v1::proposal::Content::Offboarding(to_offboarding(leaving))),
        Content::Disclosure(_) => owner.zip(facts.about.as_ref()).map(|(tenant, (subject, disclosure))| {
            v1::proposal::Content::Disclosure(to_disclosure(tenant, subject, disclosure))
        }),
        Content::LogKey(key) | Content::VaultLogKey(key) => {
            let (log, retired_key) = (format!("{parent}/log"), key.clone());
            Some(v1::proposal::Content::LogKeyRotation(v1::LogKeyRotation { log, retired_key }))
        }
    };
    v1::Proposal {
        name: format!("{parent}/proposals/{}", proposal.id),
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
