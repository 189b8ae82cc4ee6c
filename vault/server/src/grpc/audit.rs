use std::sync::Arc;

use lethe_crypto::log::succession::Succession;
use lethe_crypto::tree::TreeId;
use lethe_domain::{Reason, TenantId, Timestamp};
use lethe_policy::operation::{self as op, Kind};
use lethe_proto::v1;
use lethe_proto::v1::audit_service_server::AuditService;
use tonic::{Request, Response, Status, async_trait};

use super::approval::to_proposal;
use super::call::{Admitted, to_the_end};
use super::entries::{Entries, index};
use super::{Node, convert, names, page};
use crate::approval::Facts;
use crate::audit;
use crate::error::{Error, Result};

#[async_trait]
impl AuditService for Node {
    type WatchStream = Entries;

    async fn get_receipt(&self, request: Request<v1::GetReceiptRequest>) -> Result<Response<v1::Receipt>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let (owner, id) = names::receipt("name", &message.name)?;
        let state = match owner {
            None => {
                let call = self.admit_to_vault::<op::GetVaultReceipt>(&principal, message.purpose).await?;
                audit::get_receipt(self.vault()?, call.witness, id).await?
            }
            Some(tenant) => {
                let call = self.admit::<op::GetReceipt>(&principal, &tenant, message.purpose).await?;
                audit::get_receipt(self.vault()?, call.witness, id).await?
            }
        };
        let (shred_time, document) = state.shredded.unzip();
        Ok(Response::new(v1::Receipt {
            name: message.name,
            state: match shred_time {
                Some(_) => v1::ErasureState::Shredded.into(),
                None => v1::ErasureState::Pending.into(),
            },
            document: document.unwrap_or_default(),
            create_time: Some(convert::to_timestamp(state.accepted_at)),
            shred_time: shred_time.map(convert::to_timestamp),
        }))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::Checkpoint>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let log = names::log("log", &message.log)?;
        let (call, tree) = self.admit_to_log::<op::GetCheckpoint>(&principal, log, message.purpose).await?;
        let signed = audit::checkpoint(self.vault()?, tree).await?;
        self.vault()?.note(tree, &call.witness).await?;
        Ok(Response::new(v1::Checkpoint {
            log: message.log,
            tree_size: convert::sequence(signed.size),
            note: signed.note,
            verifier_key: signed.verifier.to_string(),
        }))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::InclusionProof>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        match names::log("log", &message.log)? {
            // Entries of the vault's log are about all clients: they are the operator's to read (O35).
            None => {
                let call = self.admit_to_vault::<op::GetVaultInclusionProof>(&principal, message.purpose).await?;
                self.prove(&call, TreeId::VAULT, message).await
            }
            log => {
                let (call, tree) = self.admit_to_log::<op::GetInclusionProof>(&principal, log, message.purpose).await?;
                self.prove(&call, tree, message).await
            }
        }
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::ConsistencyProof>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let log = names::log("log", &message.log)?;
        let (call, tree) = self.admit_to_log::<op::GetConsistencyProof>(&principal, log, message.purpose).await?;
        let (old, new) = (index("old_size", message.old_size)?, index("new_size", message.new_size)?);
        let (size, hashes) = audit::prove_growth(self.vault()?, tree, old, new)?;
        self.vault()?.note(tree, &call.witness).await?;
        Ok(Response::new(v1::ConsistencyProof {
            log: message.log,
            old_size: message.old_size,
            new_size: convert::sequence(size),
            hashes: hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
        }))
    }

    async fn propose_key_rotation(
        &self,
        request: Request<v1::ProposeKeyRotationRequest>,
    ) -> Result<Response<v1::Proposal>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let owner = names::log("log", &message.log)?;
        let facts = match &owner {
            None => {
                let call = self.admit_to_vault::<op::ProposeVaultKeyRotation>(&principal, message.purpose).await?;
                self.propose_rotation(call, &message).await?
            }
            Some(tenant) => {
                let call = self.admit::<op::ProposeKeyRotation>(&principal, tenant, message.purpose).await?;
                self.propose_rotation(call, &message).await?
            }
        };
        Ok(Response::new(to_proposal(owner.as_ref(), &facts)))
    }

    async fn list_key_successions(
        &self,
        request: Request<v1::ListKeySuccessionsRequest>,
    ) -> Result<Response<v1::ListKeySuccessionsResponse>, Status> {
        let principal = self.principal(&request)?;
        let message = request.into_inner();
        let log = names::log("log", &message.log)?;
        let (call, tree) = self.admit_to_log::<op::ListKeySuccessions>(&principal, log, message.purpose).await?;
        let pages = self.pages(&call, &message.log)?;
        let (from, size) = (pages.start(&message.page_token)?, page::size(message.page_size)?);
        let (page, next) = audit::list_successions(self.vault()?, &call.witness, tree, from, size).await?;
        let successions = page.iter().map(to_succession).collect();
        Ok(Response::new(v1::ListKeySuccessionsResponse { successions, next_page_token: pages.token(next) }))
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let principal = self.principal(&request)?;
        Ok(Response::new(self.entries(&principal, request.into_inner()).await?))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let principal = self.principal(&request)?;
        Ok(Response::new(self.watch_log(principal, request.into_inner()).await?))
    }

    async fn report_breach(
        &self,
        request: Request<v1::ReportBreachRequest>,
    ) -> Result<Response<v1::BreachReport>, Status> {
        let principal = self.principal(&request)?;
        Ok(Response::new(self.breach(&principal, request.into_inner()).await?))
    }

    async fn usage(&self, request: Request<v1::UsageRequest>) -> Result<Response<v1::UsageResponse>, Status> {
        let principal = self.principal(&request)?;
        Ok(Response::new(self.counts(&principal, request.into_inner()).await?))
    }
}

