use lethe_crypto::tree::TreeId;
use lethe_domain::{Invalid, Reason, TenantId};
use lethe_policy::operation::{self as op, Kind};
use lethe_proto::v1;
use lethe_proto::v1::audit_service_server::AuditService;
use tonic::{Request, Response, Status, async_trait};

use super::call::Admitted;
use super::{Node, convert, names};
use crate::audit;
use crate::error::{Error, Result};

#[async_trait]
impl AuditService for Node {
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
}

impl Node {
    async fn prove<O: Kind>(
        &self,
        call: &Admitted<O>,
        tree: TreeId,
        message: v1::GetInclusionProofRequest,
    ) -> Result<Response<v1::InclusionProof>, Status> {
        let number = |field: &str, value: i64| {
            let negative = |_| Error::from(Invalid::new(field, Reason::FieldOutOfRange, "must not be negative"));
            u64::try_from(value).map_err(negative)
        };
        let (index, size) = (number("leaf_index", message.leaf_index)?, number("tree_size", message.tree_size)?);
        let proof = audit::prove(self.vault()?, tree, index, size)?;
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
