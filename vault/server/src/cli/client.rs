//! Clients of all services over one connection.

use std::time::Duration;

use lethe_proto::v1::approval_service_client::ApprovalServiceClient;
use lethe_proto::v1::audit_service_client::AuditServiceClient;
use lethe_proto::v1::authentication_service_client::AuthenticationServiceClient;
use lethe_proto::v1::backup_service_client::BackupServiceClient;
use lethe_proto::v1::case_service_client::CaseServiceClient;
use lethe_proto::v1::consent_service_client::ConsentServiceClient;
use lethe_proto::v1::disclosure_service_client::DisclosureServiceClient;
use lethe_proto::v1::enrollment_service_client::EnrollmentServiceClient;
use lethe_proto::v1::hold_service_client::HoldServiceClient;
use lethe_proto::v1::identification_service_client::IdentificationServiceClient;
use lethe_proto::v1::notification_service_client::NotificationServiceClient;
use lethe_proto::v1::request_service_client::RequestServiceClient;
use lethe_proto::v1::root_service_client::RootServiceClient;
use lethe_proto::v1::signing_key_service_client::SigningKeyServiceClient;
use lethe_proto::v1::subject_service_client::SubjectServiceClient;
use lethe_proto::v1::tenant_service_client::TenantServiceClient;
use lethe_proto::v1::watchlist_service_client::WatchlistServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::exit::Failure;
use super::secret::ApiKey;

/// Largest answer accepted; a search may find many.
const MAX_ANSWER: usize = 256 << 20;

/// Clients of all services over one connection, under one key.
#[derive(Debug, Clone)]
pub(super) struct Client {
    channel: Channel,
    unary: Attach,
    stream: Attach,
}

/// A channel that attaches the key to each call.
pub(super) type Wire = InterceptedService<Channel, Attach>;

impl Client {
    /// Clients over a channel.
    pub(super) fn new(channel: Channel, key: Option<&ApiKey>, timeout: Duration) -> Result<Self, Failure> {
        let authorization = key
            .map(|key| {
                let mut value: MetadataValue<Ascii> = format!("Bearer {}", key.expose())
                    .parse()
                    .map_err(|_| Failure::usage("the API key has characters that no key has"))?;
                value.set_sensitive(true);
                Ok::<_, Failure>(value)
            })
            .transpose()?;
        let stream = Attach { authorization, timeout: None };
        let unary = Attach { timeout: Some(timeout), ..stream.clone() };
        Ok(Self { channel, unary, stream })
    }

    /// Tenants, credentials and models.
    pub(super) fn tenants(&self) -> TenantServiceClient<Wire> {
        TenantServiceClient::new(self.wire(&self.unary))
    }

    /// Enrolment.
    pub(super) fn enrollment(&self) -> EnrollmentServiceClient<Wire> {
        EnrollmentServiceClient::new(self.wire(&self.unary))
    }

    /// Enrolment by a stream, which has no deadline of its own.
    pub(super) fn enrollment_stream(&self) -> EnrollmentServiceClient<Wire> {
        EnrollmentServiceClient::new(self.wire(&self.stream))
    }

    /// 1:1.
    pub(super) fn authentication(&self) -> AuthenticationServiceClient<Wire> {
        AuthenticationServiceClient::new(self.wire(&self.unary))
    }

    /// 1:N.
    pub(super) fn identification(&self) -> IdentificationServiceClient<Wire> {
        IdentificationServiceClient::new(self.wire(&self.unary)).max_decoding_message_size(MAX_ANSWER)
    }

    /// Sweeps, which have no deadline of their own.
    pub(super) fn sweeps(&self) -> IdentificationServiceClient<Wire> {
        IdentificationServiceClient::new(self.wire(&self.stream)).max_decoding_message_size(MAX_ANSWER)
    }

    /// Subjects.
    pub(super) fn subjects(&self) -> SubjectServiceClient<Wire> {
        SubjectServiceClient::new(self.wire(&self.unary))
    }