fn to_succession(succession: &Succession) -> v1::KeySuccession {
    let time = i64::try_from(succession.entry().time).unwrap_or(i64::MAX);
    v1::KeySuccession {
        document: succession.encode(),
        retired_key: succession.from().to_string(),
        successor_key: succession.to().to_string(),
        tree_size: convert::sequence(succession.checkpoint().size),
        rotate_time: Some(convert::to_timestamp(Timestamp::from_millis(time))),
    }
}

impl Node {
    async fn propose_rotation<O: audit::Rotates>(
        &self,
        call: Admitted<O>,
        message: &v1::ProposeKeyRotationRequest,
    ) -> Result<Facts, Status> {
        let request = convert::required_request_id(&message.request_id)?;
        let vault = Arc::clone(self.vault()?);
        to_the_end(async move {
            let call = call;
            audit::propose_rotation(&vault, call.witness, request).await
        })
        .await
    }

    async fn prove<O: Kind>(
        &self,
        call: &Admitted<O>,
        tree: TreeId,
        message: v1::GetInclusionProofRequest,
    ) -> Result<Response<v1::InclusionProof>, Status> {
        let (leaf, size) = (index("leaf_index", message.leaf_index)?, index("tree_size", message.tree_size)?);
        let proof = audit::prove(self.vault()?, tree, leaf, size)?;
        self.vault()?.note(tree, &call.witness).await?;
        Ok(Response::new(v1::InclusionProof {
            log: message.log,
            leaf_index: message.leaf_index,
            tree_size: convert::sequence(proof.size),
            hashes: proof.hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
            entry: proof.entry,
        }))
    }

    /// Asks the gate for an operation on a log: a tenant's, or the vault's.
    async fn admit_to_log<O: Kind>(
        &self,
        principal: &lethe_policy::Principal,
        log: Option<TenantId>,
        purpose: i32,
    ) -> Result<(Admitted<O>, TreeId), Status> {
        match log {
            None => Ok((self.admit_to_vault(principal, purpose).await?, TreeId::VAULT)),
            Some(tenant) => {
                let call = self.admit(principal, &tenant, purpose).await?;
                let missing = || Error::NotFound(Reason::LogNotFound, "there is no such log".to_owned());
                let tree = self.vault()?.silos.find(&tenant).ok_or_else(missing)?.tree;
                Ok((call, tree))
            }
        }
    }
}
