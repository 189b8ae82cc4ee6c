//! Silos, their keys and their ends, and what two persons decide.

use futures::TryStreamExt as _;
use lethe_proto::v1::tenant_service_client::TenantServiceClient;
use lethe_proto::v1::{self, Purpose};
use tonic::Request;

use super::{Caller, LARGEST};
use crate::refusal::Answer;
use crate::requests::{basis, exempt, guarded, request_id};
use crate::tenant::Tenant;

impl Caller {
    /// Shreds a tenant, the whole way, with nothing handed over, and waits for the shredding.
    ///
    /// # Errors
    /// The refusal.
    pub async fn shred(&self, tenant: &Tenant) -> Answer<v1::Erasure> {
        let request = self.agreed(tenant).await;
        self.ask(request).await
    }

    /// A valid shredding of a tenant with a fresh request id, that two persons agreed on, with nothing to be handed over.
    ///
    /// # Panics
    /// When somebody refuses to agree.
    pub async fn agreed(&self, tenant: &Tenant) -> v1::ShredTenantRequest {
        let proposal = tenant.admin().waive(self).await.unwrap();
        v1::ShredTenantRequest { proposal, ..self.shredding(tenant.id()) }
    }

    /// A shredding of a tenant, by id, with a fresh request id, that nobody agreed on.
    #[must_use]
    pub fn shredding(&self, tenant: &str) -> v1::ShredTenantRequest {
        v1::ShredTenantRequest {
            name: format!("tenants/{tenant}"),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            no_wait: false,
            proposal: String::new(),
        }
    }

    /// As the first administrator of a tenant: has a second one propose that it goes, with nothing handed over, and `operator`
    /// approve. The proposal's name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn waive(&self, operator: &Self) -> Answer<String> {
        let roles = vec![v1::Role::TenantAdmin.into()];
        let made = self.ask(v1::CreateCredentialRequest {
            parent: self.tenant_name(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            credential: Some(v1::Credential { roles, ..v1::Credential::default() }),
        });
        let director = self.with_key(Some(&made.await?.api_key));
        let proposal = director.ask(director.offboarding(None)).await?;
        operator.approve(&proposal).await?;
        Ok(proposal.name)
    }

    /// A proposal that the caller's tenant goes, its data sealed to this recipient, or handed to nobody.
    #[must_use]
    pub fn offboarding(&self, recipient: Option<&str>) -> v1::OffboardTenantRequest {
        use v1::offboard_tenant_request::Handover::{ArchiveRecipient, WaiveHandover};
        v1::OffboardTenantRequest {
            name: self.tenant_name(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            handover: Some(recipient.map_or(WaiveHandover(true), |to| ArchiveRecipient(to.to_owned()))),
            transfer: recipient.map(|_| guarded("DE")),
        }
    }

    /// Approves a proposal, as it was read.
    ///
    /// # Errors
    /// The refusal.
    pub async fn approve(&self, proposal: &v1::Proposal) -> Answer<v1::Proposal> {
        let (name, content_sha256) = (proposal.name.clone(), proposal.content_sha256.clone());
        let purpose = Purpose::Administration.into();
        self.ask(v1::ApproveProposalRequest { name, purpose, request_id: String::new(), content_sha256 }).await
    }

    /// Rejects a proposal, by name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn reject(&self, proposal: &str) -> Answer<v1::Proposal> {
        let (name, purpose) = (proposal.to_owned(), Purpose::Administration.into());
        self.ask(v1::RejectProposalRequest { name, purpose, request_id: String::new() }).await
    }

    /// Reads a proposal, by name.
    ///
    /// # Errors
    /// The refusal.
    pub async fn proposal(&self, name: &str) -> Answer<v1::Proposal> {
        self.ask(v1::GetProposalRequest { name: name.to_owned(), purpose: Purpose::Administration.into() }).await
    }