    /// Archives of subjects, which have no deadline of their own.
    pub(super) fn exports(&self) -> SubjectServiceClient<Wire> {
        SubjectServiceClient::new(self.wire(&self.stream))
    }

    /// Consents.
    pub(super) fn consents(&self) -> ConsentServiceClient<Wire> {
        ConsentServiceClient::new(self.wire(&self.unary))
    }

    /// Litigation holds.
    pub(super) fn holds(&self) -> HoldServiceClient<Wire> {
        HoldServiceClient::new(self.wire(&self.unary))
    }

    /// Archives, which have no deadline of their own.
    pub(super) fn archives(&self) -> TenantServiceClient<Wire> {
        TenantServiceClient::new(self.wire(&self.stream))
    }

    /// Disclosures.
    pub(super) fn disclosures(&self) -> DisclosureServiceClient<Wire> {
        DisclosureServiceClient::new(self.wire(&self.unary))
    }

    /// What two persons decide.
    pub(super) fn proposals(&self) -> ApprovalServiceClient<Wire> {
        ApprovalServiceClient::new(self.wire(&self.unary))
    }

    /// Requests of data subjects.
    pub(super) fn requests(&self) -> RequestServiceClient<Wire> {
        RequestServiceClient::new(self.wire(&self.unary))
    }

    /// Whom to tell what became of data that were disclosed to them.
    pub(super) fn notifications(&self) -> NotificationServiceClient<Wire> {
        NotificationServiceClient::new(self.wire(&self.unary))
    }

    /// Questions about people that people answer.
    pub(super) fn cases(&self) -> CaseServiceClient<Wire> {
        CaseServiceClient::new(self.wire(&self.unary))
    }

    /// Public keys of capture and document services.
    pub(super) fn signing_keys(&self) -> SigningKeyServiceClient<Wire> {
        SigningKeyServiceClient::new(self.wire(&self.unary))
    }

    /// Watch lists.
    pub(super) fn watchlists(&self) -> WatchlistServiceClient<Wire> {
        WatchlistServiceClient::new(self.wire(&self.unary))
    }

    /// Receipts and logs.
    pub(super) fn audit(&self) -> AuditServiceClient<Wire> {
        AuditServiceClient::new(self.wire(&self.unary)).max_decoding_message_size(MAX_ANSWER)
    }

    /// Logs that are followed, without a deadline of their own.
    pub(super) fn audit_stream(&self) -> AuditServiceClient<Wire> {
        AuditServiceClient::new(self.wire(&self.stream)).max_decoding_message_size(MAX_ANSWER)
    }

    /// Backups and mirrors.
    pub(super) fn backups(&self) -> BackupServiceClient<Wire> {
        BackupServiceClient::new(self.wire(&self.unary))
    }

    /// The root store.
    pub(super) fn roots(&self) -> RootServiceClient<Wire> {
        RootServiceClient::new(self.wire(&self.unary))
    }

    fn wire(&self, attach: &Attach) -> Wire {
        InterceptedService::new(self.channel.clone(), attach.clone())
    }
}

/// Attaches key and deadline to a call.
#[derive(Debug, Clone)]
pub(super) struct Attach {
    /// Marked sensitive: its `Debug` does not show it.
    authorization: Option<MetadataValue<Ascii>>,
    timeout: Option<Duration>,
}

impl Interceptor for Attach {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        Ok(request)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tonic::transport::Endpoint;

    use super::*;

    #[test]
    fn a_key_that_cannot_be_sent_is_refused_without_showing_it() {
        let channel = || Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _guard = runtime.enter();
        let key = ApiKey::new("with\nbreak");
        let failure = Client::new(channel(), Some(&key), Duration::from_secs(1)).unwrap_err();
        assert!(!failure.to_string().contains("break"));
        let client = Client::new(channel(), Some(&ApiKey::new("s3cret")), Duration::from_secs(1)).unwrap();
        assert!(!format!("{client:?}").contains("s3cret"));
    }
}