    /// Takes the archive of an approved proposal, by name, whole.
    ///
    /// # Errors
    /// The refusal, also of a stream that began well.
    pub async fn export_silo(&self, proposal: &str) -> Answer<Vec<u8>> {
        let mut client = TenantServiceClient::new(self.wire.channel()).max_decoding_message_size(LARGEST);
        let request = v1::ExportSiloRequest { name: proposal.to_owned(), purpose: Purpose::Administration.into() };
        let pieces = client.export_silo(self.sign(Request::new(request))).await?.into_inner();
        let pieces: Vec<v1::ExportSiloResponse> = pieces.try_collect().await?;
        Ok(pieces.into_iter().flat_map(|piece| piece.piece).collect())
    }

    /// Confirms an archive, by the proposal's name and the archive's digest.
    ///
    /// # Errors
    /// The refusal.
    pub async fn confirm(&self, proposal: &str, archive_sha256: String) -> Answer<v1::Proposal> {
        let (name, purpose) = (proposal.to_owned(), Purpose::Administration.into());
        self.ask(v1::ConfirmHandoverRequest { name, purpose, request_id: String::new(), archive_sha256 }).await
    }

    /// A proposal to disclose something about a subject, by a ground.
    #[must_use]
    pub fn disclosing(&self, subject: &str, ground: Option<v1::disclosure::Ground>) -> v1::ProposeDisclosureRequest {
        v1::ProposeDisclosureRequest {
            parent: self.subject_name(subject),
            purpose: Purpose::DataSubjectRequest.into(),
            request_id: request_id(),
            disclosure: Some(v1::Disclosure {
                recipient: "county-court".to_owned(),
                ground,
                scope: vec![v1::DisclosureScope::Existence.into(), v1::DisclosureScope::Results.into()],
                transfer: Some(guarded("DE")),
                ..v1::Disclosure::default()
            }),
        }
    }

    /// What was disclosed about a subject.
    ///
    /// # Errors
    /// The refusal.
    pub async fn disclosures(&self, subject: &str) -> Answer<Vec<v1::Disclosure>> {
        let (parent, purpose) = (self.subject_name(subject), Purpose::DataSubjectRequest.into());
        Ok(self.ask(v1::ListDisclosuresRequest { parent, purpose }).await?.disclosures)
    }

    /// Whom to tell, of all notifications or of those that are pending, and what of.
    ///
    /// # Errors
    /// The refusal.
    pub async fn notifications(&self, pending: bool) -> Answer<Vec<v1::Notification>> {
        let (parent, purpose) = (self.tenant_name(), Purpose::DataSubjectRequest.into());
        let request = v1::ListNotificationsRequest { parent, purpose, pending, ..Default::default() };
        Ok(self.ask(request).await?.notifications)
    }

    /// Records what came of a notification.
    ///
    /// # Errors
    /// The refusal.
    pub async fn notified(&self, name: &str, outcome: v1::NotificationOutcome) -> Answer<v1::Notification> {
        let (name, purpose) = (name.to_owned(), Purpose::DataSubjectRequest.into());
        self.ask(v1::CloseNotificationRequest { name, purpose, request_id: String::new(), outcome: outcome.into() })
            .await
    }

    /// Rotates what wraps the keys of `tenants/{tenant}` or `vault`, and waits for the end of the old root.
    ///
    /// # Errors
    /// The refusal.
    pub async fn rotate(&self, name: &str) -> Answer<v1::KeyRotation> {
        self.ask(self.rotation(name)).await
    }

    /// A valid rotation with a fresh request id.
    #[must_use]
    pub fn rotation(&self, name: &str) -> v1::RotateKeysRequest {
        v1::RotateKeysRequest {
            name: name.to_owned(),
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            no_wait: false,
        }
    }

    /// A valid creation of a tenant, by id, with a fresh request id.
    #[must_use]
    pub fn creation(&self, tenant: &str) -> v1::CreateTenantRequest {
        v1::CreateTenantRequest {
            purpose: Purpose::Administration.into(),
            request_id: request_id(),
            tenant_id: tenant.to_owned(),
            tenant: Some(v1::Tenant {
                purposes: vec![basis(Purpose::Authentication)],
                attestation: Some(exempt()),
                ..v1::Tenant::default()
            }),
            administrator_login: None,
        }
    }
}
